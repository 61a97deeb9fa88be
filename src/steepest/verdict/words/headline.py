"""The sentences that are read first: what to use, how sure that is, how much care the rate needs, what is as good.

Words are for someone who never read a statistics book: "likely" is the interval, "repeat" a replicate.
"""

from __future__ import annotations

from collections.abc import Iterator

from steepest.messages import NOTHING, Message, Part, paragraph, say
from steepest.verdict.judge.findings import AtEdge
from steepest.verdict.judge.pairs import ENOUGH
from steepest.verdict.results import Claim
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Scene
from steepest.verdict.words.details import edge, failure, only_just_behind, unsure

FORGIVING, TOUCHY = 1.0, 0.4
"""Decades of good rates from which on a rate is called forgiving, and below which it is called touchy."""
NAMED = 4
"""Contenders that a headline lists by name; where there are more, it counts the rest."""


def headline(scene: Scene) -> Iterator[Claim]:
    """In order of importance: the last ones give way where the paragraph would become too long."""
    best = scene.best
    if best.status == "failed":
        yield nothing_works(scene)
    elif best.quality is None:
        yield nothing_yet(scene)
    elif best.status == "unsure":
        yield too_early(scene)
        yield from rate(scene)
    else:
        yield use(scene)
        yield from lead(scene)
        yield from yardstick(scene)
        yield from (unsure(scene, item) for item in scene.unsure[:1] if not (scene.ties or scene.behind))
        if best.failed_replicates:
            yield failure(scene, best)
        first = {best.contender, scene.advised.contender}
        yield from (edge(scene, each) for each in scene.found(AtEdge) if each.contender in first)
        yield from rate(scene)
        yield from leaner(scene)


def nothing_works(scene: Scene) -> Claim:
    says = say(
        "{title}: no recommendation. Every optimizer failed on every seed. Check the data and the model first, then "
        "the learning rates.",
        title=scene.title,
    )
    return Claim(says, {"contenders": len(scene.verdict.standings)}, scene.keys(scene.best), "failure")


def nothing_yet(scene: Scene) -> Claim:
    says = say("{title}: no results yet. No optimizer has finished a seed.", title=scene.title)
    return Claim(says, {"repeats": 0}, scene.keys(scene.best), "weak")


def too_early(scene: Scene) -> Claim:
    best = scene.best
    assert best.quality is not None
    at = NOTHING
    if best.rate is not None:
        at = say(" at learning rate {rate}", rate=numbers.rate(best.rate))
    says = say(
        "{title}: too few seeds for a verdict. {best} has {count}; at least {enough} are needed. So far it {ahead} "
        "{reached}{at}. Keep the optimizer that you use, or run more seeds.",
        title=scene.title,
        enough=ENOUGH,
        best=best.contender,
        count=best.replicates,
        ahead=say("leads with") if scene.others else say("reaches"),
        reached=scene.reached(best.quality.value),
        at=at,
    )
    return Claim(says, _figures(scene), scene.keys(best), "weak")


def use(scene: Scene) -> Claim:
    """What to use, and whether something else would do as well."""
    best = scene.advised
    take: Part = best.contender
    if best.rate is not None:
        take = say("{best} with learning rate {rate}", best=take, rate=numbers.rate(best.rate))
    result = list(_result(scene))
    if not scene.ties:
        says = paragraph([say("{title}: use {take}.", title=scene.title, take=take), *result])
        return Claim(says, _figures(scene), scene.keys(best), "use")
    if len(scene.ties) == len(scene.others):
        keep = say("{title}: a tie. Keep the optimizer that you already use.", title=scene.title)
        fresh = say("If you start fresh, use {take}.", take=take)
        says = paragraph([keep, _no_difference(scene), fresh, *result])
    else:
        keep = say("If you already use {who}, keep it.", who=scene.ties[0].contender)
        if len(scene.ties) > 1:
            keep = say("If you already use one of them, keep it.")
        first = say("{title}: use {take}.", title=scene.title, take=take)
        says = paragraph([first, *result, _no_difference(scene), keep])
    return Claim(says, {**_figures(scene), "ties": len(scene.ties)}, scene.keys(best, *scene.ties), "tie")


def _result(scene: Scene) -> Iterator[Message]:
    """What the one to use reaches, and how much faster it trains than the best mean, if that is another one."""
    best, first = scene.advised, scene.best
    assert best.quality is not None
    yield say("It reaches {level} (mean over {n} seeds).", level=scene.reached(best.quality.value), n=best.replicates)
    if best is not first and best.seconds and first.seconds:
        yield say(
            "It trains in {quick}; {first}, which has the best mean, takes {slow}.",
            quick=numbers.duration(best.seconds),
            first=first.contender,
            slow=numbers.duration(first.seconds),
        )


