"""Whatever is wrong with a task gets one clear sentence, where the task is written or when it is first tried."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine
from torch import nn
from torch.nn import functional as F

import steepest
from steepest.errors import BadInput, BadTask
from steepest.tasks.check import check
from steepest.tasks.task import Task

X, Y = load_wine(return_X_y=True)
A, B = load_diabetes(return_X_y=True)
COLUMN = B[:, None]


def wine(**changes) -> Task:
    what = {"model": lambda: nn.Linear(13, 3), "loss": F.cross_entropy, "data": (X, Y), "metric": "accuracy"}
    return Task(**{**what, "batch_size": 32, **changes})


def regression(**changes) -> Task:
    what = {"model": lambda: nn.Linear(10, 1), "loss": F.mse_loss, "data": (A, COLUMN), "metric": "r2"}
    return Task(**{**what, **changes})


def spoilt(array: np.ndarray, value: float, *places: tuple[int, ...]) -> np.ndarray:
    array = array.astype(float)
    for place in places:
        array[place] = value
    return array


def says(error: pytest.ExceptionInfo, *words: str) -> None:
    message = str(error.value)
    for word in words:
        assert word in message, message
    assert "\n" not in message
    assert message.endswith((".", ")."))


# ---- what the constructor refuses ------------------------------------------------------------------------------------

PARTS = {"data": None, "train": (X, Y), "valid": (X, Y), "test": (X, Y)}


UNBUILDABLE = [
    ({"data": (X[:-1], Y)}, ["data inputs", "177", "178", "different lengths"]),
    ({"data": ((X, X[:9]), Y)}, ["data inputs[1]", "9", "178"]),
    ({"data": (spoilt(X, np.nan, (17, 4)), Y)}, ["data inputs", "1 value", "row 17, column 4", "NaN"]),
    ({"data": (spoilt(X, -np.inf, (3, 0), (9, 9)), Y)}, ["2 values", "row 3, column 0", "-inf"]),
    ({"data": (spoilt(X, 1e300, (5, 2)), Y)}, ["row 5, column 2", "float32", "inf"]),
    ({"data": (X, spoilt(Y, np.nan, (7,)))}, ["data targets", "row 7: NaN"]),
    ({**PARTS, "valid": (spoilt(X, np.nan, (1, 2)), Y)}, ["valid inputs", "row 1, column 2"]),
    ({"data": (X[:0], Y[:0])}, ["data is empty"]),
    ({**PARTS, "test": (X[:0], Y[:0])}, ["test is empty"]),
    ({"data": (X[:3], Y[:3]), "batch_size": 1}, ["valid part is empty", "3 examples"]),
    ({"data": X}, ["must be a pair", "ndarray"]),
    ({"data": (X, Y, Y)}, ["must be a pair", "tuple of 3"]),
    ({"data": ((), Y)}, ["no inputs"]),
    ({"data": (X, None)}, ["data targets", "object", "must be numbers"]),
    ({"data": (X.astype(str), Y)}, ["data inputs", "must be numbers"]),
    ({"data": ([[1, 2], [3]], [0, 1])}, ["data inputs", "cannot be read as an array"]),
    ({"data": (1.0, 2.0)}, ["single number"]),
    ({"data": (torch.tensor(X).to_sparse(), Y)}, ["sparse"]),
    ({"data": None}, ["No data is given"]),
    ({"data": None, "train": (X, Y)}, ["Only train is given", "data=(x, y)"]),
    ({"data": None, "valid": (X, Y), "test": (X, Y)}, ["valid and test are given"]),
    ({"train": (X, Y)}, ["Both data and train"]),
    ({**PARTS, "test": (X[:, :12], Y)}, ["train inputs are [178, 13]", "test inputs are [178, 12]"]),
    ({**PARTS, "test": ((X, X), Y)}, ["train has 1 input, test has 2"]),
    ({**PARTS, "test": (X, Y.astype(float))}, ["targets", "int64", "float32"]),
    ({"split": (0.9, 0.1, 0.0)}, ["split", "above 0", "test"]),
    ({"split": (0.8, 0.2)}, ["split", "three"]),
    ({"split": 0.2}, ["split", "three"]),
    ({"batch_size": 0}, ["batch_size is 0", "at least 1"]),
    ({"batch_size": -4}, ["batch_size is -4"]),
    ({"batch_size": 2.5}, ["batch_size is 2.5", "whole number"]),
    ({"batch_size": 108}, ["batch_size is 108", "107 examples"]),
    ({"epochs": 0}, ["epochs is 0", "above 0"]),
    ({"epochs": -1}, ["epochs is -1"]),
    ({"epochs": float("nan")}, ["epochs is nan"]),
    ({"epochs": "ten"}, ["epochs is 'ten'"]),
    ({"model": nn.Linear(13, 3)}, ["Linear", "Pass a function", "new weights"]),
    ({"model": "mlp"}, ["model is a str"]),
    ({"loss": "cross_entropy"}, ["loss is 'cross_entropy'", "Pass a function"]),
    ({"loss": nn.CrossEntropyLoss}, ["CrossEntropyLoss()"]),
    ({"metric": "acuracy"}, ["acuracy", "accuracy"]),
    ({"standardize": "yes"}, ["standardize is 'yes'"]),
    ({"standardize": True, "data": (X.astype(int), Y)}, ["standardize", "inputs", "integers"]),
    ({"standardize": "targets"}, ["standardize", "targets", "integers"]),
]


@pytest.mark.parametrize(
    ("changes", "words"), UNBUILDABLE, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_task_that_cannot_be_built_says_why(changes, words):
    with pytest.raises(BadInput) as error:
        wine(**changes)
    says(error, *words)


# ---- what the first try finds ----------------------------------------------------------------------------------------


class Frozen(nn.Linear):
    def __init__(self) -> None:
        super().__init__(13, 3)
        self.requires_grad_(False)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(13, 3)

    def forward(self, x):
        raise ZeroDivisionError("the second layer is on holiday.\nSee the manual.")


class Pair(nn.Linear):
    def __init__(self) -> None:
        super().__init__(13, 3)

    def forward(self, x):
        return super().forward(x), x


class Remembering(nn.Linear):
    """Adds what it gave for the batch before."""

    def __init__(self) -> None:
        super().__init__(13, 3)
        self.before = 0.0

    def forward(self, x):
        outputs = super().forward(x) + self.before
        self.before = outputs.detach()
        return outputs


class Halved(nn.Linear):
    def __init__(self) -> None:
        super().__init__(13, 3)

    def forward(self, x):
        return super().forward(x.half())


class Cut(nn.Linear):
    def __init__(self) -> None:
        super().__init__(13, 3)

    def forward(self, x):
        return super().forward(x).detach()


class Aside(nn.Linear):
    """Its parameters play no part in what it returns."""

    def __init__(self) -> None:
        super().__init__(13, 3)

    def forward(self, x):
        return x[:, :3].clone().requires_grad_()


def drawn_by_numpy() -> nn.Module:
    model = nn.Linear(13, 3)
    model.weight.data = torch.tensor(np.random.normal(size=(3, 13)), dtype=torch.float32)
    return model


def loss_with_weights() -> nn.Module:
    loss = nn.CrossEntropyLoss()
    loss.scale = nn.Parameter(torch.ones(1))
    return loss


ONE = nn.Linear(13, 3)


UNTRAINABLE = [
    ({"model": lambda: nn.Linear(12, 3)}, ["cannot take", "[8, 13] float32", "RuntimeError"]),
    ({"model": lambda: nn.Linear(13, 3), "data": (X.astype(int), Y)}, ["[8, 13] int64", "pass floats"]),
    ({"model": Broken}, ["ZeroDivisionError: the second layer is on holiday."]),
    ({"model": lambda: 1 / 0}, ["model() raised ZeroDivisionError: division by zero."]),
    ({"model": nn.Linear}, ["needs in_features, out_features", "model=lambda: Linear(…)"]),
    ({"model": lambda: None}, ["model() returned a NoneType"]),
    ({"model": nn.Flatten}, ["no trainable parameters"]),
    ({"model": Frozen}, ["no trainable parameters"]),
    ({"model": lambda: ONE}, ["same parameters at every call"]),
    ({"model": lambda: nn.Linear(13, 3).to("meta")}, ["device 'meta'", "--device"]),
    ({"model": lambda: nn.Linear(13, 3).to("cuda")}, ["CUDA", "--device"]),
    ({"model": Remembering}, ["not a second one of another size", "keeps state"]),
    ({"model": Halved}, ["must have the same dtype", "remove calls such as .half()"]),
    ({"model": drawn_by_numpy}, ["Draw them with torch"]),
    ({"model": Pair}, ["returned a tuple"]),
    ({"model": Cut}, ["no gradient"]),
    ({"model": Aside}, ["does not depend on any parameter"]),
    ({"model": lambda: nn.Linear(13, 2)}, ["2 outputs", "0 to 1", "48", "first is 2", "row 130 of data"]),
    ({"data": (X, Y + 1)}, ["3 outputs", "48", "start at 1: pass y - 1"]),
    ({"data": (X, np.eye(3)[Y])}, ["one-hot rows", "y.argmax(1)"]),
    ({"data": (X, np.eye(3, dtype=int)[Y])}, ["one-hot rows", "y.argmax(1)"]),
    ({"model": lambda: nn.Linear(13, 1), "loss": nn.BCEWithLogitsLoss()}, ["[8, 1]", "y.astype('float32')[:, None]"]),
    (
        {"model": lambda: nn.Linear(13, 1), "data": (X, (Y > 0).astype("float32")[:, None]), "loss": nn.BCELoss()},
        ["between 0 and 1", "End the model in a sigmoid, or use binary_cross_entropy_with_logits"],
    ),
    ({"data": (X, Y - 1)}, ["3 outputs", "0 to 2", "59", "first is -1", "row 0 of data"]),
    ({"data": (X, Y.astype(float))}, ["floats [178] float32", "class numbers", "astype"]),
    ({"data": (X, Y[:, None])}, ["loss cannot be computed", "[8, 3] float32", "[8, 1] int64"]),
    ({"loss": loss_with_weights()}, ["its own parameters"]),
    ({"loss": nn.CrossEntropyLoss(reduction="none")}, ["[8] float32", "not a scalar", ".mean()"]),
    ({"loss": lambda outputs, targets: 0.0}, ["a float", "not a scalar"]),
    ({"loss": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()}, ["no gradient"]),
    ({"loss": F.mse_loss}, ["loss cannot be computed", "[8, 3] float32", "[8] int64", "pass floats"]),
    ({"metric": lambda outputs, targets: "good"}, ["metric", "a str", "a number, or a scalar tensor"]),
    ({"metric": lambda outputs, targets: float("nan")}, ["is nan on 35 validation examples"]),
    ({"metric": lambda outputs, targets: outputs[99]}, ["metric", "IndexError"]),
    ({"metric": "r2"}, ["R² needs", "[35, 3]", "[35]"]),
]


@pytest.mark.parametrize(
    ("changes", "words"), UNTRAINABLE, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_task_that_cannot_be_trained_says_why(changes, words):
    task = wine(**changes)
    with pytest.raises(BadTask) as error:
        check(task)
    says(error, *words)


def squared(outputs, targets):
    return ((outputs - targets) ** 2).mean()


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("loss", [F.mse_loss, squared], ids=["torch's", "one's own"])
def test_outputs_in_a_column_and_targets_in_a_row_are_not_broadcast_in_silence(loss, batch_size):
    task = regression(data=(A, B), loss=loss, metric="loss", batch_size=batch_size)
    with pytest.raises(BadTask) as error:
        check(task)
    says(error, "[8, 1]", "[8]", "broadcasts", "y[:, None]")


def test_a_loss_that_takes_the_stray_axis_away_itself_is_fine():
    check(regression(data=(A, B), loss=lambda o, t: F.mse_loss(o.squeeze(1), t), metric="loss"))


def test_a_part_of_constant_targets_has_no_r2():
    with pytest.raises(BadTask) as error:
        check(regression(data=(A, np.ones_like(COLUMN))))
    says(error, "R²", "all targets of the validation part are equal")


@pytest.mark.parametrize("loss", [F.binary_cross_entropy, nn.BCELoss()], ids=["function", "module"])
def test_accuracy_reads_probabilities_as_probabilities(loss):
    task = wine(
        model=lambda: nn.Sequential(nn.Linear(13, 1), nn.Sigmoid()),
        data=(X, (Y == 0)[:, None].astype(float)),
        loss=loss,
        standardize=True,
    )
    check(task)
    outputs, targets = torch.tensor([[0.2], [0.4], [0.6], [0.9]]), torch.tensor([[0.0], [1.0], [1.0], [1.0]])
    assert float(task.quality.fn(outputs, targets)) == 0.75


@pytest.mark.parametrize(
    "task",
    [
        wine(),
        wine(loss=nn.CrossEntropyLoss(weight=torch.ones(3))),
        wine(model=lambda: nn.Sequential(nn.BatchNorm1d(13), nn.Dropout(), nn.Linear(13, 3)), batch_size=2),
        wine(model=lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))),
        wine(metric=lambda outputs, targets: float((outputs.argmax(1) == targets).float().mean())),
        wine(data=(X, np.where(Y == 0, -1, Y)), loss=nn.CrossEntropyLoss(ignore_index=-1)),
        wine(data=(X, F.one_hot(torch.tensor(Y)).float()), metric="loss"),
        wine(
            model=lambda: nn.Linear(13, 1),
            loss=F.binary_cross_entropy_with_logits,
            data=(X, (Y == 0)[:, None].astype(float)),
        ),
        wine(metric=steepest.Metric("error", lambda o, t: (o.argmax(1) != t).float().mean(), higher_is_better=False)),
        regression(),
        regression(metric="mae", loss=nn.HuberLoss()),
        regression(metric="mse", loss=squared, standardize="both"),
    ],
)
def test_a_sound_task_passes_and_leaves_the_callers_random_state_alone(task):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check(task)
    assert torch.equal(torch.rand(2), expected)
    assert np.isfinite(task.facts().margin)


# ---- the manual ------------------------------------------------------------------------------------------------------


def said(changes) -> str:
    with pytest.raises(BadInput) as error:
        check(wine(**changes))
    return str(error.value)


def test_the_manual_quotes_sentences_word_for_word():
    page = (Path(__file__).parents[2] / "docs" / "own-task.md").read_text(encoding="utf-8")
    quoted = {line.removeprefix("> ") for line in page.splitlines() if line.startswith("> ")}
    assert len(quoted) >= 10
    assert quoted <= {said(changes) for changes, _ in [*UNBUILDABLE, *UNTRAINABLE]}


def test_the_manual_names_every_argument_and_shows_the_example_as_it_is():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "own-task.md").read_text(encoding="utf-8")
    assert (root / "examples" / "own_task.py").read_text(encoding="utf-8") in page
    for argument in fields(Task):
        assert f"`{argument.name}`" in page, argument.name
