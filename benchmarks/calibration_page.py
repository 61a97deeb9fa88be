"""Writes the results of `make calibrate` into docs/statistics.md, from the JSON that it left.

$ python -m benchmarks.calibration_page     # also done by make calibrate
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
RESULTS = Path(__file__).parent / "results" / "calibration.json"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
FALSE_WINS, AGREEMENT, COVERAGE = 0.05, 0.95, (0.93, 0.97)
"""What is promised: at most, at least, within."""

Rate = Mapping[str, Any]
"""A rate with its interval, its n, and the number of independent ones that would say as much."""


def page(found: Mapping[str, Any]) -> str:
    """The section, from what a calibration found."""
    parts = _lines(found)
    return "\n".join(part if part.startswith(("|", "\n|")) else _wrapped(part) for part in parts)


def _wrapped(part: str) -> str:
    """A paragraph in lines of a readable length, with the empty lines around it."""
    words = part.strip("\n")
    return part.replace(words, fill(words, 120, break_on_hyphens=False)) if words else part


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    studies = sum(cell["studies"] for cell in found["cells"])
    wins, agreement, coverage = found["false_win_rate"], found["agreement"], found["coverage"]
    clones = wins["a clone among all"]
    low, high = COVERAGE
    yield (
        f"From {studies} studies of five optimizers (SGD, momentum, AdaGrad, RMSProp, Adam) with refinement and edge "
        "rule, each with its own seeds. Brackets show 95 % intervals. They count studies, not comparisons, because "
        "the comparisons of one study share its seeds.\n"
    )
    yield "| statement | promised | found | n | kept? |\n|---|---|---|---|---|"
    for what, promised, rate, within in (
        ("one optimizer under two names called different", f"at most {FALSE_WINS}", wins, (0, FALSE_WINS)),
        ("a clone among all five called different", f"at most {FALSE_WINS}", clones, (0, FALSE_WINS)),
        (
            "claimed wins that the mean of all other studies confirms",
            f"at least {AGREEMENT}",
            agreement,
            (AGREEMENT, 1),
        ),
        ("intervals that contain the difference over all seeds", f"{low} to {high}", coverage, COVERAGE),
    ):
        yield f"| {what} | {promised} | {_rate(rate)} | {rate['n']} | {kept(rate, within)} |"
    yield (
        '\n"Kept" is "yes" if the whole interval of the result meets the promise, "no" if none of it does, and "open" '
        "otherwise.\n"
    )
    yield from _cells(found["cells"])
    yield from _simulated(coverage["simulated"])


def kept(rate: Rate, within: tuple[float, float]) -> str:
    """Whether a promise is kept, as far as the interval of the result shows."""
    low, high = within
    if rate["rate"] is None:
        return "open"
    if low <= rate["low"] and rate["high"] <= high:
        return "yes"
    return "no" if rate["high"] < low or rate["low"] > high else "open"


def _cells(cells: list[Mapping[str, Any]]) -> Iterator[str]:
    yield (
        "For comparison, the usual protocol on the same trials: tune on one seed or on all, then repeat the winner on "
        "new seeds, and test. Fraction of studies of one optimizer against itself that declare a winner:\n"
    )
    yield "| task, seeds | studies | every seed tunes for itself | usual, tuned on 1 seed | usual, tuned on all |"
    yield "|---|---|---|---|---|"
    for cell in cells:
        usual = cell["usual"]
        names = (cell["two names"], usual["tuned on 1 seed"], usual["tuned on all seeds"])
        yield f"| {cell['task']}, {cell['seeds']} | {cell['studies']} | {' | '.join(map(_rate, names))} |"
    yield ""


def _simulated(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    """Coverage where the truth is known, and whether it lies within what is promised."""
    inside = [COVERAGE[0] <= row["welch"] <= COVERAGE[1] for row in rows]
    least = min(rows, key=lambda row: row["welch"])
    yield (
        f"Coverage by simulation (a larger version is in the table above): in {sum(inside)} of {len(rows)} cells, the "
        f"interval of the verdict covers {COVERAGE[0]} to {COVERAGE[1]}. The lowest coverage is {least['welch']:.3f}: "
        f"{least['luck']} values, noise {least['noise']}, {least['replicates']} repeats."
    )


def _rate(rate: Rate) -> str:
    if rate["rate"] is None:
        return "–"
    return f"{rate['rate']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"


def write() -> None:
    """Put the section in its place. Raises ValueError where the page has no place for it."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} has no place for it: put {BEGIN} and {END} there.")
    section = page(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
