"""What makes evaluation depend on chance, neighbours or the batch size is found, with the module that does it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest import Task
from steepest.checks.evaluation import evaluation_is_a_function
from steepest.checks.specimen import Specimen

draw = torch.Generator().manual_seed(0)
X = torch.randn(60, 5, 3, generator=draw)
Y = torch.arange(60) % 2


class Net(nn.Module):
    """A layer in the middle of a classifier of sequences; `use` says how it is called."""

    def __init__(self, layer: nn.Module, use=lambda layer, x: layer(x)) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(3, 8), layer, nn.Linear(8, 2)
        self.use = use

    def forward(self, x):
        x = self.use(self.inner, self.first(x))
        return self.last((x[0] if isinstance(x, tuple) else x)[:, -1])


class Always(nn.Module):
    """Normalizes by the batch, in evaluation too."""

    def forward(self, x):
        return (x - x.mean(0)) / (x.std(0) + 1e-3)


class Counting(nn.Module):
    """Keeps a running mean of what it has seen, in evaluation too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += x.mean().detach() + 1
        return x + self.seen


class Hidden(nn.Module):
    """A recurrent layer that goes on where the last call ended."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.state = nn.GRU(8, 8, batch_first=True), None

    def forward(self, x):
        if self.state is not None and self.state.shape[1] != len(x):
            self.state = None
        x, state = self.layer(x, self.state)
        self.state = state.detach()
        return x


class Cached(nn.Module):
    """Draws noise once for each batch size."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = {}

    def forward(self, x):
        return x + self.kept.setdefault(len(x), torch.randn(8, dtype=x.dtype))


class Positions(nn.Module):
    """Keeps what depends on the length alone."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = {}

    def forward(self, x):
        return x + self.kept.setdefault(x.shape[1], torch.arange(x.shape[1], dtype=x.dtype)[:, None])


class OwnGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.draw = torch.Generator().manual_seed(0)

    def forward(self, x):
        return x + torch.randn(x.shape, generator=self.draw)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


class Squeezed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(15, 2)

    def forward(self, x):
        x = self.layer(x.flatten(1)).squeeze()
        return x.log_softmax(1)


def found(model) -> list[tuple[str, str]]:
    task = Task(model=model, data=(X, Y), loss=F.cross_entropy, batch_size=8)
    return [(each.id, str(each.message)) for each in evaluation_is_a_function(Specimen(task))]


def channels(layer, x):
    return layer(x.transpose(1, 2)).transpose(1, 2)


BROKEN = {
    "recurrent layer along the batch": (lambda: Net(nn.LSTM(8, 8)), "neighbours", "inner (LSTM)", "batch_first=True"),
    "attention along the batch": (
        lambda: Net(nn.MultiheadAttention(8, 2), lambda layer, x: layer(x, x, x)),
        *("neighbours", "inner (MultiheadAttention)", "batch_first=True"),
    ),
    "transformer along the batch": (
        lambda: Net(nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0)), "neighbours", "inner", ""
    ),
    "no running statistics": (
        lambda: Net(nn.BatchNorm1d(8, track_running_stats=False), channels),
        *("neighbours", "inner (BatchNorm1d)", "track_running_stats"),
    ),
    "softmax over the examples": (lambda: Net(nn.Softmax(dim=0)), "neighbours", "inner (Softmax)", "axis is 0"),
    "own normalization": (lambda: Net(Always()), "neighbours", "inner (Always)", "mean or a softmax"),
    "in forward itself": (lambda: Net(nn.Identity(), lambda i, x: x - x.mean(0)), "neighbours", "Net.forward()", ""),
    "dropout that never stops": (
        lambda: Net(nn.Identity(), lambda i, x: F.dropout(x)),
        *("random-evaluation", "dropout in Net.forward()", "self.training"),
    ),
    "dropout with training=True": (
        lambda: Net(nn.Identity(), lambda i, x: F.dropout(x, 0.3, training=True)),
        *("random-evaluation", "dropout in Net.forward()", ""),
    ),
    "noise": (lambda: Net(Noisy()), "random-evaluation", "randn_like in inner (Noisy)", ""),
    "state that evaluation changes": (
        lambda: Net(Counting()),
        *("random-evaluation", "inner (Counting) keeps between calls", "if self.training is true"),
    ),
    "a hidden state that goes on": (
        lambda: Net(Hidden()),
        *("random-evaluation", "what inner (Hidden) keeps between calls", "Begin every call in the same state"),
    ),
    "a generator of its own": (lambda: Net(OwnGenerator()), "random-evaluation", "randn in inner (OwnGenerator)", ""),
    "train mode in forward": (
        lambda: Net(nn.Dropout(), lambda d, x: d.train()(x)),
        *("random-evaluation", "dropout in inner (Dropout)", "self.training"),
    ),
    "noise by batch size": (lambda: Net(Cached()), "neighbours", "inner (Cached)", "Their number matters"),
    "a factor by batch size": (
        lambda: Net(nn.Identity(), lambda i, x: x * len(x)),
        *("neighbours", "Net.forward()", "compute no output from it"),
    ),
    "squeeze": (Squeezed, "single-example", "IndexError", "squeeze()"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_evaluation_is_named(case):
    model, id, where, hint = BROKEN[case]
    ((kind, message),) = found(model)
    assert kind == id
    assert where in message
    assert hint in message


SOUND = {
    "batch_first": lambda: Net(nn.LSTM(8, 8, batch_first=True)),
    "time first, moved back": lambda: Net(nn.GRU(8, 8), lambda g, x: g(x.transpose(0, 1))[0].transpose(0, 1)),
    "attention": lambda: Net(nn.MultiheadAttention(8, 2, batch_first=True), lambda layer, x: layer(x, x, x)),
    "transformer": lambda: Net(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)),
    "batch norm": lambda: Net(nn.BatchNorm1d(8), channels),
    "dropout": lambda: Net(nn.Dropout(0.5)),
    "functional dropout": lambda: Net(nn.Dropout(), lambda d, x: F.dropout(x, 0.5, training=d.training)),
    "instance norm": lambda: Net(nn.InstanceNorm1d(8), channels),
    "positions kept by length": lambda: Net(Positions()),
    "layer norm": lambda: Net(nn.LayerNorm(8)),
    "half precision inside": lambda: Net(nn.Identity(), lambda i, x: x.float().to(x.dtype)),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_model_has_no_warning(case):
    assert found(SOUND[case]) == []
