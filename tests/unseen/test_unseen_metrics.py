"""A metric is measured or refused: models that start at the right answer must score what they deserve."""

import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from unseen.looking import Seen, draw, look, measured, stopped

import steepest
from steepest import Task

CODES = torch.randint(0, 4, (200,), generator=draw(0))
ONE_HOT = F.one_hot(CODES, 4).float()


class Knows(nn.Module):
    """Scores are ten times the inputs: right from the start, so that a good metric is near its best."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        with torch.no_grad():
            self.linear.weight.copy_(10 * torch.eye(width))
            self.linear.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


def score(seen: Seen) -> float | None:
    """The metric after some steps, or None if the task is refused in a sentence that says what to pass instead."""
    if seen.refused:
        assert re.search("metric|accuracy|pass", seen.refused, re.IGNORECASE)
        return None
    return float(seen.page["valid_metric_after"])


def perfect_or_refused(make) -> None:
    value = score(measured(make))
    assert value is None or value > 0.99


def test_words_in_a_sentence_with_classes_last():
    """Named entities: scores [B, T, C] and labels [B, T] with −100 for what is not a first syllable."""
    tags = torch.randint(0, 4, (150, 9), generator=draw(1))
    x = F.one_hot(tags, 4).float()
    tags[torch.rand(tags.shape, generator=draw(2)) < 0.4] = -100
    value = score(
        measured(
            lambda: Task(
                model=Knows,
                data=(x, tags),
                loss=lambda o, t: F.cross_entropy(o.flatten(0, 1), t.flatten()),
                metric="accuracy",
                batch_size=16,
            )
        )
    )
    assert value is not None
    assert value > 0.99


def test_padding_is_class_zero():
    """Parts of speech: `ignore_index=0`, because the vocabulary of tags begins with padding; scores [B, C, T]."""
    tags = torch.randint(1, 4, (150, 9), generator=draw(3))
    x = F.one_hot(tags, 4).float().transpose(1, 2)
    tags[:, 5:] = 0

    class Net(Knows):
        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.transpose(1, 2)).transpose(1, 2)

    value = score(
        measured(
            lambda: Task(
                model=Net, data=(x, tags), loss=nn.CrossEntropyLoss(ignore_index=0), metric="accuracy", batch_size=16
            )
        )
    )
    assert value is not None
    assert value > 0.99


def test_several_labels_an_example():
    """Chest X-rays: five findings, each 0 or 1; accuracy counts findings."""
    findings = (torch.rand(200, 5, generator=draw(4)) < 0.3).float()
    value = score(
        measured(
            lambda: Task(
                model=lambda: Knows(5),
                data=(2 * findings - 1, findings),
                loss=nn.BCEWithLogitsLoss(),
                metric="accuracy",
                batch_size=16,
            )
        )
    )
    assert value is not None
    assert value > 0.99


def test_targets_of_one_and_zero_for_each_class():
    """Handwriting as Keras users keep it: one-hot targets and cross-entropy."""
    perfect_or_refused(
        lambda: Task(model=Knows, data=(ONE_HOT, ONE_HOT), loss=F.cross_entropy, metric="accuracy", batch_size=16)
    )


def test_signs_as_labels():
    """A support vector machine: labels −1 and 1 in a column, one score, `SoftMarginLoss`."""
    signs = torch.randint(0, 2, (200, 1), generator=draw(5)).float() * 2 - 1
    perfect_or_refused(
        lambda: Task(
            model=lambda: Knows(1), data=(signs, signs), loss=nn.SoftMarginLoss(), metric="accuracy", batch_size=16
        )
    )


def test_boolean_labels():
    """A survey: the targets are `bool`, as pandas gives them."""
    labels = torch.randint(0, 2, (200, 1), generator=draw(6)).bool()
    perfect_or_refused(
        lambda: Task(
            model=lambda: Knows(1),
            data=(2 * labels.float() - 1, labels.numpy()),
            loss=F.binary_cross_entropy_with_logits,
            metric="accuracy",
            batch_size=16,
        )
    )


class Answer(NamedTuple):
    logits: Tensor
    hidden: Tensor


def test_a_named_tuple_with_logits():
    """A model for eye movements: `forward` returns logits and hidden states in a named tuple."""

    class Net(Knows):
        def forward(self, x: Tensor) -> Answer:
            return Answer(self.linear(x), x.mean(-1))

    perfect_or_refused(
        lambda: Task(
            model=Net,
            data=(ONE_HOT, CODES),
            loss=lambda o, t: F.cross_entropy(o.logits, t),
            metric="accuracy",
            batch_size=16,
        )
    )


def test_a_dict_of_outputs_and_a_loss_of_its_own():
    """A reader of receipts: `forward(x, labels)` returns {"loss": …, "logits": …}."""

    class Net(Knows):
        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            scores = self.linear(x)
            return {"loss": F.cross_entropy(scores, labels), "logits": scores}

    perfect_or_refused(lambda: Task(model=Net, data={"x": ONE_HOT, "labels": CODES}, metric="accuracy", batch_size=16))


def test_nothing_is_labelled_in_the_validation_part():
    """Weak labels for a map: all pixels of the validation part are −100, so that accuracy is over nothing."""
    tags = torch.randint(0, 4, (120, 4, 4), generator=draw(7))
    x = F.one_hot(tags, 4).permute(0, 3, 1, 2).float()
    tags[80:100] = -100
    stopped(
        lambda: Task(
            model=lambda: nn.Conv2d(4, 4, 1),
            train=(x[:80], tags[:80]),
            valid=(x[80:100], tags[80:100]),
            test=(x[100:], tags[100:]),
            loss=F.cross_entropy,
            metric="accuracy",
            batch_size=16,
        ),
        "valid",
        "-100|−100|ignore|mask",
    )


@pytest.mark.parametrize(
    "metric",
    [
        lambda outputs, targets: torch.tensor(1.0),
        lambda outputs, targets: (targets == targets).float().mean(),
        lambda outputs, targets: (outputs.softmax(1).sum(1) > 0.5).float().mean(),
    ],
    ids=["a number", "of the targets alone", "of outputs, always 1"],
)
def test_a_metric_that_is_the_same_for_every_model(metric):
    """A metric under construction: whatever the model is, it says the same."""
    stopped(
        lambda: Task(
            model=lambda: nn.Linear(4, 4), data=(ONE_HOT, CODES), loss=F.cross_entropy, metric=metric, batch_size=16
        ),
        "metric",
        "constant|same|depend|whatever the model|all outputs",
    )


def test_a_metric_that_is_not_a_number():
    """A ratio with an empty denominator: precision of a class that nobody predicts."""
    stopped(
        lambda: Task(
            model=lambda: nn.Linear(4, 4),
            data=(ONE_HOT, CODES),
            loss=F.cross_entropy,
            metric=lambda outputs, targets: (outputs.argmax(1) == 9).float().sum() / (outputs.argmax(1) == 9).sum(),
            batch_size=16,
        ),
        "metric",
        "NaN|nan|not finite|not a number",
    )


@pytest.mark.parametrize("name", ["macro-f1", "auroc", "balanced-accuracy", "top-2", "perplexity", "mae", "r2", "rmse"])
def test_metrics_by_name(name):
    """The names that papers use: each is known, and is what scikit-learn computes."""
    numbers = name in {"mae", "r2", "rmse"}
    two = name == "auroc"
    x = torch.randn(300, 4, generator=draw(9))
    if numbers:
        y, outputs, loss = x[:, :1] + 0.3 * x[:, 1:2], 1, F.mse_loss
    elif two:
        y, outputs, loss = (x[:, :1] > 0).float(), 1, F.binary_cross_entropy_with_logits
    else:
        y, outputs, loss = x.argmax(1), 4, F.cross_entropy
    seen = measured(
        lambda: Task(model=lambda: nn.Linear(4, outputs), data=(x, y), loss=loss, metric=name, batch_size=32)
    )
    assert not seen.refused
    assert np.isfinite(seen.page["valid_metric_after"])


def test_area_under_a_curve_needs_both_classes():
    """A rare disease: no sick person is in the test part."""
    x = torch.randn(200, 4, generator=draw(10))
    y = (x[:, :1] > 0).float()
    y[150:] = 0
    stopped(
        lambda: Task(
            model=lambda: nn.Linear(4, 1),
            train=(x[:100], y[:100]),
            valid=(x[100:150], y[100:150]),
            test=(x[150:], y[150:]),
            loss=F.binary_cross_entropy_with_logits,
            metric="auroc",
            batch_size=16,
        ),
        "test",
        "class|positive|labels .* equal",
    )


def test_a_metric_of_ones_own_is_measured():
    """Share of forecasts within a tenth: a `steepest.Metric` of one's own."""
    x = torch.randn(200, 3, generator=draw(12))
    within = steepest.Metric(
        "within a tenth", lambda o, t: ((o - t).abs() < 0.1).float().mean(), higher_is_better=True, unit="%"
    )
    seen = look(
        lambda: Task(
            model=lambda: nn.Linear(3, 1),
            data=(x, x.sum(1, keepdim=True)),
            loss=F.mse_loss,
            metric=within,
            batch_size=16,
        )
    )
    assert not seen.refused
    assert not seen.severe
