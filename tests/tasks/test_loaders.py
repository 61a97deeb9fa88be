"""What a DataLoader says beside its examples: samplers are kept, or a warning says so; random changes stay random."""

import random

import numpy as np
import pytest
import torch
from engine.small import shard
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from steepest.checks.all_checks import warnings_about
from steepest.engine import fleet, solo
from steepest.engine.data import Order
from steepest.errors import BadTask
from steepest.tasks.check import check
from steepest.tasks.task import Task

G = torch.Generator().manual_seed(1)
X = torch.randn(300, 6, generator=G)
Y = torch.randint(0, 2, (300,), generator=G)
ROWS = TensorDataset(X, Y)
PLACES = torch.randperm(300, generator=G).tolist()


pytestmark = pytest.mark.usefixtures("one_thread")


def task(**what) -> Task:
    return Task(**{"model": lambda: nn.Linear(6, 2), "loss": F.cross_entropy, "metric": "accuracy", **what})


def ids(found: Task) -> list[str]:
    return sorted(each.id for each in found.warnings_found)


def of_part(given: Task, part: str) -> np.ndarray:
    splits = given.splits(0)
    return splits.inputs[0][torch.from_numpy(getattr(splits, part))].numpy()


# ---- samplers --------------------------------------------------------------------------------------------------------


def test_parts_that_samplers_keep_apart_stay_apart():
    """One data set for all parts, labels are coin flips: nobody can do better than half."""
    parts = {"train": PLACES[:200], "valid": PLACES[200:250], "test": PLACES[250:]}
    loaders = {name: DataLoader(ROWS, 16, sampler=SubsetRandomSampler(rows)) for name, rows in parts.items()}
    a_task = task(model=lambda: nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2)), **loaders)
    assert a_task.sizes == {"train": 200, "valid": 50, "test": 50}
    for name, rows in parts.items():
        assert np.array_equal(of_part(a_task, name), X[rows].numpy())
    assert not [each for each in warnings_about(a_task) if each.id == "shared-rows"]
    plan = shard("adam", rates=(1e-2,), seeds=(0, 1), steps=200, evaluate_at=(200,))
    assert 0.25 <= solo.train(a_task, plan).test_metric.mean() <= 0.75


class Backwards(Sampler[int]):
    def __iter__(self):
        return iter(range(99, -1, -1))

    def __len__(self) -> int:
        return 100


class Twice(Backwards):
    def __iter__(self):
        return iter([*range(100)] * 2)


class ByChance(Sampler[int]):
    """Some of the even rows, others in every pass."""

    def __iter__(self):
        return iter((torch.randperm(150)[:120] * 2).tolist())


class Endless(Sampler[int]):
    def __iter__(self):
        while True:
            yield 3


class Broken(Sampler[int]):
    def __iter__(self):
        raise RuntimeError("no rows today")


KEPT = {
    "sequential": (SequentialSampler(ROWS), X.numpy(), ["order-dropped"]),
    "random": (RandomSampler(ROWS), X.numpy(), []),
    "subset": (SubsetRandomSampler(PLACES[:90]), X[PLACES[:90]].numpy(), []),
    "tensor of indices": (SubsetRandomSampler(torch.arange(50, 120)), X[50:120].numpy(), []),  # type: ignore[arg-type]
    "range": (SubsetRandomSampler(range(0, 300, 3)), X[::3].numpy(), []),
    "negative": (SubsetRandomSampler([*range(-40, 0)]), X[260:].numpy(), []),
    "with replacement": (RandomSampler(ROWS, replacement=True, num_samples=50), X.numpy(), ["sampler-dropped"]),
    "own": (Backwards(), X[:100].numpy(), ["sampler-dropped"]),
    "own, twice": (Twice(), X[:100].numpy(), ["sampler-dropped"]),
    "weighted without replacement": (
        WeightedRandomSampler([0.0] * 100 + [1.0] * 200, 200, replacement=False),
        X[100:].numpy(),
        ["sampler-dropped"],
    ),
}


@pytest.mark.parametrize(("sampler", "rows", "said"), KEPT.values(), ids=KEPT)
def test_the_rows_of_a_sampler_are_the_rows_of_the_part(sampler, rows, said):
    a_task = task(train=DataLoader(ROWS, 16, sampler=sampler), valid=ROWS, test=ROWS)
    assert np.array_equal(of_part(a_task, "train"), rows)
    assert ids(a_task) == said


