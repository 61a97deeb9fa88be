"""Where the axes of the figures begin and end: so that close contenders stay readable beside hopeless ones.

What lies outside a domain is drawn at its edge with an arrow or as failed, never left out.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from steepest.report.rounding import nice_ticks, rounded, significant
from steepest.report.schema import (
    CurveDomain,
    Domain,
    EstimateView,
    Figure,
    LossAxes,
    MetricDomains,
    Quantity,
    RankingDomain,
    RateDomain,
    StandingView,
)

LABELS = 36
"""Characters of tick labels, with two between them, that fit under the ranking's axis."""


def forest_domain(entries: list[StandingView], higher_is_better: bool) -> RankingDomain | None:
    """The ranking's axis: from the best contender down to the last before a gap that would dwarf what it has covered.

    A contender that would stretch the axis to more than five times its length is not covered, nor is any below it:
    an arrow at the edge shows it instead.
    """
    ranked = [(quality, e["values"]) for e in entries if (quality := e["quality"])]
    if not ranked:
        return None
    sign = 1 if higher_is_better else -1
    best = max(ranked, key=lambda pair: sign * pair[0]["value"])
    low, high = _reach(*best, sign)
    for worse, better in sorted((_reach(*pair, sign) for pair in ranked), key=lambda reach: -reach[0]):
        if low - worse <= 4 * (high - low) or high == low:
            low, high = min(low, worse), max(high, better)
    pad = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    ends = sorted((sign * (low - pad), sign * (high + pad)))
    domains = [_domain(*ends, ticks=most) for most in range(9, 1, -1)]
    roomy = [d for d in domains if sum(len(f"{tick:.{d['decimals']}f}") + 2 for tick in d["ticks"]) <= LABELS]
    return {**(roomy or domains[-1:])[0], "best": best[0]["value"]}


def _reach(quality: EstimateView, values: Mapping[str, Figure], sign: int) -> tuple[float, float]:
    """The worst and the best of a contender's replicates, and its interval as far as it is not absurdly wider."""
    drawn = [sign * x for x in (quality["value"], *values.values()) if x is not None]
    worst, best = min(drawn), max(drawn)
    ends = [sign * x for x in (quality["low"], quality["high"]) if x is not None]
    spread = best - worst
    within = [min(best + spread, max(worst - spread, x)) for x in ends]
    return min([worst, *within]), max([best, *within])


def rate_domain(entries: list[StandingView]) -> RateDomain | None:
    """All rates searched by any contender, with a quarter of a decade to spare on both sides."""
    rates = [point["rate"] for entry in entries for point in entry["points"] if point["rate"]]
    if not rates:
        return None
    low, high = math.log10(min(rates)) - 0.25, math.log10(max(rates)) + 0.25
    ticks = [float(f"1e{k}") for k in range(math.ceil(low), math.floor(high) + 1)]
    return {"low": 10**low, "high": 10**high, "ticks": ticks}


def loss_domain(entries: list[StandingView]) -> LossAxes:
    """Training loss: at the rates recommended; and at all rates, up to twice the loss that trials begin with."""
    at_best = [x for e in entries for x in _drawn(e, "train_loss")]
    everywhere = [x for e in entries for r in e["curves"]["rates"] for x in r["train_loss"] if x is not None]
    first = sorted(r["train_loss"][0] for e in entries for r in e["curves"]["rates"] if r["train_loss"][0] is not None)
    start = first[len(first) // 2] if first else math.inf
    return {"recommended": _spanning(at_best, top=1.5 * start), "all": _spanning(everywhere, top=2 * start)}


def metric_domains(entries: list[StandingView], higher_is_better: bool) -> MetricDomains:
    """Validation metric: over all steps, over the later half, over all rates, and near the best of all rates."""
    sign = 1 if higher_is_better else -1
    at_best = [x for e in entries for x in _drawn(e, "valid_metric")]
    late = [x for e in entries for x in _drawn(e, "valid_metric", since=0.5)]
    first = sorted(
        sign * r["valid_metric"][0]
        for e in entries
        for r in e["curves"]["rates"][:1]
        if r["valid_metric"][0] is not None
    )
    valid = [point["valid"] for entry in entries for point in entry["points"] if point["valid"]]
    ends = [x for v in valid for x in (v["low"], v["value"], v["high"]) if x is not None]
    goods = [sign * x for x in ends]
    if not goods:
        return {"metric": {"all": None, "late": None}, "sensitivity": {"all": None, "near": None}}
    best = max(goods)
    untrained = first[len(first) // 2] if first and first[len(first) // 2] < best else min(goods)
    begun = best - 1.15 * (best - untrained)  # curves begin there, though every rate may end near the best
    floor = max(min(goods), begun)
    near = max(floor, best - 0.15 * (best - untrained))

    # A logarithm is for what is to be small; and an interval may well reach below zero, where no logarithm goes.
    smallest = 0.0 if higher_is_better else 0.8 * min(v["value"] for v in valid)

    def of(values: Iterable[float], bottom: float, least: float | None = None) -> CurveDomain | None:
        kept = [max(sign * x, bottom) for x in values]
        low, high = sorted((sign * min(kept), sign * max(kept))) if kept else (0.0, 0.0)
        return _padded(low, high, least) if kept else None

    return {
        "metric": {"all": of(at_best, begun), "late": of(late, begun)},
        "sensitivity": {"all": of(ends, floor, smallest), "near": of(ends, near, smallest)},
    }


def _drawn(entry: StandingView, name: Quantity, since: float = 0.0) -> list[float]:
    """All that is drawn of a contender's curve at its recommended rate: the median and the ends of the band."""
    drawn = entry["curves"]
    if drawn["chosen"] is None or "band" not in drawn:
        return []
    rows = [drawn["rates"][drawn["chosen"]][name], drawn["band"][name]["low"], drawn["band"][name]["high"]]
    first = since * drawn["steps"][-1]
    pairs = [(step, x) for row in rows for step, x in zip(drawn["steps"], row, strict=True)]
    return [x for step, x in pairs if x is not None and step >= first]


def _spanning(values: list[float], top: float) -> CurveDomain | None:
    kept = [min(x, top) for x in values]
    return _padded(min(kept), max(kept)) if kept else None


def _padded(low: float, high: float, smallest: float | None = None) -> CurveDomain:
    """A domain with room at both ends, and where a logarithmic axis may begin: at the smallest value that matters."""
    pad = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    least = low if smallest is None else smallest
    return {
        **_domain(low - pad, high + pad),
        "least": significant(least) if least > 0 else None,
        "log": least > 0 and high > 30 * least,  # then most would crowd at the bottom of a linear axis
    }


def _domain(low: float, high: float, ticks: int = 6) -> Domain:
    marks = nice_ticks(low, high, ticks)
    step = min((b - a for a, b in pairwise(marks)), default=0.01)
    decimals = next((d for d in range(7) if math.isclose(round(step, d), step, rel_tol=1e-6)), 7)
    return {"low": rounded(low, 12), "high": rounded(high, 12), "ticks": marks, "decimals": decimals}
