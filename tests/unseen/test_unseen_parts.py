"""Rows that two parts share, samplers that keep parts apart, columns that give the target away."""

import re

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, Subset, TensorDataset, WeightedRandomSampler
from unseen.looking import draw, look, stopped, warned

from steepest import Task


def mlp(inputs: int, outputs: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))


def coin_flips(rows: int = 300, columns: int = 12) -> tuple[Tensor, Tensor]:
    g = draw(1)
    return torch.randn(rows, columns, generator=g), torch.randint(0, 2, (rows,), generator=g)


def test_two_subsets_drawn_one_after_the_other_overlap():
    """Photos of welds: `randperm` was called once for the training part and again for the test part."""
    x, y = torch.rand(300, 1, 8, 8, generator=draw(2)), coin_flips()[1]
    photos = TensorDataset(x, y)
    first, again = (torch.randperm(300, generator=draw(seed)).tolist() for seed in (3, 4))
    shared = len({*first[:240]} & {*again[:60]})  # some of them in the validation part, which is drawn from training
    seen = stopped(
        lambda: Task(
            model=lambda: nn.Sequential(nn.Flatten(), mlp(64)),
            train=Subset(photos, first[:240]),
            test=Subset(photos, again[:60]),
            loss=cross_entropy,
            metric="accuracy",
            batch_size=32,
        ),
        "test",
        "train",
    )
    counts = re.findall(r"(\d+) of the 60", seen.words)
    assert sum(map(int, counts)) == shared


def test_a_rare_class_repeated_before_the_split():
    """Card fraud: 15 frauds of 600 were copied 20 times each to balance the classes; then parts are drawn."""
    x = torch.randn(600, 8, generator=draw(5))
    y = (torch.arange(600) < 15).long()
    copies = torch.arange(15).repeat(20)
    x, y = torch.cat([x, x[copies]]), torch.cat([y, y[copies]])
    warned(
        lambda: Task(model=lambda: mlp(8), data=(x, y), loss=cross_entropy, metric="accuracy", batch_size=64),
        "repeat|share|duplicate|more than once|identical",
    )


def test_texts_of_the_test_part_stand_in_the_training_part():
    """Support tickets as token numbers and a mask: the last 40 of training were exported as the test file too."""
    ids = torch.randint(1, 90, (240, 12), generator=draw(6))
    y = torch.randint(0, 3, (240,), generator=draw(7))

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors, self.head = nn.Embedding(90, 8), nn.Linear(8, 3)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            mask = attention_mask[..., None].float()
            return self.head((self.vectors(input_ids) * mask).sum(1) / mask.sum(1))

    def part(rows: slice) -> list[dict]:
        return [
            {"input_ids": i, "attention_mask": torch.ones_like(i), "labels": t}
            for i, t in zip(ids[rows], y[rows], strict=True)
        ]

    stopped(
        lambda: Task(
            model=Bag,
            train=part(slice(0, 200)),
            valid=part(slice(200, 240)),
            test=part(slice(160, 200)),
            loss=cross_entropy,
            metric="accuracy",
            batch_size=32,
        ),
        r"\b40\b",
        "test",
        "train",
    )


def test_the_same_rows_in_another_precision():
    """A laboratory's assay: float64 from NumPy for training, a float32 tensor saved from it for the test."""
    x = torch.rand(200, 6, generator=draw(8), dtype=torch.float64)
    y = (x.sum(1, keepdim=True) + 0.2 * torch.randn(200, 1, generator=draw(9), dtype=torch.float64)).numpy()
    stopped(
        lambda: Task(
            model=lambda: mlp(6, 1),
            train=(x[:150].numpy(), y[:150]),
            valid=(x[150:].numpy(), y[150:]),
            test=(x[100:150].float(), torch.tensor(y[100:150]).float()),
            loss=mse_loss,
            metric="r2",
            batch_size=32,
        ),
        r"\b50\b",
        "test",
    )


class Every(Sampler):
    """One's own sampler: every so many rows, from a start."""

    def __init__(self, start: int, rows: int, step: int) -> None:
        self.rows = range(start, rows, step)

    def __iter__(self):
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def honest_or_stopped(make) -> None:
    """Coin flips over one data set, 200/50/50 by samplers: those parts, or a refusal; in no case shared rows unsaid."""
    seen = look(make)
    if not (seen.refused or seen.severe):
        assert seen.task.sizes == {"train": 200, "valid": 50, "test": 50}
        splits = make().splits(0)
        rows = {
            name: {tuple(row.tolist()) for row in splits.inputs[0][getattr(splits, name)]} for name in seen.task.sizes
        }
        assert not rows["train"] & rows["test"]
        assert not rows["train"] & rows["valid"]


