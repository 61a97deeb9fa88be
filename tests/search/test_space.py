"""Spaces: words to dials, dials to the unit cube and back."""

import numpy as np
import pytest

from steepest.errors import BadSetting, UnknownName
from steepest.search.dials import rate_dial
from steepest.search.space import Dial, Space, parse_space, usual_dials

ADAMW = usual_dials({"lr": 1e-3, "weight_decay": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-8}, decoupled=True)
MOMENTUM = usual_dials({"lr": 1e-3, "weight_decay": 0.0, "momentum": 0.9, "nesterov": False, "rate_at": "step"})
MIXED = Space(
    (
        rate_dial(1e-3),
        ADAMW["weight_decay"],
        ADAMW["b2"],
        Dial("batch", "integer", 8, 512),
        Dial("layers", "integer", 1, 4),
        Dial("dropout", "linear", 0, 0.5),
        Dial("schedule", "choice", choices=("constant", "cosine"), default="constant"),
        Dial("end", "linear", 0, 0.5, default=0.0, only_if=("schedule", ("cosine",))),
    )
)


def test_usual_ranges_are_those_of_the_benchmarks():
    assert (ADAMW["weight_decay"].low, ADAMW["weight_decay"].high, ADAMW["weight_decay"].zero) == (1e-4, 1, True)
    assert (MOMENTUM["weight_decay"].low, MOMENTUM["weight_decay"].high) == (1e-7, 1e-2)
    assert (ADAMW["b1"].low, ADAMW["b1"].high, ADAMW["b2"].low, ADAMW["b2"].high) == (0.5, 0.995, 0.7, 0.999)
    assert (MOMENTUM["momentum"].low, MOMENTUM["momentum"].high) == (0, 0.995)
    assert MOMENTUM["nesterov"].choices == (False, True)
    assert ADAMW["schedule"].choices == ("constant", "linear", "cosine", "warmup-stable-decay")
    assert "lr" not in ADAMW


def test_a_default_beyond_the_usual_range_widens_it():
    dial = usual_dials({"b2": 0.9999})["b2"]
    assert dial.low == 0.7 and dial.high > 0.9999


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("weight_decay,b2", ["weight_decay", "b2"]),
        ("weight_decay=1e-4..1, schedule=constant|cosine", ["weight_decay", "schedule"]),
        (["b1=0.8..0.99", "weight-decay,eps"], ["b1", "weight_decay", "eps"]),
        ({"b2": (0.9, 0.999), "schedule": ["constant", "linear"], "b1": None}, ["b2", "schedule", "b1"]),
    ],
)
def test_dials_are_read_from_words_lists_and_mappings(text, names):
    assert [dial.name for dial in parse_space(text, ADAMW)] == names


def test_a_range_keeps_the_scale_and_choices_the_kind_of_value():
    (b2,) = parse_space({"b2": (0.9, 0.99)}, ADAMW)
    assert (b2.kind, b2.complement, b2.low, b2.high) == ("log", True, 0.9, 0.99)
    (decay,) = parse_space("weight_decay=0..0.1", ADAMW)
    assert (decay.low, decay.high, decay.zero) == (1e-4, 0.1, True)
    (narrow,) = parse_space("weight_decay=0.01..0.1", ADAMW)
    assert not narrow.zero
    (chosen,) = parse_space("b2=0.95|0.999", ADAMW)
    assert (chosen.kind, chosen.choices) == ("choice", (0.95, 0.999))
    (nesterov,) = parse_space("nesterov=on|off", MOMENTUM)
    assert nesterov.choices == (True, False)
    (own,) = parse_space("rate_at=step|gradient", MOMENTUM)
    assert own.choices == ("step", "gradient")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("weight_deacy", "Unknown dial 'weight_deacy'. Did you mean weight_decay?"),
        ("b2,b2", "The dial b2 is given twice."),
        ("b2,,b1", "which has an empty part"),
        ("b2=", "which has an empty part"),
        ("b2=0.9..x", "The dial b2 has the end 'x', which is not a number. Write b2=LOW..HIGH"),
        ("b2=0.999..0.9", "Give the smaller number first."),
        ("b2=0.9..1.5", "It must be at least 0 and below 1"),
        ("weight_decay=-1..1", "It must be above 0"),
        ("b2=0.9..nan", "Give the smaller number first."),
        ("schedule=cosine", "The dial schedule has one value only: cosine."),
        ("schedule=0..1", "The dial schedule has no range, because its values are constant, linear, cosine or"),
        ("b2=0.9|high", "The dial b2 has the value 'high', which is not a number."),
        ({"b2": 0.9}, "The dial b2 has 0.9. Give a range (LOW, HIGH), or a list of values."),
        ({"b2": [True, False, 0.9]}, "The dial b2 has the value True, which is not a number."),
    ],
)
def test_bad_dials_are_refused_in_a_sentence(text, sentence):
    with pytest.raises((BadSetting, UnknownName)) as caught:
        parse_space(text, ADAMW)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("text", ["damping", "rate_at", {"nesterov": ["perhaps", "no"]}])
