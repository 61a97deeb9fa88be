"""One contender's standing on one task: every figure that a verdict reports about it.

`decide` ranks and judges; here is what is computed for each contender in the same way.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from steepest.records.outcomes import Outcome, Trace
from steepest.records.question import QUESTIONS, Question
from steepest.records.ranking import Edge, edge, edge_of_most, has_failed, is_sound, is_stopped
from steepest.records.step_times import StepTime
from steepest.records.task_facts import TaskFacts
from steepest.verdict.judge.pairs import MIN_SEEDS, Pair, compare, with_examples
from steepest.verdict.judge.placement import FIXED_RATES, Placement
from steepest.verdict.judge.questions import NOTHING_KNOWN, Asked
from steepest.verdict.judge.rate_curves import Advice, advise, good_rates, rate_curve, seed_levels
from steepest.verdict.judge.replicates import GRID, Entrant, curve_of, has_test_value
from steepest.verdict.results import Arrival, Estimate, RatePoint, Sensitivity, Standing, Status, Untuned
from steepest.verdict.stats.inference import (
    Interval,
    area_under,
    best_of_k,
    first_crossing,
    mean_difference,
    mean_interval,
    median_interval,
    moments,
)
from steepest.verdict.stats.shares import UNKNOWN, Examples
from steepest.verdict.stats.tuning import Tunability, asymmetry, at_rate, divergence_edge, tunability

TARGETS = {"95 %": 0.95, "99 %": 0.99}
"""Name → share of the reference's improvement."""
NUMBERS_OF_RATES = (1, 2, 3, 5, 9)
"""Numbers of rates for which the expected pick is given."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the standings of one task are made from."""

    task: TaskFacts
    best: Entrant
    reference: Entrant | None
    finished: bool
    """Whether the study is: before, no edge is final."""
    confidence: float
    coverage: float
    """At which intervals of single figures are taken: `confidence`, or more where the study is looked at repeatedly."""
    margin: float
    """The practical margin, raw."""
    pairs: Mapping[tuple[str, str], Pair]
    """Among those with enough replicates."""
    places: Mapping[str, tuple[int, int]]
    """Contender → the places that it may truly have."""
    stall_level: float | None
    targets: Mapping[str, float]
    """Name → goodness."""
    traces: Mapping[str, Trace]
    placed: Mapping[str, Placement] = field(default_factory=dict[str, Placement])
    """Contender → how uncertain the place of its extra rates is."""
    asked: Asked = NOTHING_KNOWN
    """The question, and what is known of the test examples."""


def standing(
    evidence: Evidence,
    place: int,
    item: Entrant,
    time: StepTime | None,
    default_rate: float | None,
    generator: np.random.Generator,
) -> Standing:
    name, values, expected = item.contender, item.values, expected_picks(item)
    curve = rate_curve(item)
    advice = advise(curve)
    behind_best, p_best = behind(evidence, evidence.best, item)
    behind_reference, p_reference = behind(evidence, evidence.reference, item)
    found = arrivals(evidence, item, time)
    of_questions = levels(item, evidence)
    quality = of_questions[evidence.asked.answered]
    learns = quality is None or beats_constant(quality, evidence.task)
    good = good_rates(item, curve, advice, generator) if advice and learns else None
    return Standing(
        contender=name,
        place=place,
        status=status(evidence, item),
        quality=quality,
        levels=of_questions,
        deviation=math.sqrt(moments(values)[1]) if len(values) > 1 else None,
        behind_best=behind_best,
        p_best=p_best,
        behind_reference=behind_reference,
        p_reference=p_reference,
        rate=advice.rate if advice else None,
        safe_rates=good.rates if good else None,
        decades_between=good.decades if good else None,
        decades_1pct=advice.decades_1pct if advice else 0.0,
        decades_5pct=advice.decades_5pct if advice else 0.0,
        untuned=untuned(item) if advice and evidence.finished else "",
        replicates=len(values),
        failed_replicates=len(item.replicates) - len(values),
        trials=len(item.every_trial),
        failed_trials=sum(map(has_failed, item.every_trial)),
        milliseconds=time.milliseconds if time else None,
        seconds=time.milliseconds * item.trials[0].steps / 1000 if time else None,
        state_bytes_per_parameter=time.state_bytes_per_parameter if time else None,
        steps_to_target={name: each.steps.value if each.steps else None for name, each in found.items()},
        points=points(evidence, item),
        picks={each.seed: each.pick.rate for each in item.replicates if each.pick},
        values={each.seed: each.value for each in item.replicates},
        best_of=best_of(expected),
        batch_size=item.trials[0].batch_size,
        steps=item.trials[0].steps,
        places=evidence.places.get(name),
        behind_bootstrap=behind_bootstrap(evidence, item, generator),
        behind_answers=answers(evidence, item),
        sensitivity=sensitivity(item, advice) if advice else None,
        untuned_gap=untuned_gap(evidence, item, default_rate) if default_rate is not None else None,
        tunability=tunability_of(item, expected),
        arrivals=found,
        area=area(evidence, item),
    )


