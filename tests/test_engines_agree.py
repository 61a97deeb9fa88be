"""Whichever engine trains a study, its verdict is the same."""

from dataclasses import replace

import numpy as np
import pytest
from torch.nn import functional as F

import steepest
from steepest.builtin.models import linear, mlp
from steepest.datasets import sources
from steepest.study.spec import read_spec
from steepest.tasks.task import Task


def _digits(model) -> Task:
    arrays = sources.load("digits")
    x = arrays["x"][:600].astype(np.float32) / 16
    return Task(model=model, data=(x, arrays["y"][:600]), loss=F.cross_entropy, metric="accuracy", epochs=4)


def _regression() -> Task:
    """Which number is written, as a quantity."""
    task = _digits(lambda: mlp((64, 24, 1)))
    x, y = task.data
    return replace(task, data=(x, y.astype(np.float32)[:, None] / 9), loss=F.mse_loss, metric="r2")


TASKS = {
    "network": lambda: _digits(lambda: mlp((64, 24, 10))),
    "linear": lambda: _digits(lambda: linear(64, 10)),
    "regression": _regression,
}


@pytest.mark.compile
@pytest.mark.parametrize("name", TASKS)
def test_solo_fleet_and_compiled_choose_the_same_rates_and_say_the_same(name, tmp_path):
    studies = {
        engine: steepest.compare(
            TASKS[name](), ["sgd", "adam"], seeds=5, grid=5, engine=engine, out=tmp_path / engine, quiet=True
        )
        for engine in ("solo", "fleet", "compiled")
    }
    used = {engine: {run.engine for run in _runs(study)} for engine, study in studies.items()}
    assert used == {"solo": {"solo"}, "fleet": {"fleet"}, "compiled": {"fleet"}}
    assert all(set(run.compiled) == {"gradient", "update"} for run in _runs(studies["compiled"]))
    said = {engine: _said(study) for engine, study in studies.items()}
    assert said["solo"] == said["fleet"] == said["compiled"]


def _said(study) -> dict:
    verdict = study.verdict.tasks[0]
    rates = {standing.contender: f"{standing.rate:.3g}" for standing in verdict.standings}
    return {"best": verdict.best, "ties": sorted(verdict.ties), "rates": rates}


def _runs(study):
    return read_spec(study.folder).plan.runs
