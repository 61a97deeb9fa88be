"""One fixed look for each optimizer, in every study and every picture: a colour for its family, a dash and a marker.

The eight colours were searched for in OKLab so that every pair stays apart for normal, protan, deutan and tritan eyes
and each has a contrast of at least 3 : 1 with its page (a test holds them to both). Colour is never the only cue.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from steepest.records.contender import Contender

COLOURS = (  # slot: (on a light page, on a dark page)
    ("#2f363d", "#e9e8e7"),  # 0 ink
    ("#3450af", "#5886f7"),  # 1 blue
    ("#b58d0e", "#f0b830"),  # 2 gold
    ("#c14528", "#fc764d"),  # 3 vermilion
    ("#178585", "#49c689"),  # 4 green
    ("#8a3ae4", "#b695fc"),  # 5 purple
    ("#239de0", "#83cff6"),  # 6 sky
    ("#eb2b96", "#f883c6"),  # 7 pink
)
DASHES = (
    (),
    (7, 4),
    (2, 3),
    (10, 3, 2, 3),
    (14, 5),
    (4, 2, 4, 6),
    (12, 3, 2, 3, 2, 3),
)  # lengths of stroke and gap in pixels; () is a solid line
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus", "funnel")  # one for each dash


@dataclass(frozen=True)
class Style:
    """How one contender is drawn: indices into COLOURS and DASHES (a marker goes with each dash)."""

    colour: int
    dash: int


FAMILIES = {  # colour: the optimizers that share it, in the order of DASHES
    0: "sgd gd sgd-1 asgd lars schedule-free-sgd hypergradient-sgd",
    1: "momentum momentum-averaged rprop sign-sgd signum lion tiger",
    2: "adagrad adagrad-printed adadelta adafactor dog dowg",
    3: "rmsprop rmsprop-printed rmsprop-momentum rmsprop-centred d-adapt-sgd d-adapt-adam prodigy",
    4: "adam adam-printed amsgrad adamax radam adabelief yogi adopt laprop adam-atan2",
    5: "adamw lamb schedule-free-adamw hypergradient-adam radamw stable-adamw schedule-free-radam",
    6: "nesterov adan nadam nadamw mars-approx ademamix mars",
    7: "muon muon-bfloat16 normuon shampoo soap sophia-g scion shampoo-grafted",
}
FIXED = {name: Style(colour, dash) for colour, names in FAMILIES.items() for dash, name in enumerate(names.split())}
"""Catalogue name → its look, for good: relatives share a colour, and the dash distinguishes them."""


def styles(contenders: Sequence[Contender]) -> list[Style]:
    """A look for each contender, all different: its optimizer's own, or the next free one with the same colour.

    Only what shares an optimizer with another contender of the study (another batch size, say), or is not in the
    catalogue, can get a look that depends on the study.
    """
    taken: set[Style] = set()
    chosen: dict[int, Style] = {}
    by_right = sorted(range(len(contenders)), key=lambda i: (contenders[i].rule not in FIXED, i))
    for i in by_right:
        first = FIXED.get(contenders[i].rule) or _style_of_stranger(contenders[i].rule)
        chosen[i] = next((style for style in _alternatives(first) if style not in taken), first)
        taken.add(chosen[i])
    return [chosen[i] for i in range(len(contenders))]


def stylesheet() -> str:
    """The colours as CSS: class `c0` … `c7` sets `--c`, for either theme."""
    return "\n".join(f".c{slot} {{ --c: light-dark({light}, {dark}); }}" for slot, (light, dark) in enumerate(COLOURS))


def _style_of_stranger(rule: str) -> Style:
    """The same look for the same name wherever it turns up, though no table knows it."""
    digest = hashlib.sha256(rule.encode("utf-8", "surrogatepass")).digest()
    return Style(digest[0] % len(COLOURS), 0)


def _alternatives(first: Style) -> list[Style]:
    """All looks, those with the same colour first, then the colours after it."""
    shifts = product(range(len(COLOURS)), range(len(DASHES)))
    return [Style((first.colour + c) % len(COLOURS), (first.dash + d) % len(DASHES)) for c, d in shifts]
