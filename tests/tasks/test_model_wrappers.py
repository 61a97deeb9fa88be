"""Models that are called by keyword or return their own loss, and data that come as torch data sets and loaders."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import shard
from engine.test_fleet import assert_moves_as_alone
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from steepest.datasets import sources
from steepest.engine.fleet_support import unsupported_reason
from steepest.errors import BadTask
from steepest.records.trials import Lane
from steepest.tasks import batches
from steepest.tasks.check import check
from steepest.tasks.task import Task

ARRAYS = sources.load("digits")
X, Y = ARRAYS["x"][:240].astype(np.float32) / 16, ARRAYS["y"][:240]


class Halves(nn.Module):
    """Takes the upper and the lower half of a digit, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.upper, self.lower = nn.Linear(32, 10), nn.Linear(32, 10)

    def forward(self, *, upper, lower):
        return self.upper(upper) + self.lower(lower)


class OwnLoss(nn.Module):
    """Returns its loss in the form asked for."""

    def __init__(self, form: str = "scalar") -> None:
        super().__init__()
        self.form, self.layer = form, nn.Linear(64, 10)

    def forward(self, x, labels):
        scores = self.layer(x)
        loss = F.cross_entropy(scores, labels, reduction="none" if self.form == "each" else "mean")
        return {"dict": {"loss": loss, "logits": scores}, "tuple": (scores, loss)}.get(self.form, loss)


class Autoencoder(nn.Module):
    """A variational autoencoder: a loss that needs no targets, and draws."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(64, 2 * 4), nn.Linear(4, 64)

    def forward(self, x):
        mean, log_variance = self.encode(x).chunk(2, dim=-1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1) / 2
        return (((self.decode(z) - x) ** 2).sum(-1) + divergence).mean()


def by_name(**changes) -> Task:
    inputs = {"lower": X[:, 32:], "upper": X[:, :32]}
    what = {"model": Halves, "loss": F.cross_entropy, "data": (inputs, Y), "metric": "accuracy", "batch_size": 16}
    return Task(**{**what, **changes})


def assert_sound(task: Task) -> None:
    check(task)
    assert not unsupported_reason(task)
    plan = replace(shard("adam", steps=10, dtype="float64"), lanes=(Lane(1e-3, seed=0), Lane(1e-2, seed=1)))
    assert_moves_as_alone(task, plan, steps=10)


# ---- by keyword ------------------------------------------------------------------------------------------------------


def test_a_model_may_take_its_inputs_by_name():
    assert_sound(by_name())


def test_names_reach_the_right_inputs():
    task = by_name()
    splits = task.splits(0)
    inputs, _ = task.batch(splits, splits.train[:5])
    model = task.build_model(3)
    torch.manual_seed(0)
    wanted = dict(zip(("lower", "upper"), inputs, strict=True))
    assert torch.equal(model(*inputs), model.model(**wanted))


def test_parts_must_have_the_same_names():
    a, b = {"upper": X[:, :32], "lower": X[:, 32:]}, {"lower": X[:, 32:], "upper": X[:, :32]}
    with pytest.raises(BadTask, match="named upper, lower, those of test named lower, upper"):
        by_name(data=None, train=(a, Y), test=(b, Y))


def test_an_error_in_a_named_input_names_the_input():
    with pytest.raises(BadTask, match=r"data inputs\['upper'\] and targets have different lengths"):
        by_name(data=({"upper": X[:9, :32], "lower": X[:, 32:]}, Y))
    with pytest.raises(BadTask, match="its dict of inputs is empty"):
        by_name(data=({}, Y))


# ---- with their own loss ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["scalar", "each", "dict", "tuple"])
def test_a_model_may_return_its_own_loss(form):
    task = Task(model=lambda: OwnLoss(form), data=(X, Y), batch_size=16)
    assert_sound(task)
    plain = Task(model=lambda: nn.Linear(64, 10), loss=F.cross_entropy, data=(X, Y), batch_size=16)
    own, usual = task.facts(), plain.facts()
    assert own.margin == pytest.approx(usual.margin, rel=0.1)
    assert (own.metric, own.higher_is_better) == ("loss", False)


def test_a_model_with_its_own_loss_may_take_all_by_name():
    assert_sound(Task(model=OwnLoss, data={"labels": Y, "x": X}, batch_size=16))


def test_an_autoencoder_needs_no_targets():
    task = Task(model=Autoencoder, data=X, batch_size=16)
    check(task)
    assert not unsupported_reason(task)
    assert task.facts().margin > 0


def test_its_loss_on_a_part_is_the_mean_over_all_examples():
    from steepest.engine.solo import Trial

    task = Task(model=OwnLoss, train=(X[:100], Y[:100]), valid=(X[100:], Y[100:]), test=(X[:7], Y[:7]), batch_size=16)
    plan = shard("adam", dtype="float64")
    trial = Trial(task, plan, plan.lanes[0])
    (loss,), _ = trial.evaluate("valid")
    with torch.no_grad():
        wanted = trial.model.model(torch.tensor(X[100:]).double(), torch.tensor(Y[100:]))
    assert loss == pytest.approx(float(wanted), abs=1e-12)


def test_a_missing_loss_is_an_error():
    with pytest.raises(BadTask, match="Without a loss argument"):
        check(Task(model=lambda: nn.Linear(64, 10), data=(X, Y), batch_size=16))
    with pytest.raises(BadTask, match="must return its own"):
        check(Task(model=lambda: nn.Linear(64, 10), data=X, batch_size=16))


# ---- data sets and loaders -------------------------------------------------------------------------------------------


class Named(Dataset):
    def __init__(self, labels: str = "labels") -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int):
        return {"upper": X[i, :32], "lower": X[i, 32:], self.labels: int(Y[i])}


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield X[0], Y[0]


PAIRS = TensorDataset(torch.tensor(X), torch.tensor(Y))


def same(a: Task, b: Task) -> None:
    one, other = a.splits(0), b.splits(0)
    assert all(torch.equal(x, y) for x, y in zip(one.inputs, other.inputs, strict=True))
    assert torch.equal(one.targets, other.targets)


@pytest.mark.parametrize("data", [PAIRS, DataLoader(PAIRS, batch_size=7, shuffle=True)], ids=["data set", "loader"])
def test_a_data_set_makes_the_same_task_as_its_arrays(data):
    what = {"model": lambda: nn.Linear(64, 10), "loss": F.cross_entropy}
    same(Task(data=data, **what), Task(data=(X, Y), **what))
    parts = {"train": Subset(PAIRS, range(200)), "test": Subset(PAIRS, range(200, 240))}
    same(Task(**parts, **what), Task(train=(X[:200], Y[:200]), test=(X[200:], Y[200:]), **what))


class Stream(IterableDataset):
    def __iter__(self):
        yield from PAIRS


class Rows:
    """What a data set of another library looks like: rows as dicts, with lists in them."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i):
        return {"pixels": X[i].tolist(), "label": int(Y[i])}


