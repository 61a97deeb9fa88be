"""Metrics, by which learning rates are selected and contenders compared, measured on a whole part of the data.

Separate from `task`, so that adding a metric changes only this file. Metrics are tensor algebra without branches on
values, so that a fleet can evaluate all replicas at once.
"""

import re
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
from steepest.tasks.class_metrics import (
    CLASSIFICATION,
    accuracy,
    auroc,
    balanced_accuracy,
    macro_f1,
    most_frequent,
    perplexity,
    top_k,
)
from steepest.tasks.loss_kinds import Outputs
from steepest.tasks.readings import PLAIN, Reading
from steepest.tasks.several import HeadMetric

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


PREDICTIONS = {Outputs.LOG_RATES: torch.exp, Outputs.BINARY_LOGITS: torch.sigmoid}
"""How predictions of the targets follow from outputs on another scale."""


def predicted(outputs: Tensor, reading: Reading) -> Tensor:
    """Outputs as predictions of the targets: rates for their logarithms, probabilities for logits."""
    return PREDICTIONS[reading.scale](outputs) if reading.scale in PREDICTIONS else outputs


def mean_of(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of the values that a mask of the same shape keeps."""
    return values.mean() if mask is None else (values * mask).sum() / mask.sum()


def r2(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²: 1 is perfect, 0 equals predicting the mean; averaged over several targets."""
    outputs = predicted(outputs, reading)
    weights = torch.ones_like(targets) if mask is None else mask.to(targets.dtype)
    mean = (targets * weights).sum(0) / weights.sum(0)
    residual = (weights * (targets - outputs) ** 2).sum(0)
    total = (weights * (targets - mean) ** 2).sum(0)
    return (1 - residual / total).mean()


def mse(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Mean squared error, in squared units of the targets."""
    return mean_of((predicted(outputs, reading) - targets) ** 2, mask)


def rmse(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Root of the mean squared error over all examples, in units of the targets."""
    return mse(outputs, targets, reading, mask).sqrt()


def mae(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Mean absolute error, in units of the targets."""
    return mean_of((predicted(outputs, reading) - targets).abs(), mask)


NAMED = {
    "accuracy": Metric(mark("accuracy"), accuracy, unit="%", margin=MARGIN),
    "balanced-accuracy": Metric(mark("balanced accuracy"), balanced_accuracy, unit="%", margin=MARGIN),
    "macro-f1": Metric(mark("macro F1"), macro_f1, unit="%", margin=MARGIN),
    "auroc": Metric(mark("AUROC"), auroc, unit="%", margin=MARGIN),
    "perplexity": Metric(mark("perplexity"), perplexity, higher_is_better=False),
    "r2": Metric(mark("R²"), r2, margin=MARGIN),
    "mse": Metric(mark("MSE"), mse, higher_is_better=False),
    "rmse": Metric(mark("RMSE"), rmse, higher_is_better=False),
    "mae": Metric(mark("MAE"), mae, higher_is_better=False),
}
SAME_SHAPE = (r2, mse, rmse, mae)
"""Metrics that compare outputs and targets elementwise, so that their shapes must be equal and not only broadcast."""


def named(name: str) -> Metric:
    """The metric of this name, such as "auroc" or "top5"; raises UnknownName."""
    plain = re.sub(r"[\s_]+", "-", name.strip().lower())
    if found := re.fullmatch(r"top-?([1-9]\d*)(-accuracy)?", plain):
        k = int(found[1])
        return Metric(TOP.get(k, f"top-{k} accuracy"), partial(top_k, k=k), unit="%", margin=MARGIN)
    known = NAMED.get(ALIASES.get(plain, plain))
    if known is None:
        hint = "top3, top5 and so on, a function or a steepest.Metric are also accepted."
        raise UnknownName.among("metric", name, [*NAMED, "loss"], hint)
    return known


TOP = {3: mark("top-3 accuracy"), 5: mark("top-5 accuracy"), 10: mark("top-10 accuracy")}
"""The names that are translated."""
ALIASES = {"r²": "r2", "f1": "macro-f1", "f1-macro": "macro-f1", "roc-auc": "auroc", "auc": "auroc", "acc": "accuracy"}


def base_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a named metric without the arguments that a task has set."""
    if isinstance(fn, HeadMetric):
        return base_of(fn.fn)
    return base_of(fn.func) if isinstance(fn, partial) else fn


def read_as(metric: Metric, reading: Reading) -> Metric:
    """A metric known by name with this reading; other metrics unchanged."""
    is_named = base_of(metric.fn) in (*CLASSIFICATION, *SAME_SHAPE)
    is_named &= "reading" not in getattr(metric.fn, "keywords", {})
    if not is_named or reading == PLAIN:
        return metric
    fn: Callable[..., Tensor] = metric.fn
    return replace(metric, fn=partial(fn, reading=reading))


def metric_of(metric: str | Metric | Callable[[Any, Tensor], Tensor], loss: Loss) -> Metric:
    """The metric for a name of `NAMED`, "loss", a `Metric`, or a function whose higher values are better."""
    match metric:
        case Metric():
            is_own = base_of(metric.fn) not in (*SAME_SHAPE, *CLASSIFICATION) and metric.fn is not loss
            return replace(metric, fn=_scalar(metric.fn)) if is_own else metric
        case "loss":
            return Metric(mark("loss"), loss, higher_is_better=False)
        case str():
            return named(metric)
        case type() | torch.nn.Module():
            raise BadTask(f"metric is {metric!r}; pass a name, a steepest.Metric or a function of outputs and targets.")
        case _ if callable(metric):
            return Metric(getattr(metric, "__name__", "metric").replace("<lambda>", "metric"), _scalar(metric))
        case _:
            raise BadTask(f"metric is {metric!r}; pass a name, a steepest.Metric or a function of outputs and targets.")


def natural_margin(metric: Metric, targets: Tensor) -> float:
    """The metric's own margin; for MSE, RMSE and MAE, 0.25 % of the error of the best constant prediction.

    The margin of MSE thus equals that of R² in other units.
    """
    return metric.margin if (error := constant_error(metric, targets)) is None else MARGIN * error


def constant_error(metric: Metric, targets: Tensor) -> float | None:
    """MSE, RMSE or MAE of the constant that predicts the targets best; None for other metrics."""
    y = targets.double()
    if base_of(metric.fn) is mse:
        return float(y.var(0, correction=0).mean())
    if base_of(metric.fn) is rmse:
        return float(y.var(0, correction=0).mean().sqrt())
    if base_of(metric.fn) is mae:
        return float((y - y.median(0).values).abs().mean())
    return None


def constant_level(metric: Metric, targets: Tensor) -> float | None:
    """What the best constant prediction reaches, in the metric's raw units, such as the share of the most frequent
    class; None for a metric of which that is not known."""
    fn = base_of(metric.fn)
    if fn is r2:
        return 0.0
    if fn is auroc:
        return 0.5
    if fn is accuracy:
        of_head = metric.fn.fn if isinstance(metric.fn, HeadMetric) else metric.fn
        return most_frequent(targets, getattr(of_head, "keywords", {}).get("reading", PLAIN))
    return constant_error(metric, targets)


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
