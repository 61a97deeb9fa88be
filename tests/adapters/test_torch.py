"""Rules as optimizers of torch: they must do all that a training script expects of `torch.optim`, on a real model."""

from __future__ import annotations

import copy
import inspect
import io
import operator
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import steepest
import steepest.adapters.torch as adapter
from steepest.adapters.torch import AdaGrad, Adam, Momentum, RuleOptimizer, as_torch, build
from steepest.adapters.torch_code import code
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.optim import elementwise
from steepest.optim.catalogue import CATALOGUE, contender, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.roles import by_role

each_entry = pytest.mark.parametrize("item", CATALOGUE, ids=operator.attrgetter("name"))
torch.set_num_threads(1)


def test_an_optimizer_is_found_by_its_name_among_the_rules_too():
    assert steepest.optim.Adam is Adam
    with pytest.raises(AttributeError, match="no attribute 'Adm'"):
        steepest.optim.Adm  # noqa: B018


def make_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def batch(k: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(k)
    x = torch.randn(8, 4, generator=draw)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def backward(model: nn.Module, k: int, optimizer: Any = None) -> Tensor:
    x, y = batch(k)
    logits = model(x)
    if isinstance(optimizer, RuleOptimizer):
        y = optimizer.targets(logits, y)
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    return loss


def step(model: nn.Module, optimizer: torch.optim.Optimizer, k: int, set_to_none: bool = True) -> Tensor:
    """One step as every optimizer takes it, also one that needs a second gradient."""

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none)
        return backward(model, k, optimizer)

    return optimizer.step(closure)  # type: ignore[arg-type, return-value]


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, steps: range, after: Callable[[], None] = lambda: None
) -> None:
    for k in steps:
        step(model, optimizer, k)
        after()


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def trained(build_optimizer: Callable[[Any], torch.optim.Optimizer], steps: int = 12) -> Tensor:
    model = make_model()
    train(model, build_optimizer(model.parameters()), range(steps))
    return weights(model)


# ---- classes ---------------------------------------------------------------------------------------------------------


@each_entry
def test_every_rule_has_a_class_of_its_name_with_signature_and_page(item: Entry) -> None:
    kind = getattr(adapter, item.rule.__name__)
    assert kind is as_torch(item.rule)
    assert issubclass(kind, torch.optim.Optimizer)
    assert item.rule.__name__ in dir(adapter)
    parameters = inspect.signature(kind).parameters
    assert list(parameters)[:2] == ["params", "lr"]
    for name, default in settings_of(item).items():
        if name != "lr" and name not in item.settings:
            assert parameters[name].default == default
        assert f"    {name}: " in (kind.__doc__ or "")


def test_a_class_that_no_rule_has_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="AdamX"):
        adapter.AdamX  # noqa: B018


@each_entry
def test_an_optimizer_learns(item: Entry) -> None:
    def ends(rate: float) -> tuple[float, float]:
        """First and last loss on one batch."""
        model = make_model()
        optimizer = build(item, model.parameters(), lr=rate)
        losses = [step(model, optimizer, 0).item() for _ in range(200)]
        return losses[0], losses[-1]

    assert any(after < 0.8 * before for before, after in (ends(item.centre), ends(item.centre * 10)))


def test_build_takes_a_name_an_entry_or_a_rule_and_the_rate_it_is_given() -> None:
    model = make_model()
    assert build("adam-printed", model.parameters()).defaults["correction"] == "printed"
    assert build("rmsprop-printed", model.parameters(), b2=0.5).defaults["b2"] == 0.5
    assert build(entry("sgd"), model.parameters()).defaults["lr"] == 1e-3
    assert build(elementwise.Adam, model.parameters(), 0.5).defaults["lr"] == 0.5
    assert Adam(model.parameters(), 0.25).defaults["lr"] == 0.25


def test_a_bad_setting_is_refused_wherever_it_comes_in() -> None:
    model = make_model()
    with pytest.raises(BadSetting, match=r"Adam: lr is -1; it must be a number at least 0\."):
        Adam(model.parameters(), lr=-1.0)
    with pytest.raises(UnknownName, match="hyperparameter of Adam 'beta1'"):
        Adam(model.parameters(), beta1=0.5)
    with pytest.raises(BadSetting, match="Adam: b2 is 1"):
        Adam([{"params": model.parameters(), "b2": 1.0}])
    with pytest.raises(UnknownName, match=r"Unknown optimizer 'adamm'\. Did you mean adam"):
        build("adamm", model.parameters())
    with pytest.raises(BadInput, match=r"3 is not an optimizer\. Pass its name"):
        build(3, model.parameters())  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=r"Adam: lr is a tensor of 2 numbers; it must be one number\."):
        Adam(model.parameters(), lr=torch.tensor([0.1, 0.2]))
    with pytest.raises(BadSetting, match=r"Adam: compile is 'yes'; it must be True, False or None\."):
        Adam(model.parameters(), compile="yes")  # type: ignore[arg-type]


# ---- what a training script expects ----------------------------------------------------------------------------------


