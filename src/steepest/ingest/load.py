"""Tasks by reference: from the catalogue, a task file, a data file, or the memory of the process that runs the study.

A task file is a Python file that defines `task`: a `steepest.Task`, or a function without arguments that returns one.
"""

import inspect
import os
import random
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from steepest.builtin import task_table
from steepest.errors import BadInput, BadTask, SteepestError, first_line
from steepest.ingest import from_file
from steepest.records.bounded import read_file
from steepest.records.limits import MAX_NOTES_BYTES
from steepest.records.task_facts import TaskRef
from steepest.tasks.task import Task


def reference(path: Path) -> TaskRef:
    """The reference by which workers find a task file from any working directory. Raises BadTask; runs nothing."""
    digest = sha256(read_source(path.expanduser())).hexdigest()
    return TaskRef(path.stem, "file", str(path.expanduser().resolve()), digest)


def resolve(ref: TaskRef, memory: Mapping[str, Task] | None = None) -> Task:
    """The task of a reference, built once in each process.

    Raises UnknownName or BadTask if there is none; BadTask also if the file has changed, since one study must not
    contain trials of two different tasks.
    """
    if ref.source == "memory":
        task = (memory or {}).get(ref.locator)
        if task is None:
            raise BadTask(
                f"The task {ref.locator!r} existed only in the memory of the program that started this study. "
                "Resume the study from that program."
            )
        return task
    if ref.source == "catalogue":
        return _built(ref.locator)
    if ref.source == "data":
        return from_file.resolve(ref)
    source = read_source(Path(ref.locator))
    if ref.digest and sha256(source).hexdigest() != ref.digest:
        raise BadTask(f"{ref.locator} has changed since the study began. Restore it, or start a new study.")
    return _run(Path(ref.locator), source)


@lru_cache(maxsize=16)
def _built(name: str) -> Task:
    return task_table.entry(name).build()


def load_file(path: Path) -> Task:
    """The task that a file defines. Raises BadTask with the line number for any error in the file."""
    path = path.expanduser()
    return _run(path.resolve(), read_source(path))


def read_source(path: Path) -> bytes:
    """The bytes of a Python file. Raises BadTask."""
    if path.suffix != ".py":
        raise BadTask(f"{path} is not a Python file. A task file ends in .py and defines `task`.")
    try:
        return read_file(path, MAX_NOTES_BYTES)
    except FileNotFoundError:
        raise BadTask(f"There is no file {path}. Name a task of `steepest tasks` or an existing .py file.") from None
    except OSError as error:
        raise BadTask(f"{path} cannot be read: {error.strerror or error}.") from None


@lru_cache(maxsize=16)
def names_in(path: Path, source: bytes) -> dict[str, object]:
    """What a file defines. These bytes, which were hashed, run with the file's folder on the path as for a script.
    Raises BadTask.
    """
    module = ModuleType(f"steepest_task_{path.stem}_{sha256(source).hexdigest()[:8]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and torch look classes up by their module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")  # the only supported backend; Keras reads it when imported
    try:
        with redirect_stdout(sys.stderr), _fixed_seeds():  # standard output may be JSON
            exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise _error_in_file(path, error) from error
    return module.__dict__


@lru_cache(maxsize=16)
def _run(path: Path, source: bytes) -> Task:
    """The task that a file defines."""
    names = names_in(path, source)
    found = names.get("task")
    try:
        if inspect.isroutine(found):
            with redirect_stdout(sys.stderr), _fixed_seeds():
                found = found()
    except (Exception, SystemExit) as error:
        raise _error_in_file(path, error) from error
    if found is None:
        tasks = [name for name, value in names.items() if isinstance(value, Task)]
        hint = f" It defines {tasks[0]!r}: rename it to `task`." if tasks else " Add task = steepest.Task(…)."
        raise BadTask(f"{path.name} does not define `task`, or `task` is None.{hint}")
    if not isinstance(found, Task):
        raise BadTask(
            f"`task` in {path.name} is a {type(found).__name__}; it must be a steepest.Task, or a function without "
            "arguments that returns one."
        )
    return found


@contextmanager
def _fixed_seeds() -> Iterator[None]:
    """Within, global generators have fixed seeds, so that unseeded draws of a file agree in all workers."""
    others, numpys = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            random.setstate(others)
            np.random.set_state(numpys)


def _unknown_argument(error: BaseException) -> str:
    """The message for a call of Task with an unknown argument; "" for other errors."""
    found = re.search(r"Task\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if found is None:
        return ""
    name, known = found[1], [field.name for field in fields(Task)]
    if name in ("optimizer", "optimizers", "lr", "learning_rate", "rate", "scheduler", "schedule"):
        return (
            f"Task has no argument {name!r}: optimizers and learning rates are what a study compares; see "
            "steepest run --optimizers."
        )
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Arguments: {', '.join(known)}."
    return f"Task has no argument {name!r}. {hint}"


def _error_in_file(path: Path, error: BaseException) -> SteepestError:
    """The error for an exception in the user's file, with the last line of the file that was running."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    where = path.name if line is None else f"{path.name}, line {line}"
    if isinstance(error, BadInput):
        return BadTask(f"{where}: {error}")
    if isinstance(error, SteepestError):
        return error
    if unknown := _unknown_argument(error):
        return BadTask(f"{where}: {unknown}")
    message = error.msg if isinstance(error, SyntaxError) else first_line(error)
    return BadTask(f"{where} raised {type(error).__name__}: {message.rstrip('.')}.")


STARTER = Path(__file__).with_name("starter.txt")
"""A commented task file that runs as it is."""


def write_starter(path: Path) -> None:
    """Write the starter file to `path`. Raises BadInput if `path` exists or cannot be written."""
    if path.suffix != ".py":
        raise BadInput(f"{path} is not a Python file. Use a name that ends in .py.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.read_text(encoding="utf-8").replace("THIS_FILE", path.name))
    except FileExistsError:
        raise BadInput(f"{path} already exists and was not changed. Use another name.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}.") from None
