"""The sentences that are read first: what to use, how certain that is, which ties exist, how sensitive the rate is.

A "seed" is a replicate: one seed's complete tuning.
"""

from collections.abc import Iterator, Sequence

from steepest.messages import NOTHING, Message, Part, counted, paragraph, say
from steepest.verdict.judge.advice import MIN_SPEEDUP, fails_more
from steepest.verdict.judge.findings import AtEdge
from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.results import Claim, Standing
from steepest.verdict.words import numbers
from steepest.verdict.words.baseline_claims import answer
from steepest.verdict.words.context import Context
from steepest.verdict.words.details import edge, failure, only_just_behind, unsure

ROBUST_DECADES, SENSITIVE_DECADES = 1.0, 0.4
"""Decades of good rates from which many rates work, and below which the optimizer is sensitive to its rate."""
MAX_NAMES = 4
"""Contenders that a headline lists by name; where there are more, it counts the rest."""


def headline(context: Context) -> Iterator[Claim]:
    """In order of importance: the last ones give way where the paragraph would become too long."""
    best = context.best
    if best.status == "failed":
        yield nothing_works(context)
    elif best.quality is None:
        yield nothing_yet(context)
    elif best.status == "unsure":
        yield too_early(context)
        yield from rate(context)
    elif leaders := unjudged_leaders(context):
        yield unjudged_lead(context, leaders[0])
        if context.task.source == "a table":
            yield tuned_once(context)
        yield from lead(context)
    else:
        own = context.verdict.baseline
        if own is not None and own.decision != "open":
            yield from answer(context, own)
        else:
            yield use(context)
        if context.task.source == "a table" and context.others:
            yield tuned_once(context)
        if context.ties:
            yield from expected(context)
        if own is None or own.decision != "keep":
            yield from lead(context)
        if own is None or own.contender != context.verdict.reference:
            yield from reference(context)
        yield from (unsure(context, item) for item in context.unsure[:1] if not (context.ties or context.behind))
        if best.failed_replicates:
            yield failure(context, best)
        first = {best.contender, context.advised.contender}
        yield from (edge(context, each) for each in context.found(AtEdge) if each.contender in first)
        yield from rate(context)
        yield from less_memory(context)
        if not context.ties:
            yield from expected(context)


def nothing_works(context: Context) -> Claim:
    says = say(
        "{title}: no recommendation. Every optimizer failed on every seed. Check the data and the model first, then "
        "the learning rates.",
        title=context.title,
    )
    return Claim(says, {"contenders": len(context.verdict.standings)}, context.keys(context.best), "failure")


def nothing_yet(context: Context) -> Claim:
    says = say("{title}: no results yet. No optimizer has finished a seed.", title=context.title)
    return Claim(says, {"repeats": 0}, context.keys(context.best), "weak")


def too_early(context: Context) -> Claim:
    best = context.best
    assert best.quality is not None
    at = NOTHING
    if best.rate is not None:
        at = say(" at learning rate {rate}", rate=numbers.rate(best.rate))
    says = say(
        "{title}: too few seeds for a verdict. {best} has {count}; at least {enough} are needed. So far it {ahead} "
        "{reached}{at}. Keep the optimizer that you use, or run more seeds.",
        title=context.title,
        enough=MIN_SEEDS,
        best=best.contender,
        count=best.replicates,
        ahead=say("leads with") if context.others else say("reaches"),
        reached=context.reached(best.quality.value),
        at=at,
    )
    return Claim(says, _figures(context), context.keys(best), "weak")


def unjudged_leaders(context: Context) -> list[Standing]:
    """Those with a better mean than the best of the judged, but with too few seeds to be judged; the best first. One
    that fails clearly more often is none: its mean is that of the easy seeds."""
    best, sign = context.best, 1 if context.task.higher_is_better else -1
    assert best.quality is not None
    ahead = [
        (sign * (item.quality.value - best.quality.value), item)
        for item in context.unsure
        if item.quality is not None and not fails_more(item, best)
    ]
    return [item for gap, item in sorted(ahead, key=lambda pair: -pair[0]) if gap > 0]


def unjudged_lead(context: Context, leader: Standing) -> Claim:
    """No advice where the highest mean has too few seeds: what is missing."""
    best = context.best
    assert best.quality is not None and leader.quality is not None
    missing = MIN_SEEDS - leader.replicates
    says = say(
        "{title}: no verdict yet. {leader} has the best mean, {level}, but only {count}. Run it on {missing} more. Of "
        "those with at least {enough} seeds, {best} leads with {reached}.",
        title=context.title,
        leader=leader.contender,
        level=context.level(leader.quality.value),
        count=counted(leader.replicates, "{n} seed", "{n} seeds"),
        missing=missing,
        enough=MIN_SEEDS,
        best=best.contender,
        reached=context.level(best.quality.value),
    )
    figures = {"seeds": leader.replicates, "missing": missing, "quality": leader.quality.value}
    return Claim(says, figures, context.keys(leader, best), "weak")