def test_what_has_no_usual_range_needs_one(text):
    known = usual_dials({"damping": 0.5, "rate_at": "step", "nesterov": False})
    with pytest.raises(BadSetting, match=r"has no usual range|must be true or false"):
        parse_space(text, known)


def test_every_point_has_values_in_range_that_are_printed_exactly():
    for point in np.vstack([np.random.default_rng(0).random((300, 8)), np.zeros((1, 8)), np.ones((1, 8))]):
        values = MIXED.from_unit(point)
        for dial in MIXED.dials:
            if dial.name not in values:
                assert dial.name == "end" and values["schedule"] == "constant"
                continue
            value = values[dial.name]
            if dial.kind == "choice":
                assert value in dial.choices
                continue
            assert dial.low <= value <= dial.high or (dial.zero and value == 0)
            assert float(f"{value:.12g}") == value
            assert isinstance(value, int) == (dial.kind == "integer")


def test_values_come_back_from_their_point():
    for point in np.random.default_rng(1).random((100, 8)):
        values = MIXED.from_unit(point)
        again = MIXED.from_unit(MIXED.to_unit(values))
        assert again.keys() == values.keys()
        assert all(
            again[name] == value if isinstance(value, str | int) else again[name] == pytest.approx(value, rel=1e-9)
            for name, value in values.items()
        )


def test_a_share_of_the_scale_means_zero_where_zero_is_possible():
    space = Space((ADAMW["weight_decay"],))
    values = [space.from_unit(np.array([u]))["weight_decay"] for u in np.linspace(0, 1, 101)]
    assert values[:10] == [0.0] * 10 and values[10] == 1e-4 and values[-1] == 1


def test_the_scale_of_an_average_is_that_of_what_it_forgets():
    space = Space((MOMENTUM["momentum"],))
    assert space.from_unit(np.array([0.0]))["momentum"] == 0
    assert space.from_unit(np.array([0.5]))["momentum"] == pytest.approx(1 - 0.005**0.5)
    assert space.from_unit(np.array([1.0]))["momentum"] == 0.995


def test_edges_are_named_but_no_end_that_nothing_lies_beyond():
    values = {
        "lr": 0.1,
        "weight_decay": 0.0,
        "b2": 0.7,
        "batch": 8,
        "layers": 4,
        "dropout": 0.2,
        "schedule": "constant",
    }
    assert MIXED.at_edge(values) == {"lr": "high", "b2": "low", "batch": "low", "layers": "high"}
    assert Space((MOMENTUM["momentum"],)).at_edge({"momentum": 0.0}) == {}


def test_an_absent_dial_is_at_its_default():
    assert MIXED.key({"schedule": "constant", "end": 0.3}) == MIXED.key({"weight_decay": 0.01, "b2": 0.999})
