"""Code for parameter groups is run, and gives the optimizer that was measured."""

import copy

import pytest
import torch
from torch import nn

from steepest.adapters.frameworks import code, own_code
from steepest.adapters.recommendation import Advice
from steepest.design.contenders import enter
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule
from steepest.engine.solo import RuleDriver
from steepest.errors import BadSetting
from steepest.optim.schedules import schedule
from steepest.records.contender import Contender

STEPS = 50
RATE = 0.01


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 2)).double()


X, Y = torch.linspace(-1, 1, 40).view(10, 4).double(), torch.arange(10) % 2
GROUPS = "vectors.weight_decay=0:3.lr_scale=2:LayerNorm.lr_scale=0.5:*.bias.lr_scale=3"


def gradients(model: nn.Module) -> None:
    model.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()


@pytest.mark.parametrize(
    "words",
    [
        f"adamw:weight_decay=0.1:{GROUPS}:0.betas=0.8/0.9:schedule=warmup-cosine",
        f"sgd:momentum=0.8:weight_decay=0.1:{GROUPS}:schedule=linear",
        f"adamw+clip-norm:weight_decay=0.1:max_norm=0.5:{GROUPS}",
        "adamw:norms.b1=0.8:3.b2=0.9",
        "lion:weight_decay=0.1:matrices.lr_scale=0.5:biases.weight_decay=0",
    ],
)
def test_the_code_follows_the_study(words):
    (contender,), _ = enter(words)
    text = code("torch", contender, RATE, horizon=STEPS)
    theirs, mine = network(), network()
    place = {"model": theirs}
    exec(text, place)
    optimizer, scheduler = place["optimizer"], place.get("scheduler")
    assert isinstance(optimizer, torch.optim.Optimizer)
    rule = EMPTY_REGISTRY.optimizer(contender)
    assert isinstance(rule, ConfiguredRule)
    driver, factor = RuleDriver(rule, mine, RATE), schedule(contender.schedule)
    for t in range(1, STEPS + 1):
        gradients(theirs)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        gradients(mine)
        driver.step(RATE * factor(t, STEPS), lambda *_: [])
    for p, q in zip(theirs.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)


def test_a_class_of_torch_is_used_where_it_has_the_groups():
    (plain, split), _ = enter("adamw:norms.b1=0.8:vectors.weight_decay=0,adamw:norms.b1=0.8:3.b2=0.9")
    assert "optimizer = torch.optim.AdamW(groups" in code("torch", plain, RATE)
    assert "own['betas'] = (0.8, 0.999)" in code("torch", plain, RATE)
    assert 'optimizer = build("adamw", groups' in code("torch", split, RATE)


@pytest.mark.parametrize("framework", ["keras", "optax"])
def test_other_frameworks_say_that_groups_are_left_out(framework):
    (contender,), _ = enter("adamw:vectors.weight_decay=0:3.lr_scale=2")
    assert "vectors, 3 had" in " ".join(code(framework, contender, RATE).replace("# ", "").split())
    assert "vectors, 3" in code(framework, contender, RATE)


def test_advice_builds_groups_from_the_model():
    settings = {"weight_decay": 0.1, "groups": "vectors.weight_decay=0:3.lr_scale=2"}
    advice = Advice("t", "mine", "adamw", RATE, "constant", settings, "")
    model = network()
    built = advice.build(model)
    values = {(group["lr"], group["weight_decay"]) for group in built.param_groups}
    assert values == {(RATE, 0.1), (RATE, 0.0), (2 * RATE, 0.1), (2 * RATE, 0.0)}
    with pytest.raises(BadSetting, match="Pass the model"):
        advice.build(model.parameters())


def test_the_code_of_one_s_own_optimizer_has_groups_too():
    settings = {"b": 0.5, "groups": "vectors.weight_decay=0"}
    what = Contender("mine", "torch:mine", 0.01, settings, schedule="linear")
    text = own_code("torch", "/some/mine.py:Own#0123", what, RATE, horizon=STEPS)
    assert "from mine import Own\n" in text
    assert "if p.ndim < 2:\n        own['weight_decay'] = 0.0" in text
    assert "optimizer = Own(groups, lr=0.01, b=0.5)\n" in text
    assert "LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=horizon)" in text


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside, self.wte, self.lm_head = nn.Linear(4, 4), nn.Embedding(2, 4), nn.Linear(4, 2, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, x):
        return self.lm_head(self.inside(x))


@pytest.mark.parametrize("framework", ["torch", "lightning", "transformers"])
@pytest.mark.parametrize(
    "group", ["lm_head.lr_scale=0.5", "lm_head.*.weight_decay=0.5", "embeddings.lr_scale=0.1", "Linear.lr_scale=2"]
)
def test_a_tied_weight_goes_by_all_of_its_names_in_the_code_too(framework, group):
    (contender,), _ = enter(f"adamw:{group}")
    torch.manual_seed(0)
    theirs = Tied().double()
    mine = copy.deepcopy(theirs)
    place = {"model": theirs}
    exec(code(framework, contender, RATE, horizon=STEPS), place)
    optimizer = place["configure_optimizers"](theirs) if framework == "lightning" else place["optimizer"]
    rule = EMPTY_REGISTRY.optimizer(contender)
    driver = RuleDriver(rule, mine, RATE)
    for _ in range(STEPS):
        gradients(theirs)
        optimizer.step()
        gradients(mine)
        driver.step(RATE, lambda *_: [])
    for p, q in zip(theirs.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
