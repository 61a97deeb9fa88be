"""The sentences below the headline: each contender against the best, failures, rates, times, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

from steepest.types import Outcome
from steepest.verdict import numbers
from steepest.verdict.diagnostics import Accident, AtEdge, Doubt, Resolution, TooLarge, TooSmall
from steepest.verdict.nouns import Claim, Standing
from steepest.verdict.pairs import ENOUGH
from steepest.verdict.scene import Scene


def details(scene: Scene) -> Iterator[Claim]:
    yield from (tie(scene, item) for item in scene.ties)
    yield from (behind(scene, item) for item in scene.behind)
    yield from (unsure(scene, item) for item in scene.unsure)
    yield from chances(scene)
    yield from (failure(scene, item) for item in scene.others if item.failed_replicates)
    yield from (accident(scene, each) for each in scene.found(Accident))
    yield from (edge(scene, each) for each in scene.found(AtEdge) if each.contender != scene.best.contender)
    yield from too_large(scene)
    yield from too_small(scene)
    yield from forgiving(scene)
    yield from direction(scene)
    yield from left_untuned(scene)
    yield from time_to_target(scene)
    yield from time_of_a_run(scene)
    yield from repeat_by_repeat(scene)
    yield from (doubt(scene, each) for each in scene.found(Doubt))
    yield from (resolution(scene, each) for each in scene.found(Resolution))
    if scene.best.status != "failed":
        yield what_it_holds_for(scene)


# ---- against the best ------------------------------------------------------------------------------------------------


def only_just_behind(item: Standing) -> bool:
    """A tie whose difference is settled, but too small to matter."""
    return item.behind_best is not None and item.behind_best.low > 0


def tie(scene: Scene, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    if only_just_behind(item):
        how = (
            f"is behind {scene.best.contender} by {scene.size(gap)}, less than the {scene.limit} that "
            "matter in practice"
        )
    else:
        how = f"is {scene.reach(gap, scene.best.contender)}"
    return scene.pair_claim(f"A tie: {scene.named(item)} {how}.", item, "tie")


def behind(scene: Scene, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    sentence = f"Behind {scene.best.contender}: {scene.named(item)} by {scene.size(gap)}."
    return scene.pair_claim(sentence, item, "behind")


def unsure(scene: Scene, item: Standing) -> Claim:
    repeats = "1 repeat" if item.replicates == 1 else f"{item.replicates or 'no'} repeats"
    level = f"; its mean so far is {scene.level(item.quality.value)}" if item.quality else ""
    few = f", and a verdict takes at least {ENOUGH}" if item.replicates < ENOUGH else ", but the best has too few"
    sentence = f"Not to be judged yet: {scene.named(item)} has {repeats}{few}{level}."
    return Claim(sentence, {"replicates": item.replicates}, scene.keys(item), "weak")


def chances(scene: Scene) -> Iterator[Claim]:
    """Who would come first if the study were run again; only where that is open."""
    if not scene.ties or scene.best.probability_best >= 0.95:
        return
    order = sorted(scene.verdict.standings, key=lambda item: -item.probability_best)
    named = [item for item in order if item.probability_best >= 0.01][:4]
    often = ", ".join(f"{item.contender} in {100 * item.probability_best:.0f}" for item in named)
    rest = 100 - sum(round(100 * item.probability_best) for item in named)
    often += f", another one in {rest}" if rest > 1 else ""
    sentence = f"Of a hundred such studies, as far as this one can tell, the best mean would go to {often}."
    yield Claim(sentence, {item.contender: item.probability_best for item in order}, scene.keys(*order), "tie")


# ---- what went wrong -------------------------------------------------------------------------------------------------


def failure(scene: Scene, item: Standing) -> Claim:
    repeats = item.failed_replicates + item.replicates
    if item.replicates:
        sentence = (
            f"In {item.failed_replicates} of {repeats} repeats {item.contender} failed at every rate; its figures are "
            "those of the other repeats."
        )
    else:
        sentence = f"Failed: {scene.named(item)} got through its training at no rate, in none of {repeats} repeats."
    figures = {"failed": item.failed_replicates, "repeats": repeats}
    return Claim(sentence, figures, scene.keys(item), "failure")


_ACCIDENTS = {
    Outcome.NONFINITE: "had a loss that was not a number from the first step on",
    Outcome.OOM: "ran out of memory",
    Outcome.ERROR: "stopped at an error in the model or the loss",
    Outcome.KILLED: "were lost because their worker was killed",
    Outcome.TIMEOUT: "ran past their time limit",
}


def accident(scene: Scene, found: Accident) -> Claim:
    what = numbers.names([f"{count} {_ACCIDENTS[outcome]}" for outcome, count in found.outcomes.items()])
    return Claim(
        f"Of {found.trials} runs of {found.contender}, {what}: no fault of the rate.",
        {str(outcome): count for outcome, count in found.outcomes.items()},
        (scene.key(found.contender),),
        "failure",
    )


def edge(scene: Scene, found: AtEdge) -> Claim:
    end, further = ("smallest", "smaller") if found.side == "low" else ("largest", "larger")
    return Claim(
        f"The best rate of {found.contender}, {numbers.rate(found.rate)}, is the {end} that was tried: with a "
        f"{further} one it may do better than shown here.",
        {"rate": found.rate, "side": found.side},
        (scene.key(found.contender),),
        "edge",
    )


# ---- rates -----------------------------------------------------------------------------------------------------------


def too_large(scene: Scene) -> Iterator[Claim]:
    if found := scene.found(TooLarge):
        blew_up, stuck = any(each.diverged for each in found), any(each.stalled for each in found)
        how = " or ".join(["the loss blew up"] * blew_up + ["they learned next to nothing"] * stuck)
        where = "; ".join(f"{each.contender} from {numbers.rate(each.rate)} up" for each in found)
        yield Claim(
            f"Too large a rate ruined most runs: {how}. That is {where}.",
            {each.contender: each.rate for each in found},
            tuple(scene.key(each.contender) for each in found),
            "rate",
        )


def too_small(scene: Scene) -> Iterator[Claim]:
    if found := scene.found(TooSmall):
        where = "; ".join(f"{each.contender} up to {numbers.rate(each.rate)}" for each in found)
        yield Claim(
            f"Too small a rate left training near its start, less than a tenth of the way to the best result: {where}.",
            {each.contender: each.rate for each in found},
            tuple(scene.key(each.contender) for each in found),
            "rate",
        )


def forgiving(scene: Scene) -> Iterator[Claim]:
    """Who among those in front forgives most in the choice of the rate, and who least; only if that differs twofold."""
    front = [item for item in (scene.best, *scene.ties) if item.safe_rates]
    if not front:
        return
    most, least = (choose(front, key=lambda item: item.decades_5pct) for choose in (max, min))
    if most.decades_5pct - least.decades_5pct < 0.3:
        return
    yield Claim(
        f"Of those in front, {most.contender} forgives most in the choice of the rate: its largest good rate is "
        f"{numbers.factor(10**most.decades_5pct)} times its smallest, that of {least.contender} "
        f"{numbers.factor(10**least.decades_5pct)} times.",
        {"decades_most": most.decades_5pct, "decades_least": least.decades_5pct},
        scene.keys(most, least),
        "rate",
    )


LOPSIDED = 0.5
"""Decades by which the good rates must reach further on one side of the best for advice on which side to err."""


def direction(scene: Scene) -> Iterator[Claim]:
    """On which side of its best rate the best contender forgives more; nothing where both sides are alike, or
    where nobody knows what lies beyond."""
    found = scene.best.sensitivity
    if found is None or scene.best.untuned or abs(found.asymmetry) < LOPSIDED:
        return
    low, high = map(numbers.rate, found.good_5pct)
    side, there, here = ("larger", f"up to {high}", f"down to {low}")
    if found.asymmetry < 0:
        side, there, here = "smaller", f"down to {low}", f"up to {high}"
    beyond = f"; from {numbers.rate(found.diverges)} up most runs blow up" if found.diverges is not None else ""
    yield Claim(
        f"In doubt, take a {side} rate for {scene.best.contender}: from its best one, {numbers.rate(found.best)}, good "
        f"rates reach {there}, but only {here}{beyond}.",
        {"best": found.best, "low": found.good_5pct[0], "high": found.good_5pct[1], "diverges": found.diverges},
        scene.keys(scene.best),
        "rate",
    )


def left_untuned(scene: Scene) -> Iterator[Claim]:
    """What tuning was worth to the best and to the yardstick, where the rate that one gets without asking is known."""
    for item in (scene.best, *(each for each in scene.others if each.contender == scene.verdict.reference)):
        found = item.untuned_gap
        if found is None:
            continue
        where = f"Left at its usual rate, {numbers.rate(found.rate)}, {item.contender}"
        repeats = found.failed + (found.gap.n if found.gap else 0)
        if found.failed:
            sentence = f"{where} fails in {found.failed} of {repeats} repeats."
        elif found.gap is None or repeats < ENOUGH:
            continue
        elif found.gap.low > 0:
            sentence = f"{where} would be worse by {scene.size(found.gap)}: so much was tuning worth."
        elif max(found.gap.high, -found.gap.low) <= scene.verdict.margin:
            sentence = f"{where} is as good as tuned."
        else:
            continue
        figures = {"rate": found.rate, "failed": found.failed, "gap": found.gap.value if found.gap else None}
        yield Claim(sentence, figures, scene.keys(item), "rate")


# ---- time ------------------------------------------------------------------------------------------------------------


def time_to_target(scene: Scene) -> Iterator[Claim]:
    """Who is there first, and whether that is the best: by time where it was measured, else by steps of equal batch."""
    best, others = scene.best, scene.others
    timed = all(item.milliseconds for item in scene.verdict.standings)
    comparable = [best, *(item for item in others if timed or item.batch_size == best.batch_size)]
    for name, level in scene.verdict.targets.items():
        cost: dict[str, float] = {}
        words: dict[str, str] = {}
        for item in comparable:
            if (steps := item.steps_to_target.get(name)) is not None:
                seconds = steps * (item.milliseconds or 0) / 1000
                cost[item.contender] = seconds if timed else steps
                count = f"{steps:,.0f} {'step' if round(steps) == 1 else 'steps'}"
                words[item.contender] = f"{numbers.duration(seconds)} ({count})" if timed else count
        if not cost:
            continue
        order = sorted(cost, key=lambda contender: cost[contender])
        first = order[0]
        if first == best.contender:
            who = f"{first} is the quickest with {words[first]}"
            who += f", then {order[1]} with {words[order[1]]}" if len(order) > 1 else ""
        elif best.contender in cost:
            who = f"{best.contender} takes {words[best.contender]}; {first} is quicker with {words[first]}"
        else:
            who = f"{first} is the quickest with {words[first]}; {best.contender} gets there in fewer than half of its "
            who += "repeats"
        way = f"{name} of the way from the start to where {scene.verdict.reference} ends"
        yield Claim(
            f"To {scene.level(level)} on validation data, {way}: {who}.",
            {"level": level, **{item.contender: item.steps_to_target.get(name) for item in comparable}},
            scene.keys(*comparable),
            "time",
        )


def time_of_a_run(scene: Scene) -> Iterator[Claim]:
    seconds = {item.contender: item.seconds for item in scene.verdict.standings if item.seconds}
    best = scene.best.contender
    if best not in seconds:
        return
    quickest = min(seconds, key=lambda contender: seconds[contender])
    compared = ""
    if quickest != best:
        times = numbers.factor(seconds[best] / seconds[quickest])
        compared = f", {times} times as long as with {quickest}, the quickest"
    elif len(seconds) > 1:
        compared = ", the quickest of all"
    yield Claim(
        f"One training run takes {numbers.duration(seconds[best])} with {best}{compared} (alone on one core, without "
        "evaluations).",
        dict(seconds),
        tuple(map(scene.key, seconds)),
        "time",
    )


# ---- how sure --------------------------------------------------------------------------------------------------------


def repeat_by_repeat(scene: Scene) -> Iterator[Claim]:
    if scene.verdict.paired:
        yield Claim(
            "Luck moved the optimizers up and down together, so they are compared repeat by repeat: a lead can be "
            "surer than the scatter of each one alone suggests.",
            {"correlation": scene.verdict.correlation},
            scene.keys(*scene.verdict.standings),
            "luck",
        )


def doubt(scene: Scene, found: Doubt) -> Claim:
    return Claim(
        f"That {found.contender} is behind {scene.best.contender} is not certain: a method that does not take luck to "
        "be bell-shaped can't rule out that it is level or ahead.",
        {"low": found.bootstrap.low, "high": found.bootstrap.high},
        (scene.pair_key(found.contender),),
        "weak",
    )


def resolution(scene: Scene, found: Resolution) -> Claim:
    best, other = scene.best.contender, found.challenger
    sentence = (
        f"With {found.n} repeats, a true gap of {scene.gap(found.smallest)} between {best} and {other} would be "
        "noticed 4 times in 5"
    )
    if other in scene.verdict.ties and found.seen > 0:
        if found.needed is None:
            sentence += "; if it is as small as the one seen here, even a thousand repeats won't settle it"
        elif found.needed > found.n:
            sentence += (
                f"; if it is the {scene.gap(found.seen)} seen here, settling it takes about {found.needed} repeats"
            )
    return Claim(
        f"{sentence}.",
        {"n": found.n, "smallest": found.smallest, "seen": found.seen, "needed": found.needed},
        (scene.pair_key(other),),
        "change",
    )


def what_it_holds_for(scene: Scene) -> Claim:
    untuned = [each.contender for each in scene.found(AtEdge)]
    wider = f", or a wider search of rates for {numbers.names(untuned)}" if untuned else ""
    longer = (
        f"much longer training than the {scene.task.steps:,} steps run here" if scene.task.steps else "a longer run"
    )
    return Claim(
        f"What could change this advice: {longer}, another "
        f"batch size or schedule of the rate, other data or another model{wider}.",
        {"steps": scene.task.steps, "batch_size": scene.task.batch_size},
        (scene.key(scene.best.contender),),
        "change",
    )
