"""The C++ expression of each pointwise operation of torch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import fx
from torch._ops import OpOverloadPacket
from torch.fx.node import Argument

from steepest.codegen.loops import literal
from steepest.codegen.strided_view import Kind, kind_of

aten = torch.ops.aten


def _power(a: str, b: str) -> str:
    known = {"T(2.0)": f"{a} * {a}", "T(3.0)": f"{a} * {a} * {a}", "T(0.5)": f"std::sqrt({a})", "T(1.0)": a}
    known["T(-0.5)"], known["T(-1.0)"] = f"T(1) / std::sqrt({a})", f"T(1) / {a}"
    return known.get(b, f"std::pow({a}, {b})")


def _clamp(a: str, low: str | None = None, high: str | None = None) -> str:
    a = a if low is None else f"larger<T>({a}, {low})"
    return a if high is None else f"smaller<T>({a}, {high})"


ARITHMETIC: dict[OpOverloadPacket, Callable[..., str]] = {
    aten.add: lambda a, b, alpha="": f"{a} + {alpha and alpha + ' * '}{b}",
    aten.sub: lambda a, b, alpha="": f"{a} - {alpha and alpha + ' * '}{b}",
    aten.rsub: lambda a, b: f"{b} - {a}",
    aten.mul: lambda a, b: f"{a} * {b}",
    aten.div: lambda a, b: f"{a} / {b}",
    aten.neg: lambda a: f"-{a}",
    aten.abs: lambda a: f"std::abs({a})",
    aten.sign: lambda a: f"sign_<T>({a})",
    aten.exp: lambda a: f"exp_({a})",
    aten.expm1: lambda a: f"std::expm1({a})",
    aten.log: lambda a: f"std::log({a})",
    aten.log1p: lambda a: f"std::log1p({a})",
    aten.sqrt: lambda a: f"std::sqrt({a})",
    aten.rsqrt: lambda a: f"T(1) / std::sqrt({a})",
    aten.reciprocal: lambda a: f"T(1) / {a}",
    aten.sin: lambda a: f"std::sin({a})",
    aten.cos: lambda a: f"std::cos({a})",
    aten.erf: lambda a: f"erf_({a})",
    aten.tanh: lambda a: f"tanh_({a})",
    aten.sigmoid: lambda a: f"sigmoid_<T>({a})",
    aten.relu: lambda a: f"larger<T>({a}, T(0))",
    aten.pow: _power,
    aten.square: lambda a: f"{a} * {a}",
    aten.maximum: lambda a, b: f"larger<T>({a}, {b})",
    aten.minimum: lambda a, b: f"smaller<T>({a}, {b})",
    aten.clamp: _clamp,
    aten.clamp_min: lambda a, low: _clamp(a, low),
    aten.clamp_max: lambda a, high: _clamp(a, None, high),
    aten._to_copy: lambda a: a,
    aten.clone: lambda a: a,
}
"""Operations whose arguments all have the kind of the result."""
COMPARISONS = {aten.lt: "<", aten.le: "<=", aten.gt: ">", aten.ge: ">=", aten.eq: "==", aten.ne: "!="}
LOGIC: dict[OpOverloadPacket, Callable[..., str]] = {
    aten.logical_not: lambda a: f"!{a}",
    aten.bitwise_not: lambda a: f"!{a}",
    aten.logical_and: lambda a, b: f"{a} & {b}",
    aten.bitwise_and: lambda a, b: f"{a} & {b}",
    aten.logical_or: lambda a, b: f"{a} | {b}",
    aten.bitwise_or: lambda a, b: f"{a} | {b}",
}
POINTWISE_OPS = {*ARITHMETIC, *COMPARISONS, *LOGIC, aten.where}
_IGNORED = {"dtype", "layout", "device", "pin_memory", "non_blocking", "memory_format"}


def expression(node: fx.Node, named: Mapping[fx.Node, tuple[str, Kind]]) -> tuple[str, Kind] | None:
    """(C++, kind) of a node; None where there is no such expression. `named` holds the C++ and kind of its inputs."""
    packet = node.target.overloadpacket  # type: ignore[union-attr]
    kind = kind_of(node.meta["val"].dtype)
    arguments = [*node.args]
    keywords = {name: value for name, value in node.kwargs.items() if name not in _IGNORED}
    if packet is aten.div and keywords.get("rounding_mode") is not None:
        return None
    keywords.pop("rounding_mode", None)

    def cast(x: Argument, kind: Kind) -> str | None:
        if x is None:
            return None
        if not isinstance(x, fx.Node):
            return literal(x, kind)  # type: ignore[arg-type]
        name, own = named[x]
        if own == kind:
            return name
        return f"T({name})" if kind == "real" else f"integer({name})" if kind == "integer" else f"({name} != 0)"

    if packet is aten.where:
        if len(arguments) != 3:
            return None
        a, b = (cast(x, kind) for x in arguments[1:])
        return f"{cast(arguments[0], 'truth')} ? {a} : {b}", kind
    if packet in COMPARISONS:
        common = _common_kind(arguments, named)
        a, b = (cast(x, common) for x in arguments)
        return f"{a} {COMPARISONS[packet]} {b}", kind
    if packet in LOGIC:
        if kind != "truth":
            return None
        return LOGIC[packet](*(cast(x, "truth") for x in arguments)), kind
    lowering = ARITHMETIC.get(packet)
    if lowering is None or (kind == "truth" and packet not in (aten._to_copy, aten.clone)):
        return None
    try:
        return lowering(*(cast(x, kind) for x in arguments), **{n: cast(x, kind) for n, x in keywords.items()}), kind
    except TypeError:
        return None


def _common_kind(arguments: Sequence[Argument], named: Mapping[fx.Node, tuple[str, Kind]]) -> Kind:
    """The kind to which arguments are cast before they are compared."""
    kinds = {
        named[x][1] if isinstance(x, fx.Node) else "real" if isinstance(x, float) else "integer" for x in arguments
    }
    return "real" if "real" in kinds else "integer" if "integer" in kinds else "truth"
