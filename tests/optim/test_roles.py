"""Roles of parameters: how they are found, and that rules treat them alike in fleets, one by one and as drop-ins."""

from typing import Any

import pytest
import torch
from engine.small import digits, shard
from torch import Tensor, nn

from steepest.adapters.torch import build
from steepest.adapters.torch_code import code
from steepest.engine.fleet import Fleet
from steepest.engine.solo import Trial
from steepest.engine.task_roles import task_roles
from steepest.errors import BadInput, UnknownName
from steepest.optim.catalogue import CATALOGUE, entry
from steepest.optim.roles import by_role, by_roles, has_roles, roles_of
from steepest.optim.rule import hyperparameters
from steepest.records.trials import Lane


class GPT(nn.Module):
    """A transformer with the parts that matter here: tokens, positions, attention, norms and an output layer."""

    def __init__(self, is_tied: bool = False) -> None:
        super().__init__()
        self.tokens = nn.Embedding(20, 8)
        self.positions = nn.Parameter(torch.zeros(5, 8))
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)
        self.head = nn.Linear(8, 20, bias=False)
        if is_tied:
            self.head.weight = self.tokens.weight

    def forward(self, x: Tensor) -> dict[str, Any]:
        h = self.tokens(x) + self.positions
        q, k, v = self.qkv(self.norm(h)).chunk(3, dim=-1)
        h = h + self.out(torch.softmax(q @ k.mT, dim=-1) @ v)
        h = h + self.down(self.up(h).relu())
        return {"logits": self.head(self.norm(h)), "cache": None}


TOKENS = torch.randint(0, 20, (3, 5), generator=torch.Generator().manual_seed(0))


def matrices(model: nn.Module, *inputs: Tensor, **given: str) -> dict[str, str]:
    found = roles_of(model, inputs, given)
    return {name: found[name] for name, p in model.named_parameters() if p.ndim > 1}


def test_the_roles_of_a_transformer_are_found_from_its_graph() -> None:
    inner = dict.fromkeys(("qkv.weight", "out.weight", "up.weight", "down.weight"), "hidden")
    own = {"positions": "embedding", "tokens.weight": "embedding"}
    assert matrices(GPT(), TOKENS) == {**own, **inner, "head.weight": "output"}
    assert matrices(GPT(is_tied=True), TOKENS) == {**own, **inner, "tokens.weight": "output"}
    vectors = [role for name, role in roles_of(GPT(), (TOKENS,)).items() if "bias" in name or "norm" in name]
    assert set(vectors) == {"vector"}


