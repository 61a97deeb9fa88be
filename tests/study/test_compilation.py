"""A study has compiled what will save it time, and goes on without what cannot be compiled."""

from dataclasses import replace

import pytest
from study.toy import FACTS, contender, spec

from steepest.records.job_records import CompileResult
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.study import jobs
from steepest.study.compilation import Compilation
from steepest.study.execution import choose_mode
from steepest.study.progress import ProgressTracker

HERE = replace(FACTS, compiler_obstacle="")


class Workers:
    """Do jobs at once: compiling succeeds but for the parts refused, and compiled gradients take half the time."""

    def __init__(self, refused=()):
        self.refused, self.done = refused, []

    def collect(self, wanted, phase, read):
        wanted = list(wanted)
        self.done += wanted
        return {job.id: getattr(self, phase)(job) for job in wanted}

    def measure(self, job):
        return self.collect([job], "timing", None)[job.id]

    def compiling(self, job):
        return CompileResult(0.1, tuple(f"the {part}: no" for part in job.compiled if part in self.refused))

    def timing(self, job):
        fleets = tuple(
            FleetTime(each.lanes, tuple(each.compiled), 0.05 * each.lanes, 0.01 * each.lanes) for each in job.candidates
        )
        return StepTime("toy", job.contender.name, 1.0, 8.0, fleets)

    def parts(self):
        return sorted(job.compiled[0] for job in self.done if job.kind == "compile")


@pytest.fixture(autouse=True)
def nothing_made_before(tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path))


def compiled(workers, steps, facts=HERE, **changes):
    """The times after compilation of a study whose trials take so many steps of 0.1 ms a lane."""
    asked = spec(protocol=StudyDesign(), **changes)
    fleet = FleetTime(45, (), 4.5, 0.9)
    times = {("toy", c.name): StepTime("toy", c.name, 1.0, 8.0, (fleet,)) for c in asked.contenders}
    said = []
    tracker = ProgressTracker(lambda progress: said.append(str(progress.message)), 1)
    found = Compilation(asked, workers.collect, workers.measure, tracker).times([replace(facts, steps=steps)], times)
    tracker.tell("timing")
    return found, [message for message in said if message]


def test_a_small_study_compiles_nothing():
    workers = Workers()
    times, _ = compiled(workers, steps=10)
    assert workers.done == []
    assert choose_mode("auto", times["toy", "inside"]).compiled == ()


def test_a_large_one_has_the_gradient_made_once_for_all_and_each_update():
    workers = Workers()
    times, said = compiled(workers, steps=10_000)
    assert workers.parts() == ["gradient", "update", "update"]
    assert said == []
    for name in ("inside", "edge"):
        assert choose_mode("auto", times["toy", name]).compiled == ("gradient", "update")


def test_a_failed_compilation_is_reported_once_and_not_used():
    workers = Workers(refused=("gradient", "update"))
    times, said = compiled(workers, steps=10_000)
    assert sorted(map(str, said)) == ["Not compiled: the gradient: no.", "Not compiled: the update: no."]
    assert choose_mode("auto", times["toy", "inside"]).compiled == ()


def test_without_a_compiler_nothing_is_asked_for():
    workers = Workers()
    compiled(workers, steps=10_000, facts=replace(HERE, compiler_obstacle="there is none"))
    assert workers.done == []


def test_who_asks_for_compiled_fleets_gets_them_however_small_the_study():
    workers = Workers()
    compiled(workers, steps=10, engine="compiled")
    assert workers.parts() == ["gradient", "update", "update"]


def test_a_gradient_is_the_same_library_for_every_rule_and_an_update_is_not():
    task, asked = spec().tasks[0].ref, spec()
    first, second = (contender(name) for name in ("inside", "edge"))

    def name(who, part):
        return jobs.compile(asked, task, who, 64, 9, part).id

    assert name(first, "gradient") == name(second, "gradient")
    assert name(first, "update") != name(second, "update")
