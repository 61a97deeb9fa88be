"""Outputs and targets where the loss does not take them are reported; sound tasks of every kind are not."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest import Task
from steepest.checks import loss_domains
from steepest.checks.specimen import Specimen

draw = torch.Generator().manual_seed(0)
X = torch.randn(120, 6, generator=draw)
CLASSES = torch.arange(120) % 3
BITS = (X[:, :1] > 0.3).float()
REAL = X[:, :1] + X[:, 1:2]
DETECTORS = (
    loss_domains.outputs_fit_the_loss,
    loss_domains.targets_fit_the_loss,
    loss_domains.loss_is_a_mean,
    loss_domains.loss_has_a_bound,
)


def task(loss, targets, *last: nn.Module, width: int = 0, **changes) -> Task:
    width = width or (3 if targets.ndim == 1 else targets.shape[1])
    return Task(
        model=lambda: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, width), *last),
        data=(X, targets),
        loss=loss,
        batch_size=16,
        **changes,
    )


def ids(of: Task) -> list[str]:
    specimen = Specimen(of)
    return [found.id for detector in DETECTORS for found in detector(specimen)]


class Last(nn.Module):
    """A function at the end of a model."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def hand_written(outputs, targets):
    return -(targets * F.logsigmoid(outputs) + (1 - targets) * F.logsigmoid(-outputs)).mean()


