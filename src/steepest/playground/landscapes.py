"""The landscapes of the playground: functions of two parameters that show what sets optimizers apart, and a regression.

A landscape takes all lanes of a fleet at once, w [R, 2] → loss [R]; gradients come from autograd, never from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from steepest.language import Text
from steepest.records import rng

Loss = Callable[[Tensor, int], Tensor]
"""(w [R, 2], step t = 1, 2, …) → loss [R]. Step 0 asks for the whole landscape, without what a step leaves out."""


@dataclass(frozen=True)
class Landscape:
    """A loss over two parameters, the window through which it is looked at, and where to start."""

    name: str
    title: Text
    about: Text
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
    """The same over ten of them, drawn anew at each step."""
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
            Text("An ill-conditioned bowl", "病态的碗"),
            Text(
                "38 times as steep across as along. A rate that is right for one direction is wrong for the other.",
                "横向比纵向陡 38 倍。适合一个方向的学习率，对另一个方向就不合适。",
            ),
            ("x", "y"), (-5, 5, -2.5, 2.5), ((-4.2, 1.6), (3.8, -0.5)), ((0, 0),), 1.0, 1, bowl,
        ),
        Landscape(
            "rosenbrock",
            Text("Rosenbrock's valley", "Rosenbrock 山谷"),
            Text(
                "Getting into the bent valley is easy; following its nearly flat floor to the minimum is not.",
                "落入弯曲的山谷很容易，沿着几乎平坦的谷底走到最低点却不容易。",
            ),
            ("x", "y"), (-2, 2, -1, 3), ((-1.2, 1.0), (0.2, 2.4)), ((1, 1),), 0.5, 0, rosenbrock,
        ),
        Landscape(
            "saddle",
            Text("A saddle", "鞍点"),
            Text(
                "Beside the saddle the slope is almost nothing. The way out is down on either side.",
                "鞍点旁边几乎没有坡度。出路在两侧的下方。",
            ),
            ("x", "y"), (-2, 2, -1.6, 1.6), ((-1.6, 0.002), (1.5, -0.2)), ((0, 1), (0, -1)), 0.1, 1, saddle,
        ),
        Landscape(
            "plateau",
            Text("A plateau", "高原"),
            Text(
                "A plain with a hole in it. Far out the gradient is so small that plain descent all but stands still.",
                "平原上有一个洞。离得远时梯度极小，普通的梯度下降几乎停在原地。",
            ),
            ("x", "y"), (-4.5, 4.5, -3.5, 3.5), ((-3.4, 2.2), (2.4, -1.2)), ((0, 0),), 0.02, 0, plateau,
        ),
        Landscape(
            "valley",
            Text("A noisy valley", "有噪声的山谷"),
            Text(
                "Each gradient is off by luck, as that of a mini-batch is. Near the minimum there is nothing but "
                "noise.",
                "每个梯度都带有偶然的偏差，就像小批量的梯度那样。在最低点附近只剩下噪声。",
            ),
            ("x", "y"), (-5, 5, -2.5, 2.5), ((-4.2, 1.8), (3.6, 1.2)), ((0, 0),), 2.0, 0, valley,
        ),
        Landscape(
            "minima",
            Text("Many minima", "许多极小值"),
            Text(
                "A bowl with dents, and only the one in the middle is the lowest. Who carries momentum rolls over "
                "some.",
                "布满凹坑的碗，只有正中的一个最低。带有动量的会滚过其中一些。",
            ),
            ("x", "y"), (-5, 5, -4, 4), ((-4.0, 2.9), (3.0, -1.6)),
            ((0, 0),), 0.5, 0, many_minima,
        ),
        Landscape(
            "sparse",
            Text("A rare feature", "稀有特征"),
            Text(
                "y belongs to a feature that one example in ten has: nine steps of ten leave it without a gradient.",
                "y 对应一个十个样本中只有一个才有的特征：十步中有九步它没有梯度。",
            ),
            ("x", "y"), (-4, 4, -4, 4), ((-3.2, 3.2), (3.0, -2.0)), ((0, 0),), 0.3, 1, sparse,
        ),
        Landscape(
            "line",
            Text("A real regression: y = 3x + 2", "真实的回归：y = 3x + 2"),
            Text(
                "A weight and a bias are fitted to 100 points of the articles' line. With noise, each step sees ten "
                "of them.",
                "用一个权重和一个偏置拟合文章中那条直线的 100 个点。打开噪声时，每一步只看其中十个。",
            ),
            ("w", "b"), (-1, 7, -1, 5), ((0, 0), (6.0, 4.0)), (_least_squares(),), 0.0, 0,
            regression, regression_of_a_batch,
        ),
    )  # fmt: skip
