"""The contract of an update rule, written once and driven three ways: as a `torch.optim.Optimizer`, as a fleet of
replicas, and as a compiled kernel.

A rule is a frozen dataclass of hyperparameters with two functions: `coefficients`, the scalar algebra on the host in
Python float64, and `update`, pure tensor algebra. Everything that depends on the step number lives in the first, so
that the second never changes from step to step and one compiled graph serves a whole study.

    @dataclass(frozen=True)
    class Adam(Rule):
        lr: float = rate(1e-3)
        b1: float = number(0.9, "β₁", "share of m kept each step", low=0, below=1)
        ...
        state = ("m", "v")

        def coefficients(self, t): return {"w1": 1 - self.b1, ...}              # t = 1, 2, …
        def update(w, g, s, c): m = lerp(s.m, g, c.w1); ...; return w, (m, v)

`coefficients` is called on a rule whose `lr` already holds what the schedule gives at step t. In `update`, the tensors
`w`, `g` and each state have one shape, and a coefficient broadcasts to it: a Python float in the drop-in
optimizer, a tensor [R, 1] over the flat buffer [R, P] of a fleet. The tensor primitives below give the same bits for
either, and the same bits as the in-place forms in `torch.optim`; use them, not `a + c*b`.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypedDict, TypeVar

import torch
from torch import Tensor

from steepest.errors import BadSetting, UnknownName
from steepest.messages import Message, enumerated, mark, say
from steepest.records.contender import Setting

if TYPE_CHECKING:
    from steepest.optim.wrappers import Wrapper

Scope = Literal["element", "tensor", "matrix", "model"]
Second = Literal["", "elsewhere", "sampled"]
SECOND_OBSTACLE = "needs a second gradient in a step, which fleets do not compute"
"""Why a rule that has a `second` trains one model at a time."""
Scalar = float | Tensor
Tensors = tuple[Tensor, ...]
Updated = tuple[Tensor, Tensors]


class State(Protocol):
    """The state tensors under the names that a rule gives them, as `update` reads them: `s.m`. A named tuple."""

    def __getattr__(self, name: str, /) -> Tensor: ...
    def __iter__(self, /) -> Iterator[Tensor]: ...
    def _replace(self, /, **changed: Tensor) -> State: ...


class Scalars(Protocol):
    """The coefficients of a step under their names, as `update` reads them: `c.step`. A named tuple.

    Each is a float or a tensor, so that a type checker refuses `math.sqrt(c.step)` or `max(c.step, 0)`, which would
    train one model and fail in a fleet.
    """

    @property
    def _fields(self) -> tuple[str, ...]: ...
    def __getattr__(self, name: str, /) -> Scalar: ...
    def __iter__(self, /) -> Iterator[Scalar]: ...
    def _replace(self, /, **changed: Scalar) -> Scalars: ...


class Rule:
    """Base of all update rules: a frozen dataclass of hyperparameters, plus the two functions of the module's text."""

    scope: ClassVar[Scope] = "element"
    """What an update may look at: one element, one parameter tensor, one matrix, or all parameters of a replica."""
    is_flat: ClassVar[bool] = False
    """Of a rule of scope "tensor": whether it sees a tensor only element by element and by `reductions.length`, so that
    parts of a tensor on several processes can be updated where they are."""
    state: ClassVar[tuple[str, ...]] = ()
    """Names of the state tensors, each shaped like the parameters unless `shapes` says otherwise."""
    carry: ClassVar[Mapping[str, float]] = {}
    """Scalars that step from update to update on the host, such as a running product, with their first values."""
    fallback: ClassVar[type[Rule] | None] = None
    """Of a rule of matrices: the rule for parameters that are none."""
    numbers: ClassVar[tuple[str, ...]] = ()
    """Those names of the state, in a rule of the whole model, that are one number for all parameters, [1] or [R, 1]."""
    layers: ClassVar[tuple[type[Wrapper], type[Rule]] | None] = None
    """Wrapper and rule within, of a wrapped rule if one of them looks at the whole model and the other at tensors."""
    forms: ClassVar[tuple[type[Rule], ...]] = ()
    """Of a rule for one model, if its parameters are treated by role: the rule for each of them, in their order."""
    second: ClassVar[Second] = ""
    """The second gradient that a step needs, in those steps in which a coefficient `second` is not zero, or in all if
    there is none of that name. "elsewhere": of the same batch, at the weights that `elsewhere` names. "sampled": of the
    same inputs, with B targets drawn from what the model predicts, and √B times that of their mean loss; so its square
    estimates the diagonal of the Gauss-Newton matrix. A rule that needs one trains one model at a time."""

    lr: float

    def __post_init__(self) -> None:
        check_settings(type(self), vars(self))

    def initial(self) -> Mapping[str, float]:
        """The value that a state tensor is filled with at the start, where it is not zero."""
        return {}

    def coefficients(self, t: int) -> Mapping[str, float]:
        """The scalars of step `t` = 1, 2, … from the hyperparameters, whose `lr` already holds the schedule."""
        raise NotImplementedError

    def advance(self, t: int, carry: dict[str, float]) -> Mapping[str, float]:
        """The scalars of step `t` for a rule with a carry, which is changed in place; drivers call only this.

        A rule whose scalars depend on their own history defines it in the place of `coefficients`.
        """
        return type(self).coefficients(self, t)

    @staticmethod
    def shapes(shape: torch.Size) -> Mapping[str, Sequence[int]]:
        """Shapes of those state tensors that are not shaped like their parameter, which is a tensor of `shape`.

        For rules of scope "tensor" and wider.
        """
        return {}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        """New parameters and new state from parameters `w`, gradient `g`, state `s` and coefficients `c`; pure."""
        raise NotImplementedError

    @classmethod
    def form(cls, role: str, applies_to: str) -> type[Rule]:
        """The rule for a parameter of this role, with the same state and coefficients; most rules treat all alike.

        applies_to: the setting of that name, "" if the rule has none.
        """
        return cls

    @staticmethod
    def renew(w: Tensor, g: Tensor, s: State, c: Scalars) -> Mapping[str, Tensor]:
        """Work that is due only now and then: those states that it changes, by name, before the update.

        Called where there is a coefficient `renew` that is not zero. For rules that look at a tensor or a matrix.
        """
        return {}

    @staticmethod
    def elsewhere(w: Tensor, g: Tensor, s: State, c: Scalars) -> Tensor:
        """Where the second gradient of that name is taken. All are rows [P] of the whole model; of the state `s` there
        are those tensors that are shaped like their parameter.
        """
        raise NotImplementedError

    @staticmethod
    def combine(w: Tensor, g: Tensor, second: Tensor, s: State, c: Scalars) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What `update` is given as the gradient, and those states that the second gradient changes, by name.

        Called before the update, for one parameter tensor, in steps in which the second gradient is due.
        """
        return g, {}

    @staticmethod
    def evaluation_weights(w: Tensor, s: State, c: Scalars) -> Tensor:
        """Where the model is to be evaluated after a step, element by element, if that is not where it is trained.

        A coefficient that it uses may depend on hyperparameters, but not on the step or the carry.
        """
        return w


# ---- hyperparameters -------------------------------------------------------------------------------------------------
# Each is a field with its default, its letter in the formula and its meaning in words: pages, signatures and error
# messages are made from these.

AnySetting = TypeVar("AnySetting", bound=Setting)


class Hyperparameter(TypedDict):
    """A hyperparameter in words, ready for JSON."""

    name: str
    symbol: str
    default: Setting
    allowed: str
    meaning: str


def number(
    default: float,
    symbol: str = "",
    meaning: str = "",
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    decouples: bool = False,
) -> float:
    """The field of a number with low ≤ value, above < value and value < below.

    decouples: whether a weight decay shrinks the weights directly instead of being added to the gradient.
    """
    limits = {"low": low, "above": above, "below": below}
    return field(default=default, metadata={"symbol": symbol, "meaning": meaning, **limits, "decouples": decouples})


def choice(default: AnySetting, *options: AnySetting, meaning: str = "") -> AnySetting:
    """The field of a hyperparameter with a few named values, such as the form of a bias correction.

    It may shape `coefficients` only: `update` never sees it, so that one graph serves all of its values.
    """
    return field(default=default, metadata={"symbol": "", "meaning": meaning, "options": options})


def rate(default: float) -> float:
    """The field of a learning rate: finite and not negative (a schedule may reach zero)."""
    return number(default, "η", "learning rate", low=0)


def coupled_decay() -> float:
    """The field of an L2 penalty as torch has it: λw is added to the gradient before anything else sees it."""
    return number(0.0, "λ", "coupled weight decay (L2): λw is added to g", low=0)


def decoupled_decay(default: float = 0.0) -> float:
    """The field of a decay that no scaling touches."""
    return number(default, "λ", "decoupled weight decay: w shrinks by the factor 1 − ηλ", low=0, decouples=True)


def hyperparameters(rule: type[Rule]) -> dict[str, Setting]:
    """Name and default of every hyperparameter of a rule, the rate first."""
    return {item.name: item.default for item in fields(rule)}  # type: ignore[arg-type]


def decouples(rule: type[Rule]) -> bool:
    """Whether a rule has a `weight_decay` that is marked as decoupled from the gradient."""
    return any(item.name == "weight_decay" and item.metadata.get("decouples", False) for item in fields(rule))  # type: ignore[arg-type]


def describe_hyperparameters(rule: type[Rule]) -> list[Hyperparameter]:
    """Name, letter, default, allowed values and meaning of every hyperparameter of a rule, in words."""
    return [
        {
            "name": item.name,
            "symbol": item.metadata.get("symbol", ""),
            "default": item.default,
            "allowed": _allowed(item.metadata),
            "meaning": item.metadata.get("meaning", ""),
        }
        for item in fields(rule)  # type: ignore[arg-type]
    ]


def check_settings(rule: type[Rule], settings: Mapping[str, object]) -> None:
    """Raise UnknownName or BadSetting at the first setting that `rule` cannot take."""
    known = {item.name: item.metadata for item in fields(rule)}  # type: ignore[arg-type]
    for name, value in settings.items():
        if name not in known:
            raise UnknownName.among(f"hyperparameter of {rule.__name__}", name, known)
        if not _fits(value, known[name]):
            shown = f"{value:g}" if type(value) is float else repr(value)
            raise BadSetting(f"{rule.__name__}: {name} is {shown}; it must be {_allowed(known[name])}.")


def _fits(value: object, limits: Mapping[str, Any]) -> bool:
    if "options" in limits:
        return any(type(value) is type(option) and value == option for option in limits["options"])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    low, above, below = (limits.get(key, limit) for key, limit in _UNLIMITED.items())
    return low <= value and above < value < below


_UNLIMITED = {"low": -math.inf, "above": -math.inf, "below": math.inf}


def _allowed(limits: Mapping[str, Any]) -> Message:
    if "options" in limits:
        return say("one of {options}", options=enumerated([*map(str, limits["options"])]))
    known = {key: limits[key] for key in _UNLIMITED if math.isfinite(limits.get(key, math.inf))}
    bounds = [Message(_BOUNDS[key], {"bound": f"{bound:g}"}) for key, bound in known.items()]
    if not bounds:
        return say("a finite number")
    return say("a number {bounds}", bounds=enumerated(bounds, "{bound} and {bounds}"))


_BOUNDS = {"low": mark("at least {bound}"), "above": mark("above {bound}"), "below": mark("below {bound}")}


# ---- what the drivers need -------------------------------------------------------------------------------------------


AnyRule = TypeVar("AnyRule", bound=Rule)


def with_settings(rule: type[AnyRule], settings: Mapping[str, Setting]) -> AnyRule:
    """A rule with these hyperparameters, all of them.

    They are not checked: drivers make a rule at every step, and have checked the settings before.
    """
    made = object.__new__(rule)
    vars(made).update(settings)
    return made


def at_rate(rule: type[AnyRule], settings: Mapping[str, Setting], lr: float) -> AnyRule:
    """A rule with these hyperparameters and the rate that the schedule gives at this step; not checked."""
    made = object.__new__(rule)
    vars(made).update(settings, lr=lr)
    return made


@cache
def _record(kind: str, names: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple(kind, names)


def state_record(rule: type[Rule] | type[Wrapper], values: Sequence[Tensor]) -> State:
    """The state tensors of a rule or wrapper under their names."""
    return named_state(rule.state, values)


def named_state(names: tuple[str, ...], values: Sequence[Tensor]) -> State:
    """State tensors under these names."""
    return _record("State", names)(*values)


def coefficient_record(values: Mapping[str, Scalar]) -> Scalars:
    """The coefficients of a step under their names."""
    return _record("Coefficients", tuple(values))(*values.values())


def averages(rule: type[Rule]) -> bool:
    """Whether a rule evaluates the model elsewhere than it trains it."""
    return rule.evaluation_weights is not Rule.evaluation_weights


# ---- tensor primitives, exact ----------------------------------------------------------------------------------------
# `c` may be a Python float or a tensor that broadcasts. The forms are chosen so that both give the bits of the in-place
# calls of torch.optim on CPU, which round once where `a + c*b` rounds twice. A float that changes nothing (+ 0, · 1)
# costs nothing either: that is how a decay or a second ε that is switched off is skipped outside of a compiled graph.


def lerp(a: Tensor, b: Tensor, weight: Scalar) -> Tensor:
    """a + weight·(b − a), as `a.lerp_(b, weight)`."""
    return torch.lerp(a, b, weight)


def shift(a: Tensor, c: Scalar) -> Tensor:
    """a + c"""
    return a if not isinstance(c, Tensor) and c == 0 else a + c


def scale(a: Tensor, c: Scalar) -> Tensor:
    """c·a"""
    return a if not isinstance(c, Tensor) and c == 1 else c * a


def add_scaled(a: Tensor, b: Tensor, c: Scalar) -> Tensor:
    """a + c·b, as `a.add_(b, alpha=c)`."""
    if isinstance(c, Tensor):
        return torch.addcmul(a, b, c)
    return a if c == 0 else torch.add(a, b, alpha=c)


def add_product(a: Tensor, x: Tensor, y: Tensor, c: Scalar) -> Tensor:
    """a + c·x·y, as `a.addcmul_(x, y, value=c)`."""
    return torch.addcmul(a, c * x, y) if isinstance(c, Tensor) else torch.addcmul(a, x, y, value=c)


def add_quotient(a: Tensor, x: Tensor, y: Tensor, c: Scalar) -> Tensor:
    """a + c·x/y, as `a.addcdiv_(x, y, value=c)`."""
    return a + (c * x) / y if isinstance(c, Tensor) else torch.addcdiv(a, x, y, value=c)
