"""A bidirectional LSTM that labels every place of a signal."""

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import waves
from steepest import Task


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.transpose(1, 2))[0]).squeeze(-1)


x, _ = waves(600, 24, channels=2)
rising = (x[:, 0].roll(-1, 1) > x[:, 0]).float()
task = Task(
    model=Tagger, data=(x, rising), loss=F.binary_cross_entropy_with_logits, metric="loss", batch_size=32, epochs=4
)
