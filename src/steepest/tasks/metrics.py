"""Metrics, by which learning rates are selected and contenders compared, measured on a whole part of the data.

Separate from `task`, so that adding a metric changes only this file. Metrics are tensor algebra without branches on
values, so that a fleet can evaluate all replicas at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, wraps
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from steepest.errors import BadTask, UnknownName
from steepest.messages import mark

Loss = Callable[[Any, Tensor], Tensor]

MARGIN = 0.0025
"""Differences below a quarter percentage point do not justify a change of optimizer. For losses, a share of a scale."""


@dataclass(frozen=True)
class Metric:
    """A metric measured on a whole part of the data.

    `fn(outputs, targets)` returns a scalar tensor. If the task standardizes its targets, it receives standardized ones.
    """

    name: str
    fn: Callable[[Any, Tensor], Tensor]
    higher_is_better: bool = True
    unit: str = ""
    """"%" for shares, which are stored as 0 … 1; "" for plain numbers."""
    margin: float = 0.0
    """Practical margin, raw: smaller differences are ties."""


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of correctly classified examples, 0 … 1.

    Integer targets are classes, and outputs [n, C, …] have a score for each; targets below 0 are padding and are
    ignored. Float targets 0 or 1 are compared with logits of the same shape: above 0 means 1.
    """
    if targets.is_floating_point():
        return ((outputs > 0) == (targets > 0.5)).sum() / targets.numel()
    counts = targets >= 0
    return ((outputs.argmax(1) == targets) & counts).sum() / counts.sum()


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²: 1 is perfect, 0 equals predicting the mean; averaged over several targets."""
    residual = ((targets - outputs) ** 2).sum(0)
    total = ((targets - targets.mean(0)) ** 2).sum(0)
    return (1 - residual / total).mean()


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error, in squared units of the targets."""
    return ((outputs - targets) ** 2).mean()


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error, in units of the targets."""
    return (outputs - targets).abs().mean()


NAMED = {
    "accuracy": Metric(mark("accuracy"), accuracy, unit="%", margin=MARGIN),
    "r2": Metric(mark("R²"), r2, margin=MARGIN),
    "mse": Metric(mark("MSE"), mse, higher_is_better=False),
    "mae": Metric(mark("MAE"), mae, higher_is_better=False),
}
SAME_SHAPE = (r2, mse, mae)
"""Metrics that compare outputs and targets elementwise, so that their shapes must be equal and not only broadcast."""


def metric_of(metric: str | Metric | Callable[[Any, Tensor], Tensor], loss: Loss) -> Metric:
    """The metric for a name of `NAMED`, "loss", a `Metric`, or a function whose higher values are better."""
    match metric:
        case Metric():
            is_own = metric.fn not in [known.fn for known in NAMED.values()] and metric.fn is not loss
            return replace(metric, fn=_scalar(metric.fn)) if is_own else metric
        case "loss":
            return Metric(mark("loss"), loss, higher_is_better=False)
        case str():
            name = {"r²": "r2"}.get(metric.lower(), metric.lower())
            if name not in NAMED:
                raise UnknownName.among(
                    "metric", metric, [*NAMED, "loss"], "A function or a steepest.Metric is also accepted."
                )
            return NAMED[name]
        case type() | torch.nn.Module():
            raise BadTask(f"metric is {metric!r}; pass a name, a steepest.Metric or a function of outputs and targets.")
        case _ if callable(metric):
            return Metric(getattr(metric, "__name__", "metric").replace("<lambda>", "metric"), _scalar(metric))
        case _:
            raise BadTask(f"metric is {metric!r}; pass a name, a steepest.Metric or a function of outputs and targets.")


def natural_margin(metric: Metric, targets: Tensor) -> float:
    """The metric's own margin; for MSE and MAE, 0.25 % of the error of the best constant prediction.

    The margin of MSE thus equals that of R² in other units.
    """
    y = targets.double()
    if metric.fn is mse:
        return MARGIN * float(y.var(0, correction=0).mean())
    if metric.fn is mae:
        return MARGIN * float((y - y.median(0).values).abs().mean())
    return metric.margin


def _scalar(fn: Callable[[Any, Tensor], Any]) -> Callable[[Any, Tensor], Tensor]:
    """A metric that may return a plain number, such as scikit-learn's, as one that returns a tensor."""

    @wraps(fn)
    def measured(outputs: Any, targets: Tensor) -> Tensor:
        value = fn(outputs, targets)
        return torch.tensor(float(value)) if isinstance(value, Real) else value

    return measured


def is_binary(loss: Loss) -> bool:
    """Whether a loss is one of torch's binary cross-entropies."""
    named = (F.binary_cross_entropy, F.binary_cross_entropy_with_logits)
    return loss in named or isinstance(loss, torch.nn.BCELoss | torch.nn.BCEWithLogitsLoss)


def ignored_class(loss: Loss) -> int:
    """The label that a cross-entropy ignores: −100, torch's default, unless the loss sets another."""
    if isinstance(loss, partial):
        return int(loss.keywords.get("ignore_index", ignored_class(loss.func)))
    return int(getattr(loss, "ignore_index", -100))


def is_cross_entropy(loss: Loss) -> bool:
    """Whether a loss is one of torch's losses with class numbers as targets."""
    if isinstance(loss, partial):
        return is_cross_entropy(loss.func)
    return loss in (F.cross_entropy, F.nll_loss) or isinstance(loss, torch.nn.CrossEntropyLoss | torch.nn.NLLLoss)