def untuned(item: Entrant) -> Edge:
    """At which edge of what was searched the best rate still lies: that of all seeds where all tried the same rates,
    otherwise each seed's own in more than half of them."""
    if not item.own_rates:
        return edge(item.trials, item.sign > 0)
    return edge_of_most([edge(each.trials, item.sign > 0) for each in item.replicates])


def status(evidence: Evidence, item: Entrant) -> Status:
    """The rule of the verdict: see `Standing.status`."""
    if item.replicates and not len(item.values):
        return "failed"
    if min(len(item.values), len(evidence.best.values)) < MIN_SEEDS:
        return "unsure"
    if item is evidence.best:
        return "best"
    pair = evidence.pairs[evidence.best.contender, item.contender]
    settled = pair.p < 1 - evidence.confidence
    return "behind" if settled and pair.difference.value >= evidence.margin else "tie"


def behind(evidence: Evidence, leader: Entrant | None, item: Entrant) -> tuple[Estimate | None, float | None]:
    """How much worse `item` is than `leader`, and the adjusted p; no p where one of them cannot be judged."""
    if leader is None or leader is item or not (len(leader.values) and len(item.values)):
        return None, None
    pair = evidence.pairs.get((leader.contender, item.contender))
    if pair is not None:
        return pair.estimate, pair.p
    asked = evidence.asked
    pair = compare(
        leader.goodness,
        item.goodness,
        False,
        leader.lost | item.lost,
        examples_of(evidence.task),
        added=asked.of_pair(leader.contender, item.contender),
        wide=asked.answered == "new-rows",
    )
    return replace(pair, level=1 - evidence.coverage).estimate, None


def examples_of(task: TaskFacts) -> Examples:
    """Of the test part, where the metric is a share."""
    if task.unit != "%":
        return UNKNOWN
    drawn = any("test" in what for what in task.luck)
    pool = task.n_train + task.n_valid + task.n_test if drawn else 0
    return Examples(task.n_test, pool, counted=re.fullmatch(r"(top-\d+ )?accuracy", task.metric) is not None)


def estimate(
    values: np.ndarray, confidence: float, examples: Examples = UNKNOWN, placement: float = 0.0
) -> Estimate | None:
    """Mean of values [n] with Student's t interval; None if there are none. examples: what the values are shares of."""
    if not len(values):
        return None
    mean, variance = moments(values)
    interval = mean_interval(values, confidence, examples.least_variance(mean, len(values), variance), placement)
    return Estimate(interval.value, interval.low, interval.high, len(values))


def levels(item: Entrant, evidence: Evidence) -> dict[Question, Estimate | None]:
    """Question → mean test metric; None where that question cannot be answered."""
    task, values = evidence.task, item.values
    placement = evidence.placed.get(item.contender, FIXED_RATES).variance
    found: dict[Question, Estimate | None] = dict.fromkeys(QUESTIONS)
    found[evidence.asked.own] = within_bounds(estimate(values, evidence.coverage, examples_of(task), placement), task)
    wide = on_new_rows(item, evidence)
    found["new-rows"] = within_bounds(Estimate(wide.value, wide.low, wide.high, len(values)), task) if wide else None
    return found


