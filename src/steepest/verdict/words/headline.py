"""The sentences that are read first: what to use, how certain that is, which ties exist, how sensitive the rate is.

A "seed" is a replicate: one seed's complete tuning.
"""

from collections.abc import Iterator, Sequence

from steepest.messages import NOTHING, Message, Part, counted, paragraph, say
from steepest.verdict.judge.advice import fails_more, saves_time, unjudged_leaders
from steepest.verdict.judge.findings import AtEdge, Resolution
from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.judge.standings import beats_constant
from steepest.verdict.results import Claim, Standing
from steepest.verdict.words import numbers
from steepest.verdict.words.baseline_claims import answer
from steepest.verdict.words.context import Context
from steepest.verdict.words.details import edge, failure, only_just_behind, unsure, what_it_holds_for
from steepest.verdict.words.turned_claims import at_edges, in_words, worth

ROBUST_DECADES, SENSITIVE_DECADES = 1.0, 0.4
"""Decades of good rates from which many rates work, and below which the optimizer is sensitive to its rate."""
FEW_STEPS = 25
"""Up to this many steps, a training is too short to judge."""
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
    elif leaders := unjudged_leaders(context.verdict.standings, context.task.higher_is_better):
        yield unjudged_lead(context, leaders[0])
        if context.task.source == "a table":
            yield tuned_once(context)
        yield from lead(context)
    else:
        own = context.verdict.baseline
        if own is not None and own.decision != "open":
            yield from answer(context, own)
        else:
            yield from use(context)
        yield from nothing_learned(context)
        if context.ties:
            yield from expected(context)
        if own is None or own.decision != "keep":
            yield from lead(context)
        if own is None or own.decision == "open":
            yield from evidence(context)
        yield from (unsure(context, item) for item in context.unsure[:1] if not (context.ties or context.behind))
        if context.advised.failed_replicates:
            yield failure(context, context.advised)
        yield from (
            edge(context, each) for each in context.found(AtEdge) if each.contender == context.advised.contender
        )
        if context.advised.turned is not None:
            yield from worth(context, context.advised, context.advised.turned)
            yield from at_edges(context, context.advised, context.advised.turned)
        yield from rate(context)
        if not context.ties:
            yield from expected(context)
        if context.task.source == "a table" and context.others:
            yield tuned_once(context)
        yield from too_short(context)
        yield what_it_holds_for(context)


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


def use(context: Context) -> Iterator[Claim]:
    """What to use, what it reaches, and whether something else would do as well."""
    best = context.advised
    take: Part = best.contender
    if best.turned is not None and best.turned.setting:
        take = say("{best} with {setting}", best=take, setting=in_words(best.turned.setting))
    elif best.rate is not None:
        take = say("{best} with learning rate {rate}", best=take, rate=numbers.rate(best.rate))
    figures, keys = _figures(context), context.keys(best)
    failing = [item.contender for item in (context.best, *context.ties) if fails_more(item, best)]
    level = [Claim(says, figures, keys, "use") for says in _result(context)]
    if not context.ties:
        yield Claim(say("{title}: use {take}.", title=context.title, take=take), figures, keys, "use")
        yield from level
        return
    figures, keys = {**figures, "ties": len(context.ties)}, context.keys(best, *context.ties)
    alike = _no_difference(context)
    if len(context.ties) == len(context.others):
        keep = say("{title}: a tie; keep the optimizer that you already use.", title=context.title)
        if failing:
            keep = say("{title}: a tie; keep the optimizer that you already use, unless it is one that fails: {who}.",
                       title=context.title, who=numbers.names(failing))  # fmt: skip
        yield Claim(keep, figures, keys, "tie")
        yield Claim(alike, figures, keys, "tie")
        yield Claim(say("If you start fresh, use {take}.", take=take), figures, keys, "use")
        yield from level
    else:
        yield Claim(say("{title}: use {take}.", title=context.title, take=take), figures, keys, "tie")
        yield from level
        yield Claim(paragraph([alike, *_keep(context, failing)]), figures, keys, "tie")


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
    if best is first:
        return
    if fails_more(first, best):
        yield say("{who} has the best mean, but failed on {share}.", who=first.contender, share=context.failures(first))
    elif saves_time(best, first) and best.seconds and first.seconds:
        yield say(
            "It trains in {quick}; {first}, which has the best mean, takes {slow}.",
            quick=numbers.duration(best.seconds),
            first=first.contender,
            slow=numbers.duration(first.seconds),
        )
    else:
        yield say("It is shown to be as good as {first}, which has the best mean, and needs less memory.",
                  first=first.contender)  # fmt: skip


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


