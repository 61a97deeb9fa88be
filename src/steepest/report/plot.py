"""Figures for a paper, drawn by matplotlib from the view: what the page shows, at the width of a column.

Every method returns a `matplotlib.figure.Figure` that belongs to nobody: `figure.savefig("rates.pdf")`. Nothing global
is touched, no window opens. Colours, dashes and markers are those of the page. Under each figure stands what is drawn,
over how many seeds, and what its bands are; `caption=False` leaves that out for a caption of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from steepest.errors import BadSetting, UnknownName
from steepest.messages import ENGLISH, Language, Message, catalogue, language, say, shown, speaking, tr
from steepest.report import captions
from steepest.report.optional import extra
from steepest.report.rounding import one_line
from steepest.report.schema import CurveDomain, EstimateView, StandingView, TaskView, View
from steepest.report.wrapping import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawn = ParamSpec("Drawn")

WIDE, HIGH = 5.5, 3.4
"""Inches: the text width of most conferences."""
SHAPES = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "x", "plus": "+", "funnel": "v",
}  # fmt: skip
SMALL, TINY = 8, 6.5
"""Points: font size of labels, and of the caption."""


def _spoken(draw: Callable[Concatenate[Plots, Drawn], Figure]) -> Callable[Concatenate[Plots, Drawn], Figure]:
    """Drawn in the language of the study."""

    @wraps(draw)
    def spoken(self: Plots, *arguments: Drawn.args, **options: Drawn.kwargs) -> Figure:
        with speaking(self.language):
            return draw(self, *arguments, **options)

    return spoken


@dataclass(frozen=True)
class Plots:
    """The figures of one study. Each raises BadSetting where matplotlib is missing, and UnknownName for a task."""

    view: View
    language: Language = ENGLISH

    @_spoken
    def rates(self, task: str | None = None, caption: bool = True) -> Figure:
        """Mean validation metric against learning rate, with its interval; one line an optimizer."""
        found = self._task(task)
        figure, axes = self._axes()
        domain = found["axes"]["sensitivity"]["all"]
        for s, look in self._looks(found):
            most = max((point["n"] for point in s["points"]), default=0)
            tried = [point for point in s["points"] if 2 * point["n"] >= most]
            points = [(point["rate"], valid) for point in tried if (valid := point["valid"])]
            rate = [rate for rate, _ in points]
            mean = [valid["value"] for _, valid in points]
            low = [_or(valid["low"], valid["value"]) for _, valid in points]
            high = [_or(valid["high"], valid["value"]) for _, valid in points]
            if rate:
                axes.plot(rate, mean, **look)
                axes.fill_between(rate, low, high, color=look["color"], alpha=0.12, linewidth=0)
            failing = [point["rate"] for point in s["points"] if point["failed"]]
            edge = 0.012 if found["higher_is_better"] else 0.988
            at = {"transform": axes.get_xaxis_transform(), "zorder": 3}
            if failing:
                unnamed = {} if rate else {"label": look["label"]}
                axes.scatter(failing, [edge] * len(failing), 14, look["color"], marker="x", **at, **unnamed)
        axes.set_xscale("log")
        if searched := found["axes"]["rate"]:  # a cross alone widens no axis
            axes.set_xlim(searched["low"], searched["high"])
        if domain:
            self._height(axes, domain, bool(domain["log"]))
        else:
            self._unfinished(axes)
        axes.set_xlabel(tr("learning rate"))
        axes.set_ylabel(_plain(tr("validation {metric}", metric=_metric(found))))
        return self._done(figure, axes, caption and captions.rates(self.view, found))

    @_spoken
    def curves(self, task: str | None = None, quantity: str = "valid_metric", caption: bool = True) -> Figure:
        """Median over seeds with the band from 10 to 90 %, each optimizer at its recommended rate.

        quantity: "valid_metric" or "train_loss".
        """
        if quantity not in ("valid_metric", "train_loss"):
            raise UnknownName.among("curve", quantity, ("valid_metric", "train_loss"))
        found = self._task(task)
        figure, axes = self._axes()
        for s, look in self._looks(found):
            drawn = s["curves"]
            if drawn["chosen"] is None or "band" not in drawn:
                continue
            band = drawn["band"][quantity]
            ends = (_floats(band["low"]), _floats(band["high"]))
            axes.plot(drawn["steps"], _floats(drawn["rates"][drawn["chosen"]][quantity]), **{**look, "marker": ""})
            axes.fill_between(drawn["steps"], *ends, color=look["color"], alpha=0.12, linewidth=0)
        axes.set_xlabel(tr("step"))
        loss = _plain(shown(found["loss_name"]).replace("_", " "))
        if quantity == "valid_metric":
            axes.set_ylabel(_plain(tr("validation {metric}", metric=_metric(found))))
        else:
            axes.set_ylabel(tr("training {loss}", loss=loss))
        if (
            domain := found["axes"]["metric"]["all"]
            if quantity == "valid_metric"
            else found["axes"]["loss"]["recommended"]
        ):
            small = quantity == "train_loss" or not found["higher_is_better"]
            self._height(axes, domain, small and bool(domain["log"]))
        else:
            self._unfinished(axes)
        return self._done(figure, axes, caption and captions.curves(self.view, found))

    @_spoken
    def forest(self, task: str | None = None, caption: bool = True) -> Figure:
        """How far each optimizer is behind the best, with the interval of the difference; the margin is shaded.

        What would stretch the axis more than fivefold is an arrow at its edge; its numbers are printed beside it.
        """
        found = self._task(task)
        rows = [(s, look) for s, look in self._looks(found) if s["quality"]]
        figure = self._figure(1.1 + 0.25 * max(2, len(rows)))
        axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=(1.9, 1))
        self._plain(axes)
        beside.set_axis_off()
        low, high = _extent([s["behind_best"] for s, _ in rows if s["behind_best"]], found["margin"] or 0.0)
        axes.axvspan(-(found["margin"] or 0.0), found["margin"] or 0.0, color="#888888", alpha=0.18, linewidth=0)
        axes.axvline(0, color="#555555", linewidth=0.8, linestyle=":")
        axes.set_xlim(low, high)
        if not rows:
            self._unfinished(axes)
        arrows = False
        words = {"fontsize": SMALL - 1, "va": "center"}
        for y, (s, look) in enumerate(rows):
            b = s["behind_best"]
            if b is None:
                axes.plot([0], [y], color=look["color"], marker=look["marker"], markersize=5)
                beside.text(0, y, tr("best") if s["status"] == "best" else "–", **words)
                continue
            if b["value"] > high:
                arrows = True
                axes.plot([0.985], [y], ls="", marker=">", color=look["color"], transform=axes.get_yaxis_transform())
            else:
                ends = [[b["value"] - _or(b["low"], b["value"])], [_or(b["high"], b["value"]) - b["value"]]]
                axes.errorbar(
                    [b["value"]], [y], xerr=ends, color=look["color"], marker=look["marker"], markersize=5, capsize=3
                )
            beside.text(0, y, f"{b['text']} {b['interval']}", **words)
            beside.text(1, y, s["p_best"]["text"], ha="right", **words)
        beside.text(0, -1, tr("difference, interval"), color="#555555", **words)
        beside.text(1, -1, "p", color="#555555", ha="right", **words)
        axes.set_yticks(range(len(rows)), [look["label"] for _, look in rows])
        axes.set_ylim(max(1, len(rows)) - 0.4, -1.4)
        axes.set_xlabel(_plain(tr("{metric} behind the best", metric=_metric(found))))
        return self._done(figure, None, caption and captions.forest(self.view, found, arrows))

    @_spoken
    def ranking(self, task: str | None = None, caption: bool = True) -> Figure:
        """Mean test metric of each optimizer with its interval and its single replicates, the best on top."""
        found = self._task(task)
        shown = [(s, quality, look) for s, look in self._looks(found) if (quality := s["quality"])]
        figure, axes = self._axes(0.95 + 0.25 * max(2, len(shown)))
        domain, arrows = found["forest"], False
        for y, (s, q, look) in enumerate(shown):
            if domain and not domain["low"] <= q["value"] <= domain["high"]:
                arrows, below = True, q["value"] < domain["low"]
                axes.plot(
                    [0.015 if below else 0.985], [y], ls="", marker="<" if below else ">", color=look["color"],
                    transform=axes.get_yaxis_transform(),
                )  # fmt: skip
                continue
            values = [value for value in s["values"].values() if value is not None]
            axes.plot(values, [y] * len(values), ls="", marker="|", markersize=7, color=look["color"], alpha=0.45)
            ends = [[q["value"] - _or(q["low"], q["value"])], [_or(q["high"], q["value"]) - q["value"]]]
            axes.errorbar(
                [q["value"]], [y], xerr=ends, color=look["color"], marker=look["marker"], markersize=5, capsize=3
            )
        if domain:
            axes.set_xlim(domain["low"], domain["high"])
        if not shown:
            self._unfinished(axes)
        axes.set_yticks(range(len(shown)), [look["label"] for *_, look in shown])
        axes.set_ylim(max(1, len(shown)) - 0.4, -0.6)
        axes.set_xlabel(_plain(tr("test {metric}", metric=_metric(found))))
        return self._done(figure, None, caption and captions.ranking(self.view, found, arrows))

    @_spoken
    def best_of_k(self, task: str | None = None, caption: bool = True) -> Figure:
        """Expected test metric of the best on validation of k rates drawn at random, against k."""
        found = self._task(task)
        figure, axes = self._axes()
        for s, look in self._looks(found):
            known = [(int(k), value) for k, value in s["best_of"].items() if value is not None]
            if known:
                axes.plot(*zip(*known, strict=True), **look)
        axes.set_xticks(sorted({k for line in axes.lines for k in line.get_xdata()}))
        if not axes.lines:
            self._unfinished(axes)
        axes.set_xlabel(tr("learning rates tried"))
        axes.set_ylabel(_plain(tr("expected test {metric}", metric=_metric(found))))
        return self._done(figure, axes, caption and captions.best_of_k(found))

    @_spoken
    def probes(self, task: str | None = None, caption: bool = True) -> Figure:
        """What `steepest why` saw inside trials, a small chart for each quantity.

        Raises BadSetting for a study into which nobody has looked yet.
        """
        found = self._task(task)
        seen = found["probes"]
        if not seen:
            raise BadSetting(f"Nobody has looked into the trials of {found['label']} yet: steepest why does that.")
        looks = {s["contender"]: look for s, look in self._looks(found)}
        deep = (len(seen) + 1) // 2
        figure = self._figure(0.6 + 1.9 * deep)
        grid = figure.subplots(deep, 2, squeeze=False).ravel()
        for axes, each in zip(grid, seen, strict=False):
            self._plain(axes)
            for line in each["series"]:
                look = {**looks[line["contender"]], "marker": "o", "markersize": 1.6, "linewidth": 1.1}
                axes.plot(line["steps"], _floats(line["mid"]), **look)
                ends = (_floats(line["low"]), _floats(line["high"]))
                axes.fill_between(line["steps"], *ends, color=look["color"], alpha=0.12, linewidth=0)
            axes.set_yscale("log" if each["log"] else "linear")
            axes.set_title(shown(each["title"]), fontsize=SMALL)
            axes.set_ylabel(shown(each["unit"]), fontsize=SMALL - 1)
        for axes in grid[len(seen) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(seen) - 2) : len(seen)]:
            axes.set_xlabel(tr("step"), fontsize=SMALL - 1)
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=SMALL - 1, frameon=False, loc="outside upper center", ncols=5)
        return self._done(figure, None, caption and captions.probes(seen))

    # ---- helpers ----

    def _task(self, name: str | None) -> TaskView:
        tasks = {task["name"]: task for task in self.view["tasks"]}
        if not tasks:
            raise BadSetting("No trial of this study has finished, so there is nothing to draw yet.")
        name = None if name is None else one_line(name)  # as the view has it
        if name is not None and name not in tasks:
            raise UnknownName.among("task", name, tasks, "It must be a task of this study.")
        return tasks[name] if name is not None else self.view["tasks"][0]

    def _looks(self, task: TaskView) -> Iterator[tuple[StandingView, dict[str, Any]]]:
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
                    "label": _plain(contender["label"]),
                },
            )

    def _figure(self, high: float) -> Any:
        return extra("matplotlib.figure", "A figure", "plot").Figure(figsize=(WIDE, high), layout="constrained")

    def _axes(self, high: float = HIGH) -> tuple[Any, Any]:
        figure = self._figure(high)
        axes = figure.subplots()
        self._plain(axes)
        return figure, axes

    def _plain(self, axes: Any) -> None:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.tick_params(which="both", labelsize=SMALL)

    def _height(self, axes: Any, domain: CurveDomain, log: bool) -> None:
        axes.set_yscale("log" if log else "linear")
        axes.set_ylim(domain["least"] if log else domain["low"], domain["high"])

    def _unfinished(self, axes: Any) -> None:
        """Says why axes hold no line, in the place of an empty scale from 0 to 1."""
        axes.set_yticks([])
        if axes.get_xscale() == "linear":  # rates were tried all the same
            axes.set_xticks([])
        told = tr("no trial finished its training")
        middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, told, fontsize=SMALL, color="#555555", **middle)

    def _done(self, figure: Any, axes: Any, caption: Message | bool) -> Figure:
        """With a legend beside the axes, if they are given, and the caption below."""
        if axes is not None and axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=SMALL - 1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        if isinstance(caption, Message):
            words = wrapped(_plain(shown(caption)).replace(" %", "\u00a0%"), round(1.78 * WIDE * 72 / TINY))
            figure.supxlabel(words, fontsize=TINY, x=0.01, ha="left", color="#444444")
        if language() != ENGLISH and catalogue(language()).is_wide:
            self._in_ideographs(figure)
        return figure

    def _in_ideographs(self, figure: Any) -> None:
        """Raises BadSetting where no font has ideographs."""
        manager = extra("matplotlib.font_manager", "A figure", "plot").fontManager
        installed = {font.name for font in manager.ttflist}
        chosen = next((name for name in CHINESE_FONTS if name in installed), None)
        if chosen is None:
            raise BadSetting(
                "A figure in Chinese needs a font with ideographs, and matplotlib finds none; install fonts-noto-cjk, "
                'or take the figure in English: study.language = "en".'
            )
        for part in figure.findobj(_has_font):
            part.set_fontfamily(["DejaVu Sans", chosen])


def _has_font(artist: object) -> bool:
    return hasattr(artist, "set_fontfamily")


def _metric(task: TaskView) -> Message:
    """The metric with its unit."""
    return say("{metric} ({unit})", metric=task["metric"], unit=task["unit"]) if task["unit"] else task["metric"]


CHINESE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Sans CJK JP", "Droid Sans Fallback"),
)


def _extent(differences: Sequence[EstimateView], margin: float) -> tuple[float, float]:
    """The axis of the forest: margin and intervals, from the nearest difference up to the last before a wide gap."""
    low, high = -1.2 * margin, 1.2 * margin or 1e-6
    for b in sorted(differences, key=lambda b: b["value"]):
        ends = (_or(b["low"], b["value"]), _or(b["high"], b["value"]))
        if b is not differences[0] and max(ends) - low > 5 * (high - low) and high > 1.2 * margin:
            break
        low, high = min(low, *ends), max(high, *ends)
    room = 0.04 * (high - low)
    return low - room, high + room


def _plain(text: str) -> str:
    """Text that matplotlib takes for no formula."""
    return text.replace("$", r"\$")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _floats(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
