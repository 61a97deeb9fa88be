"""Scripts written for torch.optim keep their arguments, error inputs included: torch's own tables of configurations."""

import copy
import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing._internal.common_optimizers import OptimizerInput, optim_db

import steepest
from steepest.errors import BadSetting

NOT_HERE = ("LBFGS", "SparseAdam")
HERE = [info for info in optim_db if info.optim_cls.__name__ not in (*NOT_HERE, "Muon")]
"""Muon's steps are its own here: another scale, and no rounding to bfloat16. MuonBfloat16 has torch's."""
MUON = [
    pytest.param(each, id=each.desc)
    for info in optim_db
    if info.optim_cls.__name__ == "Muon"
    for each in info.optim_inputs_func(device="cpu")
]
INPUTS = [
    pytest.param(info.optim_cls, each, id=f"{info.optim_cls.__name__}: {each.desc}")
    for info in HERE
    for each in info.optim_inputs_func(device="cpu")
]
ERRORS = [
    pytest.param(info.optim_cls, each.optimizer_error_input, each.error_type, id=each.optimizer_error_input.desc)
    for info in HERE
    for each in info.optim_error_inputs_func(device="cpu", dtype=torch.float64)
]
UP_TO_ROUNDING = 1e-6
EXACT = 1e-9


def ours(theirs: type[torch.optim.Optimizer]) -> Any:
    return getattr(steepest.optim, theirs.__name__)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def trained(kind: Any, arguments: dict[str, Any], scheduler: Any = None) -> Tensor:
    net = model()
    optimizer = kind(net.parameters(), **arguments)
    schedule = scheduler and scheduler(optimizer)
    for seed in range(9):
        optimizer.zero_grad()
        x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        net(x).square().mean().backward()
        optimizer.step()
        if schedule:
            schedule.step()
    return nn.utils.parameters_to_vector(net.parameters()).detach()


@pytest.mark.parametrize(("theirs", "given"), INPUTS)
def test_every_configuration_of_torch_trains_as_in_torch(
    theirs: type[torch.optim.Optimizer], given: OptimizerInput
) -> None:
    """In double precision by default, as torch rounds ASGD's rate and NAdam's product to the default type."""
    arguments = {"lr": 0.01, **given.kwargs}
    torch.set_default_dtype(torch.float64)
    try:
        found, expected = trained(ours(theirs), arguments), trained(theirs, arguments)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.allclose(found, expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("given", MUON)
def test_muon_of_torch_is_muon_bfloat16(given: OptimizerInput) -> None:
    """Other Newton–Schulz steps are refused; one that would work after all fails here."""
    weights = [nn.Parameter(torch.randn(6, 4, dtype=torch.float64)) for _ in range(2)]
    weights[1].data.copy_(weights[0].data)
    theirs = torch.optim.Muon([weights[0]], **given.kwargs)
    arguments = {"adjust_lr_fn": None, **given.kwargs}
    if {"ns_steps", "ns_coefficients"} & given.kwargs.keys():
        with pytest.raises(BadSetting, match="Newton–Schulz steps"):
            steepest.optim.MuonBfloat16([weights[1]], **arguments)
        return
    mine = steepest.optim.MuonBfloat16([weights[1]], **arguments)
    for _ in range(5):
        for p in weights:
            p.grad = weights[0].detach().sin()
        theirs.step()
        mine.step()
    rounds = isinstance(given.kwargs.get("lr"), Tensor)  # torch multiplies by a rate in single precision
    assert torch.allclose(weights[0], weights[1], rtol=0, atol=UP_TO_ROUNDING if rounds else EXACT)


@pytest.mark.parametrize("name", NOT_HERE)
def test_classes_that_are_none_here_say_what_there_is(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"steepest\.optim has no {name}: .*Use torch\.optim\.{name}"):
        getattr(steepest.optim, name)


@pytest.mark.parametrize(("theirs", "given", "error"), ERRORS)
def test_what_torch_refuses_is_refused_with_the_same_type_of_error(
    theirs: type[torch.optim.Optimizer], given: OptimizerInput, error: type[Exception]
) -> None:
    if "foreach" in given.kwargs or "betas must be either both floats" in given.desc or "complex" in given.desc:
        pytest.skip("a restriction of torch's implementation")
    params = [nn.Parameter(torch.zeros(2))] if given.params is None else given.params
    with pytest.warns(error) if issubclass(error, Warning) else pytest.raises(error):
        ours(theirs)(params, **given.kwargs)


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9),
        lambda optimizer: torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, step_size_up=3),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3),
    ],
    ids=["OneCycleLR", "CyclicLR", "CosineAnnealingWarmRestarts"],
)
@pytest.mark.parametrize(
    ("name", "arguments"), [("Adam", {"betas": (0.8, 0.99)}), ("SGD", {"momentum": 0.8}), ("NAdam", {})]
)
def test_schedulers_that_move_the_momentum_move_ours(name: str, arguments: dict[str, Any], scheduler: Any) -> None:
    arguments = {"lr": 0.01, **arguments}
    found = trained(getattr(steepest.optim, name), arguments, scheduler)
    expected = trained(getattr(torch.optim, name), arguments, scheduler)
    assert torch.allclose(found, expected, rtol=UP_TO_ROUNDING, atol=UP_TO_ROUNDING)


