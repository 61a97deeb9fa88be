"""The law of a study: what a contender is given to try."""

import inspect
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.errors import BadSetting
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome
from steepest.records.ranking import Score
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Lane
from steepest.study import protocol as law
from steepest.study.protocol import (
    around,
    check_contender,
    check_protocol,
    grid,
    grid_search,
    search_by_seed,
    trials_of,
)

ADAM = Contender("adam", "adam", 1e-3)
USUAL = StudyDesign()


def follow(curve, protocol=USUAL, contender=ADAM, higher=True, law=grid_search):
    """Drive the law with `curve(lane) -> metric or None`: the requests, and the edge it ends at."""
    search = law(contender, protocol, higher)
    requests, lanes = [], next(search)
    while True:
        requests.append(lanes)
        scores = [
            Score(lane.rate, lane.seed, Outcome.DIVERGED if metric is None else Outcome.OK, metric, 1.0)
            for lane in lanes
            for metric in [curve(lane)]
        ]
        try:
            lanes = search.send(scores)
        except StopIteration as end:
            return requests, end.value


def parabola(best, diverges_above=math.inf):
    return lambda lane: None if lane.rate > diverges_above else -(math.log10(lane.rate / best) ** 2)


def rates(request):
    return sorted({lane.rate for lane in request})


def stages(requests):
    return [request[0].stage for request in requests]


def decades(request, best):
    return [round(math.log10(rate / best), 6) for rate in rates(request)]


def test_the_grid_is_nine_half_decades_around_the_prior_and_prints_well():
    assert [f"{rate:.3g}" for rate in grid(1e-3, StudyDesign())] == [
        "1e-05", "3.16e-05", "0.0001", "0.000316", "0.001", "0.00316", "0.01", "0.0316", "0.1",
    ]  # fmt: skip
    assert 0.001 in grid(1e-3, StudyDesign())
    assert 0.0003 in grid(3e-4, StudyDesign())


def test_every_rate_is_tried_on_every_seed():
    (grid_lanes, *_), _ = follow(parabola(1e-3), StudyDesign(seeds=3, first_seed=7))
    assert grid_lanes == tuple(Lane(rate, seed, "grid") for seed in (7, 8, 9) for rate in grid(1e-3, StudyDesign()))


def test_a_best_inside_is_refined_at_sixths_and_thirds_of_a_decade():
    requests, edge = follow(parabola(1e-3))
    assert stages(requests) == ["grid", "refine"]
    assert decades(requests[1], 1e-3) == [round(x, 6) for x in (-1 / 3, -1 / 6, 1 / 6, 1 / 3)]
    assert edge == ""


@pytest.mark.parametrize(("sign", "side"), [(+1, "high"), (-1, "low")])
def test_a_best_at_the_edge_extends_by_a_decade_then_refines_at_quarters(sign, side):
    best = 10.0 ** (-3 + sign * 2.5)  # half a decade beyond the grid
    requests, edge = follow(parabola(best))
    assert stages(requests) == ["grid", "extend", "refine"]
    assert sorted(abs(x + 3) for x in map(math.log10, rates(requests[1]))) == pytest.approx([2.5, 3.0])
    assert decades(requests[2], best) == [-0.25, 0.25]
    assert edge == ""


@pytest.mark.parametrize(("best", "side"), [(1e6, "high"), (1e-12, "low")])
def test_a_best_still_at_the_edge_extends_again_and_is_called_untuned(best, side):
    requests, edge = follow(parabola(best))
    assert stages(requests) == ["grid", "extend", "extend"]
    assert len(rates(requests[0] + requests[1] + requests[2])) == 13
    span = math.log10(max(rates(sum(requests, ()))) / min(rates(sum(requests, ()))))
    assert span == pytest.approx(6.0)
    assert edge == side


def test_divergence_ranks_last_and_is_not_a_gap():
    requests, edge = follow(parabola(1e6, diverges_above=5e-3))
    best_that_lives = 10**-2.5
    assert stages(requests) == ["grid", "refine"]
    assert decades(requests[1], best_that_lives) == [round(x, 6) for x in (-1 / 3, -1 / 6, 1 / 6, 1 / 3)]
    assert edge == ""


def test_where_everything_diverges_the_search_goes_down_and_costs_the_same():
    requests, edge = follow(lambda lane: None)
    assert stages(requests) == ["grid", "extend", "extend"]
    assert max(rates(requests[2])) < min(rates(requests[0]))
    assert edge == "low"


def test_without_extra_rates_there_is_the_grid_alone_and_the_edge_is_still_reported():
    requests, edge = follow(parabola(1e6), StudyDesign(extra_rates=0))
    assert stages(requests) == ["grid"]
    assert edge == "high"


