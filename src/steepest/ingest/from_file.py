"""A task from a user's file, without code: a table, texts, images or arrays. Its notes state how the file was read.

Workers rebuild the task from the path, the hash of its content and the options, so that a study can be resumed.
"""

import io
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from steepest.builtin.models import mlp
from steepest.errors import BadSetting, BadTask, first_line
from steepest.ingest import choices, picture_folders, spreadsheets, targets
from steepest.ingest.parts_by import PartsBy
from steepest.ingest.picture_folders import DEFAULT_SIDE_PIXELS, network_task
from steepest.ingest.table_task import TableTask, read_table, table_task
from steepest.ingest.targets import Origin, check_kind
from steepest.ingest.text_columns import text_task
from steepest.messages import Message, say
from steepest.records.bounded import read_file
from steepest.records.task_facts import TaskRef
from steepest.tasks.task import Task

TABLES = frozenset({".csv", ".tsv", ".txt", ".parquet", ".pq"})
OF_TABLES = ("target", "text", "kind", "columns", "group", "time", "folds", "split")


def reference(
    path: Path | str,
    *,
    target: str | None = None,
    text: str | None = None,
    kind: str | None = None,
    size: int | None = None,
    columns: Mapping[str, str | Sequence[str]] | Path | str | None = None,
    group: str | None = None,
    time: str | None = None,
    folds: str | None = None,
    split: str | None = None,
) -> TaskRef:
    """The reference by which workers find the task in a file or folder: its path, hash and options.

    `target` is the column to predict and `text` a text column to predict it from. `kind` is "classification" or
    "regression"; inferred if None. `columns` says how columns are read, such as {"age": "category", "price":
    ["number:de", "missing:-1"]}, or names a file that --columns-out wrote. `group` is a column whose rows stay in one
    part, `time` a column of times by which the last rows are validation and test, `folds` a column of folds; `split` is
    "random" or "stratified". `size` is the width and height of images in pixels. Raises BadTask or BadSetting.
    """
    path = Path(path).expanduser().resolve()
    words = {"target": target, "text": text, "kind": kind, "size": None if size is None else str(size)}
    words |= {"group": group, "time": time, "folds": folds, "split": split}
    options = {name: value for name, value in words.items() if value is not None}
    if columns is not None:
        chosen = choices.read_file(Path(columns)) if isinstance(columns, Path | str) else choices.from_mapping(columns)
        options["columns"] = json.dumps({name: choice.words() for name, choice in chosen.items()}, ensure_ascii=False)
    what = _what(path)
    allowed = {"table": OF_TABLES, "arrays": ("kind",), "pictures": ("size",)}[what]
    if what == "table" and text is not None:
        allowed = OF_TABLES[:4]
    if refused := [name for name in options if name not in allowed]:
        read_as = "texts" if "text" in options else "a table" if what == "table" else what
        raise BadSetting(
            f"--{'column' if refused[0] == 'columns' else refused[0]} does not apply to {path}, which is read as "
            f"{read_as}. Leave it out."
        )
    if what == "table" and target is None:
        raise BadSetting(f"{path} is a table and needs a column to predict. Name it: --target COLUMN.")
    check_kind(options.get("kind", ""))
    PartsBy.of(options)
    if size is not None and not 8 <= size <= 512:
        raise BadSetting(f"--size is {size}; it must be 8 to 512 pixels.")
    return TaskRef(path.stem, "data", str(path), digest(path), options)


def chosen_columns(file: Path | None, options: Sequence[str] | None) -> dict[str, tuple[str, ...]] | None:
    """The choices in a file and those of options such as age=category, which take precedence; None without any."""
    chosen = choices.read_file(file) if file else {}
    for name, choice in choices.from_options(options or ()).items():
        chosen[name] = chosen.get(name, choices.Choice()).with_more(choice)
    return {name: choice.words() for name, choice in chosen.items()} or None


