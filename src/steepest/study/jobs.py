"""The jobs that a study hands to its executor, and the results that it reads back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from steepest import errors
from steepest.errors import BadSetting, StudyFolderError, TrialFailed
from steepest.records.contender import Contender
from steepest.records.files import read_checked, write_checked
from steepest.records.job_records import CompileJob, CompileResult, DescribeJob, FleetCandidate, TimeJob
from steepest.records.private_cache import compiled_note, time_note
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Compiled
from steepest.study import migration, spec_checks
from steepest.study.environment import hardware, versions
from steepest.study.executors import Event
from steepest.study.planner import fingerprint, slug
from steepest.study.spec import StudySpec

T = TypeVar("T")

MIN_CORE_SHARE = 0.95
"""A timing is kept for later studies only if it had at least this share of a core."""


def describe(task: TaskRef) -> DescribeJob:
    """Find out about a task."""
    return DescribeJob(_id(task, {}), task)


def time(
    spec: StudySpec, task: TaskRef, contender: Contender, batch_size: int, candidates: Sequence[FleetCandidate]
) -> TimeJob:
    """Time the steps of a contender alone, and in fleets of these kinds."""
    question = {
        "kind": TimeJob.kind,
        **_conditions(spec, batch_size),
        "candidates": [asdict(each) for each in candidates],
        **_training(contender),
    }
    return TimeJob(
        id=_id(task, question, contender.rule),
        task=task,
        contender=contender,
        batch_size=batch_size,
        dtype=spec.dtype,
        device=spec.device,
        candidates=tuple(candidates),
        parallel=spec.parallel,
    )


def compile(
    spec: StudySpec, task: TaskRef, contender: Contender, batch_size: int, lanes: int, part: Compiled
) -> CompileJob:
    """Compile a part of the step of a contender's fleets.

    The job's id is the library's, as far as a planner can know it: a gradient is the same for all contenders.
    """
    question: dict[str, object] = {
        "kind": CompileJob.kind,
        **_conditions(spec, batch_size),
        "lanes": lanes,
        "compiled": [part],
        "versions": versions(),
    }
    if contender.axes:  # with axes the task is another one
        question["axes"] = dict(contender.axes)
    if part == "update":
        name = _id(task, {**question, **_training(contender)}, contender.rule)
    else:
        name = _id(task, question, part)
    return CompileJob(
        id=name,
        task=task,
        contender=contender,
        batch_size=batch_size,
        dtype=spec.dtype,
        device=spec.device,
        lanes=lanes,
        compiled=(part,),
    )


def _conditions(spec: StudySpec, batch_size: int) -> dict[str, object]:
    found: dict[str, object] = {"batch_size": batch_size, "dtype": spec.dtype, "device": spec.device}
    return {**found, "parallel": spec.parallel} if spec.parallel else found


def _training(contender: Contender) -> dict[str, object]:
    """What decides how a contender trains, regardless of its name and rates."""
    found: dict[str, object] = {
        "rule": contender.rule,
        "settings": dict(contender.settings),
        "schedule": contender.schedule,
    }
    if contender.axes:
        found["axes"] = dict(contender.axes)
    return found


def _id(task: TaskRef, question: Mapping[str, object], *words: str) -> str:
    """The same for the same question, regardless of the names that a study gives."""
    where: dict[str, object] = {"source": task.source, "locator": task.locator, "digest": task.digest}
    if task.options:
        where["options"] = dict(task.options)
    return f"{slug(Path(task.locator).stem, *words)}-{fingerprint({**where, **question})}"


def is_compiled(job: CompileJob) -> bool:
    """Whether this machine has compiled this before, according to a note in the cache."""
    return compiled_note(job.id).exists()


def remembered_time(job: TimeJob) -> StepTime | None:
    """The result of the same timing in an earlier study, on this machine and with these versions."""
    with suppress(StudyFolderError):
        return None if _is_in_memory(job) else read_time(_time_note(job))
    return None


def remember_time(job: TimeJob, time: StepTime) -> None:
    """Keep the result of a timing for later studies, unless it was disturbed or the cache cannot be written."""
    if not _is_in_memory(job) and time.share >= MIN_CORE_SHARE:
        with suppress(OSError):
            write_checked(_time_note(job), asdict(time))


def _time_note(job: TimeJob) -> Path:
    return time_note(f"{job.id}-{fingerprint({'versions': versions(), 'hardware': hardware()})}")


def _is_in_memory(job: TimeJob) -> bool:
    """Whether the job's id does not say all of what it is about."""
    return job.task.source == "memory" or job.contender.is_in_memory


def facts_path(folder: Path, job: str) -> Path:
    """Where the result of a job with this id is written, unless it trains."""
    return folder / "facts" / f"{job}.json"


def read_facts(path: Path) -> TaskFacts:
    """Raises StudyFolderError if the file is missing or damaged, or holds values that no task has."""
    return _read(path, TaskFacts, spec_checks.problems_of_facts)


def read_time(path: Path) -> StepTime:
    """Raises StudyFolderError if the file is missing or damaged, or holds times that no step takes."""
    return _read(path, StepTime, spec_checks.problems_of_time)


def read_compilation(path: Path) -> CompileResult:
    """Raises StudyFolderError if the file is missing or damaged."""
    return _read(path, CompileResult, lambda _: ())


def _read(path: Path, kind: type[T], problems: Callable[[T], Iterable[str]]) -> T:
    stored = read_checked(path)
    try:
        found: T = _adapter(kind).validate_python(migration.facts(stored) if kind is TaskFacts else stored)
    except ValidationError as error:
        first = error.errors()[0]
        raise StudyFolderError(f"{path} is damaged at {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    for problem in problems(found):
        raise StudyFolderError(f"{path} has an impossible {problem}.")
    return found


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def failure(event: Event, folder: Path) -> errors.SteepestError:
    """The exception that a worker met, as the coordinator raises it: its own kind where that is one of ours."""
    message = str(event.message)
    if event.kind == "full":  # also where the model's error is one of our own
        return BadSetting(
            f"Memory ran out at {event.id}, with a single model. Give more with --memory, or take a smaller batch or "
            "model."
        )
    kind = getattr(errors, event.error, None)
    if isinstance(kind, type) and issubclass(kind, errors.SteepestError):
        return kind(message)
    if event.kind == "hung":
        return TrialFailed(f"{message.rstrip('.')}. See {folder / 'logs'}.")
    if event.kind == "lost":
        return TrialFailed(f"{message.rstrip('.')}. Perhaps memory ran out; see {folder / 'logs'}.")
    return TrialFailed(f"{event.id} failed with {event.error}: {message.rstrip('.')}. See {folder / 'logs'}.")
