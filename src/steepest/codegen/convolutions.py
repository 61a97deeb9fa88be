"""Lowerings of convolutions. Images are [B, H, W, C] in memory: the channels of a pixel are adjacent.

Each row of the output is a matrix product. In the zero-padded image the KW·C numbers under a row of the kernel are
adjacent, and the next pixel's begin C further: they form a matrix [W, KW·C] without a copy. With dilation each tap of
the kernel is a product of its own. Each group is a separate convolution, except that a depthwise convolution sums over
the taps for all channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import emit_copy, emit_fill, emit_reduction
from steepest.codegen.strided_view import StridedView
from steepest.codegen.translate import ROW_MULTIPLE, Translation, contiguous, lowering

aten = torch.ops.aten


def pair(x: int | Sequence[int], of_height: int | None = None) -> tuple[int, int]:
    """(along H, along W) from one number, or a list of one or two. `of_height` replaces the first: a series is an image
    of height 1.
    """
    x = [x] if isinstance(x, int) else [*x]
    return (x[0] if of_height is None else of_height, x[-1])


def channels_last(t: Translation, view: StridedView) -> StridedView:
    """[B, C, H, W] as a contiguous view [B, H, W, C]; copied only if it does not lie so already."""
    permuted = view.apply(aten.permute.default, [0, 2, 3, 1])
    if permuted.is_contiguous:
        return StridedView.contiguous(permuted.buffer, permuted.kind, permuted.shape, permuted.offset)
    target = t.emitter.new_contiguous(permuted.kind, permuted.shape)
    emit_copy(t.emitter, permuted, target)
    return target


def channels_first(view: StridedView) -> StridedView:
    """The inverse: [B, H, W, C] viewed as [B, C, H, W]."""
    return view.apply(aten.permute.default, [0, 3, 1, 2])


@dataclass(frozen=True)
class _Sizes:
    """The sizes of a convolution of an image [B, H, W, C] with a kernel [KH, KW, C, O] to [B, Ho, Wo, O]."""

    image: tuple[int, int]  # H, W
    out: tuple[int, int]  # Ho, Wo
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    input_dilation: tuple[int, int] = (1, 1)
    """Distance between neighbouring pixels of the image in the padded image, with zeros between them."""

    @property
    def extent(self) -> tuple[int, int]:
        """Pixels that the kernel spans."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the padded image."""
        every = zip(self.out, self.stride, self.extent, self.padding, self.image, self.input_dilation, strict=True)
        rows, columns = (max((o - 1) * s + r, p + (n - 1) * d + 1) for o, s, r, p, n, d in every)
        return rows, columns

    def transposed(self) -> _Sizes:
        """The convolution that gives the image's gradient from the output's, with the kernel rotated by half a turn."""
        top, before = (r - 1 - p for r, p in zip(self.extent, self.padding, strict=True))
        if min(top, before) < 0:
            raise NotCompiled("a convolution whose padding exceeds its kernel has no C++ lowering")
        return _Sizes(self.out, self.image, self.kernel, (1, 1), (top, before), self.dilation, self.stride)

    def copied_into_padding(self, channels: int) -> str:
        """C++ that copies image i of x0 [B, H, W, C] into the padded image y0."""
        (height, width), (_, columns), (top, before) = self.image, self.padded, self.padding
        down, along = self.input_dilation
        return (
            f"for (integer y = 0; y < {height}; ++y)\nfor (integer x = 0; x < {width}; ++x)\n#pragma omp simd\n"
            f"for (integer c = 0; c < {channels}; ++c)\n"
            f"y0[((y * {down} + {top}) * {columns} + x * {along} + {before}) * {channels} + c] = "
            f"x0[((i * {height} + y) * {width} + x) * {channels} + c];\n"
        )

    def taps(self, channels: int) -> tuple[str, int, str, str]:
        """The products that make up a row y of the output: C++ loops over them, by k and j; the terms of each; the
        offset of its first term in the padded image; and its offset in the kernel, in rows of O numbers.
        """
        (_, columns), (high, wide) = self.padded, self.kernel
        together = wide if self.dilation[1] == 1 else 1
        loops = f"for (integer k = 0; k < {high}; ++k)\nfor (integer j = 0; j < {wide}; j += {together})"
        begin = f"((y * {self.stride[0]} + k * {self.dilation[0]}) * {columns} + j * {self.dilation[1]}) * {channels}"
        return loops, together * channels, begin, f"(k * {wide} + j) * {channels}"


