"""Every rule of diagnosis fires where its figures say so, and is silent where any one of its conditions fails."""

import math
from dataclasses import replace

import numpy as np
import pytest
from verdict.factory import Shape, synthetic_study

from steepest.records.contender import Contender
from steepest.records.probe_trace import ProbeTrace
from steepest.verdict.decide import decide
from steepest.verdict.judge import diagnosis
from steepest.verdict.judge.diagnosis import (
    at_limit,
    crawling,
    damping,
    far_on_rare,
    noisy,
    stability_limit,
    starved,
    uneven,
)
from steepest.verdict.words.reasons import why

AT = np.array([0, 10, 32, 100, 325, 550, 775, 998])
R, K = 3, len(AT)


def seen(contender="adagrad", **figures):
    """Three trials in which nothing is remarkable, but for the figures given: each broadcast to its shape."""
    plain = {
        "rate": np.full((R, K), 0.1),
        "step": np.full((R, K, 5), 0.1),
        "step_of_layer": np.full((R, K, 2), 0.1),
        "step_of_rare": np.full((R, K, 2), 0.1),
        "share_rare": np.tile([0.1, 0.8], (R, K, 1)),
        "update_to_weight": np.full((R, K, 2), 1e-3),
        "loss": np.tile(np.geomspace(2, 0.1, K), (R, 1)),
        "gradient": np.full((R, K), 1.0),
        "noise": np.full((R, K), 32.0),
        "flips": np.full((R, K), 0.5),
        "sharpness": np.full((R, K), 5.0),
        "state": np.tile(np.linspace(1, 2, K)[:, None], (R, 1, 1)),
    }
    plain |= {name: np.broadcast_to(np.asarray(value, float), plain[name].shape) for name, value in figures.items()}
    return ProbeTrace(
        task="toy", contender=contender, at=AT, seeds=np.arange(R), layers=("0.weight", "2.weight"), states=("G",),
        batch_size=32, steps=1000, **plain,
    )  # fmt: skip


def falling(fold):
    """A median effective step that falls by so much from the first warm look to the last."""
    return np.concatenate([[1.0], np.geomspace(1.0, 1 / fold, K - 1)])[None, :, None]


FLAT = np.full(K, 0.1)

FIRES = {
    "starved": lambda: starved(seen(step=falling(31)), 3200),
    "at the limit": lambda: at_limit(seen(sharpness=17.0), 2.0, 3200),
    "noisy": lambda: noisy(seen(noise=np.geomspace(32, 3200, K)), True),
    "far on what is rare": lambda: far_on_rare(seen(step_of_rare=[1.2, 0.1])),
    "uneven": lambda: uneven(seen(update_to_weight=[1e-2, 1e-4]), seen("adam")),
    "crawling": lambda: crawling(seen(update_to_weight=2e-5)),
}


@pytest.mark.parametrize("rule", FIRES)
def test_a_rule_fires_where_all_its_conditions_hold(rule):
    assert FIRES[rule]() is not None


one_rebel = np.ones((R, 1, 1))
one_rebel[1] = 0.0

