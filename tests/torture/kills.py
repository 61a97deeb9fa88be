"""Kills coordinators and workers, at random moments and at every write, sync, rename and removal that they do. Each
time the study is resumed, and must come to what it comes to when it is left alone.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from torture import subjects
from torture.lab import Child, Ending
from torture.shim import Action, Calls, Shim
from torture.tally import Outcome, Tally, worst

from steepest.engine.shard import run_job
from steepest.errors import SteepestError
from steepest.study.executors import FunctionExecutor
from steepest.study.run import resume
from steepest.study.spec import StudySpec

KILLS = (Action.KILL_BEFORE, Action.KILL_AFTER)
SECONDS = 60.0
"""For a study that takes one or two; after that it counts as hung."""


def kills(tally: Tally, scratch: Path, shim: Shim, dice: random.Random, every: int, real: int) -> None:
    """A toy study is killed at each `every`-th call, before it and after it; real ones `real` times in each way."""
    toy = StudyInPieces(subjects.toy_spec(), scratch / "toy", toy_known(scratch))
    calls = _calls_of(toy, shim)
    for nth in range(1 + dice.randrange(every), calls + 1, every):
        for action in KILLS:
            _at_call(tally, "killed at a call: toy", toy, shim, action, nth)
    known = real_known(scratch)
    for engine in ("fleet", "compiled") if real > 1 else ("compiled",):
        study = StudyInPieces(subjects.real_spec(engine), scratch / engine, known)
        study.begin()  # the caches are warm from here on
        study.keep_plan(scratch / f"{engine}-planned")
        calls = _calls_of(study, shim)
        for nth in sorted(dice.choices(range(1, calls + 1), k=real)):
            _at_call(tally, f"killed at a call: {engine}, warm cache", study, shim, dice.choice(KILLS), nth)
        _at_random(tally, f"killed at random: {engine}, warm cache", study, dice, real)
        study.pristine, study.is_cold = None, True
        study.begin()
        _at_random(tally, f"killed at random: {engine}, cold cache", study, dice, real)


class StudyInPieces:
    """A study that is made again and again, and disturbed."""

    def __init__(self, spec: StudySpec, folder: Path, known: subjects.Known, is_cold: bool = False) -> None:
        self.spec, self.folder, self.known, self.is_cold = spec, folder, known, is_cold
        self.pristine: Path | None = None
        """What the folder holds at first; nothing if None."""
        self.seconds = 1.0
        """That it takes undisturbed."""

    def fresh(self) -> None:
        """As at first; a cold cache is emptied."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.pristine is not None:
            subjects.copied(self.pristine, self.folder)
        if self.is_cold:
            shutil.rmtree(os.environ["STEEPEST_CACHE"], ignore_errors=True)

    def keep_plan(self, place: Path) -> None:
        """From now on only what follows the plan is made again."""
        place.mkdir()
        for path in self.folder.glob("study.json*"):
            shutil.copy(path, place)
        self.pristine = place

    def sit(self) -> None:
        subjects.sit(self.spec, self.folder)

    def child(self, but: Callable[[Callable[[], object]], Callable[[], object]] = lambda does: does) -> Child:
        """A coordinator; `but` changes the conditions that it works in."""
        return Child(but(self.sit), self.folder.with_suffix(".out"))

    def begin(self) -> None:
        """The study from its start to its end, undisturbed."""
        self.fresh()
        began = time.monotonic()
        ending = self.child().end(SECONDS)
        assert ending.code == 0, ending
        self.seconds = time.monotonic() - began

    def judged(self, before: Ending) -> tuple[Outcome, str]:
        """What comes of it after a disturbance: it is resumed, undisturbed."""
        outcomes, said = [Outcome.IDENTICAL], before.said
        if not before.was_killed or before.is_hung:
            outcomes.append(before.outcome())
        if before.code != 0:
            ending = self.child().end(SECONDS)
            outcomes.append(Outcome.WRONG if ending.outcome() == Outcome.SENTENCE else ending.outcome())
            said += ending.said
        if outcomes[-1] == Outcome.IDENTICAL:
            try:
                right = self.known.of(self.folder) == subjects.content(self.folder)
                outcomes.append(Outcome.IDENTICAL if right else Outcome.WRONG)
            except SteepestError as error:
                outcomes.append(Outcome.WRONG)
                said += str(error)
        return worst(outcomes), said[-1000:]


def toy_known(scratch: Path) -> subjects.Known:
    return subjects.Known(scratch / "known-toy", subjects.in_process)


def real_known(scratch: Path) -> subjects.Known:
    return subjects.Known(scratch / "known", _in_a_process)


def _in_a_process(folder: Path) -> None:
    """Carry a plan out with one worker and no disturbance; in a process of its own, since it loads compiled code."""

    def work() -> None:
        resume(folder, FunctionExecutor(partial(run_job, folder=folder)))

    ending = Child(work, folder.with_suffix(".out")).end(SECONDS * 2)
    assert ending.code == 0, ending


# ---- at calls --------------------------------------------------------------------------------------------------------


def _calls_of(study: StudyInPieces, shim: Shim) -> int:
    """How often the study calls for its files to be changed."""
    shim.arm(study.folder, Calls.FILES)
    study.begin()
    return shim.rest()


def _at_call(tally: Tally, row: str, study: StudyInPieces, shim: Shim, action: Action, nth: int) -> None:
    """Kill whichever process does the n-th call that changes a file of the study. A write is killed half way."""
    study.fresh()
    shim.arm(study.folder, Calls.FILES, action, nth)
    ending = study.child().end(SECONDS)
    shim.rest()
    outcome, said = study.judged(ending)
    tally.add(row, outcome, f"{action.name} call {nth}: {said}")


# ---- at random moments -----------------------------------------------------------------------------------------------


def _at_random(tally: Tally, row: str, study: StudyInPieces, dice: random.Random, count: int) -> None:
    """Kill the coordinator, or one of its workers, again and again until the study ends by itself; so many kills."""
    done = 0
    while done < count:
        study.fresh()
        here = 0
        while True:
            child = study.child()
            here += done + here < count and _killed(child, dice, study.seconds)
            ending = child.end(SECONDS)
            if not ending.was_killed or ending.is_hung:
                break
        outcome, said = study.judged(ending)
        for _ in range(here):
            tally.add(row, outcome, said)
        done += here


def _killed(child: Child, dice: random.Random, seconds: float) -> bool:
    """Kill at a random moment; whether the study had not ended before."""
    moment = time.monotonic() + dice.uniform(0, seconds * 0.8)
    while time.monotonic() < moment:
        if child.has_ended():
            return False
        time.sleep(0.002)
    workers = child.workers()
    victim = dice.choice(workers) if workers and dice.random() < 0.5 else child.pid
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return True
