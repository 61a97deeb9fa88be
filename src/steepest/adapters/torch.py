"""Any rule as a `torch.optim.Optimizer`.

    from steepest.adapters.torch import AdaGrad, build
    optimizer = AdaGrad(model.parameters(), lr=0.01)
    optimizer = build("rmsprop-printed", model.parameters(), lr=0.001)

The classes are made from the rules of the catalogue and carry their names.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any, ClassVar

import torch
from torch import Tensor

from steepest.adapters.closures import SecondGradients
from steepest.adapters.sharded import dealing_group, sums_over
from steepest.adapters.stepping import (
    Batch,
    FastPaths,
    begin,
    check_dense,
    check_real,
    compiles_by_default,
    kernel_of,
    move,
    on_shards,
    real,
    write,
)
from steepest.adapters.torch_states import StateDict, from_torch, is_torchs, to_torch
from steepest.errors import BadInput, BadSetting, UnknownName
from steepest.optim.catalogue import CATALOGUE, entry, settings_of
from steepest.optim.drivers import check_matrices, evaluated, is_wide, moved_together
from steepest.optim.entry import Entry
from steepest.optim.reductions import across
from steepest.optim.roles import form_of, has_roles, in_forms, role_of_shape
from steepest.optim.rule import (
    Rule,
    at_rate,
    averages,
    check_settings,
    coefficient_record,
    describe_hyperparameters,
    hyperparameters,
)
from steepest.optim.torch_arguments import CLASSES, LABELS, NO_CLASSES, as_group, translated
from steepest.optim.wrappers import unwrap, wrap
from steepest.records.contender import Setting
from steepest.records.parameter_roles import ROLES

Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class RuleOptimizer(SecondGradients, torch.optim.Optimizer):
    """Base of the classes that `as_torch` makes. It behaves like torch's own optimizers: parameter groups with own
    settings, closures, schedulers, `state_dict`, copies and pickles. A step changes neither gradients nor parameters
    without a gradient. Element-wise rules take complex parameters; rules that do nothing where a gradient is zero take
    sparse gradients; other rules raise BadInput.

    Element-wise rules run as compiled kernels (docs/drop-in.md) unless `compile` is False, or STEEPEST_COMPILE is 0.
    Raises UnknownName for a hyperparameter that the rule does not have, and BadSetting for one out of its range.
    """

    rule: ClassVar[type[Rule]]
    is_compiled: bool = True
    """Whether kernels are compiled where the rule allows it; may be changed between steps. Not in `state_dict`."""
    _kernels: FastPaths | None = None
    _process_group: Any = None
    """The processes to which ZeroRedundancyOptimizer deals out whole parameters, for a rule of the whole model."""
    _empty: "RuleOptimizer | None" = None

    def __init__(
        self, params: Params, lr: float | Tensor | None = None, *, compile: bool | None = None, **settings: Setting
    ) -> None:
        given: dict[str, Any] = dict(settings) if lr is None else {**settings, "lr": lr}
        maximize = bool(given.pop("maximize", False))
        rule, chosen = translated(self.rule, given)
        if rule is not self.rule:
            self.__class__ = as_torch(rule)  # type: ignore[assignment]
        _check(self.rule, chosen)
        if compile not in (None, True, False):
            raise BadSetting(f"{self.rule.__name__}: compile is {compile!r}; it must be True, False or None.")
        self.is_compiled = compiles_by_default() if compile is None else compile
        super().__init__(params, {**hyperparameters(self.rule), **chosen, **({"maximize": True} if maximize else {})})
        if {"b1", "b2"} <= self.defaults.keys():
            self.defaults["betas"] = (self.defaults["b1"], self.defaults["b2"])  # where OneCycleLR looks for them
        if is_wide(self.rule):
            self._process_group = dealing_group()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's; raises BadSetting for a key that is not a setting, and for a hyperparameter out of its range."""
        kept = {name: param_group[name] for name in param_group if name in LABELS}
        if kept.get("role", ROLES[0]) not in ROLES:
            raise UnknownName.among("role of a parameter", str(kept["role"]), ROLES)
        given = {name: value for name, value in param_group.items() if name not in kept}
        own = translated(self.rule, given, may_change=False).settings
        _check(self.rule, own)
        if self.rule.second and kept.get("maximize", self.defaults.get("maximize")):
            name = self.rule.__name__
            raise BadSetting(f"{name} takes two gradients in a step and cannot maximize. Negate the loss.")
        betas = self.defaults.pop("betas", None)
        super().add_param_group({**kept, **own})
        if betas is not None:
            self.defaults["betas"] = betas
        self.param_groups[-1] = as_group(self.rule, self.param_groups[-1])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of every parameter that has a gradient; returns what `closure` returns."""
        loss, closure = None, self._closure(closure)
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if averages(self.rule) and self.is_evaluating:
            raise BadInput(
                "The parameters hold the evaluation weights, at which no step can be taken. Call "
                "optimizer.train() before the gradient is computed, or optimizer.follow(model) once."
            )
        rule = self.rule
        if rule.fallback is not None:
            check_matrices(rule, [p.shape for group in self.param_groups for p in group["params"]])
        if is_wide(rule) or rule.second:
            self._move_together([batch for group in self.param_groups for batch in self._batches(group)], closure)
            return loss
        if self.is_compiled and self._kernels is None:
            self._kernels = FastPaths()
        kernels = self._kernels if self.is_compiled else None
        anew = [
            (place, group, [*self._batches(group)])
            for place, group in enumerate(self.param_groups)
            if kernels is None or not self._took_fast_path(kernels, place, group)
        ]
        for place, group, batches in anew:
            as_one = [move(batch.rule, on_shards(batch), kernels is not None) for batch in batches] == [True]
            if kernels is not None:
                kernels.remember(place, rule, group["params"], self.state, batches[0].ps if as_one else [])
        return loss

    def _took_fast_path(self, kernels: FastPaths, place: int, group: dict[str, Any]) -> bool:
        """Update a group by its fast path if only gradients changed since the last step; returns whether it did."""
        repeat = kernels.repeat(place)
        if repeat is None or group.get("maximize") or torch.compiler.is_compiling():
            return False
        done, *carried = repeat.counts
        c, carry = _coefficients(self.rule, _at(self.rule, group), done + 1, *carried)
        compiled = kernel_of(self.rule, c)
        return compiled is not None and repeat.step(
            group["params"], self.state, compiled, c, (done + 1, *carry.values())
        )

    def _batches(self, group: dict[str, Any]) -> Iterator[Batch]:
        """The parameters of a group that have a gradient, batched by step number; advances the step numbers."""
        rule, h = self.rule, _at(self.rule, group)
        ps: Any = group["params"]
        gs: Any = [p.grad for p in ps]  # read once: another thread may change them
        if any(g is None for g in gs):
            at = [i for i, g in enumerate(gs) if g is not None]
            ps, gs = [ps[i] for i in at], [gs[i] for i in at]
        if group.get("maximize"):
            gs = [*map(torch.neg, gs)]
        states: Any = [self.state[p] for p in ps]
        forms = _forms(rule, group, ps)
        for form, p, state in zip(forms, ps, states, strict=True) if not all(states) else ():
            if not state:
                state.update({"step": 0, **rule.carry, **dict(zip(rule.state, begin(form, h, p), strict=True))})
        times = [*map(itemgetter("step", *rule.carry), states)]  # of each: a parameter without gradient lags behind
        kinds = [*zip(times, forms, strict=True)]
        for kind in dict.fromkeys(kinds):
            now = (ps, gs, states)
            if kinds.count(kind) < len(kinds):
                at = [i for i, other in enumerate(kinds) if other == kind]
                now = tuple([column[i] for i in at] for column in now)
            time, form = kind
            done, carried = (time[0], time[1:]) if isinstance(time, tuple) else (time, ())
            t = done + 1
            c, carry = _coefficients(rule, h, t, *carried)
            for state in now[2]:
                state["step"] = t
                if carry:
                    state.update(carry)
            yield Batch(now[0], now[1], [[state[name] for state in now[2]] for name in rule.state], c, form)

    @torch.no_grad()
    def _move_together(self, batches: list[Batch], closure: Callable[[], Any] | None) -> None:
        """Update all parameters that have a gradient, for a rule of the whole model or one with a second gradient.

        Scalars of the whole model are stored in the state of every parameter.
        """
        group = self._process_group
        if not batches and group is not None:
            batches = self._without_parameters()
        if not batches:
            return
        params = [p for batch in batches for p in batch.ps]
        batches = [*map(on_shards, batches)]
        shards = [shard for batch in batches for shard in batch.shards or [None] * len(batch.ps)]
        ws, gs, states, cs = zip(*(each for batch in batches for each in batch.each()), strict=True)
        numbers = [i for i, name in enumerate(self.rule.state) if name in self.rule.numbers]
        oldest = max((state for state in self.state.values()), key=lambda state: state["step"], default={})
        for p, g, held in zip(ws, gs, states, strict=True):
            check_dense(self.rule, g)
            check_real(self.rule, p)
            for i in numbers:
                held[i].copy_(oldest.get(self.rule.state[i], held[i]))
        given = states
        with across(sums_over(ws, shards, group)):
            if self.rule.second and closure is not None:
                gs, given = self._with_second(params, ws, gs, states, cs, closure)
            forms = [form for batch in batches for form in [batch.rule] * len(batch.ps)]
            results = moved_together(in_forms(self.rule, forms), ws, gs, given, cs, shards)
        for p, held, (there, new) in zip(ws, states, results, strict=True):
            write(p, held, there, new)

    def _without_parameters(self) -> list[Batch]:
        """A batch of one empty parameter, for a process that was dealt none: it takes part in the sums."""
        if self._empty is None:
            p = torch.nn.Parameter(torch.empty(0))
            p.grad = torch.empty(0)
            self._empty = as_torch(self.rule)([p], **{name: self.defaults[name] for name in _names(self.rule)})
        return [*self._empty._batches({**self.param_groups[0], "params": self._empty.param_groups[0]["params"]})]

    # ---- weights for evaluation --------------------------------------------------------------------------------------

    @property
    def is_evaluating(self) -> bool:
        """Whether the parameters currently hold the weights for evaluation."""
        return any("training" in state for state in self.state.values())

    @torch.no_grad()
    def eval(self) -> None:
        """Replace the training weights by those for evaluation; `train` restores them.

        They differ only for rules that average weights, after the first step.
        """
        if not averages(self.rule) or self.is_evaluating:
            return
        for group in self.param_groups:
            h = _at(self.rule, group)
            for p in group["params"]:
                if state := self.state.get(p):
                    carried = [state[name] for name in self.rule.carry]
                    c, _ = _coefficients(self.rule, h, state["step"], *carried)
                    held = tuple(real(state[name]) for name in self.rule.state)
                    state["training"] = p.clone()
                    real(p).copy_(evaluated(self.rule, real(p), held, c))

    @torch.no_grad()
    def train(self) -> None:
        """Restore the training weights."""
        for p, state in self.state.items():
            if "training" in state:
                p.copy_(state.pop("training"))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """`with optimizer.evaluating(): …`: within, the parameters hold the weights for evaluation."""
        before = self.is_evaluating
        self.eval()
        try:
            yield
        finally:
            if not before:
                self.train()

    def follow(self, model: torch.nn.Module) -> None:
        """Make `model.train()` and `model.eval()` switch the optimizer, too, from the next call of the model on.

        Save the model after a call in evaluation mode, or within `evaluating`.
        """
        model.register_forward_pre_hook(lambda module, _: self.train() if module.training else self.eval())

    def _become(self, rule: type[Rule], load: Callable[[], None]) -> None:
        """Load a state as an optimizer of this rule; stay what it is if that fails."""
        before = self.__class__
        if rule is not self.rule:
            self.__class__ = as_torch(rule)  # type: ignore[assignment]
        try:
            load()
        except BaseException:
            self.__class__ = before
            raise
        if self.__class__ is not before:
            self._kernels = None
            self.defaults = {**hyperparameters(rule), **{name: self.param_groups[0][name] for name in _names(rule)}}
            if {"b1", "b2"} <= self.defaults.keys():
                self.defaults["betas"] = (self.defaults["b1"], self.defaults["b2"])

    def torch_state_dict(self) -> StateDict:
        """The state in the form of the class of torch.optim that does the same, to load it there. Raises BadInput if
        there is none. `load_state_dict` takes both forms."""
        return to_torch(self.rule, self.param_groups, self.state)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's. Takes also the state of the class of torch.optim that does the same, settings included. Raises
        BadInput if the state was saved by another kind of optimizer."""
        if is_torchs(self.rule, state_dict):
            rule, state_dict = from_torch(self.rule, state_dict)
            self._become(rule, lambda: self.load_state_dict(state_dict))
            return
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

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.param_groups = [as_group(self.rule, group) for group in self.param_groups]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "is_compiled": self.is_compiled}

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, unwrap(self.rule), self.__getstate__()  # a generated class is found by its rule


