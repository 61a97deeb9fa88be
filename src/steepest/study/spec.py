"""The spec of a study, as `study.json` holds it: what was asked, and (once tasks are described and steps are timed) the
plan that follows from it. Strict: an unknown field is an error, so that a typo cannot go unnoticed.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steepest.errors import BadInput, BadSetting, StudyFolderError, UnknownName
from steepest.messages import Message
from steepest.records.contender import Contender
from steepest.records.limits import MAX_CONTENDERS, MAX_TASKS, MAX_TRIALS, MAX_WORKERS
from steepest.records.step_times import StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskFacts, TaskRef
from steepest.records.trials import Compiled, DtypeName, EngineName, Parallel
from steepest.study import migration
from steepest.study.database import DATABASE, newer
from steepest.study.environment import hardware, versions
from steepest.study.places import check_places
from steepest.study.protocol import BY_SEED, SEARCHES, check_contender, check_protocol, trials_of
from steepest.study.settings_search import RATES_ALONE
from steepest.study.spec_checks import check_plan
from steepest.study.spec_file import FORMAT, SPEC, is_newer, remedy, stored_spec


class FrozenModel(BaseModel):
    """A frozen value that takes no unknown field, down to the dataclasses inside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, revalidate_instances="always")


class TaskSpec(FrozenModel):
    """A task of a study: where to find it, and what its trials have in common when batch sizes differ."""

    ref: TaskRef
    equal: Literal["samples", "seconds"] = "samples"
    """Every contender sees as many examples, or trains for as long (alone, as measured), for any batch size."""
    epochs: float | None = None
    """Another horizon than the task's own, in passes over the training part."""


class RunPlan(FrozenModel):
    """All that the trials of one contender on one task have in common."""

    task: str
    contender: str
    engine: Literal["fleet", "solo"]
    width: int = 0
    """Lanes that a fleet trains at a time; 0 leaves it to the engine."""
    compiled: tuple[Compiled, ...] = ()
    """The parts of a fleet's step that are compiled."""
    batch_size: int
    steps: int
    evaluate_at: tuple[int, ...]
    lanes: int
    """Most trials in one shard of the grid."""
    extra_lanes: int
    """The same for refinement and extension, of which there are fewer trials to share out."""


class Growth(FrozenModel):
    """One extension of a study: when, how, and how large it was before."""

    created: str
    command: str
    seeds: int
    contenders: int
    tasks: int


class Plan(FrozenModel):
    """What will be run, recorded once, so that a resumed study cuts the same shards and counts the same trials."""

    protocol: StudyDesign
    """What is left of the protocol asked for within the budget."""
    facts: tuple[TaskFacts, ...]
    times: tuple[StepTime, ...]
    runs: tuple[RunPlan, ...]
    trials: int
    seconds: float
    """Forecast of the training, on all workers."""
    given_up: tuple[Message, ...] = ()
    resolution: float | None
    """Smallest difference that exceeds random variation, in standard deviations of a replicate; None for one seed."""


