"""What a study found, in English: which claims are made, in which order, and which of them are read first.

With `headline`, `details` and `numbers`, the only place where sentences about results are written. Every sentence is a
`Claim` with its numbers and the keys of its evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steepest.types import StudyRecord
from steepest.verdict import numbers
from steepest.verdict.details import details
from steepest.verdict.diagnostics import Finding
from steepest.verdict.headline import headline
from steepest.verdict.nouns import Claim, Tally, TaskVerdict
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
    study: StudyRecord, verdicts: Sequence[TaskVerdict], tallies: Sequence[Tally], confidence: float
) -> tuple[Claim, ...]:
    """Claims that no single task bears: the tasks together, how far the figures reach, and what they cost."""
    found = []
    if not verdicts:
        sentence = "Nothing has been trained yet, so there is nothing to say."
        return (Claim(sentence, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found.append(_across(verdicts, tallies))
    done = len(study.results)
    if not study.finished:
        sentence = f"The study has run {done} of {study.trials_planned} training runs: all of this may still change."
        found.append(Claim(sentence, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += [_luck(study, verdicts, confidence)]
    found += [Claim(sentence, {}, ("study",), "weak") for sentence in study.given_up]
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


def _luck(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a repeat is, what "likely" means, and what neither covers."""
    drawn = list(dict.fromkeys(luck for verdict in verdicts for luck in verdict.task.luck))
    luck = numbers.names(drawn) if drawn else "whatever a seed draws"
    seeds = study.protocol.seeds
    each = f"In each of the {seeds} repeats" if seeds > 1 else "In the one repeat"
    alike = "" if any(contender.rates for contender in study.contenders) else ", on the same number of rates"
    return Claim(
        f'{each} every optimizer was tuned anew{alike}, with fresh luck: {luck}. "Likely" ranges cover that luck and '
        f"no more: of a hundred studies run with fresh luck, about {100 * confidence:.0f} give a range that holds the "
        "true figure.",
        {"seeds": seeds, "confidence": confidence},
        ("study",),
        "luck",
    )
