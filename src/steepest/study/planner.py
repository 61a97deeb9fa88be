"""What a study runs: horizons, evaluations, and how trials are cut into shards.

Everything here is a function of the spec and of what the workers found out about the tasks, so that the same study
gets the same shards wherever it is resumed. Only a horizon of equal seconds needs a measured time.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from typing import Literal, TypeVar

from steepest.errors import BadSetting, BadTask
from steepest.records.contender import Contender
from steepest.records.dial import BATCH, Setting, of_shard, packed, unpacked
from steepest.records.ranking import rungs
from steepest.records.step_times import StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskFacts
from steepest.records.trials import Lane, Shard
from steepest.study.environment import free_memory
from steepest.study.execution import ExecutionMode
from steepest.study.spec import RunPlan, StudySpec, TaskSpec

T = TypeVar("T")

EVALUATION_COUNT = 30

STEP_OVERHEAD = 1e6
"""Examples × parameters in a step whose arithmetic takes as long as calling the step's kernels: about a millisecond."""
SET_UP_STEPS = 200
"""Steps whose overhead is as long as a shard takes apart from its steps: to build its models, and to sync its file."""
MAX_SLOWDOWN = 1.05
"""How much longer a study may take for the sake of smaller shards, which lose less when they are killed."""


def parse_budget(text: str | float) -> float:
    """Seconds, from "90s", "5m", "1h", "1h30m" or a bare number of seconds; raises BadSetting."""
    found = re.fullmatch(
        r"\s*(?:(?P<h>[\d.]+)\s*h)?\s*(?:(?P<m>[\d.]+)\s*m(?:in)?)?\s*(?:(?P<s>[\d.]+)\s*s?)?\s*", str(text).lower()
    )
    try:
        parts = found.groupdict() if found else {}
        seconds = sum(float(parts[unit]) * size for unit, size in (("h", 3600), ("m", 60), ("s", 1)) if parts.get(unit))
    except ValueError:  # such as "1.2.3"
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise BadSetting(f"The budget {text!r} is not a time; give one above 0, such as 90s, 5m or 1h.")
    return seconds


MIN_MEMORY_BYTES = 64 * 2**20
"""Bytes; with less a worker cannot even load its data."""


def parse_memory(text: str | float | None) -> float | None:
    """Bytes, from "4G", "512M" or a bare number of them; half of what is free for None. Raises BadSetting."""
    if text is None:
        free = free_memory()
        return None if free is None else free / 2
    found = re.fullmatch(r"\s*(?P<size>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)i?b?\s*", str(text).lower())
    size = float(found["size"]) * 1024 ** " kmgt".index(found["unit"] or " ") if found else 0.0
    if not MIN_MEMORY_BYTES <= size < 1e18:
        raise BadSetting(f"The memory {text!r} cannot be used; give at least 64M, such as 512M or 4G.")
    return size


# ---- horizons --------------------------------------------------------------------------------------------------------


def facts_for(task: TaskSpec, facts: TaskFacts) -> TaskFacts:
    """The facts of a task as this study runs it: under its name here, and with the horizon asked for."""
    steps = facts.steps
    if task.epochs is not None:
        steps = max(1, round(task.epochs * facts.n_train / facts.batch_size))
    return replace(facts, name=task.ref.name, steps=steps)


def batch_size_of(contender: Contender, facts: TaskFacts) -> int:
    """Examples a step; raises BadSetting where the training part has fewer."""
    size = facts.batch_size if contender.batch_size is None else contender.batch_size
    if size == "full":
        return facts.n_train
    if size > facts.n_train:
        raise BadSetting(
            f"{contender.name}: a batch of {size} is more than the {facts.n_train} training examples of {facts.name}; "
            "take a smaller one, or full."
        )
    return size


def steps_at_equal_samples(facts: TaskFacts, batch_size: int) -> int:
    """Steps of the size `batch_size` that see as many examples as the task's own horizon."""
    return max(1, round(facts.steps * facts.batch_size / batch_size))


def steps_at_equal_seconds(facts: TaskFacts, own: StepTime, time: StepTime) -> int:
    """Steps that take as long as the task's own horizon, both measured alone: steps × ms(own batch) / ms(batch)."""
    return max(1, round(facts.steps * own.milliseconds / time.milliseconds))