def test_a_random_subset_gives_the_rows_that_it_ever_gives():
    rows = of_part(task(train=DataLoader(ROWS, 16, sampler=ByChance()), valid=ROWS, test=ROWS), "train")
    assert {row.tobytes() for row in rows} <= {row.tobytes() for row in X[::2].numpy()}
    assert len(rows) > 140


@pytest.mark.parametrize("drop_last", [False, True])
def test_a_batch_sampler_of_ones_own_gives_its_rows(drop_last):
    class Pairs(BatchSampler):
        def __iter__(self):
            return iter([[0, 9], [4, 2], [7]])

    batches = Pairs(SequentialSampler(ROWS), 2, drop_last)
    a_task = task(train=DataLoader(ROWS, batch_sampler=batches), valid=ROWS, test=ROWS, batch_size=2)
    assert np.array_equal(of_part(a_task, "train"), X[[0, 2, 4, 7, 9]].numpy())
    assert ids(a_task) == ["sampler-dropped"]


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (Endless(), "may be endless"),
        (Broken(), "cannot be read: RuntimeError: no rows today"),
        (SubsetRandomSampler([1, 2, 300]), "gives the row 300, but its data set has 300 rows"),
        (SubsetRandomSampler([]), "gives no rows"),
    ],
    ids=["endless", "broken", "outside", "empty"],
)
def test_a_sampler_that_cannot_be_used_is_refused(sampler, words):
    with pytest.raises(BadTask, match=words):
        task(train=DataLoader(ROWS, 16, sampler=sampler), valid=ROWS, test=ROWS)


# ---- weights ---------------------------------------------------------------------------------------------------------

RARE = TensorDataset(X, (torch.arange(300) < 30).long())
WEIGHTS = torch.where(torch.arange(300) < 30, 1 / 30, 1 / 270)


def balanced(**what) -> Task:
    loader = DataLoader(RARE, 32, sampler=WeightedRandomSampler(WEIGHTS.tolist(), 300), drop_last=True)
    return task(**{"train": loader, "valid": RARE, "test": RARE, **what})


def test_weights_draw_the_training_rows_and_only_those():
    a_task = balanced()
    splits = a_task.splits(0)
    order = Order(0, splits.train, splits.weights)
    drawn = splits.targets[torch.from_numpy(order.batches(0, 100, 30).reshape(-1))]
    assert drawn.float().mean() == pytest.approx(0.5, abs=0.03)
    assert splits.targets[torch.from_numpy(splits.valid)].sum() == 30
    assert a_task.batch_size == 32
    assert ids(a_task) == ["drop-last"]


def test_rows_with_weights_train_alike_in_both_engines():
    plan = shard("adam", rates=(1e-2,), seeds=(0, 1), steps=12, evaluate_at=(12,), dtype="float64")
    for batch_size in (16, 300):
        a, b = (train(balanced(batch_size=batch_size), plan) for train in (solo.train, fleet.train))
        assert a.train_loss == pytest.approx(b.train_loss, abs=1e-9)


def test_weights_follow_their_rows_when_parts_are_drawn():
    loader = DataLoader(RARE, 32, sampler=WeightedRandomSampler(WEIGHTS.tolist(), 300))
    splits = task(train=None, data=loader).splits(4)
    assert splits.weights is not None
    assert np.array_equal(splits.weights, WEIGHTS.double().numpy()[splits.train])


def test_rows_of_weight_zero_are_left_out_and_evaluation_has_no_weights():
    loader = DataLoader(ROWS, 32, sampler=WeightedRandomSampler([0.0] * 100 + [1.0] * 200, 100))
    a_task = task(train=loader, valid=loader, test=ROWS)
    assert a_task.sizes == {"train": 200, "valid": 300, "test": 300}
    assert ids(a_task) == ["sampler-dropped", "sampler-dropped"]


class Sequences(Dataset):
    """Rows of different lengths as dicts; one in ten ends in two sevens, and is of the class 1."""

    def __init__(self, count: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.labels = (draw.random(count) < 0.1).astype(int)
        self.words = [
            np.append(draw.integers(1, 20, draw.integers(2, 10)), [7, 7] if label else []).astype(int)
            for label in self.labels
        ]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int):
        return {"ids": torch.tensor(self.words[i]), "label": int(self.labels[i])}


