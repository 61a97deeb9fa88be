"""Twelve models of other people's kinds: each is checked, gets the engine that it should, or the reason is said, and
trains by it. One of each path into the house goes through a small study too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import steepest
from steepest import api
from steepest.cli import listings
from steepest.engine.shard import run_job
from steepest.ingest import load
from steepest.optim.catalogue import contender
from steepest.records.files import read_trace
from steepest.records.job_records import TrainJob
from steepest.records.outcomes import Outcome
from steepest.records.trials import Lane, Shard
from steepest.study.spec import read_spec

MODELS = Path(__file__).parents[2] / "examples" / "models"
ALONE = {"gru_packed": "it packs its sequences by their lengths"}
"""Those that train one at a time, and what is said of it."""
STUDIED = {"gru_packed": "solo", "keras_subclass": "fleet", "vae": "fleet"}
"""One that trains alone, one of Keras, and one with a loss of its own, with their engines."""


pytestmark = pytest.mark.usefixtures("one_thread")


def needs(name: str) -> None:
    if name.startswith("keras"):
        pytest.importorskip("keras")


def test_there_are_twelve():
    assert len(list(MODELS.glob("*.py"))) == 12


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.py")), ids=lambda path: path.stem)
def test_a_model_of_any_kind_is_checked_and_trained(path, tmp_path):
    needs(path.stem)
    page = api.check(path)
    reason = ALONE.get(path.stem, "")
    assert page["engine"] == ("solo" if reason else "fleet")
    assert reason in str(page["obstacle"])
    assert page["valid_loss_after"] < page["valid_loss_before"]
    assert ("One trial at a time" if reason else "Many trials at once") in listings.check(page)

    ref, steps = load.reference(path), 6
    lanes = (Lane(1e-3, seed=0), Lane(1e-3, seed=1))
    shard = Shard("some", ref, contender("adam"), lanes, page["batch_size"], steps, (steps,), engine=page["engine"])
    run_job(TrainJob(shard), tmp_path)
    trace = read_trace(tmp_path / "curves" / "some.npz")
    assert trace.outcome == (Outcome.OK, Outcome.OK)
    assert np.isfinite([trace.train_loss, trace.valid_loss, trace.valid_metric]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIED)
def test_a_model_of_any_kind_is_studied(name, tmp_path):
    needs(name)
    task = replace(load.load_file(MODELS / f"{name}.py"), epochs=1)
    how = {"seeds": 2, "rates": [1e-3], "engine": STUDIED[name], "workers": 1}
    study = steepest.compare(task, ["sgd", "adam"], out=tmp_path / "study", quiet=True, **how)
    (standings,) = [verdict.standings for verdict in study.verdict.tasks]
    assert {standing.contender for standing in standings} == {"sgd", "adam"}
    assert {run.engine for run in read_spec(study.folder).plan.runs} == {STUDIED[name]}
