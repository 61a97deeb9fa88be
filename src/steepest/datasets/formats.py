"""Readers from the bytes of published files to arrays, one for each format.

Separate from the table of data sets, so that readers can be tested on a few rows. A reader takes the files in the order
of the table, changes no value and drops nothing; it may raise any exception for bytes of another format.
"""

import ast
import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Files = Sequence[bytes]
Reader = Callable[[Files], Arrays]


# ---- images ----------------------------------------------------------------------------------------------------------


def digits(files: Files) -> Arrays:
    """Rows of 64 pixels 0 … 16 and the digit, as comma-separated numbers."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(files[0])), delimiter=",", dtype=np.int64)
    return {"x": table[:, :64].astype(np.uint8), "y": table[:, 64]}


def idx_images(files: Files) -> Arrays:
    """Training images and labels, then test images and labels, as MNIST was first published: x [N, 28, 28] uint8."""
    x, y, x_test, y_test = map(idx, files)
    if len(x) != len(y) or len(x_test) != len(y_test):
        raise ValueError("the numbers of images and labels differ")
    return {"x": x, "y": y, "x_test": x_test, "y_test": y_test}


def idx(file: bytes) -> np.ndarray:
    """One array of bytes in the IDX format, gzipped or not: magic 0 0 8 ndim, big-endian sizes, values."""
    raw = gzip.decompress(file) if file[:2] == b"\x1f\x8b" else file
    zero, kind, ndim = raw[:2], raw[2], raw[3]
    if zero != b"\0\0" or kind != 8:
        raise ValueError("not an IDX file of unsigned bytes")
    shape = np.frombuffer(raw, ">u4", count=ndim, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()


# ---- tables ----------------------------------------------------------------------------------------------------------


def housing(files: Files) -> Arrays:
    """Eight features and the price, in columns of those names."""
    table = _parquet(files[0])
    features = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]
    return {"x": np.column_stack([table[name] for name in features]), "y": table["MedHouseVal"]}


ADULT_NUMBERS = ("age", "fnlwgt", "educational-num", "capital-gain", "capital-loss", "hours-per-week")
ADULT_CATEGORIES = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "gender",
    "native-country",
)


def adult(files: Files) -> Arrays:
    """Numbers [N, 6], categories [N, 8] as indices into each column's sorted names, and whether the income is above
    50,000 dollars. `names` holds the category names: one line per column, separated by tabs.
    """
    table = _parquet(files[0])
    columns = [np.unique(table[name].astype(str), return_inverse=True) for name in ADULT_CATEGORIES]
    return {
        "numbers": np.column_stack([table[name] for name in ADULT_NUMBERS]).astype(np.int32),
        "categories": np.column_stack([codes for _, codes in columns]).astype(np.uint8),
        "names": text("\t".join(names) for names, _ in columns),
        "y": (table["income"].astype(str) == ">50K").astype(np.uint8),
    }


def ratings_table(files: Files) -> Arrays:
    """Ratings below a header line: `user \\t item \\t rating \\t time`."""
    table = np.loadtxt(io.BytesIO(files[0]), delimiter="\t", skiprows=1, dtype=np.int64)
    return _ratings(*table.T)


def ratings_lines(files: Files) -> Arrays:
    """The same without a header, as first published."""
    return _ratings(*np.loadtxt(io.BytesIO(files[0]), delimiter="\t", dtype=np.int64).T)


def ratings_parquet(files: Files) -> Arrays:
    """The same, as Parquet."""
    table = _parquet(files[0])
    return _ratings(*(table[name] for name in ("user_id", "movie_id", "rating", "timestamp")))


def _ratings(user: np.ndarray, item: np.ndarray, rating: np.ndarray, time: np.ndarray) -> Arrays:
    return {
        "user": user.astype(np.int32),
        "item": item.astype(np.int32),
        "rating": rating.astype(np.uint8),
        "time": time.astype(np.int64),
    }


def _parquet(file: bytes) -> dict[str, np.ndarray]:
    from pyarrow import parquet  # an extra, and slow to load

    table: Any = parquet.read_table(io.BytesIO(file))
    return {name: table[name].to_numpy() for name in table.column_names}


def literal_series(files: Files) -> Arrays:
    """A series written as a literal `np.array([…])` in a Python file, which is parsed and not run."""
    for node in ast.walk(ast.parse(files[0])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "array":
            return {"y": np.asarray(ast.literal_eval(node.args[0]), dtype=np.float64)}
    raise ValueError("no series in this file")


# ---- texts -----------------------------------------------------------------------------------------------------------


def text(lines: Iterable[str]) -> np.ndarray:
    """Texts without line breaks as one array of bytes: UTF-8, one line per text."""
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8).copy()


def lines(array: np.ndarray) -> list[str]:
    """The inverse of `text`."""
    return array.tobytes().decode().split("\n")


def newsgroups(files: Files) -> Arrays:
    """Training and test posts: three header lines each, then `group \\t words`; groups in alphabetical order."""
    parts = [[line.split("\t", 1) for line in file.decode().splitlines()[3:] if line] for file in files]
    groups = sorted({group for part in parts for group, _ in part})
    arrays: dict[str, np.ndarray] = {"groups": text(groups)}
    for suffix, part in zip(("", "_test"), parts, strict=True):
        arrays[f"text{suffix}"] = text(words for _, words in part)
        arrays[f"y{suffix}"] = np.array([groups.index(group) for group, _ in part], dtype=np.uint8)
    return arrays


def snippets(files: Files) -> Arrays:
    """`number \\t score \\t sentence`, in an archive inside the package; scores −4 … 4."""
    with tarfile.open(fileobj=io.BytesIO(files[0])) as archive:
        member = archive.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        if member is None:
            raise ValueError("no such file in the archive")
        rows = [line.split("\t", 2) for line in member.read().decode().splitlines() if line]
    return {"text": text(words for _, _, words in rows), "score": np.array([float(score) for _, score, _ in rows])}


def two_classes(files: Files) -> Arrays:
    """One text per line: a file of negative texts, then a file of positive ones."""
    parts = [[line for line in file.decode().split("\n") if line] for file in files]
    y = np.repeat(np.arange(2, dtype=np.uint8), [len(part) for part in parts])
    return {"text": text(line for part in parts for line in part), "y": y}


def plays(files: Files) -> Arrays:
    """Plays in Markdown, one file each, joined by form feeds. Markup and trailing blanks are removed."""
    plain = [re.sub(r"[ \t]+$", "", re.sub(r"[*#_]+", "", file.decode()), flags=re.MULTILINE) for file in files]
    joined = "\f".join(re.sub(r"\n{3,}", "\n\n", play).strip() + "\n" for play in plain)
    return {"text": np.frombuffer(joined.encode(), dtype=np.uint8).copy()}


def poems(files: Files) -> Arrays:
    """Poems in JSON, as objects with a list of `paragraphs`: one poem per line."""
    found = [poem for file in files for poem in json.loads(file)]
    return {"text": text("".join(poem["paragraphs"]).replace("\n", "") for poem in found)}
