"""Which optimizer of Keras follows a rule, under which settings, and what differs where none does.

Keras multiplies by η before it keeps a velocity, adds ε where others do not, and knows decoupled weight decay only.
Formulas below are those of Keras 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from steepest.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, NAdamW
from steepest.optim.adaptive import Adadelta, AdaGrad, RMSProp, RMSPropMomentum
from steepest.optim.descent import SGD, AveragedMomentum, Momentum, Nesterov
from steepest.optim.equivalents.form import (
    CLIP_NOTE,
    Form,
    Framework,
    Grouped,
    Part,
    Rates,
    Table,
    call,
    inside_root,
    looked_up,
    row,
    scheduled,
)
from steepest.optim.equivalents.schedule_forms import ScheduleWords, schedule_words, short
from steepest.optim.layerwise import LAMB, Adafactor
from steepest.optim.matrix import Muon
from steepest.optim.parameter_groups import ParameterGroup
from steepest.optim.rule import Rule
from steepest.optim.schedule_free import ScheduleFreeAdamW
from steepest.optim.signs import Lion, Signum
from steepest.records.contender import Setting

EPS_HAT = "it adds ε to √v before v is corrected, so that the ε of the first steps is much larger"
EPS_INSIDE = "it adds ε inside the root"
RATE_INSIDE = "it multiplies by η as a gradient enters the velocity, so the path differs under a schedule"
TORCH_ALIAS = "on the torch backend it reads z after it has overwritten it, up to 3.15.1; on JAX it does not"
COUPLED = (
    "its weight_decay is decoupled and left out here; a coupled one is "
    "keras.regularizers.L2(λ/2) on every weight of the model"
)


def _form(
    name: str, h: Rule, *differs: tuple[bool, str], decay: str = "coupled", share: float = 1.0, **arguments: float
) -> Form:
    """A form with those differences whose condition holds. A weight decay is coupled unless said to be decoupled."""
    numbers = {key: value if isinstance(value, bool) else float(value) for key, value in arguments.items()}
    weight_decay = getattr(h, "weight_decay", 0.0)
    if decay == "decoupled" and weight_decay:
        numbers["weight_decay"] = float(weight_decay)
    found = [clause for holds, clause in (*differs, (decay == "coupled" and weight_decay != 0, COUPLED)) if holds]
    return Form((Part(name, numbers),), tuple(found), share)


def _momentum(h: Momentum, rates: Rates) -> Form:
    damped = (h.dampening != 0, "its velocity is not dampened")
    return _form("SGD", h, damped, _late_rate(h, rates), momentum=h.momentum)


def _averaged(h: AveragedMomentum, rates: Rates) -> Form:
    under_schedule = (not rates.is_steady and h.b1 != 0, RATE_INSIDE)
    return _form("SGD", h, under_schedule, share=1 - h.b1, momentum=h.b1)  # a velocity is 1/(1−β) times the average


def _adagrad(h: AdaGrad) -> Form:
    falls = (h.lr_decay != 0, "its rate does not fall by itself")
    return _form("Adagrad", h, _outside(h), falls, initial_accumulator_value=h.initial_sum, epsilon=inside_root(h))


def _rmsprop_momentum(h: RMSPropMomentum, rates: Rates) -> Form:
    given = {"rho": h.b2, "momentum": h.momentum, "epsilon": inside_root(h), "centered": h.centred}
    return _form("RMSprop", h, _outside(h), _late_rate(h, rates), **given)


def _adam(h: Adam, decay: str = "coupled", **more: bool) -> Form:
    corrects = (h.correction != "both", "it corrects both averages")
    eps_hat = (h.eps_at != "raw" and h.eps != 0, EPS_HAT)
    return _form("Adam", h, corrects, eps_hat, decay=decay, beta_1=h.b1, beta_2=h.b2, epsilon=h.eps, **more)


def _adamw(h: AdamW) -> Form:
    (adam,), found = (form := _adam(h, "decoupled")).parts, form.differs
    return Form((Part("AdamW", {"weight_decay": 0.0, **adam.arguments}),), found)  # its own default is not zero


def _adamax(h: Adamax) -> Form:
    inside = (h.eps_at == "inside" and h.eps != 0, "it adds ε to u as it is used, not as it is kept")
    return _form("Adamax", h, inside, beta_1=h.b1, beta_2=h.b2, epsilon=h.eps)


def _nadam(h: NAdam, decay: str = "coupled") -> Form:
    warms = (h.psi != 1, "the ψ of its momentum's warm-up is 1")
    return _form("Nadam", h, warms, decay=decay, beta_1=h.b1, beta_2=h.b2, epsilon=h.eps)


def _lamb(h: LAMB) -> Form:
    apart = (h.weight_decay != 0, "its weight_decay does not count in the ratio")
    vectors = (h.applies_to != "all", "it scales vectors too")
    return _form("Lamb", h, apart, vectors, decay="decoupled", beta_1=h.b1, beta_2=h.b2, epsilon=h.eps)


def _lion(h: Lion) -> Form | None:
    if h.b1 == 0:  # Keras refuses it
        return None
    return _form("Lion", h, decay="decoupled", beta_1=h.b1, beta_2=h.b2)


def _signum(h: Signum) -> Form | None:
    """Lion with one β: then the direction is the sign of the average that it keeps."""
    if h.b1 == 0:
        return None
    return _form("Lion", h, decay="decoupled", beta_1=h.b1, beta_2=h.b1)


def _adafactor(h: Adafactor) -> Form:
    decays = (h.weight_decay != 0, "it shrinks w before it takes its size")
    numbers = {"beta_2_decay": -h.power, "epsilon_1": 1e-30, "epsilon_2": h.eps2, "clip_threshold": h.clip}
    added = (True, "it adds 1e-30 to g² where v is held above ε²")
    sizes = (not h.relative, "its step is in proportion to the size of w")
    return _form("Adafactor", h, added, decays, sizes, decay="decoupled", **numbers)


def _muon(h: Muon) -> Form:
    shape = (h.scale_by != "rms", "it does not scale by the shape")
    eps_hat = (h.eps != 0, f"for parameters that are not matrices {EPS_HAT}")
    shared = (h.share != 1 and h.weight_decay != 0, "parameters that are not matrices shrink at the rate η")
    output = (h.applies_to == "hidden", "it moves the matrix of an output layer as a hidden one")
    form = _form(
        "Muon", h, shape, eps_hat, shared, output, decay="decoupled", momentum=h.momentum, nesterov=h.nesterov,
        adam_beta_1=h.b1, adam_beta_2=h.b2, epsilon=h.eps, adam_lr_ratio=h.share, adam_weight_decay=h.weight_decay,
    )  # fmt: skip
    return replace(form, note="It takes matrices only: kernels of convolutions and embeddings move as a vector does.")


def _schedule_free_adamw(h: ScheduleFreeAdamW, rates: Rates) -> Form:
    decays = (h.weight_decay != 0, "its decay shrinks w instead of z")
    weighs = (h.power != 0 or (h.rate_power != 0 and rates.rises), "every step has the same weight in the average")
    numbers = {"beta_1": h.b1, "beta_2": h.b2, "epsilon": h.eps}
    form = _form("ScheduleFreeAdamW", h, (True, TORCH_ALIAS), decays, weighs, decay="decoupled", **numbers)
    return replace(form, note="Keras evaluates at w, where it trains; the study evaluated at the average of the z.")


def _late_rate(h: Momentum | Nesterov | RMSPropMomentum, rates: Rates) -> tuple[bool, str]:
    return h.rate_at != "buffer" and h.momentum != 0 and not rates.is_steady, RATE_INSIDE


def _outside(h: AdaGrad | RMSProp) -> tuple[bool, str]:
    return h.eps != 0, EPS_INSIDE


FORMS: Table[Form] = Table(
    # w − η(g + λw) = (1 − ηλ)w − ηg: for plain descent they are the same
    row(SGD, lambda h: _form("SGD", h, decay="decoupled")),
    scheduled(Momentum, _momentum),
    scheduled(Nesterov, lambda h, rates: _form("SGD", h, _late_rate(h, rates), momentum=h.momentum, nesterov=True)),
    scheduled(AveragedMomentum, _averaged),
    row(AdaGrad, _adagrad),
    row(Adadelta, lambda h: _form("Adadelta", h, rho=h.rho, epsilon=h.eps)),
    row(RMSProp, lambda h: _form("RMSprop", h, _outside(h), rho=h.b2, epsilon=inside_root(h))),
    scheduled(RMSPropMomentum, _rmsprop_momentum),
    row(Adam, _adam),
    row(AdamW, _adamw),
    row(AMSGrad, lambda h: _adam(h, amsgrad=True)),
    row(Adamax, _adamax),
    row(NAdam, _nadam),
    row(NAdamW, lambda h: _nadam(h, "decoupled")),
    row(LAMB, _lamb),
    row(Lion, _lion),
    row(Signum, _signum),
    row(Adafactor, _adafactor),
    row(Muon, _muon),
    scheduled(ScheduleFreeAdamW, _schedule_free_adamw),
)


def _write(parts: tuple[Part, ...], rate: str) -> str:
    (part,) = parts
    return call(f"keras.optimizers.{part.name}", f"learning_rate={rate}", **part.arguments)


def _own_schedule(parts: ScheduleWords, rate: float) -> str:
    """The call of Keras' schedule without a warm-up; "" if it has none."""
    own = parts.numbers
    end = short(own.get("end", 0.0) * rate)
    match parts.decay:
        case "linear":
            return f"PolynomialDecay({rate!r}, horizon, end_learning_rate={end!r})"
        case "polynomial":
            return f"PolynomialDecay({rate!r}, horizon, end_learning_rate={end!r}, power={own['power']!r})"
        case "cosine":
            return f"CosineDecay({rate!r}, horizon, alpha={own['end']!r})"
        case "exponential" if end:
            return f"ExponentialDecay({rate!r}, horizon, {own['end']!r})"
    return ""