def nothing_learned(context: Context) -> Iterator[Claim]:
    """Where even the one to use is not shown to do better than a constant prediction."""
    item, task = context.advised, context.task
    if task.constant is None or item.quality is None or beats_constant(item.quality, task):
        return
    says = say(
        "It is not shown to do better than a constant prediction, which reaches {level}.",
        level=context.level(task.constant),
    )
    yield Claim(says, {"constant": task.constant}, context.keys(item), "weak")


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
    """How far behind the next contender is."""
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


def evidence(context: Context) -> Iterator[Claim]:
    """Whether ties are shown to be ties, and what would settle those that are not."""
    margin = context.verdict.margin
    gaps = [item.behind_best for item in context.ties if item.behind_best is not None]
    if not gaps:
        return
    keys = context.keys(context.best, *context.ties)
    if all(max(gap.high, -gap.low) < margin for gap in gaps):
        says = say("This is settled: all ties are shown to be within {limit} of the best.", limit=context.limit)
        yield Claim(says, {"margin": margin}, keys, "tie")
        return
    found = next(iter(context.found(Resolution)), None)
    if found is None:
        return
    if margin == 0 or (found.needed is not None and found.needed <= found.n):
        settling = say("More seeds would detect smaller ones.")
    elif found.by_examples:
        settling = say("To detect {limit}, more test examples are needed.", limit=context.limit)
    elif found.needed is None:
        settling = say("To detect {limit}, even 1,000 seeds may be too few.", limit=context.limit)
    else:
        settling = say("To detect {limit}, run {needed} seeds.", limit=context.limit, needed=found.needed)
    parts = {"n": found.n, "gap": context.gap(found.smallest), "settling": settling}
    loss, who = context.verdict.may_lose, context.advised.contender
    if loss:
        says = say(
            "Tied for lack of evidence: {who} may be up to {loss} worse than another. {n} seeds detect differences of "
            "{gap}. {settling}",
            who=who,
            loss=context.gap(loss),
            **parts,
        )
    else:
        says = say("Tied for lack of evidence: {n} seeds detect differences of {gap}. {settling}", **parts)
    figures = {"n": found.n, "smallest": found.smallest, "needed": found.needed, "may_lose": loss}
    yield Claim(says, figures, keys, "tie")


def too_short(context: Context) -> Iterator[Claim]:
    """Where a training has so few steps that its course says little."""
    steps = context.task.steps
    if 0 < steps <= FEW_STEPS:
        says = say(
            "A training has only {steps} steps: too few to judge learning curves. Train longer before you decide.",
            steps=steps,
        )
        yield Claim(says, {"steps": steps}, (f"task:{context.task.name}",), "weak")


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
    parts = {"who": item.contender, "best": context.advised.contender, "mine": mine}
    if not theirs:
        says = say("Less memory: {who} keeps no state; {best} keeps {mine:.3g} bytes per parameter.", **parts)
    else:
        says = say("Less memory: {who} keeps {theirs:.3g} bytes per parameter; {best} keeps {mine:.3g}.", **parts,
                   theirs=theirs)  # fmt: skip
    yield Claim(says, {"bytes": theirs, "bytes_of_best": mine}, context.keys(context.advised, item), "use")


def _figures(context: Context) -> dict[str, float | int | str | None]:
    quality = context.advised.quality
    assert quality is not None
    figures = {"rate": context.advised.rate, "quality": quality.value, "low": quality.low, "high": quality.high}
    return {**figures, "n": quality.n}
