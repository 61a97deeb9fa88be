"""The paths of the playground: those of torch's own optimizers, packed without harm, and as the stories tell them."""

import base64
import re
import zlib
from functools import cache
from string import Formatter

import numpy as np
import pytest
import torch

from steepest.optim import catalogue
from steepest.optim.rule import describe_hyperparameters
from steepest.playground import pack
from steepest.playground.landscapes import RARE, landscapes
from steepest.playground.methods import METHODS, RATES
from steepest.playground.page import formula
from steepest.playground.paths import LANES, STEPS, gradient, train
from steepest.playground.stories import STORIES, Run

LANDS = {land.name: i for i, land in enumerate(landscapes())}
NAMES = {method.name: i for i, method in enumerate(METHODS)}


@cache
def trained():
    return train(METHODS, landscapes())


def lane(run, start=0, noise=False):
    method = METHODS[NAMES[run.method]]
    chosen = {knob.name: knob.usual for knob in method.knobs} | dict(run.settings)
    return method.variants().index(chosen) * len(LANES) + LANES.index((RATES.index(run.rate), start, int(noise)))


def path(land, run, start=0, noise=False):
    """Positions [T + 1, 2], losses [T + 1], effective steps [T, 2] of one run."""
    each, k, i = trained()[NAMES[run.method]], lane(run, start, noise), LANDS[land]
    return each.w[i, k], each.loss[i, k], each.effective[i, k]


def story(name):
    found = next(each for each in STORIES if each.name == name)
    return [path(found.land, run, found.start, found.noise) for run in found.runs]


# ---- who walked them ----

TORCH = [
    (Run("sgd", 0.03), lambda w: torch.optim.SGD(w, 0.03)),
    (Run("momentum", 0.01, {"momentum": 0.99}), lambda w: torch.optim.SGD(w, 0.01, momentum=0.99)),
    (Run("nesterov", 0.01), lambda w: torch.optim.SGD(w, 0.01, momentum=0.9, nesterov=True)),
    (Run("adagrad", 0.3, {"eps": 0.1}), lambda w: torch.optim.Adagrad(w, 0.3, eps=0.1)),
    (Run("rmsprop", 0.03, {"b2": 0.9}), lambda w: torch.optim.RMSprop(w, 0.03, alpha=0.9, eps=1e-8)),
    (
        Run("adam", 0.1, {"b1": 0.5, "b2": 0.9, "eps": 0.1}),
        lambda w: torch.optim.Adam(w, 0.1, betas=(0.5, 0.9), eps=0.1),
    ),
]


