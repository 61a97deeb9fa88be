"""The sentences for the owner of a baseline: whether to keep what they have, and what tuning it alone would gain."""

from collections.abc import Iterator, Sequence

from steepest.messages import Message, Part, say
from steepest.verdict.judge.advice import fails_more
from steepest.verdict.results import Baseline, Claim, Estimate, Standing, TaskVerdict
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Context


def answer(context: Context, own: Baseline) -> Iterator[Claim]:
    """What to do, and what tuning the rate alone would gain."""
    mine = _standing(context, own.contender)
    yield _keep(context, own, mine) if own.decision == "keep" else _change(context, own, mine)
    if own.decision == "keep" or own.to != own.tuned:
        yield from _tuning(context, own)


def _keep(context: Context, own: Baseline, mine: Standing) -> Claim:
    parts = {"title": context.title, "who": own.contender}
    reached = context.reached(mine.quality.value) if mine.quality else ""
    first = say("{title}: keep what you have: {who}.", **parts)
    level = say("It reaches {level} (mean over {n} seeds).", level=reached, n=mine.replicates)
    if own.gain is None or own.to == own.tuned:  # that one has a sentence of its own
        says = say("{first} {level}", first=first, level=level)
    elif mine.status == "best":
        rest = say("Nothing has a better mean; next is {to}, {how}.", to=own.to, how=_ahead(context, own.gain))
        says = say("{first} {level} {rest}", first=first, level=level, rest=rest)
    else:
        rest = say("Nothing is shown to be better: {to}, the best mean, is {how}.", to=own.to,
                   how=_ahead(context, own.gain))  # fmt: skip
        says = say("{first} {level} {rest}", first=first, level=level, rest=rest)
    return Claim(says, _figures(own.gain, own.p), context.keys(mine), "use")


def _change(context: Context, own: Baseline, mine: Standing) -> Claim:
    to = _standing(context, own.to)
    take: Part = own.to
    if to.rate is not None:
        take = say("{best} with learning rate {rate}", best=own.to, rate=numbers.rate(to.rate))
    parts = {"title": context.title, "take": take, "who": own.contender}
    first = say("{title}: change to {take}.", **parts)
    if own.to == own.tuned:
        first = say("{title}: change the learning rate: {take}.", **parts)
    if own.gain is not None and not (mine.status != "behind" and fails_more(mine, to)):
        gain = say("It gains {size} over what you have, {who}.", size=context.size(own.gain), who=own.contender)
    else:
        gain = say("What you have, {who}, failed on {share}.", who=own.contender, share=context.failures(mine))
    parts = {"first": first, "gain": gain}
    if to.quality is not None:
        reached = context.reached(to.quality.value)
        level = say("It reaches {level} (mean over {n} seeds).", level=reached, n=to.replicates)
        says = say("{first} {gain} {level}", **parts, level=level)
    else:
        says = say("{first} {gain}", **parts)
    return Claim(says, _figures(own.gain, own.p), context.keys(to, mine), "use")


def _tuning(context: Context, own: Baseline) -> Iterator[Claim]:
    """What tuning the rate of the same optimizer gains."""
    if own.tuning is None or own.p_tuning is None:
        return
    tuned = _standing(context, own.tuned)
    gain, is_shown = own.tuning, own.p_tuning < 1 - context.confidence
    if is_shown and gain.value > 0:
        says = say("Tuning only your learning rate ({who}) gains {size}.", who=own.tuned, size=context.size(gain))
    elif is_shown:
        says = say(
            "Tuning only your learning rate ({who}) loses {size}: yours is better than what a search finds.",
            who=own.tuned,
            size=context.size(Estimate(-gain.value, -gain.high, -gain.low, gain.n)),
        )
    else:
        says = say(
            "Tuning only your learning rate ({who}) is not shown to change anything: it is {how}.",
            who=own.tuned,
            how=_ahead(context, gain),
        )
    yield Claim(says, _figures(gain, own.p_tuning), context.keys(tuned), "rate")


def over_all_tasks(verdicts: Sequence[TaskVerdict]) -> Iterator[Claim]:
    """On how many of several tasks to keep the baseline."""
    found = {verdict.task.name: verdict.baseline for verdict in verdicts if verdict.baseline}
    decided = {task: own for task, own in found.items() if own.decision != "open"}
    if not decided:
        return
    who = next(iter(decided.values())).contender
    change = [task for task, own in decided.items() if own.decision == "change"]
    parts = {"who": who, "n": len(decided) - len(change), "of": len(decided)}
    says = say("Keep what you have, {who}, on {n} of {of} tasks.", **parts)
    if change:
        says = say("{keep} Change on {tasks}.", keep=says, tasks=numbers.names(change))
    yield Claim(says, {"keep": len(decided) - len(change), "of": len(decided)},
                tuple(f"task:{task}" for task in decided), "use", part="headline")  # fmt: skip


def _ahead(context: Context, gain: Estimate) -> Message:
    """A difference whose sign is open: "ahead by 0.2 points on average (95 % interval: 0.1 behind to 0.5 ahead)"."""
    low, high = (numbers.gap(end, context.task) for end in (gain.low, gain.high))
    mean = say("level on average")
    if gain.value:
        size = context.gap(gain.value)
        mean = say("ahead by {gap} on average", gap=size)
        if gain.value < 0:
            mean = say("behind by {gap} on average", gap=size)
    parts = {"mean": mean, "level": context.level_of_confidence, "low": low, "high": high}
    if gain.low > 0:
        return say("{mean} ({level} interval: {low} to {high} ahead)", **parts)
    if gain.high < 0:
        return say("{mean} ({level} interval: {high} to {low} behind)", **parts)
    return say("{mean} ({level} interval: {low} behind to {high} ahead)", **parts)


def _standing(context: Context, name: str) -> Standing:
    return next(item for item in context.verdict.standings if item.contender == name)


def _figures(gain: Estimate | None, p: float | None) -> dict[str, float | int | str | None]:
    if gain is None:
        return {}
    return {"gain": gain.value, "low": gain.low, "high": gain.high, "n": gain.n, "p": p}
