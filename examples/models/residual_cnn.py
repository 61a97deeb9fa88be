"""A residual network with batch norm (K. He et al., 2016) on digits of 8 × 8 pixels."""

from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from steepest import Task


class Residual(nn.Module):
    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.second = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(maps) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, 8, 8] → the same."""
        h = relu(self.norms[0](self.first(x)))
        return relu(x + self.norms[1](self.second(h)))


def make_model() -> nn.Module:
    stem = nn.Conv2d(1, 8, 3, padding=1)
    return nn.Sequential(stem, Residual(8), Residual(8), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10))


x, y = load_digits(return_X_y=True)
task = Task(
    model=make_model,
    data=(x.reshape(-1, 1, 8, 8) / 16, y),
    loss=cross_entropy,
    metric="accuracy",
    batch_size=64,
    epochs=5,
)