def to_padded(rows):
    ids = nn.utils.rnn.pad_sequence([row["ids"] for row in rows], batch_first=True)
    return {"ids": ids, "mask": (ids > 0).float(), "labels": torch.tensor([row["label"] for row in rows])}


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.last = nn.Embedding(20, 16, padding_idx=0), nn.Linear(16, 2)

    def forward(self, ids, mask):
        return self.last((self.words(ids) * mask[..., None]).sum(1) / mask.sum(1)[:, None])


def test_padded_sequences_with_a_weighted_sampler_are_taken_as_their_loaders_give_them():
    rows = [Sequences(count, seed) for seed, count in enumerate((610, 200, 200))]
    weights = [1 / (rows[0].labels == label).sum() for label in rows[0].labels]
    sampler = WeightedRandomSampler(weights, len(rows[0]))
    valid, test = (DataLoader(part, 64, collate_fn=to_padded) for part in rows[1:])
    train = DataLoader(rows[0], 32, sampler=sampler, collate_fn=to_padded, drop_last=True)
    a_task = Task(model=Bag, train=train, valid=valid, test=test, loss=F.cross_entropy, metric="accuracy")
    check(a_task)
    assert a_task.batch_size == 32
    assert a_task.sizes == {"train": 610, "valid": 200, "test": 200}
    assert ids(a_task) == ["drop-last"]
    splits = a_task.splits(0)
    drawn = Order(0, splits.train, splits.weights).batches(0, 60, 32).reshape(-1)
    assert splits.targets[torch.from_numpy(drawn)].float().mean() == pytest.approx(0.5, abs=0.05)


# ---- batch size, order, drop_last, collate ---------------------------------------------------------------------------


def test_the_batch_size_is_that_of_the_loader_unless_the_task_has_one():
    loader = DataLoader(ROWS, 48, shuffle=True)
    assert task(data=loader).batch_size == 48
    assert ids(task(data=loader)) == []
    assert ids(task(data=loader, batch_size=16)) == ["batch-size-dropped"]
    assert task(data=DataLoader(ROWS, 300, shuffle=True)).batch_size == 180
    assert task(data=DataLoader(ROWS, shuffle=True)).batch_size == 64
    assert task(data=ROWS).batch_size == 64


@pytest.mark.parametrize(("size", "said"), [(7, ["drop-last"] * 3), (10, [])])
def test_rows_that_drop_last_leaves_out_are_used_and_it_is_said(size, said):
    parts = {part: DataLoader(ROWS, size, shuffle=True, drop_last=True) for part in ("train", "valid", "test")}
    assert ids(task(**parts)) == said
    assert task(**parts).sizes == {"train": 300, "valid": 300, "test": 300}


def plain(rows):
    return torch.stack([x for x, _ in rows]), torch.tensor([int(y) for _, y in rows])


def noisy(rows):
    x, y = plain(rows)
    return x + torch.randn_like(x), y


def mixed(rows):
    x, y = plain(rows)
    return x + x.flip(0), y


def centred(rows):
    x, y = plain(rows)
    return x - x.mean(0), y


def shuffled(rows):
    x, y = plain(rows)
    order = np.random.permutation(len(x))
    return x[order], y[order]


@pytest.mark.parametrize(
    ("collate", "said"), [(plain, []), *((each, ["collate-once"]) for each in (noisy, mixed, centred, shuffled))]
)
def test_a_collate_fn_that_draws_or_looks_at_neighbours_is_reported(collate, said):
    assert ids(task(data=DataLoader(ROWS, 16, shuffle=True, collate_fn=collate))) == said


# ---- random changes --------------------------------------------------------------------------------------------------


class Changed(Dataset):
    """Rows that are changed at random with every access."""

    def __init__(self, draw, rows=range(300)) -> None:
        self.draw, self.rows = draw, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int):
        return X[self.rows[i]] + float(self.draw()), Y[self.rows[i]]


