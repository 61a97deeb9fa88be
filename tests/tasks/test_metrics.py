"""Metrics against scikit-learn, and under vmap, as a fleet measures them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torch.nn import functional as F

from steepest.errors import BadTask, UnknownName
from steepest.tasks.metrics import NAMED, Metric, metric_of

draw = torch.Generator().manual_seed(0)
SCORES = torch.randn(50, 4, generator=draw)
LABELS = torch.randint(4, (50,), generator=draw)
TARGETS = torch.randn(50, 2, generator=draw)
GUESSES = TARGETS + 0.5 * torch.randn(50, 2, generator=draw)


def test_accuracy_is_scikit_learns():
    expected = reference.accuracy_score(LABELS.numpy(), SCORES.argmax(1).numpy())
    assert float(NAMED["accuracy"].fn(SCORES, LABELS)) == pytest.approx(expected)


def test_accuracy_of_logits_is_scikit_learns():
    logits, truth = GUESSES[:, :1], (TARGETS[:, :1] > 0).float()
    expected = reference.accuracy_score(truth.numpy() > 0, logits.numpy() > 0)
    assert 0.5 < expected < 1
    assert float(NAMED["accuracy"].fn(logits, truth)) == pytest.approx(expected)


def test_accuracy_of_sequences_leaves_padding_out():
    scores = torch.randn(6, 4, 5, generator=draw)  # [B, C, T]
    labels = scores.argmax(1)  # all right
    labels[0, 0] = (labels[0, 0] + 1) % 4  # but one
    labels[:, 3:] = -100
    assert float(NAMED["accuracy"].fn(scores, labels)) == pytest.approx(17 / 18)


def test_errors_are_scikit_learns():
    y, guess = TARGETS.numpy(), GUESSES.numpy()
    assert float(NAMED["r2"].fn(GUESSES, TARGETS)) == pytest.approx(reference.r2_score(y, guess), rel=1e-5)
    assert float(NAMED["mse"].fn(GUESSES, TARGETS)) == pytest.approx(reference.mean_squared_error(y, guess), rel=1e-5)
    assert float(NAMED["mae"].fn(GUESSES, TARGETS)) == pytest.approx(reference.mean_absolute_error(y, guess), rel=1e-5)


@pytest.mark.parametrize("name", NAMED)
def test_a_fleet_measures_all_its_replicas_at_once(name):
    outputs, targets = (SCORES, LABELS) if name == "accuracy" else (GUESSES, TARGETS)
    many = torch.stack([outputs + 0.1 * r for r in range(3)]) * torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    together = torch.func.vmap(NAMED[name].fn, in_dims=(0, None))(many, targets)
    one_by_one = torch.stack([NAMED[name].fn(one, targets) for one in many])
    assert torch.allclose(together, one_by_one, rtol=1e-5)
    assert len(set(together.tolist())) > 1


def test_a_metric_is_meant_by_name_by_function_or_by_itself():
    assert metric_of("R²", F.mse_loss) is NAMED["r2"]
    assert metric_of("loss", F.mse_loss).fn is F.mse_loss
    assert not metric_of("loss", F.mse_loss).higher_is_better
    own = Metric("own", F.l1_loss, higher_is_better=False)
    assert metric_of(own, F.mse_loss).fn.__wrapped__ is F.l1_loss
    assert replace(metric_of(own, F.mse_loss), fn=F.l1_loss) == own

    def skill(outputs, targets):
        return -F.l1_loss(outputs, targets)

    assert replace(metric_of(skill, F.mse_loss), fn=skill) == Metric("skill", skill)


def test_a_metric_may_be_a_plain_number_such_as_scikit_learns():
    metric = metric_of(lambda outputs, targets: np.float64(0.25), F.mse_loss)
    assert metric.fn(torch.zeros(3), torch.zeros(3)) == torch.tensor(0.25)


def test_an_unknown_metric_gets_the_nearest_names():
    with pytest.raises(UnknownName, match="accuracy"):
        metric_of("acuracy", F.mse_loss)
    for nonsense in (3, F, torch.nn.MSELoss, torch.nn.MSELoss(), np.mean(3)):
        with pytest.raises(BadTask, match=r"steepest\.Metric"):
            metric_of(nonsense, F.mse_loss)  # type: ignore[arg-type]
