"""The sentences that are read first: what to use, how sure that is, how much care the rate needs, what is as good.

Words are for someone who never read a statistics book: "likely" is the interval, "repeat" a replicate.
"""

from __future__ import annotations

from collections.abc import Iterator

from steepest.messages import NOTHING, Message, Part, say
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
        "{title}: nothing can be recommended, because no optimizer got through its training in any repeat. Look at the "
        "data and the model first, then at the rates that were tried.",
        title=scene.title,
    )
    return Claim(says, {"contenders": len(scene.verdict.standings)}, scene.keys(scene.best), "failure")


def nothing_yet(scene: Scene) -> Claim:
    says = say(
        "{title}: too early to say anything, since no optimizer has completed a repeat.",
        title=scene.title,
    )
    return Claim(says, {"repeats": 0}, scene.keys(scene.best), "weak")


def too_early(scene: Scene) -> Claim:
    best = scene.best
    assert best.quality is not None
    at = NOTHING
    if best.rate is not None:
        at = say(" at a learning rate of {rate}", rate=numbers.rate(best.rate))
    says = say(
        "{title}: not enough to judge. A verdict takes at least {enough} repeats, and {best} has {count}. So far it "
        "{ahead} {reached}{at}. Keep what you have, or run more seeds.",
        title=scene.title,
        enough=ENOUGH,
        best=best.contender,
        count=best.replicates,
        ahead=say("is ahead with") if scene.others else say("reaches"),
        reached=scene.reached(best.quality.value),
        at=at,
    )
    return Claim(says, _figures(scene), scene.keys(best), "weak")


def use(scene: Scene) -> Claim:
    """What to use, and whether something else would do as well."""
    best = scene.advised
    assert best.quality is not None
    take: Part = best.contender
    if best.rate is not None:
        take = say("{best} with a learning rate of {rate}", best=take, rate=numbers.rate(best.rate))
    reached = say(
        "it reaches {level}, the mean of {n} repeats",
        level=scene.reached(best.quality.value),
        n=best.replicates,
    )
    if best is not scene.best and best.seconds and scene.best.seconds:
        reached = say(
            "{reached}, and a run takes {quick} where one of {first}, which has the best mean, takes {slow}",
            reached=reached,
            quick=numbers.duration(best.seconds),
            first=scene.best.contender,
            slow=numbers.duration(scene.best.seconds),
        )
    if not scene.ties:
        says = say("{title}: use {take}; {reached}.",
                   title=scene.title, take=take, reached=reached)  # fmt: skip
        return Claim(says, _figures(scene), scene.keys(best), "use")
    names = [item.contender for item in scene.ties]
    if len(names) == len(scene.others):
        says = say(
            "{title}: a tie, so keep what you have. {alike}. Starting fresh, take {take}: {reached}.",
            title=scene.title,
            alike=_no_difference(scene),
            take=take,
            reached=reached,
        )
    else:
        says = say(
            "{title}: use {take}; {reached}. {alike}: if you already use {those}, keep it.",
            title=scene.title,
            take=take,
            reached=reached,
            alike=_no_difference(scene),
            those=say("one of these") if len(names) > 1 else say("that"),
        )
    return Claim(says, {**_figures(scene), "ties": len(names)}, scene.keys(best, *scene.ties), "tie")


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
        return say(
            "The difference between {best} and {some} is too small to matter",
            best=best,
            some=some,
        )
    if any(small):
        return say(
            "The difference between {best} and {some} is too small to matter or to be sure of",
            best=best,
            some=some,
        )
    return say("The data can't tell {best} from {some}", best=best, some=some)


def lead(scene: Scene) -> Iterator[Claim]:
    """How far behind the first is that is behind; if there is none, how open the closest tie is."""
    if scene.behind:
        second = scene.behind[0]
        assert second.behind_best is not None
        says = say(
            "{who}, {second}, is behind by {size}.",
            who=say("The best of the others") if scene.ties else say("The next best"),
            second=second.contender,
            size=scene.size(second.behind_best),
        )
        yield scene.pair_claim(says, second, "behind")
    elif scene.ties:
        second = scene.ties[0]
        assert second.behind_best is not None
        if only_just_behind(second):
            says = say(
                "The closest, {second}, is behind by {size}.",
                second=second.contender,
                size=scene.size(second.behind_best),
            )
        else:
            says = say(
                "The closest, {second}, is {reach}.",
                second=second.contender,
                reach=scene.reach(second.behind_best, scene.best.contender),
            )
        yield scene.pair_claim(says, second, "tie")


def yardstick(scene: Scene) -> Iterator[Claim]:
    """What the best gains over the reference, where the sentence before has not said it."""
    for item in scene.behind[1:]:
        if item.contender == scene.verdict.reference and item.behind_best is not None:
            says = say(
                "This study's yardstick, {who}, is behind by {size}.",
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
    level = say("within 5 % of its best validation {metric}", metric=scene.metric)
    if best.decades_5pct >= FORGIVING:
        says = say(
            "{who} is forgiving about its rate: anything from {low} to {high} stays {level}.",
            low=low,
            high=high,
            level=level,
            who=best.contender,
        )
    elif best.decades_5pct >= TOUCHY:
        says = say(
            "{who} needs some care with its rate: only from {low} to {high} does it stay {level}.",
            low=low,
            high=high,
            level=level,
            who=best.contender,
        )
    elif low == high:
        says = say(
            "{who} is touchy about its rate: none of the other rates tried stays {level}.",
            level=level,
            who=best.contender,
        )
    else:
        says = say(
            "{who} is touchy about its rate: it must lie between {low} and {high} to stay {level}.",
            low=low,
            high=high,
            level=level,
            who=best.contender,
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
    which = say("Leaner in memory")
    if len(scene.ties) > 1:
        which = say("The leanest of these in memory")
    keeps = (
        say(
            "{theirs:.3g} bytes for each of the model's parameters where {best} keeps {mine:.3g}",
            theirs=theirs,
            best=scene.advised.contender,
            mine=mine,
        )
        if theirs
        else say(
            "nothing between steps where {best} keeps {mine:.3g} bytes for each of the model's parameters",
            best=scene.advised.contender,
            mine=mine,
        )
    )
    says = say("{which} is {who}: it keeps {keeps}.",
               which=which, who=item.contender, keeps=keeps)  # fmt: skip
    yield Claim(says, {"bytes": theirs, "bytes_of_best": mine}, scene.keys(scene.advised, item), "use")


def _figures(scene: Scene) -> dict[str, float | int | str | None]:
    quality = scene.advised.quality
    assert quality is not None
    figures = {"rate": scene.advised.rate, "quality": quality.value, "low": quality.low, "high": quality.high}
    return {**figures, "n": quality.n}