def on_new_rows(item: Entrant, evidence: Evidence) -> Interval | None:
    """Mean test metric on other rows of the same kind; None where the test examples are not known."""
    known = {each.seed: each.value for each in item.replicates if each.value is not None}
    if len(known) < 2:
        return None
    x = np.array(list(known.values()))
    added = evidence.asked.of_level(item.contender, list(known), moments(x)[1])
    if added is None:
        return None
    placement = evidence.placed.get(item.contender, FIXED_RATES).variance
    return with_examples(mean_difference(x), added).with_more(placement).interval(evidence.coverage)


def answers(evidence: Evidence, item: Entrant) -> dict[Question, Estimate | None]:
    """Question → how much worse it is than the best; empty for the best, and where one of them cannot be judged."""
    pair = evidence.pairs.get((evidence.best.contender, item.contender))
    return pair.answers(evidence.asked.own) if pair else {}


def within_bounds(found: Estimate | None, task: TaskFacts) -> Estimate | None:
    """The interval of a share does not reach beyond 0 and 1, between which the truth lies."""
    if found is None or task.unit != "%" or not (task.higher_is_better and 0 <= found.value <= 1) or found.n < 2:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def beats_constant(found: Estimate, task: TaskFacts) -> bool:
    """Whether a level is shown to be better than that of the best constant prediction, or that is not known."""
    if task.constant is None or found.n < 2:
        return True
    return found.low > task.constant if task.higher_is_better else found.high < task.constant


def points(evidence: Evidence, item: Entrant) -> tuple[RatePoint, ...]:
    levels = seed_levels(item) if item.own_rates else {}
    return tuple(point(evidence, item, rate, levels) for rate in item.rates)


def point(evidence: Evidence, item: Entrant, rate: float, levels: Mapping[int, float]) -> RatePoint:
    """levels: how much better than the average seed each is, where seeds tried different rates."""
    trials = item.at(rate)
    sound = [trial for trial in trials if is_sound(trial)]
    valid = np.array([trial.valid_metric for trial in sound], dtype=float)
    fair = valid - item.sign * np.array([levels.get(trial.seed, 0.0) for trial in sound])
    level = evidence.stall_level
    return RatePoint(
        rate=rate,
        stage=trials[0].stage,
        n=len(trials),
        failed=sum(map(has_failed, trials)),
        stalled=0 if level is None else int(np.sum(item.sign * valid <= level)),
        valid=estimate(fair, evidence.coverage),
        picked=sum(
            each.pick is not None and each.pick.rate == rate and not each.pick.dials for each in item.replicates
        ),
    )


# ---- how soon, and how cheaply ---------------------------------------------------------------------------------------


def targets(reference: Entrant | None, start: float | None) -> dict[str, float]:
    """Levels of goodness that lie 95 % and 99 % of the way from the start to where the reference's picks end."""
    if reference is None or start is None:
        return {}
    ends = [each.pick.valid_metric for each in reference.replicates if each.pick and each.pick.valid_metric is not None]
    end = reference.sign * math.fsum(ends) / len(ends) if ends else start
    return {name: start + share * (end - start) for name, share in TARGETS.items()} if end > start else {}


def arrivals(evidence: Evidence, item: Entrant, time: StepTime | None) -> dict[str, Arrival]:
    """When the replicates' picks reach each target; a replicate that failed never gets there. Empty without curves."""
    steps: dict[str, dict[int, float]] = {name: {} for name in evidence.targets}
    for each in item.replicates:
        curve = curve_of(each.pick, evidence.traces) if each.pick else None
        if each.pick and curve is None:
            return {}
        for name, level in evidence.targets.items():
            steps[name][each.seed] = first_crossing(curve[0], item.sign * curve[1], level) if curve else math.inf
    return {name: arrival(times, time, evidence.coverage) for name, times in steps.items()}


def arrival(times: Mapping[int, float], time: StepTime | None, confidence: float) -> Arrival:
    """times: seed → steps, inf for never."""
    middle = median_interval(list(times.values()), confidence)
    steps = None
    if middle is not None and math.isfinite(middle.value):
        steps = Estimate(middle.value, middle.low, middle.high, len(times))
    seconds = None
    if steps is not None and time is not None:
        each = time.milliseconds / 1000
        seconds = Estimate(each * steps.value, each * steps.low, each * steps.high, steps.n)
    known = {seed: step if math.isfinite(step) else None for seed, step in times.items()}
    return Arrival(steps, seconds, sum(step is not None for step in known.values()), len(known), known)


