"""`check` is quick: it says what it does, large models get fewer steps, and what would take too long is skipped."""

import io
import subprocess
import sys

import pytest
from engine.small import digits, shard

from steepest.cli import listings
from steepest.cli.own_task import Doing
from steepest.engine import calibrate, try_task
from steepest.messages import say
from steepest.records.task_facts import TaskRef

HERE = TaskRef("mine", "memory", "test")


@pytest.fixture
def tried(monkeypatch):
    """A try with constants changed: tried(seconds=-1, STEP_SECONDS=0)."""

    def run(begins=lambda doing: None, seconds=60.0, **constants):
        monkeypatch.setattr(try_task, "milliseconds_alone", lambda trial: 7.0)
        for name, value in constants.items():
            monkeypatch.setattr(try_task, name, value)
        return try_task.try_task(digits(), HERE, begins, seconds)

    return run


def test_each_part_is_announced_before_it_begins(tried):
    heard = []
    page = tried(heard.append, seconds=-1)
    said = [*map(str, heard)]
    assert said[:3] == ["Trying the model, the loss and the metric", "Training some steps", "Looking for warnings"]
    assert "Looking for warnings: idle parameters" in said
    assert page["steps_tried"] == 30
    assert page["milliseconds_a_step"] == 7.0


def test_without_time_the_engine_is_not_tried_and_that_is_said(tried):
    page = tried(seconds=-1)
    assert page["engine"] is None
    assert "Not tried, to save time. `steepest plan` shows it." in " ".join(listings.check(page).split())


def test_a_slow_model_gets_fewer_steps_and_is_timed_by_them(tried):
    page = tried(seconds=-1, STEP_SECONDS=0.0, EVALUATION_SECONDS=0.0)
    assert page["steps_tried"] == try_task.MIN_STEPS
    assert 0 < page["milliseconds_a_step"] != 7.0
    assert page["valid_loss_before"] is not None


def test_a_plan_times_a_step_with_the_same_function(monkeypatch):
    monkeypatch.setattr(calibrate, "milliseconds_alone", lambda trial: 7.0)
    assert calibrate.step_time(digits(), shard("adam")).milliseconds == 7.0


FIRST_WORDS = """
import sys

class Ear:
    def write(self, text):
        sys.stdout.write(text)
        raise SystemExit("torch" in sys.modules)

    def isatty(self):
        return False

    def flush(self):
        pass

sys.stderr = Ear()
from steepest.cli.main import main
main(["check", "line"])
"""


def test_the_first_words_do_not_wait_for_torch():
    done = subprocess.run([sys.executable, "-c", FIRST_WORDS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Loading line …\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_one_line_that_is_removed_and_a_file_gets_a_line_each(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for stream, expected in (
        (Terminal(), "first …\n\r\x1b[Ksecond …\r\x1b[Kthird …\r\x1b[K"),
        (io.StringIO(), "first …\nsecond …\nthird …\n"),
    ):
        with Doing(stream) as doing:
            doing(say("first"), stays=True)
            doing(say("second"))
            doing(say("third"))
        assert stream.getvalue() == expected
    with Doing(None) as doing:
        doing(say("nobody hears"))
