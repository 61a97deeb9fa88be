"""Warnings about tasks: one found warning, and the table of all kinds. It is here so that the readers of data, the
checks, the verdict and the command line share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from steepest.errors import UnknownName
from steepest.messages import Message, mark, say, term
from steepest.records.record import JsonObject

Severity = Literal["severe", "warning", "note"]
"""severe: the verdict would be about something else, so `run` refuses the task unless the warning is accepted;
warning: probably a mistake; note: good to know."""
SEVERITIES: tuple[Severity, ...] = (mark("severe"), mark("warning"), mark("note"))


@dataclass(frozen=True, slots=True)
class WarningKind:
    """A kind of warning, as docs/warnings.md lists it."""

    id: str
    """Stable, in kebab-case: what `--accept` takes."""
    severity: Severity
    """The highest severity of a warning of this kind."""
    title: str
    """What it means, in one sentence."""
    example: str
    """A task that gives it."""
    remedy: str
    """What to do."""
    in_verdict: bool = False
    """Whether the verdict's first paragraph repeats it, since it says what the results are about. Severe ones, once
    accepted, are always repeated there, and all others below it."""


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """A warning about one task. `warning(id, message)` makes it."""

    id: str
    severity: Severity
    message: Message
    """Fact, cause and remedy, in one or two sentences."""
    accepted: bool = False
    """Whether the user has accepted it: then it stops nothing."""

    @classmethod
    def from_json(cls, data: JsonObject) -> TaskWarning:
        values = dict(data)
        values["message"] = Message.from_json(data["message"])
        return cls(**values)

    @property
    def stops(self) -> bool:
        """Whether it keeps a study from starting."""
        return self.severity == "severe" and not self.accepted


def warning(id: str, message: Message, severity: Severity | None = None) -> TaskWarning:
    """A warning of a kind of `KINDS`; of a lower severity than the kind's if one is given."""
    return TaskWarning(id, severity or KINDS[id].severity, message)


def accepting(found: Iterable[TaskWarning], ids: Sequence[str]) -> tuple[TaskWarning, ...]:
    """The warnings, each once and the severe ones first, with those of these ids accepted."""
    once = dict.fromkeys(replace(each, accepted=each.accepted or each.id in ids) for each in found)
    return tuple(sorted(once, key=lambda each: SEVERITIES.index(each.severity)))


def stopping(found: Iterable[tuple[str, TaskWarning]]) -> str:
    """The message of an error about severe warnings, each with the name of its task; empty if none stops a study."""
    stops = [(name, each) for name, each in found if each.stops]
    if not stops:
        return ""
    says = " ".join(dict.fromkeys(f"{name}: {each.message} [{each.id}]" for name, each in stops))
    ids = [*dict.fromkeys(each.id for _, each in stops)]
    python = ", ".join(map(repr, ids))
    accepts = f"--accept {','.join(ids)} (in Python: accept=[{python}])"
    return f"{says} Nothing was trained. Correct this; or accept it if it is meant so: {accepts}."


def in_words(found: TaskWarning) -> Message:
    """A warning with its severity and its id, by which it can be accepted or looked up."""
    kind = say("accepted") if found.accepted else term(found.severity)
    return say("{message} [{severity}: {id}]", message=found.message, severity=kind, id=found.id)


