"""Pooling, with the channels of a pixel side by side: [B, H, W, C] in memory."""

from __future__ import annotations

from typing import Any

import torch

from steepest.codegen.convolutions import first, last, pair
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import copied, filled, literal
from steepest.codegen.strided_view import Place
from steepest.codegen.translate import Translation, form

aten = torch.ops.aten


class _Pool:
    """The sizes of one pooling, and the loops over its windows, in C++."""

    def __init__(
        self, t: Translation, shape: Any, out: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
    ) -> None:
        """From an image of this shape [B, C, H, W] to `out` [B, C, Ho, Wo]."""
        if len(shape) != 4:
            raise NotCompiled("there is a form in C++ only for pooling of images and series in batches")
        self.t, self.kernel, self.padding, self.dilation = t, pair(kernel), pair(padding), pair(dilation)
        self.stride = pair(stride) if stride else self.kernel
        count, channels, *self.size = shape
        self.out = (count, *out[2:], channels)
        reach = (
            (n - 1) * s + (k - 1) * d + 1
            for n, s, k, d in zip(out[2:], self.stride, self.kernel, self.dilation, strict=True)
        )
        self.frame = (
            count,
            *(max(r, p + n) for r, p, n in zip(reach, self.padding, self.size, strict=True)),
            channels,
        )
        """The image with what windows see beyond its borders."""

    def _inside(self, frame: Place) -> Place:
        for axis, (begin, length) in enumerate(zip(self.padding, self.size, strict=True), 1):
            frame = frame.seen(aten.slice.Tensor, axis, begin, begin + length)
        return frame

    def framed(self, image: Place, beyond: float) -> Place:
        """The image [B, C, H, W] in its frame."""
        image = last(self.t, image)
        if image.shape == self.frame:
            return image
        frame = self.t.writer.dense("real", self.frame)
        filled(self.t.writer, frame, literal(beyond, "real"))
        copied(self.t.writer, image, self._inside(frame))
        return frame

    def empty(self) -> Place:
        """A frame of zeros, to which gradients are added."""
        frame = self.t.writer.dense("real", self.frame)
        filled(self.t.writer, frame, "0")
        return frame

    def bare(self, frame: Place) -> Place:
        """The image [B, C, H, W] in a frame."""
        return first(self._inside(frame))

    def loops(self, lines: str) -> str:
        """`lines` for every window: its corner is number `at` of the frame, its place in the output `to`."""
        (count, rows, columns, channels), (_, height, width, _) = self.out, self.frame
        return (
            f"for (integer i = 0; i < {count}; ++i)\nfor (integer y = 0; y < {rows}; ++y)\n"
            f"for (integer x = 0; x < {columns}; ++x) {{\n"
            f"const integer at = "
            f"((i * {height} + y * {self.stride[0]}) * {width} + x * {self.stride[1]}) * {channels};\n"
            f"const integer to = ((i * {rows} + y) * {columns} + x) * {channels};\n"
            f"#pragma omp simd\nfor (integer c = 0; c < {channels}; ++c) {{\n{lines}\n}}\n}}"
        )

    def window(self) -> list[str]:
        """The numbers under a window, row by row, as places in the frame."""
        _, _, width, channels = self.frame
        return [
            f"at + {(y * self.dilation[0] * width + x * self.dilation[1]) * channels} + c"
            for y in range(self.kernel[0])
            for x in range(self.kernel[1])
        ]

    def most(self) -> list[str]:
        """`most` becomes the largest of them."""
        one, *others = self.window()
        return [f"T most = x0[{one}];", *(f"most = larger<T>(most, x0[{other}]);" for other in others)]

    def divisor(self, counts_padding: bool, given: int | None) -> tuple[str, list[Place]]:
        """What the sum under a window is divided by, as torch counts: C++, and an array x1 that it needs, if any."""
        _, rows, columns, _ = self.out
        if given is not None:
            return str(given), []
        lengths = []
        for out, kernel, stride, padding, size in zip(
            (rows, columns), self.kernel, self.stride, self.padding, self.size, strict=True
        ):
            begin = torch.arange(out) * stride - padding
            end = (begin + kernel).clamp(max=size + padding)
            lengths.append(end - begin if counts_padding else end.clamp(max=size) - begin.clamp(min=0))
        numbers = lengths[0][:, None] * lengths[1]  # [Ho, Wo]
        if bool((numbers == numbers[0, 0]).all()):
            return str(int(numbers[0, 0])), []
        return f"x1[y * {columns} + x]", [self.t.kept(numbers.double())]


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
    place = t.place(image)
    p = _Pool(t, place.shape, node.meta["val"][0].shape, kernel, stride, padding, dilation)
    target = t.writer.dense("real", p.out)
    body = p.loops("\n".join([*p.most(), "y0[to + c] = most;"]))
    t.writer.call(body, [target], [p.framed(place, -torch.inf)])
    return [first(target), None]  # which number it was is found again on the way back


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
    place, above = t.place(image), last(t, t.place(gradient))
    p = _Pool(t, place.shape, first(above).shape, kernel, stride, padding, dilation)
    target = p.empty()
    lines = [*p.most(), "T left = x1[to + c];"]  # goes to the first that is the most
    lines += [
        f"{{ const T take = x0[{place}] == most ? left : T(0); y0[{place}] += take; left -= take; }}"
        for place in p.window()
    ]
    t.writer.call(p.loops("\n".join(lines)), [target], [p.framed(place, -torch.inf), above])
    return p.bare(target)


@form(aten.avg_pool2d)
def _mean_pool(
    t: Translation,
    node: Any,
    image: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil: bool = False,
    counts_padding: bool = True,
    divisor: Any = None,
) -> Place:
    place = t.place(image)
    p = _Pool(t, place.shape, node.meta["val"].shape, kernel, stride, padding, 1)
    target = t.writer.dense("real", p.out)
    by, array = p.divisor(counts_padding, divisor)
    total = " + ".join(f"x0[{number}]" for number in p.window())
    t.writer.call(p.loops(f"y0[to + c] = ({total}) / {by};"), [target], [p.framed(place, 0), *array])
    return first(target)


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
    counts_padding: bool,
    divisor: Any,
) -> Place:
    above = last(t, t.place(gradient))
    p = _Pool(t, image.meta["val"].shape, first(above).shape, kernel, stride, padding, 1)
    target = p.empty()
    by, array = p.divisor(counts_padding, divisor)
    lines = [f"const T share = x0[to + c] / {by};", *(f"y0[{number}] += share;" for number in p.window())]
    t.writer.call(p.loops("\n".join(lines)), [target], [above, *array])
    return p.bare(target)