def test_parameter_groups_have_settings_of_their_own() -> None:
    def grouped(kind: Any, first: dict[str, Any], second: dict[str, Any]) -> Tensor:
        model = make_model()
        one, _, two = model
        groups = [{"params": one.parameters(), **first}, {"params": two.parameters(), **second}]
        train(model, kind(groups, lr=0.1), range(12))
        return weights(model)

    theirs = grouped(torch.optim.Adam, {"betas": (0.5, 0.999)}, {"lr": 0.01, "weight_decay": 0.1})
    assert torch.equal(grouped(Adam, {"b1": 0.5}, {"lr": 0.01, "weight_decay": 0.1}), theirs)


def test_named_parameters_are_taken() -> None:
    model = make_model()
    optimizer = Adam(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"][0] == "0.weight"


def test_a_group_added_later_starts_at_its_own_first_step() -> None:
    def added(kind: Any) -> Tensor:
        model = make_model()
        optimizer = kind(model[2].parameters(), lr=0.05)
        train(model, optimizer, range(5))
        optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.02})
        train(model, optimizer, range(5, 12))
        return weights(model)

    assert torch.equal(added(Adam), added(torch.optim.Adam))


def test_a_parameter_without_gradient_keeps_its_place_and_its_step_count() -> None:
    def skipping(kind: Any) -> Tensor:
        model = make_model()
        optimizer = kind(model.parameters(), lr=0.05)
        for k in range(12):
            optimizer.zero_grad()
            backward(model, k)
            if k % 3 == 0:
                model[0].weight.grad = None
            before = model[0].weight.detach().clone()
            optimizer.step()
            assert torch.equal(model[0].weight, before) == (k % 3 == 0)
        return weights(model)

    assert torch.equal(skipping(Adam), skipping(torch.optim.Adam))


@each_entry
def test_gradients_are_read_only(item: Entry) -> None:
    model = make_model()
    numbers = {name: 0.1 for name in ("weight_decay", "dampening") if name in settings_of(item)}
    optimizer = build(item, model.parameters(), lr=0.1, **numbers)
    for k in range(3):
        before: list[tuple[Tensor, Tensor]] = []

        def closure(k: int = k, before: list[tuple[Tensor, Tensor]] = before) -> Tensor:
            loss = backward(model, k, optimizer)
            if not before:
                before += [(p.grad, p.grad.clone()) for p in model.parameters() if p.grad is not None]
            return loss

        optimizer.step(closure)
        for p, (kept, value) in zip(model.parameters(), before, strict=True):
            assert p.grad is kept
            assert torch.equal(kept, value)


@each_entry
def test_state_does_not_share_memory_with_gradients_that_are_zeroed_in_place(item: Entry) -> None:
    def end(set_to_none: bool) -> Tensor:
        model = make_model()
        optimizer = build(item, model.parameters(), lr=0.01)
        for k in range(4):
            step(model, optimizer, k, set_to_none)
        return weights(model)

    assert torch.equal(end(True), end(False))