def evaluation_steps(steps: int, count: int = EVALUATION_COUNT) -> tuple[int, ...]:
    """About `count` steps up to the horizon: a third of them log-spaced in the first tenth, then evenly spaced.

    >>> evaluation_steps(8)
    (1, 2, 3, 4, 5, 6, 7, 8)
    >>> evaluation_steps(1000, 9)
    (1, 10, 100, 250, 400, 550, 700, 850, 1000)
    """
    if steps <= count:
        return tuple(range(1, steps + 1))
    early = count // 3
    tenth = steps / 10
    log_spaced = (round(tenth ** (i / (early - 1))) for i in range(early))
    even = (round(tenth + (steps - tenth) * i / (count - early)) for i in range(1, count - early + 1))
    return tuple(sorted({*log_spaced, *even}))


# ---- shards ----------------------------------------------------------------------------------------------------------


def plan_run(
    spec: StudySpec,
    protocol: StudyDesign,
    contender: Contender,
    facts: TaskFacts,
    steps: int,
    batch_size: int,
    mode: ExecutionMode | None = None,
) -> RunPlan:
    """How the trials of one contender on one task are run; without a mode, in the one that needs no measuring."""
    runs = len(spec.tasks) * len(spec.contenders)
    if batch_size < spec.ranks:
        raise BadSetting(
            f"{contender.name}: a batch of {batch_size} cannot be shared by {spec.ranks} processes. Take a larger "
            f"batch on {facts.name}, or fewer processes with --parallel."
        )
    mode = mode or ExecutionMode(engine_of(spec, contender, facts))
    engine = mode.engine

    def lanes(rates: int) -> int:
        trials = rates * protocol.looks[0]
        if engine == "solo":  # nothing is shared, so small shards lose nothing: one replicate each
            return min(rates, trials)
        return lanes_per_shard(trials, runs, spec.workers, steps, batch_size * facts.parameters)

    largest = max((int(size) for dial in contender.dials if dial.name == BATCH for size in dial.choices), default=1)
    if largest > facts.n_train:
        raise BadSetting(
            f"A batch of {largest} is more than the {facts.n_train} training examples of {facts.name}; tune over "
            f"smaller ones."
        )

    return RunPlan(
        task=facts.name,
        contender=contender.name,
        engine=engine,
        width=mode.width,
        compiled=mode.compiled,
        batch_size=batch_size,
        steps=steps,
        evaluate_at=evaluation_steps(steps),
        lanes=lanes(len(contender.rates) or protocol.rates),
        extra_lanes=lanes(max(1, protocol.extra_rates)),
    )


def engine_of(spec: StudySpec, contender: Contender, facts: TaskFacts) -> Literal["fleet", "solo"]:
    """Fleets wherever they can be; raises BadTask where they cannot be and were asked for."""
    obstacle = str(facts.fleet_obstacle)
    if contender.fleet_obstacle:
        obstacle = f"{contender.name} {contender.fleet_obstacle}"
    if contender.is_torch_optimizer:
        obstacle = f"{contender.name} is an optimizer of your own, which trains one model at a time"
    if spec.engine in ("fleet", "compiled") and obstacle:
        raise BadTask(
            f"{facts.name} cannot be trained as a fleet: {obstacle.rstrip('.')}. Use the engine auto or solo."
        )
    if spec.engine == "compiled" and facts.compiler_obstacle:
        raise BadSetting(f"Nothing can be compiled: {facts.compiler_obstacle}. Use the engine auto, fleet or solo.")
    return "solo" if obstacle or spec.engine == "solo" else "fleet"


def lanes_per_shard(trials: int, runs: int, workers: int, steps: int, work: float) -> int:
    """Lanes of a shard such that `runs` runs of `trials` trials each finish soonest on `workers` cores.

    With k shards a run, a core does ⌈runs·k/workers⌉ of them. Each costs its set-up and, in each of its steps, the
    overhead and `work` (examples × parameters) for every lane. Measured times would do better, but would cut the same
    study differently each time, and with the cut changes the last bit of some results. How many lanes of a shard are
    trained at once, so that they stay in the cache, is the engine's to say.
    """

    def wall(k: int) -> float:
        shard = (SET_UP_STEPS + steps) * STEP_OVERHEAD + steps * math.ceil(trials / k) * work
        return math.ceil(runs * k / workers) * shard

    fastest = min(map(wall, range(1, trials + 1)))
    k = max(k for k in range(1, trials + 1) if wall(k) <= MAX_SLOWDOWN * fastest)
    return math.ceil(trials / k)


