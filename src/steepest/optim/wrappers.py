"""Wrappers for any rule: they change the gradient before it, or the weights after it. The result is a rule again.

    CautiousAdam = wrap(Adam, "cautious")        # a Rule like any other: in fleets, as a torch optimizer, in commands
    steepest run --optimizers adam+cautious,sgd+clip-norm:max_norm=0.5

The result has the hyperparameters of both. The last wrapper named is the outermost: in "sgd+l2+clip-norm" the gradient
is clipped first, and then the penalty is added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.errors import BadSetting, UnknownName
from steepest.optim.reductions import norm
from steepest.optim.rule import Rule, Scalars, Scope, Second, State, Updated, add_scaled, lerp, number, state_record


class Wrapper:
    """Base of all wrappers: a frozen dataclass of hyperparameters and one or both of two pure functions.

    Its coefficients must not have the names of the inner rule's coefficients.
    """

    lr: float
    """The rate of the inner rule: `coefficients` is called with the hyperparameters of both."""
    scope: ClassVar[Scope] = "element"
    """What the two functions may see, as in a rule; independent of the scope of the inner rule. A wrapper of the scope
    "model" changes the gradient only."""
    state: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str] = ""
    """Its name in texts."""
    sentence: ClassVar[str] = ""
    """What it does; printed after the summary of the rule."""
    formula: ClassVar[str] = ""
    """Printed after the formula of the rule."""
    source: ClassVar[str] = ""
    """Where it was first described."""
    second: ClassVar[Second] = ""
    """The second gradient that it needs, with `elsewhere` and `combine` as in a rule."""
    elsewhere = staticmethod(Rule.elsewhere)
    combine = staticmethod(Rule.combine)

    def coefficients(self, t: int) -> Mapping[str, float]:
        """The scalars of step t, as in a rule."""
        return {}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        """The gradient that the inner rule receives."""
        return g

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        """The weights instead of `new`, and the wrapper's state; w and g are from before the step."""
        return new, ()

    @staticmethod
    def evaluation(w: Tensor, s: State, c: Scalars) -> Tensor:
        """The weights at which the model is evaluated."""
        return w


# ---- penalties and decay ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoupledL2(Wrapper):
    """g ← g + λ₂w"""

    l2: float = number(1e-4, "λ₂", "L2 penalty: λ₂w is added to g", low=0)
    title = "L2 penalty"
    sentence = "with an L2 penalty in the gradient"
    formula = "g ← g + λ₂w"
    source = "A. E. Hoerl, R. W. Kennard, Ridge Regression, 1970"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"l2": self.l2}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        return add_scaled(g, w, c.l2)


@dataclass(frozen=True)
class L1(Wrapper):
    """g ← g + λ₁·sign(w)"""

    l1: float = number(1e-5, "λ₁", "L1 penalty: λ₁·sign(w) is added to g", low=0)
    title = "L1 penalty"
    sentence = "with an L1 penalty in the gradient"
    formula = "g ← g + λ₁·sign(w)"
    source = "R. Tibshirani, Regression Shrinkage and Selection via the Lasso, 1996"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"l1": self.l1}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        return add_scaled(g, w.sign(), c.l1)


@dataclass(frozen=True)
class DecoupledDecay(Wrapper):
    """w ← w − ηλ_d·w in addition to the step, both from the same w"""

    decay: float = number(1e-2, "λ_d", "decoupled weight decay: w shrinks by the factor 1 − ηλ_d", low=0)
    title = "decoupled decay"
    sentence = "with a weight decay separate from the gradient"
    formula = "w ← w − ηλ_d·w"
    source = "I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, 2019"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"shrink": -self.lr * self.decay}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return add_scaled(new, w, c.shrink), ()


# ---- the gradient made smaller or simpler ----------------------------------------------------------------------------


@dataclass(frozen=True)
class ClipValue(Wrapper):
    """g ← min(max(g, −κ), κ)"""

    max_value: float = number(1.0, "κ", "largest size of an element of g", above=0)
    title = "clipping by value"
    sentence = "with every element of the gradient clipped"
    formula = "g ← min(max(g, −κ), κ)"
    source = "T. Mikolov, Statistical Language Models Based on Neural Networks, 2012"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"max_value": self.max_value}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        return g.clamp(-c.max_value, c.max_value)  # type: ignore[call-overload]  # both floats, or both tensors


