"""Why an optimizer won or lost: rules that turn probe measurements into reasons, only where the data support them.

docs/diagnosis.md describes every rule and its thresholds. Each needs at least three trials, with different seeds, that
agree. Here are numbers only; `words.reasons` has the sentences.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steepest.records.contender import Contender
from steepest.records.probe_trace import ProbeTrace
from steepest.verdict.results import TaskVerdict

MIN_TRIALS = 3
WARM = 0.01
"""Share of the horizon before which measurements are not compared with later ones: first steps are atypical."""
STARVED = 5.0
"""How many times smaller the median effective step must become."""
STILL_FALLING = 0.9
"""A final loss below this share of the loss at the middle of training was still falling."""
AT_LIMIT = 0.75
"""Share of the stability limit from which a rate counts as at the limit."""
NOISY = 10.0
"""How many times the batch the noise scale must be at the end."""
DAMPED = 1.5
"""How many times smaller the share of reversed updates must be."""
RARE_FOLD, RARE_SHARE = 3.0, 0.02
"""How many times larger the step must be on rare parameters, and the share of parameters that must be rare."""
UNEVEN = 10.0
"""Ratio between the layers that move most and least, relative to their size."""
CRAWLING = 1e-4
"""Size of an update relative to the weights below which a step hardly changes a layer."""


@dataclass(frozen=True, slots=True)
class Starved:
    """The effective step of an adaptive rule kept falling while the training loss was still falling."""

    contender: str
    fold: float
    since: float
    """Epochs."""
    until: float
    loss_then: float
    """Training loss at the middle of the run, and at its end."""
    loss_now: float


@dataclass(frozen=True, slots=True)
class AtLimit:
    """Rate × sharpness reaches the limit from which steps overshoot."""

    contender: str
    product: float
    limit: float
    epoch: float


@dataclass(frozen=True, slots=True)
class Noisy:
    """By the end, the gradient of a batch is mostly noise, at a constant rate."""

    contender: str
    fold: float
    """Noise scale in batches; infinite if the gradient cannot be distinguished from noise."""
    at_first: float


@dataclass(frozen=True, slots=True)
class Damped:
    """With momentum, fewer updates reverse direction from one step to the next."""

    contender: str
    other: str
    share: float
    share_other: float


@dataclass(frozen=True, slots=True)
class FarOnRare:
    """Per unit of gradient, steps are larger on parameters that rarely have a gradient."""

    contender: str
    fold: float
    share: float
    """Of the parameters, those that are rare."""


@dataclass(frozen=True, slots=True)
class Uneven:
    """Layers move at very different speeds, more so than under the best contender."""

    contender: str
    fast: str
    slow: str
    fold: float
    other: str
    fold_other: float


@dataclass(frozen=True, slots=True)
class Crawling:
    """No layer moves by more than a ten-thousandth of its size per step while the loss is still falling."""

    contender: str
    update: float
    """Of the layer that moves most."""
    loss_then: float
    loss_now: float


Reason = Starved | AtLimit | Noisy | Damped | FarOnRare | Uneven | Crawling


def diagnose(
    verdict: TaskVerdict, probes: Sequence[ProbeTrace], contenders: Sequence[Contender], n_train: int
) -> tuple[Reason, ...]:
    """Every reason that the probes of a task support, in order of the contenders' places."""
    known = {each.contender: each for each in probes if each.task == verdict.task.name and usable(each)}
    rules = {each.name: each for each in contenders}
    best = known.get(verdict.best)
    found: list[Reason | None] = []
    for item in verdict.standings:
        seen = known.get(item.contender)
        if seen is None:
            continue
        rule = rules[item.contender]
        is_best = item.contender == verdict.best
        found += [starved(seen, n_train), at_limit(seen, stability_limit(rule), n_train)]
        found += [far_on_rare(seen), crawling(seen)]
        if is_best:
            found.append(noisy(seen, rule.schedule == "constant"))
        elif best is not None and item.status == "behind":
            found.append(uneven(seen, best))
    found += damping(known, rules)
    return tuple(each for each in found if each is not None)