def cut(lanes: Sequence[T], most: int) -> list[tuple[T, ...]]:
    """The lanes in order, in as few parts of at most `most` as will do; their lengths differ by one at most."""
    parts = math.ceil(len(lanes) / most)
    bounds = [len(lanes) * i // parts for i in range(parts + 1)]
    return [tuple(lanes[start:end]) for start, end in pairwise(bounds)]


def shards(spec: StudySpec, task: TaskSpec, contender: Contender, run: RunPlan, lanes: Sequence[Lane]) -> list[Shard]:
    """What a protocol asks for, as work for the executor; apart from each other, lanes whose task or batches differ.
    Where rates race, whole seeds at a time, and apart those with different numbers of lanes."""
    parts: dict[str, list[Lane]] = {}
    for lane in lanes:
        parts.setdefault(packed(of_shard(lane.dials)), []).append(lane)
    return [
        shard
        for dials, part in parts.items()
        for shard in _alike(spec, task, *_changed(contender, run, unpacked(dials)), part)
    ]


def _changed(contender: Contender, run: RunPlan, dials: Mapping[str, Setting]) -> tuple[Contender, RunPlan]:
    """With the dials that all lanes of a shard have in common. Another batch size sees as many examples."""
    factors = {name: value for name, value in dials.items() if name != BATCH}
    if factors:
        contender = replace(contender, axes={**contender.axes, **factors})
    if BATCH in dials:
        size = int(dials[BATCH])
        steps = max(1, round(run.steps * run.batch_size / size))
        run = run.model_copy(update={"batch_size": size, "steps": steps, "evaluate_at": evaluation_steps(steps)})
    return contender, run


def _alike(spec: StudySpec, task: TaskSpec, contender: Contender, run: RunPlan, lanes: Sequence[Lane]) -> list[Shard]:
    most = run.lanes if lanes[0].stage == "grid" else run.extra_lanes
    count = Counter(lane.seed for lane in lanes)
    sizes = sorted(set(count.values()), reverse=True) if spec.race else [0]
    return [
        _named(
            Shard(
                id="",
                task=task.ref,
                contender=contender,
                lanes=part,
                batch_size=run.batch_size,
                steps=run.steps,
                evaluate_at=run.evaluate_at,
                engine=run.engine,
                width=run.width,
                compiled=run.compiled,
                dtype=spec.dtype,
                device=spec.device,
                rungs=rungs(run.evaluate_at, each) if each else (),
                parallel=spec.parallel,
            )
        )
        for each in sizes
        for part in (
            cut_by_seed([lane for lane in lanes if count[lane.seed] == each], each, most) if each else cut(lanes, most)
        )
    ]


def cut_by_seed(lanes: Sequence[T], each: int, most: int) -> list[tuple[T, ...]]:
    """The same in parts that hold whole seeds, of which every one has `each` lanes: about `most`, but one at least."""
    seeds = [tuple(lanes[i : i + each]) for i in range(0, len(lanes), each)]
    return [tuple(lane for seed in part for lane in seed) for part in cut(seeds, max(1, round(most / each)))]


def _named(shard: Shard) -> Shard:
    """With an id that holds the fingerprint of its content: curves of another shard are not mistaken for its own."""
    first = shard.lanes[0]
    words = slug(shard.task.name, shard.contender.name, first.stage)
    return replace(shard, id=f"{words}-{fingerprint(shard.to_json())}")


def slug(*words: str) -> str:
    """Words as part of a file name."""
    return ".".join(re.sub(r"[^A-Za-z0-9_+=@]+", "-", word).strip("-")[:40] or "x" for word in words)


def fingerprint(value: object) -> str:
    """64 bits of a JSON value, as 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return blake2b(text.encode(), digest_size=8).hexdigest()
