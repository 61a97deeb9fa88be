"""Compiles an element-wise rule. Its `update` is traced once and becomes one C++ loop that reads and writes each number
of weights, gradient and state once, in place, for all tensors of a model in one call.

Coefficients are arguments of the loop, so the same machine code serves every step. Each operation rounds as torch's own
kernel for it does (`LOWERINGS` below), so the results agree with those of the eager rule.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from ctypes import CDLL, c_int, c_longlong, c_void_p, cast
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.fx.node import Argument

from steepest.codegen.toolchain import NoCompiler, load
from steepest.optim.rule import Rule, coefficient_record, state_record

NUMBER_TYPES = {torch.float32: "float", torch.float64: "double"}
"""The compiled types. Rules in half precision stay eager: there torch rounds after every operation."""


_EXTRA_FLAGS = {"AVX512": ("-mprefer-vector-width=256",)}
"""By the processor's capability as torch reports it. These loops wait for memory: 512-bit vectors take 10 % longer."""


class NotCompiled(Exception):
    """Something has no compiled form. The message gives the reason, as a clause that follows "because"."""


class Kernel:
    """The machine code of a rule."""

    def __init__(self, library: CDLL) -> None:
        self._step = {dtype: getattr(library, f"step_{name}") for dtype, name in NUMBER_TYPES.items()}
        for function in self._step.values():
            function.argtypes = [c_longlong, c_void_p, c_void_p, c_void_p, c_longlong, c_int]
            function.restype = None

    def address(self, dtype: torch.dtype) -> int:
        """The address of the machine code for this type: `step_float` or `step_double` of `_CPP_TEMPLATE`."""
        return cast(self._step[dtype], c_void_p).value or 0

    def rows(self, addresses: np.ndarray, length: int, c: np.ndarray, dtype: torch.dtype) -> None:
        """Update R rows of `length` numbers, each with its own coefficients, `c` [R, n] in float64.

        `addresses` [2 + states, R], uint64: the rows of w, of g, and of each state. Nothing is checked.
        """
        lanes, each = c.shape
        sizes = np.full(lanes, length, dtype=np.int64)
        pointers = (addresses.ctypes.data, sizes.ctypes.data, c.ctypes.data)
        self._step[dtype](lanes, *pointers, each, torch.get_num_threads())

    def step(self, addresses: array[int], sizes: array[int], c: Sequence[float], dtype: torch.dtype) -> None:
        """Update n tensors of these `sizes` ["q"; n]; `addresses` ["Q"]: all w, then all g, then each state.

        Nothing is checked: all tensors must have this type, no gaps, and one order of axes in memory.
        """
        scalars = array("d", c)
        self._step[dtype](
            len(sizes),
            addresses.buffer_info()[0],
            sizes.buffer_info()[0],
            scalars.buffer_info()[0],
            0,
            torch.get_num_threads(),
        )


def kernel(rule: type[Rule], c: Any) -> Kernel:
    """The kernel of `rule.update`, for coefficients that are 0 or 1 exactly where these are.

    The first call compiles it or loads it from the cache on disk. Raises NotCompiled; later calls do so at once.
    """
    found = _kernel(rule, c._fields, tuple([x if x in (0.0, 1.0) else None for x in c]))
    if isinstance(found, NotCompiled):
        raise found
    return found


@cache
def _kernel(rule: type[Rule], names: tuple[str, ...], fixed: tuple[float | None, ...]) -> Kernel | NotCompiled:
    try:
        flags = _EXTRA_FLAGS.get(torch.backends.cpu.get_cpu_capability(), ())
        return Kernel(load(cpp_source(rule, dict(zip(names, fixed, strict=True))), flags))
    except NotCompiled as error:
        return error
    except NoCompiler as error:
        return NotCompiled(str(error))


# ---- tracing the update ----------------------------------------------------------------------------------------------


class _Tracer(fx.Tracer):
    """Records the operations on its proxies. Control flow may depend only on whether a coefficient is 0 or 1, which the
    primitives of rules ask to leave work out.
    """

    def __init__(self, fixed: Mapping[str, float | None]) -> None:
        super().__init__()
        self.graph, self.root, self.fixed = fx.Graph(), torch.nn.Module(), fixed

    def to_bool(self, obj: fx.Proxy) -> bool:
        node = obj.node
        if node.target in (operator.eq, operator.ne) and node.args[1] in (0, 1):
            name = getattr(node.args[0], "target", None)
            if isinstance(name, str) and name in self.fixed:
                return (self.fixed[name] == node.args[1]) == (node.target is operator.eq)
        raise NotCompiled("its update branches on the value of a number")


