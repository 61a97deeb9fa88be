"""`--on`: where a study runs."""

import shutil
from hashlib import sha256

import pytest
import torch
from torch import nn

import steepest
from steepest.clusters.on import place
from steepest.clusters.parcels import pack
from steepest.clusters.slurm import SlurmCluster
from steepest.clusters.slurm_options import SlurmOptions
from steepest.errors import BadSetting, BadTask
from steepest.records.job_records import DescribeJob
from steepest.records.task_facts import TaskRef

TASK = """
import torch
from torch import nn
import steepest

x = torch.linspace(-1, 1, 96)[:, None]
task = steepest.Task(
    model=lambda: nn.Linear(1, 1), loss=nn.functional.mse_loss, data=(x, 2 * x + 1), epochs=3, batch_size=16,
)
"""


def hashes(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "curves").glob("*.npz"))}


@pytest.mark.parametrize(
    "words, says",
    [
        ("slrum", "Unknown place 'slrum'"),
        ("no_such_module:make", "no_such_module"),
        ("clusters.places:none_of_this", "has no none_of_this"),
    ],
)
def test_a_place_that_there_is_not_is_refused(words, says):
    with pytest.raises(BadSetting, match=says):
        place(words)


def test_a_factory_of_something_else_is_refused(tmp_path):
    make = place("clusters.places:nothing")
    assert make is not None
    with pytest.raises(BadSetting, match="makes a object, which has no workers"):
        make(tmp_path, None)


def test_a_task_in_memory_is_refused_with_the_way_out(tmp_path):
    x = torch.linspace(-1, 1, 64)[:, None]
    task = steepest.Task(model=lambda: nn.Linear(1, 1), loss=nn.functional.mse_loss, data=(x, x), batch_size=16)
    with pytest.raises(BadTask, match=r"pass the file: steepest init"):
        steepest.compare(task, on="clusters.places:two", out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_an_agent_of_slurm_has_a_core_for_each_process_of_a_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    cluster = SlurmCluster(tmp_path, SlurmOptions.parse("cpus=2"))
    parcel = pack(DescribeJob("facts", TaskRef("toy", "catalogue", "toy")), cores=3)
    with pytest.raises(BadSetting, match=r"on 3 processes needs .* slurm:cpus=3 or more"):
        cluster.send([parcel])


@pytest.mark.slow
def test_a_task_file_travels_and_the_curves_are_those_of_this_machine(tmp_path):
    file = tmp_path / "line.py"
    file.write_text(TASK)
    options = {"optimizers": "sgd,adam", "rates": [0.01, 0.1], "seeds": 2, "engine": "fleet", "workers": 1}
    steepest.compare(str(file), out=tmp_path / "here", quiet=True, **options)
    steepest.compare(str(file), out=tmp_path / "there", on="clusters.places:two", quiet=True, **options)
    assert hashes(tmp_path / "there") == hashes(tmp_path / "here") != {}


@pytest.mark.slow
def test_a_study_is_extended_elsewhere_and_trials_on_several_processes_travel(tmp_path):
    """An agent starts as many workers as its cores allow for."""
    file = tmp_path / "line.py"
    file.write_text(TASK)
    options = {"optimizers": "sgd", "rates": [0.01, 0.1], "parallel": "ddp:2", "workers": 1, "quiet": True}
    steepest.compare(str(file), out=tmp_path / "here", seeds=3, **options)
    steepest.compare(str(file), out=tmp_path / "there", on="clusters.places:pair", seeds=2, **options)
    steepest.extend(tmp_path / "there", seeds=3, on="clusters.places:pair", workers=1, quiet=True)
    assert curves(tmp_path / "there") == curves(tmp_path / "here") != {}


def curves(folder):
    """(rate, seed) → test values of a study, whose shards may be cut in another way."""
    study = steepest.open_study(folder)
    return {(each.rate, each.seed): (each.test_loss, each.test_metric) for each in study.record.results}
