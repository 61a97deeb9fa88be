"""Jobs travel as JSON, and come back as what they were."""

import json
from dataclasses import replace

import pytest
from study import toy

from steepest.errors import BadInput
from steepest.records.job_records import (
    CompileJob,
    DescribeJob,
    FleetCandidate,
    ProbeJob,
    TimeJob,
    TrainJob,
    WorkerMessage,
    job_from_json,
)
from steepest.records.task_facts import TaskRef

TASK = TaskRef("mine", "data", "/data/wine.csv", digest="ab12", options={"target": "quality"})
CONTENDER = toy.contender(
    "inside", settings={"momentum": 0.9}, rates=(0.1, 1.0), batch_size="full", axes={"dropout": 0.2}
)
SHARD = replace(toy.shard(), task=TASK, contender=CONTENDER, compiled=("gradient",), rungs=((50, 1),))


@pytest.mark.parametrize(
    "job",
    [
        DescribeJob("d", TASK),
        TimeJob("t", TASK, CONTENDER, 8, "float64", "cpu", (FleetCandidate(9), FleetCandidate(36, 4, ("update",)))),
        CompileJob("c", TASK, CONTENDER, 8, "float32", "cpu", 9, ("gradient", "update")),
        TrainJob(SHARD),
        ProbeJob(SHARD),
    ],
    ids=lambda job: job.kind,
)
def test_a_job_is_the_same_after_its_travel(job):
    sent = json.loads(json.dumps(job.to_json()))
    assert (sent["kind"], sent["id"]) == (job.kind, job.id)
    assert job_from_json(sent) == job


def test_a_job_of_an_unknown_kind_is_refused():
    with pytest.raises(BadInput, match="Unknown job kind 'dance': it must be describe, compile, time, train or probe"):
        job_from_json({"kind": "dance", "id": "x"})


def test_a_message_says_only_what_there_is_to_say():
    assert WorkerMessage("ready").to_json() == {"event": "ready"}
    done = WorkerMessage("done", "x", seconds=0.5)
    assert done.to_json() == {"event": "done", "id": "x", "seconds": 0.5}
    assert WorkerMessage.from_json(done.to_json()) == done
