"""Each form of a generated program is held to what torch does, in double precision to 1e-9 of a gradient's length."""

import pytest
import torch
from codegen.test_programs import DRAW, IMAGES, SERIES, VECTORS, Then, native, task_of
from torch import Tensor, nn
from torch.nn import functional as F

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.torch_calls import TorchCall
from steepest.engine import programs as module

NUMBERS = DRAW.integers(0, 5, (60, 6))


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    monkeypatch.setattr(module, "DOUBLE_TOLERANCE", 1e-9)


def grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(8, 6, 3, groups=2, padding=1),
        nn.Tanh(),
        nn.Conv2d(6, 6, 3, groups=6, padding=1, stride=2),
        nn.Tanh(),
        nn.Conv2d(6, 12, (1, 3), groups=6, bias=False),
        nn.Conv2d(12, 12, 3, groups=12, padding=2, dilation=2),
    )


def dilated() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, dilation=2, padding=2), nn.Tanh(), nn.Conv2d(5, 4, (2, 3), dilation=(3, 1), stride=(1, 2))
    )


def dilated_series() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(8, 8, 3, dilation=2, padding=2, groups=8), nn.Tanh(), nn.Conv1d(8, 5, 3, dilation=3, padding=3)
    )


def transposed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 4, stride=2),
        nn.Tanh(),
        nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        nn.Tanh(),
        nn.ConvTranspose2d(4, 4, 3, groups=4, stride=2, bias=True),
        nn.ConvTranspose2d(4, 3, 2, dilation=2),
    )


def transposed_series() -> nn.Module:
    return nn.Sequential(nn.Conv1d(8, 4, 3), nn.Tanh(), nn.ConvTranspose1d(4, 5, 4, stride=2, padding=1))


class Pools(nn.Module):
    """Side by side, all that there is."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 2)  # → [B, 4, 7, 7]
        self.pools = nn.ModuleList(
            [
                nn.MaxPool2d(3, 2, padding=1),
                nn.MaxPool2d(2, 2, ceil_mode=True),
                nn.MaxPool2d(2, 1, dilation=2),
                nn.AvgPool2d(3, 2, padding=1),
                nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
                nn.AvgPool2d(2, ceil_mode=True),
                nn.AdaptiveAvgPool2d((3, 2)),
                nn.AdaptiveAvgPool2d(7),
                nn.AdaptiveMaxPool2d((1, 7)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        series = [F.avg_pool1d(h[:, 0], 2, padding=1), F.max_pool1d(h[:, 1], 3, padding=1)]
        series.append(F.adaptive_avg_pool1d(h[:, 2], 3))
        return torch.cat([p(h).flatten(1) for p in self.pools] + [s.flatten(1) for s in series], 1)


class Indexed(nn.Module):
    """Looks up, and puts, in all ways that have a form."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 6, 4))
        self.first = nn.Linear(6, 6)
        self.register_buffer("order", torch.randperm(6))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.to(self.table))  # [B, 6]
        by_two = self.table[x, torch.arange(6)]  # [B, 6, 4]
        around = self.table[x[:, :2], :, x[:, 2:4] - 4]  # [B, 2, 6]: the axes of the indices are apart, and count back
        columns, rows = h[:, self.order], h[torch.arange(len(h) - 1, -1, -1)]
        put = h.clone()
        put[:, [0, 2]] = columns[:, 1:3] * 2
        put[x > 3] = 0.5
        added = torch.zeros_like(h).index_put((torch.arange(len(h))[:, None], x), rows, accumulate=True)
        along = [h.cumsum(1).flip(0, 1), h.gather(1, x), h.scatter_add(1, x, columns), h.index_select(1, x[0])]
        return torch.cat([*along, by_two.flatten(1), around.flatten(1), columns, rows, put, added], 1)


def enlarged() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=(2, 3)), nn.Conv2d(4, 3, 3))


MODELS = {
    "enlarged": (enlarged, IMAGES),
    "grouped": (grouped, IMAGES),
    "dilated": (dilated, IMAGES),
    "dilated series": (dilated_series, SERIES),
    "transposed": (transposed, IMAGES),
    "transposed series": (transposed_series, SERIES),
    "pools": (Pools, IMAGES),
    "indices": (Indexed, NUMBERS),
}


@pytest.mark.compile
@pytest.mark.parametrize("name", MODELS)
def test_a_form_gives_what_torch_gives(name):
    body, x = MODELS[name]
    example = torch.from_numpy(x[:2])
    width = body()(example).flatten(1).shape[1]
    assert native(task_of(lambda: Then(body(), width), x)).torch_calls == []


def normalized_twice() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 12), nn.BatchNorm1d(12), nn.BatchNorm1d(12), nn.Tanh())


@pytest.mark.compile
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_mean_that_is_zero_but_for_rounding_has_no_digits_to_agree_on(dtype):
    assert native(task_of(lambda: Then(normalized_twice(), 12), VECTORS), dtype).length > 0


class WithoutForms(nn.Module):
    """Calls for which there is no C++: one that gives two arrays, one that takes numbers and a list, one whose
    gradient leaves out an array, and one of truths.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.volume = nn.Linear(20, 24), nn.Conv3d(2, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        best, places = torch.topk(h, 4)
        volume = self.volume(h.view(-1, 2, 3, 2, 2)).flatten(1)
        around = torch.logcumsumexp(h, 1)[:, ::6].contiguous()
        return torch.cat([best, best * places, volume, around, torch.isin(places, torch.tensor([1, 2])) * best], 1)


@pytest.mark.compile
def test_what_has_no_form_is_done_by_torch_inside_the_program(monkeypatch):
    example = torch.from_numpy(VECTORS[:2])
    width = WithoutForms()(example).shape[1]
    task = task_of(lambda: Then(WithoutForms(), width), VECTORS)
    program = native(task)
    assert {"aten.topk.default", "aten.convolution.default", "aten.logcumsumexp.default"} <= {*program.torch_calls}

    def fails(self, addresses, dtype):
        raise ArithmeticError("no more")

    monkeypatch.setattr(TorchCall, "run", fails)
    module.programs.cache_clear()
    with pytest.raises(ArithmeticError, match="no more"):
        native(task)


class OverAndOver(nn.Module):
    """Sorts after each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 20)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.topk(self.out(x), 20).values
        return x[:, :10]


@pytest.mark.compile
def test_a_call_that_is_made_often_is_written_once():
    program = native(task_of(OverAndOver, VECTORS))
    assert program.torch_calls == ["aten.topk.default"]
    assert program.text.count("by_torch(0, at)") == 1


@pytest.mark.compile
def test_where_rounding_is_coarse_the_same_program_is_judged_in_double_precision(monkeypatch):
    """A program that is right in float64 is taken although float32 differs by more than is usual, and no other."""
    task = task_of(lambda: Then(dilated(), 60), IMAGES)
    monkeypatch.setattr(module, "SINGLE_TOLERANCE", 0.0)
    module.programs.cache_clear()
    assert native(task, torch.float32).length > 0
    monkeypatch.setattr(module, "DOUBLE_TOLERANCE", 0.0)
    module.programs.cache_clear()
    with pytest.raises(NotCompiled, match="differ from those of the model"):
        native(task, torch.float32)
    module.programs.cache_clear()


class Masked(nn.Module):
    """Its number of rows depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.out(x)
        return h + h[h > 0].sum()


def test_what_depends_on_a_count_of_values_is_refused_in_words():
    with pytest.raises(NotCompiled, match=r"mask as index|cannot be traced"):
        native(task_of(Masked, VECTORS))
