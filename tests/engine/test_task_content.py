"""The digests of a task: the same for the same task, others for other data, another model or another loss."""

import sys
from types import ModuleType

import pytest
import torch

from steepest.engine.task_content import code_digest, data_digest, model_digest
from steepest.ingest.load import resolve
from steepest.records.task_facts import TaskRef
from steepest.tasks.task import Task

draws = torch.Generator().manual_seed(0)
X = torch.randn(90, 3, generator=draws)
Y = (X @ torch.tensor([1.0, -1.0, 0.5]) > 0).long()


def task(x=X, y=Y, width=2, loss=torch.nn.functional.cross_entropy, **changes):
    changes = {"batch_size": 16, **changes}
    return Task(model=lambda: torch.nn.Linear(3, width), data=(x, y), loss=loss, metric="accuracy", **changes)


def digests(it):
    return data_digest(it), model_digest(it)


def test_an_equal_task_has_equal_digests():
    assert digests(task()) == digests(task(X.clone(), Y.clone()))
    assert all(digests(task()))


@pytest.mark.parametrize(
    "other",
    [
        task(X.clone().index_fill_(0, torch.tensor([89]), 0.5)),
        task(y=1 - Y),
        task(X.flip(0), Y.flip(0)),
        task(split="random"),
        task(standardize=True),
        task(batch_size=32),
        task(epochs=3),
    ],
)
def test_other_data_have_another_digest(other):
    assert data_digest(other) != data_digest(task())


def test_another_model_or_loss_has_another_digest_and_the_same_data():
    smooth = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    for other in (task(width=3), task(loss=smooth)):
        assert data_digest(other) == data_digest(task())
        assert model_digest(other) != model_digest(task())


def test_a_model_that_cannot_be_asked_has_no_digest():
    assert model_digest(task(width=1)) == ""  # labels 0 and 1, one output


@pytest.mark.parametrize("name", ["line", "digits"])
def test_built_in_tasks_have_digests(name):
    assert all(digests(resolve(TaskRef(name, "catalogue", name))))


def test_code_of_the_user_s_own_is_digested(tmp_path, monkeypatch):
    before, path = code_digest(), tmp_path / "helper.py"
    path.write_text("x = 1\n")
    module = ModuleType("helper")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "helper", module)
    with_helper = code_digest()
    path.write_text("x = 2\n")
    assert len({before, with_helper, code_digest()}) == 3