def _check(rule: type[Rule], settings: dict[str, Any]) -> None:
    """As `check_settings`; a rate may also be a tensor of one number."""
    for name, x in settings.items():
        if isinstance(x, Tensor) and x.numel() != 1:
            raise BadSetting(f"{rule.__name__}: {name} is a tensor of {x.numel()} numbers; it must be one number.")
    check_settings(rule, {name: x.item() if isinstance(x, Tensor) else x for name, x in settings.items()})


@cache
def _names(rule: type[Rule]) -> tuple[str, ...]:
    return tuple(hyperparameters(rule))


def _at(rule: type[Rule], group: dict[str, Any]) -> Any:
    """The hyperparameters of a group, with its current rate."""
    return at_rate(rule, {name: group[name] for name in _names(rule)}, float(group["lr"]))


def _forms(rule: type[Rule], group: dict[str, Any], params: Sequence[Tensor]) -> Sequence[type[Rule]]:
    """The rule for each of these parameters of a group, by the group's role, or by shape if it has none."""
    if not has_roles(rule):
        return (rule,) * len(params)
    applies_to = str(group.get("applies_to", ""))
    role = group.get("role", "")
    return [form_of(rule, (role if p.ndim > 1 else "") or role_of_shape(p.shape), applies_to) for p in params]


