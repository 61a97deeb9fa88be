"""One fixed look for each optimizer, in every study and every picture: a colour for its family, a dash and a marker.

The eight colours were searched for in OKLab so that every pair stays apart for normal, protan, deutan and tritan eyes
and each has a contrast of at least 3 : 1 with its page (a test holds them to both). Colour is never the only cue.
"""

from __future__ import annotations

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


FIXED = {
    "gd": Style(0, 1),
    "sgd-1": Style(0, 2),
    "sgd": Style(0, 0),
    "asgd": Style(0, 3),
    "lars": Style(0, 4),
    "schedule-free-sgd": Style(0, 5),
    "hypergradient-sgd": Style(0, 6),
    "momentum": Style(1, 0),
    "momentum-averaged": Style(1, 1),
    "rprop": Style(1, 2),
    "sign-sgd": Style(1, 3),
    "signum": Style(1, 4),
    "lion": Style(1, 5),
    "tiger": Style(1, 6),
    "nesterov": Style(6, 0),
    "adan": Style(6, 1),
    "nadam": Style(6, 2),
    "nadamw": Style(6, 3),
    "mars-approx": Style(6, 4),
    "mars": Style(6, 6),
    "ademamix": Style(6, 5),
    "adagrad": Style(2, 0),
    "adagrad-printed": Style(2, 1),
    "adadelta": Style(2, 2),
    "adafactor": Style(2, 3),
    "dog": Style(2, 4),
    "dowg": Style(2, 5),
    "rmsprop": Style(3, 0),
    "rmsprop-printed": Style(3, 1),
    "rmsprop-momentum": Style(3, 2),
    "rmsprop-centred": Style(3, 3),
    "d-adapt-sgd": Style(3, 4),
    "d-adapt-adam": Style(3, 5),
    "prodigy": Style(3, 6),
    "adam": Style(4, 0),
    "adam-printed": Style(4, 1),
    "amsgrad": Style(4, 2),
    "adamax": Style(4, 3),
    "radam": Style(4, 4),
    "adabelief": Style(4, 5),
    "yogi": Style(4, 6),
    "adamw": Style(5, 0),
    "lamb": Style(5, 1),
    "schedule-free-adamw": Style(5, 2),
    "hypergradient-adam": Style(5, 3),
    "radamw": Style(5, 4),
    "muon": Style(7, 0),
    "muon-bfloat16": Style(7, 1),
    "shampoo": Style(7, 2),
    "soap": Style(7, 3),
    "sophia-g": Style(7, 4),
}
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
