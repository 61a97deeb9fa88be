"""Wrappers around rules: against torch's own tools, where they must do nothing, and wherever they are put."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from reference import problem
from reference.drive import drop_in_path, fleet_path, nudged
from torch import Tensor, nn

from steepest.adapters.torch import as_torch, build
from steepest.design.contenders import enter
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.optim.adam import Adam, AdamW
from steepest.optim.catalogue import contender, entry, settings_of
from steepest.optim.descent import SGD, Momentum
from steepest.optim.matrix import SOAP, Muon
from steepest.optim.modelwide import Prodigy
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.schedule_free import ScheduleFreeSGD
from steepest.optim.wrappers import WRAPPERS, unwrap, wrap

RATE = 0.03125
LIVELY = {
    "max_norm": 0.7,
    "max_value": 0.4,
    "l2": 0.1,
    "l1": 0.1,
    "decay": 0.1,
    "agreeing_decay": 0.1,
    "keep": 0.5,
    "look_every": 3.0,
    "floor": 9.0,
}
"""Settings with which every wrapper has something to do on the common problem."""


def path(rule: type[Rule], dtype: torch.dtype = torch.float64, **changed: Any) -> Tensor:
    known = hyperparameters(rule)
    settings = {**known, "lr": RATE, **{name: value for name, value in changed.items() if name in known}}
    return drop_in_path(rule, settings, dtype)


# ---- each against what it is elsewhere -------------------------------------------------------------------------------


def by_hand(change: Any, **settings: Any) -> Tensor:
    """torch's Adam, with the gradients or weights changed as a training script would."""
    parameters = [p.clone().requires_grad_() for p in problem.split(torch.tensor(problem.START, dtype=torch.float64))]
    optimizer = torch.optim.Adam(parameters, lr=RATE, foreach=False, **settings)
    places = []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        optimizer.param_groups[0]["lr"] = eta
        for p, g in zip(parameters, problem.split(problem.gradient(t, problem.joined(parameters))), strict=True):
            p.grad = g
        change(parameters)
        optimizer.step()
        places.append(problem.joined(parameters))
    return torch.stack(places)


def adaptive_clip(parameters: list[Tensor]) -> None:
    """Brock et al. 2021, equation 3, one unit after the other."""
    for p in parameters:
        assert p.grad is not None
        units = zip(p.detach(), p.grad, strict=True) if p.ndim > 1 else [(p.detach(), p.grad)]
        for w, g in units:
            largest = 0.01 * max(w.norm().item(), 1e-3)
            if g.norm().item() > largest:
                g *= largest / g.norm().item()


def centralise(parameters: list[Tensor]) -> None:
    for p in parameters:
        assert p.grad is not None
        if p.ndim > 1:
            for unit in p.grad:
                unit -= unit.mean()


@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [
        ("l2", {"l2": 0.1}, by_hand(lambda parameters: None, weight_decay=0.1)),
        ("clip-norm", {"max_norm": 0.7}, by_hand(lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.7))),
        ("clip-value", {"max_value": 0.4}, by_hand(lambda parameters: nn.utils.clip_grad_value_(parameters, 0.4))),
        ("agc", {}, by_hand(adaptive_clip)),
        ("centralise", {}, by_hand(centralise)),
        ("decay", {"decay": 0.1}, path(AdamW, weight_decay=0.1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrapper_does_what_training_scripts_do_by_hand(name: str, settings: Any, theirs: Tensor) -> None:
    ours = path(wrap(Adam, name), **settings)
    assert problem.deviation(ours, theirs) <= problem.TOLERANCE
    assert problem.deviation(ours, path(Adam)) > 1e-3


def test_an_l1_penalty_pulls_every_weight_to_zero_by_the_same_amount() -> None:
    def signs(parameters: list[Tensor]) -> None:
        for p in parameters:
            assert p.grad is not None
            p.grad += 0.1 * p.detach().sign()

    assert problem.deviation(path(wrap(Adam, "l1"), l1=0.1), by_hand(signs)) <= problem.TOLERANCE


def test_cautious_steps_are_the_rule_s_own_where_it_agrees_with_the_gradient_and_none_elsewhere() -> None:
    """Liang et al. 2024, Algorithm 1: u ← u∘φ·d/(|φ| + …), one parameter tensor at a time."""
    w = problem.split(torch.tensor(problem.START, dtype=torch.float64))
    v = [torch.zeros_like(x) for x in w]
    expected = []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        gradients = problem.split(problem.gradient(t, problem.joined(w)))
        for i, g in enumerate(gradients):
            v[i] = 0.9 * v[i] + g
            agrees = (v[i] * g > 0).double()
            w[i] = w[i] - eta * v[i] * agrees / max(agrees.mean().item(), 1e-3)
        expected.append(problem.joined(w))
    assert problem.deviation(path(wrap(Momentum, "cautious")), torch.stack(expected)) <= problem.TOLERANCE


def test_the_authors_cautious_adamw_decays_without_the_mask() -> None:
    """Their C-AdamW: w ← (1 − ηλ)w, and then Adam's step where it agrees with the gradient."""
    decay = 0.1
    w = problem.split(torch.tensor(problem.START, dtype=torch.float64))
    m, v = ([torch.zeros_like(x) for x in w] for _ in range(2))
    expected = []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        for i, g in enumerate(problem.split(problem.gradient(t, problem.joined(w)))):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g**2
            u = m[i] / (1 - 0.9**t) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8)
            agrees = (m[i] * g > 0).double()
            w[i] = w[i] * (1 - eta * decay) - eta * u * agrees / max(agrees.mean().item(), 1e-3)
        expected.append(problem.joined(w))
    assert problem.deviation(path(wrap(Adam, "cautious", "decay"), decay=decay), torch.stack(expected)) < 1e-12
    assert problem.deviation(path(wrap(AdamW, "cautious"), weight_decay=decay), torch.stack(expected)) > 1e-3


def after_adam(change: Any) -> Tensor:
    """Adam from its formulas, whose steps u, at the rate η, `change(w, u, η)` turns into new weights."""
    w = problem.split(torch.tensor(problem.START, dtype=torch.float64))
    m, v = ([torch.zeros_like(x) for x in w] for _ in range(2))
    places = []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        for i, g in enumerate(problem.split(problem.gradient(t, problem.joined(w)))):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g**2
            w[i] = change(w[i], m[i] / (1 - 0.9**t) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8), eta)
        places.append(problem.joined(w))
    return torch.stack(places)