def usable(probes: ProbeTrace) -> bool:
    """Three trials or more, each measured from its beginning to its end."""
    return len(probes.seeds) >= MIN_TRIALS and len(probes.at) >= 4 and bool(np.isfinite(probes.loss).all())


# ---- rules -----------------------------------------------------------------------------------------------------------


def starved(probes: ProbeTrace, n_train: int) -> Starved | None:
    """In every trial: the median effective step, the schedule taken out, fell `STARVED`-fold from the first warm look
    to the last and never rose by more than a tenth, the rule's only state grew, and the loss still fell."""
    warm = first_warm(probes)
    if not growing(probes, warm):
        return None
    step = probes.step[:, warm:, 2] / (probes.rate[:, warm:] / probes.rate[:, warm, None])  # [R, K']
    fold = step[:, 0] / step[:, -1]
    falls = (step[:, 1:] <= 1.1 * step[:, :-1]).all()
    if not (falls and (fold >= STARVED).all() and still_falling(probes)):
        return None
    then, now = losses(probes)
    since, until = epochs(probes, n_train)[[warm, -1]]
    return Starved(probes.contender, float(np.median(fold)), float(since), float(until), then, now)


def growing(probes: ProbeTrace, warm: int) -> bool:
    """Whether the rule has one state alone, an accumulator that has only grown: AdaGrad's sum of squares."""
    if len(probes.states) != 1:
        return False
    sizes = probes.state[:, warm:, 0]
    return bool((np.diff(sizes, axis=1) >= 0).all() and (sizes[:, -1] > sizes[:, 0]).all())


def at_limit(probes: ProbeTrace, limit: float | None, n_train: int) -> AtLimit | None:
    """In every trial, at some warm look: rate × sharpness reached `AT_LIMIT` of the limit."""
    if limit is None:
        return None
    warm = first_warm(probes)
    product = (probes.rate * probes.sharpness)[:, warm:]  # [R, K']
    if not np.isfinite(product).all() or not (product.max(axis=1) >= AT_LIMIT * limit).all():
        return None
    middle = np.median(product, axis=0)
    k = int(middle.argmax())
    return AtLimit(probes.contender, float(middle[k]), limit, float(epochs(probes, n_train)[warm + k]))


def stability_limit(contender: Contender) -> float | None:
    """Of rate × sharpness, on a quadratic: 2 for plain descent; for heavy-ball momentum 2 + 2β, in the averaged form
    (2 + 2β)/(1 − β), for Nesterov's (2 + 2β)/(1 + 2β) (J. Cohen et al., 2021); None for rules whose limit is not a
    number of their own. Settings that would change it make it None too."""
    settings = dict(contender.settings)
    beta = float(settings.pop("momentum", 0.9))
    if settings:
        return None
    plain = ("sgd", "gd", "sgd-1")
    forms = {"momentum": 2 + 2 * beta, "momentum-averaged": (2 + 2 * beta) / (1 - beta) if beta < 1 else None,
             "nesterov": (2 + 2 * beta) / (1 + 2 * beta)}  # fmt: skip
    return 2.0 if contender.rule in plain else forms.get(contender.rule)


def noisy(probes: ProbeTrace, is_constant: bool) -> Noisy | None:
    """At a constant rate, in every trial: at the last two looks the noise scale is `NOISY` batches or more, and at
    least four times what it was at the first."""
    scale = probes.noise / probes.batch_size  # [R, K]
    if not is_constant or np.isnan(scale).any() or not np.isfinite(scale[:, 0]).all():
        return None
    late = scale[:, -2:].min(axis=1)
    if not ((late >= NOISY) & (late >= 4 * scale[:, 0])).all():
        return None
    return Noisy(probes.contender, float(np.median(late)), float(np.median(scale[:, 0])))


