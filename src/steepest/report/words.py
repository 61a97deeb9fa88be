"""The words of text and page that are not sentences about results (those are written by the verdict)."""

from __future__ import annotations

from typing import Any

KINDS = {
    "use": "Use",
    "tie": "Ties",
    "behind": "Behind",
    "rate": "Rates",
    "edge": "Edge of the search",
    "failure": "Failures",
    "time": "Time",
    "weak": "Weak evidence",
    "luck": "Luck",
    "change": "What would change this",
}
"""Kind of a claim → the label in front of it."""

STATUS = {
    "best": ("best", "The best mean over the replicates."),
    "tie": ("tie", "Its difference to the best may be none, or is smaller than matters."),
    "behind": ("behind", "Worse than the best by more than luck and the practical margin explain."),
    "unsure": ("unsure", "Too few sound replicates to judge."),
    "failed": ("failed", "No replicate reached the horizon."),
}
"""Status of a contender → its word and what it means."""


def by_kind(claims: list[dict[str, Any]], pairs: bool = False) -> list[tuple[str, list[str]]]:
    """Claims under the labels of their kinds, both in the order in which the verdict tells them.

    pairs: those that put a row of the ranking into words; otherwise all the others.
    """
    groups: dict[str, list[str]] = {}
    for claim in claims:
        if claim["pair"] is not pairs:
            continue
        groups.setdefault(KINDS[claim["kind"]], []).append(claim["sentence"])
    return list(groups.items())


def listed(items: list[str]) -> str:
    """Items as people say them: "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else " and ".join([", ".join(items[:-1]), items[-1]]) if items else ""


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 seed", "1,560 trials"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def with_unit(text: str, unit: str) -> str:
    """A formatted number with its unit: "97.4 %", "0.81"."""
    return f"{text} {unit}" if unit and text != "–" else text
