"""One contender's standing on one task as plain JSON values: every figure beside the text that people read."""

import math

from steepest.messages import say, verbatim
from steepest.report.rounding import fixed, p_value, significant
from steepest.report.schema import EstimateView, Figure, PointView, StandingFigures
from steepest.verdict.results import Estimate, RatePoint, Standing
from steepest.verdict.words import numbers


def show_standing(s: Standing, scale: float, decimals: int) -> StandingFigures:
    """scale: 100 for shares, shown in %, else 1. decimals: of the task's metric."""
    safe = s.safe_rates
    return {
        "place": s.place,
        "status": s.status,
        "quality": _estimate(s.quality, scale, decimals),
        "deviation": significant(None if s.deviation is None else s.deviation * scale),
        "behind_best": None if is_ahead(s) else _estimate(s.behind_best, scale, decimals, sign=True),
        "p_best": {"value": significant(s.p_best), "text": p_value(s.p_best)},
        "behind_reference": _estimate(s.behind_reference, scale, decimals, sign=True),
        "p_reference": {"value": significant(s.p_reference), "text": p_value(s.p_reference)},
        "levels": {q: _estimate(e, scale, decimals) for q, e in s.levels.items()},
        "behind_answers": {q: _estimate(e, scale, decimals, sign=True) for q, e in s.behind_answers.items()},
        "expected": None if s.expected is None else _estimate(s.expected.level, scale, decimals),
        "on_new_examples": s.expected is not None and s.expected.on_new_examples,
        "places": None if s.places is None else list(s.places),
        "rate": significant(s.rate, 6),
        "rate_text": "–" if s.rate is None else numbers.rate(s.rate),
        "safe_rates": None if safe is None else [significant(rate, 6) for rate in safe],
        "safe_text": verbatim("–")
        if safe is None
        else say("{low} to {high}", low=numbers.rate(safe[0]), high=numbers.rate(safe[1])),
        "decades_1pct": significant(s.decades_1pct, 3),
        "decades_5pct": significant(s.decades_5pct, 3),
        "untuned": s.untuned,
        "replicates": s.replicates,
        "failed_replicates": s.failed_replicates,
        "trials": s.trials,
        "failed_trials": s.failed_trials,
        "stalled_trials": sum(point.stalled for point in s.points),
        "milliseconds": significant(s.milliseconds, 3),
        "milliseconds_text": "–" if s.milliseconds is None else numbers.significant(s.milliseconds),
        "seconds": significant(s.seconds, 3),
        "seconds_text": verbatim("–") if s.seconds is None else numbers.duration(s.seconds),
        "state_bytes": significant(s.state_bytes_per_parameter, 3),
        "steps_to_target": {name: significant(steps, 6) for name, steps in s.steps_to_target.items()},
        "points": [_point(point, scale, decimals) for point in s.points],
        "picks": {str(seed): significant(rate, 6) for seed, rate in s.picks.items()},
        "values": {str(seed): significant(_scaled(value, scale), 6) for seed, value in s.values.items()},
        "best_of": {str(k): significant(_scaled(value, scale)) for k, value in s.best_of.items()},
    }


def is_ahead(standing: Standing) -> bool:
    """Whether it is behind nobody: its mean is better than that of the best of the judged, but of too few seeds."""
    gap = standing.behind_best
    return standing.status == "unsure" and gap is not None and gap.value < 0


def _point(point: RatePoint, scale: float, decimals: int) -> PointView:
    return {
        "rate": significant(point.rate, 6),
        "text": numbers.rate(point.rate),
        "stage": point.stage,
        "n": point.n,
        "failed": point.failed,
        "stalled": point.stalled,
        "picked": point.picked,
        "valid": _estimate(point.valid, scale, decimals),
    }


def _estimate(e: Estimate | None, scale: float, decimals: int, sign: bool = False) -> EstimateView | None:
    """A figure with its interval; `low` and `high` are None where a single observation bounds nothing."""
    value = None if e is None else significant(e.value * scale, 6)
    if e is None or value is None:
        return None
    low, high = (fixed(bound * scale, decimals, sign) for bound in (e.low, e.high))
    bounded = math.isfinite(e.low) or math.isfinite(e.high)
    return {
        "value": value,
        "low": significant(e.low * scale, 6),
        "high": significant(e.high * scale, 6),
        "n": e.n,
        "text": fixed(e.value * scale, decimals, sign),
        "interval": f"[{low}, {high}]" if bounded else "",
    }


def _scaled(value: float | None, scale: float) -> Figure:
    return None if value is None else value * scale
