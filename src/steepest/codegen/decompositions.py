"""Traces a function into a graph of operations that have a C++ form; decomposes those that have none."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions, get_decompositions
from torch._ops import OpOverload
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

aten = torch.ops.aten


def graph_of(function: Callable[..., object], example: Sequence[Tensor]) -> fx.Graph:
    """The graph of a function, traced with these arguments. Nothing is fused; only arguments are changed in place."""
    known = [
        aten._log_softmax,
        aten._softmax,
        aten.native_layer_norm_backward,
        aten.native_batch_norm_backward,
        aten.native_group_norm_backward,
        aten.gelu_backward,
    ]
    table = {**core_aten_decompositions(), **get_decompositions(known), **DECOMPOSITIONS}
    table = {
        call: terms for call, terms in table.items() if not is_random_op(call)
    }  # decomposed, they would draw other numbers
    with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
        module = make_fx(torch.func.functionalize(function), decomposition_table=table)(*example)
    module.graph.eliminate_dead_code()
    return module.graph


def is_random_op(call: object) -> bool:
    """Whether an operation draws random numbers."""
    return torch.Tag.nondeterministic_seeded in getattr(call, "tags", ())


# ---- activations -----------------------------------------------------------------------------------------------------


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """½ x (1 + erf(x / √2)), or with tanh in place of erf."""
    if approximate == "tanh":
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + torch.erf(x * math.sqrt(0.5)))


def _elu(x: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    return torch.where(x > 0, x * scale, (torch.exp(x * input_scale) - 1) * (alpha * scale))


def _leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, x * slope)


def _hardtanh(x: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    return torch.clamp(x, low, high)


def _softshrink_backward(g: Tensor, x: Tensor, width: float) -> Tensor:
    return torch.where((x >= -width) & (x <= width), torch.zeros_like(g), g)


# ---- norms -----------------------------------------------------------------------------------------------------------


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """torch's own decomposition calls a variance operation, which has no C++ form."""
    axes = [*range(x.ndim - len(shape), x.ndim)]
    mean = x.mean(axes, keepdim=True)
    scale = (x - mean).square().mean(axes, keepdim=True).add(eps).rsqrt()
    y = (x - mean) * scale
    y = y if weight is None else y * weight
    return y if bias is None else y + bias, mean, scale


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    means: Tensor | None,
    variances: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes over all axes but the second; the running statistics are updated in place."""
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    if not training and means is not None and variances is not None:
        mean, variance = means, variances
    else:
        mean = x.mean(axes)
        variance = (x - mean.view(shape)).square().mean(axes)
        if means is not None and variances is not None:
            count = x.numel() // x.shape[1]
            means.copy_(means * (1 - momentum) + mean * momentum)
            variances.copy_(variances * (1 - momentum) + variance * (momentum * count / (count - 1)))
    scale = (variance + eps).rsqrt()
    y = (x - mean.view(shape)) * scale.view(shape)
    y = y if weight is None else y * weight.view(shape)
    return y if bias is None else y + bias.view(shape), mean, scale


def _group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    count: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """x [B, C, …]; each group of C / groups channels has its own mean and variance."""
    parts = x.reshape(count, groups, channels // groups * pixels)
    mean = parts.mean(2, keepdim=True)
    scale = ((parts - mean).square().mean(2, keepdim=True) + eps).rsqrt()
    shape = [1, -1, *[1] * (x.ndim - 2)]
    y = ((parts - mean) * scale).reshape(x.shape)
    y = y if weight is None else y * weight.view(shape)
    return y if bias is None else y + bias.view(shape), mean.squeeze(2), scale.squeeze(2)


def _vector_norm(
    x: Tensor,
    order: float = 2,
    dim: list[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The L1 and L2 norms, without a change of dtype."""
    axes = [*range(x.ndim)] if dim is None else dim
    if dtype not in (None, x.dtype) or order not in (1, 2):
        return NotImplemented
    return x.abs().sum(axes, keepdim) if order == 1 else x.square().sum(axes, keepdim).sqrt()


