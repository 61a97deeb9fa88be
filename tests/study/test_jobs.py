"""Ids of jobs: results of earlier studies are found by them, so they must stay what they are, byte for byte."""

from dataclasses import asdict

import pytest
from study import toy

from steepest.errors import StudyFolderError
from steepest.records.contender import Contender
from steepest.records.files import write_checked
from steepest.records.job_records import FleetCandidate
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane
from steepest.study import jobs
from steepest.study.planner import shards
from steepest.study.spec import RunPlan, StudySpec, TaskSpec

DIGITS = TaskRef("digits", "catalogue", "digits")
WINE = TaskRef("wine", "data", "/data/wine.csv", digest="ab12", options={"target": "quality"})
ADAM = Contender("adam", "adam", 1e-3)
SGD = Contender(
    "sgd@8",
    "sgd",
    0.1,
    settings={"momentum": 0.9, "nesterov": True},
    schedule="cosine",
    batch_size=8,
    axes={"dropout": 0.2},
    optimizer="sgd",
    fleet_obstacle="is slow",
    default_rate=0.01,
)
SPEC = StudySpec(
    name="s", command="c", tasks=(TaskSpec(ref=DIGITS), TaskSpec(ref=WINE)), contenders=(ADAM, SGD), reference="adam"
)
RACE = SPEC.model_copy(update={"race": True, "dtype": "float64"})
RUN = RunPlan(
    task="digits",
    contender="adam",
    engine="fleet",
    width=4,
    compiled=("gradient",),
    batch_size=32,
    steps=100,
    evaluate_at=(10, 50, 100),
    lanes=18,
    extra_lanes=9,
)
LANES = [Lane(rate, seed) for seed in (0, 1) for rate in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)]


@pytest.fixture(autouse=True)
def fixed_versions(monkeypatch):
    monkeypatch.setattr(jobs, "versions", lambda: {"steepest": "0.1.0", "torch": "2.10"})


def test_ids_of_descriptions():
    assert jobs.describe(DIGITS).id == "digits-b8b48b5899b0885e"
    assert jobs.describe(WINE).id == "wine-27e3c63fe18f5fc8"


def test_ids_of_timings():
    assert jobs.time(SPEC, DIGITS, ADAM, 32, [FleetCandidate(45)]).id == "digits.adam-ce30fe093d814e49"
    assert jobs.time(RACE, WINE, SGD, 8, []).id == "wine.sgd-9053db070082faf0"
    compiled = FleetCandidate(9, compiled=("gradient", "update"))
    assert jobs.time(SPEC, DIGITS, ADAM, 32, [compiled]).id == "digits.adam-913d49ce55f1b48a"


@pytest.mark.parametrize(
    ("task", "contender", "gradient", "update"),
    [
        (DIGITS, ADAM, "digits.gradient-d43a299f42b737fa", "digits.adam-dc55b5afa33f34b4"),
        (DIGITS, SGD, "digits.gradient-b422eeddeb1d8b46", "digits.sgd-317bccd220fe8fa9"),
        (WINE, ADAM, "wine.gradient-b7c5e6d93a482829", "wine.adam-c549290732a802b9"),
        (WINE, SGD, "wine.gradient-7cd8c11e921feda9", "wine.sgd-c5a30529ad08ad30"),
    ],
)
def test_ids_of_compilations(task, contender, gradient, update):
    assert jobs.compile(SPEC, task, contender, 8, 9, "gradient").id == gradient
    assert jobs.compile(SPEC, task, contender, 8, 9, "update").id == update


@pytest.mark.parametrize(
    ("task", "contender", "plain", "racing"),
    [
        (0, ADAM, "digits.adam.grid-e5fba48465fbd4c9", "digits.adam.grid-f58392ab930c25d2"),
        (0, SGD, "digits.sgd@8.grid-3bc282276674fb49", "digits.sgd@8.grid-2bbbed50551c2ad5"),
        (1, ADAM, "wine.adam.grid-01c78c0b73203ad6", "wine.adam.grid-a93edd4dc905d9e7"),
        (1, SGD, "wine.sgd@8.grid-8a24e86180db86a3", "wine.sgd@8.grid-734b4f088de0eb30"),
    ],
)
def test_ids_of_shards(task, contender, plain, racing):
    for spec, expected in ((SPEC, plain), (RACE, racing)):
        assert [shard.id for shard in shards(spec, spec.tasks[task], contender, RUN, LANES)] == [expected]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_train", 0),
        ("n_train", "many"),
        ("margin", -1.0),
        ("parameters", 10**15),
        ("luck", None),
        ("fleet_obstacle", 3),
    ],
)
def test_facts_that_cannot_be_true_are_refused_though_they_have_their_checksum(tmp_path, name, value):
    path = tmp_path / "facts.json"
    write_checked(path, {**asdict(toy.FACTS), name: value})
    with pytest.raises(StudyFolderError, match=r"facts\.json (is damaged at|has an impossible)"):
        jobs.read_facts(path)
    write_checked(path, asdict(toy.FACTS))
    assert jobs.read_facts(path) == toy.FACTS


def test_times_that_no_step_takes_are_refused_though_they_have_their_checksum(tmp_path):
    path, time = tmp_path / "time.json", StepTime("", "", 0.5, 8.0, (FleetTime(4, ("update",), 1.0, 0.25),))
    write_checked(path, asdict(time))
    assert jobs.read_time(path) == time
    for wrong in ({"milliseconds": -1.0}, {"fleets": [{"lanes": 0}]}, {"fleets": 3}):
        write_checked(path, {**asdict(time), **wrong})
        with pytest.raises(StudyFolderError, match=r"time\.json (is damaged at|has an impossible)"):
            jobs.read_time(path)