WRONG = {
    "sigmoid into logits": (task(nn.BCEWithLogitsLoss(), BITS, nn.Sigmoid()), "probabilities-into-logits"),
    "sigmoid into logits, in a function": (
        task(lambda o, t: F.binary_cross_entropy_with_logits(o.squeeze(1), t.squeeze(1)), BITS, nn.Sigmoid()),
        "probabilities-into-logits",
    ),
    "softmax into cross-entropy": (task(F.cross_entropy, CLASSES, nn.Softmax(1)), "probabilities-into-logits"),
    "softmax by hand": (
        task(F.cross_entropy, CLASSES, Last(lambda x: x.exp() / x.exp().sum(1, keepdim=True))),
        "probabilities-into-logits",
    ),
    "softmax in the loss": (task(lambda o, t: F.cross_entropy(o.softmax(1), t), CLASSES), "probabilities-into-logits"),
    "multi-label sigmoid": (
        task(nn.MultiLabelSoftMarginLoss(), (X[:, :4] > 0).float(), nn.Sigmoid()), "probabilities-into-logits"
    ),
    "relu before cross-entropy": (task(F.cross_entropy, CLASSES, nn.ReLU()), "bounded-outputs"),
    "tanh before logits": (task(F.binary_cross_entropy_with_logits, BITS, nn.Tanh()), "bounded-outputs"),
    "sigmoid before a margin": (task(F.soft_margin_loss, 2 * BITS - 1, nn.Sigmoid()), "bounded-outputs"),
    "rates as logarithms": (task(nn.PoissonNLLLoss(), REAL.abs().round(), nn.Softplus()), "bounded-outputs"),
    "logits into nll": (task(F.nll_loss, CLASSES), "logits-into-probabilities"),
    "probabilities into nll": (task(nn.NLLLoss(), CLASSES, nn.Softmax(1)), "logits-into-probabilities"),
    "logits into kl": (
        task(nn.KLDivLoss(reduction="batchmean"), X[:, :3].softmax(1)), "logits-into-probabilities"
    ),
    "rates that may be negative": (
        task(nn.PoissonNLLLoss(log_input=False), REAL.abs().round()), "logits-into-probabilities"
    ),
    "labels 1 and 2": (task(F.binary_cross_entropy_with_logits, BITS + 1), "targets-outside-loss"),
    "labels -1 and 1 for probabilities": (
        task(F.binary_cross_entropy_with_logits, 2 * BITS - 1), "targets-outside-loss"
    ),
    "labels 0 and 1 for a margin": (task(nn.SoftMarginLoss(), BITS), "targets-outside-loss"),
    "negative counts": (task(nn.PoissonNLLLoss(), REAL.round()), "targets-outside-loss"),
    "several answers as a distribution": (task(F.cross_entropy, (X[:, :4] > 0).float()), "targets-outside-loss"),
    "a class beyond the outputs": (
        task(lambda o, t: F.cross_entropy(o, t), torch.cat([CLASSES[:-1], torch.tensor([9])])), "targets-outside-loss"
    ),
    "sigmoid against prices": (task(F.mse_loss, 100 * REAL.abs(), nn.Sigmoid()), "targets-out-of-reach"),
    "relu against signed targets": (task(nn.HuberLoss(), REAL, nn.ReLU()), "targets-out-of-reach"),
    "tanh against large targets": (task(lambda o, t: F.l1_loss(o, t), 3 * REAL, nn.Tanh()), "targets-out-of-reach"),
    "clamped against large targets": (
        task(F.mse_loss, 3 * REAL, Last(lambda x: x.clamp(-1, 1))), "targets-out-of-reach"
    ),
    "a sum": (task(nn.MSELoss(reduction="sum"), REAL), "summed-loss"),
    "a sum by hand": (task(lambda o, t: ((o - t) ** 2).sum(), REAL), "summed-loss"),
    "a sum of cross-entropies": (task(lambda o, t: F.cross_entropy(o, t, reduction="sum"), CLASSES), "summed-loss"),
    "the wrong sign": (task(lambda o, t: -(o * t).mean(), REAL), "unbounded-loss"),
    "own cross-entropy of labels 1 and 2": (task(hand_written, BITS + 1), "unbounded-loss"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_a_loss_does_not_take_is_reported(case):
    wrong, expected = WRONG[case]
    assert expected in ids(wrong)


SOUND = {
    "cross-entropy": task(F.cross_entropy, CLASSES),
    "cross-entropy of log-probabilities": task(F.cross_entropy, CLASSES, nn.LogSoftmax(1)),
    "weights and smoothing": task(nn.CrossEntropyLoss(torch.tensor([1.0, 2, 3]), label_smoothing=0.1), CLASSES),
    "soft labels": task(F.cross_entropy, X[:, :3].softmax(1)),
    "logits": task(nn.BCEWithLogitsLoss(), BITS),
    "probabilities": task(nn.BCELoss(), BITS, nn.Sigmoid()),
    "own cross-entropy": task(hand_written, BITS),
    "nll": task(nn.NLLLoss(), CLASSES, nn.LogSoftmax(1)),
    "nll of a log": task(lambda o, t: F.nll_loss(o.softmax(1).log(), t), CLASSES),
    "kl": task(nn.KLDivLoss(reduction="batchmean"), X[:, :3].softmax(1), nn.LogSoftmax(1)),
    "poisson": task(nn.PoissonNLLLoss(), REAL.abs().round()),
    "poisson of rates": task(nn.PoissonNLLLoss(log_input=False), REAL.abs().round(), nn.Softplus()),
    "gaussian": task(lambda o, t: F.gaussian_nll_loss(o[:, :1], t, o[:, 1:].exp()), REAL, width=2),
    "gaussian by hand": task(
        lambda o, t: (o[:, 1:] + (o[:, :1] - t) ** 2 * (-o[:, 1:]).exp()).mean(), REAL, width=2
    ),
    "regression": task(F.mse_loss, REAL),
    "regression within reach": task(F.mse_loss, REAL.abs(), nn.ReLU()),
    "regression into a range": task(nn.MSELoss(), BITS, nn.Sigmoid()),
    "signs": task(nn.SoftMarginLoss(), 2 * BITS - 1),
    "hinge by hand": task(lambda o, t: F.relu(1 - o * (2 * t - 1)).mean(), BITS),
    "multi-margin": task(nn.MultiMarginLoss(), CLASSES),
    "cosine distance": task(lambda o, t: 1 - F.cosine_similarity(o, t).mean(), X[:, :3]),
    "within the batch": task(lambda o, t: F.cross_entropy(o @ t.T, torch.arange(len(o))), X[:, :3]),
    "quantiles": task(
        lambda o, t: torch.maximum(0.9 * (t - o), -0.1 * (t - o)).mean(), REAL
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_loss_has_no_warning(case):
    assert ids(SOUND[case]) == []


def test_the_sentence_names_the_number_and_a_value():
    (found,) = loss_domains.targets_fit_the_loss(Specimen(task(F.binary_cross_entropy_with_logits, BITS + 1)))
    text = str(found.message)
    assert f"{int(BITS.sum())} of 120" in text
    assert "such as 2" in text
    assert found.severity == "severe"


REMEDIES = [
    (F.nll_loss, CLASSES, nn.Identity(), "End the model in log_softmax, or use cross_entropy."),
    (F.nll_loss, CLASSES, nn.Softmax(1), "Replace the softmax at the end of the model by log_softmax."),
    (nn.PoissonNLLLoss(log_input=False), REAL.abs().round(), nn.Identity(), "End the model in exp or softplus, or use"),
    (nn.KLDivLoss(reduction="batchmean"), X[:, :3].softmax(1), nn.Identity(), "End the model in log_softmax."),
]


@pytest.mark.parametrize(("loss", "targets", "last", "words"), REMEDIES)
def test_the_remedy_names_the_one_function_that_the_loss_needs(loss, targets, last, words):
    (found,) = loss_domains.outputs_fit_the_loss(Specimen(task(loss, targets, last)))
    assert words in str(found.message)


@pytest.mark.parametrize(
    ("loss", "targets", "words"),
    [
        (F.binary_cross_entropy_with_logits, BITS + 1, "Pass answers as 0 and 1"),
        (nn.SoftMarginLoss(), BITS, "Pass answers as −1 and 1, such as 2 * y - 1"),
        (nn.PoissonNLLLoss(), REAL.round(), "Correct or remove negative counts"),
        (lambda o, t: F.cross_entropy(o, t), torch.cat([CLASSES[:-1], torch.tensor([9])]), "Look for targets that it"),
    ],
)
def test_targets_outside_the_loss_have_a_remedy(loss, targets, words):
    (found,) = loss_domains.targets_fit_the_loss(Specimen(task(loss, targets)))
    assert words in str(found.message)