@dataclass(frozen=True)
class ClipNorm(Wrapper):
    """g ← g · min(1, κ/(|g| + 10⁻⁶)), |g| over all parameters"""

    max_norm: float = number(1.0, "κ", "largest norm of the gradient of the whole model", above=0)
    scope = "model"
    title = "clipping by norm"
    sentence = "with the norm of the whole gradient clipped"
    formula = "g ← g · min(1, κ/|g|)"
    source = "R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training Recurrent Neural Networks, 2013"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"max_norm": self.max_norm}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        size = norm(g)  # [1] or [R, 1]
        return g * (c.max_norm / (size + 1e-6)).clamp(max=1.0)  # 10⁻⁶ as in torch's clip_grad_norm_


@dataclass(frozen=True)
class AdaptiveClip(Wrapper):
    """gᵢ ← gᵢ · min(1, κ·max(|wᵢ|, ε_w)/|gᵢ|) for every unit i: a row of a matrix or filter, or a whole vector"""

    max_ratio: float = number(1e-2, "κ", "largest norm of a unit's gradient, as a share of its weights' norm", above=0)
    floor: float = number(1e-3, "ε_w", "lower bound of the norm of the weights", above=0)
    scope = "tensor"
    title = "adaptive clipping"
    sentence = "with the gradient of every unit clipped in proportion to its weights"
    formula = "gᵢ ← gᵢ · min(1, κ·max(|wᵢ|, ε_w)/|gᵢ|)"
    source = "A. Brock, S. De, S. L. Smith, K. Simonyan, High-Performance Large-Scale Image Recognition, 2021"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"max_ratio": self.max_ratio, "floor": self.floor}

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        axes = tuple(range(1, w.ndim)) if w.ndim > 1 else None  # all but the units' own
        largest = c.max_ratio * torch.maximum(_norm(w, axes), torch.zeros_like(w[:1]) + c.floor)
        return g * (largest / _norm(g, axes).clamp(min=1e-6)).clamp(max=1.0)


def _norm(x: Tensor, axes: tuple[int, ...] | None) -> Tensor:
    return torch.linalg.vector_norm(x, dim=axes, keepdim=True)


@dataclass(frozen=True)
class Centralise(Wrapper):
    """gᵢ ← gᵢ − mean(gᵢ) for every unit i: a row of a matrix or filter; vectors are not changed"""

    scope = "tensor"
    title = "centralised gradient"
    sentence = "with the mean taken out of every unit's gradient"
    formula = "gᵢ ← gᵢ − mean(gᵢ)"
    source = "H. Yong, J. Huang, X. Hua, L. Zhang, Gradient Centralization, 2020"

    @staticmethod
    def before(w: Tensor, g: Tensor, c: Scalars) -> Tensor:
        return g - g.mean(dim=tuple(range(1, g.ndim)), keepdim=True) if g.ndim > 1 else g


@dataclass(frozen=True)
class SharpnessAware(Wrapper):
    """g ← ∇L(w + ρg/|g|), |g| over all parameters, for the same batch: twice the work of a step

    All other wrappers of the rule see this gradient instead of the first.
    """

    radius: float = number(0.05, "ρ", "how far up the slope the gradient is taken", low=0)
    second = "elsewhere"
    title = "sharpness-aware"
    sentence = "with the gradient taken a short way up the slope, which favours flat minima"
    formula = "g ← ∇L(w + ρg/|g|)"
    source = "P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, Sharpness-Aware Minimization, 2021"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"radius": self.radius}

    @staticmethod
    def elsewhere(w: Tensor, g: Tensor, s: State, c: Scalars) -> Tensor:
        size = norm(g)
        return w + g * (c.radius / (size + 1e-12))  # 10⁻¹² as in the authors' code

    @staticmethod
    def combine(w: Tensor, g: Tensor, second: Tensor, s: State, c: Scalars) -> tuple[Tensor, dict[str, Tensor]]:
        return second, {}


# ---- the step, and the weights after it ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cautious(Wrapper):
    """w ← w − φΔ/max(mean φ, 10⁻³), where Δ is the rule's step and φ = 1 where Δg > 0, else 0

    The mean is over one parameter tensor. Δ is the whole change that the inner rule makes, including its weight decay.
    So its authors' C-AdamW, whose decay has no mask, is adam+cautious+decay and not adamw+cautious.
    """

    scope = "tensor"
    title = "cautious"
    sentence = "taken only where it agrees in sign with the gradient"
    formula = "Δ ← φΔ/mean φ, φ = [Δg > 0]"
    source = "K. Liang, L. Chen, B. Liu, Q. Liu, Cautious Optimizers: Improving Training with One Line of Code, 2024"

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        step = w - new
        agree = (step * g > 0).to(w.dtype)
        share = agree / agree.mean().clamp(min=1e-3)
        return torch.where(share == 1, new, w - step * share), ()