def test_cautious_decay_shrinks_only_weights_that_the_step_takes_towards_zero() -> None:
    """Chen et al. 2025, Algorithm 1: x ← x − η(u + λ·𝕀(ux ≥ 0)·x)."""
    expected = after_adam(lambda w, u, eta: w - eta * (u + 0.1 * (u * w >= 0).double() * w))
    found = path(wrap(Adam, "cautious-decay"), agreeing_decay=0.1)
    assert problem.deviation(found, expected) <= problem.TOLERANCE
    assert problem.deviation(found, path(AdamW, weight_decay=0.1)) > 1e-3


def test_hyperball_takes_steps_of_a_relative_length_and_keeps_that_of_the_weights() -> None:
    """Wen et al. 2025: W ← Norm(W − η·Norm(u)·‖W₀‖)·‖W₀‖ for matrices, and Adam for vectors."""
    starts = iter(problem.split(torch.tensor(problem.START, dtype=torch.float64)))
    first = {tuple(x.shape): x.norm() for x in starts}

    def change(w: Tensor, u: Tensor, eta: float) -> Tensor:
        if w.ndim < 2:
            return w - eta * u
        moved = w - eta * u / u.norm() * first[tuple(w.shape)]
        return moved / moved.norm() * first[tuple(w.shape)]

    found = path(wrap(Adam, "hyperball"))
    assert problem.deviation(found, after_adam(change)) <= problem.TOLERANCE
    lengths = [part.norm() for part in problem.split(found[-1]) if part.ndim > 1]
    assert torch.allclose(torch.stack(lengths), torch.stack([first[(7, 3)], first[(2, 3, 4)]]), rtol=1e-13)


def test_cautious_gradient_descent_is_gradient_descent_bit_for_bit_since_it_always_agrees() -> None:
    assert torch.equal(path(wrap(SGD, "cautious")), path(SGD))


def test_lookahead_goes_half_way_back_every_few_steps() -> None:
    """Zhang et al. 2019, Algorithm 1, with momentum as the inner optimizer."""
    fast = slow = torch.tensor(problem.START, dtype=torch.float64)
    v, expected = torch.zeros_like(fast), []
    for t, eta in enumerate(problem.rates(RATE), start=1):
        v = 0.9 * v + problem.gradient(t, fast)
        fast = fast - eta * v
        if t % 3 == 0:
            slow = slow + 0.5 * (fast - slow)
            fast = slow
        expected.append(fast)
    ours = path(wrap(Momentum, "lookahead"), look_every=3.0)
    assert problem.deviation(ours, torch.stack(expected)) <= problem.TOLERANCE


# ---- where they must do nothing --------------------------------------------------------------------------------------

NOTHING: dict[str, dict[str, float]] = {
    "l2": {"l2": 0.0},
    "l1": {"l1": 0.0},
    "decay": {"decay": 0.0},
    "clip-value": {"max_value": 1e9},
    "clip-norm": {"max_norm": 1e9},
    "agc": {"max_ratio": 1e12},
    "sam": {"radius": 0.0},
    "lookahead": {"look_every": 1e9},
    "ema": {},
    "average": {},
}


