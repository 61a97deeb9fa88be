"""Tasks by reference: a file of one's own, its errors in one sentence, and no silent change of a task."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest.builtin import task_table
from steepest.errors import BadInput, BadTask, DataUnavailable, UnknownName
from steepest.ingest.load import load_file, reference, resolve
from steepest.records.task_facts import TaskRef
from steepest.tasks.task import Task

SOUND = """
import torch
from sklearn.datasets import load_wine
from steepest import Task

x, y = load_wine(return_X_y=True)
task = Task(model=lambda: torch.nn.Linear(13, 3), loss=torch.nn.functional.cross_entropy, data=(x, y), epochs=3)
"""


def written(folder: Path, text: str, name: str = "my_task.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_found_and_resolved_from_anywhere(tmp_path, monkeypatch):
    written(tmp_path, SOUND)
    monkeypatch.chdir(tmp_path)
    ref = reference(Path("my_task.py"))
    assert (ref.name, ref.source, len(ref.digest)) == ("my_task", "file", 64)
    monkeypatch.chdir("/")
    task = resolve(ref)
    assert task.facts("wine").steps == round(3 * 107 / 64)
    assert resolve(ref) is task


def test_a_file_may_define_task_as_a_function_and_import_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    written(tmp_path, "WIDTH = 5\n", "neighbour_of_a_task.py")
    text = SOUND.replace("task = Task(", "import neighbour_of_a_task\n\ndef task():\n    return Task(")
    text = text.replace("torch.nn.Linear(13, 3)", "torch.nn.Linear(13, neighbour_of_a_task.WIDTH)")
    assert load_file(written(tmp_path, text)).build_model(0).out_features == 5


def test_loading_leaves_no_files_behind(tmp_path):
    load_file(written(tmp_path, SOUND))
    assert [path.name for path in tmp_path.iterdir()] == ["my_task.py"]


def test_a_file_that_changed_since_is_refused(tmp_path):
    path = written(tmp_path, SOUND)
    ref = reference(path)
    written(tmp_path, SOUND.replace("epochs=3", "epochs=4"))
    with pytest.raises(BadTask, match="has changed since"):
        resolve(ref)
    assert resolve(reference(path)).epochs == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", ["does not define `task`", "steepest.Task(…)"]),
        (SOUND.replace("task =", "my_task ="), ["does not define `task`", "'my_task'"]),
        ("task = None\n", ["None"]),
        ("task = 7\n", ["`task`", "is a int", "steepest.Task"]),
        ("def task():\n    return {}\n", ["is a dict"]),
        ("import torch\ntask = torch.nn.Linear(1, 1)\n", ["is a Linear"]),
        ("from steepest import Task as task\n", ["is a type"]),
        ("x = 1\n\nraise KeyError('price')\n", ["line 3 raised KeyError", "price"]),
        ("def task():\n    import os\n    return os.nothing\n", ["line 3 raised AttributeError", "nothing"]),
        ("def broken(:\n", ["line 1 raised SyntaxError"]),
        ("import not_installed_anywhere\n", ["line 1 raised ModuleNotFoundError", "not_installed_anywhere"]),
        ("raise SystemExit('enough')\n", ["line 1 raised SystemExit: enough"]),
        (SOUND.replace("epochs=3", "epochs=0"), ["my_task.py, line 7: epochs is 0"]),
        (SOUND.replace("epochs=3", "epoks=3"), ["line 7: Task has no argument 'epoks'. Did you mean epochs?"]),
        (SOUND.replace("epochs=3", "metric='acuracy'"), ["line 7", "accuracy"]),
        ("\0", ["my_task.py"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_file_without_a_sound_task_says_why(text, words, tmp_path):
    with pytest.raises(BadTask) as error:
        load_file(written(tmp_path, text))
    message = str(error.value)
    for word in ["my_task.py", *words]:
        assert word in message, message
    assert "\n" not in message
    assert "Traceback" not in message


def test_data_that_cannot_be_had_stay_that_kind_of_error(tmp_path):
    text = "from steepest.errors import DataUnavailable\nraise DataUnavailable('no network')\n"
    with pytest.raises(DataUnavailable, match="no network"):
        load_file(written(tmp_path, text))


@pytest.mark.parametrize("name", ["nowhere.py", "my_task.txt", "folder.py"])
def test_a_file_that_is_not_there_says_so(name, tmp_path):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "my_task.txt").write_text(SOUND)
    for load in (load_file, reference):
        with pytest.raises(BadTask, match=name):
            load(tmp_path / name)


def test_a_name_of_the_catalogue_resolves_and_an_unknown_one_gets_the_nearest():
    assert resolve(TaskRef("digits", "catalogue", "digits")).name == "digits"
    with pytest.raises(UnknownName, match="digits") as error:
        resolve(TaskRef("digist", "catalogue", "digist"))
    assert isinstance(error.value, BadInput)
    assert set(task_table.names()) >= {"digits", "digits-linear", "housing", "line"}


def test_a_task_in_memory_resolves_only_where_it_lives():
    task = Task(
        model=lambda: nn.Linear(1, 1), loss=F.mse_loss, data=(torch.rand(50, 1), torch.rand(50, 1)), batch_size=5
    )
    ref = TaskRef("mine", "memory", "key")
    assert resolve(ref, {"key": task}) is task
    with pytest.raises(BadTask, match="memory"):
        resolve(ref)
