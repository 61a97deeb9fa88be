"""A network with early exits: chances to stop add up to one, and depth, loss and accuracy are those of the exits."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from steepest.builtin.adaptive_depth import (
    AT_EXIT,
    KL_WEIGHT,
    PRIOR_STOP,
    EarlyExits,
    accuracy_at_exit,
    depth,
    expected_loss,
    mean_depth,
)
from steepest.engine.fleet_support import unsupported_reason
from steepest.tasks.check import check
from steepest.tasks.task import Task

X, Y = load_digits(return_X_y=True)
x, y = torch.as_tensor(X[:200] / 16, dtype=torch.float32), torch.as_tensor(Y[:200])


@pytest.fixture
def outputs() -> torch.Tensor:
    torch.manual_seed(0)
    model = EarlyExits(64, 16, 3, 10)
    for out in model.exits:
        torch.nn.init.normal_(out.weight, std=1.0)  # so that examples leave everywhere
    return model(x).detach()


def test_chances_to_stop_are_those_of_the_exits_and_add_up_to_one(outputs):
    assert outputs.shape == (200, 3, 11)
    p = outputs[..., -1].exp()
    torch.testing.assert_close(p.sum(1), torch.ones(200))
    assert p.min() > 0


def test_the_loss_is_that_of_each_exit_weighed_by_the_chance_to_stop_there(outputs):
    p, q = outputs[..., -1].exp(), torch.tensor([PRIOR_STOP, (1 - PRIOR_STOP) * PRIOR_STOP, (1 - PRIOR_STOP) ** 2])
    at_exit = [F.cross_entropy(outputs[:, i, :-1], y, reduction="none") for i in range(3)]
    from_wish = F.kl_div(q.log().expand(200, 3), p, reduction="batchmean")
    expected = (p * torch.stack(at_exit, dim=1)).sum(1).mean() + KL_WEIGHT * from_wish
    torch.testing.assert_close(expected_loss(outputs, y), expected)


def test_an_example_is_judged_where_it_leaves(outputs):
    right = []
    for row, label, left in zip(outputs, y, depth(outputs), strict=True):
        chances = row[:, -1].exp()
        assert chances[:left].sum() >= 0.5 or left == 3
        assert chances[: left - 1].sum() < 0.5
        right.append(row[left - 1, :-1].argmax() == label)
    assert float(accuracy_at_exit(outputs, y)) == pytest.approx(sum(map(float, right)) / 200)
    assert len(set(depth(outputs).tolist())) > 1
    assert float(mean_depth(outputs, y)) == pytest.approx(float(depth(outputs).double().mean()))


def test_it_trains_in_fleets():
    task = Task(model=lambda: EarlyExits(64, 16, 3, 10), data=(x, y), loss=expected_loss, metric=AT_EXIT, batch_size=32)
    check(task)
    assert not unsupported_reason(task)
