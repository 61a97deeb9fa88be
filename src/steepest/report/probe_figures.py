"""What probes saw inside trials, as series to draw: what the diagnosis rests on, one figure for each quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from steepest.language import Text
from steepest.records.contender import Contender
from steepest.records.probe_trace import ProbeTrace
from steepest.report.rounding import significant

LEAST = 1e-300
"""What is drawn on a logarithmic axis must be above this."""
NO_NOISE = 1e-2
"""Examples: below, there is no noise but that of rounding, as where every batch holds all the data."""

FIGURES: tuple[tuple[Text, Text, Text, float | None], ...] = (
    (
        Text("Effective step", "有效步长"),
        Text("|Δw| / |g|", "|Δw| / |g|"),
        Text(
            "How far a unit of gradient moves a parameter: the median over parameters. A rule that tires falls.",
            "单位梯度使参数移动多远：各参数的中位数。后劲不足的方法会下降。",
        ),
        LEAST,
    ),
    (
        Text("Update to weight", "更新与权重之比"),
        Text("|Δw| / |w|", "|Δw| / |w|"),
        Text(
            "The size of an update beside the size of what it changes: the median over the tensors.",
            "更新的大小与被更新的权重之比：各张量的中位数。",
        ),
        LEAST,
    ),
    (
        Text("Sign flips", "变号比例"),
        Text("share", "比例"),
        Text(
            "The share of parameters whose next two updates have opposite signs. Near one: it jumps to and fro.",
            "接下来两次更新方向相反的参数所占比例。接近 1 表示来回跳动。",
        ),
        None,
    ),
    (
        Text("Gradient noise", "梯度噪声"),
        Text("examples", "样本数"),
        Text(
            "The batch at which noise and gradient are equally strong. Above the batch size, noise rules. "
            "Where every batch holds all the data there is none.",
            "噪声与梯度同样强时的批大小。高于实际批大小时，噪声占主导。每批都包含全部数据时没有噪声。",
        ),
        NO_NOISE,
    ),
    (
        Text("Sharpness × rate", "锐度 × 学习率"),
        Text("λ × rate", "λ × 学习率"),
        Text(
            "The top eigenvalue of the Hessian times the rate. Plain descent cannot stay where it is above 2.",
            "Hessian 最大特征值乘以学习率。大于 2 时，普通梯度下降无法停留。",
        ),
        LEAST,
    ),
)
"""Title, unit, caption, and the least value on a logarithmic axis, None for a linear one; `_values` has the figures in
the same order."""


def probe_figures(probes: Sequence[ProbeTrace], task: str, contenders: Sequence[Contender]) -> list[dict[str, Any]]:
    """The figures of one task; none where nobody has looked inside its trials."""
    here = [probe for probe in probes if probe.task == task]
    places = {contender.name: i for i, contender in enumerate(contenders)}
    found = []
    for i, (title, unit, caption, least) in enumerate(FIGURES):
        series = [_series(p, _values(p)[i], places[p.contender], least) for p in here if p.contender in places]
        if any(value is not None for line in series for value in line["mid"]):
            texts = {"title": title, "unit": unit, "caption": caption}
            both = {f"{key}{end}": text for key, t in texts.items() for end, text in (("", t.en), ("_zh", t.zh))}
            found.append({**both, "log": least is not None, "series": [line for line in series if any(line["mid"])]})
    return found


def _values(probe: ProbeTrace) -> tuple[np.ndarray, ...]:
    """For each figure, its values [R, K]."""
    with np.errstate(all="ignore"):
        ratios = np.ma.median(np.ma.masked_invalid(probe.update_to_weight), axis=2).filled(np.nan)
    return probe.step[:, :, 2], ratios, probe.flips, probe.noise, probe.sharpness * probe.rate


def _series(probe: ProbeTrace, values: np.ndarray, contender: int, least: float | None) -> dict[str, Any]:
    """Median, least and greatest over the seeds that were looked into, at every look."""
    rows: list[list[float | None]] = [[], [], []]
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
