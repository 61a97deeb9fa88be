"""Code for other frameworks is run: it follows the optimizer that was measured, or says that it does not, and does not.

The ground is a small network on real data, in float64. One input is ten million times smaller than the others, so that
the weights behind it show where an ε stands.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from functools import cache, partial
from itertools import product
from operator import attrgetter
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from reference.drive import variants
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from steepest.adapters.frameworks import OF_TORCH, OTHERS, code
from steepest.adapters.torch import build
from steepest.design.contenders import enter
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule
from steepest.engine.solo import RuleDriver
from steepest.errors import BadSetting, UnknownName
from steepest.optim.adaptive import Adadelta
from steepest.optim.catalogue import CATALOGUE, contender, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.roles import by_role
from steepest.optim.rule import Rule, check_settings
from steepest.optim.schedules import SCHEDULES, schedule
from steepest.records.contender import Contender

torch.set_num_threads(1)

STEPS = 50
TOLERANCE = 1e-6
"""Of the largest distance moved."""
ON = {"eps_root": 1e-12, "initial_sum": 1e-12, "warmup": 20.0}
"""Instead of 0.1: what would hide an ε outside of the root if it were larger, and a number of steps."""
CODE = "the code that `steepest use` prints, over 50 steps of a small network, run in"
COMMON = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "adamax", "nadam", "adadelta", "lion")

MAPPED = [item for item in CATALOGUE if any(item.rule in other.forms for other in OTHERS.values())]

# ---- the ground ------------------------------------------------------------------------------------------------------

_x, _y = load_breast_cancer(return_X_y=True)
_x = torch.as_tensor(((_x - _x.mean(0)) / _x.std(0))[:, :6] * np.array([1, 1, 1, 1, 1, 1e-7]))
_y = torch.as_tensor(_y)
_order = np.random.default_rng(4).permutation(len(_x))


def make_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    with torch.no_grad():
        model[0].weight[:, -1] = 0.0  # so that the small displacements behind it keep all their digits
    return model


def gradients(model: nn.Module, t: int) -> list[torch.Tensor]:
    """Of the mean loss over the batch of step t = 1, 2, …"""
    here = _order[np.arange(16 * (t - 1), 16 * t) % len(_order)]
    loss = nn.functional.cross_entropy(model(_x[here]), _y[here])
    return list(torch.autograd.grad(loss, list(model.parameters())))


TINY = torch.arange(47) < 30
TINY &= torch.arange(47) % 6 == 5  # [P], the weights of the small input


def where(model: nn.Module) -> Tensor:
    """All weights, [P]."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def deviation(path: list[Tensor], expected: list[Tensor]) -> float:
    """Largest difference of two paths [T, P] over the largest distance moved; tiny gradients are judged apart."""
    moved = (torch.stack(expected) - where(make_model())).abs()  # [T, P]
    difference = (torch.stack(path) - torch.stack(expected)).abs()
    return max((difference[:, part].max() / moved[:, part].max()).item() for part in (TINY, ~TINY))


@cache
def _measured(name: str, rate: float, schedule_name: str, settings: tuple[tuple[str, Any], ...]) -> list[Tensor]:
    model, path, factor = make_model(), [], schedule(schedule_name)
    optimizer = build(name, by_role(model, _x[:2]), lr=rate, **dict(settings))
    for t in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * factor(t, STEPS)
        for p, g in zip(model.parameters(), gradients(model, t), strict=True):
            p.grad = g
        optimizer.step()
        path.append(where(model))
    return path


def measured(what: Contender) -> list[Tensor]:
    """Where the study's optimizer goes."""
    return _measured(what.rule, what.centre, what.schedule, tuple(what.settings.items()))


