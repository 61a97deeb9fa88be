"""Convolutions and pooling, with the channels of a pixel side by side: [B, H, W, C] in memory.

A row of the output is a product of matrices. With the image framed by zeros, the numbers under a kernel's row lie side
by side, KW·C of them, and move on by C from pixel to pixel: as a matrix [W, KW·C] they need not be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from steepest.engine.native.loops import copied, filled, reduced
from steepest.engine.native.places import Place
from steepest.engine.native.translate import PADDED, Translation, dense, form
from steepest.optim.kernel import NotCompiled

aten = torch.ops.aten


def _pair(x: Any, first: int | None = None) -> tuple[int, int]:
    """(along H, along W) from one number, or a list of one or two. A series is an image of height 1, along which
    `first` is what is done."""
    x = [*x] if isinstance(x, list | tuple) else [x]
    return (x[0] if first is None else first, x[-1])


def _last(t: Translation, place: Place) -> Place:
    """The place [B, C, H, W] as [B, H, W, C] without gaps; its numbers are moved if they lie otherwise."""
    seen = place.seen(aten.permute.default, [0, 2, 3, 1])
    if seen.is_dense:
        return Place.dense(seen.buffer, seen.kind, seen.shape, seen.offset)
    target = t.writer.dense(seen.kind, seen.shape)
    copied(t.writer, seen, target)
    return target


def _first(place: Place) -> Place:
    """The inverse: [B, H, W, C] seen as [B, C, H, W]."""
    return place.seen(aten.permute.default, [0, 3, 1, 2])


def _as_image(place: Place) -> Place:
    return place.seen(aten.unsqueeze.default, 2) if len(place.shape) == 3 else place


def _framed(height: int, width: int, channels: int, top: int, left: int, full: int, step: tuple[int, int]) -> str:
    """C++: image x [H, W, C] into the frame y0, `full` pixels wide, from (top, left) on; `step` pixels apart."""
    return (
        f"for (integer y = 0; y < {height}; ++y)\nfor (integer x = 0; x < {width}; ++x)\n#pragma omp simd\n"
        f"for (integer c = 0; c < {channels}; ++c)\n"
        f"y0[((y * {step[0]} + {top}) * {full} + x * {step[1]} + {left}) * {channels} + c] = "
        f"x0[((i * {height} + y) * {width} + x) * {channels} + c];"
    )


def _padded(t: Translation, shape: Sequence[int]) -> Place:
    """A matrix, or several, with room for whole vectors at the end of each row."""
    wide = (*shape[:-1], -(-shape[-1] // PADDED) * PADDED)
    return t.writer.dense("real", wide)


def _convolved(
    t: Translation,
    image: Place,
    weight: Place,
    bias: Place | None,
    frame: tuple[int, ...],
    step: tuple[int, int],
    out: tuple[int, int],
    spread: tuple[int, int] = (1, 1),
) -> Place:
    """[B, Ho, Wo, O] from an image [B, H, W, C] and weights [KH, KW, C, O], both without gaps.

    `frame`: (rows above, columns before, rows in all, columns in all); `step` of the kernel; `spread`: pixels from one
    of the image's to the next, zeros between them.
    """
    count, height, width, channels = image.shape
    kernel_h, kernel_w, _, outputs = weight.shape
    top, left, rows, columns = frame
    framed = t.writer.new("real", (rows * columns * channels,))
    filled(t.writer, framed, "0")
    target = t.writer.dense("real", (count, *out, outputs))
    if outputs % PADDED:
        matrix = _padded(t, (kernel_h, kernel_w, channels, outputs))
        copied(t.writer, weight, matrix.seen(aten.slice.Tensor, 3, 0, outputs))
        weight = matrix
    wide = weight.strides[2]
    line = kernel_w * channels
    start = "x2" if bias is not None else "nullptr"
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n"
        + _framed(height, width, channels, top, left, columns, spread)
        + f"\nfor (integer y = 0; y < {out[0]}; ++y)\nfor (integer k = 0; k < {kernel_h}; ++k) {{\n"
        f"T *to = y1 + (i * {out[0]} + y) * {out[1] * outputs};\n"
        f"product<T>({out[1]}, {outputs}, {line}, y0 + (y * {step[0]} + k) * {columns * channels}, "
        f"{step[1] * channels}, 1, x1 + k * {line * wide}, {wide}, to, {outputs}, "
        f"k ? to : {start}, k ? {outputs} : 0);\n}}\n}}"
    )
    t.writer.call(body, [framed, target], [image, weight, *([bias] if bias is not None else [])])
    return target


class _Convolution:
    """The sizes of one convolution."""

    def __init__(
        self,
        t: Translation,
        image: Place,
        weight: Place,
        stride: Any,
        padding: Any,
        dilation: Any,
        transposed: bool,
        groups: int,
    ) -> None:
        dims = len(image.shape) - 2
        if dims > 2 or transposed or groups != 1 or any(d != 1 for d in dilation):
            raise NotCompiled("there is a form in C++ for plain convolutions of images and series alone")
        self.image = _last(t, _as_image(image))  # [B, H, W, C]
        seen = _as_image(weight).seen(aten.permute.default, [2, 3, 1, 0])
        self.weight = seen  # [KH, KW, C, O]
        of_height = (1, 0) if dims == 1 else (None, None)
        self.stride, self.padding = (_pair(x, h) for x, h in zip((stride, padding), of_height, strict=True))
        self.dims = dims
        _, height, width, _ = self.image.shape
        self.kernel = seen.shape[:2]
        self.frame = (*self.padding, height + 2 * self.padding[0], width + 2 * self.padding[1])
        self.out = tuple((n - k) // s + 1 for n, k, s in zip(self.frame[2:], self.kernel, self.stride, strict=True))

    def shaped(self, place: Place) -> Place:
        """[B, H, W, C] as the graph has it."""
        seen = _first(place)
        return seen.seen(aten.squeeze.dim, 2) if self.dims == 1 else seen


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
    c = _Convolution(t, t.place(image), t.place(weight), stride, padding, dilation, transposed, groups)
    start = t.place(bias) if bias is not None else None
    return c.shaped(_convolved(t, c.image, dense(t, c.weight), start, c.frame, c.stride, c.out))


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
    c = _Convolution(t, t.place(image), t.place(weight), stride, padding, dilation, transposed, groups)
    above = _last(t, _as_image(t.place(gradient)))  # [B, Ho, Wo, O]
    results: list[Place | None] = [None, None, None]
    if wanted[0]:
        results[0] = c.shaped(_to_image(t, c, above))
    if wanted[1]:
        found = _to_weight(t, c, above).seen(aten.permute.default, [3, 2, 0, 1])
        results[1] = found.seen(aten.squeeze.dim, 2) if c.dims == 1 else found
    if wanted[2]:
        results[2] = t.writer.new("real", (above.shape[-1],))
        reduced(t.writer, "sum", above, [0, 1, 2], results[2])
    return results


def _to_image(t: Translation, c: _Convolution, above: Place) -> Place:
    """The gradient of the image: a convolution of the gradient above, with the kernel turned round."""
    (kernel_h, kernel_w), (_, height, width, _) = c.kernel, c.image.shape
    turned = c.weight.seen(aten.permute.default, [0, 1, 3, 2])  # [KH, KW, O, C]
    mirrored = t.writer.dense("real", turned.shape)
    for y in range(kernel_h):
        for x in range(kernel_w):
            from_ = turned.seen(aten.select.int, 0, kernel_h - 1 - y).seen(aten.select.int, 0, kernel_w - 1 - x)
            copied(t.writer, from_, mirrored.seen(aten.select.int, 0, y).seen(aten.select.int, 0, x))
    frame = (kernel_h - 1 - c.padding[0], kernel_w - 1 - c.padding[1], height + kernel_h - 1, width + kernel_w - 1)
    if min(frame) < 0:
        raise NotCompiled("there is no form in C++ for a convolution that pads more than its kernel")
    return _convolved(t, above, mirrored, None, frame, (1, 1), (height, width), c.stride)


def _to_weight(t: Translation, c: _Convolution, above: Place) -> Place:
    """The gradient of the weights: [KH, KW, C, O]."""
    count, height, width, channels = c.image.shape
    (kernel_h, kernel_w), outputs = c.kernel, above.shape[-1]
    top, left, rows, columns = c.frame
    framed = t.writer.new("real", (rows * columns * channels,))
    filled(t.writer, framed, "0")
    if outputs % PADDED:
        wide = _padded(t, above.shape)
        copied(t.writer, above, wide.seen(aten.slice.Tensor, 3, 0, outputs))
        above = wide
    target = t.writer.dense("real", (kernel_h, kernel_w, channels, outputs))
    filled(t.writer, target, "0")
    line, step = kernel_w * channels, above.strides[1]
    body = (
        f"for (integer i = 0; i < {count}; ++i) {{\n"
        + _framed(height, width, channels, top, left, columns, (1, 1))
        + f"\nfor (integer y = 0; y < {c.out[0]}; ++y)\nfor (integer k = 0; k < {kernel_h}; ++k)\n"
        f"product<T>({line}, {outputs}, {c.out[1]}, y0 + (y * {c.stride[0]} + k) * {columns * channels}, 1, "
        f"{c.stride[1] * channels}, x1 + (i * {c.out[0]} + y) * {step}, {above.strides[2]}, "
        f"y1 + k * {line * outputs}, {outputs}, y1 + k * {line * outputs}, {outputs});\n}}"
    )
    t.writer.call(body, [framed, target], [c.image, above])
    return target


# ---- pooling ---------------------------------------------------------------------------------------------------------


class _Pool:
    """The sizes of one pooling, and the loops over its windows, in C++."""

    def __init__(
        self, t: Translation, image: Place, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
    ) -> None:
        if ceil or any(_pair(padding)) or _pair(dilation) != (1, 1) or len(image.shape) != 4:
            raise NotCompiled("there is a form in C++ for plain pooling alone")
        self.image = _last(t, image)
        self.kernel = _pair(kernel)
        self.stride = _pair(stride) if stride else self.kernel
        count, height, width, channels = self.image.shape
        out = tuple((n - k) // s + 1 for n, k, s in zip((height, width), self.kernel, self.stride, strict=True))
        self.shape = (count, *out, channels)

    def loops(self, lines: str) -> str:
        """`lines` for every window: its corner is number `at` of the image, its place in the output `to`."""
        (count, rows, columns, channels), (_, height, width, _) = self.shape, self.image.shape
        return (
            f"for (integer i = 0; i < {count}; ++i)\nfor (integer y = 0; y < {rows}; ++y)\n"
            f"for (integer x = 0; x < {columns}; ++x) {{\n"
            f"const integer at = "
            f"((i * {height} + y * {self.stride[0]}) * {width} + x * {self.stride[1]}) * {channels};\n"
            f"const integer to = ((i * {rows} + y) * {columns} + x) * {channels};\n"
            f"#pragma omp simd\nfor (integer c = 0; c < {channels}; ++c) {{\n{lines}\n}}\n}}"
        )

    def window(self) -> list[str]:
        """The numbers under a window, row by row, as places in the image."""
        _, _, width, channels = self.image.shape
        return [f"at + {(y * width + x) * channels} + c" for y in range(self.kernel[0]) for x in range(self.kernel[1])]

    def most(self) -> list[str]:
        """`most` becomes the largest of them."""
        first, *others = self.window()
        return [f"T most = x0[{first}];", *(f"most = larger<T>(most, x0[{other}]);" for other in others)]


@form(aten.max_pool2d_with_indices)
def _max_pool(
    t: Translation,
    node: Any,
    image: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> list[Place | None]:
    p = _Pool(t, t.place(image), kernel, stride, padding, dilation, ceil)
    target = t.writer.dense("real", p.shape)
    t.writer.call(p.loops("\n".join([*p.most(), "y0[to + c] = most;"])), [target], [p.image])
    return [_first(target), None]  # which number it was is found again on the way back


@form(aten.max_pool2d_with_indices_backward)
def _max_pool_backward(
    t: Translation,
    node: Any,
    gradient: Any,
    image: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil: bool,
    _: Any,
) -> Place:
    p = _Pool(t, t.place(image), kernel, stride, padding, dilation, ceil)
    above = _last(t, t.place(gradient))
    target = t.writer.dense("real", p.image.shape)
    filled(t.writer, target, "0")
    lines = [*p.most(), "T left = x1[to + c];"]  # goes to the first that is the most
    lines += [
        f"{{ const T take = x0[{place}] == most ? left : T(0); y0[{place}] += take; left -= take; }}"
        for place in p.window()
    ]
    t.writer.call(p.loops("\n".join(lines)), [target], [p.image, above])
    return _first(target)


@form(aten.avg_pool2d)
def _mean_pool(
    t: Translation,
    node: Any,
    image: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil: bool = False,
    _: bool = True,
    divisor: Any = None,
) -> Place:
    p = _Pool(t, t.place(image), kernel, stride, padding, 1, ceil)
    target = t.writer.dense("real", p.shape)
    window = p.window()
    mean = f"y0[to + c] = ({' + '.join(f'x0[{place}]' for place in window)}) / {divisor or len(window)};"
    t.writer.call(p.loops(mean), [target], [p.image])
    return _first(target)


@form(aten.avg_pool2d_backward)
def _mean_pool_backward(
    t: Translation,
    node: Any,
    gradient: Any,
    image: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil: bool,
    _: bool,
    divisor: Any,
) -> Place:
    p = _Pool(t, t.place(image), kernel, stride, padding, 1, ceil)
    above = _last(t, t.place(gradient))
    target = t.writer.dense("real", p.image.shape)
    filled(t.writer, target, "0")
    window = p.window()
    lines = [f"const T share = x0[to + c] / {divisor or len(window)};", *(f"y0[{place}] += share;" for place in window)]
    t.writer.call(p.loops("\n".join(lines)), [target], [above])
    return _first(target)
