"""The methods of the playground: rows of the catalogue, the settings that can be chosen, and the formula with gaps for
its numbers. What the numbers are is the rules' business.
"""

from dataclasses import dataclass
from itertools import product

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Knob:
    """A setting of a rule besides its rate, and the values that it can have here."""

    name: str
    """What the rule calls it: "b1","""
    letter: str
    """and its letter in the formula: "β₁"."""
    choices: tuple[float, ...]
    usual: float


@dataclass(frozen=True)
class Method:
    """One optimizer of the catalogue."""

    name: str
    numbers: tuple[str, ...]
    """One step with gaps in braces, a line for each part of the catalogue's formula: {w} {new} {g} {lr}, {to_t} (the
    step as an exponent), the names of the knobs, and those of its state, before the step with `old_` in front."""
    knobs: tuple[Knob, ...] = ()

    def variants(self) -> list[dict[str, float]]:
        """All choices of the knobs, the last of them changing fastest."""
        return [
            dict(zip((knob.name for knob in self.knobs), values, strict=True))
            for values in product(*(knob.choices for knob in self.knobs))
        ]


MOMENTUM = Knob("momentum", "μ", (0.5, 0.9, 0.99), 0.9)
EPS = Knob("eps", "ε", (1e-8, 0.1), 1e-8)

METHODS = (
    Method("sgd", ("w = {w} − {lr}·{g} = {new}",)),
    Method("momentum", ("v = {momentum}·{old_v} + {g} = {v}", "w = {w} − {lr}·{v} = {new}"), (MOMENTUM,)),
    Method(
        "nesterov", ("v = {momentum}·{old_v} + {g} = {v}", "w = {w} − {lr}·({g} + {momentum}·{v}) = {new}"), (MOMENTUM,)
    ),
    Method("adagrad", ("G = {old_G} + {g}² = {G}", "w = {w} − {lr}·{g} / (√{G} + {eps}) = {new}"), (EPS,)),
    Method(
        "rmsprop",
        ("v = {b2}·{old_v} + (1 − {b2})·{g}² = {v}", "w = {w} − {lr}·{g} / (√{v} + {eps}) = {new}"),
        (Knob("b2", "β", (0.9, 0.99), 0.99), EPS),
    ),
    Method(
        "adam",
        (
            "m = {b1}·{old_m} + (1 − {b1})·{g} = {m}",
            "v = {b2}·{old_v} + (1 − {b2})·{g}² = {v}",
            "w = {w} − {lr} · {m}/(1 − {b1}{to_t}) / (√({v}/(1 − {b2}{to_t})) + {eps}) = {new}",
        ),
        (Knob("b1", "β₁", (0.5, 0.9, 0.99), 0.9), Knob("b2", "β₂", (0.9, 0.999), 0.999), EPS),
    ),
    Method(
        "lion",
        ("w = {w} − {lr}·sign({b1}·{old_m} + (1 − {b1})·{g}) = {new}", "m = {b2}·{old_m} + (1 − {b2})·{g} = {m}"),
        (Knob("b1", "β₁", (0.5, 0.9), 0.9), Knob("b2", "β₂", (0.9, 0.99), 0.99)),
    ),
)