def test_rates_of_ones_own_are_tried_as_they_are():
    own = Contender("adam", "adam", 1e-3, rates=(0.5, 0.25))
    requests, _ = follow(parabola(1e-3), StudyDesign(seeds=2), own)
    assert [[lane.rate for lane in request] for request in requests] == [[0.5, 0.25, 0.5, 0.25]]
    assert trials_of(own, StudyDesign(seeds=2)) == 4


def test_a_metric_that_should_be_small_is_searched_the_other_way_round():
    up, _ = follow(parabola(1e-2))
    down, _ = follow(lambda lane: -parabola(1e-2)(lane), higher=False)
    assert up == down


metrics = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e6, 1e6))


@given(
    seed_metrics=st.lists(metrics, min_size=1, max_size=40),
    protocol=st.builds(
        StudyDesign,
        seeds=st.integers(1, 4),
        rates=st.integers(3, 11),
        decades=st.sampled_from([1.0, 2.0, 4.0, 6.0]),
        extra_rates=st.sampled_from([0, 2, 4, 6, 8]),
    ),
    centre=st.sampled_from([1e-5, 3e-4, 1e-3, 0.1, 2.0]),
    higher=st.booleans(),
)
def test_every_contender_always_gets_the_same_number_of_trials(seed_metrics, protocol, centre, higher):
    def chaos(lane):
        return seed_metrics[hash((lane.rate, lane.seed)) % len(seed_metrics)]

    contender = Contender("x", "x", centre)
    requests, edge = follow(chaos, protocol, contender, higher)
    lanes = [lane for request in requests for lane in request]
    assert len(lanes) == trials_of(contender, protocol)
    assert len({(lane.rate, lane.seed) for lane in lanes}) == len(lanes), "no trial is run twice"
    assert len({lane.rate for lane in lanes}) == protocol.rates + protocol.extra_rates
    for request in requests:
        assert len(request) == len(rates(request)) * protocol.seeds, "every rate on every seed"
    assert edge in ("", "low", "high")


@given(st.floats(-6, 6), st.integers(1, 3))
def test_the_best_rate_is_found_to_a_quarter_of_a_decade_or_called_untuned(offset, seeds):
    best = 10 ** (-3 + offset)
    requests, edge = follow(parabola(best), StudyDesign(seeds=seeds))
    nearest = min(abs(math.log10(lane.rate / best)) for request in requests for lane in request)
    assert edge or nearest <= 0.2501
    if abs(offset) < 1.7:  # inside the grid, so that all extra rates went into refinement
        assert not edge
        assert nearest <= 0.0834


@given(st.sampled_from([2, 4, 6]), st.floats(1e-8, 1e2))
def test_refinement_stays_between_the_neighbours_and_leaves_even_gaps(count, best):
    logs = sorted([0.0, -0.5, 0.5, *(math.log10(rate / best) for rate in around(best, count, StudyDesign()))])
    gaps = [b - a for a, b in pairwise(logs)]
    assert gaps == pytest.approx([0.5 / (count / 2 + 1)] * len(gaps), abs=1e-9)


def test_the_law_cannot_see_a_test_value():
    assert "test" not in "".join(Score.__slots__)
    assert "Result" not in inspect.getsource(law)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": 0},
        {"first_seed": -1},
        {"rates": 0},
        {"decades": 0.0},
        {"decades": math.inf},
        {"extra_rates": 3},
        {"extra_rates": -2},
        {"rates": 2},
        {"seeds": 10, "grown": (0,)},
        {"seeds": 10, "grown": (7, 5)},
        {"seeds": 10, "grown": (10,)},
        {"seeds": 100, "grown": tuple(range(1, 60))},
    ],
)
def test_a_protocol_that_is_none_is_refused_in_a_sentence(wrong):
    with pytest.raises(BadSetting, match=r"^.*\w.*\.$"):
        check_protocol(StudyDesign(**wrong))


@pytest.mark.parametrize("rate", [0.0, -1e-3, math.nan, math.inf, 1e300])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(BadSetting, match="above 0"):
        check_contender(Contender("adam", "adam", rate))
    with pytest.raises(BadSetting, match="above 0"):
        check_contender(Contender("adam", "adam", 1e-3, rates=(0.1, rate)))
    with pytest.raises(BadSetting):
        check_contender(Contender("adam", "adam", 1e-3, default_rate=rate))


def test_a_rate_named_twice_is_refused():
    with pytest.raises(BadSetting, match="twice"):
        check_contender(Contender("adam", "adam", 1e-3, rates=(0.1, 0.1)))


# ---- every seed for itself -------------------------------------------------------------------------------------------

