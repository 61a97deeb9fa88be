"""What a study found: which claims are made, in which order, and which are read first.

With `headline`, `details` and `numbers`, the only place where sentences about results are written. Every sentence is a
`Claim` with its numbers and the keys of its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steepest.messages import NOTHING, counted, say, term
from steepest.records.study_record import StudyRecord
from steepest.verdict.judge.diagnosis import Reason
from steepest.verdict.judge.findings import Finding
from steepest.verdict.results import Claim, Everywhere, Tally, TaskVerdict
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Scene
from steepest.verdict.words.details import details
from steepest.verdict.words.headline import headline
from steepest.verdict.words.reasons import why

WORDS = 120
"""The length of a headline: claims that would exceed it are told below it."""
ENOUGH_TASKS = 6
"""Tasks below which no winner over all tasks is named."""


def about_task(verdict: TaskVerdict, findings: Sequence[Finding], reasons: Sequence[Reason] = ()) -> tuple[Claim, ...]:
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
    rest = (claim for claim in details(scene) if claim.sentence not in said)
    return (*above, *below, *why(verdict.task.name, reasons), *rest)


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
        says = say("Nothing has been trained yet, so there is nothing to say.")
        return (Claim(says, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found.append(_across(verdicts, tallies))
    if rows:
        found += [_everywhere(verdicts, rows, unit), *_quickest(verdicts, rows)]
    done = len(study.results)
    if not study.finished:
        says = say(
            "The study has run {done} of {planned} training runs: all of this may still change.",
            done=done,
            planned=study.trials_planned,
        )
        found.append(Claim(says, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += _looks(verdicts)
    found += [_luck(study, verdicts, confidence) if study.trained else _luck_of_a_table(confidence)]
    found += [Claim(says, {}, ("study",), "weak") for says in study.given_up]
    if not study.trained:
        return tuple(found)
    found.append(
        Claim(
            say(
                "Finding this out took {done} and {time}.",
                done=counted(done, "{n:,} training run", "{n:,} training runs"),
                time=numbers.duration(study.seconds),
            ),
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
    often = say("On none of them is there enough to judge yet")
    if count:
        often = say(
            "Most often in front, as the best or tied with it: {who}, on {count} of {tasks}",
            who=numbers.names([tally.contender for tally in front][:4]),
            count=count,
            tasks=tasks,
        )
    rule = say("That is a count, not a ranking over all tasks")
    if tasks < ENOUGH_TASKS:
        rule = say(
            "With fewer than {enough} tasks no winner over all of them is named",
            enough=ENOUGH_TASKS,
        )
    return Claim(
        say(
            "{tasks} tasks, each with its own answer. {often}. {rule}.",
            tasks=tasks,
            often=often,
            rule=rule,
        ),
        {"tasks": tasks, **{tally.contender: tally.best + tally.tie for tally in tallies}},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
        part="headline",
    )


def _everywhere(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere], unit: str) -> Claim:
    """What it costs to use one contender on every task: the one that costs least, and whether that is known."""
    tasks, first, second = len(verdicts), rows[0], rows[1]
    share = say("of the best's level")
    if unit == "progress":
        share = say("of the way from an untrained model to the best")
    mean = say("{mean} {share} on average", mean=numbers.percent(first.regret.value), share=share)
    if tasks >= ENOUGH_TASKS:
        mean = say(
            "{mean} (likely {low} to {high} on such tasks)",
            mean=mean,
            low=numbers.percent(first.regret.low),
            high=numbers.percent(first.regret.high),
        )
    worst = say("nothing anywhere")
    if first.worst:
        worst = say(
            "at most {worst}, on {task}",
            worst=numbers.percent(first.worst),
            task=first.worst_task,
        )
    open_ = NOTHING
    if tasks >= ENOUGH_TASKS and first.probability_least < 0.95:
        open_ = say(
            " Over other tasks of the kind it would be the first in {n:.0f} of 100.",
            n=100 * first.probability_least,
        )
    return Claim(
        say(
            "Whoever uses one optimizer for all of these tasks loses least with {first}: {mean}, {worst}; then "
            "{second} with {regret}.{open}",
            first=first.contender,
            mean=mean,
            worst=worst,
            second=second.contender,
            regret=numbers.percent(second.regret.value),
            open=open_,
        ),
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
        say(
            "Closest to the quickest over all tasks is {first}: its score is {area:.2f}, where 1 is the quickest "
            "everywhere and 0 four times as slow or never there; then {second} with {next:.2f}.",
            first=first.contender,
            area=area,
            second=rest[0][1].contender,
            next=rest[0][0],
        ),
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
        why = say("then the answer was settled") if verdict.settled else say("the answer is still open")
        if verdict.settled and len(seen) == len(verdict.looks):
            why = say("the answer is settled")
        elif len(seen) == len(verdict.looks):
            why = say(
                "{most} were the most that were allowed, and the answer is still open",
                most=seen[-1],
            )
        yield Claim(
            say(
                "Repeats of {task} were added until the answer was sure. It was looked at {times}, after {seen} "
                "repeats; {why}. The ranges are wide enough for that many looks.",
                task=verdict.task.name,
                times={1: say("once"), 2: say("twice")}.get(len(seen), say("{looks} times", looks=len(seen))),
                seen=numbers.names([str(look) for look in seen]),
                why=why,
            ),
            {"looks": len(seen), "repeats": done},
            (f"task:{verdict.task.name}",),
            "luck",
        )


def _luck(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a repeat is, what "likely" means, and what neither covers."""
    drawn = list(dict.fromkeys(luck for verdict in verdicts for luck in verdict.task.luck))
    seeds = study.protocol.seeds
    if study.protocol.until_sure:
        seeds = max((item.replicates + item.failed_replicates for v in verdicts for item in v.standings), default=0)
    each = say("In the one repeat")
    if seeds > 1:
        each = say("In each of the {seeds} repeats", seeds=seeds)
    own = any(contender.rates for contender in study.contenders)
    return Claim(
        say(
            '{each} every optimizer was tuned anew{alike}, with fresh luck: {luck}. "Likely" ranges cover that luck '
            "and no more: of a hundred studies run with fresh luck, {about} {n:.0f} give a range that holds the true "
            "figure.",
            each=each,
            alike=NOTHING if own else say(", on the same number of rates"),
            luck=numbers.names([term(word) for word in drawn]) if drawn else say("whatever a seed draws"),
            about=say("at least") if study.protocol.until_sure else say("about"),
            n=100 * confidence,
        ),
        {"seeds": seeds, "confidence": confidence},
        ("study",),
        "luck",
    )


def _luck_of_a_table(confidence: float) -> Claim:
    """What a range covers where nobody knows how the repeats came about."""
    return Claim(
        say(
            "A repeat is what the table calls one: likely ranges cover what differs between its repeats and no more. "
            "If all of them use settings that were tuned once before, the luck of that tuning is in none of them, and "
            "leads are less sure than the {n:.0f} in 100 that they are told with.",
            n=100 * confidence,
        ),
        {"confidence": confidence},
        ("study",),
        "luck",
    )
