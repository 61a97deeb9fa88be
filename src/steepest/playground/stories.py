"""What to look at first: five arrangements of the playground, each with what there is to see.

Every story holds for the paths as they were trained; a test looks at each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from steepest.language import Text


@dataclass(frozen=True)
class Run:
    """One path on the page. Knobs that are not named stand as usual."""

    method: str
    rate: float
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A landscape, some runs on it, the point in one sentence, and two or three that tell what to see."""

    name: str
    title: Text
    point: Text
    text: Text
    where: Literal["paths", "loss", "effective"]
    """Where on the page it is to be seen."""
    land: str
    runs: tuple[Run, ...]
    start: int = 0
    noise: bool = False


STORIES = (
    Story(
        "too-large",
        Text("Too large", "过大"),
        Text(
            "A little too large leaps from wall to wall; larger still, and it is gone.",
            "稍大一点就在两壁之间跳来跳去；再大一点就飞走了。",
        ),
        Text(
            "The same method at three rates. At 0.01 it creeps along the floor of the bowl; at 0.1 it leaps from "
            "wall to wall and still arrives sooner; at 0.3 each leap is longer than the one before, and it is gone "
            "within a few steps.",
            "同一种方法，三个学习率。0.01 时它沿着碗底慢慢爬；0.1 时它在两壁之间来回跳，却仍然更早到达；"
            "0.3 时每一跳都比前一跳更远，几步之内就飞了出去。",
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("sgd", 0.1), Run("sgd", 0.3)),
        start=1,
    ),
    Story(
        "adagrad-tires",
        Text("AdaGrad tires", "AdaGrad 后劲不足"),
        Text(
            "AdaGrad's steps only ever shrink; RMSProp keeps walking.", "AdaGrad 的步子只会越来越小；RMSProp 一直在走。"
        ),
        Text(
            "Every gradient here is noisy, and AdaGrad adds up the squares of all of them, so its effective step "
            "only ever shrinks. RMSProp forgets old squares and, after the first few steps, keeps its own. Look at "
            "the curve of the effective step: one line falls, the other stays level.",
            "这里每个梯度都带噪声，AdaGrad 把所有梯度的平方都累加起来，所以它的有效步长只会越来越小。"
            "RMSProp 会忘掉旧的平方，最初几步之后步长就保持不变。请看有效步长的曲线：一条下降，另一条持平。",
        ),
        "effective",
        "valley",
        (Run("adagrad", 0.3), Run("rmsprop", 0.1, {"b2": 0.9})),
        noise=True,
    ),
    Story(
        "eps-matters",
        Text("ε matters", "ε 很要紧"),
        Text(
            "Where gradients are tiny, ε alone decides whether a method moves at all.",
            "梯度极小的地方，动还是不动全由 ε 决定。",
        ),
        Text(
            "Far out on the plateau the gradient is about a thousandth. With ε = 10⁻⁸ RMSProp divides it by its own "
            "size and walks at full speed; with ε = 0.1 the denominator is ε, and the same method at the same rate "
            "hardly moves. SGD, which divides by nothing, stands still as well.",
            "在高原远处，梯度大约只有千分之一。ε = 10⁻⁸ 时，RMSProp 用梯度自身的大小去除它，于是全速前进；"
            "ε = 0.1 时，分母就是 ε，同一方法、同一学习率几乎不动。什么都不除的 SGD 也停在原地。",
        ),
        "paths",
        "plateau",
        (Run("rmsprop", 0.03, {"eps": 1e-8}), Run("rmsprop", 0.03, {"eps": 0.1}), Run("sgd", 0.03)),
    ),
    Story(
        "momentum-overshoots",
        Text("Momentum overshoots", "动量会冲过头"),
        Text(
            "Some momentum is quick; too much runs past the minimum and has to come back.",
            "适量的动量走得快；过多就会冲过最低点，还得折返。",
        ),
        Text(
            "Momentum keeps a share μ of its speed. With μ = 0.9 it is much quicker along the floor than SGD at the "
            "same rate; with μ = 0.99 it cannot brake, runs past the minimum, and comes back, again and again.",
            "动量保留速度的一部分 μ。μ = 0.9 时，它沿碗底比同一学习率的 SGD 快得多；"
            "μ = 0.99 时它刹不住车，冲过最低点再折返，一次又一次。",
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("momentum", 0.01, {"momentum": 0.9}), Run("momentum", 0.01, {"momentum": 0.99})),
    ),
    Story(
        "sparse-features",
        Text("Sparse features", "稀疏特征"),
        Text(
            "One step size for all leaves the rare feature behind; AdaGrad gives it longer steps.",
            "步长一视同仁，稀有特征就落在后面；AdaGrad 给它更长的步子。",
        ),
        Text(
            "y gets a gradient in one step of ten only. SGD has one step for both coordinates, so y lags far behind x. "
            "AdaGrad divides by what each coordinate has seen: at first the effective step of the rare one is more "
            "than twice that of x (switch between x and y above the curve), and y gets further.",
            "y 每十步才有一次梯度。SGD 对两个坐标用同样的步长，y 因此远远落后于 x。"
            "AdaGrad 按每个坐标见过的梯度去除：起初稀有坐标的有效步长是 x 的两倍多（可在曲线上方切换 x 与 y），"
            "y 也走得更远。",
        ),
        "paths",
        "sparse",
        (Run("sgd", 0.03), Run("adagrad", 0.3)),
    ),
)
