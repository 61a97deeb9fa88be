"""What a user's loader does and a trial does not: each is said, or honoured."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler, TensorDataset, WeightedRandomSampler
from unseen.looking import draw, look, said_by, sound, warned

from steepest import Task
from steepest.engine.data import Order

X = torch.rand(240, 1, 6, 6, generator=draw(0))
Y = (X.mean((1, 2, 3)) > 0.5).long()


def net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 2))


def task(train, model=net, loss=F.cross_entropy, metric: str = "accuracy", **more) -> Task:
    valid, test = (X[160:200], Y[160:200]), (X[200:], Y[200:])
    return Task(model=model, train=train, valid=valid, test=test, loss=loss, metric=metric, **more)


PHOTOS = TensorDataset(X[:160], Y[:160])


def test_the_loader_has_another_batch_size():
    """Photos of leaves: batches of 20 in the loader, and none named in the task."""
    seen = look(lambda: task(DataLoader(PHOTOS, 20, shuffle=True)))
    assert not seen.refused
    assert seen.task.batch_size == 20 or "batch" in seen.words


def test_examples_come_in_a_chosen_order():
    """A curriculum: easy examples first, so the loader must not shuffle."""
    warned(lambda: task(DataLoader(PHOTOS, 20, shuffle=False), batch_size=20), "order|shuffl")


def test_the_last_batch_is_dropped():
    """A contrastive recipe that needs full batches."""
    warned(
        lambda: task(DataLoader(PHOTOS, 48, shuffle=True, drop_last=True), batch_size=48),
        "drop_last|last batch|incomplete",
    )


def test_rare_examples_are_drawn_more_often():
    """Defects of lenses: 5 % of the parts, drawn as often as the sound ones."""
    rare = torch.where(torch.arange(160) < 8, 20.0, 1.0)
    seen = look(lambda: task(DataLoader(PHOTOS, 20, sampler=WeightedRandomSampler(rare.tolist(), 160)), batch_size=20))
    assert seen.task is not None
    if "sampler" not in seen.words.lower():  # then they are: about half of the draws
        splits = seen.task.splits(0)
        assert 0.35 < (Order(0, splits.train, splits.weights).batches(0, 80, 20) < 8).mean() < 0.65


def test_batches_are_put_together_by_hand():
    """Face recognition: four people with five photos each in every batch, by a `batch_sampler` of one's own."""

    class PeopleAndPhotos(Sampler):
        def __iter__(self):
            for start in range(0, 160, 20):
                yield [*range(start, start + 20)]

        def __len__(self) -> int:
            return 8

    warned(lambda: task(DataLoader(PHOTOS, batch_sampler=PeopleAndPhotos())), "batch_sampler|sampler")


class Augmented(Dataset):
    def __init__(self, change) -> None:
        self.change = change

    def __len__(self) -> int:
        return 160

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.change(X[i]), Y[i]


def flipped(x: Tensor) -> Tensor:
    return x.flip(-1) if random.random() < 0.5 else x


def noisy(x: Tensor) -> Tensor:
    return x + 0.05 * torch.randn(x.shape)


def shifted(x: Tensor) -> Tensor:
    return x.roll(int(np.random.randint(3)), -1)


@pytest.mark.parametrize("change", [flipped, noisy, shifted], ids=["Python's generator", "torch's", "NumPy's"])
def test_random_changes_stay_random_or_are_said_to_be_frozen(change):
    """Photos of galaxies: flips, noise and shifts, each drawn by another generator when an example is read."""
    seen = look(lambda: task(DataLoader(Augmented(change), 20, shuffle=True), batch_size=20))
    assert seen.task is not None
    assert "augmentation" in seen.task.facts().luck or "random" in seen.words


def test_words_are_masked_when_a_batch_is_put_together():
    """Masked language model of proteins: the `collate_fn` hides 15 % of the letters, others each time."""
    letters = torch.randint(1, 20, (160, 8), generator=draw(1))

    def hide(examples: list[Tensor]) -> tuple[Tensor, Tensor]:
        whole = torch.stack(examples)
        hidden = torch.rand(whole.shape) < 0.15
        return whole.masked_fill(hidden, 0), whole.masked_fill(~hidden, -100)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors, self.head = nn.Embedding(20, 8), nn.Linear(8, 20)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.vectors(x)).transpose(1, 2)

    class Letters(Dataset):
        def __len__(self) -> int:
            return len(letters)

        def __getitem__(self, i: int) -> Tensor:
            return letters[i]

    warned(
        lambda: Task(
            model=Net,
            data=DataLoader(Letters(), 20, shuffle=True, collate_fn=hide),
            loss=F.cross_entropy,
            batch_size=20,
        ),
        "random|collate",
    )


def test_a_plain_loader_needs_no_words_of_alarm():
    """The tutorial's loader: shuffled, the batch size of the task, read by two workers' worth of settings."""
    seen = sound(lambda: task(DataLoader(PHOTOS, 20, shuffle=True, pin_memory=False), batch_size=20))
    assert not said_by(seen.warnings, "severe", "warning")


def test_normalization_in_the_data_set_is_not_random():
    """A transform that is the same at each access is not taken for augmentation."""
    seen = sound(lambda: task(DataLoader(Augmented(lambda x: (x - 0.5) / 0.29), 20, shuffle=True), batch_size=20))
    assert not said_by(seen.warnings, "severe", "warning")