def test_one_class_of_torch_is_several_rules_here() -> None:
    def rule(name: str, **arguments: Any) -> str:
        return type(getattr(steepest.optim, name)([nn.Parameter(torch.zeros(2))], **arguments)).__name__

    assert rule("SGD", momentum=0.9) == "Momentum"
    assert rule("SGD", momentum=0.9, nesterov=True) == "Nesterov"
    assert rule("SGD", momentum=0, nesterov=False) == "SGD"
    assert rule("Adam", amsgrad=True) == "AMSGrad"
    assert rule("Adam", decoupled_weight_decay=True) == "AdamW"
    assert rule("RMSprop", centered=True) == "RMSPropMomentum"
    assert rule("Adagrad", foreach=True) == "AdaGrad"


def test_groups_have_betas_of_their_own_and_outlive_copies_and_checkpoints() -> None:
    net = model()
    optimizer = steepest.optim.Adam([{"params": net.parameters(), "betas": (0.5, 0.9)}])
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.9)
    optimizer.param_groups[0]["betas"] = (0.6, 0.9)
    assert optimizer.param_groups[0]["b1"] == 0.6
    again = copy.deepcopy(optimizer)
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["betas"] == (0.6, 0.9)
    assert "betas" not in optimizer.state_dict()["param_groups"][0]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Adam", {"betas": 0.9}, r"Adam: betas is 0\.9; it must be a pair of numbers\."),
        ("Adam", {"betas": (0.9, 1.5)}, r"Adam: b2 is 1\.5"),
        ("Adam", {"capturable": True}, r"capturable=True: steps in a CUDA graph are not supported\. Leave"),
        ("SGD", {"nesterov": True}, r"Nesterov's method needs a momentum and no dampening"),
        ("MARS", {"maximize": True}, r"MARS takes two gradients in a step and cannot maximize\. Negate the loss\."),
        ("Muon", {"ns_steps": 6}, r"always takes five"),
    ],
)
def test_arguments_without_a_meaning_are_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        getattr(steepest.optim, name)([nn.Parameter(torch.zeros(2, 2))], **arguments)


def test_a_group_cannot_maximize_where_a_step_takes_two_gradients() -> None:
    params = [nn.Parameter(torch.zeros(2, 2))]
    with pytest.raises(BadSetting, match="MARS takes two gradients in a step and cannot maximize"):
        steepest.optim.MARS([{"params": params, "maximize": True}])


def test_unknown_keys_of_groups_are_refused_and_a_group_cannot_change_the_rule() -> None:
    params = [nn.Parameter(torch.zeros(2))]
    with pytest.raises(steepest.errors.UnknownName, match="'weigth_decay'"):
        steepest.optim.Adam([{"params": params, "weigth_decay": 0.1}])
    with pytest.raises(BadSetting, match="makes SGD a Momentum, but an optimizer has one rule"):
        steepest.optim.SGD([{"params": params, "momentum": 0.9}])


def test_classes_of_torch_that_are_none_here_say_why() -> None:
    for name in ("LBFGS", "SparseAdam"):
        with pytest.raises(AttributeError, match=rf"Use torch\.optim\.{name}\."):
            operator.attrgetter(name)(steepest.optim)
