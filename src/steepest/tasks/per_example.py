"""What each example contributes to a metric: numbers whose mean is the metric.

A mean over examples is the mean of their values, and of accuracies these are 0 or 1. Other metrics are linearized: an
example contributes the metric plus its influence, the derivative by the example's weight times the number of examples
(Hampel, 1974; for AUROC, DeLong, DeLong and Clarke-Pearson, 1988). Their spread is then that of the metric over test
sets.
"""

import math
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from steepest.tasks.class_metrics import (
    accuracy,
    auroc,
    auroc_scores,
    balanced_accuracy,
    macro_f1,
    memberships,
    negative_log_likelihood,
    perplexity,
    read_outputs,
    top_k,
    top_k_hits,
)
from steepest.tasks.measuring import is_named, reading_in
from steepest.tasks.metrics import Metric, base_of, mae, mse, predicted, r2, rmse
from steepest.tasks.readings import Answers, Classes, Reading
from steepest.tasks.several import HeadMetric

TOLERANCE = 1e-4
"""Relative difference between a metric and the mean of its contributions from which they are not used."""


@dataclass(frozen=True)
class PerExample:
    """The contributions of n examples."""

    values: Tensor  # [n], float64
    right: bool
    """Whether each is 1 or 0, for right or wrong."""


def contributions(metric: Metric, outputs: Tensor, targets: Tensor) -> PerExample | None:
    """What each of n examples contributes to the metric of outputs [n, …] and targets [n, …]; None for a metric that is
    not a mean over examples and not known by name."""
    with suppress(Exception), warnings.catch_warnings(), torch.no_grad():  # a user's metric may do anything
        warnings.simplefilter("ignore")
        values = _named(metric, outputs, targets) if is_named(metric) else _separately(metric, outputs, targets)
        whole, mean = float(metric.fn(outputs, targets)), float(values.mean())
        if len(values) == len(targets) and math.isclose(whole, mean, rel_tol=TOLERANCE, abs_tol=1e-7):
            bits = values.round()
            is_share = is_named(metric) and base_of(metric.fn) in (accuracy, top_k)
            right = is_share and bool(((bits == 0) | (bits == 1)).all()) and torch.allclose(values, bits)
            return PerExample(bits if right else values, right)
    return None


def _separately(metric: Metric, outputs: Tensor, targets: Tensor) -> Tensor:
    """The metric of each example alone."""
    return vmap(lambda x, y: metric.fn(x[None], y[None]))(outputs, targets).double()


def _named(metric: Metric, outputs: Tensor, targets: Tensor) -> Tensor:
    fn, mask = metric.fn, None
    if isinstance(fn, HeadMetric):
        outputs, targets, mask = fn.tensors(outputs, targets)
        fn = fn.fn
    keywords = fn.keywords if isinstance(fn, partial) else {}
    return CONTRIBUTIONS[base_of(fn)](outputs, targets, reading_in(fn), mask, **_own(keywords))


def _own(keywords: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if name != "reading"}


# ---- ratios ----------------------------------------------------------------------------------------------------------


def _ratios(a: Tensor, b: Tensor, weights: Tensor | None = None) -> Tensor:
    """Contributions to Σ_g w_g·Σᵢa/Σᵢb, from a and b [n, G]: the whole plus n·Σ_g w_g·(a − r_g·b)/Σᵢb."""
    a, b = a.double(), b.double()
    weights = torch.ones_like(b[0]) if weights is None else weights.double()
    total = b.sum(0).where(weights > 0, 1.0)
    ratio = a.sum(0) / total
    return (weights * ratio).sum() + len(a) * ((a - ratio * b) / total) @ weights


def _rows(values: Tensor, n: int) -> Tensor:
    """Sums over the decisions of each of n examples: [M, …] → [n, …]."""
    return values.double().reshape(n, -1, *values.shape[1:]).sum(1)


def _equal_shares(kept: Tensor) -> Tensor:
    return kept.double() / kept.sum()


