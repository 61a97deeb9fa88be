"""What a rule is called in `torch.optim`, wherever that does the same on CPU: bit for bit, or as `is_exact` says.

The tests hold every row of this table against torch; the code that users paste is written from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
from steepest.optim.equivalents.form import Argument, Table, row
from steepest.optim.layerwise import Adafactor
from steepest.optim.rule import Rule
from steepest.records.contender import Setting


@dataclass(frozen=True)
class TorchForm:
    """A class of `torch.optim` and its arguments, without parameters and rate."""

    name: str
    arguments: Mapping[str, Argument]
    is_exact: bool = True
    """Whether the bits are the same; else torch rounds some scalars to the default dtype, and last digits differ."""


def torch_form(rule: type[Rule], settings: Mapping[str, Setting]) -> TorchForm | None:
    """What torch calls `rule` with these (complete) settings; None if it has no such form."""
    return FORMS.form(rule, settings)


def _momentum(h: Momentum) -> TorchForm | None:
    if h.rate_at != "step" or (h.momentum == 0 and h.dampening != 0):  # without momentum torch ignores dampening
        return None
    return TorchForm("SGD", {"momentum": h.momentum, "dampening": h.dampening, "weight_decay": h.weight_decay})


def _nesterov(h: Nesterov) -> TorchForm | None:
    if h.rate_at != "step":
        return None
    if h.momentum == 0:  # torch refuses nesterov=True there
        return TorchForm("SGD", {"weight_decay": h.weight_decay})
    return TorchForm("SGD", {"momentum": h.momentum, "nesterov": True, "weight_decay": h.weight_decay})


def _adagrad(h: AdaGrad) -> TorchForm | None:
    if h.eps_root != 0:
        return None
    return TorchForm(
        "Adagrad",
        {
            "lr_decay": h.lr_decay,
            "weight_decay": h.weight_decay,
            "initial_accumulator_value": h.initial_sum,
            "eps": h.eps,
        },
    )


def _rmsprop(h: RMSProp) -> TorchForm | None:
    if h.eps_root != 0:
        return None
    return TorchForm("RMSprop", {"alpha": h.b2, "eps": h.eps, "weight_decay": h.weight_decay})


def _rmsprop_momentum(h: RMSPropMomentum) -> TorchForm | None:
    plain = _rmsprop(h)
    # Without momentum torch scales by the rate before it divides, as the buffer form does here.
    if plain is None or (h.rate_at == "buffer") != (h.momentum == 0):
        return None
    return TorchForm("RMSprop", {**plain.arguments, "momentum": h.momentum, "centered": h.centred})


def _adam(h: Adam) -> TorchForm | None:
    if h.correction != "both" or h.eps_at != "corrected":
        return None
    return TorchForm("Adam", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _adamw(h: AdamW) -> TorchForm | None:
    plain = _adam(h)
    return plain and TorchForm("AdamW", plain.arguments)


def _amsgrad(h: AMSGrad) -> TorchForm | None:
    plain = _adam(h)
    return plain and TorchForm("Adam", {**plain.arguments, "amsgrad": True})


def _adamax(h: Adamax) -> TorchForm | None:
    if h.eps_at != "inside":
        return None
    return TorchForm("Adamax", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _nadam(h: NAdam) -> TorchForm:
    arguments = {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay, "momentum_decay": h.psi}
    return TorchForm("NAdam", arguments, is_exact=False)


def _radam(h: RAdam) -> TorchForm | None:
    if h.threshold != 5:
        return None
    return TorchForm("RAdam", {"betas": (h.b1, h.b2), "eps": h.eps, "weight_decay": h.weight_decay})


def _radamw(h: RAdamW) -> TorchForm | None:
    plain = _radam(h)
    return plain and TorchForm("RAdam", {**plain.arguments, "decoupled_weight_decay": True})


def _asgd(h: ASGD) -> TorchForm:
    arguments = {"lambd": h.slope, "alpha": h.alpha, "t0": h.start, "weight_decay": h.weight_decay}
    return TorchForm("ASGD", arguments, is_exact=False)


def _adafactor(h: Adafactor) -> TorchForm | None:
    if not h.relative:
        return None
    arguments = {"beta2_decay": -h.power, "eps": (h.eps, h.eps2), "d": h.clip, "weight_decay": h.weight_decay}
    return TorchForm("Adafactor", arguments, is_exact=False)


FORMS: Table[TorchForm] = Table(
    row(SGD, lambda h: TorchForm("SGD", {"weight_decay": h.weight_decay})),
    row(Momentum, _momentum),
    row(Nesterov, _nesterov),
    row(AdaGrad, _adagrad),
    row(RMSProp, _rmsprop),
    row(RMSPropMomentum, _rmsprop_momentum),
    row(Adam, _adam),
    row(AdamW, _adamw),
    row(AMSGrad, _amsgrad),
    row(Adamax, _adamax),
    row(NAdam, _nadam),
    row(NAdamW, lambda h: TorchForm("NAdam", {**_nadam(h).arguments, "decoupled_weight_decay": True}, is_exact=False)),
    row(RAdam, _radam),
    row(RAdamW, _radamw),
    row(Adadelta, lambda h: TorchForm("Adadelta", {"rho": h.rho, "eps": h.eps, "weight_decay": h.weight_decay})),
    row(ASGD, _asgd),
    row(Rprop, lambda h: TorchForm("Rprop", {"etas": (h.down, h.up), "step_sizes": (h.least, h.most)})),
    row(Adafactor, _adafactor),
)
