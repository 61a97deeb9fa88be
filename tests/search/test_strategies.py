"""Strategies: pure, in range, in full batches, without repeats, and better than random points."""

import math
from importlib import metadata

import numpy as np
import pytest

from steepest.errors import BadSetting, UnknownName
from steepest.records.dial import Dial
from steepest.search.dials import rate_dial, usual_dials
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


def bumpy(values):
    """Two choices that interact with a rate."""
    return -abs(math.log10(values["lr"] / (0.01 if values["schedule"] == "cosine" else 0.0001))) - values.get(
        "end", 0.2
    )


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
    for known in (1, 3):  # as where a study is resumed after so many batches
        search = strategy(name)(space, 0, 20, 4, begun=begun)
        again = [next(search)]
        again += [search.send([goodness(values) for values in batch]) for batch in first[:known]]
        assert again == first[: known + 1]


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


@pytest.mark.parametrize(
    ("name", "space", "goodness", "seeds"),
    [("gp", SMOOTH, smooth, 3), ("gp", MIXED, bumpy, 3), ("cmaes", SMOOTH, smooth, 10), ("ga", SMOOTH, smooth, 10),
     ("ga", MIXED, bumpy, 10)],
)  # fmt: skip
def test_a_search_that_learns_beats_random_points(name, space, goodness, seeds):
    learned = [best(asked(name, space, goodness, seed=seed, trials=28), goodness) for seed in range(seeds)]
    drawn = [best(asked("random", space, goodness, seed=seed, trials=28), goodness) for seed in range(30)]
    assert np.mean(learned) > np.mean(drawn)


def test_what_was_tried_before_is_learned_from():
    with_grid = [best(asked("gp", SMOOTH, smooth, seed=seed, trials=8, begun=GRID), smooth) for seed in range(3)]
    without = [best(asked("gp", SMOOTH, smooth, seed=seed, trials=8), smooth) for seed in range(3)]
    assert np.mean(with_grid) > np.mean(without)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sobel", "Unknown search 'sobel'. Did you mean sobol"),
        ("list", "The search list is not complete. Write list:FILE.json."),
        ("optuna:", "Write optuna:SAMPLER, with one of tpe, gp"),
        ("optuna:tpee", "Unknown Optuna sampler 'tpee'. Did you mean tpe"),
        ("nowhere_at_all:search", "A generator of your own is FILE.py:FUNCTION."),
        ("nowhere_at_all.py:search", "The file nowhere_at_all.py cannot be read: No such file"),
        (f"{__file__}:asked", "must be a generator function"),
        (f"{__file__}:nothing_of_that_name", "test_strategies.py does not define it"),
        ("list:missing.json", "The list of settings missing.json cannot be read: No such file"),
    ],
)
def test_an_unknown_search_is_refused_in_a_sentence(name, sentence):
    with pytest.raises((BadSetting, UnknownName)) as caught:
        strategy(name)
    assert sentence in str(caught.value)


def test_optuna_that_is_not_installed_is_named_with_the_remedy(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(BadSetting, match=r"need Optuna, which is not installed. Install it with pip install"):
        strategy("optuna:tpe")


@pytest.mark.optuna
@pytest.mark.parametrize("name", ["optuna:tpe", "optuna:cmaes", "optuna:nsga2", "optuna:qmc", "optuna:random"])
def test_optuna_is_replayed_to_the_same_trials(name):
    pytest.importorskip("optuna")
    for space, goodness, begun in ((SMOOTH, smooth, GRID), (MIXED, mixed, ())):
        first = asked(name, space, goodness, begun=begun)
        assert [len(batch) for batch in first] == [4] * 5
        assert asked(name, space, goodness, begun=begun) == first
    assert version(name).startswith("1, optuna ")


# ---- what users bring ------------------------------------------------------------------------------------------------

OWN = """
def halves(space, seed, trials, batch, *, begun=()):
    low, high = -5.0, -1.0
    while True:
        middle = (low + high) / 2
        left, right = yield [{"lr": 10 ** (middle - 0.5)}, {"lr": 10 ** (middle + 0.5)}]
        low, high = (low, middle) if (left or -9) > (right or -9) else (middle, high)


def short(space, seed, trials, batch, *, begun=()):
    yield [{"lr": 0.001}]


def wrong(space, seed, trials, batch, *, begun=()):
    yield [{"rate": 0.001}]


def broken(space, seed, trials, batch, *, begun=()):
    yield [{"lr": 1 / 0}]


def nothing(space, seed, trials, batch, *, begun=()):
    yield 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_halves.py").write_text(OWN)
    (tmp_path / "settings.json").write_text('[{"lr": 0.01}, {"lr": 0.003, "weight_decay": 0}, {"lr": 0.1, "b1": 0.95}]')
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_a_generator_of_ones_own_searches_and_its_file_is_its_version(own):
    batches = asked("own_halves.py:halves", SMOOTH, lambda values: -abs(math.log10(values["lr"] / 0.003)), trials=7)
    assert [len(batch) for batch in batches] == [2, 2, 2, 1]
    before = version("own_halves.py:halves")
    (own / "own_halves.py").write_text(OWN + "# changed")
    assert version("own_halves.py:halves") != before


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("short", "The search own_halves.py:short ended after 1 of 20 trials."),
        ("wrong", "Unknown dial 'rate'."),
        ("broken", "The search own_halves.py:broken failed: ZeroDivisionError: division by zero."),
        ("nothing", "must yield a list of 1 to 4 settings at a time."),
    ],
)
def test_a_generator_that_breaks_the_rules_is_named(own, function, sentence):
    with pytest.raises((BadSetting, UnknownName)) as caught:
        asked(f"own_halves.py:{function}", SMOOTH, lambda values: 0.0)
    assert sentence in str(caught.value)


def test_a_list_is_tried_in_its_order(own):
    assert asked("list:settings.json", SMOOTH, lambda values: None, trials=3, batch=2) == [
        ({"lr": 0.01}, {"lr": 0.003, "weight_decay": 0.0}),
        ({"lr": 0.1, "b1": 0.95},),
    ]
    assert len(version("list:settings.json")) > 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[{"lr": 0.01}]', "The file bad.json has 1 settings, fewer than the 2 trials of the search."),
        ('[{"lr": 0.01}, {"lr": "high"}]', "sets lr to 'high'. It must be a number from 1e-05 to 0.1."),
        ('[{"lr": 0.01}, {"weight_decay": 7}]', "It must be 0, or a number from 0.0001 to 1."),
        ('[{"lr": 0.01}, {"lr": true}]', "sets lr to True."),
        ('[{"lr": 0.01}, 3]', "is not a list of objects. Write it as"),
        ("[", "is not JSON. Write it as"),
    ],
)
def test_a_bad_list_is_refused_in_a_sentence(own, text, sentence):
    (own / "bad.json").write_text(text)
    with pytest.raises(BadSetting) as caught:
        asked("list:bad.json", SMOOTH, smooth, trials=2)
    assert sentence in str(caught.value)
