"""A small residual network as such are trained: Nesterov's momentum, no decay for norms, one cycle, an average."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from steepest import Task

SETUP = (
    "sgd+ema:momentum=0.9:nesterov=true:weight_decay=5e-4:norms.weight_decay=0:biases.weight_decay=0:keep=0.95"
    ":schedule=one-cycle"
)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


def resnet() -> nn.Module:
    stem = (nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    return nn.Sequential(
        *stem, Residual(8), nn.MaxPool2d(2), Residual(8), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8, 10)
    )


x, y = load_digits(return_X_y=True)
task = Task(
    model=resnet, data=(x.reshape(-1, 1, 8, 8).astype("float32") / 16, y),
    loss=nn.CrossEntropyLoss(label_smoothing=0.1), metric="accuracy", batch_size=64, epochs=3,
)  # fmt: skip
