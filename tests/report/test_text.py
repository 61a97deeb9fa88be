"""The verdict on a terminal: words first, aligned tables, no more than 100 columns, colour only where it belongs."""

import io
import re

import pytest
from report.studies import default_view, hostile_study, judged, three_tasks
from rich.cells import cell_len
from verdict.factory import SEVEN, Shape, synthetic_study

from steepest.report.text import text, wants_colour
from steepest.report.view import view

ANSI = re.compile(r"\x1b\[\d*m")


def small():
    shapes = (SEVEN[5], SEVEN[0], Shape("adagrad", 0.962, 1e-2, shift=9.0))
    return view(*judged(*synthetic_study(shapes, seeds=5, reference="sgd")))


def test_the_page_reads_like_this():
    lines = text(small()).split("\n")
    assert lines[0].startswith("Handwritten digits, MLP (synthetic): use adam with learning rate 0.0")
    ranking = lines.index(next(line for line in lines if line.lstrip().startswith("#")))
    assert lines[ranking : ranking + 4] == GOLDEN_RANKING.removeprefix("\n").removesuffix("\n").split("\n")
    assert lines[ranking + 4] == ""
    assert lines[ranking + 5 : ranking + 10] == GOLDEN_RATES.strip("\n").split("\n")
    assert lines[-1] == "To reproduce: steepest run digits --seeds 10"


GOLDEN_RANKING = """
  #  optimizer  verdict  test accuracy, %  95 %          behind best  95 %                  p
→ 1  adam       best                 98.0  [97.1, 98.9]            –                        –
  2  sgd        behind               96.0  [94.7, 97.3]         +2.0  [+1.2, +2.9]      0.001
  3  adagrad    behind               10.0  [8.0, 12.0]         +88.0  [+85.6, +90.4]  < 0.001
"""

GOLDEN_RATES = """
optimizer   rate  safe rates       failed  stalled  trials  ms/step  run time
adam        0.01  0.0017 to 0.032       5       10      65    0.450    0.22 s
sgd         0.46  0.089 to 0.46        14        5      65    0.310    0.15 s
adagrad    100 ↑  0.0001 to 100         0       65      65    0.500    0.24 s
↑ ↓ untuned: best rate at the upper or lower edge of the search; a better one may lie beyond.
"""


@pytest.mark.parametrize("shown", [default_view, three_tasks, small], ids=["default", "three tasks", "small"])
def test_no_line_is_wider_than_a_hundred_columns(shown):
    assert max(cell_len(line) for line in text(shown()).split("\n")) <= 100


def test_every_claim_is_printed_except_those_that_repeat_the_ranking():
    shown = default_view()
    flat = re.sub(r"\s+", " ", text(shown))
    for claim in [*shown["tasks"][0]["claims"], *shown["claims"]]:
        assert (str(claim["sentence"]) in flat) != claim["pair"], claim
    assert all(str(line) in flat.replace(" - ", " ") for line in shown["tasks"][0]["answer"])


def test_without_the_details_it_is_one_screen_that_answers():
    """The default study: seven optimizers, an answer in lines, the ranking with the advised row marked."""
    lines = text(default_view(), full=False).split("\n")
    assert len(lines) <= 30  # three more follow: the report, the details, the code
    assert len(lines[0].split()) <= 20
    ranking = next(i for i, line in enumerate(lines) if line.lstrip().startswith("#"))
    assert [line for line in lines[ranking:] if line.startswith("→")] == [lines[ranking + 1]]
    assert lines[ranking].endswith("rate  run time")
    assert "To reproduce" not in "".join(lines)


def test_no_sentence_of_the_answer_has_two_intervals():
    for line in default_view()["tasks"][0]["answer"]:
        assert all(sentence.count("interval") <= 1 for sentence in str(line).split(". "))


def test_columns_stay_aligned_under_wide_characters():
    lines = text(view(*hostile_study())).split("\n")
    start = next(i for i, line in enumerate(lines) if line.lstrip().startswith("#"))
    rows = lines[start + 1 : start + 11]
    starts = {cell_len(row[: re.search(r"\b(best|tie|behind|unsure|failed)\b +[\d–]", row).start()]) for row in rows}
    assert len(starts) == 1
    assert len({len(row) - cell_len(row) for row in rows}) > 1, "some names are wider than they are long"


def test_no_name_reaches_the_terminal_with_its_controls():
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text(view(*hostile_study())))


def test_colour_adds_styles_and_nothing_else():
    plain, painted = text(default_view()), text(default_view(), colour=True)
    assert "\x1b" not in plain
    assert painted != plain
    assert ANSI.sub("", painted) == plain


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colour_is_for_terminals_that_want_it(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())


def test_several_tasks_begin_with_what_they_say_together():
    lines = text(three_tasks())
    assert str(three_tasks()["headline"]).startswith(lines.split(". ")[0])
    for name in ("digits", "housing", "line"):
        assert re.search(rf"^{name} ─+$", lines, re.MULTILINE)


def test_long_names_that_begin_alike_stay_different():
    shapes = tuple(Shape(f"adamw with a long list of settings and value={i}", 0.95, 1e-3, shift=3.0) for i in range(3))
    page = text(view(*judged(*synthetic_study(shapes, seeds=5, reference=shapes[0].name)))).splitlines()
    first = next(i for i, line in enumerate(page) if line.lstrip().startswith("#"))
    assert [f"value={i}" in "\n".join(page[first + 1 : first + 4]) for i in range(3)] == [True] * 3
    assert "run time" not in page[first]