DRAWS = {
    "torch": lambda: torch.randn(()),
    "numpy": np.random.standard_normal,
    "python": lambda: random.gauss(0, 1),
    "rarely": lambda: 0.0 if random.random() < 0.5 else 1.0,
    "uniform": lambda: torch.empty(()).uniform_(),
    "two of them": lambda: torch.rand(()) + np.random.random(),
}
HELD = {"valid": Subset(ROWS, range(200, 250)), "test": Subset(ROWS, range(250, 300))}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_random_changes_are_drawn_anew_in_every_epoch(draw):
    a_task = task(train=DataLoader(Changed(draw, range(200)), 20, shuffle=True), **HELD)
    assert a_task.changes_examples
    assert "augmentation" in a_task.facts().luck
    assert ids(a_task) == []
    splits = a_task.splits(0)
    row = np.full((40, 20), 5)  # the same row in 40 steps of 4 epochs
    (x,), y = a_task.training_batch(splits, row, seed=3, start=0)
    epochs = [{tuple(each) for each in part.tolist()} for part in x.split(200)]
    assert [len(each) for each in epochs] == [1] * 4
    assert len(set().union(*epochs)) > 1
    assert torch.equal(y, Y[5].expand(800))
    again = a_task.training_batch(splits, row, seed=3, start=0)
    assert torch.equal(again[0][0], x)
    other = a_task.training_batch(splits, row, seed=4, start=0)
    assert not torch.equal(other[0][0], x)


def test_a_batch_of_another_size_sees_the_same_changes():
    a_task = task(train=Changed(DRAWS["torch"], range(200)), **HELD)
    splits = a_task.splits(0)
    order = Order(2, splits.train)
    small = a_task.training_batch(splits, order.batches(10, 20, 10), 2, 10)[0][0]
    large = a_task.training_batch(splits, order.batches(2, 4, 50), 2, 2)[0][0]
    assert torch.equal(small, large)


def test_random_changes_leave_the_callers_generators_alone():
    a_task = task(train=Changed(DRAWS["two of them"], range(200)), **HELD)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    a_task.training_batch(a_task.splits(0), np.arange(40).reshape(2, 20), 0, 0)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == np.random.get_state()[1].tolist()  # type: ignore[index]
    assert states[2] == random.getstate()


def test_both_engines_draw_the_same_changes():
    a_task = task(train=Changed(DRAWS["numpy"], range(200)), **HELD, standardize=True)
    plan = shard("adam", rates=(1e-2,), seeds=(0, 1), steps=24, evaluate_at=(24,), dtype="float64")
    a, b = (train(a_task, plan) for train in (solo.train, fleet.train))
    assert a.train_loss == pytest.approx(b.train_loss, abs=1e-9)


def test_changes_are_frozen_when_asked():
    given = {"train": Changed(DRAWS["torch"], range(200)), **HELD}
    a_task = task(**given, augmentation="frozen")
    assert not a_task.changes_examples
    assert ids(a_task) == []
    assert torch.equal(a_task.splits(0).inputs[0], task(**given).splits(0).inputs[0])
    with pytest.raises(BadTask, match="augmentation is 'sometimes'"):
        task(**given, augmentation="sometimes")


def test_a_generator_of_the_data_sets_own_is_reported_and_frozen():
    own = np.random.default_rng(0)
    a_task = task(train=Changed(own.standard_normal, range(200)), **HELD)
    assert not a_task.changes_examples
    assert ids(a_task) == ["augmentation-frozen"]


def test_a_shape_that_changes_at_random_is_frozen():
    class Cropped(Dataset):
        def __len__(self) -> int:
            return 300

        def __getitem__(self, i: int):
            return torch.ones(int(torch.randint(2, 6, ()))), 0

    def padded(rows):
        return nn.utils.rnn.pad_sequence([x for x, _ in rows], batch_first=True), torch.tensor([y for _, y in rows])

    a_task = task(data=DataLoader(Cropped(), 16, shuffle=True, collate_fn=padded), loss=F.cross_entropy)
    assert not a_task.changes_examples
    assert "augmentation-frozen" in ids(a_task)


@pytest.mark.parametrize(
    "given",
    [
        {"data": Changed(DRAWS["torch"])},
        {"train": Changed(DRAWS["torch"], range(200)), "test": HELD["test"]},
        {"train": Changed(DRAWS["torch"], range(200)), "valid": Changed(DRAWS["torch"], range(99)), "test": ROWS},
    ],
    ids=["drawn from data", "validation drawn from train", "given"],
)
def test_changes_of_validation_and_test_are_reported(given):
    assert ids(task(**given)) == ["augmentation-everywhere"]


def test_a_data_set_without_changes_is_not_read_anew():
    class Plain(Changed):
        reads = 0

        def __getitem__(self, i: int):
            Plain.reads += 1
            return X[i], Y[i]

    a_task = task(data=Plain(None))
    assert not a_task.changes_examples
    before = Plain.reads
    a_task.training_batch(a_task.splits(0), np.arange(20).reshape(2, 10), 0, 0)
    assert Plain.reads == before
