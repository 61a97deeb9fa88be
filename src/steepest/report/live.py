"""What a running study shows on the terminal: a live table on a TTY, a line now and then elsewhere. All on stderr."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from steepest.report.rounding import fixed, isolated, one_line
from steepest.types import Progress, Row
from steepest.verdict import numbers

EVERY = 5.0
"""Seconds between two plain lines of one phase."""
FRAME = 0.125
"""Seconds between two frames of the table."""
PHASES = {
    "describing": "Looking at the tasks",
    "timing": "Timing one step of every optimizer",
    "compiling": "Compiling what is run often enough",
    "training": "Training",
    "finished": "Finished",
}


class Listener(Protocol):
    """Called with every Progress of a run; `close` gives the terminal back, and may be called twice."""

    def __call__(self, progress: Progress) -> None: ...
    def close(self) -> None: ...


def listener(quiet: bool = False, stream: TextIO | None = None) -> Listener:
    """The listener that fits where a study runs: silent, live (a terminal, and no CI), or plain lines."""
    if stream is None:
        stream = sys.stderr
    if quiet or stream is None:  # Python has no stderr where it runs without a console
        return Silent()
    dumb = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return PlainLines(stream) if dumb or not stream.isatty() else LiveTable(stream)


class Silent:
    """Says nothing."""

    def __call__(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class PlainLines:
    """One line at every change of phase, for every message, and at most every few seconds in between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.phase, self.last = "", -EVERY

    def __call__(self, progress: Progress) -> None:
        now = self.clock()
        if progress.message:
            self._say(one_line(progress.message))
        if progress.phase == self.phase and now - self.last < EVERY:
            return
        self.phase, self.last = progress.phase, now
        self._say(summary(progress))

    def close(self) -> None:
        pass

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class LiveTable:
    """A table that is drawn anew at most eight times a second; its last state stays on the screen.

    It stands only while there is training. Until it is closed, what others write to stderr appears above it.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        colourless = bool(os.environ.get("NO_COLOR"))
        self.console = Console(file=stream, no_color=colourless, highlight=False, markup=False, emoji=False)
        self.live = Live(console=self.console, auto_refresh=False, redirect_stdout=False)
        self.clock, self.last, self.phase, self.open = clock, -FRAME, "", False

    def __call__(self, progress: Progress) -> None:
        now = self.clock()
        if progress.message:
            self.console.print(Text(one_line(progress.message)))
        if progress.phase in ("describing", "timing", "compiling"):
            if progress.phase != self.phase:
                self.console.print(Text(summary(progress)))
            self.phase = progress.phase
            return
        if not self.open:
            self.live.start()
            self.open = True
            atexit.register(self.close)
        if progress.phase != self.phase or now - self.last >= FRAME or progress.trials_done == progress.trials_planned:
            self.phase, self.last = progress.phase, now
            self.live.update(frame(progress, self.console.height), refresh=True)
        if progress.phase == "finished":
            self.close()

    def close(self) -> None:
        if self.open:
            self.open = False
            self.live.stop()
            atexit.unregister(self.close)


def summary(progress: Progress) -> str:
    """One line: "Training: 312 of 1,560 trials (20 %), 3 failed, 24 s, about 97 s left"."""
    if progress.phase in ("describing", "timing", "compiling"):
        return f"{PHASES[progress.phase]} …"
    failed = sum(row.failed for row in progress.rows)
    share = progress.trials_done / progress.trials_planned if progress.trials_planned else 0.0
    parts = [f"{progress.trials_done:,} of {progress.trials_planned:,} trials ({share:.0%})".replace("%", " %")]
    parts += [f"{failed} failed"] if failed else []
    parts += [str(numbers.duration(progress.seconds))]
    if progress.seconds_left is not None and progress.phase == "training":
        parts.append(f"about {numbers.duration(progress.seconds_left)} left")
    return f"{PHASES[progress.phase]}: {', '.join(parts)}"


def frame(progress: Progress, height: int) -> Group:
    """The table and the line under it; rows that would not fit the screen give way, those at work last."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    several = len({row.task for row in progress.rows}) > 1
    if several:
        table.add_column("task", no_wrap=True, max_width=18, overflow="ellipsis")
    table.add_column("optimizer", no_wrap=True, max_width=28, overflow="ellipsis")
    table.add_column("stage")
    for column in ("trials", "failed", "best rate", "validation"):
        table.add_column(column, justify="right")
    room = max(1, height - 4)
    shown = list(progress.rows)
    if len(shown) > room:
        order = {"done": 2, "waiting": 1}
        kept = sorted(range(len(shown)), key=lambda i: (order.get(shown[i].stage, 0), i))[:room]
        shown = [shown[i] for i in sorted(kept)]
    for row in shown:
        cells = _cells(row)
        table.add_row(
            *([Text(isolated(one_line(row.task)))] if several else []),
            *cells,
            style="dim" if row.stage == "waiting" else "",
        )
    below = Table.grid()
    below.add_row(ProgressBar(total=max(1, progress.trials_planned), completed=progress.trials_done, width=60))
    below.add_row(Text(summary(progress)))
    hidden = len(progress.rows) - len(shown)
    more = [Text(f"… and {hidden} more", style="dim")] if hidden else []
    return Group(table, *more, Text(), below)


def _cells(row: Row) -> list[Text]:
    stage = {"done": "green", "waiting": "dim"}.get(row.stage, "cyan")
    return [
        Text(isolated(one_line(row.contender))),
        Text(row.stage, style=stage),
        Text(f"{row.done}/{row.planned}"),
        Text(str(row.failed) if row.failed else "–", style="red" if row.failed else "dim"),
        Text("–" if row.best_rate is None else numbers.rate(row.best_rate)),
        Text(fixed(row.best_valid, 4)),
    ]
