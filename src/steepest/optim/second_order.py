"""Rules that need a second gradient in some of their steps, and so train one model at a time; see `Rule.second`."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from steepest.errors import BadInput
from steepest.optim.entry import Departure, Entry, Paper
from steepest.optim.layerwise import (
    MARS_APPLIES_TO,
    MARS_SHARE,
    YUAN,
    adamw,
    mars_coefficients,
    mars_step,
    of_parameter,
)
from steepest.optim.rule import (
    Rule,
    Scalars,
    State,
    Updated,
    add_product,
    add_scaled,
    choice,
    decoupled_decay,
    lerp,
    number,
    rate,
)

LIU = Paper(
    "H. Liu, Z. Li, D. Hall, P. Liang, T. Ma",
    "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training",
    2024,
    "2305.14342",
)


@dataclass(frozen=True)
class SophiaG(Rule):
    """every k steps: h ← β₂h + (1−β₂)B·ĝ² ;  m ← β₁m + (1−β₁)g ;  u = m/max(γh, ε) ;
    w ← (1 − ηλ)w − η·min(max(u, −1), 1)

    ĝ is the gradient of the mean loss over the B targets of the batch if they are drawn from what the model predicts:
    the Gauss-Newton-Bartlett estimate. It is made in the first step and in every k-th from there, before the update.
    """

    lr: float = rate(1e-4)
    b1: float = number(0.96, "β₁", "share of m, the average of g, kept each step", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of h, the average of curvatures, kept at each estimate", low=0, below=1)
    gamma: float = number(0.05, "γ", "factor of h: a larger value clips fewer steps", low=0)
    eps: float = number(1e-12, "ε", "least divisor", above=0)
    every: float = number(10.0, "k", "steps between two estimates of the curvature", low=1)
    weight_decay: float = decoupled_decay(0.2)
    state = ("m", "h")
    second = "sampled"

    def coefficients(self, t: int) -> dict[str, float]:
        return {
            "second": 1.0 if (t - 1) % max(1, round(self.every)) == 0 else 0.0,
            "keep": 1 - self.lr * self.weight_decay,
            "w1": 1 - self.b1,
            "b2": self.b2,
            "w2": 1 - self.b2,
            "gamma": self.gamma,
            "eps": self.eps,
            "step": -self.lr,
        }

    @staticmethod
    def combine(w: Tensor, g: Tensor, second: Tensor, s: State, c: Scalars) -> tuple[Tensor, Mapping[str, Tensor]]:
        return g, {"h": add_product(s.h * c.b2, second, second, c.w2)}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        m = lerp(s.m, g, c.w1)
        u = m / (c.gamma * s.h).clamp(min=c.eps)
        return add_scaled(w * c.keep, u.clamp(-1.0, 1.0), c.step), (m, s.h)


sophia_g = Entry(
    name="sophia-g",
    title="Sophia-G",
    rule=SophiaG,
    centre=1e-3,
    summary="Divides an average of gradients by one of curvatures, and clips each element of the result to [−1, 1].",
    formula=(
        "every k steps: h ← β₂h + (1−β₂)B·ĝ², ĝ with targets drawn from the model ;  m ← β₁m + (1−β₁)g ;  "
        "w ← (1−ηλ)w − η·min(max(m/max(γh, ε), −1), 1)"
    ),
    paper=LIU,
    optax=Departure(
        "estimates the curvature after the step and corrects m; γ is 0.01 and λ 1e-4; by default it is Sophia-H, "
        "which takes the curvature of the loss along random signs"
    ),
    authors=Departure(
        "their code has other defaults than their paper", {"b1": 0.965, "gamma": 0.04, "weight_decay": 0.1}
    ),
)


@dataclass(frozen=True)
class MARS(Rule):
    """c = g + γβ₁/(1−β₁) · (g − ∇L(o)) ;  o ← w ;  c ← c/max(1, ‖c‖) ;  then AdamW with c in the place of g

    ∇L(o) is the gradient of *this* batch at the weights before the last step, ‖·‖ the norm of one parameter tensor. The
    first step has no such weights, and corrects nothing. Parameters without exactly two axes, such as biases and
    kernels, get AdamW's step with settings of their own, unless applies_to is "all".
    """

    lr: float = rate(3e-3)
    b1: float = number(0.95, "β₁", "share of m, the average of c, kept each step", low=0, below=1)
    b2: float = number(0.99, "β₂", "share of v, the average of c², kept each step", low=0, below=1)
    eps: float = number(1e-8, "ε", "added to the root", low=0)
    gamma: float = number(0.025, "γ", "how far the change of the gradient corrects it", low=0)
    weight_decay: float = decoupled_decay()
    applies_to: str = choice("matrices", "all", "matrices", meaning=MARS_APPLIES_TO)
    share: float = number(1.0, "ρ", MARS_SHARE, low=0)
    b1_others: float = number(0.9, "β₁′", "β₁ of these parameters", low=0, below=1)
    b2_others: float = number(0.95, "β₂′", "β₂ of these parameters", low=0, below=1)
    decay_others: float = number(0.1, "κ", "decoupled weight decay of these parameters", low=0)
    scope = "tensor"
    state = ("o", "m", "v")
    second = "elsewhere"

    def coefficients(self, t: int) -> dict[str, float]:
        own = adamw(self.lr, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay).coefficients(t)
        settings = {"b1": self.b1_others, "b2": self.b2_others, "eps": self.eps, "weight_decay": self.decay_others}
        others = adamw(self.share * self.lr, **settings) if self.applies_to == "matrices" else None
        correct = self.gamma * self.b1 / (1 - self.b1)
        return {"second": 0.0 if t == 1 else 1.0, **mars_coefficients(own, others, correct, t)}

    @staticmethod
    def elsewhere(w: Tensor, g: Tensor, s: State, c: Scalars) -> Tensor:
        return s.o

    @staticmethod
    def combine(w: Tensor, g: Tensor, second: Tensor, s: State, c: Scalars) -> tuple[Tensor, Mapping[str, Tensor]]:
        return add_scaled(g, g - second, of_parameter(w, c).correct), {}

    @staticmethod
    def update(w: Tensor, g: Tensor, s: State, c: Scalars) -> Updated:
        new, m, v = mars_step(w, g, s, of_parameter(w, c))
        return new, (w.clone(), m, v)


mars = Entry(
    name="mars",
    title="MARS",
    rule=MARS,
    summary="AdamW on gradients that are corrected by how the last step changed them, on the same batch.",
    formula=(
        "c = g + γβ₁/(1−β₁) · (g − ∇L(o)) ;  o ← w ;  c ← c/max(1, ‖c‖) ;  m ← β₁m + (1−β₁)c ;  "
        "v ← β₂v + (1−β₂)c² ;  w ← w − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) ;  "
        "without two axes: AdamW with ρη, β₁′, β₂′ and κ"
    ),
    paper=YUAN,
    authors=Departure("the same with is_approx=False, where the caller makes the second gradient", {}),
)


def sampled(logits: Tensor, targets: Tensor, generator: torch.Generator | None = None, ignored: int = -100) -> Tensor:
    """Targets like `targets`, class numbers [B, …], each drawn from the softmax of its `logits` [B, K, …].

    Those with the number `ignored` stay as they are. Raises BadInput for targets that are not class numbers.
    """
    if targets.is_floating_point() or logits.ndim != targets.ndim + 1:
        raise BadInput(
            "Targets can be sampled only from predictions that are logits [B, K, …] for class targets "
            f"[B, …]; the shapes are {list(logits.shape)} and {list(targets.shape)}. "
            "Use an optimizer other than sophia-g."
        )
    shares = logits.detach().movedim(1, -1).float().softmax(-1)  # [B, …, K]
    drawn = torch.multinomial(shares.flatten(0, -2), 1, generator=generator).view_as(targets)
    return torch.where(targets == ignored, targets, drawn.to(targets.dtype))


ROWS = (sophia_g, mars)
