"""A file of anyone's as a task, without code: a table, texts, pictures or arrays. What was made of it is told in notes.

Workers make the task anew from the path, its content's hash and the options, so that a study can be resumed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from steepest.builtin.models import mlp
from steepest.errors import BadSetting, BadTask
from steepest.ingest import picture_folders, spreadsheets, targets
from steepest.ingest.picture_folders import SIZE, network_task
from steepest.ingest.table_task import table_task
from steepest.ingest.targets import check_kind
from steepest.ingest.text_columns import text_task
from steepest.messages import Message, say
from steepest.records.task_facts import TaskRef
from steepest.tasks.task import Task

TABLES = frozenset({".csv", ".tsv", ".txt", ".parquet", ".pq"})
OPTIONS = ("target", "text", "kind", "size")


def reference(
    path: Path | str,
    *,
    target: str | None = None,
    text: str | None = None,
    kind: str | None = None,
    size: int | None = None,
) -> TaskRef:
    """How workers find the task in a file or folder: where it is, what it holds now, and what was said of it.

    `target` is the column to be told and `text` one of texts to tell it from; `kind` is "classification" or
    "regression", if it is not to be guessed; `size` is what pictures are brought to. Raises BadTask or BadSetting.
    """
    path = Path(path).expanduser().resolve()
    given = {"target": target, "text": text, "kind": kind, "size": None if size is None else str(size)}
    options = {name: value for name, value in given.items() if value is not None}
    what = _what(path)
    allowed = {"table": OPTIONS[:3], "arrays": ("kind",), "pictures": ("size",)}[what]
    if foreign := [name for name in options if name not in allowed]:
        raise BadSetting(f"{path} is read as {what}, which take no --{foreign[0]}: leave it out.")
    if what == "table" and target is None:
        raise BadSetting(f"Which column of {path} is to be told? Name it: --target COLUMN.")
    check_kind(options.get("kind", ""))
    if size is not None and not 8 <= size <= 512:
        raise BadSetting(f"--size is {size}; pictures are brought to 8 to 512 pixels a side.")
    return TaskRef(path.stem, "data", str(path), digest(path), options)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all pictures in a folder."""
    return picture_folders.digest(path) if path.is_dir() else sha256(_bytes(path)).hexdigest()


def resolve(ref: TaskRef) -> Task:
    """The task that a reference means, made once in each process; raises BadTask if the file is no longer what it
    was."""
    return _made(ref.locator, ref.digest, tuple(sorted(ref.options.items())))


