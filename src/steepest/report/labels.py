"""The words of text and page that are not sentences about results (those are written by the verdict)."""

from __future__ import annotations

from typing import Any

from steepest.language import Language, Text

KINDS = {
    "use": Text("Use", "选用"),
    "tie": Text("Ties", "不相上下"),
    "behind": Text("Behind", "落后"),
    "why": Text("Why", "原因"),
    "rate": Text("Rates", "学习率"),
    "edge": Text("Edge of the search", "搜索边界"),
    "failure": Text("Failures", "失败"),
    "time": Text("Time", "时间"),
    "weak": Text("Weak evidence", "证据不足之处"),
    "luck": Text("Luck", "运气"),
    "change": Text("What would change this", "什么会改变结论"),
}
"""Kind of a claim → the label in front of it."""

STATUS = {
    "best": (Text("best", "最好"), Text("The best mean over the replicates.", "各次重复的均值最好。")),
    "tie": (
        Text("tie", "不相上下"),
        Text(
            "Its difference to the best may be none, or is smaller than matters.",
            "它与最好者的差距可能为零，或小到没有实际意义。",
        ),
    ),
    "behind": (
        Text("behind", "落后"),
        Text(
            "Worse than the best by more than luck and the practical margin explain.",
            "比最好者差，差距超出运气和实际意义界限所能解释的。",
        ),
    ),
    "unsure": (Text("unsure", "未定"), Text("Too few sound replicates to judge.", "有效的重复太少，无法判断。")),
    "failed": (Text("failed", "失败"), Text("No replicate reached the horizon.", "没有一次重复完成训练。")),
}
"""Status of a contender → its word and what it means."""


def by_kind(
    claims: list[dict[str, Any]], pairs: bool = False, language: Language = "en"
) -> list[tuple[str, list[str]]]:
    """Claims under the labels of their kinds, both in the order in which the verdict tells them.

    pairs: those that put a row of the ranking into words; otherwise all the others.
    """
    key = "sentence_zh" if language == "zh" else "sentence"
    groups: dict[str, list[str]] = {}
    for claim in claims:
        if claim["pair"] is not pairs:
            continue
        groups.setdefault(KINDS[claim["kind"]].of(language), []).append(claim[key])
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