def use(context: Context) -> Claim:
    """What to use, and whether something else would do as well."""
    best = context.advised
    take: Part = best.contender
    if best.rate is not None:
        take = say("{best} with learning rate {rate}", best=take, rate=numbers.rate(best.rate))
    if best.failed_replicates:
        take = say("{take}, which failed on {share}", take=take, share=context.failures(best))
    elif fails_more(context.best, best):
        take = say("{take} instead of {who}, which failed on {share}", take=take, who=context.best.contender,
                   share=context.failures(context.best))  # fmt: skip
    failing = [item.contender for item in (context.best, *context.ties) if fails_more(item, best)]
    result = list(_result(context))
    if not context.ties:
        says = paragraph([say("{title}: use {take}.", title=context.title, take=take), *result])
        return Claim(says, _figures(context), context.keys(best), "use")
    if len(context.ties) == len(context.others):
        keep = say("{title}: a tie. Keep the optimizer that you already use.", title=context.title)
        if failing:
            keep = say("{title}: a tie. Keep the optimizer that you already use, unless it is one that fails: {who}.",
                       title=context.title, who=numbers.names(failing))  # fmt: skip
        fresh = say("If you start fresh, use {take}.", take=take)
        says = paragraph([keep, _no_difference(context), fresh, *result])
    else:
        first = say("{title}: use {take}.", title=context.title, take=take)
        says = paragraph([first, *result, _no_difference(context), *_keep(context, failing)])
    return Claim(says, {**_figures(context), "ties": len(context.ties)}, context.keys(best, *context.ties), "tie")


def _keep(context: Context, failing: Sequence[str]) -> Iterator[Message]:
    """A user of one of several ties need not change, unless it fails."""
    sound = [item.contender for item in context.ties if item.contender not in failing]
    if not sound:
        return
    if len(sound) == 1:
        yield say("If you already use {who}, keep it.", who=sound[0])
    elif len(sound) == len(context.ties):
        yield say("If you already use one of them, keep it.")
    else:
        yield say("If you already use one of these, keep it: {who}.", who=numbers.names(sound))


def _result(context: Context) -> Iterator[Message]:
    """What the one to use reaches, and how much faster it trains than the best mean, if that is another one."""
    best, first = context.advised, context.best
    assert best.quality is not None
    yield say("It reaches {level} (mean over {n} seeds).", level=context.reached(best.quality.value), n=best.replicates)
    if best is not first and best.seconds and first.seconds and MIN_SPEEDUP * best.seconds <= first.seconds:
        yield say(
            "It trains in {quick}; {first}, which has the best mean, takes {slow}.",
            quick=numbers.duration(best.seconds),
            first=first.contender,
            slow=numbers.duration(first.seconds),
        )


def _no_difference(context: Context) -> Message:
    """Why ties are ties: no significant difference, a difference too small to matter, or both. The reference is first,
    since most readers use it."""
    names = sorted((item.contender for item in context.ties), key=lambda name: name != context.verdict.reference)
    rest = len(names) - MAX_NAMES + 1
    named = names if len(names) <= MAX_NAMES else [*names[: MAX_NAMES - 1], say("{rest} others", rest=rest)]
    some = numbers.names(named)
    small = [only_just_behind(item) for item in context.ties]
    best = context.best.contender
    if all(small):
        return say("Practically equivalent to {best}: {some}.", best=best, some=some)
    if any(small):
        return say("Practically equivalent to {best}, or not significantly different: {some}.", best=best, some=some)
    return say("Not significantly different from {best}: {some}.", best=best, some=some)


def tuned_once(context: Context) -> Claim:
    """What a table does not say, and what would make its verdict too sure."""
    says = say("If the settings were tuned once, before these runs, the differences are less certain than stated.")
    return Claim(says, {}, context.keys(context.best), "weak")


def expected(context: Context) -> Iterator[Claim]:
    """What to expect of the one to use: after it was selected among ties, and on other examples."""
    item = context.advised
    if item.expected is None:
        return
    level = item.expected.level
    low, high = (numbers.quality(end, context.task) for end in (level.low, level.high))
    parts = {"level": context.level(level.value), "sure": context.level_of_confidence, "low": low, "high": high}
    new = item.expected.on_new_examples
    if context.ties and new:
        says = say(
            "Among ties, the one in front looks too good: on new examples of the same kind, expect {level} ({sure} "
            "interval {low} to {high}).",
            **parts,
        )
    elif context.ties:
        says = say(
            "Among ties, the one in front looks too good: expect {level} ({sure} interval {low} to {high}).", **parts
        )
    elif new:
        says = say("On new examples of the same kind, expect {level} ({sure} interval {low} to {high}).", **parts)
    else:
        return
    figures = {"quality": level.value, "low": level.low, "high": level.high, "n": level.n}
    yield Claim(says, figures, context.keys(item), "luck")


