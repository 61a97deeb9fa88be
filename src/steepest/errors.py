"""All error classes of steepest. A message has one or two sentences: the fact with the offending value, cause, remedy.

SteepestError
├── BadInput                invalid input from the user; the command line exits with 2
│   ├── UnknownName         a task, optimizer, schedule … that does not exist; suggests similar names
│   ├── BadSetting          an invalid option or hyperparameter, such as a learning rate outside its range
│   ├── BadTable            a table of results that cannot be read
│   ├── BadTask             a task that cannot be trained, because of its file, model, loss or data
│   └── BudgetTooSmall      a time budget that is too short for the smallest possible study
├── DataUnavailable         a data set is missing; the message explains how to get it
├── StudyFolderError        a study folder that already exists, is damaged, in use, too new, or not writable
├── TrialFailed             a shard failed again after all retries
└── Interrupted             the user interrupted a study; the message explains how to resume it
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, without a full stop; empty if it has none."""
    return (str(error).strip().splitlines() or [""])[0].rstrip(".")


def kind_and_line(error: BaseException) -> str:
    """The type of an exception and its first line, to be quoted in a sentence: "ValueError: too short"."""
    return f"{type(error).__name__}: {first_line(error)}".rstrip(": ")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class SteepestError(Exception):
    """Base class of all errors of steepest.

    exit_code: the exit code of the command line. is_one_line: whether what an error quotes, of input or of a file,
    stays in its line: a line break is then shown as "\\n".
    """

    exit_code = 1
    is_one_line = False

    def __init__(self, *parts: object) -> None:
        super().__init__(*(_printable(part) if self.is_one_line and isinstance(part, str) else part for part in parts))


class BadInput(SteepestError, ValueError):
    """Invalid input from the user. Also a ValueError, so it can be caught as one."""

    exit_code = 2
    is_one_line = True


class UnknownName(BadInput):
    """A name that does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownName:
        """The error for an unknown name, with up to three similar names or else all `known` ones, and a `hint`.

        >>> str(UnknownName.among("optimizer", "adma", ["adam", "sgd"], "`steepest optimizers` lists all."))
        "Unknown optimizer 'adma'. Did you mean adam? `steepest optimizers` lists all."
        """
        known = list(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f" Did you mean {', '.join(near)}?" if near else f" Known: {', '.join(known)}."
        return cls(f"Unknown {kind} {name!r}.{guess}{' ' + hint if hint else ''}")


class BadSetting(BadInput):
    """An invalid option or hyperparameter."""


class BadTable(BadInput):
    """A table of results that cannot be read."""


class BadTask(BadInput):
    """A task that cannot be trained."""


class SevereWarning(BadTask):
    """A task with a severe warning that was not accepted: its results would be about something else."""


class BudgetTooSmall(BadInput):
    """A time budget that is too short for the smallest possible study."""


class DataUnavailable(SteepestError):
    """A data set that is missing."""

    exit_code = 2
    is_one_line = True


class StudyFolderError(SteepestError):
    """A study folder that cannot be read or written."""

    exit_code = 2
    is_one_line = True


class TrialFailed(SteepestError):
    """A shard that failed again after all retries."""


class Interrupted(SteepestError):
    """A study that the user interrupted."""

    exit_code = 130
