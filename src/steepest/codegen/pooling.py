"""Lowerings of pooling. Images are [B, H, W, C] in memory, so that a loop takes all channels of a pixel at once."""

from collections.abc import Sequence

import torch
from torch import fx

from steepest.codegen.convolutions import channels_first, channels_last, pair
from steepest.codegen.elementwise_loop import NotCompiled
from steepest.codegen.loops import emit_copy, emit_fill, literal
from steepest.codegen.strided_view import StridedView
from steepest.codegen.translate import Translation, lowering

aten = torch.ops.aten


class _Pool:
    """The sizes of one pooling, and C++ loops over its windows."""

    def __init__(
        self,
        t: Translation,
        shape: Sequence[int],
        out: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: int | Sequence[int],
        dilation: int | Sequence[int],
    ) -> None:
        """From an image of shape [B, C, H, W] to `out`, [B, C, Ho, Wo]."""
        if len(shape) != 4:
            raise NotCompiled("only pooling over one or two axes of a batch has a C++ lowering")
        self.t, self.kernel, self.padding, self.dilation = t, pair(kernel), pair(padding), pair(dilation)
        self.stride = pair(stride) if stride else self.kernel
        count, channels, *self.size = shape
        self.out = (count, *out[2:], channels)
        reach = (
            (n - 1) * s + (k - 1) * d + 1
            for n, s, k, d in zip(out[2:], self.stride, self.kernel, self.dilation, strict=True)
        )
        self.padded_shape = (
            count,
            *(max(r, p + n) for r, p, n in zip(reach, self.padding, self.size, strict=True)),
            channels,
        )
        """[B, rows, columns, C] of the image with its padding."""

    def _interior(self, padded_shape: StridedView) -> StridedView:
        for axis, (begin, length) in enumerate(zip(self.padding, self.size, strict=True), 1):
            padded_shape = padded_shape.apply(aten.slice.Tensor, axis, begin, begin + length)
        return padded_shape

    def padded(self, image: StridedView, fill: float) -> StridedView:
        """The image [B, C, H, W] as [B, rows, columns, C], padded with `fill`."""
        image = channels_last(self.t, image)
        if image.shape == self.padded_shape:
            return image
        padded_shape = self.t.emitter.new_contiguous("real", self.padded_shape)
        emit_fill(self.t.emitter, padded_shape, literal(fill, "real"))
        emit_copy(self.t.emitter, image, self._interior(padded_shape))
        return padded_shape

    def zeros(self) -> StridedView:
        """A padded image of zeros, to which gradients are added."""
        padded_shape = self.t.emitter.new_contiguous("real", self.padded_shape)
        emit_fill(self.t.emitter, padded_shape, "0")
        return padded_shape

    def unpadded(self, padded_shape: StridedView) -> StridedView:
        """The image [B, C, H, W] without its padding."""
        return channels_first(self._interior(padded_shape))

    def loops(self, lines: str) -> str:
        """C++ that runs `lines` for every window: `at` is the offset of its corner in the padded image, `to` the offset
        of its output.
        """
        (count, rows, columns, channels), (_, height, width, _) = self.out, self.padded_shape
        return (
            f"for (integer i = 0; i < {count}; ++i)\nfor (integer y = 0; y < {rows}; ++y)\n"
            f"for (integer x = 0; x < {columns}; ++x) {{\n"
            f"const integer at = "
            f"((i * {height} + y * {self.stride[0]}) * {width} + x * {self.stride[1]}) * {channels};\n"
            f"const integer to = ((i * {rows} + y) * {columns} + x) * {channels};\n"
            f"#pragma omp simd\nfor (integer c = 0; c < {channels}; ++c) {{\n{lines}\n}}\n}}"
        )

    def window(self) -> list[str]:
        """The offsets in the padded image of the numbers in a window, row by row."""
        _, _, width, channels = self.padded_shape
        return [
            f"at + {(y * self.dilation[0] * width + x * self.dilation[1]) * channels} + c"
            for y in range(self.kernel[0])
            for x in range(self.kernel[1])
        ]

    def maximum(self) -> list[str]:
        """C++ that sets `most` to the largest number in the window."""
        one, *others = self.window()
        return [f"T most = x0[{one}];", *(f"most = larger<T>(most, x0[{other}]);" for other in others)]

    def divisor(self, counts_padding: bool, given: int | None) -> tuple[str, list[StridedView]]:
        """What torch divides the sum of a window by, as C++; and the array x1 that this reads, if any."""
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
        return f"x1[y * {columns} + x]", [self.t.constant_view(numbers.double())]


@lowering(aten.max_pool2d_with_indices)
def _max_pool(
    t: Translation,
    node: fx.Node,
    image: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil: bool = False,
) -> list[StridedView | None]:
    view = t.view_of(image)
    p = _Pool(t, view.shape, node.meta["val"][0].shape, kernel, stride, padding, dilation)
    target = t.emitter.new_contiguous("real", p.out)
    body = p.loops("\n".join([*p.maximum(), "y0[to + c] = most;"]))
    t.emitter.call(body, [target], [p.padded(view, -torch.inf)])
    return [channels_first(target), None]  # the backward pass finds the indices again


@lowering(aten.max_pool2d_with_indices_backward)
def _max_pool_backward(
    t: Translation,
    node: fx.Node,
    gradient: fx.Node,
    image: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
    _: object,
) -> StridedView:
    view, output_gradient = t.view_of(image), channels_last(t, t.view_of(gradient))
    p = _Pool(t, view.shape, channels_first(output_gradient).shape, kernel, stride, padding, dilation)
    target = p.zeros()
    lines = [*p.maximum(), "T left = x1[to + c];"]  # the gradient goes to the first maximum
    lines += [
        f"{{ const T take = x0[{number}] == most ? left : T(0); y0[{number}] += take; left -= take; }}"
        for number in p.window()
    ]
    t.emitter.call(p.loops("\n".join(lines)), [target], [p.padded(view, -torch.inf), output_gradient])
    return p.unpadded(target)


@lowering(aten.avg_pool2d)
def _mean_pool(
    t: Translation,
    node: fx.Node,
    image: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> StridedView:
    view = t.view_of(image)
    p = _Pool(t, view.shape, node.meta["val"].shape, kernel, stride, padding, 1)
    target = t.emitter.new_contiguous("real", p.out)
    by, array = p.divisor(counts_padding, divisor)
    total = " + ".join(f"x0[{number}]" for number in p.window())
    t.emitter.call(p.loops(f"y0[to + c] = ({total}) / {by};"), [target], [p.padded(view, 0), *array])
    return channels_first(target)


@lowering(aten.avg_pool2d_backward)
def _mean_pool_backward(
    t: Translation,
    node: fx.Node,
    gradient: fx.Node,
    image: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    counts_padding: bool,
    divisor: int | None,
) -> StridedView:
    output_gradient = channels_last(t, t.view_of(gradient))
    p = _Pool(t, image.meta["val"].shape, channels_first(output_gradient).shape, kernel, stride, padding, 1)
    target = p.zeros()
    by, array = p.divisor(counts_padding, divisor)
    lines = [f"const T share = x0[to + c] / {by};", *(f"y0[{number}] += share;" for number in p.window())]
    t.emitter.call(p.loops("\n".join(lines)), [target], [output_gradient, *array])
    return p.unpadded(target)