def cpp_source(rule: type[Rule], fixed: Mapping[str, float | None]) -> str:
    """C++ for `rule`. `fixed` names its coefficients: each is fixed at 0 or at 1, or free (None).

    Raises NotCompiled.
    """
    tracer = _Tracer({f"c_{name}": value for name, value in fixed.items()})
    scalar_code = {f"c_{name}": f"c[{i}]" for i, name in enumerate(fixed)}
    tensors = ["w", "g", *(f"s_{name}" for name in rule.state)]
    proxy: dict[str, Any] = {  # stand in for tensors and numbers
        name: tracer.create_proxy("placeholder", name, (), {}) for name in (*tensors, *scalar_code)
    }
    state = state_record(rule, [proxy[f"s_{name}"] for name in rule.state])
    c = coefficient_record({name: proxy[f"c_{name}"] for name in fixed})
    try:
        new, new_state = rule.update(proxy["w"], proxy["g"], state, c)
    except NotCompiled:
        raise
    except Exception as error:  # an error of the rule itself is raised again by the eager form
        raise NotCompiled(f"its update cannot be traced ({error})") from error
    results = [x.node for x in (new, *new_state) if isinstance(x, fx.Proxy)]
    if len(results) <= len(new_state):
        raise NotCompiled("its update returns something that is not a tensor")
    return _program(tensors, results, scalar_code)


def _program(tensors: Sequence[str], results: Sequence[fx.Node], scalar_code: Mapping[str, str]) -> str:
    """The C++ file. `results` are the new values of all `tensors` except the second, the gradient."""
    needed = set(results)
    order = list(results[0].graph.nodes)
    for node in reversed(order):
        if node in needed:
            needed.update(node.all_input_nodes)
    scalars, lines = [], []  # before the loop, and in it
    code: dict[fx.Node, str] = {}
    numbers: set[fx.Node] = set()  # nodes that are one number for all elements
    for i, node in enumerate(node for node in order if node in needed):
        if node.op == "placeholder":
            name = str(node.target)
            code[node] = f"x_{name}"
            if name in scalar_code:  # read before the loop: a read in a branch would keep it from being vectorized
                numbers.add(node)
                scalars.append(f"const double x_{name} = {scalar_code[name]};")
        elif all(x in numbers for x in node.all_input_nodes):
            numbers.add(node)
            code[node] = f"k{i}"
            scalars.append(f"const double k{i} = {_lowered(node, lambda x: _number(x, code))};")
        else:
            expression = _lowered(node, lambda x: _element(x, code, numbers))
            if _name(node) in _CONDITIONS:
                code[node] = f"({expression})"  # inline: a variable of another type would prevent vectorization
            else:
                code[node] = f"v{i}"
                lines.append(f"const T v{i} = {expression};")
    used = {str(node.target) for node in needed if node.op == "placeholder"} - {*scalar_code}
    columns = dict(zip(tensors, range(len(tensors)), strict=True))
    written = {name: code[node] for name, node in zip((t for t in tensors if t != "g"), results, strict=True)}
    written = {name: value for name, value in written.items() if value != f"x_{name}"}
    lines = [f"const T x_{name} = {name}[i];" for name in tensors if name in used] + lines
    lines += [f"{name}[i] = {value};" for name, value in written.items()]
    bound = [
        f"T *__restrict {name} = static_cast<T *>(t[{columns[name]} * tensors]) + start;"
        for name in tensors
        if name in used or name in written
    ]
    return _CPP_TEMPLATE.format(bound="\n    ".join(bound + scalars), body="\n        ".join(lines))


def _lowered(node: fx.Node, value: Callable[[Argument], str]) -> str:
    """The C++ expression of one operation; `value` gives that of each argument."""
    lowering = LOWERINGS.get(_name(node))
    if lowering is None:
        raise NotCompiled(f"it uses {_name(node)}, which has no C++ lowering")
    try:
        return lowering(*map(value, node.args), **{name: value(x) for name, x in node.kwargs.items()})
    except TypeError as error:
        raise NotCompiled(f"it uses {_name(node)} with arguments that have no C++ lowering") from error


def _name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _number(x: Argument, code: Mapping[fx.Node, str]) -> str:
    """A number shared by all elements, in double precision as in Python."""
    if isinstance(x, fx.Node):
        return code[x]
    if not isinstance(x, int | float):
        raise NotCompiled(f"its update uses {x!r}, which has no C++ lowering")
    x = float(x)
    return repr(x) if math.isfinite(x) else "NAN_" if math.isnan(x) else "INF_" if x > 0 else "-INF_"


def _element(x: Argument, code: Mapping[fx.Node, str], numbers: set[fx.Node]) -> str:
    """A number of one element; a shared number is rounded to the tensors' type, as torch does."""
    return code[x] if isinstance(x, fx.Node) and x not in numbers else f"T({_number(x, code)})"


def _clamp(x: str, min: str | None = None, max: str | None = None) -> str:
    x = x if min is None else f"at_least({x}, {min})"
    return x if max is None else f"at_most({x}, {max})"


def _power(x: str, exponent: str) -> str:
    if exponent.removeprefix("T(").removesuffix(")") not in ("2", "2.0"):
        raise TypeError("torch has kernels of its own for other powers")
    return f"{x} * {x}"


_CONDITIONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
LOWERINGS: dict[str, Callable[..., str]] = {
    "add": lambda a, b, alpha=None: f"{a} + {b}" if alpha is None else f"fused({b}, {alpha}, {a})",
    "sub": lambda a, b, alpha=None: f"{a} - {b}" if alpha is None else f"fused({b}, -{alpha}, {a})",
    "mul": lambda a, b: f"{a} * {b}",
    "truediv": lambda a, b: f"{a} / {b}",
    "div": lambda a, b: f"{a} / {b}",
    "neg": lambda a: f"-{a}",
    "pow": _power,
    "square": lambda a: f"{a} * {a}",
    "reciprocal": lambda a: f"T(1) / {a}",
    "lerp": lambda a, b, weight: f"between({a}, {b}, {weight})",
    "addcmul": lambda a, x, y, value="T(1)": f"fused({value} * {x}, {y}, {a})",
    "addcdiv": lambda a, x, y, value="T(1)": f"{a} + {value} * {x} / {y}",
    "sqrt": lambda a: f"root({a})",
    "rsqrt": lambda a: f"T(1) / root({a})",
    "abs": lambda a: f"magnitude({a})",
    "sign": lambda a: f"sign({a})",
    "atan2": lambda y, x: f"angle({y}, {x})",
    "maximum": lambda a, b: f"larger({a}, {b})",
    "minimum": lambda a, b: f"smaller({a}, {b})",
    "clamp": _clamp,
    "where": lambda condition, a, b: f"{condition} ? {a} : {b}",
    **{name: (lambda a, b, sign=sign: f"{a} {sign} {b}") for name, sign in _CONDITIONS.items()},
    "clone": lambda a: a,
    "zeros_like": lambda a: "T(0)",
    "ones_like": lambda a: "T(1)",
}
"""The operations that can be compiled, by torch's names, with the arguments and rounding of torch's CPU kernels."""

_CPP_TEMPLATE = """\
#define INF_ __builtin_inf()
#define NAN_ __builtin_nan("")

static inline float root(float a) {{ return __builtin_sqrtf(a); }}
static inline double root(double a) {{ return __builtin_sqrt(a); }}
static inline float angle(float y, float x) {{ return __builtin_atan2f(y, x); }}
static inline double angle(double y, double x) {{ return __builtin_atan2(y, x); }}
static inline float magnitude(float a) {{ return __builtin_fabsf(a); }}
static inline double magnitude(double a) {{ return __builtin_fabs(a); }}
#if defined(__FMA__) || defined(__aarch64__)  // a·b + c, rounded once
static inline float fused(float a, float b, float c) {{ return __builtin_fmaf(a, b, c); }}
static inline double fused(double a, double b, double c) {{ return __builtin_fma(a, b, c); }}
#else
template <typename T> static inline T fused(T a, T b, T c) {{ return a * b + c; }}
#endif
template <typename T> static inline T sign(T a) {{ return (a > T(0) ? T(1) : T(0)) - (a < T(0) ? T(1) : T(0)); }}
// These four keep a NaN, as torch does, and are written so that a compiler makes vectors of them.
template <typename T> static inline T larger(T a, T b) {{ const T x = a < b ? b : a; return b != b ? b : x; }}
template <typename T> static inline T smaller(T a, T b) {{ const T x = a > b ? b : a; return b != b ? b : x; }}
template <typename T> static inline T at_least(T a, T low) {{ return a < low ? low : a; }}
template <typename T> static inline T at_most(T a, T high) {{ return a > high ? high : a; }}
template <typename T> static inline T between(T a, T b, T weight) {{
    const bool near = magnitude(weight) < T(0.5);
    return fused(near ? weight : weight - T(1), b - a, near ? a : b);
}}

#ifdef _OPENMP
extern "C" int omp_get_thread_num();
extern "C" int omp_get_num_threads();
#endif

template <typename T>
static void piece(void **t, const long long tensors, const long long start, const long long count, const double *c) {{
    {bound}
#pragma omp simd
    for (long long i = 0; i < count; ++i) {{
        {body}
    }}
}}

template <typename T>
static void step(long long tensors, void **t, const long long *sizes, const double *c, long long each, int threads) {{
    long long total = 0;
    for (long long k = 0; k < tensors; ++k) total += sizes[k];
#pragma omp parallel num_threads(threads) if (threads > 1 && total >= 131072)
    {{
        long long rank = 0, ranks = 1;
#ifdef _OPENMP
        rank = omp_get_thread_num(), ranks = omp_get_num_threads();
#endif
        // Every thread takes one stretch of all tensors laid end to end.
        const long long from = total / ranks * rank, to = rank + 1 == ranks ? total : total / ranks * (rank + 1);
        for (long long k = 0, first = 0; k < tensors && first < to; first += sizes[k++]) {{
            const long long start = from > first ? from - first : 0;
            const long long stop = to < first + sizes[k] ? to - first : sizes[k];
            if (start < stop) piece<T>(t + k, tensors, start, stop - start, c + k * each);
        }}
    }}
}}

// The coefficients of tensor k begin at c[k · each].
extern "C" void step_float(
    long long n, void **t, const long long *sizes, const double *c, long long each, int threads) {{
    step<float>(n, t, sizes, c, each, threads);
}}
extern "C" void step_double(
    long long n, void **t, const long long *sizes, const double *c, long long each, int threads) {{
    step<double>(n, t, sizes, c, each, threads);
}}
"""
