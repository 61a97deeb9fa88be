"""Parameter groups: whoever trains them, the parameters have their own settings, as in torch."""

from dataclasses import replace

import pytest
import torch

from steepest.engine import fleet, solo
from steepest.engine.object_registry import EMPTY_REGISTRY, ExternalOptimizer, ObjectRegistry
from steepest.engine.own_optimizers import built
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.optim.parameter_groups import ParameterFacts, ParameterGroup, facts_of, gathered, parted, text_of
from steepest.records.contender import TORCH_IN_MEMORY, Contender
from tests.engine.small import KINDS, Tied, shard

ATTENTION = next(kind for kind in KINDS if kind.name == "attention")
GROUPS = "vectors.weight_decay=0:norms.lr_scale=0.5:out.lr_scale=2"
STEPS = 8


@pytest.fixture(scope="module")
def task():
    return ATTENTION.task()


def grouped(name: str, groups: str = GROUPS, **choices):
    made = shard(name, dtype="float64", steps=STEPS, seeds=(0,), schedule="warmup-cosine", **choices)
    return replace(made, contender=replace(made.contender, settings={"weight_decay": 0.1, "groups": groups}))


def trained_alone(task, made, lane, registry=EMPTY_REGISTRY) -> torch.Tensor:
    trial = solo.Trial(task, made, lane, registry)
    for t in range(1, STEPS + 1):
        trial.step(t)
    return torch.cat([p.detach().flatten() for p in trial.model.parameters()])


COMPILED = {"compiled": ("update", "gradient")}
CASES = [(name, {}) for name in ("adamw+clip-norm", "muon", "lamb", "momentum+ema", "nadam")]
CASES += [pytest.param(name, COMPILED, marks=pytest.mark.compile) for name in ("adamw+clip-norm", "muon")]


@pytest.mark.parametrize(("name", "choices"), CASES)
def test_a_fleet_and_a_plain_loop_agree(name, choices, task):
    made = grouped(name, **choices)
    lanes = fleet.Fleet(task, made, made.lanes)
    lanes.train(0, STEPS)
    assert not lanes.refused
    alone = torch.stack([trained_alone(task, made, lane) for lane in made.lanes])
    torch.testing.assert_close(lanes.flat, alone, rtol=0, atol=1e-9)


def test_it_is_what_torch_does_with_groups(task):
    """The same optimizer as a factory, with groups made by torch's own means."""

    def own(model, lr=1e-3):
        groups = []
        for name, p in model.named_parameters():
            scale = 0.5 if "norm" in name else 2.0 if name.startswith("out") else 1.0
            groups.append({"params": [p], "lr": lr * scale, "weight_decay": 0.1 if p.ndim > 1 else 0.0})
        return torch.optim.AdamW(groups, lr=lr)

    made = grouped("adamw")
    theirs = replace(made, contender=Contender("own", TORCH_IN_MEMORY + "own", 1e-3, schedule="warmup-cosine"))
    plain = replace(theirs, contender=replace(made.contender, rule=TORCH_IN_MEMORY + "plain"))
    registry = ObjectRegistry(optimizers={"own": own, "plain": torch.optim.AdamW})
    for lane in made.lanes:
        ours = trained_alone(task, made, lane)
        for other in (theirs, plain):
            torch.testing.assert_close(trained_alone(task, other, lane, registry), ours, rtol=0, atol=1e-12)


# ---- selectors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        ("matrices", {"0.weight"}),
        ("vectors", {"0.bias", "1.weight", "1.bias"}),
        ("biases", {"0.bias", "1.bias"}),
        ("norms", {"1.weight", "1.bias"}),
        ("LayerNorm", {"1.weight", "1.bias"}),
        ("0", {"0.weight", "0.bias"}),
        ("*.weight", {"0.weight", "1.weight"}),
        ("embeddings", set()),
    ],
)
def test_selectors(selector, held):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    assert {p.names[0] for p in facts_of(model) if ParameterGroup(selector, {}).holds(p)} == held


def test_a_tied_weight_goes_by_all_of_its_names():
    tied = facts_of(Tied())[0]
    assert tied == ParameterFacts(("code.weight", "also.weight"), (8, 64), frozenset({"Linear"}))
    assert ParameterGroup("also", {}).holds(tied)


def test_the_last_group_counts_and_order_is_kept():
    text = text_of({"vectors": {"weight_decay": 0.0}, "head.*": {"lr_scale": 10, "weight_decay": 0.5}})
    assert text == "vectors.weight_decay=0:head.*.lr_scale=10:head.*.weight_decay=0.5"
    assert gathered({"b2": 0.9, "vectors.weight_decay": 0.0}) == {"b2": 0.9, "groups": "vectors.weight_decay=0"}
    own, groups = parted({"b2": 0.9, "groups": text})
    assert own == {"b2": 0.9}
    assert [(each.selector, dict(each.settings)) for each in groups] == [
        ("vectors", {"weight_decay": 0.0}),
        ("head.*", {"lr_scale": 10.0}),
        ("head.*", {"weight_decay": 0.5}),
    ]


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "error", "said"),
    [
        ("vectors.speed=1", UnknownName, "setting in the group vectors"),
        ("vectors.lr=0.1", BadSetting, "vectors.lr_scale=0.1"),
        ("vectors.lr_scale=fast", BadSetting, "at least 0"),
        ("vectors.weight_decay=-1", BadSetting, "weight_decay is -1"),
        ("vectors", BadSetting, "not a parameter group"),
        ("heads.lr_scale=2", BadSetting, "No parameter of the model belongs to the group 'heads'"),
    ],
)
def test_bad_groups(groups, error, said, task):
    with pytest.raises(error, match=said):
        made = grouped("adamw", groups)
        fleet.Fleet(task, made, made.lanes)


def test_a_setting_that_belongs_to_the_whole_model_cannot_differ(task):
    made = grouped("prodigy", "out.b2=0.9")
    lanes = fleet.Fleet(task, made, made.lanes)
    with pytest.raises(BadInput, match="for all parameters"):
        lanes.train(0, 1)


def test_factories_refuse_what_they_would_ignore():
    model = torch.nn.Linear(3, 2)
    unknown = ExternalOptimizer(torch.optim.SGD, {}, [ParameterGroup("biases", {"decay": 0.0})])
    with pytest.raises(BadSetting, match="SGD has no setting 'decay'"):
        built(unknown, model, 0.1)
    of_model = ExternalOptimizer(lambda model, lr=1: None, {}, [ParameterGroup("biases", {"weight_decay": 0.0})])  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match="makes its own groups"):
        built(of_model, model, 0.1)


def test_a_factory_may_take_names_or_fix_its_rate():
    def of_names(named_parameters, lr):
        return torch.optim.SGD([{"params": [p], "lr": lr * (1 + ("bias" in name))} for name, p in named_parameters], lr)

    model = torch.nn.Linear(3, 2)
    driver = solo.ExternalDriver(built(ExternalOptimizer(of_names, {}), model, 0.25), 0.25)
    assert driver.scales == [1.0, 2.0]
    fixed = ExternalOptimizer(lambda params: torch.optim.SGD(params, lr=3e-4), {})
    assert solo.ExternalDriver(built(fixed, model, 0.25), 0.25).scales == [1.0]