def torch_path(text: str) -> list[Tensor]:
    space: dict[str, Any] = {"model": make_model(), "inputs": _x[:2]}
    exec(compile(text, "pasted", "exec"), space)
    if "configure_optimizers" in space:  # a LightningModule is a module
        space["model"].example_input_array = _x[:2]
        given = space["configure_optimizers"](space["model"])
        space |= {"optimizer": given} if isinstance(given, torch.optim.Optimizer) else dict(given)
        if "lr_scheduler" in space:
            assert space["lr_scheduler"]["interval"] == "step"
            space["scheduler"] = space["lr_scheduler"]["scheduler"]
    path = []
    for t in range(1, STEPS + 1):
        for p, g in zip(space["model"].parameters(), gradients(space["model"], t), strict=True):
            p.grad = g
        if "arguments" in space:  # as the Trainer of transformers does
            assert space["optimizers"] == (space["optimizer"], space["scheduler"])
            if space["arguments"]["max_grad_norm"]:
                nn.utils.clip_grad_norm_(space["model"].parameters(), space["arguments"]["max_grad_norm"])
        if "configure_gradient_clipping" in space:
            space["configure_gradient_clipping"](space["model"], space["optimizer"])
        space["optimizer"].step()
        if "scheduler" in space:
            space["scheduler"].step()
        path.append(where(space["model"]))
    return path


def keras_path(keras: ModuleType, text: str) -> list[Tensor]:
    model, path = make_model(), []
    variables = [keras.Variable(p.detach().numpy(), dtype="float64") for p in model.parameters()]
    space: dict[str, Any] = {"model": SimpleNamespace(trainable_variables=variables)}
    exec(compile(text, "pasted", "exec"), space)
    for t in range(1, STEPS + 1):
        space["optimizer"].apply(gradients(model, t), variables)
        _load(model, [variable.value.detach().numpy() for variable in variables])
        path.append(where(model))
    return path


def optax_path(optax: ModuleType, text: str) -> list[Tensor]:
    space: dict[str, Any] = {}
    exec(compile(text, "pasted", "exec"), space)
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    model, path = make_model(), []
    params = [jnp.asarray(p.detach().numpy()) for p in model.parameters()]
    state, update = space["optimizer"].init(params), jax.jit(space["optimizer"].update)
    for t in range(1, STEPS + 1):
        updates, state = update([jnp.asarray(g.numpy()) for g in gradients(model, t)], state, params)
        params = optax.apply_updates(params, updates)
        _load(model, params)
        path.append(where(model))
    return path


def _load(model: nn.Module, values: list[Any]) -> None:
    with torch.no_grad():
        for p, value in zip(model.parameters(), values, strict=True):
            p.copy_(torch.as_tensor(np.array(value)))