@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("rule", [Adam, Prodigy, Muon])
def test_a_wrapper_that_has_nothing_to_do_leaves_every_bit_of_the_path(rule: type[Rule], name: str) -> None:
    assert torch.equal(path(wrap(rule, name), **NOTHING[name]), path(rule))


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_hyperparameter_of_a_wrapper_matters(name: str) -> None:
    rule = wrap(Adam, name)
    own = set(hyperparameters(rule)) - set(hyperparameters(Adam))
    settings = {**hyperparameters(rule), "lr": RATE, **{key: LIVELY[key] for key in own & set(LIVELY)}}
    if name in ("ema", "average"):  # they are seen in evaluation only
        assert evaluated_after(rule, settings) != evaluated_after(rule, {**settings, own.pop(): 0.3})
        return
    for key in own:
        change = problem.deviation(
            drop_in_path(rule, nudged(rule, settings, key, 0.9), torch.float64),
            drop_in_path(rule, settings, torch.float64),
        )
        assert change >= 100 * problem.TOLERANCE, key


# ---- around any rule, in fleets and alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, kind in WRAPPERS.items() if not kind.second])
@pytest.mark.parametrize("rule", [Adam, ScheduleFreeSGD, Prodigy, Muon])
def test_a_wrapped_replica_is_the_wrapped_drop_in(rule: type[Rule], name: str) -> None:
    both = wrap(rule, name)
    known = hyperparameters(both)
    settings = {**known, "lr": RATE, **{key: value for key, value in LIVELY.items() if key in known}}
    replicas = [settings, {**settings, "lr": 3 * RATE}]
    fleet = fleet_path(both, replicas, torch.float64)
    for i, own in enumerate(replicas):
        alone = drop_in_path(both, own, torch.float64)
        assert torch.equal(fleet[:, i], alone) or problem.deviation(fleet[:, i], alone) <= problem.TOLERANCE


def test_wrappers_of_every_reach_can_be_stacked() -> None:
    """The whole model, one tensor, one element, around matrices: each sees what it must."""
    rule = wrap(SOAP, "l2", "clip-norm", "lookahead", "cautious", "ema")
    settings = {**hyperparameters(rule), "lr": RATE, "max_norm": 0.7, "look_every": 3.0}
    fleet = fleet_path(rule, [{**settings, "lr": 0.1}, settings], torch.float64)
    assert problem.deviation(fleet[:, 1], drop_in_path(rule, settings, torch.float64)) < 1e-9
    assert rule.__name__ == "SOAPCoupledL2ClipNormLookaheadCautiousMovingAverage"


def test_the_last_wrapper_is_the_outermost() -> None:
    penalty_unclipped = path(wrap(SGD, "l2", "clip-norm"), l2=1.0, max_norm=0.1)
    penalty_clipped = path(wrap(SGD, "clip-norm", "l2"), l2=1.0, max_norm=0.1)
    first = problem.gradient(1, torch.tensor(problem.START, dtype=torch.float64))
    start = torch.tensor(problem.START, dtype=torch.float64)
    clipped = first * 0.1 / (first.norm() + 1e-6)
    assert torch.allclose(penalty_unclipped[0], start - RATE * (clipped + start), rtol=1e-14)
    total = first + start
    assert torch.allclose(penalty_clipped[0], start - RATE * total * 0.1 / (total.norm() + 1e-6), rtol=1e-14)


# ---- where to evaluate -----------------------------------------------------------------------------------------------


def evaluated_after(rule: type[Rule], settings: dict[str, Any], steps: int = 5) -> list[float]:
    model = nn.Linear(3, 2, dtype=torch.float64)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.linspace(-1, 1, p.numel(), dtype=torch.float64).view_as(p))
    optimizer = as_torch(rule)(model.parameters(), **settings)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 3, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    with optimizer.evaluating():
        return torch.cat([p.detach().ravel() for p in model.parameters()]).tolist()


def trained(name: str, average: Any = None) -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer: Any = build(name, model.parameters(), lr=0.05)
    beside = average and average(model)
    for k in range(12):
        step(model, optimizer, k)
        if beside:
            beside.update_parameters(model)
    return model, optimizer, beside


