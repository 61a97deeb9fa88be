"""Convolutions, with the channels of a pixel side by side: [B, H, W, C] in memory.

A row of the output is a product of matrices. With the image framed by zeros, the numbers under a kernel's row lie side
by side, KW·C of them, and move on by C from pixel to pixel: as a matrix [W, KW·C] they need not be copied. Where the
pixels of the kernel stand apart (dilation), each of them makes a product of its own. Groups are convolutions of their
own; but where each channel is one, sums over pixels take all channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import copied, filled, reduced
from steepest.codegen.strided_view import Place
from steepest.codegen.translate import PADDED, Translation, dense, form

aten = torch.ops.aten


def pair(x: Any, first: int | None = None) -> tuple[int, int]:
    """(along H, along W) from one number, or a list of one or two. A series is an image of height 1, along which
    `first` is what is done."""
    x = [*x] if isinstance(x, list | tuple) else [x]
    return (x[0] if first is None else first, x[-1])


def last(t: Translation, place: Place) -> Place:
    """The place [B, C, H, W] as [B, H, W, C] without gaps; its numbers are moved if they lie otherwise."""
    seen = place.seen(aten.permute.default, [0, 2, 3, 1])
    if seen.is_dense:
        return Place.dense(seen.buffer, seen.kind, seen.shape, seen.offset)
    target = t.writer.dense(seen.kind, seen.shape)
    copied(t.writer, seen, target)
    return target


def first(place: Place) -> Place:
    """The inverse: [B, H, W, C] seen as [B, C, H, W]."""
    return place.seen(aten.permute.default, [0, 3, 1, 2])


@dataclass(frozen=True)
class _Sizes:
    """Of a convolution of an image [B, H, W, C] with a kernel [KH, KW, C, O] to [B, Ho, Wo, O]."""

    image: tuple[int, int]  # H, W
    out: tuple[int, int]  # Ho, Wo
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    spread: tuple[int, int] = (1, 1)
    """Pixels from one of the image's to the next, zeros between them."""

    @property
    def reach(self) -> tuple[int, int]:
        """From the first pixel of the kernel to the last, both included."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def frame(self) -> tuple[int, int]:
        """Rows and columns of the image with its borders."""
        every = zip(self.out, self.stride, self.reach, self.padding, self.image, self.spread, strict=True)
        rows, columns = (max((o - 1) * s + r, p + (n - 1) * d + 1) for o, s, r, p, n, d in every)
        return rows, columns

    def back(self) -> _Sizes:
        """The convolution of the gradient of the output, with the kernel turned round, to that of the image."""
        top, before = (r - 1 - p for r, p in zip(self.reach, self.padding, strict=True))
        if min(top, before) < 0:
            raise NotCompiled("there is no form in C++ for a convolution that pads more than its kernel")
        return _Sizes(self.out, self.image, self.kernel, (1, 1), (top, before), self.dilation, self.stride)

    def framed(self, channels: int) -> str:
        """C++: image i of x0 [B, H, W, C] into the frame y0."""
        (height, width), (_, columns), (top, before) = self.image, self.frame, self.padding
        return (
            f"for (integer y = 0; y < {height}; ++y)\nfor (integer x = 0; x < {width}; ++x)\n#pragma omp simd\n"
            f"for (integer c = 0; c < {channels}; ++c)\n"
            f"y0[((y * {self.spread[0]} + {top}) * {columns} + x * {self.spread[1]} + {before}) * {channels} + c] = "
            f"x0[((i * {height} + y) * {width} + x) * {channels} + c];\n"
        )

    def taps(self, channels: int) -> tuple[str, int, str, str]:
        """What each row of the output does with the frame, product by product: loops over k and j in C++; the numbers
        of a product; where they begin, for row y; and which number of the kernel, in C · O, is their first."""
        (_, columns), (high, wide) = self.frame, self.kernel
        together = wide if self.dilation[1] == 1 else 1
        loops = f"for (integer k = 0; k < {high}; ++k)\nfor (integer j = 0; j < {wide}; j += {together})"
        begin = f"((y * {self.stride[0]} + k * {self.dilation[0]}) * {columns} + j * {self.dilation[1]}) * {channels}"
        return loops, together * channels, begin, f"(k * {wide} + j) * {channels}"


# ---- products of matrices --------------------------------------------------------------------------------------------


def _convolved(t: Translation, image: Place, kernel: Place, bias: Place | None, sizes: _Sizes) -> Place:
    """[B, Ho, Wo, O] from an image [B, H, W, C] without gaps, a kernel [KH, KW, C, O] and perhaps a bias [O]."""
    count, channels, outputs = image.shape[0], image.shape[3], kernel.shape[3]
    frame = _zeros(t, (*sizes.frame, channels))
    target = t.writer.dense("real", (count, *sizes.out, outputs))
    kernel = _with_room(t, kernel)
    wide = kernel.strides[2]
    loops, numbers, begin, at = sizes.taps(channels)
    start = "x2" if bias is not None else "nullptr"
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n{sizes.framed(channels)}"
        f"for (integer y = 0; y < {sizes.out[0]}; ++y)\n{loops} {{\n"
        f"T *to = y1 + (i * {sizes.out[0]} + y) * {sizes.out[1] * outputs};\n"
        f"product<T>({sizes.out[1]}, {outputs}, {numbers}, y0 + {begin}, {sizes.stride[1] * channels}, 1, "
        f"x1 + {at} * {wide}, {wide}, to, {outputs}, k + j ? to : {start}, k + j ? {outputs} : 0);\n}}\n}}"
    )
    t.writer.call(body, [frame, target], [image, kernel, *([bias] if bias is not None else [])])
    return target


def _of_kernel(t: Translation, image: Place, above: Place, sizes: _Sizes) -> Place:
    """The gradient of the kernel [KH, KW, C, O], from an image [B, H, W, C] and the gradient [B, Ho, Wo, O] above."""
    count, channels, outputs = image.shape[0], image.shape[3], above.shape[3]
    frame = _zeros(t, (*sizes.frame, channels))
    target = _zeros(t, (*sizes.kernel, channels, outputs))
    above = _with_room(t, above)
    loops, numbers, begin, at = sizes.taps(channels)
    rows, columns = sizes.out
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n{sizes.framed(channels)}"
        f"for (integer y = 0; y < {rows}; ++y)\n{loops} {{\nT *to = y1 + {at} * {outputs};\n"
        f"product<T>({numbers}, {outputs}, {columns}, y0 + {begin}, 1, {sizes.stride[1] * channels}, "
        f"x1 + (i * {rows} + y) * {above.strides[1]}, {above.strides[2]}, to, {outputs}, to, {outputs});\n}}\n}}"
    )
    t.writer.call(body, [frame, target], [image, above])
    return target


def _zeros(t: Translation, shape: Sequence[int]) -> Place:
    place = t.writer.dense("real", shape)
    filled(t.writer, place, "0")
    return place


def _with_room(t: Translation, matrix: Place) -> Place:
    """[…, N] row after row, with room for whole vectors at the end of each row."""
    n = matrix.shape[-1]
    if n % PADDED == 0:
        return dense(t, matrix)
    target = t.writer.dense("real", (*matrix.shape[:-1], -(-n // PADDED) * PADDED))
    copied(t.writer, matrix, target.seen(aten.slice.Tensor, 3, 0, n))
    return target


# ---- each channel alone ----------------------------------------------------------------------------------------------


def _over_pixels(sizes: _Sizes, count: int, channels: int, lines: Sequence[str], before: str, after: str = "") -> str:
    """C++: `before` for each image i, `lines` for each number c of each pixel of the output, then `after`: `at` is the
    number in the frame under the first of the kernel, `to` that of the pixel."""
    (rows, columns), (_, wide) = sizes.out, sizes.frame
    return (
        f"for (integer i = 0; i < {count}; ++i) {{\n{before}"
        f"for (integer y = 0; y < {rows}; ++y)\nfor (integer x = 0; x < {columns}; ++x) {{\n"
        f"const integer at = (y * {sizes.stride[0] * wide} + x * {sizes.stride[1]}) * {channels};\n"
        f"const integer to = ((i * {rows} + y) * {columns} + x) * {channels};\n"
        f"#pragma omp simd\nfor (integer c = 0; c < {channels}; ++c) {{\n" + "\n".join(lines) + f"\n}}\n}}\n{after}}}"
    )


def _under(sizes: _Sizes, channels: int) -> list[tuple[str, str]]:
    """The numbers under the kernel: where each is in the frame, and which of the kernel [KH, KW, C] it meets."""
    (_, wide), (down, along) = sizes.frame, sizes.dilation
    return [
        (f"at + {(k * down * wide + j * along) * channels} + c", f"{(k * sizes.kernel[1] + j) * channels} + c")
        for k in range(sizes.kernel[0])
        for j in range(sizes.kernel[1])
    ]


def _channels_convolved(t: Translation, image: Place, kernel: Place, bias: Place | None, sizes: _Sizes) -> Place:
    """[B, Ho, Wo, C] from an image [B, H, W, C] and a kernel [KH, KW, C]."""
    count, channels = image.shape[0], image.shape[3]
    frame, target = _zeros(t, (*sizes.frame, channels)), t.writer.dense("real", (count, *sizes.out, channels))
    total = " + ".join(f"y0[{at}] * x1[{tap}]" for at, tap in _under(sizes, channels))
    start = "x2[c] + " if bias is not None else ""
    body = _over_pixels(sizes, count, channels, [f"y1[to + c] = {start}{total};"], sizes.framed(channels))
    t.writer.call(body, [frame, target], [image, dense(t, kernel), *([bias] if bias is not None else [])])
    return target


def _channels_back(t: Translation, above: Place, kernel: Place, bias: Place | None, sizes: _Sizes) -> Place:
    """The gradient of the image [B, H, W, C] from the one above [B, Ho, Wo, C]."""
    count, channels = above.shape[0], above.shape[3]
    (height, width), (top, left), (rows, columns) = sizes.image, sizes.padding, sizes.frame
    frame, target = (
        t.writer.dense("real", (rows, columns, channels)),
        t.writer.dense("real", (count, height, width, channels)),
    )
    lines = [f"y0[{at}] += x0[to + c] * x1[{tap}];" for at, tap in _under(sizes, channels)]
    start = " + x2[c]" if bias is not None else ""
    taken = (
        f"for (integer y = 0; y < {height}; ++y)\nfor (integer x = 0; x < {width}; ++x)\n#pragma omp simd\n"
        f"for (integer c = 0; c < {channels}; ++c)\ny1[((i * {height} + y) * {width} + x) * {channels} + c] = "
        f"y0[((y + {top}) * {columns} + x + {left}) * {channels} + c]{start};\n"
    )
    body = _over_pixels(
        sizes, count, channels, lines, f"std::memset(y0, 0, {rows * columns * channels} * sizeof(T));\n", taken
    )
    t.writer.call(body, [frame, target], [above, dense(t, kernel), *([bias] if bias is not None else [])])
    return target


def _of_channels(t: Translation, image: Place, above: Place, sizes: _Sizes) -> Place:
    """The gradient of the kernel [KH, KW, C]."""
    count, channels = image.shape[0], image.shape[3]
    frame, target = _zeros(t, (*sizes.frame, channels)), _zeros(t, (*sizes.kernel, channels))
    lines = [f"y1[{tap}] += y0[{at}] * x1[to + c];" for at, tap in _under(sizes, channels)]
    body = _over_pixels(sizes, count, channels, lines, sizes.framed(channels))
    t.writer.call(body, [frame, target], [image, above])
    return target


# ---- as torch has it -------------------------------------------------------------------------------------------------


class _Convolution:
    """A convolution, transposed or not, of images or series, in groups or not."""

    def __init__(
        self, image: Any, weight: Any, out: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, groups: int
    ) -> None:
        """From the shapes [B, C, H, W], [O, C / groups, KH, KW] and [B, O, Ho, Wo], or those without H."""
        self.dims, self.transposed, self.groups = len(image) - 2, transposed, groups
        if self.dims > 2:
            raise NotCompiled("there is a form in C++ only for convolutions of images and series")
        of_height = (1, 0, 1) if self.dims == 1 else (None, None, None)
        step, border, apart = (pair(x, h) for x, h in zip((stride, padding, dilation), of_height, strict=True))
        from_, to = (pair(shape[2:], 1 if self.dims == 1 else None) for shape in (image, out))
        kernel = pair(weight[2:], 1 if self.dims == 1 else None)
        if transposed:  # that of an image is what is a gradient elsewhere
            from_, to = to, from_
        self.sizes = _Sizes(from_, to, kernel, step, border, apart)
        self.each_alone = groups == weight[0] and weight[1] == 1 and groups > 1

    def as_image(self, place: Place) -> Place:
        """[B, C, H, W]"""
        return place.seen(aten.unsqueeze.default, 2) if self.dims == 1 else place

    def as_given(self, place: Place) -> Place:
        """The inverse, of an image [B, C, H, W]."""
        return place.seen(aten.squeeze.dim, 2) if self.dims == 1 else place

    def moved(self, t: Translation, x: Place, weight: Place, bias: Place | None, back: bool) -> Place:
        """[B, C, H, W] → [B, O, Ho, Wo], or a gradient the same way back."""
        x, weight = self.as_image(x), self.as_image(weight)
        if self.each_alone:
            kernel = weight.seen(aten.squeeze.dim, 1).seen(aten.permute.default, [1, 2, 0])  # [KH, KW, C]
            alone = _channels_back if back else _channels_convolved
            return self.as_given(first(alone(t, last(t, x), kernel, bias, self.sizes)))
        parts = []
        for group in range(self.groups):
            image, part = last(t, self._share(x, group, 1)), self._share(weight, group, 0)
            start = bias if bias is None else self._share(bias, group, 0)
            if back:
                kernel, sizes = _turned(t, part.seen(aten.permute.default, [2, 3, 0, 1])), self.sizes.back()
            else:
                kernel, sizes = dense(t, part.seen(aten.permute.default, [2, 3, 1, 0])), self.sizes
            parts.append(_convolved(t, image, kernel, start, sizes))
        return self.as_given(first(self._joined(t, parts)))

    def weights(self, t: Translation, image: Place, above: Place) -> Place:
        """The gradient of the weights."""
        image, above = self.as_image(image), self.as_image(above)
        if self.each_alone:
            found = _of_channels(t, last(t, image), last(t, above), self.sizes)
            found = found.seen(aten.permute.default, [2, 0, 1]).seen(aten.unsqueeze.default, 1)
            return self.as_given(found)
        parts = []
        for group in range(self.groups):
            x, g = (last(t, self._share(place, group, 1)) for place in (image, above))
            parts.append(_of_kernel(t, x, g, self.sizes))
        return self.as_given(self._joined(t, parts).seen(aten.permute.default, [3, 2, 0, 1]))

    def _share(self, place: Place, group: int, axis: int) -> Place:
        length = place.shape[axis] // self.groups
        return place.seen(aten.slice.Tensor, axis, group * length, (group + 1) * length)

    def _joined(self, t: Translation, parts: Sequence[Place]) -> Place:
        """Side by side along the last axis."""
        if len(parts) == 1:
            return parts[0]
        length = parts[0].shape[3]
        target = t.writer.dense("real", (*parts[0].shape[:3], length * len(parts)))
        for i, part in enumerate(parts):
            copied(t.writer, part, target.seen(aten.slice.Tensor, 3, i * length, (i + 1) * length))
        return target


def _turned(t: Translation, kernel: Place) -> Place:
    """A kernel [KH, KW, …] turned round by half a turn."""
    high, wide = kernel.shape[:2]
    target = t.writer.dense("real", kernel.shape)
    for y in range(high):
        for x in range(wide):
            from_ = kernel.seen(aten.select.int, 0, high - 1 - y).seen(aten.select.int, 0, wide - 1 - x)
            copied(t.writer, from_, target.seen(aten.select.int, 0, y).seen(aten.select.int, 0, x))
    return target


@form(aten.convolution)
def _convolution(
    t: Translation,
    node: Any,
    image: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    _: Any,
    groups: int,
) -> Place:
    shapes = (image.meta["val"].shape, weight.meta["val"].shape, node.meta["val"].shape)
    c = _Convolution(*shapes, stride, padding, dilation, transposed, groups)
    start = dense(t, t.place(bias)) if bias is not None else None
    return c.moved(t, t.place(image), t.place(weight), start, back=transposed)


@form(aten.convolution_backward)
def _convolution_backward(
    t: Translation,
    node: Any,
    gradient: Any,
    image: Any,
    weight: Any,
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    _: Any,
    groups: int,
    wanted: Sequence[bool],
) -> list[Place | None]:
    shapes = (image.meta["val"].shape, weight.meta["val"].shape, gradient.meta["val"].shape)
    c = _Convolution(*shapes, stride, padding, dilation, transposed, groups)
    above, x = t.place(gradient), t.place(image)
    results: list[Place | None] = [None, None, None]
    if wanted[0]:
        results[0] = c.moved(t, above, t.place(weight), None, back=not transposed)
    if wanted[1]:
        results[1] = c.weights(t, above, x) if transposed else c.weights(t, x, above)
    if wanted[2]:
        of_channels = last(t, c.as_image(above))
        results[2] = t.writer.new("real", (of_channels.shape[-1],))
        reduced(t.writer, "sum", of_channels, [0, 1, 2], results[2])
    return results
