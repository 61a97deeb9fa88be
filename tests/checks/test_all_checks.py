"""Warnings have an id: found by the checks or by the readers of data, accepted by id, stored with the facts."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

from steepest import Task
from steepest.checks import all_checks
from steepest.checks.all_checks import CHECKS, TaskCheck, warnings_about
from steepest.errors import UnknownName
from steepest.messages import say
from steepest.records.task_facts import TaskFacts
from steepest.records.task_warnings import KINDS, SEVERITIES, TaskWarning, accepting, check_ids, warning

X, Y = torch.randn(60, 4), torch.arange(60) % 2


def small(**changes) -> Task:
    what = {"model": lambda: nn.Linear(4, 2), "data": (X, Y), "loss": nn.functional.cross_entropy, "batch_size": 8}
    return Task(**{**what, **changes})


def softly() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 2), nn.Softmax(1))


def test_a_sound_task_has_no_warning():
    assert warnings_about(small()) == ()


def test_what_the_readers_of_data_found_comes_with_what_the_checks_found_and_the_severe_first():
    read = TaskWarning("unscaled-inputs", "severe", say("Read."))
    found = warnings_about(small(model=softly, found=[read]))
    assert [each.id for each in found] == ["unscaled-inputs", "probabilities-into-logits"]
    assert [each.stops for each in found] == [True, False]


def test_an_accepted_warning_stops_nothing_and_is_still_there():
    read = TaskWarning("unscaled-inputs", "severe", say("Read."))
    (found,) = warnings_about(small(found=[read], accept=["unscaled-inputs"]))
    assert found.accepted
    assert not found.stops


def test_the_same_warning_is_given_once():
    read = warning("unscaled-inputs", say("Read."))
    assert accepting([read, read], []) == (read,)


def test_only_warnings_that_exist_can_be_accepted():
    with pytest.raises(UnknownName, match="Did you mean idle-parameters"):
        small(accept=["idle-parameter"])
    assert check_ids(["idle-parameters", "idle-parameters"]) == ("idle-parameters",)


def test_a_check_that_fails_is_a_note_and_the_others_are_made(monkeypatch):
    def breaks(specimen):
        raise RuntimeError("no such thing")
        yield

    monkeypatch.setattr(all_checks, "CHECKS", (TaskCheck(breaks, "free"), *CHECKS))
    note, other = sorted(warnings_about(small(model=softly)), key=lambda each: each.severity)
    assert (
        str(note.message)
        == "Not checked: breaks. The check failed with RuntimeError: no such thing. The study can go on."
    )
    assert other.id == "probabilities-into-logits"


def test_checks_that_would_begin_too_late_are_named():
    (note,) = warnings_about(small(), seconds=-1)
    assert note.severity == "note"
    assert "outputs fit the loss, targets fit the loss" in str(note.message)


def test_checks_do_not_draw_from_the_callers_generator():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    warnings_about(small())
    assert torch.equal(torch.rand(2), expected)


def test_warnings_are_stored_with_the_facts_and_older_studies_have_none():
    facts = small().facts("mine")
    held = asdict(facts) | {"warnings": [asdict(warning("idle-parameters", say("{n} idle", n=2)))]}
    assert TaskFacts.from_json(held).warnings == (warning("idle-parameters", say("{n} idle", n=2)),)
    del held["warnings"]
    assert TaskFacts.from_json(held).warnings == ()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_says_what_it_means_and_what_to_do(kind):
    assert KINDS[kind.id] is kind
    assert kind.id == kind.id.lower().replace("_", "-").replace(" ", "-")
    assert kind.severity in SEVERITIES
    assert kind.title.endswith(".")
    assert kind.remedy.endswith((".", "?"))
    assert kind.example