def check_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids, each once; raises UnknownName for one that no kind has."""
    for id in (ids := tuple(dict.fromkeys(ids))):
        if id not in KINDS:
            raise UnknownName.among("warning", id, KINDS, "docs/warnings.md lists all warnings.")
    return ids


KINDS: dict[str, WarningKind] = {
    kind.id: kind
    for kind in (
        # ---- data and their parts ------------------------------------------------------------------------------------
        WarningKind(
            id="shared-rows",
            severity="severe",
            title="Two parts have rows in common, so that validation or test measures what was learned by heart.",
            example="valid=(x, y), test=(x, y)",
            remedy="Remove these rows from one of the parts. If `data` repeats rows, remove the copies, or keep "
            "them in one part: groups=, --group COLUMN.",
        ),
        WarningKind(
            id="target-leak",
            severity="severe",
            title="One column orders or determines the target, as a column does that was made from it.",
            example="a price in euros among the columns, and the price in dollars as target",
            remedy="Remove the column if it is not known at prediction time; else accept the warning.",
        ),
        WarningKind(
            id="groups-apart",
            severity="severe",
            title="Rows of one id, such as a patient, are in the training part and in the test part.",
            example="20 visits of each of 40 patients; the diagnosis belongs to the patient",
            remedy='Split by group: --group COLUMN, groups=. If rows are unrelated: --split random, split="random".',
        ),
        WarningKind(
            id="time-order",
            severity="warning",
            title="Rows are a series, but the test part is drawn from among them at random.",
            example="prices by day, without --time",
            remedy='Split by time: --time COLUMN, time=. If rows are unrelated: --split random, split="random".',
        ),
        # ---- tables --------------------------------------------------------------------------------------------------
        WarningKind(
            id="far-value",
            severity="warning",
            title="A number is repeated far outside the other values of its column. It may stand for a missing value.",
            example="-200 in a column of temperatures from 2 to 35",
            remedy="Declare it missing: --column NAME=missing:-200.",
        ),
        WarningKind(
            id="dotted-thousands",
            severity="warning",
            title="Points are read as separators of thousands.",
            example="1.244 and 750 in one column",
            remedy="Nothing if that is right. If they are decimal points: --column NAME=number:en.",
        ),
        WarningKind(
            id="point-or-comma",
            severity="warning",
            title="All numbers of a column have three digits after their only point or comma: decimals or thousands.",
            example="1.244, 2.310 and 9.871, in a file without any other decimal number",
            remedy="Say which: --column NAME=number:de for 1.234,5 or number:en for 1,234.5.",
        ),
        WarningKind(
            id="mixed-number-formats",
            severity="warning",
            title="Some numbers of a column have a decimal point, others a decimal comma.",
            example="12.5 and 7,25 in one column",
            remedy="Write all numbers of the column in the same way.",
        ),
        WarningKind(
            id="mixed-units",
            severity="warning",
            title="The numbers of a column have different units or currencies, or only some have one.",
            example="70 kg and 154 lb in one column",
            remedy="Use one unit in the file, or leave the column out: --column NAME=drop.",
        ),
        WarningKind(
            id="two-digit-years",
            severity="warning",
            title="Years are written with two digits, so the century is a guess.",
            example="04.01.68 is read as 2068-01-04",
            remedy="Write years with four digits.",
        ),
        WarningKind(
            id="day-or-month",
            severity="warning",
            title="All dates of a column may have the day or the month first.",
            example="03/04/2021 and 05/06/2021",
            remedy="Say which: --column NAME=date:dmy or date:mdy.",
        ),
        # ---- loaders -------------------------------------------------------------------------------------------------
        WarningKind(
            id="sampler-dropped",
            severity="warning",
            title="The sampler of a loader cannot be kept.",
            example="a batch sampler of your own",
            remedy="Nothing if every row may come once per epoch. Else pass the rows as they should come, as arrays.",
        ),
        WarningKind(
            id="order-dropped",
            severity="note",
            title="The training rows of a loader are shuffled, although the loader does not shuffle.",
            example="train=DataLoader(rows, batch_size=32)",
            remedy="Nothing. Every seed has an order of its own.",
        ),
        WarningKind(
            id="batch-size-dropped",
            severity="note",
            title="The task has another batch size than the loader of its training part.",
            example="Task(train=DataLoader(rows, batch_size=32), batch_size=64, …)",
            remedy="Leave out batch_size to train with that of the loader.",
        ),
        WarningKind(
            id="drop-last",
            severity="note",
            title="The rows that drop_last of a loader leaves out are used.",
            example="DataLoader(rows, batch_size=32, drop_last=True) of 100 rows",
            remedy="Nothing, unless the last rows must not be used: then remove them.",
        ),
        WarningKind(
            id="collate-once",
            severity="warning",
            title="The collate_fn of a loader draws at random or mixes examples, but it is called only once.",
            example="a collate_fn that mixes examples or adds noise",
            remedy="Move what is random into __getitem__ of the data set.",
        ),
        WarningKind(
            id="augmentation-frozen",
            severity="warning",
            title="A data set changes its rows at random, but the changes cannot be drawn again in each epoch.",
            example="a data set with a generator of its own, such as self.rng.normal()",
            remedy='Draw from torch, NumPy\'s global generator or random. Or accept it: augmentation="frozen".',
        ),
        WarningKind(
            id="augmentation-everywhere",
            severity="warning",
            title="Validation and test rows are changed at random too; they are read once, with their changes.",
            example="data=pictures, where pictures flips at random",
            remedy="Pass train with random changes, and valid and test without.",
        ),
        # ---- model and loss ------------------------------------------------------------------------------------------
        WarningKind(
            id="other-precision",
            severity="warning",
            title="The model is built in another floating-point format than it is trained in.",
            example="model=lambda: nn.Linear(4, 2).double()",
            remedy="Remove calls such as .double() and .half(), or set --dtype float64.",
        ),
        WarningKind(
            id="probabilities-into-logits",
            severity="warning",
            title="The model ends in a softmax or sigmoid, but the loss applies it itself.",
            example="nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)) with cross_entropy",
            remedy="Remove the last softmax or sigmoid from the model.",
        ),
        WarningKind(
            id="unscaled-inputs",
            severity="warning",
            title="The inputs are large numbers. Most models train better on scaled inputs.",
            example="prices in dollars as inputs, without standardize",
            remedy="Set standardize=True, or scale the inputs.",
        ),
        WarningKind(
            id="idle-parameters",
            severity="warning",
            title="The loss does not depend on some of the model's parameters.",
            example="a layer that forward() does not use",
            remedy="Use the layer in forward(), or remove it.",
        ),
        WarningKind(
            id="bounded-outputs",
            severity="warning",
            title="The model ends in a bounded function, but the loss expects unbounded logits or scores.",
            example="nn.Sequential(nn.Linear(4, 3), nn.ReLU()) with cross_entropy",
            remedy="Remove the last activation from the model.",
        ),
        WarningKind(
            id="logits-into-probabilities",
            severity="severe",
            title="The loss expects probabilities, log-probabilities or rates, but gets unbounded numbers.",
            example="a model that ends in nn.Linear with nll_loss",
            remedy="End the model in the function that the warning names, or use the loss that takes logits.",
        ),
        WarningKind(
            id="targets-outside-loss",
            severity="severe",
            title="Some targets are not what the loss expects, so that it falls without limit or learns nothing.",
            example="labels −1 and 1 with binary_cross_entropy_with_logits",
            remedy="Convert the targets, or use another loss.",
        ),
        WarningKind(
            id="targets-out-of-reach",
            severity="warning",
            title="The model's last function cannot give some of the targets.",
            example="a sigmoid at the end of a model of prices",
            remedy="Remove the last function, or scale the targets into its range.",
        ),
        WarningKind(
            id="summed-loss",
            severity="warning",
            title="The loss is a sum over the examples of a batch, not a mean.",
            example="nn.MSELoss(reduction='sum')",
            remedy="Use the mean, so that learning rates do not depend on the batch size.",
        ),
        WarningKind(
            id="unbounded-loss",
            severity="warning",
            title="The loss falls without limit as the outputs grow.",
            example="lambda outputs, targets: -(outputs * targets).mean()",
            remedy="Check the sign of the loss and its targets.",
        ),
        # ---- evaluation and metrics ----------------------------------------------------------------------------------
        WarningKind(
            id="neighbours",
            severity="severe",
            title="In evaluation, the output of an example depends on the other examples of its batch.",
            example="nn.LSTM without batch_first on inputs (batch, time, features)",
            remedy="Set batch_first=True, keep running statistics, and let no operation mix the examples.",
        ),
        WarningKind(
            id="random-evaluation",
            severity="severe",
            title="In evaluation, two passes over the same examples give different outputs.",
            example="F.dropout(x) in forward(), whose training argument is True by default",
            remedy="Pass training=self.training, or use nn.Dropout.",
        ),
        WarningKind(
            id="training-ignored",
            severity="note",
            title="A layer of a Keras model is called with training=True, which Keras ignores in evaluation.",
            example="keras.layers.Dropout(0.5)(x, training=True) in a functional model",
            remedy="Nothing, unless evaluation should draw random numbers too, which is not supported.",
        ),
        WarningKind(
            id="single-example",
            severity="warning",
            title="The model does not accept a batch of one example, as the last batch may be.",
            example="x.squeeze() in forward()",
            remedy="Name the axis to remove, such as x.squeeze(-1).",
        ),
        WarningKind(
            id="one-metric",
            severity="note",
            title="Several metrics are given; the first decides, and only it is measured.",
            example='metric={"class": "accuracy", "box": "mae"}',
            remedy="Nothing. To measure another metric, put it first.",
        ),
        WarningKind(
            id="absent-classes",
            severity="warning",
            title="Some classes do not occur in the validation or test part, so the metric says nothing about them.",
            example="labels of 0 alone in the test part",
            remedy="Split so that every class is in every part: stratified, or with larger shares.",
        ),
        # ---- the check itself ----------------------------------------------------------------------------------------
        WarningKind(
            id="not-checked",
            severity="note",
            title="A check was skipped because it would take too long, or it could not be made for this task.",
            example="a model whose single step takes seconds",
            remedy="After a skipped check, nothing: `run` makes it. After a failed one, read its error, which may be "
            "the model's own. The study can go on.",
        ),
    )
}
"""Every warning. Sorted by what it is about; docs/warnings.md is generated from it."""
