"""Setups as people write them: torch's and Keras' names, groups of parameters, optimizers in files."""

from functools import partial

import pytest
import torch

import steepest
from steepest.design.baseline import add_baseline
from steepest.design.contenders import enter, with_groups
from steepest.engine.object_registry import ConfiguredRule, ExternalOptimizer, ObjectRegistry
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.ingest.own_objects import load_object
from steepest.optim.adam import Adam

FILE = """
import torch
from steepest.optim import elementwise

class Slow(elementwise.Adam):
    pass

def mine(params, lr=3e-4, b=0.9):
    return torch.optim.SGD(params, lr=lr, momentum=b)
"""


@pytest.mark.parametrize(
    ("words", "rule", "settings"),
    [
        ("adam:betas=0.9,0.95:eps=1e-6", "adam", {"b1": 0.9, "b2": 0.95, "eps": 1e-6}),
        ("adamw:betas=0.9/0.95", "adamw", {"b1": 0.9, "b2": 0.95}),
        ("adam:beta_1=0.8:beta_2=0.9:epsilon=1e-7", "adam", {"b1": 0.8, "b2": 0.9, "eps": 1e-7}),
        ("adam+clip-norm:adam_beta2=0.99:max_norm=0.5", "adam+clip-norm", {"b2": 0.99, "max_norm": 0.5}),
        ("sgd:momentum=0.8", "momentum", {"momentum": 0.8}),
        ("sgd:momentum=0.8:nesterov=true:weight_decay=1e-4", "nesterov", {"momentum": 0.8, "weight_decay": 1e-4}),
        ("sgd+clip-norm:momentum=0.8", "momentum+clip-norm", {"momentum": 0.8}),
        ("rmsprop:alpha=0.95", "rmsprop", {"b2": 0.95}),
        ("rmsprop:rho=0.95", "rmsprop", {"b2": 0.95}),
        ("adam:amsgrad=true", "amsgrad", {}),
        ("adamw:weight_decay=0.1:vectors.weight_decay=0:head.betas=0.8/0.9", "adamw",
         {"weight_decay": 0.1, "groups": "vectors.weight_decay=0:head.b1=0.8:head.b2=0.9"}),
    ],
)  # fmt: skip
def test_names_of_torch_and_keras_are_understood(words, rule, settings):
    (found,), _ = enter(words)
    assert (found.rule, found.settings) == (rule, settings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("adam:clipnorm=1", r"adam\+clip-norm:max_norm=1"),
        ("adamw:max_grad_norm=0.5", r"adamw\+clip-norm:max_norm=0.5"),
        ("adam:betas=high,low", "two numbers, as in betas=0.9,0.95"),
        ("adam:betas=0.9", "must be a pair"),
        ("adam:learning_rate=0.1", "--baseline adam:lr=0.1"),
        ("adamw:vectors.lr=0.1", "vectors.lr_scale=0.1"),
    ],
)
def test_others_are_answered_with_ours(words, said):
    with pytest.raises(BadSetting, match=said):
        enter(words)


def test_groups_of_the_catalogue_of_rules_and_of_factories():
    groups = {"vectors": {"weight_decay": 0}, "head": {"lr_scale": 10}}
    assert steepest.with_groups("adam", groups) == with_groups("adam", groups)

    class Own(Adam):
        pass

    listed = [
        with_groups("adamw:vectors.eps=1e-6", groups),
        with_groups(Own, groups),
        with_groups(torch.optim.SGD, groups),
    ]
    found, memory = enter([*listed, "adamw"])
    text = "vectors.weight_decay=0:head.lr_scale=10"
    assert [each.settings for each in found] == [{"groups": f"vectors.eps=1e-06:{text}"}, *[{"groups": text}] * 2, {}]
    made = [ObjectRegistry(optimizers=memory).optimizer(each) for each in found]
    assert [type(each) for each in made] == [ConfiguredRule, ConfiguredRule, ExternalOptimizer, ConfiguredRule]
    assert [[group.selector for group in each.groups] for each in made[1:]] == [["vectors", "head"]] * 2 + [[]]
    with pytest.raises(UnknownName, match="setting in the group vectors"):
        enter([with_groups(Own, {"vectors": {"speed": 1}})])
    with pytest.raises(BadSetting, match="cannot name parameters"):
        with_groups("adam", {"a:b": {"lr_scale": 2}})


def test_the_baseline_has_groups_too():
    (contenders, memory) = enter("adamw:weight_decay=0.1:vectors.weight_decay=0")
    own = add_baseline("adamw:learning_rate=3e-4:weight_decay=0.1:vectors.weight_decay=0", contenders, memory)
    assert own.tuned == contenders[0].name
    assert own.contenders[-1].rates == (3e-4,)
    other = add_baseline("adamw:lr=3e-4:weight_decay=0.1", contenders, memory)
    assert other.tuned == "adamw:weight_decay=0.1"


# ---- optimizers in files ---------------------------------------------------------------------------------------------


def test_an_optimizer_of_a_file_by_its_name(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(FILE)
    found, memory = enter(f"{path}:Slow:b2=0.99:vectors.lr_scale=2,{path}:mine:b=0.5")
    assert [each.name for each in found] == ["Slow:b2=0.99:vectors.lr_scale=2", "mine:b=0.5"]
    assert [each.centre for each in found] == [1e-3, 3e-4]
    rule, factory = map(ObjectRegistry(optimizers=memory).optimizer, found)
    assert isinstance(rule, ConfiguredRule)
    assert (rule.rule.__name__, rule.settings["b2"]) == ("Slow", 0.99)
    assert factory.settings == {"b": 0.5}
    with pytest.raises(BadInput, match="existed only in the memory"):  # a study folder alone never runs a file
        ObjectRegistry().optimizer(found[0])
    own = add_baseline(f"{path}:mine:lr=0.01:b=0.5", found, memory)
    assert (own.tuned, own.contenders[-1].rates) == ("mine:b=0.5", (0.01,))
    for words, said in [("Fast", "It defines Slow, mine"), ("Slow:b3=1", "b3"), ("Slow:lr=1", "--baseline")]:
        with pytest.raises(BadInput, match=said):
            enter(f"{path}:{words}")
    path.write_text(FILE + "\n")
    with pytest.raises(BadInput, match="has changed since the study began"):
        load_object(found[0].rule.removeprefix("rule:"))


# ---- factories -------------------------------------------------------------------------------------------------------


class TwoCalls(torch.optim.SGD):
    def step(self, closure):  # type: ignore[override]
        closure()
        return super().step(closure)


@pytest.mark.parametrize(
    "item", [torch.optim.LBFGS, TwoCalls, partial(TwoCalls, momentum=0.9), lambda p, lr=1.0: TwoCalls(p, lr)]
)
def test_closures_are_refused_before_anything_trains(item):
    with pytest.raises(BadSetting, match="needs a closure"):
        enter([item])


def test_a_factory_without_lr_has_the_rate_that_it_builds_with():
    (found,), _ = enter([lambda params: torch.optim.AdamW(params, lr=3e-4)])
    assert found.centre == 3e-4
    with pytest.raises(BadSetting, match="no argument `lr`"):
        enter([lambda model: torch.optim.AdamW(model.parameters(), lr=3e-4)])
    (found,), _ = enter([lambda model, lr=2e-4: torch.optim.AdamW(model.parameters(), lr=lr)])
    assert found.centre == 2e-4


def test_an_optimizer_that_is_built_already_is_refused():
    with pytest.raises(BadSetting, match="Give the class"):
        enter([torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)])
