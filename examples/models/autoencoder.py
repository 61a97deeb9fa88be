"""An autoencoder that squeezes a digit of 64 pixels through 8 numbers: the targets are the inputs."""

from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import mse_loss

from steepest import Task


def make_model() -> nn.Module:
    down = (nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 8))
    up = (nn.ELU(), nn.Linear(8, 32), nn.ELU(), nn.Linear(32, 64))
    return nn.Sequential(*down, *up)


x, _ = load_digits(return_X_y=True)
x = x / 16
task = Task(model=make_model, data=(x, x), loss=mse_loss, metric="mse", batch_size=64, epochs=8)
