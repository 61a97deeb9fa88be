"""A GRU over sequences of different lengths: the inked pixels of a digit, one after another, padded by a `collate_fn`
and packed by their lengths. Packing reads the lengths as numbers, so that such a model trains one at a time."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

from steepest import Task


class Inked(Dataset):
    """An example: the places 0 … 63 of the pixels that are darker than half, and the digit."""

    def __init__(self) -> None:
        x, y = load_digits(return_X_y=True)
        self.labels: list[int] = torch.as_tensor(y).tolist()
        self.places = [torch.from_numpy(row > 8).nonzero()[:, 0] for row in x]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.places[i], self.labels[i]


def padded(examples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Places [B, T] with zeros at the end, lengths [B], digits [B]."""
    places, labels = zip(*examples, strict=True)
    lengths = torch.tensor([len(each) for each in places])
    return pad_sequence(list(places), batch_first=True), lengths, torch.tensor(labels)


class Packed(nn.Module):
    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.vectors = nn.Embedding(64, 12)
        self.gru = nn.GRU(12, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, places: Tensor, lengths: Tensor) -> Tensor:
        """[B, T], [B] → scores [B, 10]."""
        packed = pack_padded_sequence(self.vectors(places), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.head(last[0])


task = Task(
    model=Packed,
    data=DataLoader(Inked(), batch_size=64, collate_fn=padded),
    loss=cross_entropy,
    metric="accuracy",
    batch_size=64,
    epochs=3,
)
