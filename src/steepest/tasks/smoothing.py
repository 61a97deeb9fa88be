"""Training losses that differ from the measured one: smoothed labels and labels blended by mixup."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from steepest.errors import BadTask
from steepest.tasks.metrics import Loss


def smoothed(loss: Loss, share: float, name: str) -> Loss:
    """The loss with labels (1 − s)·y + s/C (C. Szegedy et al., Rethinking the Inception Architecture, 2016).

    For cross-entropy of C classes; for binary cross-entropy of logits, labels 0 and 1 become s/2 and 1 − s/2. Raises
    BadTask for any other loss.
    """
    if loss is F.cross_entropy:
        return partial(F.cross_entropy, label_smoothing=share)
    if isinstance(loss, nn.CrossEntropyLoss):
        softer = copy.copy(loss)
        softer.label_smoothing = share
        return softer
    if loss is F.binary_cross_entropy_with_logits or isinstance(loss, nn.BCEWithLogitsLoss):
        return partial(_binary, loss, share)
    raise BadTask(f"label-smoothing needs cross-entropy of logits, but {name} has another loss. Leave it out.")


def _binary(loss: Callable[..., Tensor], share: float, outputs: Tensor, targets: Tensor) -> Tensor:
    return loss(outputs, targets * (1 - share) + share / 2)


def mixed_loss(loss: Loss, outputs: Any, targets: Tensor) -> Tensor:
    """λ·loss(outputs, yₐ) + (1 − λ)·loss(outputs, y_b) for blended targets [B, 3] = (yₐ, y_b, λ), λ one for all."""
    share = targets[0, 2]
    first, second = (loss(outputs, targets[:, column].long()) for column in (0, 1))
    return share * first + (1 - share) * second
