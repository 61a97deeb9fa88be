"""A study as TensorBoard reads it: a run a trial, with its curves as scalars and its settings as hyperparameters."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from steepest.records.contender import Contender
from steepest.records.outcomes import Result, Trace
from steepest.records.study_record import StudyRecord
from steepest.report.optional import extra

CURVES = ("train_loss", "valid_loss", "valid_metric")


def write_events(study: StudyRecord, traces: Mapping[str, Trace], folder: Path) -> int:
    """Event files below `folder`, one a trial, and how many there are. Raises BadSetting where tensorboardX is missing.

    Values are raw; a diverged trial's curves end where it ended.
    """
    writer = _library("event_file_writer").EventsWriter
    contenders = {contender.name: contender for contender in study.contenders}
    for i, result in enumerate(study.results):
        place = folder / _run_name(i, result)
        place.mkdir(parents=True, exist_ok=True)
        events = writer(str(place / "events"))
        try:
            for step, summary in _summaries(result, traces.get(result.shard), contenders[result.contender]):
                events.write_event(_library("proto.event_pb2").Event(wall_time=time.time(), step=step, summary=summary))
        finally:
            events.close()
    return len(study.results)


def _library(part: str) -> Any:
    return extra(f"tensorboardX.{part}", "TensorBoard's format", "tensorboard")


def _run_name(i: int, result: Result) -> str:
    """A path that no name can leave, and that no two trials share."""
    words = (result.task, result.contender, f"{result.rate:.3g}", f"seed{result.seed}", str(i))
    return "-".join(re.sub(r"[^A-Za-z0-9_.=+]+", "_", word)[:40].strip(".") or "x" for word in words)


def _summaries(result: Result, trace: Trace | None, contender: Contender) -> Iterator[tuple[int, Any]]:
    """(step, summary): the curves, the settings, and what the trial came to."""
    scalar = _library("summary").scalar
    if trace is not None:
        for name in CURVES:
            for step, value in zip(trace.evaluate_at, getattr(trace, name)[result.lane], strict=True):
                if math.isfinite(value):
                    yield int(step), scalar(name, float(value))
    settings = {
        **contender.settings,
        "task": result.task,
        "optimizer": result.contender,
        "rate": result.rate,
        "seed": result.seed,
        "batch_size": result.batch_size,
        "steps": result.steps,
        "schedule": contender.schedule,
        "outcome": str(result.outcome),
    }
    clean = {_safe(key): _safe(value) if isinstance(value, str) else value for key, value in settings.items()}
    metrics = {"final/valid_metric": result.valid_metric, "final/test_metric": result.test_metric}
    known = {name: value for name, value in metrics.items() if value is not None and math.isfinite(value)}
    yield from ((0, part) for part in _library("summary").hparams(clean, known))
    yield from ((result.outcome_step, scalar(name, value)) for name, value in known.items())


def _safe(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
