"""The Schedule-Free rules, which average what they have done in the place of a schedule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from steepest.optim.adam import rectification
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_scaled,
    at_rate,
    coupled_decay,
    lerp,
    number,
    rate,
    shift,
)

DEFAZIO = Paper("A. Defazio et al.", "The Road Less Scheduled", 2024, "2405.15682")


@dataclass(frozen=True)
class ScheduleFreeSGD(Rule):
    """z ← z − ηg ;  x ← (1−c)x + cz, where c = κ_t/Σκ and κ_t = t^ν·η^φ ;  w ← (1−β)z + βx

    w is where the gradient is taken, x where the model is to be evaluated; z and x start at w. In κ, η is the largest
    so far.
    """

    lr: float = rate(1.0)
    b1: float = number(0.9, "β", "share of the average x in w", above=0, below=1)
    power: float = number(0.0, "ν", "power of t in the weight of a step", low=0)
    rate_power: float = number(2.0, "φ", "power of η in the weight of a step", low=0)
    weight_decay: float = coupled_decay()
    state = ("z",)
    carry: ClassVar[Mapping[str, float]] = {"weights": 0.0, "largest": 0.0}

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        carry["largest"] = max(carry["largest"], self.lr)
        weight = t**self.power * carry["largest"] ** self.rate_power
        carry["weights"] += weight
        share = weight / carry["weights"] if carry["weights"] else 0.0
        return {
            "first": 1.0 if t == 1 else 0.0,
            "decay": self.weight_decay,
            "share": share,
            "pull": self.lr * (self.b1 * (1 - share) - 1),
            "step": -self.lr,
            "beyond": 1 - 1 / self.b1,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return _schedule_free(w, add_scaled(g, w, c.decay), s.z, c), (_z(w, add_scaled(g, w, c.decay), s.z, c),)

    @staticmethod
    def evaluation_weights(w: Tensor, s: State, c: Scalars) -> Tensor:
        """x = w + (1 − 1/β)(z − w)"""
        return lerp(w, s.z, c.beyond)


schedule_free_sgd = Entry(
    name="schedule-free-sgd",
    title="Schedule-Free SGD",
    rule=ScheduleFreeSGD,
    summary="SGD that averages its weights instead of following a schedule, and is evaluated at the average.",
    formula="z ← z − ηg ;  x ← (1−c)x + cz, c = η^φ/Ση^φ ;  w ← (1−β)z + βx, evaluated at x",
    paper=DEFAZIO,
    optax=Departure("the same, as contrib.schedule_free_sgd, at a rate that does not rise", {}),
)


@dataclass(frozen=True)
class ScheduleFreeAdamW(ScheduleFreeSGD):
    """v ← β₂v + (1−β₂)g² ;  z ← z − η(g/(√(v/(1−β₂ᵗ)) + ε) + λw), then x and w as in Schedule-Free SGD"""

    lr: float = rate(2.5e-3)
    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    weight_decay: float = number(0.0, "λ", "weight decay, at w and outside of the scaling", low=0)
    state = ("z", "v")

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        return {
            **super().advance(t, carry),
            "b2": self.b2,
            "w2": 1 - self.b2,
            "correction": 1 - self.b2**t,
            "eps": self.eps,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        v = add_product(s.v * c.b2, g, g, c.w2)
        d = add_scaled(g / shift((v / c.correction).sqrt(), c.eps), w, c.decay)
        return _schedule_free(w, d, s.z, c), (_z(w, d, s.z, c), v)


schedule_free_adamw = Entry(
    name="schedule-free-adamw",
    title="Schedule-Free AdamW",
    rule=ScheduleFreeAdamW,
    centre=1e-2,
    summary="AdamW with an average of its weights instead of momentum and a schedule.",
    formula=(
        "v ← β₂v + (1−β₂)g² ;  z ← z − η · g/(√(v/(1−β₂ᵗ)) + ε) ;  x ← (1−c)x + cz, c = η^φ/Ση^φ ;  "
        "w ← (1−β)z + βx, evaluated at x"
    ),
    paper=DEFAZIO,
    optax=Departure("the same, as contrib.schedule_free_adamw, at a rate that does not rise", {}),
)


@dataclass(frozen=True)
class ScheduleFreeRAdam(ScheduleFreeAdamW):
    """As Schedule-Free AdamW at the rate ηr, with r and ρ as in RAdam ;  while ρ ≤ 4, r is 0

    The warm-up of RAdam, so that none has to be chosen. With β₂ up to 0.6, ρ would stay below 4 for good.
    """

    b2: float = number(0.999, "β₂", "share of v, the average of g², kept each step", above=0.6, below=1)

    def advance(self, t: int, carry: dict[str, float]) -> dict[str, float]:
        own = at_rate(type(self), vars(self), self.lr * (rectification(self.b2, t, 4.0) or 0.0))
        return ScheduleFreeAdamW.advance(own, t, carry)


schedule_free_radam = Entry(
    name="schedule-free-radam",
    title="Schedule-Free RAdam",
    rule=ScheduleFreeRAdam,
    centre=1e-2,
    summary="Schedule-Free AdamW whose rate rises as RAdam's does.",
    formula=(
        "v ← β₂v + (1−β₂)g² ;  z ← z − ηr · g/(√(v/(1−β₂ᵗ)) + ε) where ρ > 4 ;  x ← (1−c)x + cz, "
        "c = (ηr)^φ/Σ(ηr)^φ ;  w ← (1−β)z + βx, evaluated at x"
    ),
    paper=DEFAZIO,
)


def _schedule_free(w: Tensor, d: Tensor, z: Tensor, c: Scalars) -> Tensor:
    """w after a step along d, without x: w + c(z − w) − η(1 − β(1−c))d."""
    return add_scaled(lerp(w, lerp(z, w, c.first), c.share), d, c.pull)


def _z(w: Tensor, d: Tensor, z: Tensor, c: Scalars) -> Tensor:
    return add_scaled(lerp(z, w, c.first), d, c.step)


ROWS = (schedule_free_sgd, schedule_free_adamw, schedule_free_radam)
