"""Figures for a paper, drawn by matplotlib from the view: what the page shows, at the width of a column.

Every method returns a `matplotlib.figure.Figure` that belongs to nobody: `figure.savefig("rates.pdf")`. Nothing global
is touched, no window opens. Colours, dashes and markers are those of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steepest.errors import BadSetting, UnknownName
from steepest.report.extras import extra

WIDE, HIGH = 5.5, 3.4
"""Inches: the text width of most conferences."""
SHAPES = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "x", "plus": "+", "funnel": "v",
}  # fmt: skip


@dataclass(frozen=True)
class Plots:
    """The figures of one study. Each raises BadSetting where matplotlib is missing, and UnknownName for a task."""

    view: Mapping[str, Any]

    def rates(self, task: str | None = None) -> Any:
        """Mean validation metric against learning rate, with its interval; one line an optimizer."""
        found = self._task(task)
        figure, axes = self._axes()
        for s, look in self._looks(found):
            points = [point for point in s["points"] if point["valid"]]
            mean = [point["valid"]["value"] for point in points]
            low, high = (
                [_or(point["valid"][end], point["valid"]["value"]) for point in points] for end in ("low", "high")
            )
            rate = [point["rate"] for point in points]
            axes.plot(rate, mean, **look)
            axes.fill_between(rate, low, high, color=look["color"], alpha=0.12, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"validation {_metric(found)}")
        return self._with_legend(figure, axes)

    def curves(self, task: str | None = None, quantity: str = "valid_metric") -> Any:
        """Median over seeds with the band from 10 to 90 %, each optimizer at its recommended rate.

        quantity: "valid_metric" or "train_loss".
        """
        if quantity not in ("valid_metric", "train_loss"):
            raise UnknownName.among("curve", quantity, ("valid_metric", "train_loss"))
        found = self._task(task)
        figure, axes = self._axes()
        for s, look in self._looks(found):
            drawn = s["curves"]
            if drawn["chosen"] is None:
                continue
            band = drawn["band"][quantity]
            axes.plot(drawn["steps"], _floats(drawn["rates"][drawn["chosen"]][quantity]), **{**look, "marker": ""})
            axes.fill_between(
                drawn["steps"],
                _floats(band["low"]),
                _floats(band["high"]),
                color=look["color"],
                alpha=0.12,
                linewidth=0,
            )
        axes.set_xlabel("step")
        axes.set_ylabel(
            f"validation {_metric(found)}" if quantity == "valid_metric" else f"training {found['loss_name']}"
        )
        return self._with_legend(figure, axes)

    def ranking(self, task: str | None = None) -> Any:
        """Mean test metric of each optimizer with its interval, the best on top."""
        found = self._task(task)
        shown = [(s, look) for s, look in self._looks(found) if s["quality"]]
        figure, axes = self._axes(0.9 + 0.28 * len(shown))
        for y, (s, look) in enumerate(shown):
            q = s["quality"]
            ends = [[q["value"] - _or(q["low"], q["value"])], [_or(q["high"], q["value"]) - q["value"]]]
            axes.errorbar([q["value"]], [y], xerr=ends, color=look["color"], marker=look["marker"], capsize=3)
        axes.set_yticks(range(len(shown)), [look["label"] for _, look in shown])
        axes.invert_yaxis()
        axes.set_xlabel(f"test {_metric(found)}, mean and {100 * self.view['study']['confidence']:g} % interval")
        return figure

    def best_of_k(self, task: str | None = None) -> Any:
        """Expected test metric of the best on validation of k rates drawn at random, against k."""
        found = self._task(task)
        figure, axes = self._axes()
        for s, look in self._looks(found):
            known = [(int(k), value) for k, value in s["best_of"].items() if value is not None]
            if known:
                axes.plot(*zip(*known, strict=True), **look)
        axes.set_xlabel("learning rates tried")
        axes.set_ylabel(f"expected test {_metric(found)}")
        return self._with_legend(figure, axes)

    # ---- helpers ----

    def _task(self, name: str | None) -> Mapping[str, Any]:
        tasks = {task["name"]: task for task in self.view["tasks"]}
        if not tasks:
            raise BadSetting("No trial of this study has finished, so there is nothing to draw yet.")
        if name is not None and name not in tasks:
            raise UnknownName.among("task in this study", name, tasks)
        return tasks[name] if name is not None else self.view["tasks"][0]

    def _looks(self, task: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
        """Each standing with how its line looks."""
        palette = self.view["palette"]
        for s in task["standings"]:
            contender = self.view["contenders"][s["contender"]]
            dash = palette["dashes"][contender["dash"]]
            yield (
                s,
                {
                    "color": palette["colours"][contender["colour"]][0],
                    "linestyle": (0, [part / 1.5 for part in dash]) if dash else "-",
                    "marker": SHAPES[contender["marker"]],
                    "markersize": 3.5,
                    "linewidth": 1.4,
                    "label": contender["label"].replace("$", r"\$"),
                },
            )

    def _axes(self, high: float = HIGH) -> tuple[Any, Any]:
        figure = extra("matplotlib.figure", "A figure", "plot").Figure(figsize=(WIDE, high), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.tick_params(labelsize=8)
        return figure, axes

    def _with_legend(self, figure: Any, axes: Any) -> Any:
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def _metric(task: Mapping[str, Any]) -> str:
    unit = f" ({task['unit']})" if task["unit"] else ""
    return f"{task['metric']}{unit}".replace("$", r"\$")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _floats(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
