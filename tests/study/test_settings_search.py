"""Several dials: every seed tries the rates first, then what a strategy asks for; whatever happens, the bits are the
same."""

from dataclasses import replace

import pytest

from steepest.design.options import StudyOptions
from steepest.design.study_spec import study_spec
from steepest.errors import BadSetting, BadTask
from steepest.records.contender import Contender
from steepest.records.dial import Dial, unpacked
from steepest.records.outcomes import Outcome
from steepest.records.ranking import Score
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Lane
from steepest.search.strategies import STRATEGIES
from steepest.study.protocol import search_by_seed, trials_of
from steepest.study.settings_search import check_searches
from steepest.study.trust import check_trust, code_of

DESIGN = StudyDesign(seeds=3, more_trials=14)
DIALS = (Dial("b2", "log", 0.9, 0.999, complement=True, default=0.999), Dial("schedule", "choice", choices=("a", "b")))
CONTENDER = Contender("adam", "adam", centre=1e-3, search="sobol", dials=DIALS)


def trained(lane: Lane) -> Score:
    """A made-up trial: best at a rate of 1e-3 and b2 of 0.99; a rate of 1 diverges."""
    if lane.rate > 0.5:
        return Score(lane.rate, lane.seed, Outcome.DIVERGED, None, None, lane.dials)
    off = abs(lane.rate - 1e-3) + abs(float(unpacked(lane.dials).get("b2", 0.999)) - 0.99) + 0.001 * lane.seed
    return Score(lane.rate, lane.seed, Outcome.OK, 1 - off, off, lane.dials)


def asked(contender: Contender = CONTENDER, design: StudyDesign = DESIGN) -> list[Lane]:
    search, lanes = search_by_seed(contender, design, True), []
    now = next(search)
    while True:
        lanes += now
        try:
            now = search.send([trained(lane) for lane in now])
        except StopIteration:
            return lanes


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_seed_tries_the_rates_and_then_as_many_settings(name):
    contender = replace(CONTENDER, search=name)
    lanes = asked(contender)
    assert len(lanes) == trials_of(contender, DESIGN) == 3 * 27
    for seed in range(3):
        mine = [lane for lane in lanes if lane.seed == seed]
        assert [bool(lane.dials) for lane in mine] == [False] * 13 + [True] * 14
        assert {lane.stage for lane in mine[13:]} == {"search"}
        rates = [lane.rate for lane in mine[:13]]
        assert all(min(rates) <= lane.rate <= max(rates) for lane in mine)
    assert asked(contender) == lanes


def test_a_seed_asks_the_same_whichever_seeds_there_are():
    together = asked()
    alone = asked(design=replace(DESIGN, seeds=1, first_seed=2))
    assert [lane for lane in together if lane.seed == 2] == alone
    assert len({lane.dials for lane in together if lane.dials}) == 3 * 14  # no two seeds search alike


def test_the_rate_takes_all_trials_where_no_other_dial_is_turned():
    for search in ("", "grid"):
        lanes = asked(replace(CONTENDER, search=search, dials=()))
        assert len(lanes) == 3 * 27
        assert not any(lane.dials for lane in lanes)
        assert all(len({lane.rate for lane in lanes if lane.seed == seed}) == 27 for seed in range(3))


def test_given_rates_are_the_grid():
    lanes = asked(replace(CONTENDER, rates=(1e-3, 1e-2)))
    assert len(lanes) == 3 * 16 == trials_of(replace(CONTENDER, rates=(1e-3, 1e-2)), DESIGN)
    assert all(1e-3 <= lane.rate <= 1e-2 for lane in lanes)


def test_another_version_of_a_search_is_refused_in_a_sentence():
    check_searches({"sobol": "1"})
    with pytest.raises(BadSetting, match=r"began with version '0' of the search sobol, and here is version '1'"):
        check_searches({"sobol": "0"})


def test_a_search_of_ones_own_is_code_to_trust(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def halves(space, seed, trials, batch, *, begun=()):\n    yield [{'lr': 1e-3}]\n")
    options = StudyOptions("sgd", search=f"{file}:halves", trials=15)
    spec, *_ = study_spec("line", options)
    assert [(ref.name, ref.locator) for ref in code_of(spec) if ref.source == "file"] == [("mine.py", str(file))]
    with pytest.raises(BadTask, match=r"runs code that you have not run before: .*mine\.py"):
        check_trust(code_of(spec), trusted=False)
    file.write_text(file.read_text() + "# changed\n")
    with pytest.raises(BadTask, match="has changed since the study began"):
        check_trust(code_of(spec), trusted=True)
