"""Shapes of outputs and targets, domains of losses, targets out of the model's reach."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from unseen.looking import draw, stopped, warned

from steepest import Task

X = torch.randn(240, 6, generator=draw(0))
COLUMN = X[:, :1] - 0.5 * X[:, 1:2] + 0.2 * torch.randn(240, 1, generator=draw(1))
BINARY = (COLUMN > 0).float()
CLASSES = (X[:, 0] > 0.4).long() + (X[:, 0] > -0.4).long()


def mlp(outputs: int = 1, *last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs), *last)


def task(loss, targets: Tensor, *last: nn.Module, outputs: int = 1, metric: str = "loss", inputs: Tensor = X) -> Task:
    return Task(
        model=lambda: mlp(outputs, *last), data=(inputs, targets), loss=loss, metric=metric, batch_size=32, epochs=5
    )


@pytest.mark.parametrize("loss", [F.mse_loss, nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(delta=0.5)])
def test_a_map_with_a_channel_against_a_map_without(loss):
    """Rain radar: the network gives [B, 1, 6, 6], the targets are [B, 6, 6]."""
    x = torch.rand(160, 2, 6, 6, generator=draw(2))
    make = lambda: Task(  # noqa: E731
        model=lambda: nn.Conv2d(2, 1, 3, padding=1), data=(x, x.mean(1)), loss=loss, batch_size=16
    )
    stopped(make, r"\b1, 6, 6\]", r"\[\w+, 6, 6\]")


def test_one_number_an_hour_with_a_stray_axis():
    """Electricity: a forecast [B, T, 1] of the next 24 hours, targets [B, T], with a loss of one's own."""
    x = torch.randn(160, 24, 3, generator=draw(3))
    make = lambda: Task(  # noqa: E731
        model=lambda: nn.Linear(3, 1),
        data=(x, x[..., 0]),
        loss=lambda outputs, targets: ((outputs - targets).abs() + 0.1 * (outputs - targets) ** 2).mean(),
        batch_size=16,
    )
    stopped(make, r"24, 1\]", r"24\]")


def test_a_squeezed_output_against_a_column():
    """Crop yields: the model ends in `Flatten(0)`, so that outputs are [B] and targets [B, 1]."""
    stopped(lambda: task(nn.L1Loss(), COLUMN, nn.Flatten(0)), "broadcast|shape", ", 1\\]")


def test_the_same_wrong_shape_where_all_targets_are_equal_at_first():
    """Insurance claims: most are 0, so that values cannot show that [B, 1] meets [B]."""
    claims = COLUMN[:, 0].clamp(min=0) * (torch.arange(240) > 200)
    stopped(lambda: task(nn.HuberLoss(), claims), ", 1\\]", "broadcast|shape")


def test_logits_into_a_loss_of_log_probabilities():
    """Plankton in three species: `NLLLoss` after a bare linear layer."""
    warned(lambda: task(nn.NLLLoss(), CLASSES, outputs=3), "log-prob|log_softmax|LogSoftmax|log prob")


def test_probabilities_into_a_loss_of_log_probabilities():
    """Plankton again: `NLLLoss` after a softmax; its losses lie between −1 and 0."""
    warned(lambda: task(nn.NLLLoss(), CLASSES, nn.Softmax(1), outputs=3), "log-prob|log_softmax|LogSoftmax|log prob")


def test_a_student_gives_probabilities_where_their_logarithms_are_meant():
    """Distillation: `KLDivLoss` takes log-probabilities of the student, and probabilities of the teacher."""
    teacher = (3 * X[:, :3]).softmax(1)
    warned(
        lambda: task(nn.KLDivLoss(reduction="batchmean"), teacher, nn.Softmax(1), outputs=3),
        "log-prob|log_softmax|log prob",
    )


