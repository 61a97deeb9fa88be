"""The table of optimizers: whole, consistent with the rules it names, and the same as the page made from it."""

from __future__ import annotations

import json
import operator

import pytest

from steepest.errors import BadSetting, UnknownName
from steepest.optim.catalogue import CATALOGUE, contender, describe, entry, names, settings_of
from steepest.optim.entry import Entry
from steepest.optim.rule import check_settings, describe_hyperparameters
from steepest.records.contender import Contender

each_entry = pytest.mark.parametrize("item", CATALOGUE, ids=operator.attrgetter("name"))


def test_the_methods_of_both_articles_are_there_in_their_printed_and_their_standard_forms() -> None:
    assert {"gd", "sgd-1", "sgd"} <= set(names())
    assert {"momentum-averaged", "adagrad-printed", "rmsprop-printed", "adam-printed"} <= set(names())
    assert {"momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"} <= set(names())
    assert len(set(names())) == len(CATALOGUE)


@each_entry
def test_an_entry_names_settings_that_its_rule_takes(item: Entry) -> None:
    check_settings(item.rule, {**item.settings, "lr": item.rate})
    assert "lr" not in item.settings
    for departure in item.departures:
        check_settings(item.rule, departure.settings or {})
        assert departure.framework in ("PyTorch", "Keras", "Optax", "the authors' code", "the article")


@each_entry
def test_the_default_rate_lies_within_the_four_decades_of_the_search(item: Entry) -> None:
    assert item.centre / 100 <= item.rate <= item.centre * 100 or item.name == "gd"


@each_entry
def test_a_formula_has_the_letter_of_every_number_that_is_at_work_and_of_no_other(item: Entry) -> None:
    settings = settings_of(item)
    text = item.formula.replace("ε_r", "ϵ")  # one letter each
    for row in describe_hyperparameters(item.rule):
        if symbol := row["symbol"].replace("ε_r", "ϵ"):
            assert (symbol in text) == (settings[row["name"]] != 0), (row["name"], item.formula)


@each_entry
def test_a_formula_updates_every_state_and_the_weights(item: Entry) -> None:
    at_work = [name for name in item.rule.state if not (name == "a" and not settings_of(item).get("centred", True))]
    for name in (*at_work, "w"):
        assert f"{name} ←" in item.formula


@each_entry
def test_a_description_is_json_and_says_it_all(item: Entry) -> None:
    told = json.loads(json.dumps(describe(item), allow_nan=False, default=str))
    assert told["summary"].endswith(".")
    assert told["paper"]["year"] > 1800
    assert {row["name"]: row["value"] for row in told["hyperparameters"]} == settings_of(item)
    assert told["state"] == list(item.rule.state)
    assert len(told["departures"]) >= 3


def test_an_unknown_optimizer_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as refused:
        entry("adma")
    assert str(refused.value) == (
        "Unknown optimizer 'adma'. Did you mean adamax, adan, adam? `steepest optimizers` lists all."
    )


def test_a_contender_keeps_what_differs_from_its_entry() -> None:
    assert contender("momentum") == Contender(name="momentum", rule="momentum", centre=1e-2, default_rate=1e-3)
    assert contender("gd").batch_size == "full"
    assert contender(entry("sgd-1"), batch_size=4).batch_size == 4
    bent = contender("adam-printed", name="adam β₁ .5", schedule="cosine", centre=1e-2, b1=0.5)
    assert bent == Contender("adam β₁ .5", "adam-printed", 1e-2, {"b1": 0.5}, "cosine", default_rate=1e-3)
    assert settings_of(entry(bent.rule), bent.settings)["correction"] == "printed"
    assert settings_of(entry(bent.rule), bent.settings)["b1"] == 0.5


def test_a_contender_with_a_setting_out_of_range_or_with_a_rate_is_refused() -> None:
    with pytest.raises(BadSetting, match="Adam: b1 is 2; it must be"):
        contender("adam", b1=2.0)
    with pytest.raises(BadSetting, match="adam: lr cannot be set, because a study searches it"):
        contender("adam", lr=0.1)
