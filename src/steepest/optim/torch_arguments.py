"""The arguments of torch's own optimizers: what each is to a rule, so that a script may keep them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from steepest.errors import BadSetting
from steepest.optim.elementwise import (
    ASGD,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    NAdam,
    NAdamW,
    Nesterov,
    RAdam,
    RAdamW,
    RMSProp,
    RMSPropMomentum,
)
from steepest.optim.layerwise import Adafactor
from steepest.optim.matrix import Muon
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.wrappers import wrap


class Translated(NamedTuple):
    """What arguments of torch are here."""

    rule: type[Rule]
    """Another rule than asked for where torch has one class for several: SGD with a momentum is Momentum."""
    settings: dict[str, Any]


CLASSES = {"Adagrad": "AdaGrad", "RMSprop": "RMSProp"}
"""Classes of torch.optim under another name here."""

NO_CLASSES = {
    "LBFGS": "it evaluates the loss several times in a step, which a study cannot compare at equal cost",
    "SparseAdam": "the rules here treat a missing entry of a gradient as zero, and this one does not",
}
"""Classes of torch.optim that are none here, and why."""

WITHOUT_EFFECT = ("foreach", "fused")
"""How torch updates several parameters at once: one compiled loop does that here."""

UNSUPPORTED = {
    "capturable": "steps in a CUDA graph are not supported",
    "differentiable": "differentiating through a step is not supported",
    "ns_coefficients": "the coefficients of the Newton–Schulz steps cannot be changed",
    "ns_steps": "it always takes five Newton–Schulz steps",
}
PRESENT = {"ns_steps": 5, "ns_coefficients": (3.4445, -4.775, 2.0315)}
"""Values of those that are what happens anyway; of the others, False."""

PAIRS = {"betas": ("b1", "b2"), "etas": ("down", "up"), "step_sizes": ("least", "most")}

RENAMED: dict[type[Rule], dict[str, str]] = {
    AdaGrad: {"initial_accumulator_value": "initial_sum"},
    RMSProp: {"alpha": "b2"},
    NAdam: {"momentum_decay": "psi"},
    ASGD: {"lambd": "slope", "t0": "start"},
    Adafactor: {"d": "clip"},
}

LABELS = {"params", "param_names", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"} | {
    "maximize",
    "name",
    "lr_scale",
    "role",
}
"""Keys of a parameter group that are not settings: of torch and its schedulers, and labels in wide use."""


def translated(rule: type[Rule], arguments: Mapping[str, Any], *, may_change: bool = True) -> Translated:
    """The rule and settings that torch's arguments mean; those by our names stay as they are.

    may_change: whether another rule may take the place of `rule`. Raises BadSetting for an argument that has no meaning
    here, with what to write instead.
    """
    given = {name: value for name, value in arguments.items() if name not in WITHOUT_EFFECT}
    for name, reason in UNSUPPORTED.items():
        if name in given and name not in hyperparameters(rule):
            value = given.pop(name)
            if value and value != PRESENT.get(name):
                raise BadSetting(f"{rule.__name__} has {name}={value!r}: {reason}. Leave {name} out.")
    deciding, choose = VARIANTS.get(rule, ((), None))
    chosen = choose(given) if choose is not None and any(name in given for name in deciding) else rule
    if chosen is not rule and not may_change:
        raise BadSetting(
            f"A parameter group makes {rule.__name__} a {chosen.__name__}, but an optimizer has one rule. "
            f"Use {chosen.__name__} for all groups, with other settings in each."
        )
    return Translated(chosen, dict(_by_our_names(chosen, given)))


def _by_our_names(rule: type[Rule], given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    known = hyperparameters(rule)
    renamed = {old: new for base, names in RENAMED.items() if issubclass(rule, base) for old, new in names.items()}
    value: Any
    for name, value in given.items():
        ours = PAIRS.get(name, ())
        if name in known and not isinstance(value, (tuple, list)):
            yield name, value
        elif ours and set(ours) <= known.keys():
            if not (isinstance(value, (tuple, list)) and len(value) == len(ours)):
                raise BadSetting(f"{rule.__name__}: {name} is {value!r}; it must be a pair of numbers.")
            yield from zip(ours, value, strict=True)
        elif name in renamed:
            yield renamed[name], value
        elif issubclass(rule, Adafactor) and name == "beta2_decay":
            yield "power", -value  # type: ignore[operator]
        elif issubclass(rule, Adafactor) and name == "eps":
            yield from ((own, x) for own, x in zip(("eps", "eps2"), value, strict=True) if x is not None)
        elif issubclass(rule, Muon) and name == "adjust_lr_fn":
            yield "scale_by", {None: "shape", "original": "shape", "match_rms_adamw": "rms"}.get(value, value)
        else:
            yield name, value


# ---- classes of torch that are several rules here --------------------------------------------------------------------


def _sgd(given: dict[str, Any]) -> type[Rule]:
    nesterov, momentum, dampening = given.pop("nesterov", False), given.get("momentum", 0), given.get("dampening", 0)
    if nesterov and (not momentum or dampening):
        raise BadSetting(
            f"SGD has nesterov=True, momentum={momentum!r} and dampening={dampening!r}: Nesterov's method needs a "
            "momentum and no dampening."
        )
    if nesterov:
        given.pop("dampening", None)
        return Nesterov
    if momentum:
        return Momentum
    given.pop("momentum", None)
    given.pop("dampening", None)  # of the momentum
    return SGD


def _adam(given: dict[str, Any]) -> type[Rule]:
    is_decoupled, is_amsgrad = given.pop("decoupled_weight_decay", False), given.pop("amsgrad", False)
    return (
        _decoupled_amsgrad(given)
        if is_decoupled and is_amsgrad
        else (AMSGrad if is_amsgrad else AdamW if is_decoupled else Adam)
    )


def _adamw(given: dict[str, Any]) -> type[Rule]:
    return _decoupled_amsgrad(given) if given.pop("amsgrad", False) else AdamW


def _decoupled_amsgrad(given: dict[str, Any]) -> type[Rule]:
    given["decay"] = given.pop("weight_decay", hyperparameters(AdamW)["weight_decay"])
    return wrap(AMSGrad, "decay")


def _rmsprop(given: dict[str, Any]) -> type[Rule]:
    momentum, is_centred = given.get("momentum", 0), given.pop("centered", False)
    if not momentum and not is_centred:
        given.pop("momentum", None)
        return RMSProp
    # without momentum, torch multiplies by the rate before it divides, as the buffer form does
    given.update({"momentum": momentum, "centred": is_centred, "rate_at": "step" if momentum else "buffer"})
    return RMSPropMomentum


def _nadam(given: dict[str, Any]) -> type[Rule]:
    return NAdamW if given.pop("decoupled_weight_decay", False) else NAdam


def _radam(given: dict[str, Any]) -> type[Rule]:
    return RAdamW if given.pop("decoupled_weight_decay", False) else RAdam


VARIANTS: dict[type[Rule], tuple[tuple[str, ...], Callable[[dict[str, Any]], type[Rule]]]] = {
    SGD: (("momentum", "dampening", "nesterov"), _sgd),
    Adam: (("amsgrad", "decoupled_weight_decay"), _adam),
    AdamW: (("amsgrad",), _adamw),
    RMSProp: (("momentum", "centered"), _rmsprop),
    NAdam: (("decoupled_weight_decay",), _nadam),
    RAdam: (("decoupled_weight_decay",), _radam),
}
"""The arguments that choose the rule, and the choice, which removes those that the rule does not have."""


# ---- parameter groups ------------------------------------------------------------------------------------------------


class Group(dict[str, Any]):
    """A parameter group of a rule with b1 and b2 that also has them as `betas`, for torch's schedulers."""

    def __contains__(self, name: object) -> bool:
        return name == "betas" or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        return (self["b1"], self["b2"]) if name == "betas" else super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "betas":
            self["b1"], self["b2"] = value
        else:
            super().__setitem__(name, value)


def as_group(rule: type[Rule], group: dict[str, Any]) -> dict[str, Any]:
    """The group as a `Group`, if the rule has b1 and b2."""
    return Group(group) if {"b1", "b2"} <= hyperparameters(rule).keys() else group