def _no_difference(scene: Scene) -> Message:
    """Why ties are ties: because nobody can know, because the difference is small, or both. The reference comes first,
    since that is what most readers use."""
    names = sorted((item.contender for item in scene.ties), key=lambda name: name != scene.verdict.reference)
    rest = len(names) - NAMED + 1
    named = names if len(names) <= NAMED else [*names[: NAMED - 1], say("{rest} others", rest=rest)]
    some = numbers.names(named)
    small = [only_just_behind(item) for item in scene.ties]
    best = scene.best.contender
    if all(small):
        return say("Practically equivalent to {best}: {some}.", best=best, some=some)
    if any(small):
        return say(
            "Practically equivalent to {best}, or not significantly different: {some}.",
            best=best,
            some=some,
        )
    return say("Not significantly different from {best}: {some}.", best=best, some=some)


def lead(scene: Scene) -> Iterator[Claim]:
    """How far behind the first is that is behind; if there is none, how open the closest tie is."""
    if scene.behind:
        second = scene.behind[0]
        assert second.behind_best is not None
        size = scene.size(second.behind_best)
        if scene.ties:
            says = say("The first one clearly behind is {second}, by {size}.", second=second.contender, size=size)
        else:
            says = say("Next best: {second}, behind by {size}.", second=second.contender, size=size)
        yield scene.pair_claim(says, second, "behind")
    elif scene.ties:
        second = scene.ties[0]
        assert second.behind_best is not None
        how = scene.reach(second.behind_best)
        if only_just_behind(second):
            how = say("behind by {size}", size=scene.size(second.behind_best))
        says = say("Closest to {best}: {second}, {how}.", best=scene.best.contender, second=second.contender, how=how)
        yield scene.pair_claim(says, second, "tie")


def yardstick(scene: Scene) -> Iterator[Claim]:
    """What the best gains over the reference, where the sentence before has not said it."""
    for item in scene.behind[1:]:
        if item.contender == scene.verdict.reference and item.behind_best is not None:
            says = say(
                "The reference, {who}, is behind by {size}.",
                who=item.contender,
                size=scene.size(item.behind_best),
            )
            yield scene.pair_claim(says, item, "behind")


def rate(scene: Scene) -> Iterator[Claim]:
    """How much care the rate needs; nothing where only one was tried."""
    best = scene.advised
    if best.rate is None or best.safe_rates is None or len(best.points) < 2:
        return
    low, high = map(numbers.rate, best.safe_rates)
    parts = {"who": best.contender, "metric": scene.metric, "low": low, "high": high}
    if best.decades_5pct >= FORGIVING:
        says = say(
            "{who} works with many learning rates: from {low} to {high}, validation {metric} stays within 5 % of "
            "its best.",
            **parts,
        )
    elif best.decades_5pct >= TOUCHY:
        says = say(
            "{who} needs some care with its learning rate: only from {low} to {high} does validation {metric} stay "
            "within 5 % of its best.",
            **parts,
        )
    elif low == high:
        says = say(
            "{who} is sensitive to its learning rate: at none of the others tried is validation {metric} within 5 % of "
            "its best.",
            who=best.contender,
            metric=scene.metric,
        )
    else:
        says = say(
            "{who} is sensitive to its learning rate: it must lie between {low} and {high} to keep validation {metric} "
            "within 5 % of its best.",
            **parts,
        )
    figures = {"rate": best.rate, "low": best.safe_rates[0], "high": best.safe_rates[1], "decades": best.decades_5pct}
    yield Claim(says, figures, scene.keys(best), "rate")


def leaner(scene: Scene) -> Iterator[Claim]:
    """What is as good as far as the data can tell, and needs less memory."""
    mine = scene.advised.state_bytes_per_parameter
    lean = [(item.state_bytes_per_parameter, item) for item in scene.ties if item.state_bytes_per_parameter is not None]
    if mine is None or not lean:
        return
    theirs, item = min(lean, key=lambda pair: pair[0])
    if theirs >= mine:
        return
    which = say("{who} needs less memory", who=item.contender)
    if len(scene.ties) > 1:
        which = say("Of the tied optimizers, {who} needs the least memory", who=item.contender)
    parts = {"which": which, "best": scene.advised.contender, "mine": mine}
    if not theirs:
        says = say("{which}: it keeps no state; {best} keeps {mine:.3g} bytes per parameter.", **parts)
    else:
        says = say("{which}: {theirs:.3g} bytes per parameter; {best} needs {mine:.3g}.", **parts, theirs=theirs)
    yield Claim(says, {"bytes": theirs, "bytes_of_best": mine}, scene.keys(scene.advised, item), "use")


def _figures(scene: Scene) -> dict[str, float | int | str | None]:
    quality = scene.advised.quality
    assert quality is not None
    figures = {"rate": scene.advised.rate, "quality": quality.value, "low": quality.low, "high": quality.high}
    return {**figures, "n": quality.n}
