"""The sentences on the axes of a study: what each value does with each optimizer, and which weights are kept."""

from collections.abc import Iterator
from statistics import median

from steepest.messages import Message, counted, enumerated, say, term
from steepest.verdict.judge.factor_effects import AxisEffect, Change, KeptWeights
from steepest.verdict.results import Claim, Estimate
from steepest.verdict.words.context import Context

AXES = {
    "dropout": say("Dropout"),
    "l1": say("L1"),
    "l2": say("L2"),
    "decay": say("Decay"),
    "augment": say("Augment"),
    "word-dropout": say("Word-dropout"),
    "label-smoothing": say("Label-smoothing"),
    "early-stopping": say("Early-stopping"),
    "search": say("Search"),
}
"""Their names at the head of a sentence."""


def about_axes(context: Context) -> Iterator[Claim]:
    yield from (_effect(context, each) for each in context.found(AxisEffect))
    yield from (_stopping(context, each) for each in context.found(KeptWeights))


def _effect(context: Context, effect: AxisEffect) -> Claim:
    clauses = [_clause(context, effect, change) for change in effect.changes]
    says = say(
        "{axis} with {who}: {clauses}.",
        axis=AXES.get(effect.axis) or term(effect.axis[0].upper() + effect.axis[1:]),
        who=effect.within,
        clauses=enumerated(clauses, "{clause}; {clauses}"),
    )
    gains = {change.value: change.gain.value for change in effect.changes if change.gain}
    who = (effect.baseline, *(change.contender for change in effect.changes))
    return Claim(
        says, gains, tuple(map(context.key, who)), "use", "headline" if context.best.contender in who else "detail"
    )


def _clause(context: Context, effect: AxisEffect, change: Change) -> Message:
    gain = change.gain
    if gain is None:
        return say("too few seeds to judge {value}", value=change.value)
    if gain.low == gain.high == 0:
        return say("{value} and {first} came to the same results", value=change.value, first=effect.first)
    if gain.low > 0:
        return say(
            "{value} is better than {first} by {size}", value=change.value, first=effect.first, size=context.size(gain)
        )
    if gain.high < 0:
        loss = Estimate(-gain.value, -gain.high, -gain.low, gain.n)
        return say(
            "{value} is worse than {first} by {size}", value=change.value, first=effect.first, size=context.size(loss)
        )
    return say(
        "no significant difference between {value} and {first} ({level} interval: {worse} worse to {better} better)",
        value=change.value,
        first=effect.first,
        level=context.level_of_confidence,
        worse=context.gap(gain.low),
        better=context.gap(gain.high),
    )


def _stopping(context: Context, kept: KeptWeights) -> Claim:
    total = context.task.steps
    middle = round(median(kept.steps))
    says = say(
        "Early stopping with {who}: a run stops after {waited} without improvement and keeps its best weights. The "
        "chosen runs keep those of step {middle:,} (from {low:,} to {high:,}) of {total:,}.",
        who=kept.contender,
        waited=counted(kept.epochs, "{n:g} epoch", "{n:g} epochs"),
        middle=middle,
        low=kept.steps[0],
        high=kept.steps[-1],
        total=total,
    )
    return Claim(says, {"step": middle, "epochs": kept.epochs}, (context.key(kept.contender),), "use")
