"""The sentences that are read first: what to use, how sure that is, how much care the rate needs, what is as good.

Words are for someone who never read a statistics book: "likely" is the interval, "repeat" a replicate.
"""

from __future__ import annotations

from collections.abc import Iterator

from steepest.verdict import numbers
from steepest.verdict.details import edge, failure, only_just_behind, unsure
from steepest.verdict.diagnostics import AtEdge
from steepest.verdict.nouns import Claim
from steepest.verdict.pairs import ENOUGH
from steepest.verdict.scene import Scene

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
        yield from (edge(scene, each) for each in scene.found(AtEdge) if each.contender == best.contender)
        yield from rate(scene)
        yield from leaner(scene)


def nothing_works(scene: Scene) -> Claim:
    sentence = (
        f"{scene.title}: nothing can be recommended, because no optimizer got through its training in any repeat. Look "
        "at the data and the model first, then at the rates that were tried."
    )
    return Claim(sentence, {"contenders": len(scene.verdict.standings)}, scene.keys(scene.best), "failure")


def nothing_yet(scene: Scene) -> Claim:
    sentence = f"{scene.title}: too early to say anything, since no optimizer has completed a repeat."
    return Claim(sentence, {"repeats": 0}, scene.keys(scene.best), "weak")


def too_early(scene: Scene) -> Claim:
    best = scene.best
    assert best.quality is not None
    count = best.replicates
    ahead = "is ahead with" if scene.others else "reaches"
    at = f", at a learning rate of {numbers.rate(best.rate)}" if best.rate is not None else ""
    sentence = (
        f"{scene.title}: not enough to judge. A verdict takes at least {ENOUGH} repeats, and {best.contender} has "
        f"{count}. So far it {ahead} {scene.reached(best.quality.value)}{at}. Keep what you have, or run more seeds."
    )
    return Claim(sentence, _figures(scene), scene.keys(best), "weak")


def use(scene: Scene) -> Claim:
    """What to use, and whether something else would do as well."""
    best = scene.best
    assert best.quality is not None
    take = best.contender
    if best.rate is not None:
        take += f" with a learning rate of {numbers.rate(best.rate)}"
    reached = f"it reaches {scene.reached(best.quality.value)}, the mean of {best.replicates} repeats"
    if not scene.ties:
        return Claim(f"{scene.title}: use {take}; {reached}.", _figures(scene), scene.keys(best), "use")
    names = [item.contender for item in scene.ties]
    if len(names) == len(scene.others):
        sentence = f"{scene.title}: a tie, so keep what you have. {_no_difference(scene)}. "
        sentence += f"Starting fresh, take {take}: {reached}."
    else:
        those = "one of these" if len(names) > 1 else "that"
        sentence = (
            f"{scene.title}: use {take}; {reached}. {_no_difference(scene)}: if you already use {those}, keep it."
        )
    return Claim(sentence, {**_figures(scene), "ties": len(names)}, scene.keys(best, *scene.ties), "tie")


def _no_difference(scene: Scene) -> str:
    """Why ties are ties: because nobody can know, because the difference is small, or both. The reference comes first,
    since that is what most readers use."""
    names = sorted((item.contender for item in scene.ties), key=lambda name: name != scene.verdict.reference)
    some = numbers.names(names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"])
    small = [only_just_behind(item) for item in scene.ties]
    best = scene.best.contender
    if all(small):
        return f"The difference between {best} and {some} is too small to matter"
    if any(small):
        return f"The difference between {best} and {some} is too small to matter or to be sure of"
    return f"The data can't tell {best} from {some}"


def lead(scene: Scene) -> Iterator[Claim]:
    """How far behind the first is that is behind; if there is none, how open the closest tie is."""
    if scene.behind:
        second = scene.behind[0]
        assert second.behind_best is not None
        who = "The best of the others" if scene.ties else "The next best"
        sentence = f"{who}, {second.contender}, is behind by {scene.size(second.behind_best)}."
        yield scene.pair_claim(sentence, second, "behind")
    elif scene.ties:
        second = scene.ties[0]
        assert second.behind_best is not None
        if only_just_behind(second):
            sentence = f"The closest, {second.contender}, is behind by {scene.size(second.behind_best)}."
        else:
            reach = scene.reach(second.behind_best, scene.best.contender)
            sentence = f"The closest, {second.contender}, is {reach}."
        yield scene.pair_claim(sentence, second, "tie")


def yardstick(scene: Scene) -> Iterator[Claim]:
    """What the best gains over the reference, where the sentence before has not said it."""
    for item in scene.behind[1:]:
        if item.contender == scene.verdict.reference and item.behind_best is not None:
            sentence = f"This study's yardstick, {item.contender}, is behind by {scene.size(item.behind_best)}."
            yield scene.pair_claim(sentence, item, "behind")


def rate(scene: Scene) -> Iterator[Claim]:
    """How much care the rate needs; nothing where only one was tried."""
    best = scene.best
    if best.rate is None or best.safe_rates is None or len(best.points) < 2:
        return
    low, high = map(numbers.rate, best.safe_rates)
    level = f"within 5 % of its best validation {scene.task.metric}"
    if best.decades_5pct >= FORGIVING:
        sentence = f"Its rate is forgiving: anything from {low} to {high} stays {level}."
    elif best.decades_5pct >= TOUCHY:
        sentence = f"Its rate needs some care: only from {low} to {high} does it stay {level}."
    elif low == high:
        sentence = f"Its rate is touchy: none of the other rates tried stays {level}."
    else:
        sentence = f"Its rate is touchy: it must lie between {low} and {high} to stay {level}."
    figures = {"rate": best.rate, "low": best.safe_rates[0], "high": best.safe_rates[1], "decades": best.decades_5pct}
    yield Claim(sentence, figures, scene.keys(best), "rate")


def leaner(scene: Scene) -> Iterator[Claim]:
    """What is as good as far as the data can tell, and needs less memory."""
    mine = scene.best.state_bytes_per_parameter
    lean = [(item.state_bytes_per_parameter, item) for item in scene.ties if item.state_bytes_per_parameter is not None]
    if mine is None or not lean:
        return
    theirs, item = min(lean, key=lambda pair: pair[0])
    if theirs >= mine:
        return
    what = f"{theirs:.3g} bytes for each of the model's parameters" if theirs else "nothing between steps"
    own = f"{mine:.3g}" if theirs else f"{mine:.3g} bytes for each of the model's parameters"
    which = "The leanest of these in memory" if len(scene.ties) > 1 else "Leaner in memory"
    sentence = f"{which} is {item.contender}: it keeps {what} where {scene.best.contender} keeps {own}."
    yield Claim(sentence, {"bytes": theirs, "bytes_of_best": mine}, scene.keys(scene.best, item), "use")


def _figures(scene: Scene) -> dict[str, float | int | str | None]:
    quality = scene.best.quality
    assert quality is not None
    figures = {"rate": scene.best.rate, "quality": quality.value, "low": quality.low, "high": quality.high}
    return {**figures, "n": quality.n}
