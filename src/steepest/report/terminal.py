"""What a running study shows on the terminal: a live table on a TTY, a line now and then elsewhere. All on stderr."""

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
from rich.text import Text as Styled

from steepest.messages import enumerated, say, shown, tr
from steepest.records.progress_record import Progress, ProgressRow
from steepest.report.rounding import fixed, isolated, one_line
from steepest.verdict.words import numbers

EVERY = 5.0
"""Seconds between two plain lines of one phase."""
FRAME = 0.125
"""Seconds between two frames of the table."""
PHASES = {
    "describing": say("Checking the tasks"),
    "timing": say("Timing one step of each optimizer"),
    "compiling": say("Compiling"),
    "training": say("Training"),
    "finished": say("Finished"),
}
BEFORE_TRAINING = ("describing", "timing", "compiling")
STAGES = {
    "waiting": say("waiting"),
    "grid": say("grid"),
    "refine": say("refine"),
    "extend": say("extend"),
    "search": say("search"),
    "done": say("done"),
}
"""What a row of the table is at."""
LONG = 60
"""The longest name of a task that is shown in full."""


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
    plain = dumb or not stream.isatty()
    return PlainLines(stream) if plain else LiveTable(stream)


class Silent:
    """Says nothing."""

    def __call__(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class PlainLines:
    """One line for everything new before training, for every message, and at most every few seconds in between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.phase, self.last = "", -EVERY
        self.said: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        now = self.clock()
        if progress.message:
            self._say(message(progress))
        if progress.phase in BEFORE_TRAINING:
            if line := unsaid(progress, self.said):
                self._say(line)
            return
        if progress.phase == self.phase and now - self.last < EVERY:
            return
        self.phase, self.last = progress.phase, now
        self._say(summary(progress))

    def close(self) -> None:
        pass

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class LiveTable:
    """A table that is redrawn at most eight times a second; its last state stays on the screen.

    It stands only while there is training. Until it is closed, what others write to stderr appears above it.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        colourless = bool(os.environ.get("NO_COLOR"))
        self.console = Console(file=stream, no_color=colourless, highlight=False, markup=False, emoji=False)
        self.live = Live(console=self.console, auto_refresh=False, redirect_stdout=False)
        self.clock, self.last, self.phase, self.open = clock, -FRAME, "", False
        self.said: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        now = self.clock()
        if progress.message:
            self.console.print(Styled(message(progress)))
        if progress.phase in BEFORE_TRAINING:
            if line := unsaid(progress, self.said):
                self.console.print(Styled(line))
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


LEAST_SECONDS_LEFT = 0.5
"""A time left below this is not worth a word."""


def unsaid(progress: Progress, said: set[str]) -> str:
    """The summary, which then counts as said; empty if it has been said already."""
    line = summary(progress)
    if line in said:
        return ""
    said.add(line)
    return line


def message(progress: Progress) -> str:
    """What has happened, in one line."""
    return one_line(shown(progress.message))


def summary(progress: Progress) -> str:
    """One line: "Training: 312 of 1,560 trials (20 %), 3 failed, 24 s, about 97 s left"."""
    phase = PHASES[progress.phase]
    if progress.phase in BEFORE_TRAINING:
        on = say(" on {task}", task=one_line(progress.task, LONG)) if progress.task else ""
        return tr("{phase}{on} …", phase=phase, on=on)
    diverged = sum(row.diverged for row in progress.rows)
    failed = sum(row.failed for row in progress.rows) - diverged
    share = progress.trials_done / progress.trials_planned if progress.trials_planned else 0.0
    parts = [
        say(
            "{done:,} of {planned:,} trials ({share:.0f} %)",
            done=progress.trials_done,
            planned=progress.trials_planned,
            share=100 * share,
        )
    ]
    if diverged:
        parts.append(say("{n} at too large a rate", n=diverged))
    if failed:
        parts.append(say("{n} failed", n=failed))
    parts.append(say("{time}", time=numbers.duration(progress.seconds)))
    left = progress.seconds_left
    if left is not None and progress.phase == "training" and left >= LEAST_SECONDS_LEFT:
        time_left = numbers.duration(left)
        parts.append(
            say("about {time} left to the next look at the verdict", time=time_left)
            if progress.until_look
            else say("about {time} left", time=time_left)
        )
    return tr("{phase}: {parts}", phase=phase, parts=enumerated(parts, "{clause}, {clauses}"))


def frame(progress: Progress, height: int) -> Group:
    """The table and the line under it; rows that would not fit the screen give way, those at work last."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    several = len({row.task for row in progress.rows}) > 1
    if several:
        table.add_column(tr("task"), no_wrap=True, max_width=18, overflow="ellipsis")
    table.add_column(tr("optimizer"), no_wrap=True, max_width=28, overflow="ellipsis")
    table.add_column(tr("stage"))
    for column in (
        say("trials"), say("too large a rate"), say("failed"), say("best rate"), say("validation"),
    ):  # fmt: skip
        table.add_column(shown(column), justify="right")
    room = max(1, height - 4)
    rows = list(progress.rows)
    if len(rows) > room:
        order = {"done": 2, "waiting": 1}
        kept = sorted(range(len(rows)), key=lambda i: (order.get(rows[i].stage, 0), i))[:room]
        rows = [rows[i] for i in sorted(kept)]
    for row in rows:
        cells = _cells(row)
        table.add_row(
            *([Styled(isolated(one_line(row.task)))] if several else []),
            *cells,
            style="dim" if row.stage == "waiting" else "",
        )
    below = Table.grid()
    below.add_row(ProgressBar(total=max(1, progress.trials_planned), completed=progress.trials_done, width=60))
    below.add_row(Styled(summary(progress)))
    hidden = len(progress.rows) - len(rows)
    more = [Styled(tr("… and {n} more", n=hidden), style="dim")] if hidden else []
    return Group(table, *more, Styled(), below)


def _cells(row: ProgressRow) -> list[Styled]:
    colour = {"done": "green", "waiting": "dim"}.get(row.stage, "cyan")
    failed = row.failed - row.diverged
    return [
        Styled(isolated(one_line(row.contender))),
        Styled(shown(STAGES[row.stage]), style=colour),
        Styled(f"{row.done}/{row.planned}"),
        Styled(str(row.diverged) if row.diverged else "–", style="dim"),
        Styled(str(failed) if failed else "–", style="red" if failed else "dim"),
        Styled("–" if row.best_rate is None else numbers.rate(row.best_rate)),
        Styled(fixed(row.best_valid, 4)),
    ]