def damping(known: Mapping[str, ProbeTrace], rules: Mapping[str, Contender]) -> Iterator[Damped]:
    """Between plain descent and a momentum on the same batches: in every trial of the one, fewer updates turn around
    than in any trial of the other, and `DAMPED`-fold fewer in the middle."""
    plain = next((each for name, each in known.items() if rules[name].rule == "sgd"), None)
    for name, probes in known.items():
        if plain is None or "momentum" not in rules[name].rule or probes.batch_size != plain.batch_size:
            continue
        ours, theirs = (np.nanmean(each.flips[:, first_warm(each) :], axis=1) for each in (probes, plain))  # [R]
        if ours.max() < theirs.min() and DAMPED * np.median(ours) <= np.median(theirs):
            yield Damped(name, plain.contender, float(np.median(ours)), float(np.median(theirs)))


def far_on_rare(probes: ProbeTrace) -> FarOnRare | None:
    """In every trial: over the warm looks, the median step per unit of gradient is `RARE_FOLD` times as large where a
    gradient is rare as where it is frequent, and the rare parameters are at least `RARE_SHARE` of all."""
    warm = first_warm(probes)
    ratio = probes.step_of_rare[:, warm:, 0] / probes.step_of_rare[:, warm:, 1]  # [R, K']
    share = probes.share_rare[:, warm:, 0].mean(axis=1)  # [R]
    if np.isfinite(ratio).mean() < 0.75 or not (share >= RARE_SHARE).all():
        return None
    fold = np.nanmedian(ratio, axis=1)  # [R]
    return (
        FarOnRare(probes.contender, float(np.median(fold)), float(share.mean())) if (fold >= RARE_FOLD).all() else None
    )


def uneven(probes: ProbeTrace, best: ProbeTrace) -> Uneven | None:
    """Of a contender that is behind: the update-to-weight ratios of all tensors but the biases, over the warm looks,
    are `UNEVEN`-fold apart in every trial, and three times as far apart as under the best."""
    kept = [i for i, name in enumerate(probes.layers) if name.rpartition(".")[2] != "bias"]  # a bias may be near 0
    if len(kept) < 2 or probes.layers != best.layers:
        return None
    ratios = (each.update_to_weight[:, first_warm(each) :, kept] for each in (probes, best))
    speeds, bests = (np.nanmedian(each, axis=1) for each in ratios)  # [R, L']
    fold, fold_best = (x.max(axis=1) / np.maximum(x.min(axis=1), 1e-30) for x in (speeds, bests))  # [R]
    if not ((fold >= UNEVEN).all() and np.median(fold) >= 3 * np.median(fold_best)):
        return None
    middle = np.median(speeds, axis=0)
    fast, slow = (probes.layers[kept[int(i)]] for i in (middle.argmax(), middle.argmin()))
    return Uneven(probes.contender, fast, slow, float(np.median(fold)), best.contender, float(np.median(fold_best)))


def crawling(probes: ProbeTrace) -> Crawling | None:
    """In every trial: at no warm look did a layer move by more than `CRAWLING` of its size, and the loss still fell."""
    most = np.nanmax(probes.update_to_weight[:, first_warm(probes) :], axis=(1, 2))  # [R]
    if not ((most < CRAWLING).all() and still_falling(probes, share=0.98)):
        return None
    return Crawling(probes.contender, float(np.median(most)), *losses(probes))


# ---- what rules share ------------------------------------------------------------------------------------------------


def first_warm(probes: ProbeTrace) -> int:
    """Of the looks, the first one that is no longer of the very start."""
    return min(int(np.searchsorted(probes.at, math.ceil(WARM * probes.steps))), len(probes.at) - 2)


def still_falling(probes: ProbeTrace, share: float = STILL_FALLING) -> bool:
    """Whether in every trial the loss fell from the middle of the run to its end, to `share` of it or less."""
    middle, last = probes.loss[:, _middle(probes)], probes.loss[:, -1]
    return bool((last <= share * middle).all())


def losses(probes: ProbeTrace) -> tuple[float, float]:
    """The training loss at the middle of the run and at its end, the median trial's."""
    return float(np.median(probes.loss[:, _middle(probes)])), float(np.median(probes.loss[:, -1]))


def epochs(probes: ProbeTrace, n_train: int) -> np.ndarray:  # [K]
    return probes.at * probes.batch_size / max(n_train, 1)


def _middle(probes: ProbeTrace) -> int:
    return int(np.abs(probes.at - probes.steps / 2).argmin())
