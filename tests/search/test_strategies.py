"""Strategies: pure, in range, in full batches, without repeats, and better than random points."""

import math

import numpy as np
import pytest

from steepest.errors import UnknownName
from steepest.search.dials import Dial, rate_dial, usual_dials
from steepest.search.space import Space
from steepest.search.strategies import STRATEGIES, strategy, version

ADAMW = usual_dials({"lr": 1e-3, "weight_decay": 0.01, "b1": 0.9, "b2": 0.999}, decoupled=True)
SMOOTH = Space((rate_dial(1e-3), ADAMW["weight_decay"], ADAMW["b1"]))
MIXED = Space(
    (
        rate_dial(1e-3),
        Dial("batch", "integer", 8, 512),
        Dial("schedule", "choice", choices=("constant", "cosine"), default="constant"),
        Dial("end", "linear", 0, 0.5, default=0.0, only_if=("schedule", ("cosine",))),
    )
)


def smooth(values):
    """Best at lr = 0.003, decay 0.03, b1 = 0.95; a rate of more than 0.05 diverges."""
    if values["lr"] > 0.05:
        return None
    distance = (math.log10(values["lr"] / 0.003)) ** 2 + 0.2 * math.log10((values["weight_decay"] + 1e-5) / 0.03) ** 2
    return -distance - 0.3 * math.log10((1 - values["b1"]) / 0.05) ** 2


def mixed(values):
    return -abs(math.log10(values["lr"] / 0.01)) - (values["schedule"] == "constant") - values.get("end", 0.0)


def asked(name, space, goodness, *, seed=0, trials=20, batch=4, begun=()):
    """All batches of one search."""
    search, found = strategy(name)(space, seed, trials, batch, begun=begun), []
    scores = None
    while True:
        try:
            settings = next(search) if scores is None else search.send(scores)
        except StopIteration:
            return found
        found.append(settings)
        scores = [goodness(values) for values in settings]


def best(batches, goodness):
    return max(goodness(values) or -9.0 for batch in batches for values in batch)


GRID = [({"lr": lr, "weight_decay": 0.01, "b1": 0.9}, smooth({"lr": lr, "weight_decay": 0.01, "b1": 0.9}))
        for lr in np.geomspace(1e-5, 1e-1, 9).tolist()]  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(
    "space, goodness, begun", [(SMOOTH, smooth, GRID), (MIXED, mixed, ())], ids=["smooth", "mixed"]
)
def test_a_search_is_a_pure_function_of_its_seed_and_scores(name, space, goodness, begun):
    first = asked(name, space, goodness, begun=begun)
    np.random.seed(3)
    assert asked(name, space, goodness, begun=begun) == first
    assert asked(name, space, goodness, seed=1, begun=begun) != first


@pytest.mark.parametrize("name", STRATEGIES)
def test_batches_are_full_and_settings_new_and_in_range(name):
    batches = asked(name, MIXED, mixed, trials=22, batch=5)
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 2]
    settings = [values for batch in batches for values in batch]
    assert len({MIXED.key(values) for values in settings}) == 22
    for values in settings:
        assert 1e-5 <= values["lr"] <= 0.1 and 8 <= values["batch"] <= 512
        assert ("end" in values) == (values["schedule"] == "cosine")
        assert all(float(f"{x:.12g}") == x for x in values.values() if not isinstance(x, str))


@pytest.mark.parametrize("name", STRATEGIES)
def test_trials_that_all_fail_end_no_search(name):
    assert sum(map(len, asked(name, SMOOTH, lambda values: None, trials=15))) == 15


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_small_space_runs_out_of_new_settings_without_end(name):
    space = Space((Dial("schedule", "choice", choices=("constant", "cosine")),))
    batches = asked(name, space, lambda values: 0.0, trials=6, batch=3)
    assert sum(map(len, batches)) == 6
    assert {values["schedule"] for batch in batches for values in batch} == {"constant", "cosine"}


def test_an_unknown_search_is_refused():
    with pytest.raises(UnknownName, match=r"Unknown search 'sobel'. Did you mean sobol"):
        strategy("sobel")
    assert version("sobol")
