"""Compiles rules that are not element-wise, such as those that use the norm of a tensor or all parameters of a model:
the update of one lane is traced through the function that updates a fleet, and translated as gradients are.
"""

import warnings
from collections.abc import Sequence
from ctypes import CDLL, c_int, c_longlong, c_void_p, cast

import numpy as np
import torch
from torch import Tensor

from steepest.codegen.decompositions import graph_of
from steepest.codegen.elementwise_loop import NUMBER_TYPES, NotCompiled
from steepest.codegen.emitter import KERNELS_HEADER
from steepest.codegen.strided_view import StridedView
from steepest.codegen.toolchain import NoCompiler, load
from steepest.codegen.translate import Translation
from steepest.engine.coefficients import Coefficients
from steepest.engine.compiled.program import COMPILER_FLAGS, MAX_GRAPH_NODES
from steepest.optim.drivers import Shapes, advance
from steepest.optim.rule import Rule, Tensors

RELATIVE_TOLERANCE = 1e-3
"""Largest relative difference between the updates of a program and its rule that counts as rounding."""


class RuleProgram:
    """The machine code of a rule for one model in one precision, with the interface of `Kernel`."""

    def __init__(
        self,
        rule: type[Rule],
        shapes: Shapes,
        coefficients: Coefficients,
        names: Sequence[str],
        w: Tensor,
        state: Tensors,
        c: np.ndarray,
    ) -> None:
        """`names` are those of the coefficients, of which `coefficients` makes a record. The rows `w` [P] and `state`,
        each [Q], and the coefficients `c` [steps, n] are an example on which the program is compared with the rule.
        Raises NotCompiled.
        """
        self.rule, self.shapes, self.names, self.dtype = rule, shapes, tuple(names), w.dtype
        self.record = coefficients.record
        row = [w[None], torch.zeros_like(w)[None], *(x[None] for x in state)]
        columns = torch.from_numpy(c[:1]).to(w.dtype)  # [1, n]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # vmap warns where it runs an operation lane by lane
                graph = graph_of(self._moved_in_place, [*(x.clone() for x in row), columns])
        except Exception as error:  # a rule may do anything; if it cannot be traced, it runs as it is
            raise NotCompiled(f"its update cannot be traced ({type(error).__name__})") from error
        if len(graph.nodes) > MAX_GRAPH_NODES:
            raise NotCompiled(f"its update has {len(graph.nodes):,} calls; at most {MAX_GRAPH_NODES:,} are compiled")
        *tensors, numbers = (node for node in graph.nodes if node.op == "placeholder")
        names = ["w", "g", *(f"s{i}" for i in range(len(state)))]
        views = {
            node: StridedView.contiguous(name, "real", node.meta["val"].shape)
            for name, node in zip(names, tensors, strict=True)
        }
        views[numbers] = StridedView.contiguous("c", "real", columns.shape)
        translation = Translation(graph, views, {})
        if translation.constants:
            raise NotCompiled("its update creates constant arrays")
        library = self._loaded(translation, names)
        self._step = library.step
        self._step.argtypes = [c_longlong, c_void_p, c_void_p, c_void_p, c_longlong, c_int]
        self._step.restype = None
        if not self._gives_same(w, state, c):
            raise NotCompiled("the results of the generated program differ from those of the rule")

    def address(self, dtype: torch.dtype) -> int:
        """The address of the machine code: `step` of `_CPP_TEMPLATE`, for the dtype of the example."""
        return cast(self._step, c_void_p).value or 0

    def rows(self, addresses: np.ndarray, length: int, c: np.ndarray, dtype: torch.dtype) -> None:
        """Update R lanes, each with its own coefficients, `c` [R, n] in float64.

        `addresses` [2 + states, R], uint64: the rows of w, of g, and of each state. Nothing is checked.
        """
        lanes, each = c.shape
        self._step(lanes, addresses.ctypes.data, None, c.ctypes.data, each, 1)

    def _moved_in_place(self, w: Tensor, g: Tensor, *rest: Tensor) -> Tensor:
        """One lane as a fleet of one: `w` and `g` [1, P], each state [1, Q], and the coefficients [1, n]."""
        *state, columns = rest
        c = self.record(self.names, columns.split(1, dim=1))
        new, news = advance(self.rule, self.shapes, w, g, tuple(state), c)
        for old, there in zip((*state, w), (*news, new), strict=True):  # w last: a state may be a copy of the old w
            old.copy_(there)
        return w

    def _loaded(self, translation: Translation, names: Sequence[str]) -> CDLL:
        calls, memory = translation.emitter.calls()
        pointers = [f"T *const {name} = static_cast<T *>(t[{i} * n]);" for i, name in enumerate(names)]
        text = _CPP_TEMPLATE.format(
            kernels=KERNELS_HEADER.read_text(encoding="utf-8"),
            functions=translation.emitter.functions(),
            memory=max(1, memory),
            pointers="\n    ".join(pointers),
            count=len(self.names),
            calls=calls,
            number=NUMBER_TYPES[self.dtype],
        )
        try:
            return load(text, COMPILER_FLAGS)
        except NoCompiler as error:
            raise NotCompiled(str(error)) from None

    def _gives_same(self, w: Tensor, state: Tensors, c: np.ndarray) -> bool:
        """Whether program and rule update a row alike, over some steps with random gradients."""
        draw = torch.Generator().manual_seed(0)
        mine, theirs = ([x.clone()[None] for x in (w, *state)] for _ in range(2))
        for row in c:
            g = torch.randn(1, len(w), dtype=w.dtype, generator=draw)
            addresses = np.array([[x.data_ptr()] for x in (mine[0], g, *mine[1:])], dtype=np.uint64)
            self.rows(addresses, len(w), np.ascontiguousarray(row[None]), w.dtype)
            numbers = self.record(self.names, row.tolist())
            new, news = advance(
                self.rule, self.shapes, theirs[0].clone(), g, tuple(x.clone() for x in theirs[1:]), numbers
            )
            theirs = [new, *news]
        return all(map(_close, mine, theirs, (w, *state)))


