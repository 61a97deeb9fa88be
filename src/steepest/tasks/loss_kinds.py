"""What each known loss expects: the shapes and the values of its outputs and targets. One table for torch and Keras.

Checks and metrics read it. Nothing else in the package lists losses by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from steepest.messages import mark


class Outputs(Enum):
    """What a loss takes as the outputs of a model."""

    NUMBERS = mark("predictions of the targets")
    CLASS_LOGITS = mark("logits, one per class")
    BINARY_LOGITS = mark("logits")
    SCORES = mark("unbounded scores")
    PROBABILITIES = mark("probabilities")
    DISTRIBUTION = mark("probabilities that sum to 1")
    LOG_DISTRIBUTION = mark("log-probabilities")
    LOG_RATES = mark("logarithms of rates")
    RATES = mark("rates, which are positive")
    ANY = mark("anything")


class Targets(Enum):
    """What a loss takes as targets."""

    NUMBERS = mark("numbers")
    CLASSES = mark("class numbers")
    UNIT = mark("numbers from 0 to 1")
    DISTRIBUTION = mark("probabilities that sum to 1")
    LOG_DISTRIBUTION = mark("log-probabilities")
    COUNTS = mark("counts, which are not negative")
    SIGNS = mark("−1 or 1")
    POSITIVE = mark("numbers above −1")
    ANY = mark("anything")


@dataclass(frozen=True)
class LossKind:
    """What a loss expects."""

    outputs: Outputs
    targets: Targets
    same_shape: bool = True
    """Whether outputs and targets are compared element by element, so that broadcasting is a mistake."""
    class_axis: int = 1
    """The axis of the classes in outputs, where there is one."""


_REGRESSION = LossKind(Outputs.NUMBERS, Targets.NUMBERS)

TORCH: Mapping[str, LossKind] = {
    "mse_loss": _REGRESSION,
    "l1_loss": _REGRESSION,
    "smooth_l1_loss": _REGRESSION,
    "huber_loss": _REGRESSION,
    "gaussian_nll_loss": _REGRESSION,
    "cross_entropy": LossKind(Outputs.CLASS_LOGITS, Targets.CLASSES, same_shape=False),
    "nll_loss": LossKind(Outputs.LOG_DISTRIBUTION, Targets.CLASSES, same_shape=False),
    "multi_margin_loss": LossKind(Outputs.SCORES, Targets.CLASSES, same_shape=False),
    "binary_cross_entropy": LossKind(Outputs.PROBABILITIES, Targets.UNIT),
    "binary_cross_entropy_with_logits": LossKind(Outputs.BINARY_LOGITS, Targets.UNIT),
    "multilabel_soft_margin_loss": LossKind(Outputs.BINARY_LOGITS, Targets.UNIT),
    "multilabel_margin_loss": LossKind(Outputs.SCORES, Targets.ANY),
    "soft_margin_loss": LossKind(Outputs.SCORES, Targets.SIGNS),
    "hinge_embedding_loss": LossKind(Outputs.ANY, Targets.SIGNS),
    "margin_ranking_loss": LossKind(Outputs.ANY, Targets.SIGNS),
    "cosine_embedding_loss": LossKind(Outputs.ANY, Targets.SIGNS, same_shape=False),
    "kl_div": LossKind(Outputs.LOG_DISTRIBUTION, Targets.DISTRIBUTION),
    "poisson_nll_loss": LossKind(Outputs.LOG_RATES, Targets.COUNTS),
    "ctc_loss": LossKind(Outputs.LOG_DISTRIBUTION, Targets.ANY, same_shape=False, class_axis=-1),
    "triplet_margin_loss": LossKind(Outputs.ANY, Targets.ANY, same_shape=False),
    "triplet_margin_with_distance_loss": LossKind(Outputs.ANY, Targets.ANY, same_shape=False),
}
"""The losses of torch.nn.functional, which those of torch.nn call."""

KERAS: Mapping[str, LossKind] = {
    **dict.fromkeys(("mean_squared_error", "mean_absolute_error", "huber", "huber_loss", "log_cosh"), _REGRESSION),
    "mean_absolute_percentage_error": _REGRESSION,
    "mean_squared_logarithmic_error": LossKind(Outputs.NUMBERS, Targets.POSITIVE),
    "cosine_similarity": LossKind(Outputs.ANY, Targets.ANY),
    "binary_crossentropy": LossKind(Outputs.PROBABILITIES, Targets.UNIT),
    "binary_focal_crossentropy": LossKind(Outputs.PROBABILITIES, Targets.UNIT),
    "categorical_crossentropy": LossKind(Outputs.DISTRIBUTION, Targets.DISTRIBUTION, class_axis=-1),
    "categorical_focal_crossentropy": LossKind(Outputs.DISTRIBUTION, Targets.DISTRIBUTION, class_axis=-1),
    "sparse_categorical_crossentropy": LossKind(Outputs.DISTRIBUTION, Targets.CLASSES, same_shape=False, class_axis=-1),
    "kl_divergence": LossKind(Outputs.DISTRIBUTION, Targets.DISTRIBUTION, class_axis=-1),
    "poisson": LossKind(Outputs.RATES, Targets.COUNTS),
    "hinge": LossKind(Outputs.SCORES, Targets.ANY),  # Keras turns 0 and 1 into −1 and 1
    "squared_hinge": LossKind(Outputs.SCORES, Targets.ANY),
    "categorical_hinge": LossKind(Outputs.SCORES, Targets.UNIT, class_axis=-1),
    "dice": LossKind(Outputs.PROBABILITIES, Targets.UNIT),
    "tversky": LossKind(Outputs.PROBABILITIES, Targets.UNIT),
}
"""The losses of Keras, by the names of their functions."""

FROM_LOGITS = {Outputs.PROBABILITIES: Outputs.BINARY_LOGITS, Outputs.DISTRIBUTION: Outputs.CLASS_LOGITS}
"""What a Keras loss takes with from_logits=True instead."""
