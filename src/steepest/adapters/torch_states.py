"""The `state_dict` of torch's own optimizers, taken and given: what each of its settings and states is to a rule."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steepest.errors import BadInput
from steepest.optim.elementwise import ASGD, SGD, Adadelta, AdaGrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSProp, Rprop
from steepest.optim.equivalents.torch_forms import torch_form
from steepest.optim.layerwise import Adafactor
from steepest.optim.matrix import MuonBfloat16
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.torch_arguments import LABELS, translated

StateDict = dict[str, Any]
Held = Mapping[str, Any]


class TorchClass(NamedTuple):
    """A class of torch.optim."""

    base: type[Rule]
    """The rule that its arguments are given to."""
    states: Mapping[str, str]
    """Our name of a state → torch's. What a variant does not have is left out."""
    counts: bool = True
    """Whether the state of a parameter has its number of steps."""


_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
TORCH_CLASSES: Mapping[str, TorchClass] = {
    "SGD": TorchClass(SGD, {"v": "momentum_buffer"}, counts=False),
    "Adagrad": TorchClass(AdaGrad, {"G": "sum"}),
    "RMSprop": TorchClass(RMSProp, {"v": "square_avg", "a": "grad_avg", "b": "momentum_buffer"}),
    "Adam": TorchClass(Adam, {**_MOMENTS, "u": "max_exp_avg_sq"}),
    "AdamW": TorchClass(AdamW, {**_MOMENTS, "u": "max_exp_avg_sq"}),
    "Adamax": TorchClass(Adamax, {"m": "exp_avg", "u": "exp_inf"}),
    "NAdam": TorchClass(NAdam, {**_MOMENTS, "product": "mu_product"}),
    "RAdam": TorchClass(RAdam, _MOMENTS),
    "Adadelta": TorchClass(Adadelta, {"v": "square_avg", "u": "acc_delta"}),
    "ASGD": TorchClass(ASGD, {"x": "ax"}),
    "Rprop": TorchClass(Rprop, {"p": "prev", "s": "step_size"}),
    "Adafactor": TorchClass(Adafactor, {"r": "row_var", "c": "col_var", "v": "variance"}),
    "Muon": TorchClass(MuonBfloat16, {"m": "momentum_buffer"}, counts=False),
}
_MAY_BE_ABSENT = {"RMSprop": ("a", "b"), "Adafactor": ("r", "c", "v"), "Muon": ("v",)}
"""States that torch leaves out where a setting or a shape has no use for them; they are zeros or empty then."""
_ONLY_TORCHS = ("foreach", "fused", "differentiable", "capturable", "ns_steps", "alpha", "betas", "etas")
"""Settings of which each class of torch has one or more, and which no rule has under this name, but ASGD's alpha."""


def is_torchs(rule: type[Rule], state_dict: Held) -> bool:
    """Whether a `state_dict` is of an optimizer of torch's own."""
    groups = state_dict["param_groups"]
    known = hyperparameters(rule).keys()
    return bool(groups) and all(any(name in group and name not in known for name in _ONLY_TORCHS) for group in groups)


# ---- from torch ------------------------------------------------------------------------------------------------------


def from_torch(rule: type[Rule], state_dict: Held) -> tuple[type[Rule], StateDict]:
    """The rule that the settings mean, a variant of `rule` such as SGD with a momentum, and our `state_dict`. Raises
    BadInput for one of another class, and for what has no form here.
    """
    name = class_name(rule)
    there = TORCH_CLASSES[name]
    meant: list[type[Rule]] = []
    groups: list[StateDict] = []
    for group in state_dict["param_groups"]:
        kept = {key: value for key, value in group.items() if key in LABELS}
        given = {key: value for key, value in group.items() if key not in LABELS}
        known = signature(getattr(torch.optim, name)).parameters.keys() | {"decoupled_weight_decay"}
        if unknown := [key for key in given if key not in known]:
            raise BadInput(
                f"This state has {unknown[0]}, which torch.optim.{name} has not: it was saved by another optimizer. "
                "Load it into the class that saved it."
            )
        found, settings = translated(there.base, given)
        meant.append(found)
        groups.append({**hyperparameters(found), **settings, **kept})
    if len(set(meant)) > 1:
        raise BadInput(
            f"The parameter groups of this state make torch.optim.{name} a {meant[0].__name__} and a "
            f"{meant[-1].__name__}, but an optimizer has one rule here."
        )
    chosen = meant[0]
    owners = {place: group for group in groups for place in group["params"]}
    if strange := [place for place in state_dict["state"] if place not in owners]:
        raise BadInput(f"This state has a parameter {strange[0]!r}, which none of its groups names: it is damaged.")
    states = {
        place: found
        for place, state in state_dict["state"].items()
        if (found := _state_from_torch(name, there, chosen, state, owners[place])) is not None
    }
    return chosen, {**state_dict, "state": states, "param_groups": groups}


