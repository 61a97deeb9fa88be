"""What a task promises the engine: parts, scaling and weights as pure functions of the seed, and its facts."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine
from torch import nn
from torch.nn import functional as F

import steepest
from steepest.errors import BadTask
from steepest.tasks.check import check
from steepest.tasks.task import Task

WINE = load_wine(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True, scaled=False)


def wine(**changes) -> Task:
    what = {"model": lambda: nn.Linear(13, 3), "loss": F.cross_entropy, "data": WINE, "metric": "accuracy"}
    return Task(**{**what, "batch_size": 32, **changes})


def rows(task: Task, positions: np.ndarray) -> np.ndarray:
    return task.splits(0).inputs[0][positions].numpy()


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_a_seed_draws_three_parts_that_cover_the_data_once():
    splits = wine().splits(4)
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [107, 35, 36]
    assert sorted(np.concatenate([splits.train, splits.valid, splits.test])) == list(range(178))


def test_the_same_seed_draws_the_same_parts_and_another_seed_others():
    a, b, c = wine().splits(1), wine().splits(1), wine().splits(2)
    assert np.array_equal(a.train, b.train)
    assert np.array_equal(a.test, b.test)
    assert not np.array_equal(a.test, c.test)


@pytest.mark.parametrize("seed", range(5))
def test_every_part_has_its_share_of_every_class(seed):
    x, y = load_digits(return_X_y=True)
    task = Task(model=lambda: nn.Linear(64, 10), loss=F.cross_entropy, data=(x, y), split=(0.7, 0.15, 0.15))
    splits = task.splits(seed)
    in_all = np.bincount(y)
    for part, share in ((splits.train, 0.7), (splits.valid, 0.15), (splits.test, 0.15)):
        assert np.abs(np.bincount(y[part]) - share * in_all).max() <= 2


def test_a_split_without_classes_is_a_plain_random_one():
    task = Task(model=lambda: nn.Linear(10, 1), loss=F.mse_loss, data=(DIABETES[0], DIABETES[1][:, None]))
    drawn = np.stack([np.isin(np.arange(442), task.splits(seed).test) for seed in range(60)])
    assert abs(drawn.mean() - 0.2) < 0.001
    assert drawn.mean(0).min() > 0  # every example is in some test part
    assert drawn.mean(0).max() < 0.5


def test_parts_that_are_given_are_taken_as_they_are():
    x, y = WINE
    task = wine(data=None, train=(x[:100], y[:100]), valid=(x[100:140], y[100:140]), test=(x[140:], y[140:]))
    a, b = task.splits(0), task.splits(1)
    assert np.array_equal(a.train, b.train)
    assert np.allclose(rows(task, a.train), x[:100])
    assert np.allclose(rows(task, a.valid), x[100:140])
    assert np.allclose(rows(task, a.test), x[140:])
    assert "split" not in " ".join(task.facts().luck)


def test_an_official_test_part_stays_and_validation_is_drawn_from_train():
    x, y = WINE
    order = np.random.default_rng(0).permutation(178)
    train, test = order[:138], order[138:]
    task = wine(data=None, train=(x[train], y[train]), test=(x[test], y[test]))
    a, b = task.splits(0), task.splits(1)
    assert abs(len(a.valid) - 138 * 0.2 / 0.8) <= 0.5
    assert np.allclose(rows(task, a.test), x[test])
    assert sorted(np.concatenate([a.train, a.valid])) == list(range(138))
    assert not np.array_equal(a.valid, b.valid)
    assert task.facts().luck[-1] == "train/validation split"


def test_without_a_test_part_one_is_drawn_from_train_and_not_from_validation():
    x, y = WINE
    order = np.random.default_rng(0).permutation(178)
    train, valid = order[:138], order[138:]
    task = wine(data=None, train=(x[train], y[train]), valid=(x[valid], y[valid]))
    splits = task.splits(0)
    assert np.allclose(rows(task, splits.valid), x[valid])
    assert sorted(np.concatenate([splits.train, splits.test])) == list(range(138))
    assert task.facts().luck[-1] == "train/test split"


def test_all_seeds_share_one_pool():
    task = wine()
    assert task.splits(0).inputs[0] is task.splits(9).inputs[0]
    assert task.splits(0).targets is task.splits(9).targets


def test_a_task_stays_what_it_was_when_the_callers_array_changes():
    x, y = WINE[0].copy(), WINE[1].copy()
    task = wine(data=(x, y))
    before = rows(task, np.arange(178)).copy()
    x[:] = -1
    assert np.array_equal(rows(task, np.arange(178)), before)


# ---- kinds of data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numpy", "list", "tensor", "big endian", "frozen", "half"])
def test_arrays_of_any_kind_make_the_same_task(kind):
    x, y = np.round(WINE[0]), WINE[1]  # whole numbers below 2048, exact in half precision too
    given = {
        "numpy": (x, y),
        "list": (x.tolist(), y.tolist()),
        "tensor": (torch.tensor(x, requires_grad=True), torch.tensor(y, dtype=torch.int32)),
        "big endian": (x.astype(">f8"), y.astype(">i4")),
        "frozen": (np.lib.stride_tricks.as_strided(x, writeable=False), y.astype(np.uint16)),
        "half": (x.astype(np.float16), y.astype(bool).astype(np.int8) + (y == 2)),
    }[kind]
    splits = wine(data=given).splits(0)
    assert splits.inputs[0].dtype == torch.float32
    assert splits.targets.dtype == torch.int64
    assert np.array_equal(splits.inputs[0].numpy(), x.astype(np.float32))
    assert np.array_equal(splits.targets.numpy(), y)


class TwoEyes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 3), nn.Linear(7, 3)

    def forward(self, a, b):
        return self.left(a) + self.right(b)


def test_a_model_may_have_several_inputs_and_be_a_class():
    x, y = WINE
    task = wine(model=TwoEyes, data=((x[:, :6], x[:, 6:]), y), standardize=True)
    check(task)
    splits = task.splits(0)
    (a, b), _ = task.batch(splits, splits.train)
    assert abs(float(a.mean())) < 1e-5  # the first input is scaled,
    assert np.allclose(b.numpy(), x[splits.train, 6:])  # the others are not


def test_whole_number_inputs_stay_whole_numbers():
    words = np.random.default_rng(0).integers(0, 50, size=(200, 7))
    task = Task(
        model=lambda: nn.Sequential(nn.EmbeddingBag(50, 4), nn.Linear(4, 2)),
        loss=F.cross_entropy,
        data=(words, words[:, 0] % 2),
        batch_size=16,
    )
    check(task)
    assert task.splits(0).inputs[0].dtype == torch.int64


# ---- scaling ---------------------------------------------------------------------------------------------------------


def test_inputs_are_scaled_by_the_training_part_of_the_seed():
    task = wine(standardize=True)
    for seed in (0, 1):
        splits = task.splits(seed)
        (train,), _ = task.batch(splits, splits.train)
        assert torch.allclose(train.mean(0), torch.zeros(13), atol=1e-5)
        assert torch.allclose(train.std(0, correction=0), torch.ones(13), atol=1e-5)
        (test,), _ = task.batch(splits, splits.test)
        assert (test.mean(0).abs() > 1e-3).any()  # measured elsewhere
    assert wine().splits(0).scaling is None


def test_both_inputs_and_targets_can_be_scaled():
    x, y = DIABETES
    task = Task(model=lambda: nn.Linear(10, 1), loss=F.mse_loss, data=(x, y[:, None]), standardize="both")
    splits = task.splits(3)
    (inputs,), targets = task.batch(splits, splits.train)
    assert abs(float(inputs.std(0, correction=0).mean()) - 1) < 1e-5
    assert abs(float(targets.mean())) < 1e-5
    assert abs(float(targets.std(correction=0)) - 1) < 1e-5


def test_targets_alone_can_be_scaled():
    x, y = DIABETES
    task = Task(model=lambda: nn.Linear(10, 1), loss=F.mse_loss, data=(x, y[:, None]), standardize="targets")
    splits = task.splits(3)
    (inputs,), targets = task.batch(splits, splits.train)
    assert np.allclose(inputs.numpy(), x[splits.train])
    assert abs(float(targets.std(correction=0)) - 1) < 1e-5


def test_a_constant_feature_is_shifted_and_not_divided_by_zero():
    x = WINE[0].copy()
    x[:, 3] = 0.1
    splits = (task := wine(data=(x, WINE[1]), standardize=True)).splits(0)
    (inputs,), _ = task.batch(splits, splits.train)
    assert torch.isfinite(inputs).all()
    assert float(inputs[:, 3].abs().max()) < 1e-6


# ---- weights and facts -----------------------------------------------------------------------------------------------


def test_weights_are_a_function_of_the_seed_and_leave_the_callers_random_state_alone():
    task = wine()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a, b, c = (task.build_model(seed).weight for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_double_precision_starts_from_the_same_weights():
    task = wine()
    double = task.build_model(7, torch.float64)
    assert double.weight.dtype == torch.float64
    assert torch.equal(double.weight.float(), task.build_model(7).weight)


def test_facts_say_what_there_is():
    facts = wine(
        model=lambda: nn.Sequential(nn.Linear(13, 8), nn.Dropout(0.1), nn.Linear(8, 3)),
        epochs=10,
        title="Wines",
        target=0.9,
    ).facts("wine")
    assert (facts.name, facts.title) == ("wine", "Wines")
    assert (facts.n_train, facts.n_valid, facts.n_test) == (107, 35, 36)
    assert facts.parameters == 13 * 8 + 8 + 8 * 3 + 3
    assert facts.steps == round(10 * 107 / 32)
    assert (facts.metric, facts.unit, facts.higher_is_better, facts.margin) == ("accuracy", "%", True, 0.0025)
    assert facts.luck == ("initial weights", "order of the batches", "dropout", "train/validation/test split")
    assert facts.loss_name == "cross_entropy"
    assert facts.target == 0.9
    assert not facts.fleet_obstacle


def test_weights_that_do_not_depend_on_the_seed_are_not_listed_as_random():
    def zeros():
        model = nn.Linear(13, 3)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    assert "initial weights" not in wine(model=zeros).facts().luck


def test_the_call_of_the_manual_works():
    x, y = (torch.tensor(a) for a in WINE)
    task = steepest.Task(
        model=lambda: nn.Linear(13, 3),
        train=(x[::2].float(), y[::2]),
        valid=(x[1::4].float(), y[1::4]),
        test=(x[3::4].float(), y[3::4]),
        loss=torch.nn.functional.cross_entropy,
        metric="accuracy",
        batch_size=64,
        epochs=20,
    )
    check(task)
    assert task.facts().n_train == 89


# ---- margins ---------------------------------------------------------------------------------------------------------


def diabetes(**changes) -> Task:
    x, y = DIABETES
    what = {"model": lambda: nn.Linear(10, 1), "loss": F.mse_loss, "data": (x, y[:, None])}
    return Task(**{**what, **changes})


def test_the_margin_of_an_error_is_a_quarter_per_cent_of_the_best_constant_guess():
    y = DIABETES[1]
    assert diabetes(metric="r2").facts().margin == 0.0025
    assert diabetes(metric="mse").facts().margin == pytest.approx(0.0025 * y.var())
    assert diabetes(metric="mse", standardize="both").facts().margin == pytest.approx(0.0025)
    assert diabetes(metric="mae").facts().margin == pytest.approx(0.0025 * np.abs(y - np.median(y)).mean(), rel=1e-3)
    assert diabetes(metric="mse", margin=7).facts().margin == 7


def test_the_margin_of_a_loss_is_a_quarter_per_cent_of_an_untrained_model():
    assert wine(metric="loss", standardize=True).facts().margin == pytest.approx(0.0025 * np.log(3), rel=0.5)


def test_a_metric_of_ones_own_has_the_margin_it_says():
    metric = steepest.Metric("hits", lambda o, t: (o.argmax(1) == t).float().mean(), margin=0.01)
    assert wine(metric=metric).facts().margin == 0.01


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(BadTask, match="sum to 1"):
        wine(split=(0.6, 0.2, 0.3))