def _write_schedule(name: str, rate: float) -> Sequence[str]:
    parts = schedule_words(name)
    if not parts.is_warm and (made := _own_schedule(parts, rate)):
        return [f"rate = keras.optimizers.schedules.{made}"]
    return [
        *looked_up(name, rate),
        "",
        "",
        "class Rate(keras.optimizers.schedules.LearningRateSchedule):",
        "    def __call__(self, step):",
        "        table = keras.ops.convert_to_tensor(rates, dtype=keras.config.floatx())",
        "        return keras.ops.take(table, keras.ops.minimum(step, horizon))",
        "",
        "    def get_config(self):",
        "        return {}",
        "",
        "",
        "rate = Rate()",
    ]


def _clip(form: Form, wrapper: str, limit: float) -> Form:
    (part,) = form.parts
    name = {"clip-norm": "global_clipnorm", "clip-value": "clipvalue"}[wrapper]
    note = " ".join(filter(None, (form.note, CLIP_NOTE if wrapper == "clip-norm" else "")))
    return replace(form, parts=(replace(part, arguments={**part.arguments, name: limit}),), note=note)


NO_DECAY = {"vectors": "len(v.shape) < 2", "matrices": "len(v.shape) >= 2"}


def _group(
    groups: Sequence[ParameterGroup], form_with: Callable[[Mapping[str, Setting]], Form | None], rate: str
) -> Grouped | None:
    """Keras can exempt variables from a decoupled weight decay, and has no other settings of their own for them."""
    usual = form_with({})
    decays = usual is not None and "weight_decay" in usual.parts[0].arguments
    if not decays or any(group.selector not in NO_DECAY or group.settings != {"weight_decay": 0} for group in groups):
        return None
    conditions = dict.fromkeys(NO_DECAY[group.selector] for group in groups)
    return Grouped(
        after=[
            f"optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if {condition}])"
            for condition in conditions
        ]
    )


KERAS = Framework(
    "Keras",
    "import keras",
    FORMS,
    _write,
    "steps_per_epoch * epochs",
    _write_schedule,
    "the callback keras.callbacks.ReduceLROnPlateau",
    _clip,
    _group,
)