def step(model: nn.Module, optimizer: torch.optim.Optimizer, k: int) -> None:
    x = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3) * (k + 1)
    optimizer.zero_grad()
    (model(x) - 1).square().mean().backward()
    optimizer.step()


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().ravel() for p in model.parameters()])


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adam+ema", {"multi_avg_fn": torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)}),
        ("adam+average", {"avg_fn": lambda mean, w, n: mean + 9 / (n + 1 + 8) * (w - mean)}),
    ],
)
def test_averages_are_those_that_torch_keeps_beside_a_model(name: str, settings: Any) -> None:
    model, optimizer, beside = trained(name, lambda model: torch.optim.swa_utils.AveragedModel(model, **settings))
    before = weights(model)
    with optimizer.evaluating():  # type: ignore[attr-defined]
        assert torch.allclose(weights(model), weights(beside.module), rtol=1e-13)
        assert not torch.allclose(weights(model), before)
    assert torch.equal(weights(model), before)


def test_a_step_at_the_weights_for_evaluation_is_refused_in_one_sentence() -> None:
    model, optimizer, _ = trained("adam+ema")
    optimizer.eval()  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match=r"Call optimizer\.train\(\) before the gradient is computed"):
        step(model, optimizer, 0)


@pytest.mark.parametrize("name", ["adam+ema", "schedule-free-sgd", "adam"])
def test_looking_at_the_weights_for_evaluation_changes_no_bit_of_the_training(name: str) -> None:
    undisturbed, other, _ = trained(name)
    looked_at, optimizer, _ = trained(name)
    for k in range(5):
        optimizer.eval()  # type: ignore[attr-defined]
        optimizer.eval()  # type: ignore[attr-defined]
        optimizer.train()  # type: ignore[attr-defined]
        step(looked_at, optimizer, k)
        step(undisturbed, other, k)
    assert torch.equal(weights(looked_at), weights(undisturbed))


def test_an_optimizer_that_follows_its_model_is_never_forgotten() -> None:
    model, optimizer, _ = trained("adam+ema")
    optimizer.follow(model)  # type: ignore[attr-defined]
    x = torch.ones(2, 3, dtype=torch.float64)
    at_w = model.train()(x)
    at_average = model.eval()(x)
    assert not torch.allclose(at_w, at_average)
    with pytest.raises(BadInput, match="The parameters hold the evaluation weights"):
        step(model, optimizer, 0)
    model.train()
    step(model, optimizer, 0)
    assert not torch.allclose(model.eval()(x), at_average)


def test_a_state_saved_in_evaluation_goes_on_where_training_was() -> None:
    model, optimizer, _ = trained("adam+ema")
    optimizer.eval()  # type: ignore[attr-defined]
    again = copy.deepcopy(model)
    resumed: Any = build("adam+ema", again.parameters(), lr=0.05)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.train()  # type: ignore[attr-defined]
    resumed.train()
    step(model, optimizer, 0)
    step(again, resumed, 0)
    assert torch.equal(weights(again), weights(model))


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_wrapped_optimizer_is_asked_for_by_name_with_its_settings() -> None:
    (found,), _ = enter("sgd+clip-norm:max_norm=0.5")
    assert (found.rule, found.settings, found.centre) == ("sgd+clip-norm", {"max_norm": 0.5}, entry("sgd").centre)
    item = entry("adam+cautious+ema")
    assert (item.name, item.title) == ("adam+cautious+ema", "Adam + cautious + moving average")
    assert settings_of(item)["keep"] == 0.99
    assert contender("adam+ema", keep=0.5).rule == "adam+ema"


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_says_what_it_does_and_where_it_is_from(name: str) -> None:
    item = entry(f"adamw+{name}")
    kind = WRAPPERS[name]
    assert item.summary.endswith(f"; {kind.sentence}.")
    assert kind.formula in item.formula
    assert kind.source[-4:].isdigit()


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("adam+cautius", UnknownName, "Unknown wrapper 'cautius'. Did you mean cautious"),
        ("adam+l2+l2", BadSetting, "CoupledL2 cannot be put around AdamCoupledL2: both have l2."),
        ("adam+centralise+centralise", BadSetting, "Centralise cannot be put around AdamCentralise a second time."),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_one_sentence(name: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as refused:
        entry(name)
    assert str(refused.value).startswith(sentence)


def test_a_wrapper_checks_its_settings_as_a_rule_does() -> None:
    with pytest.raises(BadSetting, match="SGDClipNorm: max_norm is 0; it must be a number above 0"):
        contender("sgd+clip-norm", max_norm=0.0)


def test_a_wrapped_rule_is_one_class_and_can_be_taken_apart_and_pickled() -> None:
    rule = wrap(Adam, "cautious", "ema")
    assert wrap(wrap(Adam, "cautious"), "ema") is rule
    assert unwrap(rule) == (Adam, ["cautious", "ema"])
    _, optimizer, _ = trained("adam+cautious+ema")
    assert type(pickle.loads(pickle.dumps(optimizer))) is type(optimizer)
