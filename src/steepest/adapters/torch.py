"""Any rule as a `torch.optim.Optimizer`, and the code to paste that builds one.

    from steepest.adapters.torch import AdaGrad, build
    optimizer = AdaGrad(model.parameters(), lr=0.01)
    optimizer = build("rmsprop-printed", model.parameters(), lr=0.001)

The classes are made from the rules of the catalogue and carry their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.errors import BadInput, BadSetting
from steepest.optim.apply import fresh, moved
from steepest.optim.catalogue import CATALOGUE, contender, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.rule import (
    Rule,
    at_rate,
    check_settings,
    coefficient_record,
    describe_hyperparameters,
    hyperparameters,
)
from steepest.optim.schedules import schedule
from steepest.optim.stock import stock
from steepest.types import Contender, Setting

Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class RuleOptimizer(torch.optim.Optimizer):
    """The driver that `as_torch` joins to a rule. It behaves as torch's own do: parameter groups with settings of their
    own, closures, schedulers, `state_dict`, copies and pickles; a parameter without gradient stays as it is, and
    gradients are read only. Sparse gradients and complex parameters raise BadInput.
    """

    rule: ClassVar[type[Rule]]

    def __init__(self, params: Params, lr: float | None = None, **settings: Setting) -> None:
        if lr is not None:
            settings["lr"] = lr
        check_settings(self.rule, settings)
        super().__init__(params, {**hyperparameters(self.rule), **settings})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's; raises BadSetting for a hyperparameter out of its range."""
        known = hyperparameters(self.rule)
        check_settings(self.rule, {name: value for name, value in param_group.items() if name in known})
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of every parameter that has a gradient; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            settings = {name: group[name] for name in hyperparameters(self.rule)}
            h = at_rate(settings, float(group["lr"]))
            coefficients = cache(partial(_coefficients, self.rule, h))
            for p in group["params"]:
                if p.grad is None:
                    continue
                _check_dense(p)
                state = self.state[p]
                if not state:
                    start = zip(self.rule.state, fresh(self.rule, h, p), strict=True)
                    state.update({"step": 0, **self.rule.carry, **dict(start)})
                state["step"] += 1  # per parameter: one that had no gradient is behind
                c, carry = coefficients(state["step"], *(state[name] for name in self.rule.carry))
                state.update(carry)
                self._move(p, p.grad, tuple(state[name] for name in self.rule.state), c)
        return loss

    def _move(self, p: Tensor, g: Tensor, state: tuple[Tensor, ...], c: Any) -> None:
        """One tensor's update in place: the seam at which a compiled kernel takes the eager rule's place."""
        there, new = moved(self.rule, p, g, state, c)
        p.copy_(there)
        for old, value in zip(state, new, strict=True):
            old.copy_(value)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; raises BadInput if the state was saved by another kind of optimizer."""
        parts = [(hyperparameters(self.rule), state_dict["param_groups"])]
        parts += [(("step", *self.rule.carry, *self.rule.state), state_dict["state"].values())]
        for wanted, saved in parts:
            for each in saved:
                if missing := [name for name in wanted if name not in each]:
                    raise BadInput(
                        f"This state has no {', '.join(missing)}: it was not saved by {type(self).__name__}. "
                        "Load it into the optimizer that saved it."
                    )
        super().load_state_dict(state_dict)

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, (self.rule,), self.__getstate__()  # a generated class is found again through its rule


def _coefficients(rule: type[Rule], h: Any, t: int, *carried: float) -> tuple[Any, dict[str, float]]:
    """The coefficients of step t, and the carry after it, from the carry before it."""
    carry = dict(zip(rule.carry, carried, strict=True))
    return coefficient_record(rule.advance(h, t, carry)), carry


def _check_dense(p: Tensor) -> None:
    if p.is_complex():
        raise BadInput("A complex parameter cannot be updated: rules are defined on real numbers. Use view_as_real.")
    if p.grad is not None and p.grad.layout is not torch.strided:
        raise BadInput(
            "A sparse gradient cannot be used: rules need dense ones. Build the embedding without sparse=True."
        )


def _blank(rule: type[Rule]) -> RuleOptimizer:
    kind = as_torch(rule)
    return kind.__new__(kind)


@cache
def as_torch(rule: type[Rule]) -> type[RuleOptimizer]:
    """The `torch.optim.Optimizer` subclass of a rule: called with (params, lr=…, **hyperparameters)."""
    if rule.scope not in ("element", "tensor"):
        raise BadInput(f"{rule.__name__} looks at a whole {rule.scope}; as a torch optimizer it is not available yet.")
    keyword = inspect.Parameter.KEYWORD_ONLY
    usual = inspect.Parameter.POSITIONAL_OR_KEYWORD
    accepted = [inspect.Parameter("params", usual)] + [
        inspect.Parameter(name, usual if name == "lr" else keyword, default=default)
        for name, default in hyperparameters(rule).items()
    ]
    lines = [
        f"    {row['name']}: {row['meaning']} ({row['allowed']}; default {row['default']})"
        for row in describe_hyperparameters(rule)
    ]
    body = {
        "__module__": __name__,
        "__doc__": "\n".join([inspect.cleandoc(rule.__doc__ or ""), "", "Hyperparameters:", *lines]),
        "__signature__": inspect.Signature(accepted),
        "rule": rule,
    }
    return type(rule.__name__, (RuleOptimizer,), body)


_RULES = {item.rule.__name__: item.rule for item in CATALOGUE}


def __getattr__(name: str) -> type[RuleOptimizer]:
    if name not in _RULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return as_torch(_RULES[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_RULES})


def build(
    optimizer: str | Entry | type[Rule], params: Params, lr: float | None = None, **settings: Setting
) -> RuleOptimizer:
    """An optimizer from its name in the catalogue, its entry or its rule; without `lr`, at its default rate.

    Raises UnknownName or BadSetting.
    """
    chosen: dict[str, Any] = dict(settings) if lr is None else {**settings, "lr": lr}
    if isinstance(optimizer, str):
        optimizer = entry(optimizer)
    if isinstance(optimizer, Entry):
        chosen = {**settings_of(optimizer, chosen)}
        optimizer = optimizer.rule
    return as_torch(optimizer)(params, **chosen)


# ---- code to paste ---------------------------------------------------------------------------------------------------


def code(
    what: Contender | Entry | str,
    rate: float,
    settings: Mapping[str, Setting] | None = None,
    *,
    horizon: int | None = None,
) -> str:
    """Python that builds an optimizer for a `model`: torch's own class where it is the same bit for bit, else ours.

    `what` is a contender, or an entry or its name with `settings` that differ from it. A schedule runs over `horizon`
    steps; without it, over whatever a `loader` and a number of `epochs` come to. Raises UnknownName or BadSetting.
    """
    if not isinstance(what, Contender):
        what = contender(what, **(settings or {}))  # type: ignore[arg-type]
    item = entry(what.rule)
    complete = settings_of(item, {**what.settings, "lr": rate})
    plain = stock(item.rule, complete)
    if plain:
        imports = ["import torch"]
        lines = ["# PyTorch's own: on CPU it is the optimizer that was measured, bit for bit."]
        defaults = inspect.signature(getattr(torch.optim, plain.name)).parameters
        kept = {name: value for name, value in plain.arguments.items() if value != defaults[name].default}
        lines.append(f"optimizer = torch.optim.{plain.name}(model.parameters(), {_arguments(rate, kept)})")
    else:
        imports = ["from steepest.adapters.torch import build"]
        lines = ["# PyTorch has no such form: this is steepest's, and a torch.optim.Optimizer all the same."]
        lines.append(f'optimizer = build("{item.name}", model.parameters(), {_arguments(rate, what.settings)})')
    if what.batch_size is not None:
        named = {"full": "over all examples of the training part", 1: "of a single example"}
        lines.insert(
            0, f"# Give every step the gradient {named.get(what.batch_size, f'over {what.batch_size} examples')}."
        )
    if what.schedule != "constant":
        schedule(what.schedule)  # raises UnknownName
        if horizon is not None and horizon < 1:
            raise BadSetting(f"The schedule {what.schedule} needs a horizon of at least one step; it is {horizon}.")
        imports += ["import torch", "from steepest.optim.schedules import schedule"]
        lines += [
            "# Call scheduler.step() after every optimizer.step().",
            f"horizon = {horizon or 'len(loader) * epochs'}  # steps of the whole training",
            f'factor = schedule("{what.schedule}")',
            "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: factor(done + 1, horizon))",
        ]
    imports = sorted(set(imports), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*imports, "", *lines, ""])


def _arguments(rate: float, settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in {"lr": rate, **settings}.items())