@pytest.mark.parametrize("noise", [False, True], ids=["exact", "noisy"])
@pytest.mark.parametrize(("run", "build"), TORCH, ids=[run.method for run, _ in TORCH])
def test_a_path_is_the_one_that_torch_walks(run, build, noise):
    for name in ("rosenbrock", "line"):
        land = landscapes()[LANDS[name]]
        w = torch.tensor([land.starts[1]], dtype=torch.float64, requires_grad=True)
        optimizer = build([w])
        for t in range(1, STEPS + 1):
            w.grad = gradient(land, w.detach(), torch.tensor([[float(noise)]], dtype=torch.float64), t)
            optimizer.step()
        assert np.allclose(path(name, run, 1, noise)[0][-1], w.detach()[0].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("land", landscapes(), ids=lambda land: land.name)
def test_no_ground_is_lower_than_the_minima(land):
    x0, x1, y0, y1 = land.window
    axes = (torch.linspace(a, b, 200, dtype=torch.float64) for a, b in ((x0, x1), (y0, y1)))
    grid = torch.cartesian_prod(*axes)
    lowest = land.loss(torch.tensor(land.minima, dtype=torch.float64), 0)
    assert (lowest - lowest[0]).abs().max() < 1e-12
    assert land.loss(grid, 0).min() >= lowest[0] - 1e-12
    for point in (*land.starts, *land.minima):
        assert x0 <= point[0] <= x1
        assert y0 <= point[1] <= y1


def test_the_rare_feature_moves_only_when_it_comes():
    moved = np.flatnonzero(np.diff(path("sparse", Run("sgd", 0.1))[0][:, 1]))
    assert (moved + 1).tolist() == list(range(RARE, STEPS + 1, RARE))


# ---- the stories are true ----


def test_too_large_a_rate_leaps_and_one_larger_still_is_gone():
    (slow, slow_loss, _), (leaping, leaping_loss, _), (gone, _, _) = story("too-large")
    assert (np.diff(np.sign(slow[:, 1])) == 0).all()
    assert (np.diff(np.sign(leaping[:20, 1])) != 0).all()
    assert leaping_loss[-1] < slow_loss[-1] / 1000
    assert (np.abs(gone[1:5, 1]) > 2 * np.abs(gone[:4, 1])).all()


def test_adagrads_step_falls_and_rmsprops_stays():
    (_, _, adagrad), (_, _, rmsprop) = story("adagrad-tires")
    early, late = slice(15, 40), slice(125, 150)
    assert np.median(adagrad[late, 0]) < 0.5 * np.median(adagrad[early, 0])
    assert 0.67 < np.median(rmsprop[late, 0]) / np.median(rmsprop[early, 0]) < 1.5
    assert (np.diff(adagrad[:, 0]) <= 0).all()


def test_a_large_epsilon_stands_still_where_gradients_are_small():
    (small, small_loss, _), (large, _, _), (sgd, _, _) = story("eps-matters")
    assert small_loss[-1] < 1e-6
    assert np.abs(large[-1] - large[0]).max() < 0.06
    assert np.abs(sgd[-1] - sgd[0]).max() < 0.06
    assert np.abs(small[-1] - small[0]).max() > 2


def test_much_momentum_runs_past_the_minimum_again_and_again():
    (_, sgd, _), (_, some, _), (much, _, _) = story("momentum-overshoots")
    assert some[-1] < sgd[-1] / 1000
    assert (np.diff(np.sign(much[:, 0])) != 0).sum() >= 3


def test_adagrad_gives_the_rare_coordinate_the_larger_steps():
    (sgd, _, even), (adagrad, _, uneven) = story("sparse-features")
    assert even[9, 0] == pytest.approx(even[9, 1])
    assert uneven[9, 1] > 2 * uneven[9, 0]
    assert adagrad[-1, 1] < 0.8 * sgd[-1, 1]
    assert abs(sgd[-1, 0]) < 0.05 < sgd[-1, 1]


def test_every_story_has_two_to_four_sentences_in_both_languages():
    for each in STORIES:
        assert 2 <= len(re.findall(r"[.!?](?=\s|$)", str(each.text))) <= 4
        assert 2 <= each.text.render("zh").count("。") <= 4
        assert not set(re.findall("[A-Za-z]{2,}", each.text.render("zh"))) - {"SGD", "AdaGrad", "RMSProp"}
        numbers = [sorted(re.findall(r"\d[\d.]*\d|\d", text)) for text in (str(each.text), each.text.render("zh"))]
        assert numbers[0] == numbers[1]


# ---- what is shown of a method ----


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_formula_has_a_gap_for_each_number_and_the_catalogue_knows_its_letters(method):
    state = catalogue.entry(method.name).rule.state
    gaps = {name for line in method.numbers for _, name, _, _ in Formatter().parse(line) if name}
    knobs = {knob.name for knob in method.knobs}
    assert {"w", "new", "g", "lr", *state, *knobs} <= gaps
    assert gaps <= {"w", "new", "g", "lr", "to_t", *state, *(f"old_{name}" for name in state), *knobs}
    assert len(formula(method)) == len(method.numbers)
    for letters, numbers in zip(formula(method), method.numbers, strict=True):
        assert letters.split(" ← ")[0] == numbers.split(" = ")[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_beta_and_epsilon_of_a_method_can_be_chosen(method):
    rule = catalogue.entry(method.name).rule
    letters = {row["symbol"]: row["name"] for row in describe_hyperparameters(rule)}
    chosen = {knob.letter: knob.name for knob in method.knobs}
    shown = {
        letter for letter in ("μ", "β", "β₁", "β₂", "ε") if re.search(f"{letter}(?![₁₂])", " ".join(formula(method)))
    }
    assert set(chosen) == shown
    assert all(letters[letter] == name for letter, name in chosen.items())
    assert all(knob.usual in knob.choices for knob in method.knobs)


def test_the_numbers_of_a_formula_come_out_as_the_rules_step():
    """What stands right of the equals sign is what the rule made of what stands left of it."""
    for method in METHODS:
        run = Run(method.name, 0.1)
        i, k, t = LANDS["rosenbrock"], lane(run, 1, True), 7
        each, at = trained()[NAMES[method.name]], landscapes()[LANDS["rosenbrock"]].shown
        values = {knob.name: knob.usual for knob in method.knobs} | {
            "lr": 0.1,
            "to_t": f"**{t}",
            "g": each.g[i, k, t - 1, at],
        }
        values |= {"w": each.w[i, k, t - 1, at], "new": each.w[i, k, t, at]}
        for j, name in enumerate(catalogue.entry(method.name).rule.state):
            values |= {f"old_{name}": each.state[i, k, t - 2, j, at], name: each.state[i, k, t - 1, j, at]}
        told = {name: value if name == "to_t" else f"({float(value)!r})" for name, value in values.items()}
        for line in method.numbers:
            _, *middle, result = (part.format(**told) for part in line.split(" = "))
            for old, new in (("−", "-"), ("·", "*"), ("²", "**2"), ("√", "root")):
                middle = [part.replace(old, new) for part in middle]
            found = eval(middle[0], {"root": np.sqrt, "sign": np.sign})
            assert found == pytest.approx(float(result.strip("()")), rel=1e-9), line


# ---- packing ----


def test_what_is_packed_is_what_was_trained():
    lands = landscapes()[:2]
    few = train(METHODS[:2], lands)
    blob, ends = pack.pack(lands, few)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(blob)), np.uint8).reshape(2, -1).astype(np.int64)
    zigzag = planes[0] | planes[1] << 8
    differences = (zigzag >> 1) ^ -(zigzag & 1)
    lanes = few[0].w.shape[1]
    x = np.cumsum(differences[: 2 * lanes * (STEPS + 1)].reshape(2, lanes, STEPS + 1), axis=-1)
    for i, land in enumerate(lands):
        low, high = pack.room(land)[:2]
        for k, end in enumerate(ends[0][i]):
            true = few[0].w[i, k, : end + 1, 0]
            seen = low + x[i, k, : end + 1] / pack.CODES * (high - low)
            inside = (true >= low) & (true <= high)
            assert np.abs(seen - true)[inside].max() <= 0.5001 * (high - low) / pack.CODES
            assert inside[:-1].all()
            assert (x[i, k, end:] == x[i, k, end]).all()
    assert len(ends) == 2
    assert max(map(max, ends[0])) == STEPS