def _cumulative_sum(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """A product with a triangle of ones: at place i along `dim`, the sum of places 0 … i."""
    if dtype not in (None, x.dtype):
        return NotImplemented
    length = x.shape[dim]
    ones = torch.tensor([[float(i <= j) for j in range(length)] for i in range(length)], dtype=x.dtype)
    return (x.movedim(dim, -1) @ ones).movedim(-1, dim)


def _flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Reads each axis of `dims` at n − 1, …, 0."""
    for dim in dims:
        backwards = torch.tensor([*range(x.shape[dim] - 1, -1, -1)])
        x = aten.index.Tensor(x, [*[None] * (dim % x.ndim), backwards])
    return x


def _index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    return aten.index.Tensor(x, [*[None] * (dim % x.ndim), index])


def _nearest_backward(
    g: Tensor, size: Sequence[int], before: Sequence[int], *scales: float | None
) -> Tensor:  # [B, C, h, w]
    """Where each pixel was repeated h × w times, the sum over its copies."""
    (*_, height, width), (*_, h, w) = size, before
    times = zip(scales, (height / h, width / w), strict=False)
    if height % h or width % w or any(scale not in (None, whole) for scale, whole in times):
        return NotImplemented
    return g.reshape(*before[:2], h, height // h, w, width // w).sum((3, 5))


# ---- pooling to a size ----------------------------------------------------------------------------------------------


def _windows(x: Tensor, size: Sequence[int]) -> list[int] | None:
    """The window [h, w] that pools an image [B, C, H, W] to this size, if all windows are equal and none overlap."""
    if x.ndim != 4 or x.shape[2] % size[0] or x.shape[3] % size[1]:
        return None
    return [x.shape[2] // size[0], x.shape[3] // size[1]]


def _shares(length: int, out: int, like: Tensor) -> Tensor:
    """[out, length]: row i averages the window ⌊i·length/out⌋ … ⌈(i+1)·length/out⌉ − 1."""
    rows = [[0.0] * length for _ in range(out)]
    for i, row in enumerate(rows):
        begin, end = i * length // out, -(-(i + 1) * length // out)
        row[begin:end] = [1 / (end - begin)] * (end - begin)
    return torch.tensor(rows, dtype=like.dtype)


def _adaptive_mean(x: Tensor, size: Sequence[int]) -> Tensor:
    if window := _windows(x, size):
        return aten.avg_pool2d.default(x, window, window)
    return _shares(x.shape[-2], size[0], x) @ x @ _shares(x.shape[-1], size[1], x).T


def _adaptive_mean_backward(g: Tensor, x: Tensor) -> Tensor:
    if window := _windows(x, g.shape[-2:]):
        return aten.avg_pool2d_backward.default(g, x, window, window, [0, 0], False, True, None)
    return _shares(x.shape[-2], g.shape[-2], x).T @ g @ _shares(x.shape[-1], g.shape[-1], x)


def _adaptive_max(x: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    window = _windows(x, size)
    return aten.max_pool2d_with_indices.default(x, window, window) if window else NotImplemented


def _adaptive_max_backward(g: Tensor, x: Tensor, at: Tensor) -> Tensor:
    if not (window := _windows(x, g.shape[-2:])):
        return NotImplemented
    return aten.max_pool2d_with_indices_backward.default(g, x, window, window, [0, 0], [1, 1], False, at)


DECOMPOSITIONS: dict[OpOverload, Callable[..., object]] = {
    aten.gelu.default: _gelu,
    aten.elu.default: _elu,
    aten.leaky_relu.default: _leaky_relu,
    aten.hardtanh.default: _hardtanh,
    aten.softshrink_backward.default: _softshrink_backward,
    aten.native_layer_norm.default: _layer_norm,
    aten.native_batch_norm.default: _batch_norm,
    aten.native_group_norm.default: _group_norm,
    aten.linalg_vector_norm.default: _vector_norm,
    aten.cumsum.default: _cumulative_sum,
    aten.flip.default: _flip,
    aten.index_select.default: _index_select,
    aten.upsample_nearest2d_backward.default: _nearest_backward,
    aten._adaptive_avg_pool2d.default: _adaptive_mean,
    aten._adaptive_avg_pool2d_backward.default: _adaptive_mean_backward,
    aten.adaptive_max_pool2d.default: _adaptive_max,
    aten.adaptive_max_pool2d_backward.default: _adaptive_max_backward,
}
"""Replaces torch's own decompositions where there are none, or where they use operations without a C++ form."""
