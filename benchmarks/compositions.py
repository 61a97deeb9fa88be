"""Models composed at random from torch's layers, and whether all engines agree on them: a search for what nobody
thought of.

    python -m benchmarks.compositions

Model number n is a pure function of n. For each, as `python -m benchmarks.zoo` does: the largest relative differences
of the losses of a fleet, plain and compiled, from those of each trial alone, in double precision. The exit code is 1 if
one is above 1e-9. Plain fleets of models that draw at random draw other numbers, by design, and are not compared.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.agreement import TOLERANCE, compared
from steepest import Task

CLASSES, BATCH, EXAMPLES = 5, 8, 64
INPUTS = {"vectors": (12,), "series": (6, 16), "pictures": (3, 12, 12), "volumes": (2, 6, 6, 6)}
ACTIVATIONS = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.LeakyReLU, nn.Softplus, nn.Hardswish, nn.Mish,
    nn.PReLU, nn.ReLU6, nn.Softsign, nn.LogSigmoid, nn.CELU, nn.Hardsigmoid, nn.Tanhshrink,
)  # fmt: skip


T = TypeVar("T")


class Dice:
    """Choices that depend on a number alone."""

    def __init__(self, number: int) -> None:
        self._from = np.random.default_rng(number)

    def among(self, choices: Sequence[T]) -> T:
        return choices[int(self._from.integers(len(choices)))]

    def __call__(self, probability: float) -> bool:
        return bool(self._from.random() < probability)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Sequences(nn.Module):
    """A recurrent layer over the last axis of [B, C, T]."""

    def __init__(self, kind: Callable[..., nn.Module], channels: int, width: int, both_ways: bool) -> None:
        super().__init__()
        self.layer = kind(channels, width, batch_first=True, bidirectional=both_ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.transpose(1, 2))[0].transpose(1, 2)


class Attention(nn.Module):
    """torch's own transformer layer over the last axis of [B, C, T]."""

    def __init__(self, channels: int, heads: int, drop: float, norm_first: bool) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            channels, heads, 2 * channels, dropout=drop, batch_first=True, norm_first=norm_first
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.transpose(1, 2)).transpose(1, 2)


def layer(dice: Dice, shape: Sequence[int]) -> nn.Module:
    """A layer that takes [B, *shape]."""
    channels, axes = shape[0], len(shape) - 1
    if dice(0.3):
        return dice.among(ACTIVATIONS)()
    if dice(0.2):
        return nn.Dropout(dice.among((0.1, 0.5)))
    if axes == 0:
        width = dice.among((4, 8, 16))
        makers: list[Callable[[], nn.Module]] = [
            lambda: nn.Linear(channels, width, bias=dice(0.7)),
            lambda: nn.LayerNorm(channels),
            lambda: nn.BatchNorm1d(channels),
            lambda: nn.RMSNorm(channels),
            lambda: Residual(nn.Sequential(nn.Linear(channels, channels), dice.among(ACTIVATIONS)())),
        ]
        return dice.among(makers)()
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    back = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[axes - 1]
    norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes - 1]
    pools = (
        (nn.MaxPool1d, nn.AvgPool1d), (nn.MaxPool2d, nn.AvgPool2d), (nn.MaxPool3d, nn.AvgPool3d),
    )[axes - 1]  # fmt: skip
    width, groups = dice.among((4, 6, 8)), 2 if channels % 2 == 0 else 1
    is_large = min(shape[1:]) >= 4
    makers = [
        lambda: convolution(channels, width, 3, padding=1, stride=2 if is_large and dice(0.3) else 1),
        lambda: convolution(channels, width, 1, bias=False),
        lambda: convolution(channels, width, 3, padding=2, dilation=2, groups=groups if width % groups == 0 else 1),
        lambda: norm(channels),
        lambda: nn.GroupNorm(groups, channels),
        lambda: dice.among(pools)(2) if is_large else dice.among(ACTIVATIONS)(),
        lambda: Residual(nn.Sequential(convolution(channels, channels, 3, padding=1), dice.among(ACTIVATIONS)())),
        lambda: back(channels, width, 3, padding=1),
        lambda: nn.Upsample(scale_factor=2) if max(shape[1:]) <= 8 else nn.Identity(),
    ]
    if axes == 1:
        makers += [
            lambda: Sequences(dice.among((nn.LSTM, nn.GRU, nn.RNN)), channels, 6, dice(0.5)),
            lambda: Attention(channels, groups, dice.among((0.0, 0.1)), dice(0.5)),
        ]
    return dice.among(makers)()


def composed(number: int) -> nn.Module:
    """Three to seven layers, then the mean or all of what they give, then a linear layer."""
    dice = Dice(number)
    shape = INPUTS[dice.among((*INPUTS,))]
    layers: list[nn.Module] = []
    for _ in range(dice.among((3, 4, 5, 6, 7))):
        made = layer(dice, shape)
        with torch.no_grad():
            after = made(torch.zeros(2, *shape)).shape[1:]
        layers.append(made)
        shape = after
    if len(shape) > 1:
        layers.append(nn.Flatten(2))
        layers.append(nn.AdaptiveAvgPool1d(1 if dice(0.5) else 2))
        layers.append(nn.Flatten())
        shape = (shape[0] * layers[-2].output_size,)
    return nn.Sequential(*layers, nn.Linear(shape[0], CLASSES))


def task(number: int) -> Task:
    dice, g = Dice(number), torch.Generator().manual_seed(number)
    shape = INPUTS[dice.among((*INPUTS,))]
    x = torch.randn(EXAMPLES, *shape, generator=g)
    y = torch.randint(CLASSES, (EXAMPLES,), generator=g)
    return Task(
        model=partial(composed, number),
        data=(x, y),
        loss=F.cross_entropy,
        metric="accuracy",
        batch_size=BATCH,
        epochs=1,
    )


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.compositions", description=__doc__)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--steps", type=int, default=50)
    given = asked.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    wrong = []
    for number in range(given.first, given.first + given.count):
        found = compared(f"composition {number}", task(number), given.steps)
        kinds = ", ".join(type(x).__name__ for x in composed(number).children())
        print(f"{number:4} {found}  {kinds}", flush=True)
        if not found.is_right:
            wrong.append(number)
    print(f"{given.count - len(wrong)} of {given.count} agree to {TOLERANCE:.0e}. Others: {wrong or 'none'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
