"""What a study tunes besides the rate: words to dials of each contender, and what is refused."""

import pytest
import torch

from steepest.design.dial_choices import rounded, with_setting
from steepest.design.options import StudyOptions
from steepest.design.study_spec import study_spec
from steepest.errors import BadSetting, UnknownName
from steepest.records.contender import Contender
from steepest.study.spec import StudySpec


def asked(optimizers: object = "adamw,sgd", **options: object) -> StudySpec:
    return study_spec("line", StudyOptions(optimizers, **options))[0]  # type: ignore[arg-type]


def test_each_optimizer_turns_the_dials_that_it_has():
    spec = asked(tune="weight_decay,b2,schedule=constant|cosine")
    names = {each.name: [dial.name for dial in each.dials] for each in spec.contenders}
    assert names == {"adamw": ["weight_decay", "b2", "schedule"], "sgd": ["weight_decay", "schedule"]}
    assert (spec.protocol.more_trials, spec.searches) == (14, {"sobol": "1"})
    assert StudySpec.model_validate(spec.to_json()).contenders == spec.contenders


def test_without_either_option_nothing_changes():
    spec = asked()
    assert spec.protocol.more_trials == 0
    assert "searches" not in spec.to_json()
    assert "more_trials" not in spec.to_json()["protocol"]
    assert {each.search for each in spec.contenders} == {""}


def test_several_searches_are_an_axis_of_the_study():
    spec = asked("adamw", search="grid,sobol,random", trials=21)
    assert [each.name for each in spec.contenders] == [f"adamw search={x}" for x in ("grid", "sobol", "random")]
    assert [dict(each.axes) for each in spec.contenders] == [{"search": x} for x in ("grid", "sobol", "random")]
    assert not spec.contenders[0].dials
    assert [dial.name for dial in spec.contenders[1].dials] == ["weight_decay", "b1", "b2"]
    assert spec.protocol.more_trials == 8


def test_the_baseline_stays_as_it_is():
    spec = asked("sgd", tune="schedule", baseline="adamw:lr=3e-4")
    assert {each.name: each.search for each in spec.contenders} == {
        "sgd": "sobol",
        "adamw": "sobol",
        "adamw:lr=3e-4": "",
    }


def test_a_torch_optimizer_of_the_users_own_turns_its_keyword_arguments():
    def mine(params: list[torch.nn.Parameter], lr: float, momentum: float = 0.5) -> torch.optim.Optimizer:
        return torch.optim.SGD(params, lr=lr, momentum=momentum)

    spec = asked([mine], tune={"schedule": ["constant", "cosine"], "warmup": (0.0, 0.1)})
    assert [dial.name for dial in spec.contenders[0].dials] == ["schedule", "warmup"]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"tune": "b3"}, UnknownName, "b3"),
        ({"tune": "b2,b2"}, BadSetting, "given twice"),
        ({"tune": "b2=0.9..1.5"}, BadSetting, "b2"),
        ({"tune": "schedule=constant|cosina"}, UnknownName, "cosina"),
        ({"tune": "batch-size=8..64"}, BadSetting, "needs a list of values"),
        ({"tune": "batch-size=0|64"}, BadSetting, "whole numbers"),
        ({"tune": "dropout"}, BadSetting, "needs a list of values"),
        ({"tune": "weight_decay", "search": "hyperband"}, UnknownName, "hyperband"),
        ({"tune": "weight_decay", "trials": 13}, BadSetting, "Take at least 14"),
        ({"tune": "weight_decay", "trials": 10000}, BadSetting, "at most"),
        ({"tune": "dropout=0|2"}, BadSetting, "dropout"),
        ({"tune": ""}, BadSetting, "names no dial"),
        ({"trials": 27}, BadSetting, "--tune"),
        ({"search": ","}, BadSetting, "empty"),
    ],
)
def test_what_cannot_be_is_one_sentence(options, kind, words):
    with pytest.raises(kind, match=words) as told:
        asked(**options)
    assert "\n" not in str(told.value)


def test_a_setting_becomes_what_is_printed():
    setting = {"lr": 1e-3, "b2": 0.998860220093, "weight_decay": 0.0123456, "schedule": "cosine", "warmup": 0.05}
    found = with_setting(Contender("adamw", "adamw", 1e-3), {**setting, "dropout": 0.1})
    assert dict(found.settings) == {"b2": 0.99886, "weight_decay": 0.0123}
    assert found.schedule == "warmup-cosine:share=0.05"
    assert dict(found.axes) == {"dropout": 0.1}
    assert [rounded(x) for x in (True, "a", 3, 0.9, 0.95, 123456.0)] == [True, "a", 3, 0.9, 0.95, 123000.0]


def test_a_list_of_two_numbers_is_two_values_and_a_tuple_a_range():
    spec = asked("adamw", tune={"batch-size": [32, 64], "dropout": (0.0, 0.2), "b2": (0.9, 0.99), "eps": [1e-8, 1e-6]})
    kinds = {dial.name: (dial.kind, dial.choices) for dial in spec.contenders[0].dials}
    assert kinds == {
        "batch-size": ("choice", (32, 64)),
        "dropout": ("choice", (0.0, 0.2)),
        "b2": ("log", ()),
        "eps": ("choice", (1e-8, 1e-6)),
    }


def test_a_list_of_settings_is_checked_before_anything_trains(tmp_path):
    file = tmp_path / "settings.json"
    for written, words in (
        ('[{"lr": 0.1, "b3": 0.5}]', "b3"),
        ('[{"lr": 0.1, "b2": 2}, {"lr": 0.1}]', "b2"),
        ('[{"lr": 0.1}]', "has 1 settings, fewer than the 2 trials"),
    ):
        file.write_text(written)
        with pytest.raises((BadSetting, UnknownName), match=words):
            asked("adam,sgd", tune="b2", search=f"list:{file}", trials=15)
    file.write_text('[{"lr": 0.1, "b2": 0.99}, {"lr": 1e-6}]')  # sgd has no b2, and the grid no such rate
    spec = asked("adam,sgd", tune="b2", search=f"list:{file}", trials=15)
    assert [len(each.dials) for each in spec.contenders] == [1, 0]


@pytest.mark.parametrize("trials", [14, 20, 50])
def test_any_number_of_trials_can_be_asked_for(trials):
    spec = asked("adamw", search="grid,sobol", trials=trials)
    assert spec.asked_trials() == 2 * 10 * trials
