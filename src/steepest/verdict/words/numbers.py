"""How figures read in a sentence: the one place that rounds them for claims.

Accuracy and other shares are given in %, their differences in points; R² to 3 digits; losses and the like to 3
significant digits; rates as 0.003. What has a word in it is a `Message`.
"""

from collections.abc import Sequence

from steepest.messages import Message, Part, listed, say, significant, verbatim
from steepest.records.task_facts import TaskFacts


def quality(value: float, task: TaskFacts) -> Message:
    """A level of the task's metric: "97.4 %", "0.812", "0.0312"."""
    if task.unit == "%":
        return say("{figure} %", figure=f"{100 * value:.1f}")
    return verbatim(f"{value:.3f}" if _is_share(task) else significant(value))


def gap(value: float, task: TaskFacts) -> Message:
    """The size of a difference in the task's metric, in points or bare: "0.8", "0.012". Never 0 unless it is 0."""
    size = abs(value)
    if task.unit == "%":
        points = 100 * size
        if 0 < points < 0.01:  # rounding of sums, not a finding
            return say("less than 0.01")
        return verbatim(f"{points:.1f}" if points >= 0.095 or not points else significant(points, 1))
    return verbatim(f"{size:.3f}" if _is_share(task) and size >= 0.0005 else significant(size))


def rate(value: float) -> str:
    """A learning rate to 2 significant digits, trailing zeros dropped: "0.003", "0.1", "3e-7"."""
    if not 1e-5 <= value < 1e5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    text = significant(value, 2).replace(",", "")
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> Message:
    """Wall time in the unit that a person would use: "84 s", "12 min", "3.2 h"."""
    if seconds < 0.095:
        return say("{ms} ms", ms=significant(1000 * seconds, 2))
    if seconds < 9.95:
        return say("{s} s", s=significant(seconds, 2))
    if seconds < 120:
        return say("{s} s", s=f"{seconds:.0f}")
    if seconds < 7200:
        return say("{min} min", min=f"{seconds / 60:.0f}")
    return say("{h} h", h=f"{seconds / 3600:.1f}")


def percent(share: float) -> Message:
    """A share of something, to 2 significant digits: "0.4 %", "12 %"."""
    if 0 < share < 5e-5:
        return say("less than 0.01 %")
    figure = significant(100 * share, 2)
    return say("{figure} %", figure=figure)


def factor(ratio: float) -> str:
    """How many times as much: "1.4", "30"."""
    return significant(ratio, 2)


def names(items: Sequence[Part]) -> Message:
    """A list in words: "adam", "adam and nadam", "adam, nadam and sgd"."""
    return listed(items)


def _is_share(task: TaskFacts) -> bool:
    return task.metric.casefold() in ("r²", "r2")
