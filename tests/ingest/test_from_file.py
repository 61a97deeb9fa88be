"""Files of anyone's: damage of twelve kinds and more gives the right sentence or the right result."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ingest.command import steepest
from PIL import Image

from steepest.errors import BadInput, BadSetting, BadTask
from steepest.ingest import from_file
from steepest.ingest.load import resolve
from steepest.ingest.number_columns import number_table
from steepest.ingest.picture_folders import _opened
from steepest.tasks.check import check

ROWS = 60


def rows(count: int = ROWS) -> list[list[str]]:
    """A number, a category and a target that both of them tell."""
    draw = np.random.default_rng(0)
    table = []
    for _ in range(count):
        x, colour = draw.normal(), str(draw.choice(["red", "green", "blue"]))
        table.append([f"{x:.3f}", colour, "yes" if x + (colour == "red") > 0.3 else "no"])
    return table


def written(
    path: Path, header: list[str], table: list[list[str]], encoding: str = "utf-8", separator: str = ","
) -> Path:
    text = "\r\n".join(separator.join(cells) for cells in [header, *table]) + "\r\n"
    path.write_bytes(text.encode(encoding))
    return path


def sound(tmp_path: Path, **how) -> Path:
    return written(tmp_path / "table.csv", ["size", "colour", "bought"], rows(), **how)


def made(path: Path, target: str | None = "bought", **options) -> SimpleNamespace:
    """The task made of a file, and what is told of it, of which there is as much in Chinese."""
    task = resolve(from_file.reference(path, target=target, **options))
    assert all(note.render("zh") != str(note) for note in task.remarks)
    return SimpleNamespace(task=task, notes=[*map(str, task.remarks)])


def told(path: Path, target: str | None = "bought", **options) -> str:
    """The one sentence, or the few, that a file is refused with."""
    with pytest.raises(BadInput) as caught:
        made(path, target, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_sound_table_becomes_a_task_that_trains(tmp_path):
    task, notes = (found := made(sound(tmp_path))).task, found.notes
    check(task)
    assert task.sizes == {"train": 42, "valid": 9, "test": 9}
    assert [column.shape for column in task.splits(0).inputs] == [(60, 1), (60, 1)]
    assert any("2 classes ('yes' " in note and "classification" in note for note in notes)


def test_a_target_of_many_numbers_is_a_regression_and_kind_overrules(tmp_path):
    table = [[colour, answer, size] for size, colour, answer in rows()]
    path = written(tmp_path / "t.csv", ["colour", "bought", "size"], table)
    assert made(path, "size").task.quality.name == "R²"
    few = written(tmp_path / "few.csv", ["a", "b"], [[str(i / 7), str(i % 4)] for i in range(60)])
    assert made(few, "b").task.quality.name == "accuracy"
    check(made(few, "b", kind="regression").task)
    assert made(few, "b", kind="regression").task.quality.name == "R²"


def test_1_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "e.csv").write_bytes(b" \n\n")
    assert "is empty" in told(tmp_path / "e.csv")


def test_2_a_header_without_rows_is_an_error(tmp_path):
    assert "no rows below" in told(written(tmp_path / "h.csv", ["a", "bought"], []))


def test_3_the_error_of_a_wrong_target_lists_the_columns(tmp_path):
    assert "no column 'price'. Columns: size, colour, bought." in told(sound(tmp_path), "price")
    assert "Did you mean 'bought'?" in told(sound(tmp_path), "Bought")
    assert "--target COLUMN" in told(sound(tmp_path), None)


def test_4_a_column_without_values_is_left_out(tmp_path):
    path = written(tmp_path / "m.csv", ["none", "size", "bought"], [["NA", x, y] for x, _, y in rows()])
    assert "Left out (no values): 'none'." in made(path).notes
    assert "has no values" in told(path, "none")


def test_5_a_column_of_numbers_with_some_words_in_it_is_numbers_with_gaps(tmp_path):
    table = [[x, y] for x, _, y in rows()]
    table[7][0], table[9][0] = "oops", "12 cm"
    found = made(written(tmp_path / "x.csv", ["size", "bought"], table))
    assert any("2 cells are not a number ('oops', '12 cm')" in note for note in found.notes)
    _, marks = found.task.splits(0).inputs
    assert marks[:, 0].nonzero().flatten().tolist() == [7, 9]
    check(found.task)


def test_6_a_single_class_is_an_error(tmp_path):
    table = [[x, colour, "yes"] for x, colour, _ in rows()]
    assert "'yes' in every row" in told(written(tmp_path / "one.csv", ["a", "b", "bought"], table))


def test_7_a_single_row_is_an_error(tmp_path):
    table = [["1.5", "red", "yes"], ["2.5", "red", "no"]]
    assert "2 usable examples; training, validation and test need at least 20" in told(
        written(tmp_path / "r.csv", ["a", "b", "bought"], table)
    )
    assert "in every row" in told(written(tmp_path / "r1.csv", ["a", "b", "bought"], table[:1]))


def test_8_a_huge_number_of_categories_is_bounded_or_left_out(tmp_path):
    many = [[f"c{i // 3}", x, y] for i, (x, _, y) in enumerate(rows(3600))]
    found = made(written(tmp_path / "c.csv", ["code", "size", "bought"], many))
    assert any("1200 categories; the 200 rarest are merged into one" in note for note in found.notes)
    assert found.task.splits(0).inputs[1].max() == 1000
    names = [[f"customer {i}", x, y] for i, (x, _, y) in enumerate(rows())]
    found = made(written(tmp_path / "n.csv", ["who", "size", "bought"], names))
    assert "Left out (row names: too many different texts): 'who'." in found.notes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_9_a_byte_order_mark_is_not_part_of_the_first_name(encoding, tmp_path):
    table = [[c, x, y] for x, c, y in rows()]
    path = written(tmp_path / "b.csv", ["bought", "size", "y"], table, encoding=encoding)
    assert made(path).task.sizes["train"] == 42


@pytest.mark.parametrize(
    ("encoding", "words", "said"),
    [("gbk", ("很好", "不好"), "GB 18030"), ("latin-1", ("très élevé", "bas"), "Windows-1252")],
)
def test_10_other_encodings_are_recognized(encoding, words, said, tmp_path):
    table = [[x, words[y == "no"]] for x, _, y in rows()]
    found = made(written(tmp_path / "enc.csv", ["size", "bought"], table, encoding=encoding))
    assert said in found.notes[0]
    assert any(words[0] in note for note in found.notes)


def test_11_columns_of_one_name_are_numbered_but_not_a_target(tmp_path):
    path = written(tmp_path / "d.csv", ["size", "size", "bought"], [[x, f"{float(x) ** 2}", y] for x, _, y in rows()])
    assert made(path).task.splits(0).inputs[0].shape == (60, 2)
    assert "Several columns are named 'size'" in told(path, "size")


def test_12_formulas_are_text_and_never_run(tmp_path):
    table = [[x, '=HYPERLINK("http://x";"y")' if i % 2 else "=1+1", y] for i, (x, _, y) in enumerate(rows())]
    table = [[x, '"' + f.replace('"', '""') + '"', y] for x, f, y in table]
    found = made(written(tmp_path / "f.csv", ["size", "link", "bought"], table))
    assert any("60 cells are a spreadsheet formula; read as text, never evaluated" in note for note in found.notes)
    assert found.task.splits(0).inputs[1].unique().tolist() == [0, 1]


def test_a_file_that_is_not_a_table_is_an_error(tmp_path):
    book = tmp_path / "book.csv"
    book.write_bytes(b"PK\x03\x04" + bytes(100))
    assert "is a workbook" in told(book)
    (tmp_path / "x.csv").write_bytes(bytes(range(256)) * 10)
    assert "is not a text file" in told(tmp_path / "x.csv")
    assert "Save the sheet as CSV" in told(written(tmp_path / "x.xlsx", ["a"], []))
    assert "There is no file" in told(tmp_path / "nowhere.csv")
    numbers = written(tmp_path / "bare.csv", ["1", "2"], [["3", "4"]] * 30)
    assert "Add a line of column names above it" in told(numbers, "2")


def test_ragged_rows_are_left_out_and_too_many_of_them_are_an_error(tmp_path):
    table = [*rows(), ["1.0", "red"]]
    assert any(
        "row 62; left out" in note for note in made(written(tmp_path / "a.csv", ["a", "b", "bought"], table)).notes
    )
    assert "is damaged" in told(written(tmp_path / "b.csv", ["a", "b", "bought"], [*rows(), *[["1"]] * 20]))


def test_separators_decimal_commas_and_signs_are_understood(tmp_path):
    table = [[x.replace(".", ","), f"$1,{2 * i:03d}", y] for i, (x, _, y) in enumerate(rows())]
    found = made(written(tmp_path / "e.csv", ["size", "paid", "bought"], table, separator=";"))
    assert any("decimal point" in note for note in found.notes)
    numbers = found.task.splits(0).inputs[0]
    assert numbers[:, 0].tolist() == pytest.approx([float(x) for x, _, _ in rows()])
    assert numbers[5, 1] == 1010


def test_dates_become_days_and_places_in_year_and_week(tmp_path):
    table = [[f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024", x, y] for i, (x, _, y) in enumerate(rows())]
    found = made(written(tmp_path / "d.csv", ["day", "size", "bought"], table))
    assert any("dates as day/month/year" in note for note in found.notes)
    assert found.task.splits(0).inputs[0].shape[1] == 6


def test_rows_that_are_there_twice_count_once(tmp_path):
    found = made(written(tmp_path / "t.csv", ["a", "b", "bought"], [*rows(), *rows()[:5]]))
    assert any("5 of 65 rows repeat earlier ones; duplicates removed" in note for note in found.notes)
    assert sum(found.task.sizes.values()) == 60


def test_numbers_are_scaled_by_the_training_part_of_the_seed_alone(tmp_path):
    task = made(sound(tmp_path)).task
    for seed in (0, 1):
        splits = task.splits(seed)
        own = splits.inputs[0][splits.train].numpy()
        assert splits.scaling.input_shift.numpy() == pytest.approx(np.median(own, axis=0))
    assert task.splits(0).scaling.input_shift != task.splits(1).scaling.input_shift


def test_a_parquet_table_is_read_like_its_csv(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = dict(zip(["size", "colour", "bought"], zip(*rows(), strict=True), strict=True))
    sizes = [float(x) for x in columns["size"]]
    parquet.write_table(pyarrow.table({**columns, "size": sizes, "lists": [[1]] * ROWS}), tmp_path / "t.parquet")
    found = made(tmp_path / "t.parquet")
    assert any("'lists (list<" in note for note in found.notes)
    a, b = found.task.splits(0), made(sound(tmp_path)).task.splits(0)
    assert all(x.equal(y) for x, y in zip(a.inputs, b.inputs, strict=True))


def test_lines_above_the_column_names_are_skipped(tmp_path):
    path = sound(tmp_path)
    path.write_bytes(b"sep=,\r\n# made by a tool\r\n" + path.read_bytes())
    assert made(path).notes[0] == "2 lines above the column names skipped."


def test_classes_that_differ_in_capitals_alone_are_one(tmp_path):
    table = [[x, (y, y.upper())[i % 2]] for i, (x, _, y) in enumerate(rows())]
    found = made(written(tmp_path / "c.csv", ["size", "bought"], table))
    assert any("only in case are merged" in note for note in found.notes)
    assert any("2 classes" in note for note in found.notes)


def test_a_column_that_determines_the_target_is_reported(tmp_path):
    table = [[x, c, f"{y} as told later", y] for x, c, y in rows()]
    found = made(written(tmp_path / "l.csv", ["size", "colour", "after", "bought"], table)).task.found
    assert [(each.id, each.severity) for each in found] == [("target-leak", "severe")]
    assert "after" in str(found[0].message)
    table = [[x, c, f"{2 * float(x) + 1:.3f}"] for x, c, _ in rows()]
    found = made(written(tmp_path / "n.csv", ["size", "colour", "bought"], table)).task.found
    assert [each.id for each in found] == ["target-leak"]
    assert "size" in str(found[0].message)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1 234 567.5", 1234567.5), ("1'234", 1234), ("(12.50)", -12.5), ("($1,000)", -1000), ("¥88", 88), ("-3e2", -300)],
)
def test_numbers_are_read_as_people_write_them(cell, number):
    assert number_table("", {cell: 1}).values == {cell: number}


def test_times_of_the_day_go_round(tmp_path):
    table = [[f"{i % 24:02d}:{i % 60:02d}", x, y] for i, (x, _, y) in enumerate(rows())]
    found = made(written(tmp_path / "t.csv", ["at", "size", "bought"], table))
    assert any("hour:minute" in note for note in found.notes)
    assert found.task.splits(0).inputs[0].shape == (60, 4)


def test_numbers_far_from_zero_keep_their_differences(tmp_path):
    table = [[f"{17 * 10**17 + i * 10**9}", x, y] for i, (x, _, y) in enumerate(rows())]
    task = made(written(tmp_path / "far.csv", ["nanoseconds", "size", "bought"], table)).task
    assert len(task.splits(0).inputs[0][:, 0].unique()) == 60


# ---- texts, pictures, arrays -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("good", "bad", "filler", "said"),
    [
        ("a good film", "a bad film", ["it was", "we saw", "she liked", "nobody"], "words"),
        ("很好的电影", "不好的电影", ["我们", "昨天", "他们", "今天"], "characters"),
    ],
)
def test_texts_are_read_by_word_or_by_character(good, bad, filler, said, tmp_path):
    draw = np.random.default_rng(0)
    table = []
    for i in range(60):
        words = " ".join(draw.choice(filler, 4))
        table.append([f"{words} {(good, bad)[i % 2]} {i}", str(i % 2)])
    found = made(written(tmp_path / "r.csv", ["review", "stars"], table), "stars", text="review")
    assert any(f"cut into {said}" in note for note in found.notes)
    check(found.task)


def test_texts_that_are_there_twice_count_once_however_many(tmp_path):
    table = [[f"one of many words {i}", str(i % 2)] for i in range(40)]
    found = made(written(tmp_path / "r.csv", ["review", "stars"], [*table, *table]), "stars", text="review")
    assert "40 of 80 texts repeat an earlier one; duplicates removed." in found.notes
    assert sum(found.task.sizes.values()) == 40


def test_wrong_arguments_for_texts_are_an_error(tmp_path):
    path = sound(tmp_path)
    assert "no column 'review'" in told(path, text="review")
    assert "Both --text and --target" in told(path, text="bought")
    with pytest.raises(BadSetting, match="Unknown kind 'classes'"):
        from_file.reference(path, target="bought", kind="classes")
    with pytest.raises(BadSetting, match=r"--size does not apply to .*, which is read as a table"):
        from_file.reference(path, target="bought", size=32)


def pictures(folder: Path, count: int = 15) -> Path:
    draw = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 190)):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            values = draw.integers(level - 50, level + 50, (20, 30, 3)).astype(np.uint8)
            Image.fromarray(values).save(folder / label / f"{i}.png")
    return folder


def test_a_folder_of_pictures_becomes_a_task_that_trains(tmp_path):
    folder = pictures(tmp_path / "lights")
    (folder / "dark" / "torn.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "dark" / "again.png").write_bytes((folder / "dark" / "3.png").read_bytes())
    found = made(folder, None, size=16)
    check(found.task)
    assert found.task.splits(0).inputs[0].shape == (30, 3, 16, 16)
    assert any("Left out, cannot be read (1): 'torn.jpg'" in note for note in found.notes)
    assert any("Identical copies" in note for note in found.notes)


def test_pictures_of_16_bits_keep_their_shades_and_transparent_ones_lie_on_white(tmp_path):
    deep = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    mode, pixels = _opened(tmp_path / "deep.png", 16)
    assert mode.startswith("I")
    assert pixels[0].tolist() == np.arange(256).reshape(16, 16).tolist()
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (_opened(tmp_path / "clear.png", 16)[1] == 255).all()


def test_folders_called_train_and_test_are_the_parts(tmp_path):
    pictures(tmp_path / "lights" / "train", 20)
    pictures(tmp_path / "lights" / "test", 5)
    (tmp_path / "lights" / "test" / "dark" / "9.png").write_bytes(b"")
    found = made(tmp_path / "lights", None)
    assert found.task.sizes["train"] == 34
    assert any("test/ is the test part" in note for note in found.notes)


def test_a_folder_without_two_classes_is_an_error(tmp_path):
    (tmp_path / "none").mkdir()
    assert "at least two, one for each class" in told(tmp_path / "none", None)


@pytest.mark.parametrize("shape", [(60, 4), (60, 12, 12), (60, 12, 12, 3), (60, 3, 12, 12)])
def test_arrays_become_a_task_that_trains(shape, tmp_path):
    draw = np.random.default_rng(0)
    x = draw.integers(0, 255, shape).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(60) % 3 + 5)
    found = made(tmp_path / "a.npz", None)
    check(found.task)
    assert found.task.splits(0).targets.unique().tolist() == [0, 1, 2]
    if len(shape) == 2:
        np.savez(tmp_path / "b.npz", x=x, y=x[:, 0] * 1.5)
        check(made(tmp_path / "b.npz", None).task)


def test_unusable_arrays_are_an_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, z=np.zeros(3))
    assert "needs arrays x and y" in told(path, None)
    np.savez(path, x=np.array([{}]), y=np.zeros(1))
    assert "cannot be read as .npz of plain arrays" in told(path, None)
    path.write_bytes(b"no zip")
    assert "cannot be read as .npz" in told(path, None)
    np.savez(path, x=np.zeros((30, 2)), y=np.eye(30))
    assert "one-hot rows" in told(path, None)
    np.savez(path, x=np.random.default_rng(0).normal(size=(30, 2)), y=np.array(["a", "b", "b"] * 10))
    assert made(path, None).task.splits(0).targets.tolist() == [1, 0, 0] * 10
    np.savez(path, x=np.zeros((30, 2)), y=np.zeros(29))
    assert "different lengths, 30 and 29" in told(path, None)


# ---- workers ---------------------------------------------------------------------------------------------------------


def test_a_file_that_has_changed_is_refused(tmp_path):
    path = sound(tmp_path)
    ref = from_file.reference(path, target="bought")
    assert resolve(ref).sizes["test"] == 9
    from_file._made.cache_clear()
    path.write_bytes(path.read_bytes() + b"0.1,red,no\r\n")
    with pytest.raises(BadTask, match=r"table.csv has changed since the study began"):
        resolve(ref)


@pytest.mark.slow
def test_a_study_of_a_file_says_what_it_assumes_and_is_resumed_only_on_the_same_file(tmp_path, capsys):
    path, study = sound(tmp_path), tmp_path / "study"
    words = ("-o", "sgd", "--rates", "0.1", "--seeds", "2", "--workers", "1", "--engine", "fleet", "-q")
    assert steepest("run", "--data", str(path), "--target", "bought", *words, "--out", str(study)) == 0
    told = capsys.readouterr().out
    assert "2 classes ('yes' " in told.split("\n\n")[0]
    assert "table.csv: bought" in told
    for curve in (study / "curves").glob("*.npz"):
        curve.unlink()
    path.write_bytes(path.read_bytes() + b"0.1,red,no\r\n")
    assert steepest("resume", str(study), "-q") == 2
    refused = capsys.readouterr().err
    assert refused.count("\n") == 1
    assert "has changed since the study began" in refused


def test_wrong_words_on_the_command_line_get_one_sentence(tmp_path, capsys):
    path = sound(tmp_path)
    for words, said in (
        (["check", "--target", "bought"], "--target needs a data file: give one with --data."),
        (["check", "--data", str(path)], "needs a column to predict"),
        (["check", "--data", str(path), "--target", "x"], "There is no column 'x'"),
    ):
        assert steepest(*words) == 2
        assert said in capsys.readouterr().err
