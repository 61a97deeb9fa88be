"""What all kinds of files share: the target, its kind (classification or regression), and the length of training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from torch.nn import functional as F

from steepest.errors import BadSetting, BadTask
from steepest.ingest.columns import as_numbers, is_missing
from steepest.ingest.notes import names, quoted
from steepest.messages import NOTHING, Message, enumerated, say
from steepest.tasks.task import Task

Kind = Literal["classification", "regression"]
KINDS = ("classification", "regression")
MAX_CLASS_VALUES = 10
"""Maximum number of different whole numbers in a target that is read as classes, unless --kind overrules it."""
MIN_EXAMPLES = 20
"""Minimum number of examples for training, validation and test."""
SHARES = (0.7, 0.15, 0.15)
"""Shares of train, validation and test."""


@dataclass(frozen=True)
class Target:
    """The column to predict. `has_target` marks the rows that have a value; `values` are those of these rows."""

    name: str
    values: np.ndarray  # [n], int64 classes, or [n, 1] float64 amounts
    has_target: np.ndarray  # [N], bool
    labels: tuple[str, ...]
    """The classes; none for a regression."""
    notes: tuple[Message, ...]

    @property
    def outputs(self) -> int:
        return len(self.labels) or 1


@dataclass(frozen=True)
class Origin:
    """The file of a task: the task's name and title, and the source of its data."""

    name: str
    title: str
    source: str

    def task(
        self, kind: type[Task], classes: int, training: Mapping[str, Any], notes: Sequence[Message], /, **what: Any
    ) -> Task:
        """A task with this many classes (0 for a regression) and this `training_length`."""
        return kind(**what, **vars(self), **loss_and_metric(classes), **training, notes=tuple(notes))


def loss_and_metric(classes: int) -> dict[str, Any]:
    """Cross-entropy and accuracy for classes; squared error and R² for a regression (0 classes)."""
    if classes:
        return {"loss": F.cross_entropy, "metric": "accuracy"}
    return {"loss": F.mse_loss, "metric": "r2"}


def check_kind(kind: str) -> Kind | None:
    """The kind of a task; None to infer it from the values. Raises BadSetting."""
    if kind and kind not in KINDS:
        raise BadSetting(f"Unknown kind {kind!r}. Use --kind classification or --kind regression.")
    return cast(Kind, kind) if kind else None


def target(name: str, cells: Sequence[str], kind: Kind | None = None, comma_separates: bool = True) -> Target:
    """Classes or amounts from a column of cells. Raises BadTask if they cannot be a target."""
    notes: list[Message] = []
    has_target = np.array([not _is_absent(cell) for cell in cells], dtype=bool)
    given = [cell for cell, is_given in zip(cells, has_target, strict=True) if is_given]
    if not given:
        raise BadTask(f"The target {name!r} has no values: all {len(cells)} cells are empty. Choose another --target.")
    if len(given) < len(cells):
        notes.append(
            say(
                "{without:,} of {all:,} rows have no target; left out.", without=len(cells) - len(given), all=len(cells)
            )
        )
    counts = Counter(given)
    if len(counts) == 1:
        raise BadTask(f"The target {name!r} is {given[0]!r} in every row. Choose another --target.")
    of_numbers: list[Message] = []
    numbers = as_numbers(name, counts, comma_separates, of_numbers)
    if numbers is None and kind == "regression":
        raise BadTask(
            f"The target {name!r} is not numeric ({given[0]!r} …), so it cannot be used for a regression. Leave out "
            "--kind."
        )
    if kind is None:
        amounts = [] if numbers is None else [value for value in numbers.values() if not math.isnan(value)]
        whole = all(value.is_integer() for value in amounts)
        kind = "classification" if numbers is None or (whole and len(counts) <= MAX_CLASS_VALUES) else "regression"
    if kind == "regression" and numbers is not None:
        notes += of_numbers
        column = np.array([numbers.get(cell, math.nan) for cell in cells])
        has_target = np.isfinite(column)
        values = column[has_target]
        notes.append(
            say(
                "Target {name}: {count:,} different numbers from {low:g} to {high:g}, so a regression, metric R² "
                "(--kind classification overrules this).",
                name=quoted(name),
                count=len(counts),
                low=values.min(),
                high=values.max(),
            )
        )
        return Target(name, values[:, None], has_target, (), tuple(notes))
    return _classes(name, given, has_target, notes)


