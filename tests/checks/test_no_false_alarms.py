"""Sound tasks have no severe warning, and every check can be made: built-in tasks, their networks, and the examples."""

from operator import attrgetter
from pathlib import Path

import pytest
from builtin.test_networks import NETWORKS
from builtin.test_task_table import ENTRIES

from steepest import Task
from steepest.checks.all_checks import warnings_about
from steepest.ingest.load import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*.py") if path.stem != "line")  # which is a program, not a task


def alarms(task: Task) -> list[str]:
    """The severe warnings of a task, and the checks that could not be made."""
    found = warnings_about(task)
    return [str(each.message) for each in found if each.severity == "severe" or each.id == "not-checked"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_built_in_task_raises_no_alarm(entry):
    if entry.data in ("housing", "adult"):
        pytest.importorskip("pyarrow")
    assert not alarms(entry.build())


@pytest.mark.parametrize("network", NETWORKS, ids=attrgetter("name"))
def test_the_network_of_a_built_in_task_raises_no_alarm(network):
    """Digits stand in for data that would have to be fetched."""
    assert not alarms(Task(model=network.model, data=network.data, loss=network.loss, batch_size=8))


@pytest.mark.parametrize("path", FILES, ids=attrgetter("stem"))
def test_an_example_raises_no_alarm(path):
    if "keras" in path.stem:
        pytest.importorskip("keras")
    assert not alarms(load_file(path))
