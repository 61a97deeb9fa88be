"""What all kinds of files share: the target, its kind (classification or regression), and the length of training."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Literal, TypeVar, cast

import numpy as np
from torch.nn import functional as F

from steepest.errors import BadSetting, BadTask
from steepest.ingest.choices import Choice
from steepest.ingest.columns import with_missing
from steepest.ingest.date_formats import duration
from steepest.ingest.far_values import FarValue, far_values
from steepest.ingest.notes import names, quoted
from steepest.ingest.number_columns import NumberTable, number_table, plain_numbers
from steepest.ingest.number_formats import STYLES, Style, is_missing
from steepest.ingest.packed_cells import PackedCells
from steepest.messages import NOTHING, Message, enumerated, say
from steepest.records.task_warnings import TaskWarning
from steepest.tasks.task import Task

Made = TypeVar("Made", bound=Task)
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
    choice: Choice = field(default_factory=Choice)
    """How its cells were read."""
    findings: tuple[TaskWarning, ...] = ()
    far: tuple[FarValue, ...] = ()

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
        self, kind: type[Made], classes: int, training: Mapping[str, Any], notes: Sequence[Message], /, **what: Any
    ) -> Made:
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


def target(
    name: str,
    cells: Sequence[str],
    kind: Kind | None = None,
    of_table: Style | None = None,
    choice: Choice | None = None,
) -> Target:
    """Classes or amounts from a column of cells. `of_table` is what point and comma mean in the other columns. Raises
    BadTask if the cells cannot be a target."""
    choice = choice or Choice()
    if choice.kind not in ("", "number", "duration", "category"):
        raise BadTask(
            f"--column {name}={choice.words()[0]}: {name!r} is the target. Read it as number, duration or category."
        )
    notes: list[Message] = []
    texts = with_missing(PackedCells.of(cells).texts(), choice)
    absent = {cell for cell in set(texts) if _is_absent(cell)}
    has_target = np.array([cell not in absent for cell in texts]) if absent else np.ones(len(texts), dtype=bool)
    given = [*compress(texts, has_target.tolist())]
    if not given:
        raise BadTask(f"The target {name!r} has no values: all {len(texts)} cells are empty. Choose another --target.")
    if len(given) < len(texts):
        notes.append(
            say(
                "{without:,} of {all:,} rows have no target; left out.", without=len(texts) - len(given), all=len(texts)
            )
        )
    counts = Counter(given)
    if len(counts) == 1:
        raise BadTask(f"The target {name!r} is {given[0]!r} in every row. Choose another --target.")
    if choice.kind == "category" and kind is None:
        kind = "classification"
    table = None if kind == "classification" else _amounts(name, counts, of_table, choice)
    if table is None and (kind == "regression" or choice.kind in ("number", "duration")):
        raise BadTask(
            f"The target {name!r} is not numeric ({given[0]!r} …), so it cannot be used for a regression. Leave out "
            + ("--kind." if kind == "regression" else f"--column {name}={choice.words()[0]}.")
        )
    if kind is None and table is not None:
        amounts = [value for value in table.values.values() if not math.isnan(value)]
        few = len(counts) <= MAX_CLASS_VALUES and all(value.is_integer() for value in amounts)
        kind = "classification" if few and not choice.kind else "regression"
    if kind == "regression" and table is not None:
        return _regression(name, texts, table, notes, Choice(choice.kind or "number", table.style, choice.missing))
    return _classes(name, given, has_target, notes, Choice("category", missing=choice.missing))


def _amounts(name: str, counts: Mapping[str, int], of_table: Style | None, choice: Choice) -> NumberTable | None:
    """The amounts in the cells of a target; None if too few are numbers."""
    if choice.kind == "duration":
        seconds = {cell: duration(cell) for cell in counts}
        known = {cell: math.nan if value is None else value for cell, value in seconds.items()}
        return None if all(map(math.isnan, known.values())) else NumberTable(known, "")
    style = STYLES.get(choice.detail)
    if style != "de" and (plain := plain_numbers(PackedCells.of([*counts]))) is not None:
        return NumberTable(dict(zip(counts, plain.tolist(), strict=True)), "")
    return number_table(name, counts, of_table, style, is_chosen=choice.kind == "number")


def _regression(name: str, texts: Sequence[str], table: NumberTable, notes: list[Message], choice: Choice) -> Target:
    column = np.array([table.values.get(cell, math.nan) for cell in texts])
    has_target = np.isfinite(column)
    values = column[has_target]
    notes += table.notes
    notes.append(
        say(
            "Target {name}: {count:,} different numbers from {low:g} to {high:g}, so a regression, metric R² "
            "(--kind classification overrules this).",
            name=quoted(name),
            count=len(np.unique(values)),
            low=values.min(),
            high=values.max(),
        )
    )
    far = tuple(far_values(values))
    return Target(name, values[:, None], has_target, (), tuple(notes), choice, table.findings, far)


def _classes(name: str, given: Sequence[str], has_target: np.ndarray, notes: list[Message], choice: Choice) -> Target:
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
    codes = np.array([number[cell] for cell in given], dtype=np.int64)
    return Target(name, codes, has_target, labels, tuple(notes), choice)


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
    if number_table("", Counter(labels)) is None:
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
