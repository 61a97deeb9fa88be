"""What probes saw inside trials, as series to draw: what the diagnosis rests on, one figure for each quantity."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steepest.messages import Message, say
from steepest.records.contender import Contender
from steepest.records.probe_trace import ProbeTrace
from steepest.report.rounding import significant
from steepest.report.schema import ProbeFigure, ProbeSeries, Series

LEAST = 1e-300
"""What is drawn on a logarithmic axis must be above this."""
NO_NOISE = 1e-2
"""Examples: below, there is no noise but that of rounding, as where every batch holds all the data."""

FIGURES: tuple[tuple[Message, Message, Message, float | None], ...] = (
    (
        say("Effective step"),
        say("|Δw| / |g|"),
        say(
            "Distance that a parameter moves per unit of gradient, median over parameters. "
            "It falls where a rule's steps shrink."
        ),
        LEAST,
    ),
    (
        say("Update to weight"),
        say("|Δw| / |w|"),
        say("Size of an update relative to the size of the weights, median over tensors."),
        LEAST,
    ),
    (
        say("Sign flips"),
        say("share"),
        say("Share of parameters whose next two updates have opposite signs. Near 1, the updates oscillate."),
        None,
    ),
    (
        say("Gradient noise"),
        say("examples"),
        say(
            "Batch size at which noise and gradient are equally large. Where it exceeds "
            "the batch size used, noise dominates. Full batches have no noise."
        ),
        NO_NOISE,
    ),
    (
        say("Sharpness × rate"),
        say("λ × rate"),
        say("Largest eigenvalue of the Hessian times the rate. Gradient descent is unstable where it is above 2."),
        LEAST,
    ),
)
"""Title, unit, caption, and the least value on a logarithmic axis, None for a linear one; `_values` has the figures in
the same order."""


def probe_figures(probes: Sequence[ProbeTrace], task: str, contenders: Sequence[Contender]) -> list[ProbeFigure]:
    """The figures of one task; none where nobody has looked inside its trials."""
    here = [probe for probe in probes if probe.task == task]
    places = {contender.name: i for i, contender in enumerate(contenders)}
    found: list[ProbeFigure] = []
    for i, (title, unit, caption, least) in enumerate(FIGURES):
        series = [_series(p, _values(p)[i], places[p.contender], least) for p in here if p.contender in places]
        if any(value is not None for line in series for value in line["mid"]):
            drawn = [line for line in series if any(line["mid"])]
            found.append({"title": title, "unit": unit, "caption": caption, "log": least is not None, "series": drawn})
    return found


def _values(probe: ProbeTrace) -> tuple[np.ndarray, ...]:
    """For each figure, its values [R, K]."""
    with np.errstate(all="ignore"):
        ratios = _median_of_layers(probe.update_to_weight)
    return probe.step[:, :, 2], ratios, probe.flips, probe.noise, probe.sharpness * probe.rate


def _median_of_layers(values: np.ndarray) -> np.ndarray:
    """Of [R, K, L] over the layers with a finite value; NaN where there is none."""
    masked: Any = np.ma  # NumPy's types say nothing of masked arrays
    return masked.median(masked.masked_invalid(values), axis=2).filled(np.nan)


def _series(probe: ProbeTrace, values: np.ndarray, contender: int, least: float | None) -> ProbeSeries:
    """Median, least and greatest over the seeds that were looked into, at every look."""
    rows: list[Series] = [[], [], []]
    for column in values.T:
        known = column[np.isfinite(column) & (True if least is None else column > least)]
        for row, pick in zip(rows, (np.median, np.min, np.max), strict=True):
            row.append(significant(float(pick(known))) if len(known) else None)
    return {
        "contender": contender,
        "steps": [int(step) for step in probe.at],
        "mid": rows[0],
        "low": rows[1],
        "high": rows[2],
        "n": [len(probe.seeds)] * len(probe.at),
    }
