"""From results to a verdict: who is best, who ties, who is behind, and what that rests on.

The policy lives here, apart from the methods in `stats` and from the words in `claims`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from steepest.errors import BadSetting, UnknownName
from steepest.records.outcomes import Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.question import QUESTIONS, Question
from steepest.records.rng import generator
from steepest.records.study_record import StudyRecord
from steepest.verdict.judge import factor_effects, findings
from steepest.verdict.judge.advice import advised, may_lose
from steepest.verdict.judge.cross_task_cost import everywhere
from steepest.verdict.judge.diagnosis import diagnose
from steepest.verdict.judge.expectation import with_expectations
from steepest.verdict.judge.on_baseline import on_baseline
from steepest.verdict.judge.pairs import MIN_SEEDS, Pair, compare_all, fair_means
from steepest.verdict.judge.placement import placement
from steepest.verdict.judge.questions import asked_of
from steepest.verdict.judge.rate_curves import stall_level, start_level
from steepest.verdict.judge.replicates import Entrant, entrant
from steepest.verdict.judge.standings import Evidence, examples_of, standing, targets
from steepest.verdict.judge.turned import turned
from steepest.verdict.results import Claim, Estimate, RatePoint, Standing, Tally, TaskVerdict, Verdict
from steepest.verdict.stats.inference import moments, rank_intervals
from steepest.verdict.stats.sequential import look_at
from steepest.verdict.words import claims

__all__ = ["Claim", "Estimate", "RatePoint", "Standing", "Tally", "TaskVerdict", "Verdict", "decide"]


def decide(
    study: StudyRecord,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    traces: Mapping[str, Trace] | None = None,
    probes: Sequence[ProbeTrace] = (),
    question: Question | None = None,
) -> Verdict:
    """What a study concludes; in a study that still runs, what it looks like so far.

    confidence: of every interval, and 1 − the share of tasks on which Holm's procedure may err.
    margin: the practical margin, raw; None takes each task's own.
    traces: curves by shard id; without them there are no times to target.
    probes: looks into the training of contenders; without them nothing is said of why.
    question: what levels and differences are the answer to; None, or where it cannot be answered, the widest that can.
    Tasks without any result yet are left out. Raises BadSetting where confidence or margin make no sense.
    """
    if not 0.5 <= confidence < 1:
        raise BadSetting(f"The confidence is {confidence:g}; it must be at least 0.5 and below 1, such as 0.95.")
    if margin is not None and not 0 <= margin < math.inf:
        raise BadSetting(f"The practical margin is {margin:g}; it must be 0 or a positive number.")
    if question is not None and question not in QUESTIONS:
        raise UnknownName.among("question", question, QUESTIONS)
    begun = {row.task for row in study.results}
    verdicts = tuple(
        judge(study, index, confidence, margin, traces or {}, probes, question)
        for index, task in enumerate(study.tasks)
        if task.name in begun
    )
    tallies = tally(study, verdicts) if len(verdicts) > 1 else ()
    rows, unit = everywhere(verdicts, confidence, generator(0, "bootstrap", len(study.tasks), 0))
    return Verdict(
        study=study.name,
        finished=study.finished,
        tasks=verdicts,
        contenders=study.contenders,
        claims=claims.about_study(study, verdicts, tallies, rows, unit, confidence),
        reproduce=study.command,
        tallies=tallies,
        confidence=confidence,
        everywhere=rows,
        regret_unit=unit,
    )


def judge(
    study: StudyRecord,
    index: int,
    confidence: float,
    margin: float | None,
    traces: Mapping[str, Trace],
    probes: Sequence[ProbeTrace],
    question: Question | None = None,
) -> TaskVerdict:
    """The verdict on the study's task of this index."""
    task = study.tasks[index]
    entrants: dict[str, Entrant] = {}
    for contender in study.contenders:
        rows = [row for row in study.results if row.task == task.name and row.contender == contender.name]
        if rows:
            entrants[contender.name] = entrant(contender.name, rows, task.higher_is_better)
    reference = entrants.get(study.reference)
    sound = {item.contender: item.goodness for item in entrants.values() if item.goodness}
    samples = {name: values for name, values in sound.items() if len(values) >= MIN_SEEDS}
    look = look_at(study.protocol.verdicts_after, min((len(item.replicates) for item in entrants.values()), default=0))
    lost = {name: item.lost for name, item in entrants.items()}
    random, examples = generator(0, "bootstrap", index, 0), examples_of(task)
    placing = sorted({row.seed for row in study.results if row.task == task.name})[: min(study.protocol.looks)]
    resampling = generator(0, "bootstrap", index, 4)
    pooled = entrants if study.pooled_rates else {}
    placed = {name: placement(item, placing, resampling) for name, item in pooled.items()}
    asked = asked_of(task, question, entrants, traces)
    family = compare_all(samples, 1 - confidence, random, look, lost, examples, placed, asked)
    ranked = led(ranking(list(entrants.values()), fair_means(samples, family.paired)), family.pairs)
    best = ranked[0]
    start = start_level(ranked, traces)
    evidence = Evidence(
        task=task,
        best=best,
        reference=reference,
        finished=study.finished,
        confidence=confidence,
        coverage=1 - look.level(1 - confidence),
        margin=task.margin if margin is None else margin,
        pairs=family.pairs,
        places=places_of(samples, family.pairs, 1 - confidence),
        stall_level=stall_level(ranked, traces),
        targets=targets(reference, start),
        traces=traces,
        placed=placed,
        asked=asked,
    )
    times = {time.contender: time for time in study.times if time.task == task.name}
    defaults = {contender.name: contender.default_rate for contender in study.contenders}
    bootstrap = generator(0, "bootstrap", index, 3)
    standings = tuple(
        standing(evidence, place, item, times.get(item.contender), defaults[item.contender], bootstrap)
        for place, item in enumerate(ranked, start=1)
    )
    standings = with_expectations(standings, ranked, evidence)
    by_name = {contender.name: contender for contender in study.contenders}
    standings = tuple(
        replace(item, turned=turned(evidence, entrants[item.contender], by_name[item.contender])) for item in standings
    )
    use = advised(standings, evidence.margin, task.parameters)
    own = on_baseline(
        study.baseline, study.baseline_tuned, standings, use, family.pairs, 1 - confidence, evidence.margin
    )
    name = use.contender if own is None or own.decision == "open" else own.advised
    verdict = TaskVerdict(
        task=task,
        best=best.contender,
        reference=study.reference,
        ties=tuple(item.contender for item in standings if item.status == "tie"),
        standings=standings,
        claims=(),
        targets={name: best.sign * level for name, level in evidence.targets.items()},
        margin=evidence.margin,
        paired=family.paired,
        correlation=family.correlation,
        question=asked.answered,
        asked=question,
        looks=study.protocol.verdicts_after if len(study.protocol.verdicts_after) > 1 else (),
        start=None if start is None else best.sign * start,
        advised=name,
        may_lose=may_lose(name, family.pairs),
        baseline=own,
    )
    mine = [contender for contender in study.contenders if contender.name in entrants]
    of_axes = factor_effects.effects(mine, entrants, samples, 1 - confidence, family, look, examples, placed, asked)
    found = (*findings.examine(verdict, evidence, entrants, generator(0, "bootstrap", index, 2)), *of_axes)
    reasons = diagnose(verdict, probes, study.contenders, task.n_train)
    return replace(verdict, claims=claims.about_task(verdict, found, reasons, confidence))


