"""Lines of text end where nothing is cut that belongs together."""

import pytest
from rich.cells import cell_len

from steepest.report.wrapping import wrapped


@pytest.mark.parametrize("before", range(0, 60, 7))
def test_a_severity_and_its_id_stay_in_one_line(before):
    mark = "[warning: probabilities-into-logits]"
    words = "x " * before + f"Remove the softmax. {mark} The next one."
    lines = wrapped(words, 60).split("\n")
    assert any(mark in line for line in lines)
    assert all(cell_len(line) <= 60 for line in lines)
    assert " ".join(lines) == words
