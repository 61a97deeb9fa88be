"""A run goes on across the fence: the `state_dict` of torch's own optimizers is taken, and given back in their form."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import steepest
from steepest.errors import BadInput

CASES = [
    *(("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True})),
    *(("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}), ("SGD", {"maximize": True, "momentum": 0.5})),
    *(("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1})),
    *(("RMSprop", {}), ("RMSprop", {"momentum": 0.9}), ("RMSprop", {"centered": True})),
    *(("RMSprop", {"momentum": 0.9, "centered": True}), ("Adam", {}), ("Adam", {"amsgrad": True, "betas": (0.8, 0.9)})),
    *(("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1}), ("AdamW", {}), ("AdamW", {"amsgrad": True})),
    *(("Adamax", {}), ("NAdam", {}), ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1})),
    *(("RAdam", {}), ("RAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}), ("Adadelta", {"rho": 0.8})),
    *(("ASGD", {}), ("ASGD", {"lambd": 0.1, "t0": 2}), ("Rprop", {"etas": (0.4, 1.3)}), ("Adafactor", {})),
    *(("Muon", {"adjust_lr_fn": None}), ("Muon", {"adjust_lr_fn": "match_rms_adamw", "nesterov": False})),
]
NONE_HERE = {"LBFGS", "SparseAdam", "Optimizer"}
STEPS = 6


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """In which torch also keeps its scalars: ASGD's rate and NAdam's product are rounded to the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Run:
    """Two parameters of one optimizer, and the gradients of a run."""

    def __init__(self, name: str) -> None:
        shapes = [(5, 4), (4, 3)] if name == "Muon" else [(5, 4), (3,)]
        draws = torch.Generator().manual_seed(1)
        self.params = [nn.Parameter(torch.randn(shape, generator=draws)) for shape in shapes]
        self.grads = [[torch.randn(shape, generator=draws) for shape in shapes] for _ in range(2 * STEPS)]

    def go(self, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
        for grads in self.grads[first:last]:
            for p, g in zip(self.params, grads, strict=True):
                p.grad = g.clone()
            optimizer.step()

    @property
    def end(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.params).detach()


def ours(name: str) -> Any:
    return getattr(steepest.optim, "MuonBfloat16" if name == "Muon" else name)


def theirs(name: str) -> Any:
    return getattr(torch.optim, name)


def test_every_class_of_torch_is_tried() -> None:
    kinds = {name for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    assert {name for name, _ in CASES} == kinds - NONE_HERE


@pytest.mark.parametrize("back", [False, True], ids=["from torch", "to torch"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_run_goes_on_in_the_other_class(name: str, arguments: dict[str, Any], back: bool) -> None:
    first, second = (ours, theirs) if back else (theirs, ours)
    whole = Run(name)
    whole.go(first(name)(whole.params, lr=0.02, **arguments), 0, 2 * STEPS)
    parted = Run(name)
    before = first(name)(parted.params, lr=0.02, **arguments)
    parted.go(before, 0, STEPS)
    after = second(name)(parted.params, lr=0.5)
    after.load_state_dict(deepcopy(before.torch_state_dict() if back else before.state_dict()))
    parted.go(after, STEPS, 2 * STEPS)
    assert torch.allclose(parted.end, whole.end, rtol=0, atol=1e-9)
    assert after.param_groups[0]["lr"] == 0.02


def test_a_state_before_the_first_step_and_labels_of_schedulers_are_kept() -> None:
    run, other = Run("Adagrad"), Run("Adagrad")
    before = torch.optim.Adagrad([{"params": run.params, "name": "all"}], lr=0.02, initial_accumulator_value=0.5)
    torch.optim.lr_scheduler.StepLR(before, 3)
    after = steepest.optim.Adagrad(other.params)
    after.load_state_dict(before.state_dict())
    assert {"name": "all", "initial_lr": 0.02, "initial_sum": 0.5}.items() <= after.param_groups[0].items()
    run.go(before, 0, STEPS)
    other.go(after, 0, STEPS)
    assert torch.equal(run.end, other.end)
    assert after.torch_state_dict()["param_groups"][0]["name"] == "all"


def test_a_group_may_be_added_afterwards_and_the_state_saved_and_loaded() -> None:
    run = Run("SGD")
    before = torch.optim.SGD(run.params, lr=0.02, momentum=0.9)
    run.go(before, 0, STEPS)
    after = steepest.optim.SGD(run.params, lr=0.5)
    after.load_state_dict(before.state_dict())
    after.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
    assert [group["momentum"] for group in after.param_groups] == [0.9, 0.9]
    again = steepest.optim.Momentum([{"params": run.params}, {"params": [nn.Parameter(torch.zeros(2))]}], lr=1.0)
    again.load_state_dict(after.state_dict())
    assert torch.equal(again.state[run.params[0]]["v"], before.state[run.params[0]]["momentum_buffer"])


def test_what_does_not_fit_is_refused_in_one_sentence_and_changes_nothing() -> None:
    run = Run("Adam")
    adam = torch.optim.Adam(run.params)
    run.go(adam, 0, 2)
    sgd = steepest.optim.SGD(run.params, lr=0.1)
    with pytest.raises(BadInput, match=r"has betas, which torch\.optim\.SGD has not"):
        sgd.load_state_dict(adam.state_dict())
    with pytest.raises(BadInput, match="has no class that does what Lion does"):
        steepest.optim.Lion(run.params, lr=0.1).load_state_dict(adam.state_dict())
    with pytest.raises(BadInput, match="has no class that does what Lion does"):
        steepest.optim.Lion(run.params, lr=0.1).torch_state_dict()
    groups = [{"params": run.params[:1], "momentum": 0.9}, {"params": run.params[1:]}]
    with pytest.raises(BadInput, match="an optimizer has one rule"):
        sgd.load_state_dict(torch.optim.SGD(groups, lr=0.1).state_dict())
    with pytest.raises(ValueError, match="different number of parameter groups"):
        sgd.load_state_dict(torch.optim.SGD([{"params": [p]} for p in run.params], lr=0.1, momentum=0.9).state_dict())
    assert type(sgd).__name__ == "SGD" and "momentum" not in sgd.param_groups[0]
    damaged = adam.state_dict()
    del damaged["state"][0]["exp_avg_sq"]
    with pytest.raises(BadInput, match="has no exp_avg_sq"):
        steepest.optim.Adam(run.params).load_state_dict(damaged)
    with pytest.raises(BadInput, match="cannot do what Adam does with these settings"):
        steepest.optim.Adam(run.params, eps_at="raw").torch_state_dict()
