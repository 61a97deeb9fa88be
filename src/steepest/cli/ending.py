"""How a command ends where it cannot simply return: a signal stops it, or nobody takes its output."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

from steepest.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and a terminal that is closed. A parent may have a command ignore them, as nohup does."""
AT_ONCE = 3
"""This many of them end a command at once: the first two let it end its workers and say how to go on."""


class Signals:
    """Turns each signal into KeyboardInterrupt, and remembers the first, which decides the exit code."""

    def __init__(self) -> None:
        self.first, self.count = signal.SIGINT, 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1:
            self.first = signal.Signals(number)
        if self.count >= AT_ONCE:
            with suppress(OSError):
                os.write(2, b"steepest: Ended at once. What is done is kept; go on with: steepest resume FOLDER\n")
            os._exit(self.exit_code)
        raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal has ended."""
        return 128 + self.first


@contextmanager
def heeding_signals() -> Generator[Signals]:
    """Within, signals end the command in order, unless somebody else handles or ignores them."""
    heard = Signals()
    before = {each: signal.getsignal(each) for each in SIGNALS}
    ours = [each for each in SIGNALS if before[each] in (signal.SIG_DFL, signal.default_int_handler)]
    for each in ours:
        signal.signal(each, heard)
    try:
        yield heard
    finally:
        for each in ours:
            signal.signal(each, before[each])


def how_to_go_on(error: BaseException) -> str:
    """What was to be said when another signal came in between."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, Interrupted):
            return str(found)
        found = found.__context__
    return "Interrupted."


def show_any_name() -> None:
    """A file's name need not be text in the encoding of the terminal: what cannot be written is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what was printed. Raises OSError here, where it can be reported, and not when the process ends."""
    if sys.stdout is not None:
        sys.stdout.flush()


def drop_output() -> None:
    """Give up what is still to be written to standard output, or Python would complain about it at the end."""
    if sys.stdout is not None:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leave(message: str, code: int) -> NoReturn:
    """End with a sentence on standard error, if that can be written."""
    with suppress(OSError):
        print(f"steepest: {message}", file=sys.stderr, flush=True)
    raise SystemExit(code)
