"""A flipped bit is found, a damaged spec is refused with its place and has a copy, impossible values are refused."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from study import flips, toy
from study.older import turn_back

from steepest.errors import StudyFolderError
from steepest.study.database import changing, writer
from steepest.study.run import resume
from steepest.study.spec import read_spec
from steepest.study.spec_file import stored_spec
from steepest.study.store import Store, read, traces

GOLDEN = Path(__file__).parents[1] / "golden" / "studies"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study; tests work on copies."""
    return flips.tiny_study(tmp_path_factory.mktemp("damage") / "study")


# ---- bits ------------------------------------------------------------------------------------------------------------


def test_no_flipped_bit_of_the_spec_goes_unnoticed(folder):
    path = folder / "study.json"
    counts = flips.flip(path, lambda: read_spec(folder), flips.bits_of(path, 13))
    assert counts.keys() == {"sentence"}


@pytest.mark.parametrize("name", ["study.json.copy", "study.json.sha256"])
def test_a_flipped_bit_of_a_copy_or_a_sum_changes_no_answer(folder, name):
    path = folder / name
    counts = flips.flip(path, lambda: stored_spec(folder), flips.bits_of(path, 17))
    assert counts.keys() == {"identical"}


def test_no_flipped_bit_of_the_database_changes_an_answer(folder):
    path = folder / "study.db"
    counts = flips.flip(path, lambda: read(folder), flips.bits_of(path, 61))
    assert counts.keys() == {"identical", "sentence"}
    assert counts["sentence"] > 100


def test_no_flipped_bit_of_the_curves_changes_an_answer(folder):
    path = next((folder / "curves").iterdir())
    study = read(folder)
    counts = flips.flip(path, lambda: len(traces(folder, study)), flips.bits_of(path, 53))
    assert counts.keys() == {"sentence"}


@pytest.mark.parametrize("table", ["sitting", "shard", "result", "finish"])
def test_a_row_that_is_gone_is_missed(folder, table):
    with sqlite3.connect(folder / "study.db") as database:
        database.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
    database.close()
    with pytest.raises(StudyFolderError, match=r"checksum.*steepest resume"):
        read(folder)


def test_rows_with_a_checksum_of_their_own_are_compared_with_their_curves(folder):
    """Somebody who knows how checksums are made has changed a row."""
    database = writer(folder / "study.db")
    with changing(database) as rows:
        (row, *_) = rows.remove("result", "lane = 0")
        rows.add("result", [(*row[:13], 0.999, *row[14:])])
    database.close()
    study = read(folder)
    with pytest.raises(StudyFolderError, match="not those of the curves"):
        traces(folder, study)


def test_a_damaged_database_is_made_again_and_not_trusted(finished, folder):
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("UPDATE result SET rate = rate * 2 WHERE lane = 0")
    database.close()
    seen = []
    again = resume(folder, toy.executor(folder), seen.append)
    assert again.results == read(finished).results
    assert any("study.db is damaged; it is moved aside" in str(progress.message) for progress in seen)
    assert (folder / "study.db.damaged").exists()


@pytest.mark.parametrize("back", [1, 2, 20])
def test_a_damaged_index_is_made_again_with_its_database(finished, folder, back):
    """Rows are whole; but a coordinator finds them by their indices, whose first entry ends its page."""
    with sqlite3.connect(folder / "study.db") as database:
        name = "sqlite_autoindex_shard_1"
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    database.close()
    content = bytearray((folder / "study.db").read_bytes())
    content[page * flips.PAGE - back] ^= 0x40
    (folder / "study.db").write_bytes(content)
    assert resume(folder, toy.executor(folder)).results == read(finished).results


# ---- the spec --------------------------------------------------------------------------------------------------------


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "study.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_damaged_spec_is_refused_with_its_place_and_its_copy_restores_it(finished, folder):
    change(folder, '"decades": 4.0', '"decades": 6.0')
    for look_ in (read, Store.open):
        with pytest.raises(
            StudyFolderError, match=r"damaged at protocol\.decades: '6\.0' was '4\.0'.*cp .*\.copy"
        ) as refused:
            look_(folder)
    _, _, command = str(refused.value).partition(": cp ")
    shutil.copy(*command.split())
    assert read(folder) == read(finished)