@pytest.fixture(scope="module")
def frameworks() -> Iterator[dict[str, Any]]:
    """name → text → path, in float64; skips the test where a framework is not installed. A text is run once."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their own imports
        keras, optax, jax = (pytest.importorskip(name) for name in ("keras", "optax", "jax"))
    before = keras.config.floatx(), jax.config.jax_enable_x64
    keras.config.set_floatx("float64")
    jax.config.update("jax_enable_x64", True)
    yield {"keras": cache(partial(keras_path, keras)), "optax": cache(partial(optax_path, optax))}
    keras.config.set_floatx(before[0])
    jax.config.update("jax_enable_x64", before[1])


def takes(rule: type[Rule], settings: dict[str, Any]) -> bool:
    try:
        check_settings(rule, settings)
    except BadSetting:
        return False
    return True


def settings_to_try(item: Entry, chosen: str) -> list[dict[str, Any]]:
    """The entry's own and every form of a framework; under a constant rate also every choice, every number that is zero
    on, and every ε and momentum off.
    """
    here = settings_of(item)
    tried: list[dict[str, Any]] = [{}, *(dict(departure.settings or {}) for departure in item.departures)]
    if chosen == "constant":
        tried += variants(item.rule, here)
        zeros = [name for name, value in here.items() if value == 0 and not isinstance(value, bool)]
        tried += [{name: ON.get(name, 0.1)} for name in zeros]
        off = ({name: 0.0} for name in ("eps", "momentum") if here.get(name) and item.rule is not Adadelta)
        off = [settings for settings in off if takes(item.rule, settings)]
        tried += off
        tried += [{**settings, "applies_to": "matrices"} for settings in off if "applies_to" in here]
    different: list[dict[str, Any]] = []
    for settings in tried:
        kept = {name: value for name, value in settings.items() if name != "lr" and value != here[name]}
        different += [kept] if kept not in different else []
    return different


# ---- what is claimed is what happens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [item.name for item in CATALOGUE if not item.rule.second])
def test_torch_code_follows_what_was_measured(name: str) -> None:
    for chosen, framework in product(("constant", "warmup-cosine"), OF_TORCH):
        what = contender(name, schedule=chosen)
        path = torch_path(code(framework, what, what.centre, horizon=STEPS))
        assert deviation(path, measured(what)) < TOLERANCE


WITH_NUMBERS = (
    *("linear:end=0.1", "cosine:end=0.2", "polynomial:power=0.5", "polynomial:end=0.1", "step:factor=0.5:every=0.25"),
    *("exponential:end=0", "warm-restarts:cycles=2:end=0.1", "warm-restarts:growth=2", "one-cycle:rise=0.5:start=0.1"),
    *("one-cycle:end=0", "warmup-cosine:steps=7:end=0.1", "warmup-linear:share=0.2", "warmup-stable-decay:fall=0.5"),
)


@pytest.mark.parametrize("chosen", [*SCHEDULES, *WITH_NUMBERS])
@pytest.mark.parametrize("framework", OF_TORCH)
def test_a_scheduler_of_torch_has_the_measured_rate_at_every_step(framework: str, chosen: str) -> None:
    for words, horizon in product(("sgd", "sgd:vectors.lr_scale=3"), (1, 2, 7, 50, 60)):
        (what,), _ = enter(f"{words}:schedule={chosen.replace(':', '/')}")
        text = code(framework, what, 0.01, horizon=horizon)
        assert "steepest" not in text
        space: dict[str, Any] = {"model": make_model()}
        exec(text, space)
        if framework == "lightning":
            given = space["configure_optimizers"](space["model"])
            given = {"optimizer": given} if chosen == "constant" else given
            space |= {"optimizer": given["optimizer"], "scheduler": given.get("lr_scheduler", {}).get("scheduler")}
        optimizer, scheduler, factor = space["optimizer"], space.get("scheduler"), schedule(chosen)
        for t in range(1, horizon + 1):
            rates = {group["lr"] for group in optimizer.param_groups}
            wanted = {0.01 * factor(t, horizon) * scale for scale in ([1, 3] if "vectors" in words else [1])}
            assert sorted(rates) == pytest.approx(sorted(wanted), rel=1e-12, abs=1e-15)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()


RULES = ("sgd:weight_decay=0.1", "nesterov", "adamw:weight_decay=0.1", "rmsprop", "adagrad", "lion")
CLIPPED = (
    "adamw+clip-norm:max_norm=0.01",
    "sgd+clip-value:max_value=0.001",
    "momentum+clip-value+clip-norm:max_norm=0.01",
)


@pytest.mark.parametrize("chosen", ["constant", "linear", "warmup-linear", "cosine", "warmup-cosine", "one-cycle"])
@pytest.mark.parametrize("framework", OF_TORCH)
def test_rule_and_schedule_together_follow_what_was_measured(framework: str, chosen: str) -> None:
    for words in (*RULES, *CLIPPED):
        (what,), _ = enter(f"{words}:schedule={chosen}")
        text = code(framework, what, what.centre, horizon=STEPS)
        assert deviation(torch_path(text), measured(what)) < TOLERANCE, text
        assert ("steepest" in text) == (words == "lion")


def test_an_optimizer_in_a_trainer_is_not_clipped_unless_the_study_did() -> None:
    (bare, clipped), _ = enter("adamw,adamw+clip-norm:max_norm=0.5")
    assert "arguments = {'max_steps': 9, 'max_grad_norm': 0.0}" in code("transformers", bare, 0.01, horizon=9)
    text = code("transformers", clipped, 0.01, horizon=9)
    assert "'max_grad_norm': 0.5" in text and "hook" not in text


@pytest.mark.oracles
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # from within Keras' Nadam
@pytest.mark.parametrize("chosen", ["constant", "warmup-cosine"])
@pytest.mark.parametrize("item", MAPPED, ids=attrgetter("name"))
@pytest.mark.parametrize("framework", OTHERS)
def test_code_follows_what_was_measured_or_says_what_differs(
    framework: str, item: Entry, chosen: str, frameworks: dict[str, Any], proof: Any
) -> None:
    wrong, same = [], []
    for settings in settings_to_try(item, chosen):
        what = contender(item, schedule=chosen, **settings)
        text = code(framework, what, what.centre, horizon=STEPS)
        says_so = "cannot train" in text
        if "optimizer =" not in text:
            assert says_so
            continue
        apart = deviation(frameworks[framework](text), measured(what))
        same += [] if says_so else [apart]
        if not (apart > TOLERANCE if says_so else apart < TOLERANCE):
            wrong.append(f"{settings}: {apart:.3g}\n{text[-400:]}")
    assert not wrong, "\n".join(wrong)
    for apart in same:
        proof(item.rule.__name__, f"{CODE} {OTHERS[framework].title}", apart, TOLERANCE, framework)


CLIPPED_ELSEWHERE = ("sgd+clip-value:max_value=0.001", "adamw+clip-value:max_value=0.001:eps_at=raw:eps=1e-7")
GROUPED = (
    "adamw:eps_at=raw:eps=1e-7:weight_decay=0.1:vectors.weight_decay=0",
    "adamw:vectors.lr_scale=0.5:schedule=cosine",
)


@pytest.mark.oracles
@pytest.mark.parametrize("words", [*CLIPPED_ELSEWHERE, *GROUPED, "momentum+clip-norm:max_norm=0.01"])
@pytest.mark.parametrize("framework", OTHERS)
def test_clipping_and_groups_follow_what_was_measured(framework: str, words: str, frameworks: dict[str, Any]) -> None:
    (what,), _ = enter(words)
    text = code(framework, what, what.centre, horizon=STEPS)
    if "cannot train" in text:
        assert (framework, words) in (
            ("keras", GROUPED[1]),
            *(("optax", each) for each in (*CLIPPED_ELSEWHERE, *GROUPED)),
        )
        return
    tolerance = 1e-4 if "clip-norm" in words else TOLERANCE  # its sentence says why
    assert deviation(frameworks[framework](text), grouped_path(what)) < tolerance


def grouped_path(what: Contender) -> list[Tensor]:
    """Where the study's optimizer goes with parameter groups."""
    model, path, factor = make_model(), [], schedule(what.schedule)
    rule = EMPTY_REGISTRY.optimizer(what)
    assert isinstance(rule, ConfiguredRule)
    driver = RuleDriver(rule, model, what.centre)
    for t in range(1, STEPS + 1):
        for p, g in zip(model.parameters(), gradients(model, t), strict=True):
            p.grad = g
        driver.step(what.centre * factor(t, STEPS), lambda *_: [])
        path.append(where(model))
    return path


