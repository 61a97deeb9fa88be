"""Any rule as a `torch.optim.Optimizer`, and the code to paste that builds one.

    from steepest.adapters.torch import AdaGrad, build
    optimizer = AdaGrad(model.parameters(), lr=0.01)
    optimizer = build("rmsprop-printed", model.parameters(), lr=0.001)

The classes are made from the rules of the catalogue and carry their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.errors import BadInput, BadSetting
from steepest.optim.apply import check_matrices, evaluated, fresh, is_wide, moved, moved_together
from steepest.optim.catalogue import CATALOGUE, contender, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.rule import (
    Rule,
    at_rate,
    averages,
    check_settings,
    coefficient_record,
    describe_hyperparameters,
    hyperparameters,
)
from steepest.optim.schedules import schedule
from steepest.optim.stock import stock
from steepest.optim.wrappers import unwrap, wrap
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
        if self.is_evaluating:
            raise BadInput(
                "The parameters are those for evaluation, where no step can be taken. Call optimizer.train() before "
                "the gradient is computed, or optimizer.follow(model) once."
            )
        check_matrices(self.rule, [p.shape for group in self.param_groups for p in group["params"]])
        together: list[tuple[Tensor, Tensor, tuple[Tensor, ...], Any]] = []
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
                held = tuple(state[name] for name in self.rule.state)
                if is_wide(self.rule):
                    together.append((p, p.grad, held, c))
                else:
                    self._move(p, p.grad, held, c)
        if together:
            self._move_together(together)
        return loss

    def _move(self, p: Tensor, g: Tensor, state: tuple[Tensor, ...], c: Any) -> None:
        """One tensor's update in place: the seam at which a compiled kernel takes the eager rule's place."""
        _write(p, state, *moved(self.rule, p, g, state, c))

    def _move_together(self, moving: list[tuple[Tensor, Tensor, tuple[Tensor, ...], Any]]) -> None:
        """All parameters that have a gradient, for a rule of the whole model, whose numbers stand in every state."""
        numbers = [i for i, name in enumerate(self.rule.state) if name in self.rule.numbers]
        oldest = max((state for state in self.state.values()), key=lambda state: state["step"])
        for _, _, held, _ in moving:
            for i in numbers:
                held[i].copy_(oldest[self.rule.state[i]])
        ws, gs, states, cs = zip(*moving, strict=True)
        for p, held, (there, new) in zip(ws, states, moved_together(self.rule, ws, gs, states, cs), strict=True):
            _write(p, held, there, new)

    # ---- where to evaluate -------------------------------------------------------------------------------------------

    @property
    def is_evaluating(self) -> bool:
        """Whether the parameters are, for now, those for evaluation."""
        return any("training" in state for state in self.state.values())

    @torch.no_grad()
    def eval(self) -> None:
        """Put the weights that the rule evaluates in the place of those that it trains; `train` puts them back.

        For rules that average their weights. For all others, and before the first step, they are the same.
        """
        if not averages(self.rule) or self.is_evaluating:
            return
        for group in self.param_groups:
            h = at_rate({name: group[name] for name in hyperparameters(self.rule)}, float(group["lr"]))
            for p in group["params"]:
                if state := self.state.get(p):
                    carried = [state[name] for name in self.rule.carry]
                    c, _ = _coefficients(self.rule, h, state["step"], *carried)
                    held = tuple(state[name] for name in self.rule.state)
                    state["training"] = p.clone()
                    p.copy_(evaluated(self.rule, p, held, c))

    @torch.no_grad()
    def train(self) -> None:
        """Put the weights that are trained back in their place."""
        for p, state in self.state.items():
            if "training" in state:
                p.copy_(state.pop("training"))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """`with optimizer.evaluating(): …`: within, the weights are those for evaluation."""
        before = self.is_evaluating
        self.eval()
        try:
            yield
        finally:
            if not before:
                self.train()

    def follow(self, model: torch.nn.Module) -> None:
        """From now on `model.train()` and `model.eval()` do for the optimizer what its own `train` and `eval` do.

        It takes effect when the model is called next. Save the model after a call in evaluation mode, or within
        `evaluating`.
        """
        model.register_forward_pre_hook(lambda module, _: self.train() if module.training else self.eval())

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
        return _blank, unwrap(self.rule), self.__getstate__()  # a generated class is found again through its rule


def _write(p: Tensor, state: tuple[Tensor, ...], there: Tensor, new: tuple[Tensor, ...]) -> None:
    p.copy_(there)
    for old, value in zip(state, new, strict=True):
        old.copy_(value)


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


def _blank(rule: type[Rule], wrappers: Sequence[str]) -> RuleOptimizer:
    kind = as_torch(wrap(rule, *wrappers))
    return kind.__new__(kind)


@cache
def as_torch(rule: type[Rule]) -> type[RuleOptimizer]:
    """The `torch.optim.Optimizer` subclass of a rule: called with (params, lr=…, **hyperparameters)."""
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
        degree = "bit for bit" if plain.is_exact else "up to rounding"
        lines = [f"# PyTorch's own: on CPU it is the optimizer that was measured, {degree}."]
        defaults = inspect.signature(getattr(torch.optim, plain.name)).parameters
        kept = {name: value for name, value in plain.arguments.items() if value != defaults[name].default}
        lines.append(f"optimizer = torch.optim.{plain.name}(model.parameters(), {_arguments(rate, kept)})")
    else:
        imports = ["from steepest.adapters.torch import build"]
        lines = ["# PyTorch has no such form: this is steepest's, and a torch.optim.Optimizer all the same."]
        lines.append(f'optimizer = build("{item.name}", model.parameters(), {_arguments(rate, what.settings)})')
        if averages(item.rule):
            lines += [
                "# Evaluated at an average of the weights: model.eval() puts it in place, model.train() takes it out.",
                "optimizer.follow(model)",
            ]
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