def told(ref: TaskRef) -> tuple[Message, ...]:
    """What was made of a file: the notes of its task, and how long it trains on how much."""
    task = resolve(ref)
    how = say(
        "{train:,} examples to train on, {valid:,} to choose by, {test:,} to judge by; batches of {batch}, "
        "{epochs:.3g} epochs: {steps:,} steps.",
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
    content = b"" if what == "pictures" else _bytes(path)  # what is made is what was hashed
    if expected != (sha256(content).hexdigest() if content else digest(path)):
        raise BadTask(f"{path} has changed since this study began; put the old content back, or begin a new study.")
    about = {"name": path.stem, "source": f"your own {path.name} (sha256 {expected[:12]} …)"}
    kind = check_kind(given.get("kind", ""))
    if what == "pictures":
        return picture_folders.picture_task(path, int(given.get("size", SIZE)), **about, title=path.name)
    if what == "arrays":
        return _of_arrays(path, content, given, **about)
    sheet = spreadsheets.read(path, content)
    about["title"] = f"{path.name}: {given['target']}"
    if text := given.get("text"):
        return text_task(sheet, text, given["target"], kind, **about)
    return table_task(sheet, given["target"], kind, **about)


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
        f"{path.name} is no kind of file that is read here: give .csv, .tsv, .parquet, .npz, or a folder of pictures."
        f"{hint}"
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadTask(f"{path} cannot be read: {error.strerror or error}.") from None


# ---- arrays ----------------------------------------------------------------------------------------------------------

NAMES = {"data": ("x", "y")} | {part: (f"x_{part}", f"y_{part}") for part in ("train", "valid", "test")}


def _of_arrays(path: Path, content: bytes, given: Mapping[str, str], name: str, source: str) -> Task:
    """x and y of an .npz; or x_train, y_train, x_test, y_test. Raises BadTask."""
    parts = _parts(path, content)
    notes = [
        say(
            "{part}: x {x}, y {y}.",
            part=part,
            x=f"{list(x.shape)} {x.dtype}",
            y=f"{list(y.shape)} {y.dtype}",
        )
        for part, (x, y) in parts.items()
    ]
    first = next(iter(parts.values()))
    whole = np.concatenate([y for _, y in parts.values()])
    cells = [f"{value:.17g}" if whole.dtype.kind in "biuf" else str(value) for value in whole]
    counted = targets.target("y", cells, check_kind(given.get("kind", "")))
    if not counted.here.all():
        raise BadTask(f"{path}: y holds {int((~counted.here).sum())} values that are no finite number; remove them.")
    notes += counted.notes
    if counted.labels and whole.dtype.kind in "US":
        ends = np.cumsum([len(y) for _, y in parts.values()])[:-1]
        split = np.split(counted.values, ends)
        parts = {part: (x, y) for (part, (x, _)), y in zip(parts.items(), split, strict=True)}
    elif counted.labels:
        labels = np.array(sorted(map(float, counted.labels)))  # class numbers in order, whatever they are called
        parts = {part: (x, np.searchsorted(labels, y)) for part, (x, y) in parts.items()}
    else:
        parts = {part: (x, y.astype(np.float64)[:, None]) for part, (x, y) in parts.items()}
    targets.enough(path.name, len(whole))
    classes, title = len(counted.labels), path.name
    if first[0].ndim > 2:
        shaped = {part: (_channels_first(x), y) for part, (x, y) in parts.items()}
        _, colours, height, width = next(iter(shaped.values()))[0].shape
        notes.append(
            say(
                "Pictures of {height} × {width} with {colours} channels; bytes become (v − 128) / 64.",
                height=height,
                width=width,
                colours=colours,
            )
        )
        return network_task(shaped, colours, height, width, classes, name, title, source, notes)
    inputs, outputs = first[0].shape[1], classes or 1
    notes += [
        say(
            "Each column less its mean and by its deviation, both of a replicate's own training part.",
        ),
        targets.said_mlp(inputs, 64, 64, outputs),
    ]
    return Task(
        model=partial(mlp, (inputs, 64, 64, outputs)),
        **{part: (x.astype(np.float64), y) for part, (x, y) in parts.items()},
        **targets.loss_and_metric(classes),
        **targets.effort(len(first[0])),
        standardize="inputs" if classes else "both",
        name=name,
        title=title,
        source=source,
        notes=tuple(notes),
    )


def _parts(path: Path, content: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part → (x, y) of plain numbers; nothing in the file is run."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name.lower(): stored[name] for name in stored.files}
    except Exception as error:  # zipfile, zlib and NumPy each raise their own kinds
        first = (str(error).splitlines() or [""])[0].rstrip(".")
        raise BadTask(f"{path} cannot be read as .npz of plain arrays: {first}.") from None
    parts = {part: (arrays[x], arrays[y]) for part, (x, y) in NAMES.items() if x in arrays and y in arrays}
    parts = {"data": parts["data"]} if "data" in parts else parts
    if not parts or ("data" not in parts and "train" not in parts):
        raise BadTask(
            f"{path} needs arrays x and y, or x_train, y_train, x_test and y_test; it has {', '.join(arrays)}."
        )
    for part, (x, y) in parts.items():
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if x.dtype.kind not in "biuf" or y.dtype.kind not in "biufUS":
            raise BadTask(f"{path}: x and y of {part} must be numbers; they are {x.dtype} and {y.dtype}.")
        if y.ndim == 2 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all():
            raise BadTask(f"{path}: y of {part} are one-hot rows; store class numbers, such as y.argmax(1).")
        if x.ndim not in (2, 3, 4) or y.ndim != 1:
            raise BadTask(
                f"{path}: x of {part} must be a row of numbers or a picture for each example and y one number each; "
                f"their shapes are {list(x.shape)} and {list(y.shape)}. For others write a task file: steepest init."
            )
        if len(x) != len(y):
            raise BadTask(f"{path}: x and y of {part} have different lengths, {len(x)} and {len(y)}.")
        parts[part] = (x, y)
    return parts


def _channels_first(x: np.ndarray) -> np.ndarray:
    """Pictures [n, H, W], [n, H, W, C] or [n, C, H, W] as [n, C, H, W]; bytes are scaled, other numbers left alone."""
    x = (x.astype(np.float32) - 128) / 64 if x.dtype == np.uint8 else x.astype(np.float32)
    if x.ndim == 3:
        return x[:, None]
    return x.transpose(0, 3, 1, 2) if x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4) else x