def _accuracy(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    n = len(targets)
    match read_outputs(outputs, targets, reading, mask):
        case Classes(scores, labels, counts):
            right = (scores.argmax(1) == labels) & counts
        case Answers(scores, truth, counts):
            right = ((scores > 0) == truth) & counts
    return _ratios(right.reshape(n, -1).sum(1)[:, None], counts.reshape(n, -1).sum(1)[:, None])


def _top_k(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None, k: int) -> Tensor:
    hits, counts = top_k_hits(outputs, targets, k, reading, mask)
    return _ratios(_rows(hits[:, None], len(targets)), _rows(counts[:, None], len(targets)))


def _perplexity(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    losses, counts = negative_log_likelihood(outputs, targets, reading, mask)
    mean = _ratios(_rows(losses[:, None], len(targets)), _rows(counts[:, None], len(targets)))
    return mean.mean().exp() * (1 + mean - mean.mean())


def _balanced_accuracy(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    read, n = read_outputs(outputs, targets, reading, mask), len(targets)
    if isinstance(read, Answers) and read.truth.shape[1] > 1:
        right = ((read.scores > 0) == read.truth) & read.counts
        sides = torch.stack([read.counts & read.truth, read.counts & ~read.truth], dim=1)  # [n, 2, K]
        occur = sides.any(0)  # [2, K]
        each = occur.double() / occur.sum(0).clamp(min=1) / occur.any(0).sum()
        return _ratios((right[:, None] & sides).flatten(1), sides.flatten(1), each.flatten())
    truth, guess = memberships(read)
    return _ratios(_rows(truth * guess, n), _rows(truth, n), _equal_shares(truth.sum(0) > 0))


def _macro_f1(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    truth, guess = memberships(read_outputs(outputs, targets, reading, mask))
    both, n = truth + guess, len(targets)
    return _ratios(_rows(2 * truth * guess, n), _rows(both, n), _equal_shares(both.sum(0) > 0))


def _of_errors(each: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def found(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
        errors = each(predicted(outputs, reading) - targets)
        weights = torch.ones_like(errors) if mask is None else mask.to(errors.dtype)
        n = len(targets)
        return _ratios((errors * weights).reshape(n, -1).sum(1)[:, None], weights.reshape(n, -1).sum(1)[:, None])

    return found


_mse = _of_errors(torch.square)


def _rmse(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    squares = _mse(outputs, targets, reading, mask)
    root = squares.mean().sqrt()
    return root + (squares - squares.mean()) / (2 * root).clamp(min=torch.finfo(torch.float64).tiny)


def _r2(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    """1 − Σe²/Σ(y − ȳ)² of each target; the influence through ȳ is 0, since the sum of squares is least there."""
    outputs, targets = predicted(outputs, reading).double(), targets.double()
    weights = torch.ones_like(targets) if mask is None else mask.double()
    mean = (targets * weights).sum(0) / weights.sum(0)
    n = len(targets)
    lost = (weights * (targets - outputs) ** 2).reshape(n, -1)
    total = (weights * (targets - mean) ** 2).reshape(n, -1)
    return 1 - _ratios(lost, total, torch.full_like(lost[0], 1 / lost.shape[1]))


# ---- AUROC -----------------------------------------------------------------------------------------------------------


def _auroc(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Tensor:
    """Of a yes, the share of noes that it beats; of a no, the share of yeses that beat it (DeLong's components)."""
    scores, truth, counts = auroc_scores(outputs, targets, reading, mask)  # [M, K]
    scores, yes, no = scores.mT, (truth & counts).double().mT, (~truth & counts).double().mT
    beaten, beating = _below(scores, no), _below(-scores, yes)  # [K, M]
    positives, negatives = yes.sum(1, keepdim=True), no.sum(1, keepdim=True)
    kept = (positives * negatives > 0).double()
    positives, negatives = positives.clamp(min=1), negatives.clamp(min=1)
    area = (yes * beaten).sum(1, keepdim=True) / (positives * negatives)
    moved = yes * (beaten / negatives - area) / positives + no * (beating / positives - area) / negatives
    weights, n = kept / kept.sum(), len(targets)
    return (weights * area).sum() + n * _rows((weights * moved).sum(0)[:, None], n)[:, 0]


def _below(scores: Tensor, counted: Tensor) -> Tensor:
    """How many of those counted [K, M] have a lower score than each [K, M]; equal ones count half."""
    scores = scores.contiguous()
    ordered, order = scores.sort(dim=1)
    sums = torch.cat([torch.zeros_like(counted[:, :1]), counted.gather(1, order).cumsum(1)], dim=1)
    first, last = torch.searchsorted(ordered, scores), torch.searchsorted(ordered, scores, right=True)
    return (sums.gather(1, first) + sums.gather(1, last)) / 2


CONTRIBUTIONS: dict[Callable[..., Any], Callable[..., Tensor]] = {
    accuracy: _accuracy,
    top_k: _top_k,
    perplexity: _perplexity,
    balanced_accuracy: _balanced_accuracy,
    macro_f1: _macro_f1,
    auroc: _auroc,
    r2: _r2,
    mse: _mse,
    rmse: _rmse,
    mae: _of_errors(torch.abs),
}
