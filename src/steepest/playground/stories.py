"""What to look at first: five arrangements of the playground, each with what there is to see.

Every story holds for the paths as they were trained; a test looks at each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from steepest.messages import Message, say


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
    title: Message
    point: Message
    text: Message
    where: Literal["paths", "loss", "effective"]
    """Where on the page it is to be seen."""
    land: str
    runs: tuple[Run, ...]
    start: int = 0
    noise: bool = False


STORIES = (
    Story(
        "too-large",
        say("Too large"),
        say(
            "A little too large leaps from wall to wall; larger still, and it is gone.",
        ),
        say(
            "The same method at three rates. At 0.01 it creeps along the floor of the bowl; at 0.1 it leaps from "
            "wall to wall and still arrives sooner; at 0.3 each leap is longer than the one before, and it is gone "
            "within a few steps.",
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("sgd", 0.1), Run("sgd", 0.3)),
        start=1,
    ),
    Story(
        "adagrad-tires",
        say("AdaGrad tires"),
        say("AdaGrad's steps only ever shrink; RMSProp keeps walking."),
        say(
            "Every gradient here is noisy, and AdaGrad adds up the squares of all of them, so its effective step "
            "only ever shrinks. RMSProp forgets old squares and, after the first few steps, keeps its own. Look at "
            "the curve of the effective step: one line falls, the other stays level.",
        ),
        "effective",
        "valley",
        (Run("adagrad", 0.3), Run("rmsprop", 0.1, {"b2": 0.9})),
        noise=True,
    ),
    Story(
        "eps-matters",
        say("ε matters"),
        say(
            "Where gradients are tiny, ε alone decides whether a method moves at all.",
        ),
        say(
            "Far out on the plateau the gradient is about a thousandth. With ε = 10⁻⁸ RMSProp divides it by its own "
            "size and walks at full speed; with ε = 0.1 the denominator is ε, and the same method at the same rate "
            "hardly moves. SGD, which divides by nothing, stands still as well.",
        ),
        "paths",
        "plateau",
        (Run("rmsprop", 0.03, {"eps": 1e-8}), Run("rmsprop", 0.03, {"eps": 0.1}), Run("sgd", 0.03)),
    ),
    Story(
        "momentum-overshoots",
        say("Momentum overshoots"),
        say(
            "Some momentum is quick; too much runs past the minimum and has to come back.",
        ),
        say(
            "Momentum keeps a share μ of its speed. With μ = 0.9 it is much quicker along the floor than SGD at the "
            "same rate; with μ = 0.99 it cannot brake, runs past the minimum, and comes back, again and again.",
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("momentum", 0.01, {"momentum": 0.9}), Run("momentum", 0.01, {"momentum": 0.99})),
    ),
    Story(
        "sparse-features",
        say("Sparse features"),
        say(
            "One step size for all leaves the rare feature behind; AdaGrad gives it longer steps.",
        ),
        say(
            "y gets a gradient in one step of ten only. SGD has one step for both coordinates, so y lags far behind x. "
            "AdaGrad divides by what each coordinate has seen: at first the effective step of the rare one is more "
            "than twice that of x (switch between x and y above the curve), and y gets further.",
        ),
        "paths",
        "sparse",
        (Run("sgd", 0.03), Run("adagrad", 0.3)),
    ),
)
