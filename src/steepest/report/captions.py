"""Captions of figures for papers: what is drawn, over how many seeds, and what the bands show."""

from collections.abc import Sequence

from steepest.messages import NOTHING, Message, counted, enumerated, say
from steepest.report.schema import ProbeFigure, TaskView, View

OFF_SCALE = say(" Arrow: off the scale.")


def rates(view: View, task: TaskView) -> Message:
    failing = say(
        " Crosses at the {edge} edge: rates at which trials failed.",
        edge=say("lower") if task["higher_is_better"] else say("upper"),
    )  # fmt: skip
    return say(
        "{title}: mean final validation {metric} of the trials that finished, at every "
        "rate searched ({seeds} each). Band: {level} % interval.{failing}",
        failing=failing if any(point["failed"] for s in task["standings"] for point in s["points"]) else NOTHING,
        level=_level(view),
        **_shared(view, task),
    )


def curves(view: View, task: TaskView) -> Message:
    return say(
        "{title}: each optimizer at its recommended rate. Line: median over {seeds}; a "
        "failed seed counts as the worst. Band: 10th to 90th percentile of the seeds.",
        **_shared(view, task),
    )


def forest(view: View, task: TaskView, arrows: bool = True) -> Message:
    """`arrows`: whether any optimizer is off the scale; so in `ranking`."""
    return say(
        "{title}: mean difference in test {metric} from the best, over {seeds}, each tuned "
        "separately; positive is worse. Bar: interval of {test} at the level at which "
        "Holm's procedure decided the pair; p is adjusted by Holm. Shaded: within the "
        "margin of {margin}, where differences count as ties.{arrows}",
        arrows=OFF_SCALE if arrows else NOTHING,
        test=say("the paired t-test") if task["paired"] else say("Welch's t-test"),
        margin=task["margin_text"],
        **_shared(view, task),
    )


def ranking(view: View, task: TaskView, arrows: bool = True) -> Message:
    return say(
        "{title}: mean test {metric} of {replicates} (a replicate is one seed with its own "
        "tuning). Bar: {level} % interval (Student's t). Ticks: single replicates.{arrows}",
        arrows=OFF_SCALE if arrows else NOTHING,
        replicates=counted(view["reproduce"]["seeds"], "{n:,} replicate", "{n:,} replicates"),
        level=_level(view),
        **_shared(view, task),
    )


def best_of_k(task: TaskView) -> Message:
    return say(
        "{title}: expected test {metric} when k of the searched rates are tried at random "
        "and the best on validation is used. Points are omitted where all k may fail.",
        title=task["title"],
        metric=task["metric"],
    )


def probes(figures: Sequence[ProbeFigure]) -> Message:
    """Every quantity in a sentence of its own, and how many trials were looked into."""
    trials = max((n for each in figures for line in each["series"] for n in line["n"]), default=0)
    details = enumerated(
        [say("{title}: {caption}", title=f["title"], caption=f["caption"]) for f in figures], "{sentence} {sentences}"
    )
    return say(
        "Line: median of {n} per optimizer at its recommended rate; band: minimum to maximum. {details}",
        n=counted(trials, "{n:,} trial", "{n:,} trials"),
        details=details,
    )


def _shared(view: View, task: TaskView) -> dict[str, Message]:
    """Parts of several captions."""
    return {
        "title": task["title"],
        "metric": task["metric"],
        "seeds": counted(view["reproduce"]["seeds"], "{n:,} seed", "{n:,} seeds"),
    }


def _level(view: View) -> str:
    return f"{100 * view['study']['confidence']:g}"