def test_a_sampler_of_ones_own_keeps_the_parts_apart():
    """Particle physics: every sixth event for validation and every sixth for the test, by one's own sampler class."""

    class Rest(Every):
        def __init__(self) -> None:
            self.rows = [i for i in range(300) if i % 6 > 1]

    noise = TensorDataset(*coin_flips())
    parts = {"train": Rest(), "valid": Every(0, 300, 6), "test": Every(1, 300, 6)}
    honest_or_stopped(
        lambda: Task(
            model=lambda: mlp(12),
            **{name: DataLoader(noise, 25, sampler=sampler) for name, sampler in parts.items()},
            loss=cross_entropy,
            metric="accuracy",
        )
    )


def test_batch_samplers_keep_the_parts_apart():
    """Speech: batches are made by a `batch_sampler`, as for clips of like length."""
    noise = TensorDataset(*coin_flips())
    parts = {"train": range(200), "valid": range(200, 250), "test": range(250, 300)}
    honest_or_stopped(
        lambda: Task(
            model=lambda: mlp(12),
            **{name: DataLoader(noise, batch_sampler=BatchSampler(rows, 25, False)) for name, rows in parts.items()},
            loss=cross_entropy,
            metric="accuracy",
        )
    )


def test_rows_of_weight_zero_are_not_trained_on():
    """A census: rows held out have weight 0 in the sampler of the training loader; all loaders hold all rows."""
    x, y = coin_flips()
    held = torch.arange(300) >= 200
    everything = TensorDataset(x, y)
    seen = look(
        lambda: Task(
            model=lambda: mlp(12),
            train=DataLoader(everything, 20, sampler=WeightedRandomSampler((~held).double(), 200)),
            test=DataLoader(Subset(everything, held.nonzero()[:, 0].tolist()), 20),
            loss=cross_entropy,
            metric="accuracy",
        )
    )
    if not (seen.refused or seen.severe):
        assert sum(seen.task.sizes.values()) == 300


def test_a_column_orders_the_target():
    """House prices: column 3 is the tax, computed from the price that is to be predicted and rounded."""
    x = torch.randn(400, 6, generator=draw(10))
    price = (2 * x[:, :1] - x[:, 1:2] + torch.randn(400, 1, generator=draw(11))).exp() * 1e5
    x[:, 3] = (price[:, 0] * 0.011).round().log()
    warned(
        lambda: Task(
            model=lambda: mlp(6, 1), data=(x, price), loss=mse_loss, metric="r2", standardize="both", batch_size=32
        ),
        r"inputs\[:, 3\]|column",
        "target",
    )


def test_a_column_is_the_class_in_other_numbers():
    """A call centre: column 0 is the code of the queue that a person chose for the call; the queue is the target."""
    y = torch.randint(0, 4, (400,), generator=draw(12))
    x = torch.randn(400, 5, generator=draw(13))
    x[:, 0] = torch.tensor([310.0, 12.0, 47.0, 205.0])[y]
    warned(
        lambda: Task(
            model=lambda: mlp(5, 4), data=(x, y), loss=cross_entropy, metric="accuracy", standardize=True, batch_size=32
        ),
        r"inputs\[:, 0\]|column",
        "target|class",
    )


def test_a_repeated_number_settles_the_class():
    """Wind turbines: column 2 is the serial number, 40 turbines with 12 readings each; the fault is the turbine's."""
    turbine = torch.arange(40).repeat_interleave(12)
    faulty = torch.randint(0, 2, (40,), generator=draw(14))[turbine]
    x = torch.randn(480, 5, generator=draw(15))
    x[:, 2] = (turbine * 7919 % 1009).float()
    order = torch.randperm(480, generator=draw(16))
    warned(
        lambda: Task(
            model=lambda: mlp(5),
            data=(x[order], faulty[order]),
            loss=cross_entropy,
            metric="accuracy",
            standardize=True,
            batch_size=32,
        ),
        r"inputs\[:, 2\]|column",
        "group",
    )


class Recordings(Dataset):
    """Examples of an own class, read from a list: (signal, label)."""

    def __init__(self, signals: Tensor, labels: Tensor) -> None:
        self.signals, self.labels = signals, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.signals[i], int(self.labels[i])


def test_validation_data_are_training_data():
    """Heart sounds: the validation loader was made from the training data set by a slip of the pen."""
    x, y = torch.randn(180, 1, 32, generator=draw(17)), torch.randint(0, 2, (180,), generator=draw(18))
    train, test = Recordings(x[:140], y[:140]), Recordings(x[140:], y[140:])
    stopped(
        lambda: Task(
            model=lambda: nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(112, 2)),
            train=DataLoader(train, 20, shuffle=True),
            valid=DataLoader(train, 20),
            test=DataLoader(test, 20),
            loss=cross_entropy,
            metric="accuracy",
        ),
        r"\b140\b",
        "valid",
        "train",
    )
