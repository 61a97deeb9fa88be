"""Checks this machine: what it has, what is missing, and how to fix it. Loads torch to ask for its version."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from steepest.cli import listings
from steepest.cli.shared import Json, print_json, study_folder
from steepest.clusters.engines_here import ray_version, slurm_nodes
from steepest.codegen.toolchain import compiler, unavailable_reason
from steepest.datasets import sources
from steepest.errors import StudyFolderError
from steepest.messages import Message, counted, say, verbatim
from steepest.records.node_records import read_nodes
from steepest.records.private_cache import private_folder
from steepest.study import trial_cache
from steepest.study.environment import cores, hardware, versions

Findings = dict[str, Any]
"""As JSON."""


def doctor(*, json: Json = False) -> None:
    findings = examine()
    print_json(findings) if json else print(listings.doctor(findings))


def examine() -> Findings:
    """Versions, hardware, and checks: {"what", "ok", "finding"}. If a check is not ok, its finding names the remedy."""
    return {
        "versions": versions() | {"cuda": torch.version.cuda or "none"},
        "hardware": hardware(),
        "checks": [
            *(_workers(), _folder(), _compiler(), _parquet(), _trials(), _slurm(), _ray()),
            *_nodes(),
            *_data_sets(),
        ],
    }


def _workers() -> Findings:
    count = cores()
    forks = sys.platform.startswith("linux")
    finding = say("{workers}, one thread each", workers=counted(count, "{n:,} worker", "{n:,} workers"))
    here = say("{finding}; tasks passed as Python objects are trained in the calling process", finding=finding)
    return _check(say("workers"), True, finding if forks else here)


def _folder() -> Findings:
    writable = os.access(Path.cwd(), os.W_OK)
    here = say("runs/ in the current folder")
    remedy = say("{place} is not writable. Give another folder with --out.", place=str(Path.cwd()))
    return _check(say("study folders"), writable, here if writable else remedy)


def _compiler() -> Findings:
    reason, found = unavailable_reason(), str(compiler())
    without = say("{reason}; trials are trained without compiled programs", reason=reason)
    return _check(say("C++ compiler"), not reason, without if reason else verbatim(found))


def _parquet() -> Findings:
    found = find_spec("pyarrow") is not None
    remedy = say("pyarrow is not installed: pip install 'steepest[data]'")
    return _check(say("Parquet"), found, say("pyarrow") if found else remedy)


def _trials() -> Findings:
    held = say(
        "{size:.1f} of at most {most:.0f} MB in {place}",
        size=trial_cache.size() / 1e6,
        most=trial_cache.MAX_BYTES / 1e6,
        place=str(private_folder("trials")),
    )
    off = say("{held}; not used, since STEEPEST_REUSE is 0", held=held)
    return _check(say("trials to use again"), True, held if trial_cache.is_wanted(None) else off)


def _slurm() -> Findings:
    states = slurm_nodes()
    if states is None:
        return _check(verbatim("Slurm"), True, say("not installed here; start a study for it on a login node"))
    if not states:
        return _check(verbatim("Slurm"), False, say("installed, but no answer: sinfo says why"))
    listed = ", ".join(f"{count} {state}" for state, count in states.most_common())
    nodes = counted(states.total(), "{n:,} node", "{n:,} nodes")
    return _check(verbatim("Slurm"), True, say("{nodes}: {states}", nodes=nodes, states=listed))


def _ray() -> Findings:
    found = ray_version()
    remedy = say("not installed: pip install 'steepest[ray]'")
    return _check(verbatim("Ray"), True, verbatim(found) if found else remedy)


def _nodes() -> list[Findings]:
    """Of the newest study, where it ran on other machines."""
    try:
        folder = study_folder(None)
    except StudyFolderError:
        return []
    return [
        _check(
            say("node {name} of {folder}", name=node.node, folder=str(folder)),
            True,
            say(
                "{now}, {done:,} done, {lost:,} lost",
                now=counted(round(node.underway), "{n:,} job now", "{n:,} jobs now"),
                done=round(node.done),
                lost=round(node.lost),
            ),
        )
        for node in read_nodes(folder)
    ]


def _data_sets() -> list[Findings]:
    rows = []
    for name in sources.datasets():
        remedy = say("not downloaded yet: steepest data fetch {name}", name=name)
        here = say("available") if sources.show(name)["here"] else remedy
        rows.append(_check(say("data: {name}", name=name), True, here))
    return rows


def _check(what: Message, ok: bool, finding: Message) -> Findings:
    return {"what": what, "ok": ok, "finding": finding}
