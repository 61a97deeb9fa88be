"""How a rule is said in plain PyTorch, wherever `torch.optim` does the same on CPU: bit for bit, or as `is_exact` says.

The tests hold every row of this table against torch; the code that users paste is written from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from steepest.optim.elementwise import (
    ASGD,
    SGD,
    Adadelta,
    AdaGrad,
    Adam,
    Adamax,
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
    Rprop,
)
from steepest.optim.layerwise import Adafactor
from steepest.optim.rule import Rule
from steepest.records.contender import Setting


@dataclass(frozen=True)
class Stock:
    """A class of `torch.optim` and its arguments, without parameters and rate."""

    name: str
    arguments: Mapping[str, Any]
    is_exact: bool = True
    """Whether the bits are the same; else torch rounds some scalars to the default dtype, and last digits differ."""


def stock(rule: type[Rule], settings: Mapping[str, Setting]) -> Stock | None:
    """What torch calls `rule` with these (complete) settings; None if it has no such form."""
    return _STOCK[rule](SimpleNamespace(**settings)) if rule in _STOCK else None


def _sgd(h: Any) -> Stock:
    return Stock("SGD", {"weight_decay": h.weight_decay})


def _momentum(h: Any) -> Stock | None:
    if h.rate_at != "step" or (h.momentum == 0 and h.dampening != 0):  # without momentum torch ignores dampening
        return None
    return Stock("SGD", {"momentum": h.momentum, "dampening": h.dampening, "weight_decay": h.weight_decay})


def _nesterov(h: Any) -> Stock | None:
    if h.rate_at != "step":
        return None
    if h.momentum == 0:  # torch refuses nesterov=True there
        return _sgd(h)
    return Stock("SGD", {"momentum": h.momentum, "nesterov": True, "weight_decay": h.weight_decay})


def _adagrad(h: Any) -> Stock | None:
    if h.eps_root != 0:
        return None
    return Stock(
        "Adagrad",
        {
            "lr_decay": h.lr_decay,
            "weight_decay": h.weight_decay,
            "initial_accumulator_value": h.initial_sum,
            "eps": h.eps,
        },
    )


def _rmsprop(h: Any) -> Stock | None:
    if h.eps_root != 0:
        return None
    return Stock("RMSprop", {"alpha": h.b2, "eps": h.eps, "weight_decay": h.weight_decay})


def _rmsprop_momentum(h: Any) -> Stock | None:
    plain = _rmsprop(h)
    # Without momentum torch scales by the rate before it divides, as the buffer form does here.
    if plain is None or (h.rate_at == "buffer") != (h.momentum == 0):
        return None
    return Stock("RMSprop", {**plain.arguments, "momentum": h.momentum, "centered": h.centred})


def _adam(h: Any) -> Stock | None:
    if h.correction != "both" or h.eps_at != "corrected":
        return None
    return Stock("Adam", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _adamw(h: Any) -> Stock | None:
    plain = _adam(h)
    return plain and Stock("AdamW", plain.arguments)


def _amsgrad(h: Any) -> Stock | None:
    plain = _adam(h)
    return plain and Stock("Adam", {**plain.arguments, "amsgrad": True})


def _adamax(h: Any) -> Stock | None:
    if h.eps_at != "inside":
        return None
    return Stock("Adamax", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _nadam(h: Any) -> Stock:
    arguments = {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay, "momentum_decay": h.psi}
    return Stock("NAdam", arguments, is_exact=False)


def _nadamw(h: Any) -> Stock:
    return Stock("NAdam", {**_nadam(h).arguments, "decoupled_weight_decay": True}, is_exact=False)


def _radam(h: Any) -> Stock | None:
    if h.threshold != 5:
        return None
    return Stock("RAdam", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _radamw(h: Any) -> Stock | None:
    plain = _radam(h)
    return plain and Stock("RAdam", {**plain.arguments, "decoupled_weight_decay": True})


def _adadelta(h: Any) -> Stock:
    return Stock("Adadelta", {"rho": h.rho, "eps": h.eps, "weight_decay": h.weight_decay})


def _asgd(h: Any) -> Stock:
    arguments = {"lambd": h.slope, "alpha": h.alpha, "t0": h.start, "weight_decay": h.weight_decay}
    return Stock("ASGD", arguments, is_exact=False)


def _rprop(h: Any) -> Stock:
    return Stock("Rprop", {"etas": (h.down, h.up), "step_sizes": (h.least, h.most)})


def _adafactor(h: Any) -> Stock:
    arguments = {"beta2_decay": -h.power, "eps": (h.eps, h.eps2), "d": h.clip, "weight_decay": h.weight_decay}
    return Stock("Adafactor", arguments, is_exact=False)


_STOCK: dict[type[Rule], Callable[[Any], Stock | None]] = {
    SGD: _sgd,
    Momentum: _momentum,
    Nesterov: _nesterov,
    AdaGrad: _adagrad,
    RMSProp: _rmsprop,
    RMSPropMomentum: _rmsprop_momentum,
    Adam: _adam,
    AdamW: _adamw,
    ASGD: _asgd,
    Rprop: _rprop,
    Adadelta: _adadelta,
    AMSGrad: _amsgrad,
    Adamax: _adamax,
    NAdam: _nadam,
    NAdamW: _nadamw,
    RAdam: _radam,
    RAdamW: _radamw,
    Adafactor: _adafactor,
}
