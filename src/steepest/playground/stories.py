"""What to look at first: five arrangements of the playground, each with what there is to see.

Every story holds for the paths as they were trained; a test looks at each of them.
"""

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
        say("A rate that is a little too large oscillates between the walls; a larger one diverges."),
        say(
            "The same method at three rates. At 0.01 it creeps along the floor of the "
            "bowl. At 0.1 it oscillates between the walls and still arrives sooner. At 0.3 "
            "each step is longer than the one before, and it diverges within a few steps."
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("sgd", 0.1), Run("sgd", 0.3)),
        start=1,
    ),
    Story(
        "adagrad-tires",
        say("AdaGrad slows down"),
        say("AdaGrad's steps can only shrink; RMSProp keeps moving."),
        say(
            "Every gradient here is noisy. AdaGrad adds up the squares of all gradients, "
            "so its effective step can only shrink. RMSProp forgets old squares, and after "
            "the first few steps its effective step hardly changes. Look at the curve of "
            "the effective step: one line falls, the other stays level."
        ),
        "effective",
        "valley",
        (Run("adagrad", 0.3), Run("rmsprop", 0.1, {"b2": 0.9})),
        noise=True,
    ),
    Story(
        "eps-matters",
        say("ε matters"),
        say("Where gradients are tiny, ε decides whether a method moves at all."),
        say(
            "Far out on the plateau the gradient is about 0.001. With ε = 10⁻⁸, RMSProp "
            "divides it by its own size and moves at full speed. With ε = 0.1, the "
            "denominator is about ε, and the same method at the same rate hardly moves. "
            "SGD does not divide by anything and hardly moves either."
        ),
        "paths",
        "plateau",
        (Run("rmsprop", 0.03, {"eps": 1e-8}), Run("rmsprop", 0.03, {"eps": 0.1}), Run("sgd", 0.03)),
    ),
    Story(
        "momentum-overshoots",
        say("Momentum overshoots"),
        say("Some momentum is fast; too much overshoots the minimum and has to come back."),
        say(
            "Momentum keeps a share μ of its velocity. With μ = 0.9 it is much faster "
            "along the floor than SGD at the same rate. With μ = 0.99 it overshoots the "
            "minimum and comes back, again and again."
        ),
        "paths",
        "bowl",
        (Run("sgd", 0.01), Run("momentum", 0.01, {"momentum": 0.9}), Run("momentum", 0.01, {"momentum": 0.99})),
    ),
    Story(
        "sparse-features",
        say("Sparse features"),
        say("With one step size for all, the rare feature falls behind; AdaGrad gives it longer steps."),
        say(
            "y gets a gradient in only one of ten steps. SGD uses one step size for both "
            "coordinates, so y falls far behind x. AdaGrad divides by the past gradients "
            "of each coordinate: at first the effective step of y is more than twice that "
            "of x (switch between x and y above the curve), and y gets further."
        ),
        "paths",
        "sparse",
        (Run("sgd", 0.03), Run("adagrad", 0.3)),
    ),
)
