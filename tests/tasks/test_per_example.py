"""What each example contributes to a metric, against leaving it out and against the spread over new test sets."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from steepest.tasks.metrics import NAMED, SAME_SHAPE, Metric, metric_of, named
from steepest.tasks.per_example import contributions
from steepest.tasks.readings import Reading

draw = torch.Generator().manual_seed(3)
N = 400
LABELS = torch.randint(4, (N,), generator=draw)
SCORES = torch.randn(N, 4, generator=draw) + F.one_hot(LABELS, 4)
BITS = (torch.rand(N, generator=draw) > 0.6).float()
LOGITS = torch.randn(N, generator=draw).round(decimals=1) + BITS  # with ties
MANY = (torch.rand(N, 3, generator=draw) > 0.6).float()
MANY_LOGITS = torch.randn(N, 3, generator=draw) + MANY
TARGETS = torch.randn(N, 2, generator=draw)
GUESSES = TARGETS + 0.5 * torch.randn(N, 2, generator=draw)
WORDS = torch.randint(5, (N, 3), generator=draw).where(torch.rand(N, 3, generator=draw) > 0.2, -100)
WORD_SCORES = torch.randn(N, 3, 5, generator=draw)


def data_of(name: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    if named(name).fn in SAME_SHAPE:
        return [(GUESSES, TARGETS), (GUESSES[:, 0], TARGETS[:, 0])]
    classes = [(SCORES, LABELS), (SCORES[:, :2], LABELS.clamp(max=1))]
    if name in ("top-2", "perplexity"):
        return classes
    return [*classes, (LOGITS, BITS), (MANY_LOGITS, MANY)]


CASES = [(name, *pair) for name in (*NAMED, "top-2") for pair in data_of(name)]


def without(i: int, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[:i], x[i + 1 :]])


@pytest.mark.parametrize(("name", "outputs", "targets"), CASES)
def test_the_mean_is_the_metric_and_each_value_is_what_leaving_the_example_out_changes(name, outputs, targets):
    metric = named(name)
    found = contributions(metric, outputs.double(), targets)
    assert found is not None
    whole = float(metric.fn(outputs.double(), targets))
    assert float(found.values.mean()) == pytest.approx(whole, abs=1e-7)
    left_out = [float(metric.fn(without(i, outputs.double()), without(i, targets))) for i in range(60)]
    jackknife = whole + (N - 1) * (whole - np.array(left_out))
    np.testing.assert_allclose(found.values[:60], jackknife, atol=0.05 * float(found.values.std()) + 1e-6)


def test_only_shares_of_right_answers_are_bits():
    assert {name for name, x, y in CASES if (found := contributions(named(name), x, y)) and found.right} == {
        "accuracy",
        "top-2",
    }


def test_a_sequence_is_one_example_and_its_padding_does_not_count():
    read = partial(NAMED["accuracy"].fn, reading=Reading(class_axis=-1))
    found = contributions(Metric("accuracy", read), WORD_SCORES, WORDS)
    assert found is not None and found.values.shape == (N,) and not found.right
    assert float(found.values.mean()) == pytest.approx(float(read(WORD_SCORES, WORDS)))


def test_a_metric_of_the_users_that_is_a_mean_is_taken_example_by_example():
    def near(outputs, targets):
        return ((outputs - targets).abs() < 0.5).float().mean()

    found = contributions(metric_of(near, F.mse_loss), GUESSES, TARGETS)
    assert found is not None
    torch.testing.assert_close(found.values, ((GUESSES - TARGETS).abs() < 0.5).double().mean(1))
    loss = contributions(metric_of("loss", F.cross_entropy), SCORES, LABELS)
    assert loss is not None
    torch.testing.assert_close(loss.values, F.cross_entropy(SCORES, LABELS, reduction="none").double())


def test_a_metric_of_the_users_that_is_no_mean_is_left_alone():
    def worst(outputs, targets):
        return (outputs - targets).abs().max()

    def by_hand(outputs, targets):
        return float(np.median((outputs - targets).abs().numpy()))

    assert contributions(metric_of(worst, F.mse_loss), GUESSES, TARGETS) is None
    assert contributions(metric_of(by_hand, F.mse_loss), GUESSES, TARGETS) is None