# ---- products of matrices --------------------------------------------------------------------------------------------


def _convolve(
    t: Translation, image: StridedView, kernel: StridedView, bias: StridedView | None, sizes: _Sizes
) -> StridedView:
    """[B, Ho, Wo, O] from a contiguous image [B, H, W, C], a kernel [KH, KW, C, O] and an optional bias [O]."""
    count, channels, outputs = image.shape[0], image.shape[3], kernel.shape[3]
    padded = _zeros(t, (*sizes.padded, channels))
    target = t.emitter.new_contiguous("real", (count, *sizes.out, outputs))
    kernel = _padded_rows(t, kernel)
    wide = kernel.strides[2]
    loops, numbers, begin, at = sizes.taps(channels)
    start = "x2" if bias is not None else "nullptr"
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n{sizes.copied_into_padding(channels)}"
        f"for (integer y = 0; y < {sizes.out[0]}; ++y)\n{loops} {{\n"
        f"T *to = y1 + (i * {sizes.out[0]} + y) * {sizes.out[1] * outputs};\n"
        f"product<T>({sizes.out[1]}, {outputs}, {numbers}, y0 + {begin}, {sizes.stride[1] * channels}, 1, "
        f"x1 + {at} * {wide}, {wide}, to, {outputs}, k + j ? to : {start}, k + j ? {outputs} : 0);\n}}\n}}"
    )
    t.emitter.call(body, [padded, target], [image, kernel, *([bias] if bias is not None else [])])
    return target


def _kernel_gradient(t: Translation, image: StridedView, output_gradient: StridedView, sizes: _Sizes) -> StridedView:
    """The gradient of the kernel [KH, KW, C, O], from an image [B, H, W, C] and the output's [B, Ho, Wo, O]."""
    count, channels, outputs = image.shape[0], image.shape[3], output_gradient.shape[3]
    padded = _zeros(t, (*sizes.padded, channels))
    target = _zeros(t, (*sizes.kernel, channels, outputs))
    output_gradient = _padded_rows(t, output_gradient)
    loops, numbers, begin, at = sizes.taps(channels)
    rows, columns = sizes.out
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n{sizes.copied_into_padding(channels)}"
        f"for (integer y = 0; y < {rows}; ++y)\n{loops} {{\nT *to = y1 + {at} * {outputs};\n"
        f"product<T>({numbers}, {outputs}, {columns}, y0 + {begin}, 1, {sizes.stride[1] * channels}, "
        f"x1 + (i * {rows} + y) * {output_gradient.strides[1]}, {output_gradient.strides[2]}, "
        f"to, {outputs}, to, {outputs});\n}}\n}}"
    )
    t.emitter.call(body, [padded, target], [image, output_gradient])
    return target


def _zeros(t: Translation, shape: Sequence[int]) -> StridedView:
    view = t.emitter.new_contiguous("real", shape)
    emit_fill(t.emitter, view, "0")
    return view