def columns_file(ref: TaskRef) -> str:
    """How the columns of a table are read, as a file for `columns`. Raises BadSetting for anything but a table."""
    task = resolve(ref)
    if not isinstance(task, TableTask):
        raise BadSetting(
            f"--columns-out does not apply to {ref.locator}, which has no columns to choose. Leave it out."
        )
    return choices.written(task.choices, Path(ref.locator).name)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all images in a folder."""
    return picture_folders.digest(path) if path.is_dir() else sha256(_bytes(path)).hexdigest()


def resolve(ref: TaskRef) -> Task:
    """The task of a reference, built once in each process. Raises BadTask if the file has changed."""
    return _made(ref.locator, ref.digest, tuple(sorted(ref.options.items())))


def reading_notes(ref: TaskRef) -> tuple[Message, ...]:
    """How a file is read: the notes of its task, the sizes of its parts and the length of training."""
    task = resolve(ref)
    how = say(
        "{train:,} training, {valid:,} validation and {test:,} test examples; batch size {batch}, {epochs:.3g} epochs "
        "({steps:,} steps).",
        **task.sizes,
        batch=task.batch_size,
        epochs=task.epochs,
        steps=task.steps,
    )
    return (*task.remarks, how)


@lru_cache(maxsize=8)
def _made(locator: str, expected: str, options: tuple[tuple[str, str], ...]) -> Task:
    path, given = Path(locator), dict(options)
    what = _what(path)
    content = b"" if what == "pictures" else _bytes(path)  # read once, so that the hash is that of the data used
    if expected != (sha256(content).hexdigest() if content else digest(path)):
        raise BadTask(f"{path} has changed since the study began. Restore its content, or start a new study.")
    title = f"{path.name}: {given['target']}" if what == "table" else path.name
    origin = Origin(path.stem, title, f"your own {path.name} (sha256 {expected[:12]} …)")
    kind = check_kind(given.get("kind", ""))
    if what == "pictures":
        return picture_folders.picture_task(path, int(given.get("size", DEFAULT_SIDE_PIXELS)), origin)
    if what == "arrays":
        return _of_arrays(path, content, given, origin)
    sheet = spreadsheets.read(path, content)
    chosen = choices.from_mapping(json.loads(given.get("columns", "{}")))
    if text := given.get("text"):
        return text_task(sheet, text, given["target"], kind, origin, chosen)
    table = read_table(sheet, given["target"], kind, chosen, PartsBy.of(given))
    del content, sheet  # may be large
    return table_task(table, origin)


def _what(path: Path) -> str:
    if path.is_dir():
        return "pictures"
    if not path.exists():
        raise BadTask(f"There is no file or folder {path}.")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return "arrays"
    if suffix in TABLES:
        return "table"
    hint = " Save the sheet as CSV." if suffix in (".xlsx", ".xls", ".ods") else ""
    raise BadTask(
        f"Unsupported file type: {path.name}. Supported: .csv, .tsv, .parquet, .npz, or a folder of images.{hint}"
    )


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path, most=None)
    except OSError as error:
        raise BadTask(f"{path} cannot be read: {error.strerror or error}.") from None


# ---- arrays ----------------------------------------------------------------------------------------------------------

ARRAY_NAMES = {"data": ("x", "y")} | {part: (f"x_{part}", f"y_{part}") for part in ("train", "valid", "test")}


def _of_arrays(path: Path, content: bytes, given: Mapping[str, str], origin: Origin) -> Task:
    """The task of an .npz with x and y, or with x_train, y_train, x_test, y_test. Raises BadTask."""
    parts = _parts(path, content)
    notes = [
        say("{part}: x {x}, y {y}.", part=part, x=f"{list(x.shape)} {x.dtype}", y=f"{list(y.shape)} {y.dtype}")
        for part, (x, y) in parts.items()
    ]
    first = next(iter(parts.values()))
    whole = np.concatenate([y for _, y in parts.values()])
    cells = [f"{value:.17g}" if whole.dtype.kind in "biuf" else str(value) for value in whole]
    counted = targets.target("y", cells, check_kind(given.get("kind", "")))
    if not counted.has_target.all():
        bad = int((~counted.has_target).sum())
        raise BadTask(f"{path}: y contains {bad} non-finite {'value' if bad == 1 else 'values'}. Remove such rows.")
    notes += counted.notes
    if counted.labels and whole.dtype.kind in "US":
        ends = np.cumsum([len(y) for _, y in parts.values()])[:-1]
        split = np.split(counted.values, ends)
        parts = {part: (x, y) for (part, (x, _)), y in zip(parts.items(), split, strict=True)}
    elif counted.labels:
        labels = np.array(sorted(map(float, counted.labels)))  # classes are numbered by the order of their labels
        parts = {part: (x, np.searchsorted(labels, y)) for part, (x, y) in parts.items()}
    else:
        parts = {part: (x, y.astype(np.float64)[:, None]) for part, (x, y) in parts.items()}
    targets.require_examples(path.name, len(whole))
    classes = len(counted.labels)
    if first[0].ndim > 2:
        shaped = {part: (_channels_first(x), y) for part, (x, y) in parts.items()}
        _, colours, height, width = next(iter(shaped.values()))[0].shape
        notes.append(
            say(
                "Images of {height} × {width} pixels with {colours} channels; bytes v are scaled as (v − 128) / 64.",
                height=height,
                width=width,
                colours=colours,
            )
        )
        return network_task(shaped, colours, height, width, classes, origin, notes)
    inputs, outputs = first[0].shape[1], classes or 1
    notes += [
        say("Columns are standardized with mean and standard deviation of each replicate's training part."),
        targets.mlp_note(inputs, 64, 64, outputs),
    ]
    return origin.task(
        Task,
        classes,
        targets.training_length(len(first[0])),
        notes,
        model=partial(mlp, (inputs, 64, 64, outputs)),
        **{part: (x.astype(np.float64), y) for part, (x, y) in parts.items()},
        standardize="inputs" if classes else "both",
    )


def _parts(path: Path, content: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part → (x, y) of plain numbers; no code in the file is run."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name.lower(): stored[name] for name in stored.files}
    except Exception as error:  # zipfile, zlib and NumPy raise their own exceptions
        raise BadTask(f"{path} cannot be read as .npz of plain arrays: {first_line(error)}.") from None
    parts = {part: (arrays[x], arrays[y]) for part, (x, y) in ARRAY_NAMES.items() if x in arrays and y in arrays}
    parts = {"data": parts["data"]} if "data" in parts else parts
    if not parts or ("data" not in parts and "train" not in parts):
        raise BadTask(
            f"{path} contains the arrays {', '.join(arrays)}. It needs arrays x and y, or x_train, y_train, x_test and "
            "y_test."
        )
    for part, (x, y) in parts.items():
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if x.dtype.kind not in "biuf" or y.dtype.kind not in "biufUS":
            raise BadTask(f"{path}: x and y of {part} are {x.dtype} and {y.dtype}; they must be numbers.")
        if y.ndim == 2 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all():
            raise BadTask(f"{path}: y of {part} contains one-hot rows. Store class numbers, such as y.argmax(1).")
        if x.ndim not in (2, 3, 4) or y.ndim != 1:
            raise BadTask(
                f"{path}: x and y of {part} have the shapes {list(x.shape)} and {list(y.shape)}. x must have one row "
                "of numbers or one image per example, y one number. For other shapes write a task file: steepest init."
            )
        if len(x) != len(y):
            raise BadTask(f"{path}: x and y of {part} have different lengths, {len(x)} and {len(y)}.")
        parts[part] = (x, y)
    return parts


def _channels_first(x: np.ndarray) -> np.ndarray:
    """Images [n, H, W], [n, H, W, C] or [n, C, H, W] as [n, C, H, W]; bytes are scaled, other numbers unchanged."""
    x = (x.astype(np.float32) - 128) / 64 if x.dtype == np.uint8 else x.astype(np.float32)
    if x.ndim == 3:
        return x[:, None]
    return x.transpose(0, 3, 1, 2) if x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4) else x
