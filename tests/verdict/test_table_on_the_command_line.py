"""`steepest verdict --csv`: a table in, words or JSON out; whatever is wrong is one sentence and exit code 2."""

import json

import pytest

from steepest.cli.main import main

TABLE = "optimizer,seed,value\n" + "\n".join(
    f"{name},{seed},{level + 0.01 * (seed % 3)}" for name, level in (("a", 0.9), ("b", 0.8)) for seed in range(6)
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(TABLE)
    return str(path)


def test_a_table_gets_a_verdict_in_words_and_tables(table, capsys):
    main(["verdict", "--csv", table, "--metric", "accuracy"])
    words = capsys.readouterr().out
    assert words.startswith("the table: use a.\n  - It reaches 91.0 % accuracy (mean over 6 seeds).\n")
    assert "behind best" in words
    assert "→ 1  a" in words
    assert "To reproduce" not in words


def test_a_table_gets_json_and_the_direction_and_the_margin_that_are_asked_for(table, capsys):
    main(["verdict", "--csv", table, "--lower-is-better", "--margin", "0.5", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["tasks"][0]["best"] == "b"
    assert found["tasks"][0]["ties"] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--csv", "{table}"], "--higher-is-better"),
        (["--csv", "nowhere.csv"], "cannot be read"),
        (["--csv", "{folder}"], "cannot be read"),
        (["runs/x", "--csv", "{table}"], "not both"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, table, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["verdict", *(each.format(table=table, folder=tmp_path) for each in arguments)])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_a_table_that_is_not_text_is_an_error(tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(SystemExit):
        main(["verdict", "--csv", str(path)])
    assert "UTF-8" in capsys.readouterr().err