def ranking(entrants: Sequence[Entrant], means: Mapping[str, float]) -> list[Entrant]:
    """By mean goodness of those judged; after them those with too few replicates to judge, with none yet, with only
    failed ones."""

    def key(item: Entrant) -> tuple[int, float]:
        x = item.values
        if len(x):
            return int(item.contender not in means), -means.get(item.contender, item.sign * moments(x)[0])
        return (3 if item.replicates else 2), 0.0

    return sorted(entrants, key=key)


def led(ranked: Sequence[Entrant], pairs: Mapping[tuple[str, str], Pair]) -> list[Entrant]:
    """The same order, but first the one whom nobody leads in a direct comparison. Where seeds were lost, means and
    comparisons rest on different seeds: then the one with the best mean may be behind another on the seeds of both."""
    names = {one for one, _ in pairs}

    def least(item: Entrant) -> float:
        return min(pairs[item.contender, name].difference.value for name in names - {item.contender})

    front = [item for item in ranked if item.contender in names]
    if not front or least(front[0]) >= 0:
        return list(ranked)
    first = max(front, key=least)
    return [first, *(item for item in ranked if item is not first)]


def places_of(judged: Iterable[str], pairs: Mapping[tuple[str, str], Pair], alpha: float) -> dict[str, tuple[int, int]]:
    """Contender → the places that it may truly have among those judged."""
    names = list(judged)

    def is_better(one: str, other: str) -> bool:
        return one != other and pairs[one, other].p < alpha and pairs[one, other].difference.value > 0

    better = np.array([[is_better(one, other) for other in names] for one in names], dtype=bool)
    return dict(zip(names, rank_intervals(better), strict=True)) if names else {}


def tally(study: StudyRecord, verdicts: Sequence[TaskVerdict]) -> tuple[Tally, ...]:
    """How often each contender was what; first those that were most often good, for which a tie counts only if it is
    shown to be one: otherwise noisy results would."""

    def count(name: str) -> Tally:
        found = [(item, verdict) for verdict in verdicts for item in verdict.standings if item.contender == name]
        status = [item.status for item, _ in found]
        counts = (status.count(each) for each in ("best", "tie", "behind", "unsure", "failed"))
        return Tally(name, *counts, good=sum(is_good(item, verdict.margin) for item, verdict in found))

    tallies = [count(contender.name) for contender in study.contenders]
    return tuple(sorted(tallies, key=lambda each: (-each.good, -each.best, -each.tie, each.behind)))


def is_good(item: Standing, margin: float) -> bool:
    """Whether it is the best, or a tie that is shown to lose less than `margin` to the best."""
    gap = item.behind_best
    return item.status == "best" or (item.status == "tie" and gap is not None and gap.high < margin)
