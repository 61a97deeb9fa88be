"""Runs a job and writes its result files. Executors call nothing else of the engine."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter

import torch

from steepest.checks.all_checks import warnings_about
from steepest.codegen.toolchain import unavailable_reason
from steepest.engine import fleet, parallel, solo
from steepest.engine.calibrate import first_fleet, step_time
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.object_registry import EMPTY_REGISTRY, ObjectRegistry
from steepest.engine.probes import probe
from steepest.engine.random_sources import preserved_generators
from steepest.engine.task_content import code_digest, data_digest, is_plain, model_digest
from steepest.errors import BadSetting, first_line
from steepest.ingest.load import resolve
from steepest.records.files import write_checked, write_json, write_probes, write_trace
from steepest.records.job_records import CompileJob, CompileResult, DescribeJob, Job, ProbeJob, TimeJob, TrainJob
from steepest.records.private_cache import compiled_note
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check
from steepest.tasks.task import Task
from steepest.tasks.with_factors import with_factors

__all__ = ["ObjectRegistry", "job_conditions", "run_job"]

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
    SteepestError for bad input, and any exception of a user's model.
    """
    registry = registry or EMPTY_REGISTRY
    facts = folder / "facts" / f"{job.id}.json"
    with job_conditions():
        match job:
            case DescribeJob():
                write_checked(facts, asdict(_describe(job, registry)))
            case TimeJob():
                write_checked(facts, asdict(_time(job, registry)))
            case CompileJob():
                write_checked(facts, asdict(_compile(job, registry)))
            case TrainJob():
                engine = parallel.train if job.shard.parallel else ENGINES[job.shard.engine]
                found = engine(_task(job.shard, registry), job.shard, registry, progress)
                write_trace(folder / "curves" / f"{job.id}.npz", found)
            case ProbeJob():
                seen = probe(_task(job.shard, registry), job.shard, registry, progress)
                write_probes(folder / "probes" / f"{job.id}.npz", seen)


def _describe(job: DescribeJob, registry: ObjectRegistry) -> TaskFacts:
    task = resolve(job.task, registry.tasks)
    check(task)
    facts = task.facts(job.task.name)
    return replace(
        facts,
        fleet_obstacle=unsupported_reason(task),
        compiler_obstacle=str(unavailable_reason()),
        warnings=warnings_about(task),
        data_digest=data_digest(task),
        model_digest=model_digest(task),
        code_digest=code_digest(),
        plain_lanes=is_plain(task),
    )


def _time(job: TimeJob, registry: ObjectRegistry) -> StepTime:
    shard = _timing_shard(job)
    if job.parallel:
        shard = replace(shard, engine="solo", parallel=job.parallel)
        return parallel.step_time(_task(shard, registry), shard, registry)
    return step_time(_task(shard, registry), shard, job.candidates, registry)


def _compile(job: CompileJob, registry: ObjectRegistry) -> CompileResult:
    """Compile the libraries that a contender's fleets will load."""
    began = perf_counter()
    shard = replace(_timing_shard(job), compiled=job.compiled)
    fleet = first_fleet(_task(shard, registry), shard, job.lanes, registry)
    found = CompileResult(perf_counter() - began, tuple(fleet.refused))
    if not found.refused and job.task.source != "memory":  # its key does not identify the task
        with suppress(OSError):  # without a note, the next study asks again
            write_json(compiled_note(job.id), asdict(found))
    return found


def _timing_shard(job: TimeJob | CompileJob) -> Shard:
    """A shard to time a contender: only its first steps will be run."""
    return Shard(
        id=job.id,
        task=job.task,
        contender=job.contender,
        lanes=(Lane(job.contender.centre, seed=0),),
        batch_size=job.batch_size,
        steps=sys.maxsize,  # timing never gets there
        evaluate_at=(sys.maxsize,),
        dtype=job.dtype,
        device=job.device,
    )


def _task(shard: Shard, registry: ObjectRegistry) -> Task:
    """The task as the shard's contender trains it, on a device that is there."""
    _check_device(shard.device)
    return with_factors(resolve(shard.task, registry.tasks), shard.contender.axes)


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadSetting(
            f"The device {device!r} cannot be used: {first_line(error)}. Use cpu or an available device."
        ) from None


@contextmanager
def job_conditions() -> Iterator[None]:
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
