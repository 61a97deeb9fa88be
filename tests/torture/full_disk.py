"""Every write to a study or a cache fails once: the disk is full from then on, or gives an error this one time. The
study says so in one sentence or gets over it, and ends as it should once the disk is well again.
"""

import errno
import os
import random
from dataclasses import dataclass
from pathlib import Path

from torture import subjects
from torture.kills import SECONDS, StudyInPieces, real_known, toy_known
from torture.lab import Child
from torture.shim import Action, Calls, Shim
from torture.tally import Outcome, Tally, worst

from steepest.reader import StudyReader


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a disk."""

    name: str
    calls: Calls
    error: int
    stays: bool


FULL = Fault("disk full", Calls.WRITE | Calls.MAKE, errno.ENOSPC, stays=True)
ERROR = Fault("disk error", Calls.FILES, errno.EIO, stays=False)


def full_disk(tally: Tally, scratch: Path, shim: Shim, dice: random.Random, every: int, real: int) -> None:
    """`every`-th call of a toy study fails, and `real` calls for a compiled one's folder and cache each."""
    toy = StudyInPieces(subjects.toy_spec(), scratch / "disk", toy_known(scratch))
    compiled = StudyInPieces(subjects.real_spec("compiled"), scratch / "compiled", real_known(scratch), is_cold=True)
    cache = Path(os.environ["STEEPEST_CACHE"])
    for fault in (FULL, ERROR):
        count = _calls_of(toy, shim, toy.folder, fault)
        for nth in range(1 + dice.randrange(every), count + 1, every):
            _fail(tally, f"{fault.name}: toy", toy, shim, toy.folder, fault, nth)
        for place, name in ((compiled.folder, "its folder"), (cache, "its cache")) if real else ():
            count = _calls_of(compiled, shim, place, fault)
            for _ in range(real):
                row = f"{fault.name}: compiled, {name}"
                _fail(tally, row, compiled, shim, place, fault, dice.randint(1, count))
    toy.begin()
    _reports(tally, scratch, shim, toy.folder)


def _calls_of(study: StudyInPieces, shim: Shim, below: Path, fault: Fault) -> int:
    """How often this fault could happen."""
    shim.arm(below, fault.calls)
    study.begin()
    return shim.rest()


def _fail(tally: Tally, row: str, study: StudyInPieces, shim: Shim, below: Path, fault: Fault, nth: int) -> None:
    study.fresh()
    shim.arm(below, fault.calls, Action.FAIL, nth, fault.error, fault.stays)
    ending = study.child().end(SECONDS)
    shim.rest()
    outcome, said = study.judged(ending)
    tally.add(row, outcome, f"call {nth}: {said}")


def _reports(tally: Tally, scratch: Path, shim: Shim, study: Path) -> None:
    """The report of a finished study: whole, or not there."""
    right = StudyReader(study).write_report().read_bytes()
    nth, is_over = 0, False
    while not is_over:
        nth += 1
        (study / "report.html").unlink(missing_ok=True)
        shim.arm(study, Calls.FILES, Action.FAIL, nth, errno.ENOSPC, stays=True)
        ending = Child(StudyReader(study).write_report, scratch / "report.out").end(SECONDS)
        is_over = shim.rest() < nth
        path = study / "report.html"
        is_whole = not path.exists() or path.read_bytes() == right
        outcome = worst([ending.outcome(), Outcome.IDENTICAL if is_whole else Outcome.WRONG])
        tally.add("disk full: report", outcome, f"call {nth}: {ending.said}")