def _coefficients(rule: type[Rule], h: Any, t: int, *carried: float) -> tuple[Any, dict[str, float]]:
    """The coefficients of step t and the carry after it. `carried`: the carry before it."""
    carry = dict(zip(rule.carry, carried, strict=True))
    return coefficient_record(rule.advance(h, t, carry)), carry


def _blank(rule: type[Rule], wrappers: Sequence[str]) -> RuleOptimizer:
    kind = as_torch(wrap(rule, *wrappers))
    return kind.__new__(kind)


_ARGUMENTS = (
    "    params: parameters, pairs of name and parameter, or groups: dicts of params and their settings",
    "    compile: whether to step by a compiled kernel (default None: unless STEEPEST_COMPILE is 0)",
)


@cache
def as_torch(rule: type[Rule]) -> type[RuleOptimizer]:
    """The `torch.optim.Optimizer` subclass of a rule: called with (params, lr=…, compile=…, **hyperparameters).

    Raises BadSetting for a rule that has a hyperparameter of that name.
    """
    if "compile" in _names(rule):
        raise BadSetting(
            f"{rule.__name__} has a hyperparameter named compile, which is an argument of every optimizer. Rename it."
        )
    keyword = inspect.Parameter.KEYWORD_ONLY
    usual = inspect.Parameter.POSITIONAL_OR_KEYWORD
    accepted = [inspect.Parameter("params", usual)] + [
        inspect.Parameter(name, usual if name == "lr" else keyword, default=default)
        for name, default in hyperparameters(rule).items()
    ]
    accepted.append(inspect.Parameter("compile", keyword, default=None))
    lines = [
        f"    {row['name']}: {row['meaning']} ({row['allowed']}; default {row['default']})"
        for row in describe_hyperparameters(rule)
    ]
    body = {
        "__module__": __name__,
        "__doc__": "\n".join([inspect.cleandoc(rule.__doc__ or ""), "", "Arguments:", *_ARGUMENTS, *lines]),
        "__signature__": inspect.Signature(accepted),
        "rule": rule,
    }
    return type(rule.__name__, (RuleOptimizer,), body)


