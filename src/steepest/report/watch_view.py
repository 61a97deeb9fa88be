"""A study in the terminal, while it runs and after: how far it is, and each optimizer's curve at its best rate."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text as Styled

from steepest.messages import counted, say, shown, tr
from steepest.records.node_records import NodeState
from steepest.report.rounding import isolated, one_line
from steepest.report.schema import StandingView, TaskView, View

BLOCKS = "▁▂▃▄▅▆▇█"
LONG = 60
"""The longest name of a study or task that is shown in full."""
WIDE, NARROW = 28, 8
"""Characters of a curve, and how few they may become."""


def watch(
    read: Callable[[], View],
    console: Console,
    every: float,
    once: bool = False,
    nodes: Callable[[], Sequence[NodeState]] = tuple,
) -> None:
    """Show the view that `read` returns until the study is finished; only once if the output is not a terminal."""
    view = read()
    if once or view["study"]["finished"] or not console.is_terminal:
        console.print(screen(view, nodes()))
        return
    with Live(screen(view, nodes()), console=console, auto_refresh=False) as live:
        while not view["study"]["finished"]:
            time.sleep(every)
            view = read()
            live.update(screen(view, nodes()), refresh=True)


def screen(view: View, nodes: Sequence[NodeState] = ()) -> Group:
    """One frame."""
    study = view["study"]
    done = say(
        "{done:,} of {planned}, {failed:,} failed, {time}",
        done=study["trials"],
        planned=counted(study["planned"], "{n:,} trial", "{n:,} trials"),
        failed=study["failed"],
        time=study["time"],
    )
    bar = ProgressBar(total=max(1, study["planned"]), completed=study["trials"], width=60)
    head = Styled(tr("{title}: {done}", title=isolated(one_line(study["name"], LONG)), done=done))
    tasks = [part for task in view["tasks"] for part in _task(view, task)]
    return Group(head, Padding(bar, 0), *tasks, *_machines(nodes))  # a bar alone does not end its line


def _task(view: View, task: TaskView) -> Iterator[RenderableType]:
    """Title, table, and from what to what its curves reach."""
    title, metric = (one_line(shown(words), LONG) for words in (task["title"], task["metric"]))
    unit = tr(", {unit}", unit=task["unit"]) if task["unit"] else ""
    yield Styled(isolated(title), style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(tr("optimizer"), no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(tr("rate"), justify="right", no_wrap=True)
    table.add_column(Styled(tr("validation {metric}", metric=metric) + unit))
    table.add_column(tr("now"), justify="right", no_wrap=True)
    table.add_column(tr("test"), justify="right", no_wrap=True)
    rows = [(s, _curve(s)) for s in task["standings"]]
    known = [value for _, curve in rows for value in curve if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    for s, curve in rows:
        last = next((value for value in reversed(curve) if value is not None), None)
        table.add_row(
            Styled(isolated(view["contenders"][s["contender"]]["label"])),
            Styled(s["rate_text"]),
            Curve(curve, low, high),
            Styled("–" if last is None else f"{last:.{task['decimals']}f}"),
            Styled(s["quality"]["text"] if s["quality"] else "–"),
        )
    yield table
    if known:
        ends = (f"{value:.{task['decimals']}f}" for value in (low, high))
        yield Styled("  ".join(f"{block} {value}" for block, value in zip("▁█", ends, strict=True)), style="dim")


def _machines(nodes: Sequence[NodeState]) -> Iterator[RenderableType]:
    """What each node has, has done, and what was lost with it."""
    if not nodes:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(tr("node"), no_wrap=True, max_width=32, overflow="ellipsis")
    for title in (tr("jobs now"), tr("jobs done"), tr("jobs lost")):
        table.add_column(title, justify="right", no_wrap=True)
    for node in nodes:
        counts = (f"{count:,.0f}" for count in (node.underway, node.done, node.lost))
        table.add_row(Styled(isolated(one_line(node.node, LONG))), *map(Styled, counts))
    yield table


@dataclass(frozen=True)
class Curve:
    """A sparkline as wide as its column: on a narrow terminal it gives way, and no number is cut."""

    values: Sequence[float | None]
    low: float
    high: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield Styled(sparkline(self.values, self.low, self.high, min(WIDE, options.max_width)), style="cyan")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        wide = min(WIDE, len(self.values))
        return Measurement(min(NARROW, wide), wide).with_maximum(options.max_width)


def _curve(standing: StandingView) -> Sequence[float | None]:
    """The median validation curve at the rate that is best so far."""
    drawn = standing["curves"]
    return [] if drawn["chosen"] is None else drawn["rates"][drawn["chosen"]]["valid_metric"]


def sparkline(values: Sequence[float | None], low: float, high: float, wide: int = WIDE) -> str:
    """A curve in one line of blocks, from `low` to `high`; a dot where there is no value, as after a divergence.

    >>> sparkline([0.0, 0.5, 1.0, None], 0.0, 1.0, 4)
    '▁▅█·'
    """
    if not values:
        return ""
    wide = min(wide, len(values))
    picked = [values[round(i * (len(values) - 1) / max(1, wide - 1))] for i in range(wide)]
    span = (high - low) or 1.0
    top = len(BLOCKS) - 1
    return "".join("·" if v is None else BLOCKS[round(min(1.0, max(0.0, (v - low) / span)) * top)] for v in picked)
