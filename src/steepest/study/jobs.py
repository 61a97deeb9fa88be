"""The jobs that a study hands to its executor, as plain JSON, and the files that come back from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steepest import errors
from steepest.errors import BadSetting, StudyFolderError, TrialFailed
from steepest.messages import Message
from steepest.records.contender import RULE_IN_MEMORY, TORCH_IN_MEMORY, Contender
from steepest.records.files import compiled_note, read_json, time_note, write_json
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Compiled, Shard
from steepest.study import migration
from steepest.study.environment import hardware, versions
from steepest.study.executors import Event, Job
from steepest.study.planner import fingerprint, slug
from steepest.study.spec import StudySpec

MIN_CORE_SHARE = 0.95
"""Share of a core that a timing must have had to be believed later."""


def describe(task: TaskRef) -> Job:
    """Find out about a task: writes its TaskFacts."""
    return {"kind": "describe", "id": _id(task, {}), "task": asdict(task)}


def time(
    spec: StudySpec, task: TaskRef, contender: Contender, batch_size: int, candidates: Sequence[Mapping[str, Any]]
) -> Job:
    """Measure the steps of a contender alone, and in fleets of these kinds: writes its StepTime.

    A candidate has `lanes`, and may have a `width` and what is `compiled`.
    """
    how = _how(spec, batch_size) | {"candidates": [{"width": 0, "compiled": [], **each} for each in candidates]}
    name = _id(task, {"kind": "time", **how, **_what(contender)}, contender.rule)
    return {"kind": "time", "id": name, "task": asdict(task), "contender": asdict(contender), **how}


def compile(spec: StudySpec, task: TaskRef, contender: Contender, batch_size: int, lanes: int, part: Compiled) -> Job:
    """Make a library that fleets of a contender will load: writes what was refused.

    The job's id is the library's, as far as a planner can know it: a gradient is the same for all contenders.
    """
    how = _how(spec, batch_size) | {"lanes": lanes, "compiled": [part]}
    same: dict[str, Any] = {"kind": "compile", **how, "versions": versions()}
    if contender.axes:  # another task, to all intents
        same["axes"] = dict(contender.axes)
    name = _id(task, {**same, **_what(contender)}, contender.rule) if part == "update" else _id(task, same, part)
    return {"kind": "compile", "id": name, "task": asdict(task), "contender": asdict(contender), **how}


def _how(spec: StudySpec, batch_size: int) -> dict[str, Any]:
    return {"batch_size": batch_size, "dtype": spec.dtype, "device": spec.device}


def _what(contender: Contender) -> dict[str, Any]:
    what: dict[str, Any] = {"rule": contender.rule, "settings": dict(contender.settings)}
    what["schedule"] = contender.schedule
    return what | ({"axes": dict(contender.axes)} if contender.axes else {})


def _id(task: TaskRef, what: Mapping[str, Any], *words: str) -> str:
    """The same for the same question, under whatever names the study asks it."""
    where: dict[str, Any] = {"source": task.source, "locator": task.locator, "digest": task.digest}
    if task.options:
        where["options"] = dict(task.options)
    return f"{slug(Path(task.locator).stem, *words)}-{fingerprint(where | dict(what))}"


def is_compiled(job: Job) -> bool:
    """Whether this machine has done such a compilation before, as far as a note in the cache can tell."""
    return compiled_note(job).exists()


def remembered_time(job: Job) -> StepTime | None:
    """What came of a timing when an earlier study had it done, on this machine and with these versions."""
    with suppress(StudyFolderError):
        return None if _is_in_memory(job) else read_time(_time_note(job))
    return None


def remember_time(job: Job, time: StepTime) -> None:
    """Keep what came of a timing for later studies, unless it was disturbed; a cache that cannot be written to is done
    without."""
    if not _is_in_memory(job) and time.share >= MIN_CORE_SHARE:
        with suppress(OSError):
            write_json(_time_note(job), asdict(time))


def _time_note(job: Job) -> Path:
    return time_note(f"{job['id']}-{fingerprint({'versions': versions(), 'hardware': hardware()})}")


def _is_in_memory(job: Job) -> bool:
    """Whether the job's id does not say all of what it is about."""
    in_memory = (RULE_IN_MEMORY, TORCH_IN_MEMORY)
    return job["task"]["source"] == "memory" or job["contender"]["rule"].startswith(in_memory)


def train(shard: Shard) -> Job:
    """Train the trials of a shard: writes their Trace."""
    return {"kind": "train", "id": shard.id, "shard": shard.to_json()}


def facts_path(folder: Path, job: Job) -> Path:
    """Where what a worker found out or measured is put."""
    return folder / "facts" / f"{job['id']}.json"


def read_facts(path: Path) -> TaskFacts:
    """Raises StudyFolderError if the file is missing or damaged."""
    found = migration.facts(read_json(path))
    try:
        notes = tuple(map(Message.from_json, found.get("notes", ())))
        obstacle = Message.from_json(found["fleet_obstacle"])
        return TaskFacts(**{**found, "luck": tuple(found["luck"]), "notes": notes, "fleet_obstacle": obstacle})
    except (TypeError, KeyError) as error:
        raise StudyFolderError(f"{path} is damaged: {error}.") from None


def read_time(path: Path) -> StepTime:
    """Raises StudyFolderError if the file is missing or damaged."""
    try:
        return StepTime.from_json(read_json(path))
    except (TypeError, KeyError) as error:
        raise StudyFolderError(f"{path} is damaged: {error}.") from None


def failure(event: Event, folder: Path) -> errors.SteepestError:
    """The exception that a worker met, as the coordinator raises it: its own kind where that is one of ours."""
    message = str(event.message)
    if event.kind == "full":  # also where the error of a model is told in a sentence of ours
        return BadSetting(
            f"Memory ran out at {event.id}, with a single model. Give more with --memory, or take a smaller batch or "
            "model."
        )
    kind = getattr(errors, event.error, None)
    if isinstance(kind, type) and issubclass(kind, errors.SteepestError):
        return kind(message)
    if event.kind == "lost":
        return TrialFailed(f"{message.rstrip('.')}. Perhaps memory ran out; see {folder / 'logs'}.")
    return TrialFailed(f"{event.id} failed with {event.error}: {message.rstrip('.')}. See {folder / 'logs'}.")