_RULES = {item.rule.__name__: item.rule for item in CATALOGUE}


def __getattr__(name: str) -> type[RuleOptimizer]:
    name = CLASSES.get(name, name)
    if name in NO_CLASSES:
        raise AttributeError(f"steepest.optim has no {name}: {NO_CLASSES[name]}. Use torch.optim.{name}.")
    if name not in _RULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return as_torch(_RULES[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_RULES})


def build(
    optimizer: str | Entry | type[Rule],
    params: Params,
    lr: float | None = None,
    *,
    compile: bool | None = None,
    **settings: Setting,
) -> RuleOptimizer:
    """Build an optimizer from its name in the catalogue, its entry or its rule; without `lr`, at its default rate.

    `compile` as in `RuleOptimizer`. Raises UnknownName, BadSetting or BadInput.
    """
    chosen: dict[str, Any] = dict(settings) if lr is None else {**settings, "lr": lr}
    if isinstance(optimizer, str):
        optimizer = entry(optimizer)
    if isinstance(optimizer, Entry):
        rule, own = translated(optimizer.rule, chosen, may_change=False)
        maximize = own.pop("maximize", False)
        chosen = {**settings_of(optimizer, own), "maximize": maximize}
        optimizer = rule
    if not (isinstance(optimizer, type) and issubclass(optimizer, Rule)):
        raise BadInput(f'{optimizer!r} is not an optimizer. Pass its name, such as "adam", its entry or its rule.')
    return as_torch(optimizer)(params, compile=compile, **chosen)
