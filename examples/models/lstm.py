"""An LSTM that reads a digit row by row, as a sequence of 8 steps of 8 pixels, with dropout before its last layer."""

from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steepest import Task


class Reader(nn.Module):
    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(hidden, 10))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 8, 8] → scores [B, 10]."""
        states, _ = self.lstm(x)
        return self.head(states[:, -1])


x, y = load_digits(return_X_y=True)
task = Task(
    model=Reader, data=(x.reshape(-1, 8, 8) / 16, y), loss=cross_entropy, metric="accuracy", batch_size=64, epochs=4
)
