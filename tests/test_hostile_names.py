"""Names that would like to be something else than text, in a real study: on a terminal, in files, and as files."""

import csv
import io
import json
import re
import unicodedata

import pytest
import torch
from report.studies import HOSTILE

import steepest
from steepest.cli.main import main
from steepest.errors import BadSetting

NAMES = [name for name in HOSTILE if name.isprintable() or "\x1b" in name or "\u202e" in name]
ISOLATES = "\u2068\u2069"
LATEX = {
    *(rf"\{word}" for word in ("begin", "end", "centering", "toprule", "midrule", "bottomrule", "caption")),
    *(rf"\text{word}" for word in ("bf", "backslash", "less", "greater", "bar", "asciicircum", "asciitilde")),
}


def is_text(told):
    """Nothing in it moves a cursor or turns the direction of what follows; ZWJ makes one picture of emoji."""
    harmful = {c for c in told if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return not harmful - {"\n", "\u200d", *ISOLATES} and told.count(ISOLATES[0]) == told.count(ISOLATES[1])


def task_named(name, title=""):
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    return steepest.Task(
        model=lambda: torch.nn.Linear(3, 2),
        data=(x, (x.sum(1) > 0).long()),
        loss=torch.nn.functional.cross_entropy,
        metric="accuracy",
        batch_size=16,
        epochs=2,
        name=name,
        title=title or name,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Every optimizer bears a hostile name; task and title bear all of them at once."""
    task = task_named("../../" + "".join(NAMES), "".join(NAMES))
    named = [type(name, (torch.optim.SGD,), {}) for name in NAMES]
    folder = tmp_path_factory.mktemp("hostile") / "study"
    return steepest.compare(task, named, seeds=2, rates=[0.1, 0.3], out=folder, quiet=True, workers=1)


COMMANDS = [
    ["verdict"], ["verdict", "--lang", "zh"], ["watch", "--once"], ["watch", "--once", "--lang", "zh"], ["use"],
    ["show"], ["show", "--lang", "zh"], ["why", "--trials", "1"], ["report"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_terminal_sees_text(study, command, capsys):
    place = f"{study.folder}/" if command[0] == "show" else str(study.folder)
    main([command[0], place, *command[1:]])
    told = capsys.readouterr()
    assert is_text(told.out + told.err)
    assert len(told.out) < 30_000


def test_right_to_left_names_leave_the_figures_beside_them_in_order(study):
    (line,) = (line for line in study.text().split("\n") if "مرحبا" in line and "%" not in line and "[" in line)
    assert re.search(f"{ISOLATES[0]}[^{ISOLATES}]*مرحبا{ISOLATES[1]}", line)


def test_an_error_about_a_hostile_name_is_harmless(capsys):
    for name in NAMES:
        with pytest.raises(SystemExit) as left:
            main(["show", name + "?"])
        assert left.value.code in (1, 2)
        assert is_text(capsys.readouterr().err)


def test_half_a_character_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(BadSetting, match="half a character in its name"):
        steepest.compare(task_named("half \ud800 a pair"), "sgd", seeds=1, out=tmp_path / "study", quiet=True)
    assert not list(tmp_path.iterdir())


def test_no_file_leaves_the_study_or_is_named_by_anybody(study):
    names = [path.name for path in study.folder.rglob("*")]
    assert not [name for name in names if not re.fullmatch(r"[\w.=-]{1,150}", name, re.ASCII)]
    assert not list(study.folder.parent.parent.glob("*passwd*"))


def test_files_for_other_programs_hold_names_as_text(study, tmp_path):
    rows = list(csv.DictReader(io.StringIO(study.export("csv"), newline="")))
    raw = {name[name.startswith("'=") :] for name in (row["contender"] for row in rows)}
    assert raw == {result.contender for result in study.record.results}
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "@", "\t", "\r")]
    assert json.loads(study.export("json"))["tasks"]
    for language in ("en", "zh"):
        _, table = study.export("latex", language).split("\n", 1)
        assert set(re.findall(r"\\[a-zA-Z]+", table)) <= LATEX
        assert is_text(table)


def test_parquet_and_tensorboard_keep_them_raw_and_in_their_place(study, tmp_path):
    reader = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("tensorboardX")
    table = reader.read_table(study.write_export("parquet", tmp_path / "trials.parquet"))
    assert table["contender"].to_pylist() == [result.contender for result in study.record.results]
    study.write_export("tensorboard", tmp_path / "events")
    assert {path.name for path in tmp_path.iterdir()} == {"trials.parquet", "events"}
    assert all(re.fullmatch(r"[\w.=+-]{1,250}", path.name, re.ASCII) for path in (tmp_path / "events").iterdir())


def test_columns_and_classes_of_a_table_are_text(tmp_path, capsys):
    columns, classes = [name.replace("\r\n", " ") for name in NAMES[:5]], [NAMES[0], NAMES[1], "\x1b[31mred"]
    path = tmp_path / "evil.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "target"])
        for i in range(60):
            writer.writerow([*(i * (k + 1) % 7 for k in range(len(columns))), classes[i % 3]])
    main(["plan", "--data", str(path), "--target", "target", "-o", "sgd", "--engine", "solo", "--seeds", "1", "-q"])
    told = capsys.readouterr()
    assert is_text(told.out + told.err)
    assert columns[0] in told.out
    assert "contender" in told.out