def test_every_head_is_an_output_and_layers_that_lead_to_it_are_hidden() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
            self.first, self.second = nn.Linear(144, 3), nn.Linear(144, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
            h = self.body(x)
            return self.first(h).softmax(dim=-1), [self.second(h)]

    model, x = Heads(), torch.randn(2, 1, 8, 8)
    expected = {"body.0.weight": "hidden", "first.weight": "output", "second.weight": "output"}
    assert matrices(model, x) == expected
    assert all(module.training for module in model.modules())
    assert not model.body[1].num_batches_tracked


def test_recurrent_weights_are_hidden_and_an_only_layer_counts_as_hidden() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.body, self.head = nn.Embedding(20, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(self.embed(x))[0][:, -1])

    found = matrices(Recurrent(), TOKENS)
    assert found.pop("embed.weight") == "embedding"
    assert found.pop("head.weight") == "output"
    assert set(found.values()) == {"hidden"}
    assert matrices(nn.Linear(3, 2), torch.randn(2, 3)) == {"weight": "hidden"}


def test_roles_can_be_given_by_name_pattern_and_shape() -> None:
    assert matrices(GPT(), TOKENS, **{"up.*": "output"})["up.weight"] == "output"
    assert matrices(GPT(), TOKENS, **{"5x8": "hidden"})["positions"] == "hidden"
    with pytest.raises(UnknownName, match="role of a parameter"):
        roles_of(GPT(), (TOKENS,), {"up.*": "outputs"})
    with pytest.raises(UnknownName, match="role of a parameter"):
        by_role(GPT(), TOKENS, outputs={"lr": 1.0})
    with pytest.raises(BadInput, match="Pass a dict from names"):
        digits(roles=["output"])
    assert task_roles(digits(roles={"*": "hidden"}))[2] == "hidden"


def test_muon_moves_embeddings_and_outputs_as_its_fallback_does_unless_told_otherwise() -> None:
    def as_adam(**settings: Any) -> set[str]:
        """The matrices whose first step has the same length in every element that has a gradient."""
        torch.manual_seed(0)
        model = GPT()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer = build("muon", by_role(model, TOKENS), lr=0.01, weight_decay=0.0, **settings)
        model(TOKENS)["logits"].logsumexp(-1).mean().backward()
        optimizer.step()
        steps = {name: (p.detach() - before[name]).abs() for name, p in model.named_parameters() if p.ndim > 1}
        return {name for name, step in steps.items() if step[step > 1e-4].min() > 0.0099}

    assert as_adam() == {"tokens.weight", "positions", "head.weight"}
    assert as_adam(applies_to="matrices") == set()


def test_a_group_of_a_role_has_its_own_rate_and_a_wrong_role_is_refused() -> None:
    model = GPT()
    groups = by_role(model, TOKENS, embedding={"lr": 0.5})
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    optimizer = build("muon", groups, lr=0.01)
    assert {group["role"]: group["lr"] for group in optimizer.param_groups} == {
        "hidden": 0.01, "embedding": 0.5, "output": 0.01, "vector": 0.01,
    }  # fmt: skip
    with pytest.raises(UnknownName, match="role of a parameter"):
        build("muon", [{"params": list(model.parameters()), "role": "head"}])


def test_code_to_paste_finds_roles_for_rules_whose_shape_is_not_enough() -> None:
    finds = {item.name for item in CATALOGUE if "by_role(model, inputs)" in code(item, item.rate)}
    assert finds == {"muon", "muon-bfloat16", "normuon", "scion"}


@pytest.mark.parametrize("name", ["muon", "muon+clip-norm", "muon+cautious", "soap", "scion", "lamb"])
def test_a_fleet_one_trial_and_the_drop_in_take_the_same_steps(name: str) -> None:
    task = digits()
    plan = shard(name, rates=(0.01, 0.02), seeds=(0,), steps=6, dtype="float64")
    fleet = Fleet(task, plan, plan.lanes)
    fleet.train(0, 6)
    alone = Trial(task, plan, Lane(0.02, 0))
    for t in range(1, 7):
        alone.step(t)
    mine = torch.cat([p.detach().reshape(-1) for p in alone.model.parameters()])
    assert torch.allclose(fleet.flat[1], mine, rtol=0, atol=1e-9)

    again = Trial(task, plan, Lane(0.02, 0))  # for its model and its batches
    inputs, _ = task.batch(again.splits, again.splits.train[:2])
    optimizer = build(name, by_role(again.model, tuple(x.double() for x in inputs)), lr=0.02)

    class Driver:
        def step(self, rate: float, second: Any) -> None:
            optimizer.step()

    again.optimizer = Driver()  # type: ignore[assignment]
    for t in range(1, 7):
        again.step(t)
    theirs = torch.cat([p.detach().reshape(-1) for p in again.model.parameters()])
    assert torch.allclose(theirs, mine, rtol=0, atol=1e-9)


def test_a_rule_that_treats_all_matrices_is_the_rule_itself() -> None:
    rule = entry("muon").rule
    everything = {**hyperparameters(rule), "applies_to": "matrices"}
    assert by_roles(rule, ["hidden", "output", "vector"], [everything] * 3) is rule
    assert by_roles(rule, ["hidden", "output"], [hyperparameters(rule)] * 2).forms[1] is not rule
    assert not has_roles(entry("adam").rule)
