"""What a study found, in English: which claims are made, in which order, and which of them are read first.

With `headline`, `details` and `numbers`, the only place where sentences about results are written. Every sentence is a
`Claim` with its numbers and the keys of its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steepest.types import StudyRecord
from steepest.verdict import numbers
from steepest.verdict.details import details
from steepest.verdict.diagnostics import Finding
from steepest.verdict.headline import headline
from steepest.verdict.nouns import Claim, Everywhere, Tally, TaskVerdict
from steepest.verdict.scene import Scene

WORDS = 120
"""The length of a headline: claims that would exceed it are told below it."""
ENOUGH_TASKS = 6
"""Tasks below which no winner over all tasks is named."""


def about_task(verdict: TaskVerdict, findings: Sequence[Finding]) -> tuple[Claim, ...]:
    """All claims about one task, those of the headline first. `verdict` has no claims yet."""
    scene = Scene(verdict, findings)
    above, below, words = [], [], 0
    for claim in headline(scene):
        length = len(claim.sentence.split())
        if not above or words + length <= WORDS:
            above.append(replace(claim, part="headline"))
            words += length
        else:
            below.append(claim)
    said = {claim.sentence for claim in (*above, *below)}
    return (*above, *below, *(claim for claim in details(scene) if claim.sentence not in said))


# ---- the study as a whole --------------------------------------------------------------------------------------------


def about_study(
    study: StudyRecord,
    verdicts: Sequence[TaskVerdict],
    tallies: Sequence[Tally],
    rows: Sequence[Everywhere],
    unit: str,
    confidence: float,
) -> tuple[Claim, ...]:
    """Claims that no single task bears: the tasks together, how far the figures reach, and what they cost."""
    found = []
    if not verdicts:
        sentence = "Nothing has been trained yet, so there is nothing to say."
        return (Claim(sentence, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found.append(_across(verdicts, tallies))
    if rows:
        found += [_everywhere(verdicts, rows, unit), *_quickest(verdicts, rows)]
    done = len(study.results)
    if not study.finished:
        sentence = f"The study has run {done} of {study.trials_planned} training runs: all of this may still change."
        found.append(Claim(sentence, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += _looks(verdicts)
    found += [_luck(study, verdicts, confidence) if study.trained else _luck_of_a_table(confidence)]
    found += [Claim(sentence, {}, ("study",), "weak") for sentence in study.given_up]
    if not study.trained:
        return tuple(found)
    found.append(
        Claim(
            f"Finding this out took {done:,} training runs and {numbers.duration(study.seconds)}.",
            {"trials": done, "seconds": study.seconds},
            ("study",),
            "time",
        )
    )
    return tuple(found)


def _across(verdicts: Sequence[TaskVerdict], tallies: Sequence[Tally]) -> Claim:
    """Who is among the best how often; no winner over all tasks is named."""
    tasks = len(verdicts)
    front = [tally for tally in tallies if tally.best + tally.tie == tallies[0].best + tallies[0].tie]
    count = front[0].best + front[0].tie
    if not count:
        often = "On none of them is there enough to judge yet"
    else:
        who = numbers.names([tally.contender for tally in front][:4])
        often = f"Most often in front, as the best or tied with it: {who}, on {count} of {tasks}"
    rule = (
        f"With fewer than {ENOUGH_TASKS} tasks no winner over all of them is named"
        if tasks < ENOUGH_TASKS
        else "That is a count, not a ranking over all tasks"
    )
    return Claim(
        f"{tasks} tasks, each with its own answer. {often}. {rule}.",
        {"tasks": tasks, **{tally.contender: tally.best + tally.tie for tally in tallies}},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
        part="headline",
    )


def _everywhere(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere], unit: str) -> Claim:
    """What it costs to use one contender on every task: the one that costs least, and whether that is known."""
    tasks, first, second = len(verdicts), rows[0], rows[1]
    share = "of the way from an untrained model to the best" if unit == "progress" else "of the best's level"
    mean = f"{numbers.percent(first.regret.value)} {share} on average"
    if tasks >= ENOUGH_TASKS:
        mean += f" (likely {numbers.percent(first.regret.low)} to {numbers.percent(first.regret.high)} on such tasks)"
    worst = f"at most {numbers.percent(first.worst)}, on {first.worst_task}" if first.worst else "nothing anywhere"
    then = f"; then {second.contender} with {numbers.percent(second.regret.value)}"
    open_ = ""
    if tasks >= ENOUGH_TASKS and first.probability_least < 0.95:
        open_ = f" Over other tasks of the kind it would be the first in {100 * first.probability_least:.0f} of 100."
    return Claim(
        f"Whoever uses one optimizer for all of these tasks loses least with {first.contender}: {mean}, {worst}{then}."
        f"{open_}",
        {row.contender: row.regret.value for row in rows},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
    )


def _quickest(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere]) -> Iterator[Claim]:
    """Who is near the quickest on most tasks; not where nobody stands out."""
    known = [(row.profile.value, row) for row in rows if row.profile]
    if not known:
        return
    (area, first), *rest = sorted(known, key=lambda pair: -pair[0])
    if not rest or area - rest[0][0] < 0.05:
        return
    yield Claim(
        f"Closest to the quickest over all tasks is {first.contender}: its score is {area:.2f}, where 1 is the "
        f"quickest everywhere and 0 four times as slow or never there; then {rest[0][1].contender} "
        f"with {rest[0][0]:.2f}.",
        {row.contender: value for value, row in known},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "time",
    )


def _looks(verdicts: Sequence[TaskVerdict]) -> Iterator[Claim]:
    """Why studies that add seeds until they are sure have other numbers of repeats, and what that costs."""
    for verdict in verdicts:
        done = min((item.replicates + item.failed_replicates for item in verdict.standings), default=0)
        seen = [look for look in verdict.looks if look <= done]
        if not seen:
            continue
        times = {1: "once", 2: "twice"}.get(len(seen), f"{len(seen)} times")
        why = "then the answer was settled" if verdict.settled else "the answer is still open"
        if verdict.settled and len(seen) == len(verdict.looks):
            why = "the answer is settled"
        elif len(seen) == len(verdict.looks):
            why = f"{seen[-1]} were the most that were allowed, and the answer is still open"
        yield Claim(
            f"Repeats of {verdict.task.name} were added until the answer was sure. It was looked at {times}, after "
            f"{numbers.names([str(look) for look in seen])} repeats; {why}. The ranges are wide enough for that many "
            "looks.",
            {"looks": len(seen), "repeats": done},
            (f"task:{verdict.task.name}",),
            "luck",
        )


def _luck(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a repeat is, what "likely" means, and what neither covers."""
    drawn = list(dict.fromkeys(luck for verdict in verdicts for luck in verdict.task.luck))
    luck = numbers.names(drawn) if drawn else "whatever a seed draws"
    seeds = study.protocol.seeds
    if study.protocol.until_sure:
        seeds = max((item.replicates + item.failed_replicates for v in verdicts for item in v.standings), default=0)
    each = f"In each of the {seeds} repeats" if seeds > 1 else "In the one repeat"
    about = "at least" if study.protocol.until_sure else "about"
    alike = "" if any(contender.rates for contender in study.contenders) else ", on the same number of rates"
    return Claim(
        f'{each} every optimizer was tuned anew{alike}, with fresh luck: {luck}. "Likely" ranges cover that luck and '
        f"no more: of a hundred studies run with fresh luck, {about} {100 * confidence:.0f} give a range that holds "
        "the true figure.",
        {"seeds": seeds, "confidence": confidence},
        ("study",),
        "luck",
    )


def _luck_of_a_table(confidence: float) -> Claim:
    """What a range covers where nobody knows how the repeats came about."""
    return Claim(
        "A repeat is what the table calls one: likely ranges cover what differs between its repeats and no more. If "
        "all of them use settings that were tuned once before, the luck of that tuning is in none of them, and leads "
        f"are less sure than the {100 * confidence:.0f} in 100 that they are told with.",
        {"confidence": confidence},
        ("study",),
        "luck",
    )
