"""What this machine offers and what is missing, each finding with its remedy. Loads torch, since it asks torch."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from steepest.optim.compiler import compiler, obstacle
from steepest.study.surroundings import cores, hardware, versions
from steepest.tasks import sources


def examine() -> dict[str, Any]:
    """Versions, hardware, and a list of checks: {"what", "ok", "finding"}, the finding with its remedy if not ok."""
    return {
        "versions": versions() | {"cuda": torch.version.cuda or "none"},
        "hardware": hardware(),
        "checks": [_workers(), _folder(), _compiler(), _parquet(), *_data_sets()],
    }


def _workers() -> dict[str, Any]:
    count = cores()
    forks = sys.platform.startswith("linux")
    finding = f"{count} worker{'s' if count > 1 else ''} of one thread each"
    return _check(
        "workers", True, finding if forks else f"{finding}; tasks passed as Python objects train in the calling process"
    )


def _folder() -> dict[str, Any]:
    writable = os.access(Path.cwd(), os.W_OK)
    return _check(
        "study folders",
        writable,
        "runs/ here" if writable else f"{Path.cwd()} is not writable: name a folder with --out",
    )


def _compiler() -> dict[str, Any]:
    reason = obstacle()
    finding = f"{reason}; trials are trained without compiled programs" if reason else str(compiler())
    return _check("C++ compiler", not reason, finding)


def _parquet() -> dict[str, Any]:
    found = find_spec("pyarrow") is not None
    return _check("Parquet", found, "pyarrow" if found else "pyarrow is missing: pip install 'steepest[data]'")


def _data_sets() -> list[dict[str, Any]]:
    rows = []
    for name in sources.datasets():
        here = sources.show(name)["here"]
        rows.append(_check(f"data: {name}", True, "here" if here else f"not here yet: steepest data fetch {name}"))
    return rows


def _check(what: str, ok: bool, finding: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "finding": finding}
