"""Every rule of the catalogue against three oracles: torch's own optimizers bit for bit, the papers in float64, and
Keras; and against itself, for settings that do nothing.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch
from proofs import PAPER
from reference import problem
from reference.drive import (
    IN_FLEETS,
    LIVELY,
    ROUNDED_BY_PLACE,
    RULES,
    TRIED,
    Settings,
    drop_in_path,
    fleet_path,
    nudged,
    optimizer_path,
    tolerance,
    variants,
    with_all_on,
    with_one_off,
)
from reference.rules import REFERENCE

from steepest.optim.catalogue import CATALOGUE, settings_of
from steepest.optim.entry import Departure, Entry
from steepest.optim.equivalents.torch_forms import torch_form
from steepest.optim.layerwise import Adafactor
from steepest.optim.rule import Rule, hyperparameters

by_name = operator.attrgetter("__name__")
RATE = 0.03125


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def forms(rule: type[Rule], settings: Settings) -> list[Settings]:
    """The settings as they are and with everything switched on, both also with one number off: in all named choices."""
    settings = {**settings, "lr": RATE, **TRIED.get(rule.__name__, {})}
    bases = [base for start in (settings, with_all_on(rule, settings)) for base in (start, *with_one_off(rule, start))]
    every = (form for base in bases for form in few_variants(rule, base))
    return [form for form in every if not (form.get("centred") and form["b2"] == 0)]  # one gradient has no deviation


def few_variants(rule: type[Rule], base: Settings) -> list[Settings]:
    """Every combination of the named choices; of more than eight those that differ in one choice from the first."""
    every = list(variants(rule, base))
    if len(every) <= 8:
        return every
    return [form for form in every if sum(form[name] != base[name] for name in base) <= 1]


def forms_in_torch() -> list[Any]:
    """The forms of every entry that torch has too, and each with as much switched on as torch allows."""
    found = {}
    for item in CATALOGUE:

        def in_torch(settings: Settings, rule: type[Rule] = item.rule) -> bool:
            return rule is not Adafactor and torch_form(rule, settings) is not None

        for form in filter(in_torch, forms(item.rule, settings_of(item))):
            for settings in (form, with_all_on(item.rule, form, in_torch)):
                found[f"{item.rule.__name__} {' '.join(map(str, settings.values()))}"] = (item.rule, settings)
    return [pytest.param(*case, id=name) for name, case in found.items()]


def torch_path(rule: type[Rule], settings: Settings, dtype: torch.dtype) -> torch.Tensor:
    same = torch_form(rule, settings)
    assert same is not None
    kind = getattr(torch.optim, same.name)
    torch.set_default_dtype(torch.float64)  # in which NAdam and ASGD keep their scalars
    try:
        return optimizer_path(kind, settings["lr"], dtype, foreach=False, **same.arguments)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.proof
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("rule", "settings"), forms_in_torch())
def test_a_rule_that_torch_has_gives_the_same_bits(
    rule: type[Rule], settings: Settings, dtype: torch.dtype, proof: Any
) -> None:
    expected = torch_path(rule, settings, dtype)
    assert (expected[-1] != torch.tensor(problem.START, dtype=dtype)).all(), "every element must have moved"

    assert torch.equal(drop_in_path(rule, settings, dtype), expected)

    replicas = [{**settings, "lr": settings["lr"] * factor} for factor in (0.3, 1.0, 4.0)]
    fleet = fleet_path(rule, replicas, dtype)
    assert torch.equal(fleet[:, 1], expected)
    assert torch.equal(fleet[:, 0], torch_path(rule, replicas[0], dtype))
    assert torch.equal(fleet[:, 2], torch_path(rule, replicas[2], dtype))
    proof(rule.__name__, f"torch.optim.{torch_form(rule, settings).name}", 0.0, 0.0, "torch")  # type: ignore[union-attr]


def test_every_class_of_torch_has_its_like_here_but_for_one_of_sparse_gradients_and_one_of_line_searches() -> None:
    tested = {torch_form(*case.values).name for case in forms_in_torch()}  # type: ignore[union-attr]
    kinds = {name for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    assert kinds - tested == {"Optimizer", "SparseAdam", "LBFGS"} | NOT_BIT_FOR_BIT


NOT_BIT_FOR_BIT = {"Adafactor", "Muon"}


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, problem.TOLERANCE)], ids=str)
def test_adafactor_is_torch_s_up_to_rounding_since_torch_takes_norms_to_the_host(
    dtype: torch.dtype, most: float
) -> None:
    settings = {**hyperparameters(Adafactor), "lr": RATE, "weight_decay": 0.1}
    expected = torch_path(Adafactor, settings, dtype)
    assert problem.deviation(drop_in_path(Adafactor, settings, dtype), expected) <= most
    assert problem.deviation(fleet_path(Adafactor, [settings, settings], dtype)[:, 1], expected) <= most


@pytest.mark.proof
@pytest.mark.parametrize("item", CATALOGUE, ids=operator.attrgetter("name"))
def test_a_rule_follows_its_paper(item: Entry, proof: Any) -> None:
    fleets: dict[object, list[tuple[Settings, np.ndarray]]] = {}
    for settings in forms(item.rule, settings_of(item)):
        expected = reference_path(item.rule, settings)
        apart = problem.deviation(drop_in_path(item.rule, settings, torch.float64), expected)
        proof(item.rule.__name__, PAPER, apart, tolerance(item.rule))
        fleets.setdefault(settings.get("applies_to"), []).append((settings, expected))  # which is one for all replicas
    for replicas in fleets.values() if not item.rule.second else ():
        paths = fleet_path(item.rule, [settings for settings, _ in replicas], torch.float64)
        for index, (settings, expected) in enumerate(replicas):
            assert problem.deviation(paths[:, index], expected) <= tolerance(item.rule), settings


def reference_path(rule: type[Rule], settings: Settings) -> np.ndarray:
    others = {name: value for name, value in settings.items() if name != "lr"}
    return REFERENCE[rule.__name__](problem.gradient, problem.START, problem.rates(settings["lr"]), **others)


@pytest.mark.parametrize("rule", IN_FLEETS, ids=by_name)
def test_replicas_with_settings_of_their_own_do_not_disturb_each_other(rule: type[Rule]) -> None:
    one = {**with_all_on(rule, dict(hyperparameters(rule))), "lr": RATE}
    digits = torch.float64 if rule.scope == "matrix" else torch.float32
    numbers = [name for name, value in one.items() if isinstance(value, float)]
    replicas = [one, *(nudged(rule, one, name, 0.7) for name in numbers)]
    fleet = fleet_path(rule, replicas, digits)  # [T, R, P]
    for index, settings in enumerate(replicas):
        alone = drop_in_path(rule, settings, digits)
        if rule.scope == "matrix":  # many matrices at once are not multiplied in the order in which one is
            assert problem.deviation(fleet[:, index], alone) <= tolerance(rule), settings
        elif rule.__name__ in ROUNDED_BY_PLACE:
            torch.testing.assert_close(fleet[:, index], alone)
        else:
            assert torch.equal(fleet[:, index], alone), settings


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_every_hyperparameter_matters(rule: type[Rule]) -> None:
    plain = {**hyperparameters(rule), "lr": RATE, **TRIED.get(rule.__name__, {})}
    moved = dict.fromkeys(plain, 0.0)
    lively = {**plain, **LIVELY.get(rule.__name__, {})}
    # An ε of 1e-10 shows in the first only, a decay in the second, a limit in the third.
    for settings in (plain, with_all_on(rule, plain), lively):
        path = drop_in_path(rule, settings, torch.float64)
        numbers = (nudged(rule, settings, name, 0.9) for name in settings if isinstance(settings[name], float))
        for other in (*numbers, *variants(rule, settings)):
            change = problem.deviation(drop_in_path(rule, other, torch.float64), path)
            changed = [name for name in settings if other[name] != settings[name]]
            if len(changed) == 1:
                moved[changed[0]] = max(moved[changed[0]], change)
    if rule.__name__ == "ASGD":
        del moved["start"]  # acts on the average, which is not the path: see test_limits.py
    if rule.__name__.startswith("ScheduleFree"):
        del moved["rate_power"]  # is of the largest rate so far, and rates only fall here: see test_modelwide.py
    assert min(moved.values()) >= 100 * problem.TOLERANCE, moved


# ---- other frameworks ------------------------------------------------------------------------------------------------


def departures(framework: str = "") -> list[Any]:
    return [
        pytest.param(item, departure, id=f"{item.name}-{departure.framework}")
        for item in CATALOGUE
        for departure in item.departures
        if departure.settings is not None and framework in ("", departure.framework)
    ]


@pytest.mark.parametrize(("item", "departure"), departures())
def test_a_departure_that_names_settings_is_one(item: Entry, departure: Departure) -> None:
    here = {**settings_of(item), "lr": RATE}
    there = {**settings_of(item, departure.settings), "lr": RATE}
    moved = problem.deviation(
        drop_in_path(item.rule, there, torch.float64), drop_in_path(item.rule, here, torch.float64)
    )
    assert (moved >= 100 * problem.TOLERANCE) == bool(departure.settings)


@pytest.mark.parametrize(("item", "departure"), departures("PyTorch"))
def test_the_settings_that_give_torch_s_form_do(item: Entry, departure: Departure) -> None:
    settings = {**settings_of(item, departure.settings), "lr": RATE}
    same = torch_form(item.rule, settings)
    assert same is not None
    kind = getattr(torch.optim, same.name)
    defaults = kind([torch.zeros(1)]).defaults
    if same.name == "Adafactor":
        defaults["eps"] = (torch.finfo(torch.float32).eps, defaults["eps"][1])  # what None stands for there
    family = {
        "momentum",
        "nesterov",
        "centered",
        "amsgrad",
        "decoupled_weight_decay",
    }  # an argument that makes the method; all else must be torch's default
    assert {name for name, value in same.arguments.items() if defaults[name] != value} <= family


@pytest.mark.proof
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' Nadam, on NumPy 2
@pytest.mark.parametrize(("item", "departure"), departures("Keras"))
def test_the_settings_that_give_keras_form_do(item: Entry, departure: Departure, keras: Any, proof: Any) -> None:
    settings = {**settings_of(item, departure.settings), "lr": RATE}
    kind, arguments = {
        "SGD": ("SGD", {}),
        "Momentum": ("SGD", {"momentum": settings.get("momentum")}),
        "Nesterov": ("SGD", {"momentum": settings.get("momentum"), "nesterov": True}),
        "AdaGrad": ("Adagrad", {}),
        "RMSProp": ("RMSprop", {}),
        "RMSPropMomentum": ("RMSprop", {"momentum": settings.get("momentum"), "centered": settings.get("centred")}),
        "Adam": ("Adam", {}),
        "AdamW": ("AdamW", {}),
        "Adadelta": ("Adadelta", {}),
        "AMSGrad": ("Adam", {"amsgrad": True}),
        "Adamax": ("Adamax", {}),
        "NAdam": ("Nadam", {}),
        "NAdamW": ("Nadam", {}),
        "Lion": ("Lion", {}),
        "LAMB": ("Lamb", {}),
    }[item.rule.__name__]
    tolerance = (
        1e-5 if "weight_decay" in (departure.settings or ()) else problem.TOLERANCE
    )  # Keras shrinks by a float32
    weights = [keras.Variable(part.numpy(), dtype="float64") for part in problem.split(torch.tensor(problem.START))]
    optimizer = getattr(keras.optimizers, kind)(learning_rate=RATE, **arguments)
    path = []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        optimizer.learning_rate = eta
        w = problem.joined([part.value for part in weights])
        optimizer.apply(problem.split(problem.gradient(t, w)), weights)
        path.append(problem.joined([part.value for part in weights]).numpy())
    apart = problem.deviation(drop_in_path(item.rule, settings, torch.float64), path)
    proof(item.rule.__name__, f"keras.optimizers.{kind}", apart, tolerance, "keras")


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was already loaded with another backend.")
    return keras
