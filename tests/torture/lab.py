"""Tries: in this process where one can do no harm, else in a process of its own that may be killed, starved or hang."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from torture.tally import Outcome

from steepest.errors import SteepestError


class Hung(BaseException):
    """A try took too long. Not an Exception, so that nothing takes it for a fault of its own."""


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Raises Hung in this thread after that time."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again, should the exception get lost in a callback
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def tried(look: Callable[[], object], right: object = None, seconds: float = 10.0) -> tuple[Outcome, str]:
    """What comes of a look in this process; without a `right` answer, any is right."""
    try:
        with at_most(seconds):
            found = look()
    except SteepestError as error:
        is_sentence = str(error) and "\n" not in str(error)
        return Outcome.SENTENCE if is_sentence else Outcome.TRACEBACK, str(error)
    except Hung:
        return Outcome.HUNG, ""
    except BaseException as error:
        return Outcome.TRACEBACK, _where(error)
    return (Outcome.IDENTICAL, "") if right is None or found == right else (Outcome.WRONG, "")


def _where(error: BaseException) -> str:
    """The exception, and the lines that led to it."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{error!r:.300} at " + " < ".join(f"{Path(each.filename).name}:{each.lineno}" for each in reversed(frames))


# ---- processes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ending:
    """How a process ended."""

    code: int
    """Its exit code; minus the signal that ended it."""
    said: str
    is_hung: bool = False

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    def outcome(self) -> Outcome:
        """Of a process that was not killed: IDENTICAL if it says that all is well, for a caller to look at."""
        if self.is_hung:
            return Outcome.HUNG
        if self.code == 0:
            return Outcome.IDENTICAL
        is_sentence = self.code in (1, 2) and "Traceback" not in self.said and self.said.strip()
        return Outcome.SENTENCE if is_sentence else Outcome.TRACEBACK


class Child:
    """A process that begins as a copy of this one, with everything imported, and does one thing."""

    def __init__(self, does: Callable[[], object], output: Path) -> None:
        self._output = output
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            self._do(does)
        self._ended: int | None = None

    def _do(self, does: Callable[[], object]) -> None:
        code = 70
        try:
            os.setpgid(0, 0)
            log = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            does()
            code = 0
        except SteepestError as error:
            print(f"steepest: {error}", flush=True)
            code = error.exit_code
        except SystemExit as left:
            code = int(left.code or 0)
        except BaseException:
            with suppress(BaseException):
                traceback.print_exc()
        finally:
            with suppress(BaseException):
                sys.stdout.flush()
            os._exit(code)

    def has_ended(self) -> bool:
        if self._ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._ended = os.waitstatus_to_exitcode(status) if pid else None
        return self._ended is not None

    def workers(self) -> list[int]:
        """Its own children."""
        try:
            found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        except OSError:
            return []
        return [int(pid) for pid in found.split()]

    def end(self, seconds: float = 60.0) -> Ending:
        """Wait for its end, and for that of its children: a killed one leaves them to end by themselves."""
        until, workers = time.monotonic() + seconds, set[int]()
        while not self.has_ended():
            workers |= {*self.workers()}
            if time.monotonic() > until:
                for pid in (*workers, self.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return Ending(-signal.SIGKILL, self._said(), is_hung=True)
            time.sleep(0.002)
        while any(map(is_running, workers)):
            if time.monotonic() > until:
                return Ending(self._ended or 0, self._said(), is_hung=True)
            time.sleep(0.002)
        return Ending(self._ended or 0, self._said())

    def _said(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def limited(does: Callable[[], object], more_bytes: int) -> Callable[[], object]:
    """The same, with at most so many bytes of address space beyond what the process has."""

    def starved() -> object:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return does()

    return starved
