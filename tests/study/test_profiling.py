"""What is measured before a study, and what an earlier study's measurements are good for."""

from dataclasses import asdict, replace

import pytest
from study.toy import FACTS, spec

from steepest.records.files import write_json
from steepest.records.job_records import FleetCandidate
from steepest.records.step_times import FleetTime, StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskRef
from steepest.study import jobs
from steepest.study.executors import FunctionExecutor
from steepest.study.profiling import profile
from steepest.study.progress import ProgressTracker
from steepest.study.spec import TaskSpec


class Laboratory:
    """Writes what a worker would write, at a speed of its own, and counts what it was asked to time."""

    def __init__(self, folder, speed=1.0, share=1.0):
        self.folder, self.speed, self.share, self.timed = folder, speed, share, []

    def __call__(self, job):
        if job.kind == "describe":
            found = asdict(FACTS)
        else:
            self.timed.append(job.contender.name)
            fleets = tuple(FleetTime(each.lanes, (), 4.5 / self.speed, 0.9) for each in job.candidates)
            found = asdict(StepTime("toy", job.contender.name, 0.5 / self.speed, 8.0, fleets, share=self.share))
        write_json(self.folder / "facts" / f"{job.id}.json", found)


@pytest.fixture
def surveyed(tmp_path, monkeypatch):
    """Surveys one study after another in new folders on one machine: what each had timed, and its plan."""
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    count = iter(range(9))

    def run(speed=1.0, share=1.0, **changes):
        folder = tmp_path / f"study-{next(count)}"
        laboratory = Laboratory(folder, speed, share)
        asked = spec(protocol=StudyDesign(seeds=5), engine="fleet").model_copy(update=changes)
        plan = profile(asked, folder, FunctionExecutor(laboratory), ProgressTracker(None, 1))
        return laboratory.timed, plan

    return run


def test_a_second_study_times_one_contender_and_believes_what_was_measured_of_the_others(surveyed):
    first, plan = surveyed()
    second, again = surveyed()
    assert first == ["inside", "edge"]
    assert second == ["inside"]
    assert again.seconds == plan.seconds


def test_on_a_machine_that_has_become_slower_everything_is_timed_again(surveyed):
    _, plan = surveyed()
    timed, slower = surveyed(speed=0.5)
    assert timed == ["inside", "edge"]
    assert slower.seconds > 1.3 * plan.seconds
    assert surveyed(speed=0.5)[0] == ["inside"]


def test_nothing_is_remembered_of_a_task_that_lives_in_memory(surveyed):
    own = (TaskSpec(ref=TaskRef("toy", "memory", "toy")),)
    assert surveyed(tasks=own)[0] == surveyed(tasks=own)[0] == ["inside", "edge"]


def test_what_was_measured_while_others_had_the_core_is_not_remembered(surveyed):
    assert surveyed(share=0.6)[0] == surveyed(share=0.6)[0] == ["inside", "edge"]


def test_a_damaged_memory_is_none(surveyed, tmp_path):
    surveyed()
    for note in (tmp_path / "cache" / "times").iterdir():
        note.write_text("{", encoding="utf-8")
    assert surveyed()[0] == ["inside", "edge"]


def test_a_time_that_was_remembered_is_the_time_that_was_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path))
    asked = spec()
    job = jobs.time(asked, TaskRef("toy", "builtin", "toy"), asked.contenders[0], 64, [FleetCandidate(9)])
    time = StepTime("toy", "inside", 0.5, 8.0, (FleetTime(9, ("gradient",), 0.2, 0.1, build_seconds=0.3),), 1.5)
    assert jobs.remembered_time(job) is None
    jobs.remember_time(job, time)
    assert jobs.remembered_time(job) == time
    assert jobs.remembered_time(replace(job, id="another")) is None
