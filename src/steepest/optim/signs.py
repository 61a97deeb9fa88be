"""Rules that move by signs, so that the size of a gradient does not count, in order of rising complexity."""

from dataclasses import dataclass

import torch
from torch import Tensor

from steepest.optim.entry import SAME_BITS, Departure, Entry, Paper
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_scaled,
    decoupled_decay,
    lerp,
    number,
    rate,
)

RIEDMILLER = Paper(
    "M. Riedmiller, H. Braun", "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", 1993
)
BERNSTEIN = Paper(
    "J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar",
    "signSGD: Compressed Optimisation for Non-Convex Problems",
    2018,
    "1802.04434",
)
CHEN = Paper("X. Chen et al.", "Symbolic Discovery of Optimization Algorithms", 2023, "2302.06675")
SU = Paper("J. Su", "Tiger: A Tight-fisted Optimizer", 2023)


@dataclass(frozen=True)
class SignSGD(Rule):
    """w ← (1 − ηλ)w − η·sign(g)"""

    lr: float = rate(1e-3)
    weight_decay: float = decoupled_decay()

    def coefficients(self, t: int) -> dict[str, float]:
        return {"keep": 1 - self.lr * self.weight_decay, "step": -self.lr}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        return add_scaled(w * c.keep, g.sign(), c.step), ()


sign_sgd = Entry(
    name="sign-sgd",
    title="SignSGD",
    rule=SignSGD,
    summary="Moves every weight by the rate, against the sign of its gradient.",
    formula="w ← w − η·sign(g)",
    paper=BERNSTEIN,
    optax=Departure("the same as sign_sgd", {}),
)


@dataclass(frozen=True)
class Signum(SignSGD):
    """m ← βm + (1−β)g ;  w ← (1 − ηλ)w − η·sign(m)"""

    b1: float = number(0.9, "β", "share of m, the average of g, kept each step", low=0, below=1)
    state = ("m",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {**super().coefficients(t), "w1": 1 - self.b1}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m = lerp(s.m, g, c.w1)
        return add_scaled(w * c.keep, m.sign(), c.step), (m,)


signum = Entry(
    name="signum",
    title="Signum",
    rule=Signum,
    summary="Moves every weight by the rate, against the sign of an average of its gradients.",
    formula="m ← βm + (1−β)g ;  w ← w − η·sign(m)",
    paper=BERNSTEIN,
    optax=Departure("the same as signum", {}),
)


tiger = Entry(
    name="tiger",
    title="Tiger",
    rule=Signum,
    settings={"b1": 0.965, "weight_decay": 0.01},
    summary="Signum with a long memory and a decay: Lion with one β, which is cheaper to keep across batches.",
    formula="m ← βm + (1−β)g ;  w ← (1−ηλ)w − η·sign(m)",
    paper=SU,
    optax=Departure("has none of that name; signum with another β and no decay", {"b1": 0.9, "weight_decay": 0.0}),
    authors=Departure(
        "multiplies η by the root mean square of each tensor, or of each row of an embedding; biases and norms have "
        "half the rate and no decay"
    ),
)


@dataclass(frozen=True)
class Lion(Rule):
    """w ← (1 − ηλ)w − η·sign(β₁m + (1−β₁)g) ;  m ← β₂m + (1−β₂)g"""

    lr: float = rate(1e-4)
    b1: float = number(0.9, "β₁", "share of m in the direction", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of m, the average of g, kept each step", low=0, below=1)
    weight_decay: float = decoupled_decay()
    state = ("m",)

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "keep": 1 - self.lr * self.weight_decay,
            "b1": self.b1,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "step": -self.lr,
        }

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        towards = add_scaled(s.m * c.b1, g, c.w1).sign()
        return add_scaled(w * c.keep, towards, c.step), (add_scaled(s.m * c.b2, g, c.w2),)


lion = Entry(
    name="lion",
    title="Lion",
    rule=Lion,
    summary="Moves by signs, with a direction that weighs the newest gradient more than the stored average does.",
    formula="w ← w − η·sign(β₁m + (1−β₁)g) ;  m ← β₂m + (1−β₂)g",
    paper=CHEN,
    keras=Departure("the same; its η is 0.001", {}),
    keras_decouples=True,
    optax=Departure("λ is 0.001", {"weight_decay": 1e-3}),
)


@dataclass(frozen=True)
class Rprop(Rule):
    """s ← η₊s where pg > 0, η₋s where pg < 0, within [s₁, s₂] ;  p ← 0 where pg < 0, else g ;  w ← w − s·sign(p)

    s starts at η, the rate of the first step; what a schedule says later does nothing, as in torch. p is the gradient
    of the step before.
    """

    lr: float = rate(1e-2)
    down: float = number(0.5, "η₋", "factor of a step size whose gradient has changed its sign", above=0, below=1)
    up: float = number(1.2, "η₊", "factor of a step size whose gradient has kept its sign", above=1)
    least: float = number(1e-6, "s₁", "smallest step size", low=0)
    most: float = number(50.0, "s₂", "largest step size", above=0)
    state = ("p", "s")

    def initial(self) -> dict[str, float]:
        return {"s": self.lr}

    def coefficients(self, t: int) -> dict[str, float]:
        return {"down": self.down, "up": self.up, "least": self.least, "most": self.most}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        agreement = (g * s.p).sign()
        steps = torch.where(agreement > 0, s.s * c.up, torch.where(agreement < 0, s.s * c.down, s.s))
        steps = steps.clamp(min=c.least).clamp(max=c.most)
        p = torch.where(agreement < 0, 0.0, g)
        return add_product(w, p.sign(), steps, -1.0), (p, steps)


rprop = Entry(
    name="rprop",
    title="Rprop",
    rule=Rprop,
    centre=1e-3,
    summary="Gives each weight a step size that grows while its gradient keeps its sign and shrinks when it changes.",
    formula=(
        "s ← η₊s where pg > 0, η₋s where pg < 0, within [s₁, s₂] ;  "
        "p ← 0 where pg < 0, else g ;  w ← w − s·sign(p), s starts at η"
    ),
    paper=RIEDMILLER,
    torch=SAME_BITS,
    optax=Departure("applies every step one step late, and none at first (0.2.8)"),
)

ROWS = (rprop, sign_sgd, signum, lion, tiger)