class StudySpec(FrozenModel):
    """A study as asked for."""

    format: int = FORMAT
    name: str
    command: str
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    tasks: tuple[TaskSpec, ...]
    contenders: tuple[Contender, ...]
    reference: str
    """Name of the contender that all others are also compared with."""
    baseline: str = ""
    """Name of the contender that is trained as its owner uses it: one trial a seed; "" for none."""
    baseline_tuned: str = ""
    """Name of the contender that is the same optimizer with its rate tuned."""
    accept: tuple[str, ...] = ()
    """Ids of the warnings that the user accepts."""
    protocol: StudyDesign = StudyDesign()
    search: str = BY_SEED
    """The law by which rates are placed. A study goes on with the one that it began with."""
    searches: dict[str, str] = Field(default_factory=dict)
    """How settings beyond the rate are searched → the version of that strategy, which asks the same again."""
    race: bool = False
    """Whether rates that are behind within their seed are stopped early: see `steepest.records.ranking.rungs`."""
    engine: EngineName = "auto"
    dtype: DtypeName = "float32"
    device: str = "cpu"
    parallel: str = ""
    """How each trial is trained on several processes, such as ddp:2; "" for one."""
    workers: int = 1
    """The number of workers that the plan is made for. A resumed study may use another; its shards stay the same."""
    memory_bytes: float | None = None
    """For the training of all workers together, beside what a process takes by itself; None for no limit."""
    budget_seconds: float | None = None
    versions: dict[str, str] = Field(default_factory=versions)
    hardware: dict[str, str] = Field(default_factory=hardware)
    plan: Plan | None = None
    history: tuple[Growth, ...] = ()
    """Extensions of the study, in order, and the studies that it was merged from."""

    def check(self) -> StudySpec:
        """Itself, if a study can be made of it; raises BadSetting or UnknownName otherwise."""
        check_protocol(self.protocol)
        for kind, names, most in (
            ("task", [task.ref.name for task in self.tasks], MAX_TASKS),
            ("contender", [contender.name for contender in self.contenders], MAX_CONTENDERS),
        ):
            if not names:
                raise BadSetting(f"A study needs at least one {kind}.")
            if len(names) > most:
                raise BadSetting(f"The study has {len(names):,} {kind}s; at most {most} are possible.")
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise BadSetting(f"The {kind} {twice[0]!r} is named twice; each may enter a study once.")
            if torn := [name for name in names if re.search("[\ud800-\udfff]", name)]:
                raise BadSetting(f"The {kind} {torn[0]!r} has half a character in its name, which no file can hold.")
        if torn := [task.ref.locator for task in self.tasks if re.search("[\ud800-\udfff]", task.ref.locator)]:
            raise BadSetting(f"The name of {torn[0]!r} is not UTF-8, which a study cannot store. Rename it first.")
        for contender in self.contenders:
            check_contender(contender)
            if self.race and contender.axes.get("early-stopping"):
                raise BadSetting("Racing and early stopping both end trials before their horizon; take one of them.")
        tuned = [contender for contender in self.contenders if contender.name != self.baseline]
        if len({trials_of(contender, self.protocol) for contender in tuned}) > 1:
            raise BadSetting(
                "Every contender must get the same number of trials: give rates to all of them or to none."
            )
        if self.reference not in (names := [contender.name for contender in self.contenders]):
            raise UnknownName.among("contender", self.reference, names, "The reference must be one of them.")
        for name in filter(None, (self.baseline, self.baseline_tuned)):
            if name not in names:
                raise UnknownName.among("contender", name, names, "The baseline must be one of them.")
        if self.search not in SEARCHES:
            raise UnknownName.among("search", self.search, SEARCHES)
        if unknown := {contender.search for contender in self.contenders} - {"", RATES_ALONE, *self.searches}:
            raise BadSetting(f"The search {min(unknown)} has no version.")
        if self.asked_trials() > MAX_TRIALS:
            raise BadSetting(
                f"The study has {self.asked_trials():,} trials; at most {MAX_TRIALS:,} are possible. Take fewer seeds, "
                "rates, optimizers or tasks."
            )
        if Parallel.parse(self.parallel) and (self.engine != "solo" or self.device != "cpu"):
            raise BadSetting("Trials on several processes (parallel) need the engine solo and the device cpu.")
        if not 1 <= self.workers <= MAX_WORKERS:
            raise BadSetting(f"A study needs at least 1 worker and at most {MAX_WORKERS:,}, not {self.workers}.")
        for task in self.tasks:
            if task.epochs is not None and not 0 < task.epochs < 1e6:
                raise BadSetting(f"{task.ref.name}: {task.epochs:g} epochs; a horizon must be above 0 epochs.")
        return self

    @property
    def ranks(self) -> int:
        """Processes that train a trial."""
        found = Parallel.parse(self.parallel)
        return found.ranks if found else 1

    def to_json(self) -> dict[str, Any]:
        whole = self.model_dump(mode="json")
        if not self.parallel:  # as versions before it wrote it
            del whole["parallel"]
        for contender in whole["contenders"]:
            if not contender["search"]:
                del contender["search"], contender["dials"]
        for part in (whole, whole["plan"] or {}):
            if not part.get("protocol", {}).get("more_trials", 1):
                del part["protocol"]["more_trials"]
        if not self.searches:
            del whole["searches"]
        return whole

    def asked_trials(self) -> int:
        """Trials in all, before a budget takes any."""
        return len(self.tasks) * sum(trials_of(contender, self.protocol) for contender in self.contenders)


def read_spec(folder: Path) -> StudySpec:
    """What was asked for, and the plan; raises StudyFolderError where there is no study, or not one for us."""
    check_places(folder)
    path = folder / SPEC
    if not path.is_file():
        if (folder / DATABASE).exists():
            raise StudyFolderError(f"{path} is missing: the folder is damaged. {remedy(folder)}")
        raise StudyFolderError(f"{folder} is not a study folder: it has no {SPEC}.")
    if is_newer(stored := stored_spec(folder)):
        raise newer(folder)
    try:
        spec = StudySpec.model_validate(migration.spec(stored, FORMAT))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise StudyFolderError(f"{path} is damaged at {where}: {first['msg']}. {remedy(folder)}") from None
    try:
        spec.check()
        if spec.plan is not None:
            check_plan(spec, spec.plan)
    except BadInput as error:
        raise StudyFolderError(f"{path} asks for what cannot be: {error} {remedy(folder)}") from None
    return spec
