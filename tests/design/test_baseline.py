"""What a user has now enters a study as it is, and beside it the same optimizer with its rate tuned."""

import pytest
import torch

from steepest.design.options import StudyOptions
from steepest.design.study_spec import study_spec
from steepest.errors import BadSetting, UnknownName
from steepest.optim.adam import Adam
from steepest.study.protocol import trials_of


def spec(baseline, optimizers="sgd,adamw", **options):
    return study_spec("digits-linear", StudyOptions(optimizers, baseline=baseline, **options))[0]


def contenders(found):
    return {each.name: each for each in found.contenders}


def test_it_has_one_trial_a_seed_and_the_tuned_ones_have_equal_trials():
    found = spec("adamw:lr=3e-4:weight_decay=0.1")
    named = contenders(found)
    assert [*named] == ["sgd", "adamw", "adamw:weight_decay=0.1", "adamw:lr=3e-4:weight_decay=0.1"]
    assert (found.baseline, found.baseline_tuned) == ("adamw:lr=3e-4:weight_decay=0.1", "adamw:weight_decay=0.1")
    assert found.reference == found.baseline
    assert named[found.baseline].rates == (3e-4,)
    assert trials_of(named[found.baseline], found.protocol) == found.protocol.seeds
    assert len({trials_of(each, found.protocol) for name, each in named.items() if name != found.baseline}) == 1


@pytest.mark.parametrize("typed", ["adamw:lr=3e-4", "adamw:lr=3e-4:weight_decay=0.01", "adamw"])
def test_the_same_optimizer_is_not_added_twice(typed):
    found = spec(typed)
    assert len(found.contenders) == 3
    assert found.baseline_tuned == "adamw"
    assert found.baseline == (typed if "lr=" in typed else "adamw:lr=0.001")


def test_it_keeps_its_own_schedule_clipping_and_factors():
    found = spec("adam+clip-norm:lr=1e-3:max_norm=0.5:schedule=warmup-cosine/share=0.1:dropout=0.2", schedule="linear")
    named = contenders(found)
    mine, tuned = named[found.baseline], named[found.baseline_tuned]
    assert mine.rule == tuned.rule == "adam+clip-norm"
    assert mine.schedule == tuned.schedule == "warmup-cosine:share=0.1"
    assert mine.axes == tuned.axes == {"dropout": 0.2}
    assert mine.settings == {"max_norm": 0.5}
    assert named["sgd"].schedule == "linear"
    assert contenders(spec("adam:lr=1e-3", schedule="linear"))["adam:lr=1e-3"].schedule == "linear"


def test_axes_and_batch_sizes_of_the_study_leave_it_as_it_is():
    found = spec("adamw:lr=3e-4", axes={"dropout": [0, 0.2]}, batch_sizes=[32, 64])
    mine = contenders(found)["adamw:lr=3e-4"]
    assert (mine.axes, mine.batch_size) == ({}, None)


def my_adamw(params, lr=6e-4):
    return torch.optim.AdamW(params, lr=lr, betas=(0.9, 0.95))


def test_it_may_be_a_factory_a_rule_or_have_a_name():
    found = spec(my_adamw)
    assert (found.baseline, found.baseline_tuned) == ("my_adamw:lr=0.0006", "my_adamw")
    assert contenders(found)[found.baseline].rates == (6e-4,)
    assert spec(Adam(lr=0.02)).baseline == "adam:lr=0.02"
    named = spec({"what I use": my_adamw})
    assert (named.baseline, named.baseline_tuned) == ("what I use", "what I use, tuned")
    assert spec({"mine": "adamw:lr=1e-2"}).baseline_tuned == "adamw"


def test_rates_of_the_user_s_own_are_for_the_tuned_ones():
    found = spec("adam:lr=3e-4", rates=[0.01, 0.1])
    named = contenders(found)
    assert named["adam"].rates == (0.01, 0.1)
    assert named["adam:lr=3e-4"].rates == (3e-4,)


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ("adamw:lr=0", "learning rate 0.0"),
        ("adamw:lr=fast", "learning rate fast"),
        ("adamw:lr=1e-3:schedule=slow", "slow"),
        ("adamz:lr=1e-3", "adamz"),
        ("adamw:lr=1e-3:waight_decay=1", "waight_decay"),
        ({"a": "adam", "b": "sgd"}, "one optimizer, not 2"),
    ],
)
def test_a_wrong_one_is_refused_in_a_sentence(baseline, says):
    with pytest.raises((BadSetting, UnknownName), match=says):
        spec(baseline)


def test_a_rate_among_the_optimizers_is_answered_with_the_option():
    with pytest.raises(BadSetting, match=r"--baseline adam:lr=0\.001"):
        spec(None, "adam:lr=1e-3")
