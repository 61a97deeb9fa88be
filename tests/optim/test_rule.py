"""The contract of a rule: exact primitives, settings that are checked, and an update that one graph can serve."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.drive import RULES
from torch import Tensor

from steepest.adapters.torch import as_torch, build
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.optim.drivers import fresh, fresh_fleet
from steepest.optim.elementwise import SGD, Adam, Momentum, RMSPropMomentum
from steepest.optim.rule import (
    Rule,
    add_product,
    add_quotient,
    add_scaled,
    at_rate,
    check_settings,
    coefficient_record,
    describe_hyperparameters,
    hyperparameters,
    lerp,
    number,
    rate,
    scale,
    shift,
    state_record,
)
from steepest.optim.wrappers import wrap

# ---- primitives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@settings(deadline=None)
@given(seed=st.integers(0, 10_000), c=st.floats(-2, 2), columns=st.integers(1, 40))
def test_primitives_give_the_bits_of_torch_s_in_place_calls(
    dtype: torch.dtype, seed: int, c: float, columns: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    a, x, y = (torch.randn(3, columns, generator=draw, dtype=dtype) for _ in range(3))
    w = abs(c) / 2
    per_row = torch.tensor([[c], [c], [c]], dtype=torch.float64).to(dtype)  # [3, 1]
    for k in (c, per_row):
        assert torch.equal(lerp(a, x, abs(k) / 2), a.clone().lerp_(x, w))
        assert torch.equal(shift(a, k), a.clone().add_(c))
        assert torch.equal(scale(a, k), a.clone().mul_(c))
        assert torch.equal(add_scaled(a, x, k), a.clone().add_(x, alpha=c))
        assert torch.equal(add_product(a, x, y, k), a.clone().addcmul_(x, y, value=c))
        assert torch.equal(add_quotient(a, x, y, k), a.clone().addcdiv_(x, y, value=c))


def test_a_scalar_that_changes_nothing_costs_nothing() -> None:
    a, b = torch.ones(2), torch.ones(2)
    assert shift(a, 0.0) is a
    assert scale(a, 1.0) is a
    assert add_scaled(a, b, 0.0) is a


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "settings", "sentence"),
    [
        (SGD, {"lr": -0.1}, "SGD: lr is -0.1; it must be a number at least 0."),
        (SGD, {"lr": math.nan}, "SGD: lr is nan; it must be a number at least 0."),
        (SGD, {"lr": math.inf}, "SGD: lr is inf; it must be a number at least 0."),
        (SGD, {"lr": "fast"}, "SGD: lr is 'fast'; it must be a number at least 0."),
        (SGD, {"lr": True}, "SGD: lr is True; it must be a number at least 0."),
        (Adam, {"b1": 1.0}, "Adam: b1 is 1; it must be a number at least 0 and below 1."),
        (Adam, {"correction": "half"}, "Adam: correction is 'half'; it must be one of both, none, printed."),
        (RMSPropMomentum, {"centred": 1}, "RMSPropMomentum: centred is 1; it must be one of False, True."),
        (Momentum, {"momentun": 0.9}, "Unknown hyperparameter of Momentum 'momentun'. Did you mean momentum?"),
    ],
)
def test_a_bad_setting_is_refused_in_one_clear_sentence(rule: type[Rule], settings: Any, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_settings(rule, settings)
    assert str(refused.value) == sentence


def test_a_rule_is_checked_as_it_is_made() -> None:
    assert Adam(b1=0.5).b2 == 0.999
    with pytest.raises(BadSetting, match="Adam: b1 is -1"):
        Adam(b1=-1.0)


LIMIT = re.compile(r"(at least|above|below) (\S+)")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@settings(deadline=None)
@given(value=st.floats(allow_nan=True))
def test_a_number_is_taken_exactly_if_it_is_in_the_range_that_pages_state(rule: type[Rule], value: float) -> None:
    for row in describe_hyperparameters(rule):
        if isinstance(row["default"], float):
            within = math.isfinite(value) and all(
                {"at least": value >= limit, "above": value > limit, "below": value < limit}[word]
                for word, limit in ((word, float(limit)) for word, limit in LIMIT.findall(str(row["allowed"])))
            )
            try:
                check_settings(rule, {row["name"]: value})
            except BadSetting:
                assert not within
            else:
                assert within


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rate_comes_first_and_every_hyperparameter_says_what_it_means(rule: type[Rule]) -> None:
    rows = describe_hyperparameters(rule)
    assert rows[0]["name"] == "lr"
    for row in rows:
        assert row["meaning"], row["name"]
        assert row["symbol"] or "one of" in str(row["allowed"]), row["name"]
    check_settings(rule, hyperparameters(rule))


def test_a_rule_of_one_s_own_needs_no_more_than_plain_fields() -> None:
    @dataclass(frozen=True)
    class Sign(Rule):
        lr: float = 1e-2
        keep: float = number(0.5, above=0)
        state: ClassVar[tuple[str, ...]] = ("m",)

        @staticmethod
        def coefficients(h: Any, t: int) -> dict[str, float]:
            return {"keep": h.keep, "step": -h.lr}

        @staticmethod
        def update(w: Tensor, g: Tensor, s: Any, c: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
            m = s.m * c.keep + g
            return add_scaled(w, m.sign(), c.step), (m,)

    w = torch.ones(2, requires_grad=True)
    w.grad = torch.tensor([3.0, -2.0])
    build(Sign, [w], lr=0.25).step()
    assert w.tolist() == [0.75, 1.25]
    with pytest.raises(BadSetting, match="Sign: keep is 0; it must be a number above 0"):
        build(Sign, [w], keep=0.0)
    with pytest.raises(BadSetting, match="Sign: lr is nan; it must be a finite number"):
        build(Sign, [w], lr=math.nan)


def test_a_hyperparameter_out_of_reach_is_named_with_its_neighbours() -> None:
    with pytest.raises(UnknownName, match=r"hyperparameter of Adam 'beta1'.*b1"):
        check_settings(Adam, {"beta1": 0.9})


# ---- one graph -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_one_graph_serves_every_step_and_every_setting(rule: type[Rule]) -> None:
    """Traced whole, without a branch on a tensor, and never again: only tensors reach the update."""
    torch._dynamo.reset()
    graphs = []

    def count(graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    update = torch.compile(rule.update, fullgraph=True, backend=count)
    h = hyperparameters(rule)
    w = torch.ones(2, 5)  # [R, P], or a parameter of one model
    alone = rule.scope in ("tensor", "matrix")
    start = at_rate(rule, h, 0.1)
    state = fresh(rule, start, w) if alone else fresh_fleet(rule, [[start, start]], ((5,),), w)
    carries = [dict(rule.carry) for _ in range(2)]
    for t in range(1, 6):
        changed = {name: value * 0.9 if isinstance(value, float) else value for name, value in h.items()}
        scalars = [
            rule.advance(at_rate(rule, s, 0.1 / t), t, carry) for s, carry in zip((h, changed), carries, strict=True)
        ]
        c = {name: torch.tensor([[s[name]] for s in scalars]) for name in scalars[0]}
        if alone:
            c = {name: value[0, 0] for name, value in c.items()}
        w, state = update(w, torch.full((2, 5), 0.3), state_record(rule, state), coefficient_record(c))
    assert len(graphs) == 1


def test_a_rule_may_be_written_with_static_functions_of_its_hyperparameters() -> None:
    @dataclass(frozen=True)
    class Heavy(Rule):
        lr: float = rate(0.5)
        b1: float = number(0.5, low=0, below=1)
        state = ("m",)
        carry: ClassVar = {"steps": 0.0}

        @classmethod
        def advance(cls, h: Any, t: int, carry: dict[str, float]) -> dict[str, float]:
            carry["steps"] += 1
            return {"kept": h.b1, "step": -h.lr / carry["steps"]}

        @staticmethod
        def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Any:
            m = s.m * c.kept + g
            return add_scaled(w, m, c.step), (m,)

    @dataclass(frozen=True)
    class Plain(Rule):
        lr: float = rate(0.5)

        @staticmethod
        def coefficients(h: Any, t: int) -> dict[str, float]:
            return {"step": -h.lr}

        @staticmethod
        def update(w: Tensor, g: Tensor, s: Any, c: Any) -> Any:
            return add_scaled(w, g, c.step), ()

    def after_two_steps(rule: type[Rule]) -> float:
        w = torch.ones(1, requires_grad=True)
        optimizer = as_torch(rule)([w], compile=False)
        for _ in range(2):
            w.grad = torch.ones(1)
            optimizer.step()
        return w.item()

    assert after_two_steps(Plain) == 0.0  # 1 − ½ − ½
    assert after_two_steps(Heavy) == 1 - 0.5 * 1 - 0.25 * 1.5
    assert after_two_steps(wrap(Heavy, "l2")) == pytest.approx(
        1 - 0.5 * 1.0001 - 0.25 * (0.5 * 1.0001 + 1.00005), abs=1e-6
    )
