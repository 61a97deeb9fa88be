"""`steepest init` writes a file that runs as it is; `steepest check` tells whether a task trains, and how."""

import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest import api
from steepest.cli import listings
from steepest.datasets import sources
from steepest.errors import BadInput, BadTask
from steepest.ingest import load
from steepest.tasks.task import Task

PIXELS, DIGITS = (sources.load("digits")[name][:300] for name in ("x", "y"))


def test_the_starter_file_is_written_once_and_runs_as_it_is(tmp_path):
    path = tmp_path / "mine.py"
    load.write_starter(path)
    first = path.read_text(encoding="utf-8")
    assert "steepest run mine.py --budget" in first
    with pytest.raises(BadInput, match="was not changed"):
        load.write_starter(path)
    page = api.check(path)
    assert page["engine"] == "fleet"
    assert page["valid_loss_after"] < page["valid_loss_before"]
    assert page["parts"] == {"train": 107, "valid": 35, "test": 36}
    assert "The task can be trained." in listings.check(page)


def test_the_starter_file_names_only_arguments_that_there_are():
    text = load.STARTER.read_text(encoding="utf-8")
    inside = text[text.index("task = Task(") :]
    named = {line.split("=")[0].strip() for line in inside.splitlines()[1:] if line.startswith("    ")}
    assert named <= {field.name for field in fields(Task)}
    assert {"model", "loss", "metric", "data", "split", "standardize", "batch_size", "epochs"} == named


def test_an_impossible_file_name_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"ends in \.py"):
        load.write_starter(tmp_path / "mine.txt")
    with pytest.raises(BadInput, match="cannot be written"):
        load.write_starter(tmp_path / "nowhere" / "mine.py")


def test_init_and_check_on_the_command_line(typed, tmp_path):
    assert "steepest check my_task.py" in typed("init", cwd=tmp_path).out
    assert "was not changed" in typed("init", cwd=tmp_path, code=2).err
    assert json.loads(typed("check", "--json", cwd=tmp_path).out)["engine"] == "fleet"
    (tmp_path / "my_task.py").write_text("task = 3\n")
    told = typed("check", cwd=tmp_path, code=2)
    assert told.out == ""
    assert "`task` in my_task.py is a int" in told.err


# ---- which engine, and why -------------------------------------------------------------------------------------------


class Fickle(nn.Module):
    """Looks at its values to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


def task(model, **changes) -> Task:
    what = {"loss": F.cross_entropy, "metric": "accuracy", "data": (PIXELS / 16, DIGITS), "batch_size": 16}
    return Task(model=model, **{**what, **changes})


def test_a_model_that_cannot_be_a_fleet_is_trained_alone_and_the_reason_is_shown():
    page = api.check(task(Fickle))
    assert page["engine"] == "solo"
    assert "reads values out of tensors" in str(page["obstacle"])
    assert "One trial at a time" in listings.check(page)


class Softly(nn.Module):
    """A softmax before cross-entropy, half precision, and a layer that nothing comes of."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.idle = nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)).half(), nn.Linear(3, 3)

    def forward(self, x):
        return self.body(x)


def test_probable_mistakes_are_reported():
    x, y = torch.randn(60, 4) * 1000, torch.arange(60) % 2
    page = api.check(Task(model=Softly, data=(x, y), loss=F.cross_entropy, batch_size=8, epochs=2))
    said = " ".join(str(found.message) for found in page["warnings"])
    for words in ("Remove the softmax", "built in float16", "standardize=True", "idle.weight"):
        assert words in said
    assert "warnings" in listings.check(page)


def test_a_loss_that_does_not_fall_is_reported():
    def nearly_blind(outputs, targets):
        return (outputs.logsumexp(1) - outputs.logsumexp(1).detach()).mean() * 1e-12 + targets.float().mean() * 0 + 1

    page = api.check(task(lambda: nn.Linear(64, 10), loss=nearly_blind))
    assert "the loss did not fall" in listings.check(page)


def test_a_task_that_cannot_be_trained_gives_the_same_error_as_run():
    with pytest.raises(BadTask, match="cannot take"):
        api.check(task(lambda: nn.Linear(63, 10)))


def test_checking_leaves_the_callers_random_state_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(2), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    api.check(task(lambda: nn.Sequential(nn.Dropout(), nn.Linear(64, 10))))
    assert torch.equal(torch.rand(2), expected[0])
    assert np.random.rand() == expected[1]
