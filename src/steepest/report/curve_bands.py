"""Learning curves made ready for drawing: medians and 10–90 % bands over seeds, with failures kept in place.

These summaries are pictures, not statistics: no conclusion rests on them, and the figures' captions name them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from steepest.records.outcomes import Outcome, Result, Trace
from steepest.report.rounding import significant
from steepest.report.schema import CurvesView, Edges, RateCurve, Series

BAND = (0.1, 0.9)
QUANTITIES = ("train_loss", "valid_metric")


@dataclass(frozen=True)
class Bundle:
    """The curves of all seeds of one contender at one rate. S seeds, E evaluations; NaN after a trial's end."""

    rate: float
    steps: np.ndarray  # [E]
    train_loss: np.ndarray  # [S, E]
    valid_metric: np.ndarray  # [S, E]
    failed: int


def bundles(results: Iterable[Result], traces: Mapping[str, Trace]) -> list[Bundle]:
    """The curves of one contender on one task at default values of its dials, one bundle per rate, in order of rate.

    Trials whose shard has no trace yet are left out; so are those evaluated at other steps than the first trial of
    their rate, which cannot be since the horizon belongs to the contender.
    """
    by_rate: dict[float, list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: (result.rate, result.seed)):
        if result.shard in traces and not result.dials:
            by_rate[result.rate].append(result)
    return [_bundle(rate, trials, traces) for rate, trials in by_rate.items()]


def _bundle(rate: float, trials: list[Result], traces: Mapping[str, Trace]) -> Bundle:
    steps = traces[trials[0].shard].evaluate_at
    shards = {trial.shard for trial in trials}
    same = {shard for shard in shards if np.array_equal(traces[shard].evaluate_at, steps)}
    alike = [trial for trial in trials if trial.shard in same]
    rows = {name: np.stack([getattr(traces[t.shard], name)[t.lane] for t in alike]) for name in QUANTITIES}
    return Bundle(
        rate, steps, **rows, failed=sum(trial.outcome not in (Outcome.OK, Outcome.STOPPED) for trial in alike)
    )


def band(values: np.ndarray, higher_is_better: bool, shares: Iterable[float]) -> list[Series]:
    """Quantiles over seeds, one row per share, of `values` [S, E]; a trial that has ended counts as the worst.

    So the median of ten seeds of which six have diverged is "diverged" (None, drawn at the plot's edge), and not the
    median of the four that happened to survive.
    """
    worst = -math.inf if higher_is_better else math.inf
    ordered = np.sort(np.where(np.isfinite(values), values, worst), axis=0)
    return [[significant(float(x)) for x in _quantile(ordered, share)] for share in shares]


def _quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """Linear interpolation between order statistics, as NumPy does it, but an infinite neighbour makes it infinite."""
    position = share * (len(ordered) - 1)
    below, above = ordered[math.floor(position)], ordered[math.ceil(position)]
    weight = position - math.floor(position)
    if weight == 0:
        return below
    with np.errstate(invalid="ignore"):
        mixed = below + weight * (above - below)
    for end in (above, below):
        mixed[np.isinf(end)] = end[np.isinf(end)]
    return mixed


def nearest(all_bundles: list[Bundle], rate: float | None) -> int | None:
    """Index of the searched rate that lies nearest to the one recommended, by ratio."""
    if rate is None or not all_bundles:
        return None
    return min(range(len(all_bundles)), key=lambda i: abs(math.log(all_bundles[i].rate / rate)))


def drawing(all_bundles: list[Bundle], recommended: float | None, higher_is_better: bool, scale: float) -> CurvesView:
    """What the page draws for one contender: medians at every rate, and the band at the recommended one."""
    chosen = nearest(all_bundles, recommended)
    steps = [int(x) for x in all_bundles[0].steps] if all_bundles else []
    rates = [_medians(bundle, higher_is_better, scale) for bundle in all_bundles]
    if chosen is None:
        return {"steps": steps, "rates": rates, "chosen": None}
    return {
        "steps": steps,
        "rates": rates,
        "chosen": chosen,
        "band": {
            "train_loss": _edges(all_bundles[chosen].train_loss, False),
            "valid_metric": _edges(all_bundles[chosen].valid_metric * scale, higher_is_better),
        },
    }


def _medians(bundle: Bundle, higher_is_better: bool, scale: float) -> RateCurve:
    return {
        "rate": bundle.rate,
        "n": len(bundle.train_loss),
        "failed": bundle.failed,
        "train_loss": band(bundle.train_loss, False, (0.5,))[0],
        "valid_metric": band(bundle.valid_metric * scale, higher_is_better, (0.5,))[0],
    }


def _edges(values: np.ndarray, higher_is_better: bool) -> Edges:
    low, high = band(values, higher_is_better, BAND)
    return {"low": low, "high": high}
