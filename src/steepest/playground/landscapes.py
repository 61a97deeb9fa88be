"""The landscapes of the playground: functions of two parameters that show what sets optimizers apart, and a regression.

A landscape takes all lanes of a fleet at once, w [R, 2] → loss [R]; gradients come from autograd, never from here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from steepest.messages import Message, say
from steepest.records import rng

Loss = Callable[[Tensor, int], Tensor]
"""(w [R, 2], step t = 1, 2, …) → loss [R]. Step 0 asks for the whole landscape, without what a step leaves out."""


@dataclass(frozen=True)
class Landscape:
    """A loss over two parameters, the window through which it is looked at, and where to start."""

    name: str
    title: Message
    about: Message
    axes: tuple[str, str]
    """Letters of the two parameters."""
    window: tuple[float, float, float, float]
    """x from, x to, y from, y to."""
    starts: tuple[tuple[float, float], tuple[float, float]]
    minima: tuple[tuple[float, float], ...]
    noise: float
    """Standard deviation of what is added to each gradient where noise is switched on."""
    shown: int
    """The coordinate whose numbers are shown beside the formula."""
    loss: Loss
    noisy_loss: Loss | None = None
    """The loss of a step's own examples, in the place of added noise."""


def bowl(w: Tensor, t: int) -> Tensor:
    """f = ½ (x²/2 + 19 y²): 38 times as steep across as along; descent oscillates from η = 2/19 on."""
    x, y = w.unbind(-1)
    return 0.5 * (0.5 * x**2 + 19 * y**2)


def rosenbrock(w: Tensor, t: int) -> Tensor:
    """f = ((1 − x)² + 100 (y − x²)²) / 50, after H. H. Rosenbrock (1960), scaled so that usual rates suit it."""
    x, y = w.unbind(-1)
    return ((1 - x) ** 2 + 100 * (y - x**2) ** 2) / 50


def saddle(w: Tensor, t: int) -> Tensor:
    """f = ½ x² − ½ y² + ¼ y⁴ + ¼: a saddle at (0, 0), and minima of 0 at (0, ±1)."""
    x, y = w.unbind(-1)
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4 + 0.25


def plateau(w: Tensor, t: int) -> Tensor:
    """f = 1 − exp(−(x² + y²)/2): a hole in a plain on which the slope all but vanishes."""
    return 1 - torch.exp(-0.5 * (w**2).sum(-1))


def valley(w: Tensor, t: int) -> Tensor:
    """f = ½ (x²/10 + 4 y²)"""
    x, y = w.unbind(-1)
    return 0.5 * (0.1 * x**2 + 4 * y**2)


def many_minima(w: Tensor, t: int) -> Tensor:
    """f = ½ (x² + y²)/4 + Σ (1 − cos 3w)/3, after L. A. Rastrigin (1974): a bowl with dents; 0 at (0, 0) only."""
    return 0.125 * (w**2).sum(-1) + ((1 - torch.cos(3 * w)) / 3).sum(-1)


RARE = 10
"""Steps from one example with the rare feature to the next."""


def sparse(w: Tensor, t: int) -> Tensor:
    """f = ½ (x² + y²/10): y is the weight of a feature that one example in ten has, and moves only when it comes."""
    x, y = w.unbind(-1)
    share = 1 / RARE if t == 0 else float(t % RARE == 0)
    return 0.5 * (x**2 + share * y**2)


@cache
def line_data() -> tuple[Tensor, Tensor]:
    """100 points of y = 3x + 2 + N(0, 0.1²), x uniform in 0 … 1: the articles' example."""
    draw = rng.generator(0, "data")
    x = draw.uniform(size=100)
    return torch.from_numpy(x), torch.from_numpy(3 * x + 2 + draw.normal(0, 0.1, size=100))


BATCH = 10


def regression(w: Tensor, t: int) -> Tensor:
    """Mean squared error of y = wx + b over all 100 points."""
    return _error(w, slice(None))


def regression_of_a_batch(w: Tensor, t: int) -> Tensor:
    """The same over ten of them, drawn again at each step."""
    drawn = rng.generator(0, "order", t).choice(100, size=BATCH, replace=False)
    return _error(w, torch.from_numpy(drawn))


def _error(w: Tensor, which: slice | Tensor) -> Tensor:
    x, y = (part[which] for part in line_data())
    return ((w[:, :1] * x + w[:, 1:] - y) ** 2).mean(-1)


def _least_squares() -> tuple[float, float]:
    x, y = line_data()
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return slope, float(y.mean() - slope * x.mean())


@cache
def landscapes() -> tuple[Landscape, ...]:
    """All of them, in the order of the page's menu."""
    return (
        Landscape(
            "bowl",
            say("An ill-conditioned bowl"),
            say(
                "38 times as steep across as along: a rate that suits one direction does "
                "not suit the other.",
            ),
            ("x", "y"), (-5, 5, -2.5, 2.5), ((-4.2, 1.6), (3.8, -0.5)), ((0, 0),), 1.0, 1, bowl,
        ),
        Landscape(
            "rosenbrock",
            say("Rosenbrock's valley"),
            say(
                "Entering the curved valley is easy; following its nearly flat floor to "
                "the minimum is hard.",
            ),
            ("x", "y"), (-2, 2, -1, 3), ((-1.2, 1.0), (0.2, 2.4)), ((1, 1),), 0.5, 0, rosenbrock,
        ),
        Landscape(
            "saddle",
            say("A saddle"),
            say(
                "Near the saddle point the gradient almost vanishes. The loss falls on "
                "both sides of it.",
            ),
            ("x", "y"), (-2, 2, -1.6, 1.6), ((-1.6, 0.002), (1.5, -0.2)), ((0, 1), (0, -1)), 0.1, 1, saddle,
        ),
        Landscape(
            "plateau",
            say("A plateau"),
            say(
                "A flat region around a hole. Far out, the gradient is so small that "
                "gradient descent barely moves.",
            ),
            ("x", "y"), (-4.5, 4.5, -3.5, 3.5), ((-3.4, 2.2), (2.4, -1.2)), ((0, 0),), 0.02, 0, plateau,
        ),
        Landscape(
            "valley",
            say("A noisy valley"),
            say(
                "Each gradient is noisy, like that of a mini-batch. Near the minimum, "
                "noise dominates.",
            ),
            ("x", "y"), (-5, 5, -2.5, 2.5), ((-4.2, 1.8), (3.6, 1.2)), ((0, 0),), 2.0, 0, valley,
        ),
        Landscape(
            "minima",
            say("Many minima"),
            say(
                "A bowl with local minima; the one in the middle is the lowest. Momentum "
                "carries a method across some of them.",
            ),
            ("x", "y"), (-5, 5, -4, 4), ((-4.0, 2.9), (3.0, -1.6)),
            ((0, 0),), 0.5, 0, many_minima,
        ),
        Landscape(
            "sparse",
            say("A rare feature"),
            say(
                "y is the weight of a feature that one in ten examples has: in nine of ten "
                "steps it gets no gradient.",
            ),
            ("x", "y"), (-4, 4, -4, 4), ((-3.2, 3.2), (3.0, -2.0)), ((0, 0),), 0.3, 1, sparse,
        ),
        Landscape(
            "line",
            say("A real regression: y = 3x + 2"),
            say(
                "A weight and a bias are fitted to 100 points. With noise, each step uses "
                "ten of them.",
            ),
            ("w", "b"), (-1, 7, -1, 5), ((0, 0), (6.0, 4.0)), (_least_squares(),), 0.0, 0,
            regression, regression_of_a_batch,
        ),
    )  # fmt: skip