def area(evidence: Evidence, item: Entrant) -> Estimate | None:
    """Of the picks' validation curves; None without curves."""
    curves = [curve_of(each.pick, evidence.traces) for each in item.replicates if each.pick]
    heights = np.array([area_under(*curve) for curve in curves if curve is not None])
    known = heights[np.isfinite(heights)]
    return estimate(known, evidence.coverage) if len(known) == len(curves) else None


def tables(item: Entrant) -> list[np.ndarray]:
    """Of every replicate, the test metrics of its grid [K] in order of preference, failed trials last as NaN."""
    found: list[np.ndarray] = []
    for each in item.replicates:
        grid = [trial for trial in each.trials if trial.stage == GRID]
        sound = [trial.test_metric for trial in grid if has_test_value(trial)]
        found.append(np.array(sound + [math.nan] * (len(grid) - len(sound)), dtype=float))
    return found


def expected_picks(item: Entrant) -> np.ndarray:
    """The mean over replicates of the expected test metric of the pick among k rates of the grid drawn at random, for
    k = 1 … K [K]; NaN where a replicate may have none."""
    found = [best_of_k(table) for table in tables(item)]
    most = min(map(len, found), default=0)
    return np.array([values[:most] for values in found]).mean(axis=0) if most else np.empty(0)


def best_of(expected: np.ndarray) -> dict[int, float | None]:
    return {k: _known(expected[k - 1]) for k in NUMBERS_OF_RATES if k <= len(expected)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def tunability_of(item: Entrant, expected: np.ndarray) -> Tunability | None:
    """None where a grid leaves fewer than two numbers of trials to compare, or some were stopped early."""
    known = expected[~np.isnan(expected)]  # the last ones: more trials fail less often
    if len(known) < 2 or any(map(is_stopped, item.trials)):
        return None
    return tunability(known, len(expected) - len(known) + 1)


# ---- the rate --------------------------------------------------------------------------------------------------------


def sensitivity(item: Entrant, advice: Advice) -> Sensitivity:
    rates = np.array(item.rates)
    outcomes = [[trial.outcome is Outcome.DIVERGED for trial in item.at(rate)] for rate in item.rates]
    edge = divergence_edge(
        rates, np.array([sum(each) for each in outcomes]), np.array([len(each) for each in outcomes])
    )
    return Sensitivity(
        best=advice.peak,
        good_1pct=advice.closest_rates,
        good_5pct=advice.safe_rates,
        asymmetry=asymmetry(advice.peak, *advice.safe_rates),
        diverges=edge,
        headroom=None if edge is None else math.log10(edge / advice.peak),
    )


def untuned_gap(evidence: Evidence, item: Entrant, rate: float) -> Untuned | None:
    """Replicate by replicate, the pick's test metric against that at `rate`; None outside what was tried."""
    gaps: list[float] = []
    failed, exact = 0, True
    for each in item.replicates:
        by_rate = {trial.rate: trial.test_metric for trial in each.trials if has_test_value(trial)}
        tried = np.array([trial.rate for trial in each.trials])
        mine = np.sort(tried)
        exact = exact and bool(np.any(np.abs(np.log10(mine / rate)) < 1e-9))
        value = at_rate(mine, np.array([by_rate.get(r, math.nan) for r in mine], dtype=float), rate)
        if value is None:
            return None
        if math.isnan(value):
            if any(map(is_stopped, each.trials)):  # then nobody knows what it would have come to
                return None
            failed += 1
        elif each.value is not None:
            gaps.append(item.sign * (each.value - value))
    if not item.replicates:
        return None
    return Untuned(rate, estimate(np.array(gaps), evidence.coverage), failed, not exact)


# ---- a second opinion ------------------------------------------------------------------------------------------------


def behind_bootstrap(evidence: Evidence, item: Entrant, generator: np.random.Generator) -> Estimate | None:
    pair = evidence.pairs.get((evidence.best.contender, item.contender))
    if pair is None:
        return None
    interval = pair.bootstrap(1 - pair.level, generator)
    return Estimate(interval.value, interval.low, interval.high, pair.n)