SILENT = {
    "starved: it fell too little": lambda: starved(seen(step=falling(4)), 3200),
    "starved: the loss had come to rest": lambda: starved(seen(step=falling(31), loss=FLAT), 3200),
    "starved: it rose in between": lambda: starved(
        seen(step=falling(31) * np.array([1, 1, 1, 1, 9, 1, 1, 1])[:, None]), 3200
    ),
    "starved: a schedule made it fall": lambda: starved(seen(step=falling(31), rate=0.1 * falling(31)[..., 0]), 3200),
    "starved: the accumulator decays": lambda: starved(
        seen(step=falling(31), state=np.linspace(2, 1, K)[:, None]), 3200
    ),
    "starved: the rule has two states": lambda: starved(
        replace(seen(step=falling(31)), states=("m", "v"), state=np.ones((R, K, 2))), 3200
    ),
    "starved: one trial of three does not show it": lambda: starved(
        seen(step=np.where(one_rebel > 0, falling(31), 0.1)), 3200
    ),
    "at the limit: far from it": lambda: at_limit(seen(sharpness=6.0), 2.0, 3200),
    "at the limit: the rule has none": lambda: at_limit(seen(sharpness=17.0), None, 3200),
    "at the limit: before training warmed up only": lambda: at_limit(seen(sharpness=[40] + [5] * (K - 1)), 2.0, 3200),
    "at the limit: sharpness could not be had": lambda: at_limit(seen(sharpness=math.nan), 2.0, 3200),
    "noisy: not enough": lambda: noisy(seen(noise=np.geomspace(32, 200, K)), True),
    "noisy: it was so from the start": lambda: noisy(seen(noise=3200.0), True),
    "noisy: the rate falls anyway": lambda: noisy(seen(noise=np.geomspace(32, 3200, K)), False),
    "far on what is rare: as far": lambda: far_on_rare(seen()),
    "far on what is rare: hardly any": lambda: far_on_rare(seen(step_of_rare=[1.2, 0.1], share_rare=[0.001, 0.99])),
    "far on what is rare: nothing is rare": lambda: far_on_rare(seen(step_of_rare=[math.nan, 0.1])),
    "uneven: as under the best": lambda: uneven(
        seen(update_to_weight=[1e-2, 1e-4]), seen("adam", update_to_weight=[1e-2, 1e-4])
    ),
    "uneven: hardly": lambda: uneven(seen(update_to_weight=[1e-3, 2e-4]), seen("adam")),
    "uneven: it is a bias": lambda: uneven(
        replace(seen(update_to_weight=[1e-2, 1e-4]), layers=("0.weight", "0.bias")), seen("adam")
    ),
    "crawling: it moves": lambda: crawling(seen()),
    "crawling: the loss had come to rest": lambda: crawling(seen(update_to_weight=2e-5, loss=FLAT)),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_rule_is_silent_where_one_of_its_conditions_fails(case):
    assert SILENT[case]() is None


def contenders(*rules):
    return {rule: Contender(rule, rule, 0.1) for rule in rules}


def test_momentum_damps_where_no_trial_of_its_turns_around_as_often_as_any_of_the_others():
    rules = contenders("sgd", "momentum")
    calm, restless = seen("momentum", flips=0.1), seen("sgd")
    (found,) = damping({"momentum": calm, "sgd": restless}, rules)
    assert (found.share, found.share_other) == pytest.approx((0.1, 0.5))
    overlap = seen("momentum", flips=np.array([0.1, 0.1, 0.6])[:, None])
    little = seen("momentum", flips=0.4)
    other_batch = replace(calm, batch_size=64)
    for probes in (overlap, little, other_batch):
        assert list(damping({"momentum": probes, "sgd": restless}, rules)) == []
    assert list(damping({"momentum": calm}, rules)) == []


def test_limits_are_those_of_the_quadratic():
    def limit(rule, **settings):
        return stability_limit(Contender(rule, rule, 0.1, settings=settings))

    assert limit("sgd") == 2.0
    assert limit("momentum") == pytest.approx(3.8)
    assert limit("momentum", momentum=0.5) == pytest.approx(3.0)
    assert limit("momentum-averaged") == pytest.approx(38.0)
    assert limit("nesterov") == pytest.approx(3.8 / 2.8)
    assert limit("adam") is None
    assert limit("momentum", dampening=0.5) is None


@pytest.mark.parametrize(("rule", "settings"), [("momentum", 0.9), ("nesterov", 0.9), ("sgd", 0.0)])
def test_steps_below_the_limit_come_to_rest_on_a_quadratic_and_steps_above_it_do_not(rule, settings):
    limit = stability_limit(Contender(rule, rule, 0.1))
    assert limit is not None
    for share, rests in ((0.97, True), (1.03, False)):
        w, v, rate = 1.0, 0.0, share * limit  # of ½w², whose sharpness is 1
        for _ in range(3000):
            g = w
            v = settings * v + g
            w -= rate * (g + settings * v if rule == "nesterov" else v)
            if abs(w) > 1e6:
                break
        assert (abs(w) < 1e-3) is rests


def test_two_trials_are_too_few():
    few = {name: getattr(seen(), name)[:2] for name in ("seeds", "loss")}
    assert not diagnosis.usable(replace(seen(), **few))


SHAPES = [Shape("adagrad", 0.97, 1e-2, noise=0.005), Shape("sgd", 0.93, 1e-2, noise=0.005)]


def test_reasons_stand_in_the_verdict_with_figures_and_the_curves_they_rest_on():
    study, _ = synthetic_study(SHAPES, reference="adagrad", evaluations=2)
    task = study.tasks[0].name
    probes = [replace(seen("adagrad", step=falling(31)), task=task), replace(seen("sgd", sharpness=21.0), task=task)]
    claims = [claim for claim in decide(study, probes=probes).tasks[0].claims if claim.kind == "why"]
    said = {claim.evidence[0].rsplit("/", 1)[1]: claim for claim in claims}
    assert "fell 31-fold" in said["step"].sentence and "shrank its steps too far" in said["step"].sentence
    assert said["step"].evidence == (f"probe:{task}/adagrad/step",)
    assert said["step"].numbers["fold"] == pytest.approx(31)
    assert all(claim.part == "detail" and claim.says.render("zh") for claim in claims)
    assert not [claim for claim in decide(study).tasks[0].claims if claim.kind == "why"]


def test_every_reason_has_a_sentence_in_both_languages():
    reasons = [make() for make in FIRES.values()]
    (damped,) = damping({"momentum": seen("momentum", flips=0.1), "sgd": seen("sgd")}, contenders("sgd", "momentum"))
    for claim in why("toy", [*filter(None, reasons), damped]):
        assert claim.sentence.endswith(".") and claim.says.render("zh").endswith("。")
        assert len(claim.sentence.split()) <= 50
        assert claim.evidence[0].startswith("probe:toy/")