class OfPixels(nn.Linear):
    def forward(self, pixels):
        return super().forward(pixels)


@pytest.mark.parametrize(
    "data", [Stream(), DataLoader(Stream(), batch_size=5), [*PAIRS]], ids=["stream", "loader", "list"]
)
def test_examples_one_after_the_other_make_the_same_task_as_their_arrays(data):
    what = {"model": lambda: nn.Linear(64, 10), "loss": F.cross_entropy}
    same(Task(data=data, **what), Task(data=(X, Y), **what))


@pytest.mark.parametrize("rows", [Rows(), [*map(Rows().__getitem__, range(len(X)))]], ids=["foreign", "list"])
def test_rows_that_are_dicts_make_the_same_task_as_their_arrays(rows):
    what = {"model": lambda: OfPixels(64, 10), "loss": F.cross_entropy}
    same(Task(data=rows, **what), Task(data=({"pixels": X}, Y), **what))


@pytest.mark.parametrize("labels", ["labels", "target", "y"])
def test_examples_may_be_dicts_with_their_labels_among_them(labels):
    task = by_name(data=Named(labels))
    check(task)
    assert torch.equal(task.splits(0).targets, torch.tensor(Y))


def test_sequences_are_padded_to_one_length_by_the_loaders_own_function():
    lengths = np.random.default_rng(0).integers(2, 9, size=60)
    words = [torch.arange(n) + 1 for n in lengths]

    def collate(items):
        sequences, targets = zip(*items, strict=True)
        return nn.utils.rnn.pad_sequence([*sequences], batch_first=True), torch.tensor(targets)

    data = [(sequence, int(n) % 2) for sequence, n in zip(words, lengths, strict=True)]
    loader = DataLoader(data, batch_size=4, collate_fn=collate)  # type: ignore[arg-type]
    task = Task(
        model=lambda: nn.Sequential(nn.EmbeddingBag(10, 4, padding_idx=0), nn.Linear(4, 2)),
        loss=F.cross_entropy,
        data=loader,
        batch_size=8,
    )
    check(task)
    assert task.splits(0).inputs[0].shape == (60, 8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Endless(), "more than 50 examples"),
        (DataLoader(Endless()), "more than 50 examples"),
        (
            [{"x": [0.0] * (1 + i % 2), "y": 0} for i in range(40)],
            "Pad examples of different lengths in the collate_fn",
        ),
        (Named("answer"), "dicts with the keys upper, lower, answer"),
        (TensorDataset(torch.tensor(X)), "have no targets"),
        (Subset(PAIRS, []), "data is empty"),
        (Subset(PAIRS, [0, 999]), "cannot be read into memory: IndexError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_data_set_that_cannot_be_used_says_why(data, words, monkeypatch):
    monkeypatch.setattr(batches, "MAX_STREAMED_EXAMPLES", 50)
    with pytest.raises(BadTask, match=words):
        Task(model=lambda: nn.Linear(64, 10), loss=F.cross_entropy, data=data)


def test_data_that_exceed_memory_are_an_error_before_they_are_read():
    class Huge(Dataset):
        reads = 0

        def __len__(self) -> int:
            return 10**7

        def __getitem__(self, i: int):
            Huge.reads += 1
            return torch.zeros(1000), 0

    with pytest.raises(BadTask, match=r"37 GB in all.*Subset"):
        Task(model=lambda: nn.Linear(1000, 2), loss=F.cross_entropy, data=Huge())
    assert Huge.reads == 1
