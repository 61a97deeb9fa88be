"""Runs a job, which is plain JSON, and writes its result files. Executors call nothing else of the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from steepest.codegen.toolchain import unavailable_reason
from steepest.engine import fleet, solo
from steepest.engine.calibrate import Candidate, first_fleet, step_time
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.object_registry import EMPTY_REGISTRY, ObjectRegistry
from steepest.engine.probes import probe
from steepest.engine.random_sources import preserved_generators
from steepest.errors import BadInput, BadSetting
from steepest.ingest.load import resolve
from steepest.records.contender import Contender
from steepest.records.files import compiled_note, write_json, write_probes, write_trace
from steepest.records.outcomes import Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check
from steepest.tasks.task import Task
from steepest.tasks.with_factors import varied

__all__ = ["ObjectRegistry", "run_job"]

Job = Mapping[str, Any]
ENGINES = {"fleet": fleet.train, "solo": solo.train}


def run_job(
    job: Job,
    folder: Path,
    registry: ObjectRegistry | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> None:
    """Run a job: describe a task, compile its programs, time a contender's steps, or train or probe the trials of a
    shard.

    Writes FOLDER/facts/<id>.json, FOLDER/curves/<id>.npz or FOLDER/probes/<id>.npz, the same bytes for the same job,
    times excepted. `registry` holds what lives in memory only; `progress` hears the share that is done. Raises
    SteepestError for bad input, and whatever a user's model raises.
    """
    registry = registry or EMPTY_REGISTRY
    with _job_conditions():
        match job.get("kind"):
            case "describe":
                write_json(folder / "facts" / f"{job['id']}.json", asdict(_describe(job, registry)))
            case "time":
                write_json(folder / "facts" / f"{job['id']}.json", asdict(_time(job, registry)))
            case "compile":
                write_json(folder / "facts" / f"{job['id']}.json", _compile(job, registry))
            case "train":
                write_trace(folder / "curves" / f"{job['id']}.npz", _train(job, registry, progress))
            case "probe":
                write_probes(folder / "probes" / f"{job['id']}.npz", _probe(job, registry, progress))
            case other:
                raise BadInput(
                    f"There is no job of kind {other!r}: it must be describe, compile, time, train or probe."
                )


def _describe(job: Job, registry: ObjectRegistry) -> TaskFacts:
    ref = TaskRef(**job["task"])
    task = resolve(ref, registry.tasks)
    check(task)
    return replace(
        task.facts(ref.name), fleet_obstacle=unsupported_reason(task), compiler_obstacle=str(unavailable_reason())
    )


def _time(job: Job, registry: ObjectRegistry) -> StepTime:
    shard = _timing_shard(job)
    _check_device(shard.device)
    candidates = [Candidate(**{**each, "compiled": tuple(each["compiled"])}) for each in job["candidates"]]
    return step_time(_task(shard, registry), shard, candidates, registry)


def _compile(job: Job, registry: ObjectRegistry) -> dict[str, Any]:
    """Compile the libraries that a contender's fleets will load; returns the time and what could not be compiled."""
    began = perf_counter()
    shard = replace(_timing_shard(job), compiled=tuple(job["compiled"]))
    fleet = first_fleet(_task(shard, registry), shard, job["lanes"], registry)
    found = {"seconds": perf_counter() - began, "refused": fleet.refused}
    if not fleet.refused and shard.task.source != "memory":  # its key does not identify the task
        write_json(compiled_note(job), found)
    return found


def _timing_shard(job: Job) -> Shard:
    """A shard to time a contender: only its first steps will be run."""
    contender = Contender.from_json(job["contender"])
    return Shard(
        id=job["id"],
        task=TaskRef(**job["task"]),
        contender=contender,
        lanes=(Lane(contender.centre, seed=0),),
        batch_size=job["batch_size"],
        steps=sys.maxsize,  # timing never gets there
        evaluate_at=(sys.maxsize,),
        dtype=job["dtype"],
        device=job["device"],
    )


def _train(job: Job, registry: ObjectRegistry, progress: Callable[[float], None]) -> Trace:
    shard = Shard.from_json(job["shard"])
    _check_device(shard.device)
    return ENGINES[shard.engine](_task(shard, registry), shard, registry, progress)


def _task(shard: Shard, registry: ObjectRegistry) -> Task:
    """The task as the shard's contender trains it."""
    return varied(resolve(shard.task, registry.tasks), shard.contender.axes)


def _probe(job: Job, registry: ObjectRegistry, progress: Callable[[float], None]) -> ProbeTrace:
    shard = Shard.from_json(job["shard"])
    _check_device(shard.device)
    return probe(_task(shard, registry), shard, registry, progress)


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise BadSetting(
            f"The device {device!r} cannot be used: {reason}. Use cpu, or a device that is here."
        ) from None


@contextmanager
def _job_conditions() -> Iterator[None]:
    """The same conditions for every job; the caller's are restored afterwards.

    One thread, since there is one process per core. Denormal numbers are flushed to zero: moments that decay would
    otherwise stay denormal, where a square root takes 25 times as long.
    """
    threads, flushed = torch.get_num_threads(), sys.float_info.min / 2 == 0.0
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with preserved_generators():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushed)
