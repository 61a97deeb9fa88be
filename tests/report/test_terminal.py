"""What a running study shows: a table on a terminal, few plain lines elsewhere, nothing when asked to be quiet."""

import io
import re
import sys
from dataclasses import replace
from typing import get_args

import pytest

from steepest.messages import NOTHING, term
from steepest.records.progress_record import Progress, ProgressRow
from steepest.records.trials import Stage
from steepest.report.terminal import EVERY, STAGES, LiveTable, PlainLines, Silent, frame, listener, summary

ROWS = (
    ProgressRow("digits", "adam", "refine", done=97, planned=130, failed=8, best_rate=0.00316, best_valid=0.97421),
    ProgressRow("digits", "<script>\x1b[31m", "grid", done=12, planned=130, failed=0),
    ProgressRow("digits", "gd", "waiting", done=0, planned=130, failed=0),
)


def progress(done=109, phase="training", message=NOTHING, rows=ROWS, left=97.0):
    return Progress(phase, done, 390, seconds=24.0, seconds_left=left, rows=rows, message=message)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")


def test_the_listener_fits_its_surroundings(monkeypatch):
    assert isinstance(listener(stream=Terminal()), LiveTable)
    assert isinstance(listener(stream=io.StringIO()), PlainLines)
    assert isinstance(listener(quiet=True, stream=Terminal()), Silent)
    monkeypatch.setenv("CI", "true")
    assert isinstance(listener(stream=Terminal()), PlainLines)


def test_it_writes_to_stderr_so_that_stdout_holds_the_verdict(capsys):
    listener()(progress())
    out, err = capsys.readouterr()
    assert out == ""
    assert "109 of 390 trials" in err


def test_python_without_a_console_is_quiet(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(listener(), Silent)


def test_plain_lines_come_at_most_every_few_seconds_and_at_each_phase():
    stream, clock = io.StringIO(), Clock()
    tell = PlainLines(stream, clock)
    tell(progress(0, "describing"))
    tell(progress(0, "timing"))
    for step in range(100):  # 100 events in 10 seconds
        clock.now = step / 10
        tell(progress(step))
    tell(progress(390, "finished"))
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["Checking the tasks …", "Timing one step of each optimizer …"]
    assert lines[2].startswith("Training: 0 of 390 trials (0 %)")
    assert len(lines) == 2 + 1 + int(9.9 / EVERY) + 1
    assert lines[-1].startswith("Finished: 390 of 390 trials (100 %)")


@pytest.mark.parametrize("shows", [PlainLines, LiveTable])
def test_before_training_a_line_comes_only_with_something_new_to_say(shows):
    stream, clock = Terminal(), Clock()
    tell = shows(stream, clock)
    for task in ("digits", "housing", "digits"):
        for _ in range(3):  # long after one another
            clock.now += 3 * EVERY
            tell(Progress("timing", 0, 390, seconds=clock.now, seconds_left=None, task=task))
    tell.close()
    assert stream.getvalue().splitlines() == [
        "Timing one step of each optimizer on digits …",
        "Timing one step of each optimizer on housing …",
    ]


def test_a_message_gets_its_line_at_once_and_cannot_steer_the_terminal():
    stream, clock = io.StringIO(), Clock()
    tell = PlainLines(stream, clock)
    tell(progress(1))
    tell(progress(2, message=term("A worker was replaced.\x1b[2J")))
    assert stream.getvalue().splitlines()[1:] == ["A worker was replaced.\\u001b[2J"]


def test_the_summary_shows_progress_time_and_failures():
    assert summary(progress()) == "Training: 109 of 390 trials (28 %), 8 failed, 24 s, about 97 s left"
    assert summary(progress(left=None)).endswith("24 s")


def test_rates_that_were_meant_to_be_too_large_are_no_failures():
    rows = (ProgressRow("digits", "adam", "grid", done=20, planned=130, failed=8, diverged=6),)
    assert "(28 %), 6 at too large a rate, 2 failed, 24 s" in summary(progress(rows=rows))
    rows = (ProgressRow("digits", "adam", "grid", done=20, planned=130, failed=6, diverged=6),)
    assert "failed" not in summary(progress(rows=rows))


def test_no_time_left_is_promised_before_the_end():
    assert summary(progress(left=0.0)).endswith("24 s")


def live(*events):
    stream, clock = Terminal(), Clock()
    tell = LiveTable(stream, clock)
    for event in events:
        clock.now += 1.0
        tell(event)
    tell.close()
    tell.close()
    return stream.getvalue()


def test_the_table_shows_every_contender_with_its_stage_and_best_rate():
    shown = live(progress())
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert re.search(r"adam +refine +97/130 +– +8 +0\.003\d* +0\.9742", text)
    assert re.search(r"<script>\\u001b\[31m +grid +12/130 +– +– +–", text)
    assert re.search(r"gd +waiting +0/130", text)
    assert "109 of 390" in text
    assert "\x1b[31m " not in shown.split("<script>")[1][:6]


def test_before_training_there_are_lines_and_no_table():
    shown = live(progress(0, "describing", rows=()), progress(0, "timing", rows=()), progress(0, "timing", rows=()))
    assert shown.splitlines() == ["Checking the tasks …", "Timing one step of each optimizer …"]


def test_the_cursor_comes_back_when_the_study_ends():
    shown = live(progress(), progress(390, "finished"))
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    assert shown.rindex("\x1b[?25h") > shown.rindex("Finished")


def test_no_color_leaves_movement_but_no_colour(monkeypatch):
    coloured = live(progress())
    monkeypatch.setenv("NO_COLOR", "1")
    plain = live(progress())
    assert re.search(r"\x1b\[3[0-7]m", coloured)
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3|4|9)\d[;m]", plain)


def test_a_low_screen_shows_who_is_at_work_and_counts_the_rest():
    many = tuple(ProgressRow("digits", f"o{i}", "done", 130, 130, 0) for i in range(40)) + ROWS[:1]
    shown = frame(progress(rows=many), height=14)
    table = shown.renderables[0]
    assert table.row_count == 10
    assert "adam" in [cell.plain for cell in table.columns[0].cells]
    assert "… and 31 more" in [getattr(item, "plain", "") for item in shown.renderables]


def test_frames_are_not_drawn_more_often_than_eyes_can_follow():
    stream, clock = Terminal(), Clock()
    tell = LiveTable(stream, clock)
    for step in range(1000):  # a second of events
        clock.now = step / 1000
        tell(progress(step % 300))
    tell.close()
    assert stream.getvalue().count("optimizer") <= 12


def test_a_time_left_that_ends_at_a_look_says_so():
    to_a_look = replace(progress(), until_look=True)
    assert summary(to_a_look).endswith("24 s, about 97 s left to the next look at the verdict")
    assert summary(progress()).endswith("24 s, about 97 s left")


def test_every_stage_of_a_trial_has_a_name():
    assert set(get_args(Stage)) <= set(STAGES)
