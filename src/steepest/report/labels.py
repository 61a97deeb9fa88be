"""The words of text and page that are not sentences about results (those are written by the verdict)."""

import re
from collections.abc import Iterable, Mapping

from steepest.messages import Message, enumerated, say, shown, tr
from steepest.report.schema import ClaimView, StandingView, TaskSetting, TaskView
from steepest.verdict.results import Status

KINDS = {
    "use": say("Use"),
    "tie": say("Ties"),
    "behind": say("Behind"),
    "why": say("Why"),
    "rate": say("Rates"),
    "edge": say("Search range"),
    "failure": say("Failures"),
    "time": say("Time"),
    "weak": say("Limited evidence"),
    "luck": say("Random variation"),
    "change": say("What could change this"),
}
"""Kind of a claim → the label in front of it."""

STATUS: Mapping[Status, tuple[Message, Message]] = {
    "best": (say("best"), say("Best mean over the replicates.")),
    "tie": (say("tie"), say("Not shown to differ from the best, or differs by less than the practical margin.")),
    "behind": (
        say("behind"),
        say("Worse than the best: the difference is significant and exceeds the practical margin."),
    ),
    "unsure": (say("unsure"), say("Too few successful replicates to decide.")),
    "failed": (say("failed"), say("No replicate finished its training.")),
}
"""Status of a contender → its word and what it means."""


def status(task: TaskView, standing: StandingView) -> str:
    """The word for a contender's status, with a mark at what its owner uses now."""
    word = shown(STATUS[standing["status"]][0])
    if standing["status"] == "best" and not task["advises"]:  # one with too few seeds is ahead
        word = tr("best judged")
    return word if standing["contender"] != task["baseline"] else f"{word}, {tr('yours')}"


def by_kind(claims: Iterable[ClaimView], pairs: bool = False) -> list[tuple[Message, list[Message]]]:
    """Claims under the labels of their kinds, both in the order of the verdict.

    pairs: those that put a row of the ranking into words; otherwise all the others.
    """
    found: dict[str, list[Message]] = {}
    for claim in claims:
        if claim["pair"] is pairs:
            found.setdefault(claim["kind"], []).append(claim["sentence"])
    return [(KINDS[kind], sentences) for kind, sentences in found.items()]


def seed_draws(task: TaskSetting) -> Message:
    """What a seed determines, and intervals cover."""
    return enumerated(task["luck"])


def first_sentence(paragraph: str) -> tuple[str, str, str]:
    """The first sentence, what separates it from the rest, and the rest."""
    end = _END.search(paragraph)
    return (paragraph[: end.start()], end[0], paragraph[end.end() :]) if end else (paragraph, "", "")


_END = re.compile(r"(?<=[.!?]) +(?=[A-Z])|(?<=[\u3002\uff01\uff1f])(?!$)")


def with_unit(text: str, unit: str) -> str:
    """A formatted number with its unit: "97.4 %", "0.81"."""
    return f"{text} {unit}" if unit and text != "–" else text