@pytest.mark.oracles
@pytest.mark.parametrize("chosen", [*SCHEDULES, *WITH_NUMBERS[:9], "stairs"])
@pytest.mark.parametrize("framework", OTHERS)
def test_code_with_a_schedule_has_the_measured_rate_at_every_step(
    framework: str, chosen: str, frameworks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCHEDULES, "stairs", lambda t, horizon: 0.5 ** (4 * t // horizon))  # that none has a name for
    what = contender("sgd", schedule=chosen)
    for horizon in (1, STEPS - 10, STEPS):
        text = code(framework, what, what.centre, horizon=horizon)
        model, path, factor = make_model(), [], schedule(chosen)
        for t in range(1, STEPS + 1):
            for p, g in zip(model.parameters(), gradients(model, t), strict=True):
                p.data -= what.centre * factor(t, horizon) * g
            path.append(where(model))
        assert deviation(frameworks[framework](text)[:horizon], path[:horizon]) < TOLERANCE


# ---- what is printed -------------------------------------------------------------------------------------------------


def test_the_commonest_optimizers_have_stock_code_that_trains_identically() -> None:
    def identical(framework: str, item: Entry, chosen: str) -> bool:
        forms = [{}, *(departure.settings for departure in item.departures if departure.settings)]
        texts = [code(framework, contender(item, schedule=chosen, **form), 0.01, horizon=9) for form in forms]
        return any("cannot train" not in text for text in texts)

    for framework in OTHERS:
        for name in COMMON:
            for chosen in ("constant", "cosine"):
                assert identical(framework, entry(name), chosen), (framework, name, chosen)


@pytest.mark.parametrize("item", MAPPED, ids=attrgetter("name"))
def test_what_the_catalogue_says_of_a_framework_is_what_its_code_says(item: Entry) -> None:
    for framework, other in OTHERS.items():
        for departure in item.departures:
            if departure.framework == other.title and departure.settings is not None:
                text = code(framework, contender(item, **departure.settings), 0.01)
                assert "cannot train" not in text, f"{departure}\n{text}"


def test_code_in_full() -> None:
    assert code("keras", contender("momentum"), 0.01) == (
        "import keras\n\n"
        "# Keras's own class: it trains like the optimizer that was measured, up to rounding.\n"
        "optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)\n"
    )
    assert code("keras", contender("adam"), 0.01) == (
        "import keras\n\n"
        "# Keras cannot train Adam as it was measured: it adds ε to √v before v is corrected, so that the ε\n"
        "# of the first steps is much larger.\n"
        "# The nearest equivalent is below; its best rate may differ.\n"
        "# To measure it: steepest run … --optimizers adam:eps=1e-07:eps_at=raw\n"
        "optimizer = keras.optimizers.Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-08)\n"
    )
    assert code("optax", contender("rmsprop-momentum", schedule="cosine", batch_size=16), 0.01) == (
        "import optax\n\n"
        "horizon = steps_per_epoch * epochs  # steps of the whole training\n"
        "rate = optax.cosine_decay_schedule(0.01, horizon)\n\n"
        "# Give every step the gradient over 16 examples.\n"
        "# Optax's own class: it trains like the optimizer that was measured, up to rounding.\n"
        "optimizer = optax.chain(\n"
        "    optax.scale_by_rms(decay=0.99, eps=1e-08, eps_in_sqrt=False),\n"
        "    optax.trace(decay=0.9),\n"
        "    optax.scale_by_learning_rate(rate),\n"
        ")\n"
    )


@pytest.mark.parametrize("name", ["asgd", "adam+cautious"])
@pytest.mark.parametrize("framework", OTHERS)
def test_code_says_where_there_is_nothing_near(framework: str, name: str) -> None:
    text = code(framework, contender(name), 0.1)
    assert all(line.startswith("#") for line in text.splitlines())
    assert "none of its optimizers is known to follow this rule" in " ".join(text.replace("# ", "").split())


@pytest.mark.parametrize("framework", OTHERS)
def test_code_is_not_written_for_what_cannot_be_built(framework: str) -> None:
    with pytest.raises(BadSetting, match="The schedule cosine needs a horizon of at least one step; it is 0"):
        code(framework, contender("adam", schedule="cosine"), 0.1, horizon=0)
    with pytest.raises(UnknownName, match="Unknown schedule 'cosinus'"):
        code(framework, contender("adam", schedule="cosinus"), 0.1, horizon=10)
    with pytest.raises(BadSetting, match="Adam: lr is -1"):
        code(framework, contender("adam"), -1.0)


def test_an_unknown_framework_is_an_error() -> None:
    with pytest.raises(UnknownName, match=r"Unknown framework 'kerras'\. Did you mean keras\?"):
        code("kerras", contender("adam"), 0.1)