@dataclass(frozen=True)
class CautiousDecay(Wrapper):
    """w ← w − Δ − ηλ_c·φw, where Δ is the rule's step and φ = 1 where Δw ≥ 0, else 0

    A weight decays only where the step takes it towards zero too. Leave the rule's own decay at zero.
    """

    agreeing_decay: float = number(1e-2, "λ_c", "decay of the weights that the step moves towards zero", low=0)
    title = "cautious decay"
    sentence = "with a weight decay only where the step points towards zero too"
    formula = "w ← w − Δ − ηλ_c·φw, φ = [Δw ≥ 0]"
    source = "L. Chen et al., Cautious Weight Decay, 2025"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"agreeing_shrink": -self.lr * self.agreeing_decay}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        agree = ((w - new) * w >= 0).to(w.dtype)
        return add_scaled(new, agree * w, c.agreeing_shrink), ()


@dataclass(frozen=True)
class Hyperball(Wrapper):
    """w' = w − η‖w‖·Δ/‖Δ‖ ;  w ← ‖w‖·w'/‖w'‖, where Δ is the rule's step; vectors take Δ itself

    So matrices and kernels keep the length that they started with, and η is the length of a step relative to it. A
    matrix that starts at zero never moves.
    """

    scope = "tensor"
    title = "hyperball"
    sentence = "with matrices kept at the length they start with, and steps of that length times η"
    formula = "w ← ‖w‖·w'/‖w'‖, w' = w − η‖w‖·Δ/‖Δ‖"
    source = "K. Wen et al., Hyperball Optimization, 2025"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"ball_rate": self.lr}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        if w.ndim < 2:
            return new, ()
        step, size = w - new, torch.linalg.vector_norm(w)
        length = torch.linalg.vector_norm(step)
        moved = w - c.ball_rate * size * step / torch.where(length > 0, length, 1.0)
        there = torch.linalg.vector_norm(moved)
        return moved * (size / torch.where(there > 0, there, 1.0)), ()


@dataclass(frozen=True)
class Lookahead(Wrapper):
    """every k steps: φ ← φ + α(w − φ) ;  w ← φ, where φ starts at w"""

    look_every: float = number(5.0, "k", "steps between two updates of φ", low=1)
    pull: float = number(0.5, "α", "share of the distance to w that φ moves", low=0)
    state = ("slow",)
    title = "lookahead"
    sentence = "with slow weights that move half-way to its weights every few steps, and from which it continues"
    formula = "every k steps φ ← φ + α(w − φ), w ← φ"
    source = "M. R. Zhang, J. Lucas, G. Hinton, J. Ba, Lookahead Optimizer: k steps forward, 1 step back, 2019"

    def coefficients(self, t: int) -> dict[str, float]:
        due = t % self.look_every == 0
        return {"looks_first": float(t == 1), "looks": float(due), "looks_share": self.pull if due else 0.0}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        slow = lerp(lerp(s.slow, w, c.looks_first), new, c.looks_share)
        return lerp(new, slow, c.looks), (slow,)


@dataclass(frozen=True)
class MovingAverage(Wrapper):
    """x ← ρx + (1−ρ)w after every step, x = w after the first; the model is evaluated at x, and trained at w"""

    keep: float = number(0.99, "ρ", "share of the average x kept each step", low=0, below=1)
    state = ("average",)
    title = "moving average"
    sentence = "evaluated at a moving average of its weights"
    formula = "x ← ρx + (1−ρ)w, evaluated at x"
    source = "B. T. Polyak, A. B. Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"average_takes": 1.0 if t == 1 else 1 - self.keep}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return new, (lerp(s.average, new, c.average_takes),)

    @staticmethod
    def evaluation(w: Tensor, s: State, c: Scalars) -> Tensor:
        return s.average


