"""A generated program gives what the model gives, operation by operation, and says what it has no form for."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.emitter import Emitter
from steepest.codegen.strided_view import StridedView
from steepest.engine.layout import replicas
from steepest.engine.programs import Extras, programs
from steepest.tasks.task import Task

DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(size=(60, 20)).astype(np.float32)
IMAGES = DRAW.normal(size=(60, 3, 8, 8)).astype(np.float32)
SERIES = DRAW.normal(size=(60, 8, 12)).astype(np.float32)
WORDS = DRAW.integers(0, 30, (60, 12))
LABELS = DRAW.integers(0, 10, 60)


class Then(nn.Module):
    """A body, and a linear layer on all that it gives."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.out = body, nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        return self.out((h[0] if isinstance(h, tuple) else h).flatten(1))


class Words(nn.Module):
    """Word vectors, pooled in four ways."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.sums = nn.Embedding(30, 6, padding_idx=0), nn.EmbeddingBag(30, 6, mode="sum")
        self.means = nn.EmbeddingBag(30, 6, padding_idx=0)

    def forward(self, x: Tensor) -> Tensor:
        h, mask = self.words(x), (x != 0).unsqueeze(-1)
        mean = (h * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.cat([h.max(1).values, mean, self.sums(x), self.means(x)], dim=1)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, activation="gelu", norm_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x.mT)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.lstm(x.mT)[0])[0]


def activations() -> nn.Module:
    kinds = (nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Hardtanh, nn.Softplus, nn.Mish, nn.PReLU, nn.Softshrink)
    layers = [layer for kind in kinds for layer in (nn.Linear(16, 16), kind())]
    return nn.Sequential(nn.Linear(20, 16), nn.LayerNorm(16), nn.GELU("tanh"), *layers, nn.Softmax(-1))


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.ZeroPad2d(1),
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.Conv2d(6, 5, 2, padding=1),
        nn.MaxPool2d(3, 1),
        nn.Conv2d(5, 4, 1),
        nn.AvgPool2d(2),
    )


def series() -> nn.Module:
    return nn.Sequential(nn.Conv1d(8, 5, 3, padding=1), nn.Tanh(), nn.Conv1d(5, 4, 4, stride=2), nn.MaxPool1d(2))


def weighted(scores: Tensor, labels: Tensor) -> Tensor:
    weight = torch.arange(1, 11, dtype=scores.dtype)
    return F.cross_entropy(scores, labels, weight=weight, label_smoothing=0.1)


MODELS = {
    "activations": (activations, 16, VECTORS),
    "convolutions": (convolutions, 16, IMAGES),
    "series": (series, 8, SERIES),
    "words": (Words, 24, WORDS),
    "attention": (Attention, 96, SERIES),
    "recurrent": (Recurrent, 72, SERIES),
}


def native(task, dtype=torch.float64):
    """The program of a task, which is compared with its model as it is made; raises NotCompiled."""
    found = programs(task, dtype, torch.device("cpu"))
    start = replicas([task.build_model(seed, dtype) for seed in (0, 1)], torch.tensor([0, 1]), found.changing)
    return found.gradient_program(Extras(tuple(start.stacked), tuple(start.shared)), task.batch_size)


def task_of(make, x, y: np.ndarray = LABELS, loss: Any = weighted):
    return Task(model=make, data=(x, y), loss=loss, batch_size=16)


@pytest.fixture
def may_compile(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)


@pytest.mark.compile
@pytest.mark.parametrize("name", MODELS)
def test_a_program_gives_the_gradient_of_its_model(name, may_compile):
    body, width, x = MODELS[name]
    assert native(task_of(lambda: Then(body(), width), x)).length > 0


@pytest.mark.compile
def test_in_single_precision_the_functions_are_our_own_and_give_the_same(may_compile):
    assert native(task_of(lambda: Then(activations(), 16), VECTORS), torch.float32).length > 0


@pytest.mark.compile
@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits])
def test_losses_of_numbers(loss, may_compile):
    y = DRAW.integers(0, 2, (60, 1)).astype(np.float32)
    assert native(task_of(lambda: nn.Sequential(nn.Linear(20, 1)), VECTORS, y, loss)).length == 21


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: Sampled(), "draws random numbers that depend on what the model computes"),
        (lambda: Erratic(), "cannot be traced"),
    ],
)
def test_what_has_no_form_is_refused_with_the_reason(body, reason, may_compile):
    with pytest.raises(NotCompiled, match=reason):
        native(task_of(body, VECTORS))


class Sampled(nn.Module):
    """Switches its units on with odds that it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.out(x)
        return h * torch.bernoulli(h.sigmoid())


class Erratic(nn.Module):
    """Decides by the values that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.out(x)
        return h if h.sum().item() > 0 else -h


def test_buffers_share_memory_only_where_their_times_of_use_do_not_meet():
    emitter = Emitter()
    a, b, c = (emitter.new("real", (10,)) for _ in range(3))
    source = StridedView.contiguous("w", "real", (10,))
    emitter.call("one", [a], [source])
    emitter.call("two", [b], [a])
    emitter.call("three", [c], [b])
    text, total = emitter.calls()
    begin = {
        name: int(text.split(f"const {name} = ")[1].split("arena + ")[1].split(")")[0]) for name in ("b0", "b1", "b2")
    }
    assert begin["b0"] == begin["b2"] != begin["b1"]
    assert total == 2 * 256, "10 numbers of 8 bytes, and two lines to spare, twice"


def test_a_function_that_is_called_often_is_written_once():
    emitter = Emitter()
    for _ in range(5):
        emitter.call("y0[0] = x0[0];", [emitter.new("real", (1,))], [StridedView.contiguous("w", "real", (1,))])
    assert emitter.functions().count("static") == 1
    assert emitter.calls()[0].count("f0<T>(") == 5
