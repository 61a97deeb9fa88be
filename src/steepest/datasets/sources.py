"""Data sets on this machine: looked for in the cache, in installed packages, and then fetched; checked by their content
whatever way they came. Whatever is missing is told, never replaced by made-up data. Loads no torch.

The cache is $STEEPEST_CACHE, or steepest/ in $XDG_CACHE_HOME or ~/.cache. $STEEPEST_OFFLINE=1 forbids the download.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from steepest.datasets.formats import Arrays, Files
from steepest.datasets.packages import Carrier, Refused, downloaded, handed, installed
from steepest.datasets.published import DATASETS, DataSet, dataset, digest, missing_reader
from steepest.errors import DataUnavailable
from steepest.messages import say, shown, term
from steepest.records.files import cache_folder, write_bytes


def datasets() -> tuple[str, ...]:
    """The names of all data sets."""
    return tuple(row.name for row in DATASETS)


def show(name: str) -> dict[str, Any]:
    """What there is to know of a data set, and whether it is here: plain values, and messages where people read words.

    Raises UnknownName.
    """
    row = dataset(name)
    first = row.carriers[0]
    return {
        "name": row.name,
        "title": term(row.title),
        "examples": row.examples,
        "shape": term(row.shape),
        "target": term(row.target),
        "licence": row.licence,
        "notice": row.notice,
        "package": first.release,
        "instead": [carrier.release for carrier in row.carriers[1:]],
        "member": list(first.members),
        "megabytes": first.megabytes,
        "needs": first.needs,
        "here": is_here(name),
        "where": say("the installed {package}", package=first.package) if row.is_bundled else str(_path(row)),
    }


def is_here(name: str) -> bool:
    """Whether a data set can be had without a download, by the look of it. Raises UnknownName."""
    row = dataset(name)
    return row.is_bundled or _path(row).exists()


def load(name: str) -> Arrays:
    """The arrays of a data set, fetched if they are not here. Raises UnknownName or DataUnavailable."""
    return load_row(dataset(name))


def fetch(name: str) -> None:
    """See to it that a data set is here and sound; say what is downloaded. Raises UnknownName or DataUnavailable."""
    load_row(dataset(name))


def load_row(row: DataSet) -> Arrays:
    """As `load`, for a row of the table."""
    if not row.is_bundled:
        return _cached(row) or _fetched(row)
    (carrier,) = row.carriers
    found = _sound(row, carrier, installed(carrier))
    if found is None:
        raise DataUnavailable(
            f"{row.title} is not in the installed {carrier.package} as it should be ({carrier.members[0]}); "
            f"install another release: pip install --force-reinstall '{carrier.package}'."
        )
    return found


def is_offline() -> bool:
    return os.environ.get("STEEPEST_OFFLINE", "0") not in ("", "0")


# ---- the cache -------------------------------------------------------------------------------------------------------


def _path(row: DataSet) -> Path:
    return cache_folder() / f"{row.name}-{row.content[:12]}.npz"


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
            "Name another with STEEPEST_CACHE."
        ) from None
    return arrays


# ---- ways to a data set ----------------------------------------------------------------------------------------------


def _found(row: DataSet) -> Arrays:
    """From an installed package, from a package file in the cache, or downloaded: whichever carrier comes first."""
    readable = [carrier for carrier in row.carriers if not missing_reader(carrier)]
    unread = [
        f"{carrier.package} cannot be read without {module}, which is not installed: pip install 'steepest[data]'"
        for carrier in row.carriers
        if (module := missing_reader(carrier))
    ]
    if not readable:
        raise DataUnavailable(f"{row.title}: {'; '.join(unread)}.")
    packages = cache_folder() / "packages"
    download = _announced(row, packages)
    ways = [
        *((carrier, installed) for carrier in readable),
        *((carrier, lambda carrier: handed(carrier, packages)) for carrier in readable),
        *((carrier, download) for carrier in readable if not is_offline()),
    ]
    damaged = ["its copy in the cache is damaged"] if _path(row).exists() else []
    refused = damaged + unread
    for carrier, way in ways:
        try:
            arrays = _sound(row, carrier, files := way(carrier))
        except Refused as reason:
            refused.append(str(reason))
            continue
        if arrays is not None:
            return arrays
        if files is not None:
            refused.append(f"{carrier.package} does not hold the data that it should, and nothing was taken from it")
    if is_offline():
        refused.append("STEEPEST_OFFLINE forbids to fetch it")
    files = " or ".join(carrier.file or " and ".join(file.name for file in carrier.web) for carrier in readable)
    raise DataUnavailable(
        f"{row.title}: {'; '.join(refused)}. "
        f"{'Unset that' if is_offline() else 'Look at the network'} and run `steepest data fetch {row.name}`, or put "
        f"{files} into {packages}."
    )


def _announced(row: DataSet, folder: Path) -> Any:
    """A download that says, before it begins, what is fetched and, once, on whose terms; what is half here is in
    `folder`."""
    terms = [say("\n  Licence: {licence}.\n  {notice}", licence=row.licence, notice=row.notice)]

    def way(carrier: Carrier) -> Files:
        what = say(
            "Fetching {title}: {release}, {size:g} MB.",
            title=term(row.title),
            release=carrier.release,
            size=carrier.megabytes,
        )
        print(shown(what) + (shown(terms.pop()) if terms else ""), file=sys.stderr)
        return downloaded(carrier, folder)

    return way


def _sound(row: DataSet, carrier: Carrier, files: Files | None) -> Arrays | None:
    """The arrays in these files, if there are any and their content is what it should be."""
    if files is None:
        return None
    try:
        arrays = carrier.read(files)
    except Exception:  # whatever a reader raises on bytes that are not its format
        return None
    return arrays if digest(arrays) == row.content else None