@dataclass(frozen=True)
class PolynomialAverage(Wrapper):
    """x ← x + (1+γ)/(t+γ)·(w − x) after every step; the model is evaluated at x, and trained at w

    γ = 0 is the plain mean of all weights so far; the larger γ, the sooner old weights are forgotten.
    """

    gamma: float = number(8.0, "γ", "how soon old weights are forgotten; 0 is the plain mean", low=0)
    state = ("mean",)
    title = "average"
    sentence = "evaluated at an average of its weights that forgets more slowly with time"
    formula = "x ← x + (1+γ)/(t+γ)·(w − x), evaluated at x"
    source = "O. Shamir, T. Zhang, Stochastic Gradient Descent for Non-smooth Optimization, 2013"

    def coefficients(self, t: int) -> dict[str, float]:
        return {"mean_takes": (1 + self.gamma) / (t + self.gamma)}

    @staticmethod
    def after(w: Tensor, new: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return new, (lerp(s.mean, new, c.mean_takes),)

    @staticmethod
    def evaluation(w: Tensor, s: State, c: Scalars) -> Tensor:
        return s.mean


WRAPPERS: dict[str, type[Wrapper]] = {
    "l2": CoupledL2,
    "l1": L1,
    "decay": DecoupledDecay,
    "clip-value": ClipValue,
    "clip-norm": ClipNorm,
    "agc": AdaptiveClip,
    "centralise": Centralise,
    "sam": SharpnessAware,
    "cautious": Cautious,
    "cautious-decay": CautiousDecay,
    "hyperball": Hyperball,
    "lookahead": Lookahead,
    "ema": MovingAverage,
    "average": PolynomialAverage,
}
"""By the name that people type after a "+"."""


# ---- wrapping a rule -------------------------------------------------------------------------------------------------


def wrap(rule: type[Rule], *names: str) -> type[Rule]:
    """`rule` in the wrappers of these names, the first of them innermost. The same names always give the same class.

    Raises UnknownName, and BadSetting for a wrapper that is used twice or shares a hyperparameter's name.
    """
    for name in names:
        if name not in WRAPPERS:
            raise UnknownName.among("wrapper", name, WRAPPERS)
        rule = _wrapped(rule, WRAPPERS[name])
    return rule


def unwrap(rule: type[Rule]) -> tuple[type[Rule], list[str]]:
    """The innermost rule and the names of its wrappers: the arguments of `wrap`."""
    names: list[str] = []
    while (parts := _PARTS.get(rule)) is not None:
        wrapper, rule = parts
        names.insert(0, next(name for name, kind in WRAPPERS.items() if kind is wrapper))
    return rule, names


_PARTS: dict[type[Rule], tuple[type[Wrapper], type[Rule]]] = {}


@cache
def _wrapped(rule: type[Rule], wrapper: type[Wrapper]) -> type[Rule]:
    own = fields(wrapper)  # type: ignore[arg-type]
    clash = {item.name for item in fields(rule)} & {item.name for item in own} or {*rule.state} & {*wrapper.state}  # type: ignore[arg-type]
    if clash or wrapper in _kinds(rule):
        shared = f": both have {', '.join(sorted(clash))}" if clash else " a second time"
        raise BadSetting(f"{wrapper.__name__} cannot be put around {rule.__name__}{shared}.")
    if wrapper.second and rule.second:
        raise BadSetting(
            f"{wrapper.__name__} cannot be put around {rule.__name__}: each needs a second gradient of its own."
        )

    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        held = tuple(s)
        new, moved = rule.update(w, wrapper.before(w, g, c), state_record(rule, held[: len(rule.state)]), c)
        new, kept = wrapper.after(w, new, g, state_record(wrapper, held[len(rule.state) :]), c)
        return new, (*moved, *kept)

    def coefficients(both: Any, t: int) -> dict[str, float]:
        return {**rule.coefficients(both, t), **wrapper.coefficients(both, t)}

    def advance(both: Any, t: int, carry: dict[str, float]) -> dict[str, float]:
        return {**rule.advance(both, t, carry), **wrapper.coefficients(both, t)}

    scopes = {rule.scope, wrapper.scope}
    apart = ("model" in scopes and bool(scopes & {"tensor", "matrix"})) or rule.layers is not None
    made = make_dataclass(
        f"{rule.__name__}{wrapper.__name__}",
        [(item.name, item.type, field(default=item.default, metadata=item.metadata)) for item in own],
        bases=(rule,),
        frozen=True,
        namespace={
            "__module__": __name__,
            "__doc__": f"{rule.__doc__}\n\nWithin: {wrapper.__doc__}",
            "scope": max(rule.scope, wrapper.scope, key=_BREADTH.index),
            "state": (*rule.state, *wrapper.state),
            "is_flat": rule.is_flat and wrapper.scope == "element",
            "shapes": staticmethod(rule.shapes),
            "layers": (wrapper, rule) if apart else None,
            "coefficients": coefficients,
            **({} if rule.advance is Rule.advance else {"advance": advance}),
            "update": staticmethod(update),
            **({name: vars(wrapper)[name] for name in ("second", "elsewhere", "combine")} if wrapper.second else {}),
        },
    )
    if wrapper.evaluation is not Wrapper.evaluation:

        def evaluation_weights(w: Tensor, s: State, c: Scalars) -> Tensor:
            return wrapper.evaluation(w, state_record(wrapper, tuple(s)[-len(wrapper.state) :]), c)

        made.evaluation_weights = staticmethod(evaluation_weights)  # type: ignore[method-assign]
    _PARTS[made] = (wrapper, rule)
    return made


_BREADTH = ("element", "tensor", "matrix", "model")


def _kinds(rule: type[Rule]) -> set[type[Wrapper]]:
    return {WRAPPERS[name] for name in unwrap(rule)[1]}