def _classes(name: str, given: Sequence[str], has_target: np.ndarray, notes: list[Message]) -> Target:
    given = _alike(given, notes)
    counts = Counter(given)
    if len(counts) > max(MAX_CLASS_VALUES, len(given) // 5):
        raise BadTask(
            f"The target {name!r} has {len(counts)} different values in {len(given)} rows, too many to be classes. "
            "Choose another --target."
        )
    labels = tuple(sorted(counts, key=lambda cell: (-counts[cell], cell)))
    number = {label: i for i, label in enumerate(labels)}
    notes.append(
        say(
            "Target {name}: {balance}, so a classification, metric accuracy{overrule}.",
            name=quoted(name),
            balance=balance(counts),
            overrule=_overrule(labels),
        )
    )
    if (share := counts[labels[0]] / len(given)) >= 0.8:
        notes.append(
            say(
                "Always predicting {label} gives an accuracy of {percent:.0f} %; compare accuracies with that.",
                label=quoted(labels[0]),
                percent=100 * share,
            )
        )
    if rare := [label for label in labels if counts[label] < 5]:
        notes.append(say("Classes with fewer than 5 rows, probably too few to learn: {which}.", which=names(rare)))
    return Target(name, np.array([number[cell] for cell in given], dtype=np.int64), has_target, labels, tuple(notes))


def _alike(given: Sequence[str], notes: list[Message]) -> list[str]:
    """The labels, where those that differ only in case are replaced by the most frequent spelling."""
    groups: dict[str, list[str]] = {}
    for label, _ in Counter(given).most_common():
        groups.setdefault(label.casefold(), []).append(label)
    several = [ways for ways in groups.values() if len(ways) > 1]
    if not several or len(groups) == 1:
        return [*given]
    notes.append(
        say(
            "Classes that differ only in case are merged: {which}.",
            which=enumerated([names(ways) for ways in several[:3]], "{clause}; {clauses}"),
        )
    )
    one = {label: ways[0] for ways in several for label in ways}
    return [one.get(label, label) for label in given]


def _overrule(labels: Sequence[str]) -> Message:
    if as_numbers("", Counter(labels), True, []) is None:
        return NOTHING
    return say(" (--kind regression overrules this)")


def _is_absent(cell: str) -> bool:
    """Whether a row has no target; "none" and "-" may be classes."""
    return is_missing(cell) and cell.lower() not in ("none", "nil", "-", "--", "missing")


def balance(counts: Counter[str]) -> Message:
    """For example: 3 classes ('no' 76 %, 'yes' 20 %, 'perhaps' 4 %)."""
    total = sum(counts.values())
    shares: list[Message | str] = [
        say("{label} {share:.0f} %", label=quoted(label[:30]), share=100 * count / total)
        for label, count in counts.most_common(6)
    ]
    which = enumerated([*shares, "…"] if len(counts) > 6 else shares)
    return say("{count} classes ({which})", count=len(counts), which=which)


def mlp_note(*widths: int) -> Message:
    layers = "-".join(map(str, widths))
    return say("Model: an MLP {layers}.", layers=layers)


def require_examples(what: str, count: int) -> None:
    """Raise BadTask if there are too few examples."""
    if count < MIN_EXAMPLES:
        raise BadTask(
            f"{what} has {count} usable {'example' if count == 1 else 'examples'}; training, validation and test need "
            f"at least {MIN_EXAMPLES}. Add more."
        )


def training_length(examples: int, shares: Sequence[float] = SHARES) -> dict[str, Any]:
    """Batch size and epochs: about 40 batches of 16 to 256 examples per epoch, and 300 to 4000 steps in all."""
    training = max(1, int(examples * shares[0]))
    batch_size = min(2 ** round(math.log2(max(16, min(256, training / 40)))), training)
    epochs = max(5.0, min(60.0, round(40 * math.sqrt(1000 / training))))
    return {"batch_size": batch_size, "epochs": min(epochs, 4000 * batch_size / training), "split": tuple(shares)}
