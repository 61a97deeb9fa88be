"""Made data of the kinds that the models of the zoo take. Each function is a pure function of its arguments."""

import torch
from torch import Tensor


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, channels: int, side: int, classes: int = 10) -> tuple[Tensor, Tensor]:
    """Noise with a bright row whose place shows the class: [n, channels, side, side], [n]."""
    g = generator()
    y = torch.randint(classes, (n,), generator=g)
    x = torch.randn(n, channels, side, side, generator=g)
    x[torch.arange(n), y % channels, y * side // classes] += 3
    return x, y


def sentences(n: int, length: int, words: int) -> Tensor:
    """Each word follows from the one before, but for one in five: [n, length]."""
    g = generator()
    steps = torch.where(torch.rand(n, length, generator=g) < 0.8, 3, torch.randint(words, (n, length), generator=g))
    return steps.cumsum(1) % words


def waves(n: int, length: int, channels: int = 1, classes: int = 5) -> tuple[Tensor, Tensor]:
    """Sines in noise whose frequency shows the class: [n, channels, length], [n]."""
    g = generator()
    y = torch.randint(classes, (n,), generator=g)
    t = torch.arange(length) / length
    phase = torch.rand(n, channels, 1, generator=g)
    x = torch.sin(2 * torch.pi * ((2 + 2 * y)[:, None, None] * t + phase))
    return x + 0.7 * torch.randn(n, channels, length, generator=g), y