def _state_from_torch(name: str, there: TorchClass, rule: type[Rule], state: Held, group: Held) -> StateDict | None:
    """Our state of a parameter; None before its first step."""
    steps = int(state["step"]) if "step" in state else 1
    if not steps or not any(isinstance(value, Tensor) for value in state.values()):
        return None
    found: StateDict = {"step": steps}
    like = next(value for value in state.values() if isinstance(value, Tensor) and value.ndim) if rule.state else None
    for ours in rule.state:
        value = state.get(there.states.get(ours, ""))
        if value is None and ours not in _MAY_BE_ABSENT.get(name, ()):
            raise BadInput(
                f"This state has no {there.states.get(ours, ours)}: it was not saved by torch.optim.{name} with these "
                "settings. Load it into the optimizer that saved it."
            )
        if value is None:
            assert like is not None
            is_empty = issubclass(rule, (Adafactor, MuonBfloat16))
            value = like.new_empty(0) if is_empty else torch.zeros_like(like)
        found[ours] = value
    if "product" in rule.carry:
        found["product"] = float(state["mu_product"])
    if "rate_before" in rule.carry:
        found["rate_before"] = float(group["lr"])
    return found


# ---- to torch --------------------------------------------------------------------------------------------------------


def class_name(rule: type[Rule]) -> str:
    """The class of torch.optim of which a rule is a variant. Raises BadInput if there is none."""
    form = torch_form(rule, hyperparameters(rule))
    if form is not None:
        return form.name
    if issubclass(rule, MuonBfloat16):
        return "Muon"
    if rule.__name__ == "RMSPropMomentum":
        return "RMSprop"
    if rule.__name__ == "AMSGradDecoupledDecay":
        return "AdamW"
    raise BadInput(
        f"torch.optim has no class that does what {rule.__name__} does, so this state has no form there. Use "
        "state_dict and load_state_dict of this class."
    )


def to_torch(rule: type[Rule], groups: Sequence[Held], states: Mapping[Tensor, Held]) -> StateDict:
    """The `state_dict` of the class of torch.optim that does the same. Raises BadInput if there is none."""
    name, places = class_name(rule), {}
    there, kind = TORCH_CLASSES[name], getattr(torch.optim, name)
    found: StateDict = {"state": {}, "param_groups": []}
    for group in groups:
        defaults = kind([torch.nn.Parameter(torch.zeros(1, 1))], **_arguments(name, rule, group)).defaults
        labels = {key: value for key, value in group.items() if key in LABELS and key not in ("params", "role")}
        for p in group["params"]:
            places[p] = len(places)
            if state := states.get(p):
                found["state"][places[p]] = _state_to_torch(there, rule, state, defaults, group)
        numbers = [places[p] for p in group["params"]]
        found["param_groups"].append({**defaults, **labels, "lr": group["lr"], "params": numbers})
    return found


def _arguments(name: str, rule: type[Rule], group: Held) -> StateDict:
    """The arguments of torch's class for a group, without its rate."""
    settings = {key: group[key] for key in hyperparameters(rule)}
    if name == "Muon":
        scale = {"shape": "original", "rms": "match_rms_adamw"}[settings["scale_by"]]
        return {**{key: settings[key] for key in ("momentum", "nesterov", "weight_decay")}, "adjust_lr_fn": scale}
    if rule.__name__ == "AMSGradDecoupledDecay":
        betas = (settings["b1"], settings["b2"])
        return {"betas": betas, "eps": settings["eps"], "weight_decay": settings["decay"], "amsgrad": True}
    form = torch_form(rule, {**settings, "lr": float(settings["lr"])})
    if form is None:
        raise BadInput(f"torch.optim.{name} cannot do what {rule.__name__} does with these settings.")
    return dict(form.arguments)


def _state_to_torch(there: TorchClass, rule: type[Rule], state: Held, defaults: Held, group: Held) -> StateDict:
    kind = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    unused = {"a": not defaults.get("centered"), "b": not defaults.get("momentum")} if there.base is RMSProp else {}
    found: StateDict = {"step": torch.tensor(float(state["step"]), dtype=kind)} if there.counts else {}
    for ours in rule.state:
        if ours in there.states and state[ours].numel() and not unused.get(ours):
            found[there.states[ours]] = state[ours]
    if "product" in rule.carry:
        found["mu_product"] = torch.tensor(state["product"], dtype=kind)
    if "rate_before" in rule.carry:  # torch keeps the rate and share of the next step
        steps, rate = state["step"], float(state["rate_before"])
        eta = rate / (1 + group["slope"] * rate * steps) ** group["alpha"]
        found |= {
            "eta": torch.tensor(eta, dtype=kind),
            "mu": torch.tensor(1 / max(1, steps - group["start"]), dtype=kind),
        }
    return found