def test_a_spec_that_is_not_json_any_more_is_refused_with_its_line(folder):
    change(folder, '"decades": 4.0', '"decades": 4.0.1')
    with pytest.raises(StudyFolderError, match=r"damaged at line \d+: '\"decades\": 4\.0\.1,'"):
        read(folder)


def test_a_kill_between_the_files_of_a_new_spec_leaves_the_old_one_valid(tmp_path):
    names = ("study.json.sha256", "study.json.copy", "study.json")
    for killed_after in range(len(names)):
        folder = tmp_path / str(killed_after)
        with Store.create(folder, toy.spec("inside")) as store:
            old = {name: (folder / name).read_bytes() for name in names}
            resume_from = store.spec
        run_once = Path(shutil.copytree(folder, tmp_path / f"done-{killed_after}"))
        resume(run_once, toy.executor(run_once))
        for name in names[:killed_after]:
            shutil.copy(run_once / name, folder / name)
        assert old["study.json"] == (folder / "study.json").read_bytes()
        assert read_spec(folder) == resume_from
        assert resume(folder, toy.executor(folder)).results == read(run_once).results


def test_a_study_of_an_older_version_gets_its_checksums_when_it_is_resumed(folder):
    for name in ("study.json.copy", "study.json.sha256"):
        (folder / name).unlink()
    turn_back(folder / "study.db", 3)
    before = read(folder)
    assert traces(folder, before)
    assert resume(folder, toy.executor(folder)).results == before.results
    assert {"study.json.copy", "study.json.sha256"} <= {path.name for path in folder.iterdir()}
    change(folder, '"decades": 4.0', '"decades": 6.0')
    with pytest.raises(StudyFolderError, match="damaged at protocol"):
        read(folder)


def test_rows_of_an_older_version_are_compared_with_their_curves(tmp_path):
    folder = Path(shutil.copytree(GOLDEN / "two-tasks", tmp_path / "study"))
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("UPDATE result SET test_metric = test_metric + 0.01 WHERE outcome = 'ok' AND lane = 1")
    database.close()
    with pytest.raises(StudyFolderError, match="not those of the curves"):
        traces(folder)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("contenders", 0, "centre"), 0.0),
        (("contenders", 0, "rates"), [-0.1]),
        (("protocol", "seeds"), 0),
        (("plan", "trials"), 0),
        (("plan", "seconds"), -1.0),
        (("plan", "runs", 0, "steps"), 0),
        (("plan", "runs", 0, "evaluate_at"), [5, 3]),
        (("plan", "runs", 0, "task"), "another"),
        (("plan", "facts", 0, "n_train"), 0),
        (("plan", "times", 0, "milliseconds"), -0.5),
        (("plan", "times", 0, "fleets", 0, "lanes"), -1),
        (("reference",), "nobody"),
        (("workers",), 0),
    ],
)
def test_a_spec_with_impossible_values_is_refused_before_anything_is_read_or_trained(folder, where, value):
    spec = json.loads((folder / "study.json").read_text())
    *path, last = where
    part = spec
    for key in path:
        part = part[key]
    part[last] = value
    for name in ("study.json.copy", "study.json.sha256"):  # as its maker would
        (folder / name).unlink()
    (folder / "study.json").write_text(json.dumps(spec))
    for look_ in (read, Store.open):
        with pytest.raises(StudyFolderError, match=r"study\.json (is damaged|asks for what cannot be)"):
            look_(folder)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "9" * 5000])
def test_what_is_not_a_number_of_json_is_refused(folder, text):
    for name in ("study.json.copy", "study.json.sha256"):
        (folder / name).unlink()
    change(folder, '"decades": 4.0', f'"decades": {text}')
    with pytest.raises(StudyFolderError, match=r"study\.json"):
        read(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("rate", 0.0), ("rate", "fast"), ("seed", -1), ("outcome", "sleeping"), ("stage", "stage"), ("lane", -2),
        ("valid_metric", "high"), ("steps", 0), ("shard", "../../etc/passwd"), ("task", "another"),
    ],
)  # fmt: skip
def test_rows_with_impossible_values_are_refused(folder, column, value):
    """Of a database without checksums, as older versions left it, so that nothing else speaks against them."""
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(f"UPDATE result SET {column} = ? WHERE rowid = 1", (value,))
    database.close()
    turn_back(folder / "study.db", 3)
    with pytest.raises(StudyFolderError, match="is damaged"):
        read(folder)
