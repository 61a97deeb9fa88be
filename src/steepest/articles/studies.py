"""The studies that test the articles' claims, as rows of a table. They are ordinary studies; `hypotheses` states what
is measured in each.
"""

from dataclasses import dataclass

from steepest.records.contender import Contender

BASIC = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
PRINTED = (
    "momentum",
    "momentum-averaged",
    "adagrad",
    "adagrad-printed",
    "rmsprop",
    "rmsprop-printed",
    "adam",
    "adam-printed",
)


@dataclass(frozen=True)
class Planned:
    """A study of the articles' claims."""

    key: str
    """Name of its folder."""
    tasks: tuple[tuple[str, float | None], ...]
    """Built-in tasks, each with a horizon in epochs; None for the task's own."""
    optimizers: tuple[str | Contender, ...]
    seeds: int
    why: str
    """Its purpose, in one sentence."""
    share: float
    """Approximate share of the total time, used to divide a budget."""
    probes: bool = False
    """Whether the training of its contenders is examined afterwards."""
    grid: int | None = None
    rates: tuple[float, ...] = ()
    batch_sizes: tuple[int | str, ...] = ()


FIRST_SEED = 100
"""The first seed. Results of smaller seeds were seen while the hypotheses were written."""
HEAVY_BALL, AVERAGED = (0.003, 0.01, 0.03, 0.1), (0.03, 0.1, 0.3, 1.0)
"""Rates at which the two forms of momentum should agree: η and η/(1 − β), with β = 0.9."""


def matched() -> tuple[Contender, Contender]:
    return (
        Contender("momentum", "momentum", 0.03, rates=HEAVY_BALL),
        Contender("momentum-averaged", "momentum-averaged", 0.3, rates=AVERAGED),
    )


STUDIES = (
    Planned(
        "dense",
        (("digits", None), ("digits-linear", None), ("housing", 4)),
        BASIC,
        10,
        "The five methods on dense data: images with and without a hidden layer, and a table of house prices.",
        0.28,
        probes=True,
    ),
    Planned(
        "long",
        (("digits-linear", 100), ("digits", 100)),
        ("sgd", "adagrad", "rmsprop", "adam"),
        5,
        "Training nearly seven times as long as usual, so that a step that keeps decreasing matters.",
        0.2,
        probes=True,
    ),
    Planned(
        "matched",
        (("digits", None),),
        matched(),
        10,
        "Heavy-ball momentum at η compared with averaged momentum at η/(1 − β).",
        0.02,
    ),
    Planned(
        "bouncing",
        (("quadratic", None),),
        ("sgd", "momentum"),
        10,
        "A valley a thousand times as steep across as along, where steps tend to oscillate.",
        0.02,
        probes=True,
    ),
    Planned(
        "batches",
        (("digits", 5),),
        ("sgd",),
        5,
        "SGD with 1, 32 and all examples per step, for equal samples and for equal seconds.",
        0.12,
        batch_sizes=(1, 32, "full"),
    ),
    Planned(
        "printed",
        (("digits", None), ("housing", 2)),
        PRINTED,
        10,
        "The formulas as the tutorial prints them, compared with those of libraries, each tuned.",
        0.18,
    ),
    Planned(
        "untuned",
        (("digits", None), ("housing", 2)),
        ("adam", "adam-printed"),
        10,
        "Both forms of Adam at the same rate, its default.",
        0.01,
        rates=(0.001,),
    ),
    Planned(
        "sparse",
        (("movielens", 3), ("news-bow", 2)),
        BASIC,
        5,
        "Sparse data: the parameters of a person, a film or a word have a gradient only when they occur in a batch.",
        0.17,
        grid=5,
    ),
)


def study(key: str) -> Planned:
    return next(item for item in STUDIES if item.key == key)
