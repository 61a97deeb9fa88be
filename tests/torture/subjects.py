"""The studies that are tortured. They are small, and what they must come to is known."""

import shutil
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from study import toy

from steepest.engine.worker import serve
from steepest.optim.catalogue import contender
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.study.executors import LocalProcesses
from steepest.study.run import resume, run
from steepest.study.spec import StudySpec, TaskSpec, read_spec
from steepest.study.store import read, traces

PAGE = 512
"""Bytes of a database page: small, so that few bits are of no use."""


def toy_spec() -> StudySpec:
    return toy.spec("inside", protocol=StudyDesign(seeds=2, rates=3, extra_rates=0), workers=1)


def real_spec(engine: str, task: str = "line", workers: int = 2) -> StudySpec:
    """Two optimizers on a task that trains in a moment."""
    return StudySpec(
        name="tortured",
        command="",
        tasks=(TaskSpec(ref=TaskRef(task, "catalogue", task), epochs=2.0),),
        contenders=tuple(contender(name) for name in ("sgd", "adam")),
        reference="adam",
        protocol=StudyDesign(seeds=3, rates=3, extra_rates=2),
        engine=engine,
        workers=workers,
    )


def tiny_study(folder: Path) -> Path:
    """A finished toy study, whose database is in small pages."""
    run(toy_spec(), folder, toy.executor(folder))
    database = sqlite3.connect(folder / "study.db")
    database.execute(f"PRAGMA page_size = {PAGE}")
    database.execute("VACUUM")
    database.close()
    return folder


def sit(spec: StudySpec, folder: Path) -> None:
    """Begin a study in worker processes, or go on with it, to its end: what a coordinator does."""
    executor = LocalProcesses(folder, spec.workers, toy.serve if is_toy(spec) else serve)
    if (folder / "study.json").exists():
        resume(folder, executor)
    else:
        run(spec, folder, executor)


def is_toy(spec: StudySpec) -> bool:
    return spec.tasks[0].ref.name == "toy"


def content(folder: Path) -> tuple[object, ...]:
    """All rows, and every curves file by its hash. Raises where the study is not whole."""
    record = read(folder)
    traces(folder, record)
    curves = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "curves").iterdir())
        if path.suffix == ".npz"
    }
    return record.finished, record.results, curves


class Known:
    """What studies must come to: that of a plan is found by carrying it out, once, in this process."""

    def __init__(self, scratch: Path, carry_out: Callable[[Path], object]) -> None:
        self._scratch, self._carry_out = scratch, carry_out
        self._found: dict[str, tuple[object, ...]] = {}

    def of(self, folder: Path) -> tuple[object, ...]:
        """What the plan in this folder comes to when nothing disturbs it."""
        spec = read_spec(folder)
        assert spec.plan is not None
        key = repr(spec.plan.runs) + repr(spec.plan.protocol)
        if key not in self._found:
            whole = self._scratch / "undisturbed"
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir(parents=True)
            for path in folder.glob("study.json*"):
                shutil.copy(path, whole)
            self._carry_out(whole)
            self._found[key] = content(whole)
        return self._found[key]


def in_process(folder: Path) -> object:
    """Go on with a toy study in this process."""
    return resume(folder, toy.executor(folder))


def copied(pristine: Path, to: Path) -> Path:
    """A fresh copy, in place of the last one."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(pristine, to))