def lead(context: Context) -> Iterator[Claim]:
    """How far behind the next contender is; without one, how close the closest tie is."""
    own = context.verdict.baseline  # what it is behind by has been said
    behind = [item for item in context.behind if own is None or item.contender != own.contender]
    if behind:
        second = behind[0]
        assert second.behind_best is not None
        size = context.size(second.behind_best)
        if context.ties:
            says = say("The first one clearly behind is {second}, by {size}.", second=second.contender, size=size)
        else:
            says = say("Next best: {second}, behind by {size}.", second=second.contender, size=size)
        yield context.pair_claim(says, second, "behind")
    elif context.ties:
        second = context.ties[0]
        assert second.behind_best is not None
        how = context.reach(second.behind_best)
        if only_just_behind(second):
            how = say("behind by {size}", size=context.size(second.behind_best))
        says = say("Closest to {best}: {second}, {how}.", best=context.best.contender, second=second.contender, how=how)
        yield context.pair_claim(says, second, "tie")


def reference(context: Context) -> Iterator[Claim]:
    """How far behind the reference is, unless the sentence before has said it."""
    for item in context.behind[1:]:
        if item.contender == context.verdict.reference and item.behind_best is not None:
            says = say(
                "The reference, {who}, is behind by {size}.", who=item.contender, size=context.size(item.behind_best)
            )
            yield context.pair_claim(says, item, "behind")


def rate(context: Context) -> Iterator[Claim]:
    """How precisely the rate must be chosen; nothing if only one was tried."""
    best = context.advised
    if best.rate is None or best.safe_rates is None or len(best.points) < 2:
        return
    low, high = map(numbers.rate, best.safe_rates)
    parts = {"who": best.contender, "metric": context.metric, "low": low, "high": high}
    least, most = best.decades_between or (best.decades_5pct, best.decades_5pct)
    if least >= ROBUST_DECADES:
        says = say(
            "{who} works with many learning rates: from {low} to {high}, validation {metric} stays within 5 % of "
            "its best.",
            **parts,
        )
    elif most >= SENSITIVE_DECADES and low == high:
        says = say(
            "How precisely the learning rate of {who} must be chosen is still open after {n} seeds.",
            who=best.contender,
            n=best.replicates + best.failed_replicates,
        )
    elif most >= ROBUST_DECADES:
        says = say("From {low} to {high}, validation {metric} of {who} stays within 5 % of its best.", **parts)
    elif most >= SENSITIVE_DECADES:
        says = say(
            "{who} needs some care with its learning rate: only from {low} to {high} is validation {metric} shown to "
            "stay within 5 % of its best.",
            **parts,
        )
    elif low == high:
        says = say(
            "{who} is sensitive to its learning rate: only at {low} is validation {metric} shown to be within 5 % of "
            "its best.",
            **parts,
        )
    else:
        says = say(
            "{who} is sensitive to its learning rate: only from {low} to {high} is validation {metric} shown to stay "
            "within 5 % of its best.",
            **parts,
        )
    figures = {"rate": best.rate, "low": best.safe_rates[0], "high": best.safe_rates[1], "decades": best.decades_5pct}
    yield Claim(says, figures, context.keys(best), "rate")


def less_memory(context: Context) -> Iterator[Claim]:
    """A tie that needs less memory."""
    mine = context.advised.state_bytes_per_parameter
    lean = [
        (item.state_bytes_per_parameter, item) for item in context.ties if item.state_bytes_per_parameter is not None
    ]
    if mine is None or not lean:
        return
    theirs, item = min(lean, key=lambda pair: pair[0])
    if theirs >= mine:
        return
    which = say("{who} needs less memory", who=item.contender)
    if len(context.ties) > 1:
        which = say("Of the tied optimizers, {who} needs the least memory", who=item.contender)
    parts = {"which": which, "best": context.advised.contender, "mine": mine}
    if not theirs:
        says = say("{which}: it keeps no state; {best} keeps {mine:.3g} bytes per parameter.", **parts)
    else:
        says = say("{which}: {theirs:.3g} bytes per parameter; {best} needs {mine:.3g}.", **parts, theirs=theirs)
    yield Claim(says, {"bytes": theirs, "bytes_of_best": mine}, context.keys(context.advised, item), "use")


def _figures(context: Context) -> dict[str, float | int | str | None]:
    quality = context.advised.quality
    assert quality is not None
    figures = {"rate": context.advised.rate, "quality": quality.value, "low": quality.low, "high": quality.high}
    return {**figures, "n": quality.n}
