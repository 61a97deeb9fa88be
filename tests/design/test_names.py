"""Optimizers under names that their users give them: variants of one class take part together."""

from functools import partial

import pytest
import torch

from steepest.adapters.frameworks import own_code
from steepest.design.contenders import enter
from steepest.errors import BadSetting
from steepest.optim.adam import Adam
from steepest.records.contender import TORCH_IN_MEMORY, Contender

LOW, HIGH = (partial(torch.optim.AdamW, betas=(0.9, b2)) for b2 in (0.95, 0.999))


class Own(Adam):
    """A rule that the catalogue does not have."""


def test_a_mapping_names_them():
    found, memory = enter({"low": LOW, "high": HIGH, "mine": Adam(b2=0.9), "words": "adamw:b2=0.95"})
    assert [each.name for each in found] == ["low", "high", "mine", "words"]
    assert [each.rule for each in found] == ["torch:low", "torch:high", "adam", "adamw"]
    assert memory == {"low": LOW, "high": HIGH}
    assert found[2].settings == {"b2": 0.9}


def test_a_list_may_hold_named_ones_and_others():
    found, _ = enter(["sgd", {"my adamw": lambda params, lr=3e-4: torch.optim.AdamW(params, lr=lr)}], rates=[0.1])
    assert [(each.name, each.rates) for each in found] == [("sgd", (0.1,)), ("my adamw", (0.1,))]


def test_rules_of_one_class_with_other_settings_are_two_contenders():
    found, memory = enter({"a": Own, "b": Own(lr=0.5)})
    assert [(each.rule, each.centre) for each in found][1] == ("rule:b", 0.5)
    assert [*memory] == ["a", "b"]


def test_what_has_a_name_must_be_an_optimizer_too():
    with pytest.raises(BadSetting, match="is not an optimizer"):
        enter({"mine": 3})


def test_variants_in_a_list_are_told_apart_by_what_differs():
    found, memory = enter(
        [LOW, HIGH, lambda p, lr=0.1: torch.optim.SGD(p, lr=lr), lambda p, lr=0.2: torch.optim.SGD(p, lr)]
    )
    names = ["AdamW:betas=(0.9, 0.95)", "AdamW:betas=(0.9, 0.999)", "<lambda>", "<lambda>#2"]
    assert [each.name for each in found] == [*memory] == names
    assert [each.centre for each in found][2:] == [0.1, 0.2]
    assert [each.name for each in enter([Adam(b2=0.9), Adam(b2=0.99)])[0]] == ["adam:b2=0.9", "adam:b2=0.99"]
    assert [each.name for each in enter([Adam(b2=0.9)])[0]] == ["adam"]
    assert [each.name for each in enter("adam,adam")[0]] == ["adam", "adam"]  # refused as named twice


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("AdamW:betas=(0.9, 0.95)", "optimizer = AdamW(model.parameters(), lr=0.1, betas=(0.9, 0.95))"),
        ("my_adamw", "optimizer = my_adamw(model.parameters(), lr=0.1)"),
        ("my adamw", "# make: what takes part as 'my adamw'\noptimizer = make(model.parameters(), lr=0.1)"),
    ],
)
def test_the_code_to_paste_is_python_under_any_name(name, code):
    found = own_code("torch", name, Contender(name, TORCH_IN_MEMORY + name, 0.1), 0.1)
    assert found.strip() == code
    compile(found, name, "exec")