def test_a_closure_is_called_with_gradients_on_and_its_loss_returned() -> None:
    model = make_model()
    optimizer = Momentum(model.parameters(), lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        return backward(model, 0)

    expected = nn.functional.cross_entropy(model(batch(0)[0]), batch(0)[1])
    assert optimizer.step(closure) == expected
    assert optimizer.step(closure) < expected


def test_schedulers_move_the_rate() -> None:
    def scheduled(kind: Any) -> Tensor:
        model = make_model()
        optimizer = kind(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
        train(model, optimizer, range(12), after=scheduler.step)
        return weights(model)

    assert torch.equal(scheduled(AdaGrad), scheduled(torch.optim.Adagrad))


def save_and_load(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@each_entry
def test_a_saved_state_goes_on_bit_for_bit(item: Entry) -> None:
    model, again = make_model(), make_model()
    optimizer = build(item, model.parameters(), lr=0.05)
    train(model, optimizer, range(5))
    again.load_state_dict(save_and_load(model.state_dict()))
    resumed = build(item, again.parameters(), lr=0.9)  # the rate comes back with the state
    resumed.load_state_dict(save_and_load(optimizer.state_dict()))
    train(model, optimizer, range(5, 10))
    train(again, resumed, range(5, 10))
    assert torch.equal(weights(again), weights(model))


def test_a_state_of_another_optimizer_is_refused() -> None:
    model = make_model()
    with pytest.raises(BadInput, match=r"This state has no b1, b2, .*: it was not saved by Adam\."):
        Adam(model.parameters()).load_state_dict(adapter.SGD(model.parameters()).state_dict())
    with pytest.raises(BadInput, match=r"This state has momentum, which torch\.optim\.Adam has not"):
        Adam(model.parameters()).load_state_dict(torch.optim.SGD(model.parameters()).state_dict())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@each_entry
def test_a_copy_or_a_pickle_goes_on_alone(item: Entry, duplicate: Callable[[Any], Any]) -> None:
    model = make_model()
    optimizer = build(item, model.parameters(), lr=0.05)
    train(model, optimizer, range(5))
    before = weights(model)
    other, copied = duplicate((model, optimizer))
    assert type(copied) is type(optimizer)
    train(other, copied, range(5, 10))
    assert torch.equal(weights(model), before)
    train(model, optimizer, range(5, 10))
    assert torch.equal(weights(other), weights(model))


def test_a_frozen_or_transposed_parameter_and_low_precision_are_taken() -> None:
    def end(kind: Any) -> Tensor:
        w = torch.linspace(-1, 1, 12).reshape(3, 4).t().requires_grad_()  # not contiguous
        half = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
        optimizer = kind([w, half], lr=0.1)
        for k in range(4):
            optimizer.zero_grad()
            ((w * k).sin().sum() + (half * k).square().sum()).backward()
            optimizer.step()
        assert half.dtype == torch.bfloat16
        return torch.cat([w.detach().reshape(-1), half.detach().float()])

    assert torch.equal(end(Adam), end(partial(torch.optim.Adam, foreach=False)))


# ---- code to paste ---------------------------------------------------------------------------------------------------


def run(text: str) -> dict[str, Any]:
    model = make_model()
    space: dict[str, Any] = {"model": model, "inputs": torch.zeros(2, next(model.parameters()).shape[1])}
    exec(compile(text, "pasted", "exec"), space)
    return space


@each_entry
@pytest.mark.parametrize("lively", [False, True], ids=["as in the catalogue", "with settings"])
def test_pasted_code_follows_the_same_path_bit_for_bit_unless_it_says_otherwise(item: Entry, lively: bool) -> None:
    taken = settings_of(item)
    choice = {"weight_decay": 0.1, "b1": 0.8, "momentum": 0.7, "initial_sum": 0.2} if lively else {}
    settings = {name: value for name, value in choice.items() if name in taken}
    text = code(item, 0.03, settings)
    space = run(text)
    train(space["model"], space["optimizer"], range(12))
    if "by_role" in text:
        model = make_model()
        train(model, build(item, by_role(model, space["inputs"]), lr=0.03, **settings), range(12))
        expected = weights(model)
    else:
        expected = trained(lambda p: build(item, p, lr=0.03, **settings))
    if "up to rounding" in text:
        assert torch.allclose(weights(space["model"]), expected, rtol=0, atol=1e-6)
    else:
        assert torch.equal(weights(space["model"]), expected)
    assert isinstance(space["optimizer"], RuleOptimizer) == ("steepest" in text)


def test_code_is_torch_s_own_where_that_is_the_same() -> None:
    assert code("momentum", 0.01) == (
        "import torch\n\n"
        "# PyTorch's own class: on CPU it equals the optimizer that was measured, bit for bit.\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)\n"
    )
    assert code("adam-printed", 0.01, {"b1": 0.8}) == (
        "from steepest.adapters.torch import build\n\n"
        "# PyTorch has no equivalent: this class of steepest is a torch.optim.Optimizer.\n"
        'optimizer = build("adam-printed", model.parameters(), lr=0.01, b1=0.8)\n'
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gd", "# Give every step the gradient over all examples of the training part.\n"),
        ("sgd-1", "# Give every step the gradient of a single example.\n"),
    ],
)
def test_code_says_what_a_step_sees_where_that_is_the_method(name: str, line: str) -> None:
    assert line in code(name, 0.1)
    assert "# Give every step the gradient over 16 examples.\n" in code(contender(name, batch_size=16), 0.1)


@pytest.mark.parametrize("name", ["adam", "momentum-averaged"])
def test_code_with_a_schedule_moves_the_rate_along_it(name: str) -> None:
    space = run(code(contender(name, schedule="warmup-cosine"), 0.03, horizon=40))
    seen = []
    for k in range(4):
        seen.append(space["optimizer"].param_groups[0]["lr"])
        train(space["model"], space["optimizer"], range(k, k + 1), after=space["scheduler"].step)
    assert seen == pytest.approx([0.015, 0.03, 0.03, 0.03 * 0.99829], rel=1e-4)


def test_code_of_a_rule_that_averages_evaluates_at_the_average_of_its_own_accord() -> None:
    space = run(code("adam+ema", 0.03))
    model, optimizer = space["model"], space["optimizer"]
    x, _ = batch(0)
    train(model.train(), optimizer, range(6))
    trained_at, evaluated_at = model.train()(x), model.eval()(x)
    assert not torch.equal(trained_at, evaluated_at)
    assert torch.equal(model.train()(x), trained_at)
    assert "follow" not in code("adam+clip-norm", 0.03)


def test_code_for_a_schedule_without_a_horizon_leaves_it_to_the_loader() -> None:
    text = code(contender("adam", schedule="cosine"), 0.1)
    assert "horizon = len(loader) * epochs  # steps of the whole training\n" in text


def test_code_is_not_written_for_what_cannot_be_built() -> None:
    with pytest.raises(BadSetting, match="The schedule cosine needs a horizon of at least one step; it is 0"):
        code(contender("adam", schedule="cosine"), 0.1, horizon=0)
    with pytest.raises(UnknownName, match="Unknown schedule 'cosinus'"):
        code(contender("adam", schedule="cosinus"), 0.1, horizon=10)
    with pytest.raises(BadSetting, match="Adam: lr is -1"):
        code("adam", -1.0)