def _close(mine: Tensor, theirs: Tensor, start: Tensor) -> bool:
    rounding = 8 * torch.finfo(start.dtype).eps * (theirs.norm() + start.norm())
    return bool((mine - theirs).norm() <= RELATIVE_TOLERANCE * (theirs - start).norm() + rounding)


_programs: dict[tuple[object, ...], RuleProgram | NotCompiled] = {}


def rule_program(
    rule: type[Rule],
    shapes: Shapes,
    coefficients: Coefficients,
    names: Sequence[str],
    w: Tensor,
    state: Tensors,
    c: np.ndarray,
) -> RuleProgram:
    """The program of a rule, with the arguments of `RuleProgram`; compiled once. Raises NotCompiled."""
    key = (rule, tuple(map(tuple, shapes)), tuple(names), w.dtype, coefficients.key)
    if key not in _programs:
        try:
            _programs[key] = RuleProgram(rule, shapes, coefficients, names, w, state, c)
        except NotCompiled as error:
            _programs[key] = error
    found = _programs[key]
    if isinstance(found, NotCompiled):
        raise found
    return found


_CPP_TEMPLATE = """\
{kernels}
typedef {number} Number;

{functions}

alignas(64) static char arena[{memory}];  // one lane after the other

// t [2 + states, n]: w, g and each state of lane 0.
template <typename T> static void work(long long n, void **t, const double *given) {{
    {pointers}
    T c[{count}];
    for (integer i = 0; i < {count}; ++i) c[i] = T(given[i]);
    {calls}
}}

// As `step` of the kernel of an element-wise rule has them; the coefficients of lane k begin at c[k · each].
extern "C" void step(long long n, void **t, const long long *, const double *c, long long each, int) {{
    for (long long k = 0; k < n; ++k) work<Number>(n, t + k, c + k * each);
}}
"""
