"""What the torture does for minutes, for a moment: no input makes a parser fail without a sentence."""

import random

import pytest
from torture.parsers import FUZZERS, QUICK, fuzz
from torture.tally import FAULTS


@pytest.mark.parametrize("name", QUICK)
def test_a_parser_reads_anything_or_refuses_it_in_one_sentence(name, tmp_path):
    heard = []
    fuzz(FUZZERS[name], tmp_path, 30, random.randrange(10**9), lambda *found: heard.append(found))
    assert not [found for found in heard if found[0] in FAULTS]
    assert len(heard) >= 10
