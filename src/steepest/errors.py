"""Every error that steepest raises on purpose. A message is one sentence or two: the fact, its cause, the remedy.

SteepestError
├── BadInput                what the user typed or passed; the command line exits with 2
│   ├── UnknownName         a task, optimizer, schedule … that is not in its catalogue; names the nearest
│   ├── BadSetting          a hyperparameter, rate, budget or batch size outside its range
│   ├── BadTable            a table of results that no verdict can be read from
│   ├── BadTask             a task that cannot be trained: its file, model, loss or data
│   └── BudgetTooSmall      the plan does not fit into the time given
├── DataUnavailable         a data set could not be had; says what is missing and how to get it
├── StudyFolderError        a study folder that exists, is damaged, in use, newer than this version, or unwritable
├── TrialFailed             a worker failed at a shard as often as it was retried
└── Interrupted             the user stopped a study; says how to resume it
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SteepestError(Exception):
    """The root: catch this to catch everything below. `exit_code` is what the command line ends with."""

    exit_code = 1


class BadInput(SteepestError, ValueError):
    exit_code = 2


class UnknownName(BadInput):
    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownName:
        """For example: There is no optimizer 'adma'. Did you mean adam, adamax? `steepest optimizers` lists all."""
        known = list(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f" Did you mean {', '.join(near)}?" if near else f" Known: {', '.join(known)}."
        return cls(f"There is no {kind} {name!r}.{guess}{' ' + hint if hint else ''}")


class BadSetting(BadInput):
    pass


class BadTable(BadInput):
    pass


class BadTask(BadInput):
    pass


class BudgetTooSmall(BadInput):
    pass


class DataUnavailable(SteepestError):
    exit_code = 2


class StudyFolderError(SteepestError):
    exit_code = 2


class TrialFailed(SteepestError):
    pass


class Interrupted(SteepestError):
    exit_code = 130