def test_positive_rates_where_their_logarithms_are_meant():
    """Goals in football: softplus and `PoissonNLLLoss`, which takes the logarithm of the rate unless told."""
    goals = torch.poisson(COLUMN.exp(), generator=draw(4))
    warned(lambda: task(nn.PoissonNLLLoss(), goals, nn.Softplus()), "log_input|logarithm|log of")


def test_counts_below_zero():
    """Returned goods: a count of −3 is not a count; `PoissonNLLLoss` can fall without end."""
    counts = COLUMN.mul(3).round()
    warned(lambda: task(nn.PoissonNLLLoss(), counts), "negative|below 0|counts|at least 0")


def test_labels_of_plus_and_minus_one_into_logistic_loss():
    """Click logs as LIBSVM writes them: −1 and 1 with `BCEWithLogitsLoss`, which then has no lower bound."""
    warned(lambda: task(nn.BCEWithLogitsLoss(), 2 * BINARY - 1), "−1|-1|0 and 1|0 to 1|between 0 and 1")


def test_labels_of_zero_and_one_into_a_margin_loss():
    """A spam filter: `SoftMarginLoss` takes −1 and 1; with 0 half of the examples teach nothing."""
    warned(lambda: task(nn.SoftMarginLoss(), BINARY), "−1|-1")


def test_scores_into_a_loss_of_probabilities():
    """Churn: `BCELoss` without a sigmoid."""
    stopped(lambda: task(nn.BCELoss(), BINARY), "sigmoid|probabilit|0 and 1|0 to 1", "BCE|binary_cross_entropy|loss")


def test_a_picture_of_0_to_255_that_a_sigmoid_cannot_reach():
    """An autoencoder of microscope pictures in bytes, with a sigmoid at its end."""
    pictures = (255 * torch.rand(200, 6, generator=draw(5))).round()
    warned(
        lambda: task(F.mse_loss, pictures, nn.Sigmoid(), outputs=6, inputs=pictures / 255),
        "reach|sigmoid|0 to 1|between 0 and 1",
    )


def test_losses_of_money_that_a_relu_cannot_reach():
    """Profit by shop: half of the targets are negative, and the model ends in a ReLU."""
    warned(lambda: task(nn.L1Loss(), COLUMN, nn.ReLU()), "reach|ReLU|negative|below 0")


@pytest.mark.parametrize(
    "loss",
    [nn.MSELoss(reduction="sum"), lambda outputs, targets: (outputs - targets).abs().sum()],
    ids=["torch", "own"],
)
def test_a_sum_over_the_batch(loss):
    """Spectra: the loss is a sum, so that a rate means something else at every batch size."""
    warned(lambda: task(loss, COLUMN), "sum", "batch|mean")


def test_rows_of_several_labels_into_cross_entropy():
    """Film genres: two or three of five are 1; `cross_entropy` reads a row as probabilities that sum to 1."""
    genres = (torch.rand(240, 5, generator=draw(6)) < 0.5).float()
    genres[:, :2] = 1
    warned(lambda: task(F.cross_entropy, genres, outputs=5), "sum|multi-label|binary_cross_entropy|several")


def test_one_output_for_two_classes():
    """Mushrooms: `cross_entropy` over a single output is 0 whatever the model does."""
    stopped(lambda: task(F.cross_entropy, BINARY[:, 0].long()), "1 output|one output|labels|constant")


def test_a_loss_that_no_weight_can_change():
    """A tutorial's slip: `argmax` before the loss; no gradient flows."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(outputs.argmax(1).float(), targets.float())

    stopped(lambda: task(loss, CLASSES, outputs=3), "gradient|depend|argmax")


def test_softmax_twice():
    """Sentiment: a softmax over classes at the end of a model whose loss is `CrossEntropyLoss` with label smoothing."""
    warned(
        lambda: task(nn.CrossEntropyLoss(label_smoothing=0.1), CLASSES, nn.Softmax(-1), outputs=3),
        "softmax|probabilit|logits",
    )
