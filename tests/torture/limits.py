"""Too little memory, no more processes or threads, two coordinators at once, readers while a study is written."""

import random
import time
from functools import partial
from pathlib import Path

from torture import subjects
from torture.kills import SECONDS, StudyInPieces, real_known, toy_known
from torture.lab import Child, Ending, limited, tried
from torture.shim import Action, Calls, Shim
from torture.tally import Outcome, Tally, worst

from steepest.reader import StudyReader
from steepest.study.store import read

MEMORY = (1, 4, 16, 48, 96, 160, 256, 400, 640, 1000)
"""MiB of address space that coordinator and workers may each take beyond what they start with (ulimit -v)."""


def limits(tally: Tally, scratch: Path, shim: Shim, dice: random.Random, rounds: int, real: bool) -> None:
    """`rounds` of each; with `real`, real engines are starved, too."""
    toy = StudyInPieces(subjects.toy_spec(), scratch / "limited", toy_known(scratch))
    studies = [toy]
    if real:
        studies += [
            StudyInPieces(subjects.real_spec(engine), scratch / f"limited-{engine}", real_known(scratch))
            for engine in ("solo", "fleet", "compiled")
        ]
    for study in studies:
        kind = study.spec.engine if study is not toy else "toy"
        study.begin()
        for size in MEMORY:
            study.fresh()
            ending = study.child(partial(limited, more_bytes=size << 20)).end(SECONDS)
            _judge(tally, f"memory limit: {kind}", study, ending, f"{size} MiB")
        for calls, row in ((Calls.PROCESS, "no more processes"), (Calls.THREAD, "no more threads")):
            shim.arm(study.folder, calls)
            study.begin()
            count = shim.rest()
            for stays in (False, True):
                for nth in range(1, min(count, 2 * rounds) + 1):
                    study.fresh()
                    shim.arm(study.folder, calls, Action.FAIL, nth, stays=stays)
                    ending = study.child().end(SECONDS)
                    shim.rest()
                    _judge(tally, f"{row}: {kind}", study, ending, f"call {nth}")
    for _ in range(rounds):
        _two_at_once(tally, toy, dice)
        _read_meanwhile(tally, toy)


def _judge(tally: Tally, row: str, study: StudyInPieces, ending: Ending, what: str) -> None:
    outcome, said = study.judged(ending)
    if outcome == Outcome.WRONG and any("Memory ran out" in str(each) for each in read(study.folder).given_up):
        outcome = Outcome.SENTENCE  # it went on with fewer lanes at a time, which may round differently, and says so
    tally.add(row, outcome, f"{what}: {said}")


def _two_at_once(tally: Tally, study: StudyInPieces, dice: random.Random) -> None:
    """One of them makes the study, the other is refused, or comes later and finds it made."""
    study.fresh()
    first = study.child()
    time.sleep(dice.uniform(0, study.seconds))
    second = Child(study.sit, study.folder.with_suffix(".second"))
    endings = [first.end(SECONDS), second.end(SECONDS)]
    outcomes = [ending.outcome() for ending in endings]
    if Outcome.IDENTICAL not in outcomes or study.known.of(study.folder) != subjects.content(study.folder):
        outcomes.append(Outcome.WRONG)
    tally.add("two coordinators", worst(outcomes), " | ".join(ending.said for ending in endings))


def _read_meanwhile(tally: Tally, study: StudyInPieces) -> None:
    """Whoever reads while a study is being made sees some moment of it."""
    study.fresh()
    child = study.child()
    while not child.has_ended():
        if (study.folder / "study.json").exists():
            outcome, said = tried(lambda: str(StudyReader(study.folder).record.results))
            tally.add("read while it is written", outcome, said)
    ending = child.end(SECONDS)
    tally.add("written while it is read", *study.judged(ending))