def _padded_rows(t: Translation, matrix: StridedView) -> StridedView:
    """[…, N] contiguous, with rows padded to whole vectors."""
    n = matrix.shape[-1]
    if n % ROW_MULTIPLE == 0:
        return contiguous(t, matrix)
    target = t.emitter.new_contiguous("real", (*matrix.shape[:-1], -(-n // ROW_MULTIPLE) * ROW_MULTIPLE))
    emit_copy(t.emitter, matrix, target.apply(aten.slice.Tensor, 3, 0, n))
    return target


# ---- depthwise convolutions ------------------------------------------------------------------------------------------


def _over_pixels(sizes: _Sizes, count: int, channels: int, lines: Sequence[str], before: str, after: str = "") -> str:
    """C++ that runs `before` for each image i, `lines` for each channel c of each pixel of the output, then `after`.
    `at` is the offset in the padded image under the kernel's first tap, `to` the offset of the output pixel.
    """
    (rows, columns), (_, wide) = sizes.out, sizes.padded
    return (
        f"for (integer i = 0; i < {count}; ++i) {{\n{before}"
        f"for (integer y = 0; y < {rows}; ++y)\nfor (integer x = 0; x < {columns}; ++x) {{\n"
        f"const integer at = (y * {sizes.stride[0] * wide} + x * {sizes.stride[1]}) * {channels};\n"
        f"const integer to = ((i * {rows} + y) * {columns} + x) * {channels};\n"
        f"#pragma omp simd\nfor (integer c = 0; c < {channels}; ++c) {{\n" + "\n".join(lines) + f"\n}}\n}}\n{after}}}"
    )


def _taps(sizes: _Sizes, channels: int) -> list[tuple[str, str]]:
    """For each tap of the kernel: its offset in the padded image, and in the kernel [KH, KW, C]."""
    (_, wide), (down, along) = sizes.padded, sizes.dilation
    return [
        (f"at + {(k * down * wide + j * along) * channels} + c", f"{(k * sizes.kernel[1] + j) * channels} + c")
        for k in range(sizes.kernel[0])
        for j in range(sizes.kernel[1])
    ]


def _depthwise(
    t: Translation, image: StridedView, kernel: StridedView, bias: StridedView | None, sizes: _Sizes
) -> StridedView:
    """[B, Ho, Wo, C] from an image [B, H, W, C] and a kernel [KH, KW, C]."""
    count, channels = image.shape[0], image.shape[3]
    padded, target = (
        _zeros(t, (*sizes.padded, channels)),
        t.emitter.new_contiguous("real", (count, *sizes.out, channels)),
    )
    total = " + ".join(f"y0[{at}] * x1[{tap}]" for at, tap in _taps(sizes, channels))
    start = "x2[c] + " if bias is not None else ""
    body = _over_pixels(sizes, count, channels, [f"y1[to + c] = {start}{total};"], sizes.copied_into_padding(channels))
    t.emitter.call(body, [padded, target], [image, contiguous(t, kernel), *([bias] if bias is not None else [])])
    return target


def _depthwise_input_gradient(
    t: Translation, output_gradient: StridedView, kernel: StridedView, bias: StridedView | None, sizes: _Sizes
) -> StridedView:
    """The gradient of the image [B, H, W, C] from the output's [B, Ho, Wo, C]."""
    count, channels = output_gradient.shape[0], output_gradient.shape[3]
    (height, width), (top, left), (rows, columns) = sizes.image, sizes.padding, sizes.padded
    padded, target = (
        t.emitter.new_contiguous("real", (rows, columns, channels)),
        t.emitter.new_contiguous("real", (count, height, width, channels)),
    )
    lines = [f"y0[{at}] += x0[to + c] * x1[{tap}];" for at, tap in _taps(sizes, channels)]
    start = " + x2[c]" if bias is not None else ""
    taken = (
        f"for (integer y = 0; y < {height}; ++y)\nfor (integer x = 0; x < {width}; ++x)\n#pragma omp simd\n"
        f"for (integer c = 0; c < {channels}; ++c)\ny1[((i * {height} + y) * {width} + x) * {channels} + c] = "
        f"y0[((y + {top}) * {columns} + x + {left}) * {channels} + c]{start};\n"
    )
    body = _over_pixels(
        sizes, count, channels, lines, f"std::memset(y0, 0, {rows * columns * channels} * sizeof(T));\n", taken
    )
    t.emitter.call(
        body, [padded, target], [output_gradient, contiguous(t, kernel), *([bias] if bias is not None else [])]
    )
    return target


def _depthwise_kernel_gradient(
    t: Translation, image: StridedView, output_gradient: StridedView, sizes: _Sizes
) -> StridedView:
    """The gradient of the kernel [KH, KW, C]."""
    count, channels = image.shape[0], image.shape[3]
    padded, target = _zeros(t, (*sizes.padded, channels)), _zeros(t, (*sizes.kernel, channels))
    lines = [f"y1[{tap}] += y0[{at}] * x1[to + c];" for at, tap in _taps(sizes, channels)]
    body = _over_pixels(sizes, count, channels, lines, sizes.copied_into_padding(channels))
    t.emitter.call(body, [padded, target], [image, output_gradient])
    return target


# ---- torch's convolution ---------------------------------------------------------------------------------------------


class _Convolution:
    """One call of torch's convolution: of images or series, transposed or not, in groups or not."""

    def __init__(
        self,
        image: torch.Size,
        weight: torch.Size,
        out: torch.Size,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        transposed: bool,
        groups: int,
    ) -> None:
        """From the shapes [B, C, H, W], [O, C / groups, KH, KW] and [B, O, Ho, Wo], or the same without H."""
        self.dims, self.transposed, self.groups = len(image) - 2, transposed, groups
        if self.dims > 2:
            raise NotCompiled("only convolutions over one or two axes have a C++ lowering")
        of_height = (1, 0, 1) if self.dims == 1 else (None, None, None)
        step, border, apart = (pair(x, h) for x, h in zip((stride, padding, dilation), of_height, strict=True))
        from_, to = (pair(shape[2:], 1 if self.dims == 1 else None) for shape in (image, out))
        kernel = pair(weight[2:], 1 if self.dims == 1 else None)
        if transposed:  # computed as the gradient of a convolution from `to` to `from_`
            from_, to = to, from_
        self.sizes = _Sizes(from_, to, kernel, step, border, apart)
        self.is_depthwise = groups == weight[0] and weight[1] == 1 and groups > 1

    def as_image(self, view: StridedView) -> StridedView:
        """[B, C, H, W]"""
        return view.apply(aten.unsqueeze.default, 2) if self.dims == 1 else view

    def as_given(self, view: StridedView) -> StridedView:
        """The inverse: an image [B, C, H, W] with the axes that torch expects."""
        return view.apply(aten.squeeze.dim, 2) if self.dims == 1 else view

    def convolve(
        self, t: Translation, x: StridedView, weight: StridedView, bias: StridedView | None, transposed: bool
    ) -> StridedView:
        """[B, C, H, W] → [B, O, Ho, Wo]; `transposed`: from the output's gradient to the image's."""
        x, weight = self.as_image(x), self.as_image(weight)
        if self.is_depthwise:
            kernel = weight.apply(aten.squeeze.dim, 1).apply(aten.permute.default, [1, 2, 0])  # [KH, KW, C]
            alone = _depthwise_input_gradient if transposed else _depthwise
            return self.as_given(channels_first(alone(t, channels_last(t, x), kernel, bias, self.sizes)))
        parts = []
        for group in range(self.groups):
            image, part = channels_last(t, self._group(x, group, 1)), self._group(weight, group, 0)
            start = bias if bias is None else self._group(bias, group, 0)
            if transposed:
                kernel, sizes = _rotated(t, part.apply(aten.permute.default, [2, 3, 0, 1])), self.sizes.transposed()
            else:
                kernel, sizes = contiguous(t, part.apply(aten.permute.default, [2, 3, 1, 0])), self.sizes
            parts.append(_convolve(t, image, kernel, start, sizes))
        return self.as_given(channels_first(self._concatenated(t, parts)))

    def weight_gradient(self, t: Translation, image: StridedView, output_gradient: StridedView) -> StridedView:
        """The gradient of the weight."""
        image, output_gradient = self.as_image(image), self.as_image(output_gradient)
        if self.is_depthwise:
            found = _depthwise_kernel_gradient(
                t, channels_last(t, image), channels_last(t, output_gradient), self.sizes
            )
            found = found.apply(aten.permute.default, [2, 0, 1]).apply(aten.unsqueeze.default, 1)
            return self.as_given(found)
        parts = []
        for group in range(self.groups):
            x, g = (channels_last(t, self._group(view, group, 1)) for view in (image, output_gradient))
            parts.append(_kernel_gradient(t, x, g, self.sizes))
        return self.as_given(self._concatenated(t, parts).apply(aten.permute.default, [3, 2, 0, 1]))

    def _group(self, view: StridedView, group: int, axis: int) -> StridedView:
        length = view.shape[axis] // self.groups
        return view.apply(aten.slice.Tensor, axis, group * length, (group + 1) * length)

    def _concatenated(self, t: Translation, parts: Sequence[StridedView]) -> StridedView:
        """Concatenated along the last axis."""
        if len(parts) == 1:
            return parts[0]
        length = parts[0].shape[3]
        target = t.emitter.new_contiguous("real", (*parts[0].shape[:3], length * len(parts)))
        for i, part in enumerate(parts):
            emit_copy(t.emitter, part, target.apply(aten.slice.Tensor, 3, i * length, (i + 1) * length))
        return target


def _rotated(t: Translation, kernel: StridedView) -> StridedView:
    """A kernel [KH, KW, …] rotated by half a turn."""
    high, wide = kernel.shape[:2]
    target = t.emitter.new_contiguous("real", kernel.shape)
    for y in range(high):
        for x in range(wide):
            from_ = kernel.apply(aten.select.int, 0, high - 1 - y).apply(aten.select.int, 0, wide - 1 - x)
            emit_copy(t.emitter, from_, target.apply(aten.select.int, 0, y).apply(aten.select.int, 0, x))
    return target


@lowering(aten.convolution)
def _convolution(
    t: Translation,
    node: fx.Node,
    image: fx.Node,
    weight: fx.Node,
    bias: fx.Node | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _: object,
    groups: int,
) -> StridedView:
    shapes = (image.meta["val"].shape, weight.meta["val"].shape, node.meta["val"].shape)
    c = _Convolution(*shapes, stride, padding, dilation, transposed, groups)
    start = contiguous(t, t.view_of(bias)) if bias is not None else None
    return c.convolve(t, t.view_of(image), t.view_of(weight), start, transposed=transposed)


@lowering(aten.convolution_backward)
def _convolution_backward(
    t: Translation,
    node: fx.Node,
    gradient: fx.Node,
    image: fx.Node,
    weight: fx.Node,
    bias_sizes: object,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _: object,
    groups: int,
    wanted: Sequence[bool],
) -> list[StridedView | None]:
    shapes = (image.meta["val"].shape, weight.meta["val"].shape, gradient.meta["val"].shape)
    c = _Convolution(*shapes, stride, padding, dilation, transposed, groups)
    output_gradient, x = t.view_of(gradient), t.view_of(image)
    results: list[StridedView | None] = [None, None, None]
    if wanted[0]:
        results[0] = c.convolve(t, output_gradient, t.view_of(weight), None, transposed=not transposed)
    if wanted[1]:
        results[1] = (
            c.weight_gradient(t, output_gradient, x) if transposed else c.weight_gradient(t, x, output_gradient)
        )
    if wanted[2]:
        of_channels = channels_last(t, c.as_image(output_gradient))
        results[2] = t.emitter.new("real", (of_channels.shape[-1],))
        emit_reduction(t.emitter, "sum", of_channels, [0, 1, 2], results[2])
    return results
