"""Drives a study: describe the tasks, time the steps, plan, then let protocol, executor and store do their parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from steepest.study.executors import Executor
from steepest.study.spec import Plan, StudySpec
from steepest.types import Progress, StudyRecord

Listener = Callable[[Progress], None]
"""Told whatever changes, and a few times a second besides, so that a clock can tick."""


def run(
    spec: StudySpec, folder: Path, executor: Executor, listener: Listener = lambda _: None, overwrite: bool = False
) -> StudyRecord:
    """Make the study in a new folder."""
    raise NotImplementedError


def resume(folder: Path, executor: Executor, listener: Listener = lambda _: None) -> StudyRecord:
    """Go on with the study in `folder`."""
    raise NotImplementedError


def forecast(spec: StudySpec, folder: Path, executor: Executor, listener: Listener = lambda _: None) -> Plan:
    """Describe and time, and train nothing."""
    raise NotImplementedError