OWN_BEST = {0: 1e-3, 1: 10**-0.5, 2: 10**-2.5, 3: 1e6}
"""Seed → its best rate: inside, half a decade beyond the grid, inside, far beyond."""


def by_seed(lane):
    return -(math.log10(lane.rate / OWN_BEST[lane.seed]) ** 2)


def tried_by(requests, seed):
    return [{lane.rate for lane in request if lane.seed == seed} for request in requests]


def test_every_seed_places_its_own_rates_and_all_get_equally_many():
    requests, edge = follow(by_seed, StudyDesign(seeds=4), law=search_by_seed)
    assert edge == ""
    for seed in OWN_BEST:
        alone, _ = follow(by_seed, StudyDesign(seeds=1, first_seed=seed), law=search_by_seed)
        assert [rates for rates in tried_by(requests, seed) if rates] == tried_by(alone, seed)
        assert sum(map(len, tried_by(requests, seed))) == 13
    assert [{lane.stage for lane in request if lane.seed == 1} for request in requests] == [
        {"grid"}, {"extend"}, {"refine"}
    ]  # fmt: skip
    assert len(requests) == 3


@given(st.lists(st.floats(-7, 1), min_size=2, max_size=6), st.integers(0, 1000))
def test_no_seed_sees_another_ones_scores(bests, first):
    protocol = StudyDesign(seeds=len(bests), first_seed=first)
    curve = lambda lane, moved=0.0: -((math.log10(lane.rate) - bests[lane.seed - first] - moved) ** 2)  # noqa: E731
    requests, _ = follow(curve, protocol, law=search_by_seed)
    others, _ = follow(lambda lane: curve(lane, 2.5 * (lane.seed > first)), protocol, law=search_by_seed)
    assert set().union(*tried_by(requests, first)) == set().union(*tried_by(others, first))


def test_seeds_that_come_to_the_same_place_try_the_very_same_rates():
    near = {0: 10**-2.95, 1: 10**-2.55, 2: 10**-3.4}
    requests, _ = follow(lambda lane: -(math.log10(lane.rate / near[lane.seed]) ** 2), StudyDesign(seeds=3),
                         law=search_by_seed)  # fmt: skip
    sixths = {round(6 * math.log10(lane.rate / 1e-3), 6) for request in requests for lane in request}
    assert len({lane.rate for request in requests for lane in request}) == len(sixths)


def test_most_seeds_at_an_edge_make_a_contender_untuned():
    far = lambda lane: -(math.log10(lane.rate / (1e6 if lane.seed < 3 else 1e-3)) ** 2)  # noqa: E731
    assert follow(far, StudyDesign(seeds=4), law=search_by_seed)[1] == "high"
    assert follow(far, StudyDesign(seeds=6), law=search_by_seed)[1] == ""


def test_a_seed_that_is_best_somewhere_by_chance_looks_where_its_neighbours_are_good_too():
    lucky = {10**-4.5: 0.99, 10**-2.5: 0.95, 1e-3: 0.97, 10**-3.5: 0.95}
    value = lambda lane: next((v for rate, v in lucky.items() if abs(rate / lane.rate - 1) < 1e-9), 0.5)  # noqa: E731
    requests, _ = follow(value, StudyDesign(seeds=1), law=search_by_seed)
    assert decades(requests[1], 1e-3) == [round(x, 6) for x in (-1 / 3, -1 / 6, 1 / 6, 1 / 3)]


@pytest.mark.parametrize("beyond", [None, 0.1, 0.5])
def test_a_cliff_next_to_the_best_does_not_move_the_search_away_from_it(beyond):
    cliff = lambda lane: beyond if lane.rate > 1.1e-3 else 0.9 - 0.06 * abs(math.log10(lane.rate / 1e-3))  # noqa: E731
    requests, _ = follow(cliff, StudyDesign(seeds=1), law=search_by_seed)
    assert decades(requests[1], 1e-3)[0] == pytest.approx(-1 / 3)


def test_a_seed_on_which_everything_fails_goes_down_and_costs_the_same():
    requests, edge = follow(lambda lane: None, StudyDesign(seeds=2), law=search_by_seed)
    assert sum(map(len, requests)) == 26
    assert edge == "low"


def test_ones_own_rates_are_tried_as_they_are_on_every_seed():
    own = Contender("adam", "adam", 1e-3, rates=(0.5, 0.25))
    requests, _ = follow(by_seed, StudyDesign(seeds=2), own, law=search_by_seed)
    assert [(lane.rate, lane.seed) for lane in requests[0]] == [(0.5, 0), (0.25, 0), (0.5, 1), (0.25, 1)]
    assert len(requests) == 1
