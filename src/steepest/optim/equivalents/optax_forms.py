"""Which optimizer of Optax, or chain of its transformations, follows a rule, and what differs where none does.

A chain says most rules exactly: where η enters a velocity, a coupled decay, the place of an ε beside or in the root.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from steepest.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, NAdamW, RAdam, RAdamW
from steepest.optim.adaptive import Adadelta, AdaGrad, RMSProp, RMSPropMomentum
from steepest.optim.descent import SGD, AveragedMomentum, Momentum, Nesterov
from steepest.optim.equivalents.form import (
    CLIP_NOTE,
    Argument,
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
from steepest.optim.layerwise import LAMB, LARS, Adafactor
from steepest.optim.matrix import Muon
from steepest.optim.modelwide import DAdaptAdam, DoG, DoWG, Prodigy
from steepest.optim.moments import AdaBelief, Adan, AdEMAMix, Yogi
from steepest.optim.parameter_groups import SCALE, ParameterGroup
from steepest.optim.rule import Rule
from steepest.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from steepest.optim.signs import Lion, Rprop, SignSGD, Signum
from steepest.optim.successors import ADOPT
from steepest.records.contender import Setting

EPS_CORRECTED = "it adds ε to the root of the corrected v"
RATE = Part("scale_by_learning_rate")
STEADY_PSI = 1000
"""From here on NAdam's μ, 1 − ½·0.96^ψ of β₁ at first, is β₁ to the last bit of float64."""


_HasMoments = Adam | Adamax | NAdam | RAdam | AdaBelief | Yogi | AdEMAMix | LAMB | ADOPT
"""Rules that keep averages of g and g² as Adam does."""


def _form(h: Rule, *parts: Part, differs: Sequence[tuple[bool, str]] = ()) -> Form:
    """A chain behind the rule's coupled weight decay, with those differences whose condition holds."""
    decay = _decay(getattr(h, "weight_decay", 0.0))
    return Form((*decay, *parts), tuple(clause for holds, clause in differs if holds))


def _decay(value: float) -> tuple[Part, ...]:
    return (_part("add_decayed_weights", weight_decay=value),) if value else ()


def _part(name: str, **arguments: Argument) -> Part:
    """A transformation without a rate."""
    return Part(name, arguments, takes_rate=False)


def _velocity(h: Momentum | Nesterov, *differs: tuple[bool, str], **more: bool) -> Form:
    if h.rate_at == "buffer":
        return _form(h, RATE, _part("trace", decay=h.momentum, **more), differs=differs)
    return _form(h, Part("sgd", {"momentum": h.momentum, **more}), differs=differs)


def _sign_sgd(h: SignSGD) -> Form:
    if h.weight_decay == 0:
        return Form((Part("sign_sgd"),))
    return Form((_part("scale_by_sign"), *_decay(h.weight_decay), RATE))


def _signum(h: Signum) -> Form:
    if h.weight_decay == 0:
        return Form((Part("signum", {"beta": h.b1}),))
    return Form((_part("ema", decay=h.b1, debias=False), _part("scale_by_sign"), *_decay(h.weight_decay), RATE))


def _rprop(h: Rprop, rates: Rates) -> Form | None:
    if not rates.is_steady:  # rprop takes no schedule
        return None
    limits = {"eta_minus": h.down, "eta_plus": h.up, "min_step_size": h.least, "max_step_size": h.most}
    return Form((Part("rprop", limits),), ("it takes every step one gradient late and starts with no step",))


def _adagrad(h: AdaGrad) -> Form:
    outside = (h.eps != 0, "it adds ε inside the root")
    falls = (h.lr_decay != 0, "its rate does not fall by itself")
    given = {"initial_accumulator_value": h.initial_sum, "eps": inside_root(h)}
    return _form(h, Part("adagrad", given), differs=[outside, falls])


def _rmsprop(h: RMSProp) -> Form:
    given, twice = _scaling(h)
    return _form(h, Part("rmsprop", given), differs=[twice])


def _rmsprop_momentum(h: RMSPropMomentum) -> Form:
    given, twice = _scaling(h)
    if h.rate_at == "buffer":
        both = {**given, "centered": h.centred, "momentum": h.momentum}
        return _form(h, Part("rmsprop", both), differs=[twice])
    scaling = _part("scale_by_stddev" if h.centred else "scale_by_rms", **given)
    return _form(h, scaling, _part("trace", decay=h.momentum), RATE, differs=[twice])


def _scaling(h: RMSProp) -> tuple[dict[str, float], tuple[bool, str]]:
    """The arguments of a root mean square, and what differs."""
    twice = (h.eps != 0 and h.eps_root != 0, "it has a single ε, inside or outside the root")
    return {"decay": h.b2, "eps": h.eps_root or h.eps, "eps_in_sqrt": h.eps_root != 0}, twice


def _adamw(h: AdamW) -> Form:
    found = tuple(clause for holds, clause in _adam_differs(h) if holds)
    return Form((Part("adamw", {**_moments(h), "weight_decay": h.weight_decay}),), found)


def _amsgrad(h: AMSGrad) -> Form:
    if h.correction == "none":
        plain = {**_moments(h), "bias_correction_mu": False, "bias_correction_nu": False}
        return _form(h, Part("amsgrad", plain))
    largest = (True, "it keeps the largest of the corrected v, not of v")
    return _form(h, Part("amsgrad", _moments(h)), differs=[largest, *_adam_differs(h)])


def _adamax(h: Adamax) -> Form:
    outside = (h.eps_at == "outside" and h.eps != 0, "it adds ε to |g| as u is kept, not as it is used")
    return _form(h, Part("adamax", _moments(h)), differs=[outside])


def _nadamw(h: NAdamW) -> Form:
    found = tuple(clause for holds, clause in [_warms(h)] if holds)
    return Form((Part("nadamw", {**_moments(h), "weight_decay": h.weight_decay}),), found)


def _radam(h: RAdam) -> Form:
    eps = (h.eps != 0, EPS_CORRECTED)
    return _form(h, Part("radam", {**_moments(h), "threshold": h.threshold}), differs=[eps])


def _adabelief(h: AdaBelief) -> Form:
    given = {**_moments(h), "eps_root": h.eps_root}
    if h.weight_decay == 0:
        return Form((Part("adabelief", given),))
    return Form((_part("scale_by_belief", **given), *_decay(h.weight_decay), RATE))


def _yogi(h: Yogi) -> Form:
    starts = () if h.initial_mean == h.initial_square == 1e-6 else ("both of its averages start at 1e-6",)
    if h.weight_decay == 0:
        return Form((Part("yogi", _moments(h)),), starts)
    return Form((_part("scale_by_yogi", **_moments(h)), *_decay(h.weight_decay), RATE), starts)


def _ademamix(h: AdEMAMix) -> Form:
    given = {**_moments(h), "b3": h.b3, "alpha": h.alpha, "weight_decay": h.weight_decay}
    rises = ("its α and β₃ do not rise by themselves",) if h.warmup > 1 else ()
    return Form((Part("contrib.ademamix", given),), rises)


def _adopt(h: ADOPT) -> Form:
    limit = (h.power != 0.25, "it holds g/√v within (t−1)^¼")
    found = tuple(clause for holds, clause in [limit] if holds)
    if h.weight_decay == 0:
        return Form((Part("contrib.adopt", _moments(h)),), found)
    first = "its decay also shrinks w in the first step"
    return Form((_part("contrib.scale_by_adopt", **_moments(h)), *_decay(h.weight_decay), RATE), (*found, first))


def _lars(h: LARS) -> Form:
    given = {"weight_decay": h.weight_decay, "trust_coefficient": h.trust, "momentum": h.momentum}
    below = (h.weight_decay != 0, "its ratio has ‖g + λw‖ below, not ‖g‖ + λ‖w‖")
    vectors = (h.applies_to != "all", "it scales vectors too")
    return Form((Part("lars", given),), tuple(clause for holds, clause in (below, vectors) if holds))


def _lamb(h: LAMB) -> Form:
    vectors = ("it scales vectors too",) if h.applies_to != "all" else ()
    return Form((Part("lamb", {**_moments(h), "weight_decay": h.weight_decay}),), vectors)


def _radamw(h: RAdamW) -> Form:
    scaling = _part("scale_by_radam", **_moments(h), threshold=h.threshold)
    eps = (EPS_CORRECTED,) if h.eps != 0 else ()
    return Form((scaling, *_decay(h.weight_decay), RATE), eps)


def _adan(h: Adan) -> Form:
    weighs = (h.b2 != 0.5, "it weighs the change of the gradient by 1 − β₂, not by β₂")
    decays = (h.weight_decay != 0, "its decay does not divide w")
    given = {"b1": h.b1, "b2": h.b2, "b3": h.b3, "eps": h.eps, "eps_root": 0.0, "weight_decay": h.weight_decay}
    return Form((Part("adan", given),), tuple(clause for holds, clause in (weighs, decays) if holds))


def _adafactor(h: Adafactor) -> Form:
    added = "it adds 1e-30 to g² where v is held above ε², and does not hold η below 1/√t"
    sizes = (h.eps2 != 1e-3, "the lower bound of the size of w is 1e-3")
    decays = (h.weight_decay != 0, "its decay is left out here: it is not multiplied by η")
    given = {"min_dim_size_to_factor": 2, "decay_rate": h.power, "clipping_threshold": h.clip}
    if not h.relative:
        given["multiply_by_parameter_scale"] = False
    return Form((Part("adafactor", given),), (added, *(clause for holds, clause in (sizes, decays) if holds)))


def _muon(h: Muon) -> Form:
    ahead = (
        h.nesterov,
        "it corrects m for its start at zero before it looks ahead, also for parameters that are not matrices",
    )
    adam = (h.eps != 1e-8, "ε is 1e-8 for parameters that are not matrices")
    shared = (h.share != 1, "parameters that are not matrices move at the rate η")
    roles = (h.applies_to == "hidden", "it moves embeddings and output layers as hidden ones")
    width = (h.scale_by != "rms", "its scale by the shape is that of the transposed matrix")
    given: dict[str, float] = {
        "beta": h.momentum,
        "nesterov": h.nesterov,
        "weight_decay": h.weight_decay,
        "adam_weight_decay": h.weight_decay,
        "adam_b1": h.b1,
        "adam_b2": h.b2,
    }
    if h.scale_by == "rms":
        given["consistent_rms"] = 0.2
    found = tuple(clause for holds, clause in (ahead, adam, shared, width, roles) if holds)
    return Form((Part("contrib.muon", given),), found, note="It takes matrices only, and other kernels as a vector.")


EVALUATE_AVERAGE = (
    "Evaluate at optax.contrib.schedule_free_eval_params(state, params), the average at which the study did."
)


def _schedule_free(name: str, h: ScheduleFreeSGD, rates: Rates, **numbers: float) -> Form:
    weighs = (h.power != 0, "the weight of a step in the average does not rise with t")
    ahead = (rates.rises and h.rate_power != 0, "the weight of a step in the average is of the rate after it")
    given = {"b1": h.b1, **numbers, "weight_decay": h.weight_decay, "weight_lr_power": h.rate_power}
    found = tuple(clause for holds, clause in (weighs, ahead) if holds)
    return Form((Part(f"contrib.{name}", given),), found, note=EVALUATE_AVERAGE)


def _prodigy(h: Prodigy) -> Form:
    given = {
        "betas": (h.b1, h.b2),
        "beta3": h.b3 or h.b2**0.5,
        "eps": h.eps,
        "estim_lr0": h.d0,
        "estim_lr_coef": h.growth,
        "weight_decay": h.weight_decay,
        "safeguard_warmup": h.safeguard,
    }
    return Form((Part("contrib.prodigy", given),), () if h.correction else ("it corrects both averages",))


def _d_adapt_adam(h: DAdaptAdam) -> Form | None:
    if h.eps == 0:  # it divides zero by zero in the first step
        return None
    given = {"betas": (h.b1, h.b2), "eps": h.eps, "estim_lr0": h.d0}
    corrects = () if h.correction else ("it corrects both averages",)
    return Form((*_decay(h.weight_decay), Part("contrib.dadapt_adamw", given)), corrects)


def _moments(h: _HasMoments) -> dict[str, float]:
    return {"b1": h.b1, "b2": h.b2, "eps": h.eps}


def _adam_differs(h: Adam) -> list[tuple[bool, str]]:
    raw = h.eps_at == "raw" and h.eps != 0 and h.correction == "both"
    return [(h.correction != "both", "it corrects both averages"), (raw, EPS_CORRECTED)]


def _warms(h: NAdam) -> tuple[bool, str]:
    return h.psi < STEADY_PSI, "its momentum μ is constant, without a warm-up"


FORMS: Table[Form] = Table(
    row(SGD, lambda h: _form(h, Part("sgd"))),
    row(Momentum, lambda h: _velocity(h, (h.dampening != 0, "its velocity is not dampened"))),
    row(Nesterov, lambda h: _velocity(h, nesterov=True)),
    row(AveragedMomentum, lambda h: _form(h, _part("ema", decay=h.b1, debias=False), RATE)),
    row(SignSGD, _sign_sgd),
    row(Signum, _signum),
    row(Lion, lambda h: Form((Part("lion", {"b1": h.b1, "b2": h.b2, "weight_decay": h.weight_decay}),))),
    scheduled(Rprop, _rprop),
    row(AdaGrad, _adagrad),
    row(Adadelta, lambda h: _form(h, Part("adadelta", {"rho": h.rho, "eps": h.eps}))),
    row(RMSProp, _rmsprop),
    row(RMSPropMomentum, _rmsprop_momentum),
    row(Adam, lambda h: _form(h, Part("adam", _moments(h)), differs=_adam_differs(h))),
    row(AdamW, _adamw),
    row(AMSGrad, _amsgrad),
    row(Adamax, _adamax),
    row(NAdam, lambda h: _form(h, Part("nadam", _moments(h)), differs=[_warms(h)])),
    row(NAdamW, _nadamw),
    row(RAdam, _radam),
    row(AdaBelief, _adabelief),
    row(Yogi, _yogi),
    row(AdEMAMix, _ademamix),
    row(ADOPT, _adopt),
    row(LARS, _lars),
    row(LAMB, _lamb),
    row(RAdamW, _radamw),
    row(Adan, _adan),
    row(Adafactor, _adafactor),
    row(Muon, _muon),
    scheduled(ScheduleFreeSGD, lambda h, rates: _schedule_free("schedule_free_sgd", h, rates)),
    scheduled(ScheduleFreeAdamW, lambda h, rates: _schedule_free("schedule_free_adamw", h, rates, b2=h.b2, eps=h.eps)),
    row(Prodigy, _prodigy),
    row(DAdaptAdam, _d_adapt_adam),
    row(DoG, lambda h: _form(h, Part("contrib.dog", {"init_step": ("heuristic", h.start), "eps": h.eps}))),
    row(DoWG, lambda h: _form(h, Part("contrib.dowg", {"init_estim_sq_dist": h.start**2, "eps": 0.0}))),
)


def _write(parts: tuple[Part, ...], rate: str) -> str:
    calls = [call(f"optax.{part.name}", *([rate] if part.takes_rate else []), **part.arguments) for part in parts]
    return calls[0] if len(calls) == 1 else "\n".join(["optax.chain(", *(f"    {each}," for each in calls), ")"])


def _own_schedule(parts: ScheduleWords, rate: float, steps: str) -> str:
    """The call of Optax' schedule for a decay over `steps`; "" if it has none."""
    own = parts.numbers
    end = short(own.get("end", 0.0) * rate)
    match parts.decay:
        case "constant":
            return f"constant_schedule({rate!r})"
        case "linear":
            return f"linear_schedule({rate!r}, {end!r}, {steps})"
        case "cosine":
            return f"cosine_decay_schedule({rate!r}, {steps}{f', alpha={share!r}' if (share := own['end']) else ''})"
        case "polynomial":
            return f"polynomial_schedule({rate!r}, {end!r}, {own['power']!r}, {steps})"
        case "exponential" if end:
            return f"exponential_decay({rate!r}, {steps}, {own['end']!r})"
    return ""


def _write_schedule(name: str, rate: float) -> Sequence[str]:
    parts = schedule_words(name)
    if parts.is_warm and (decay := _own_schedule(parts, rate, "max(1, horizon - warm)")):
        return [
            f"warm = {parts.warm_steps}  # steps of the warm-up",
            f"rise = optax.linear_schedule({rate!r} / warm, {rate!r}, warm - 1)",
            f"rate = optax.join_schedules([rise, optax.{decay}], [warm])",
        ]
    if not parts.is_warm and (decay := _own_schedule(parts, rate, "horizon")):
        return [f"rate = optax.{decay}"]
    first, *lines = ["from jax import numpy as jnp", *looked_up(name, rate)]
    return [
        first,
        *lines[:-1],
        lines[-1].replace("rates = [", "rates = jnp.asarray([") + ")",
        "",
        "",
        "def rate(count):",
        "    return rates[jnp.minimum(count, horizon)]",
        "",
    ]


def _clip(form: Form, wrapper: str, limit: float) -> Form:
    if wrapper == "clip-value":
        return replace(form, parts=(_part("clip", max_delta=limit), *form.parts))
    note = " ".join(filter(None, (form.note, CLIP_NOTE)))
    return replace(form, parts=(_part("clip_by_global_norm", max_norm=limit), *form.parts), note=note)


def _group(
    groups: Sequence[ParameterGroup], form_with: Callable[[Mapping[str, Setting]], Form | None], rate: str
) -> Grouped | None:
    """Vectors and matrices with settings of their own; what else a group can name depends on the user's model."""
    if any(group.selector not in ("vectors", "matrices") for group in groups):
        return None
    usual = form_with({})
    if usual is None or any(part.name in _ACROSS for part in usual.parts):
        return None
    clips = [part for part in usual.parts if part.name == "clip_by_global_norm"]
    written = {}
    for selector in ("vectors", "matrices"):
        own: dict[str, Setting] = {}
        for group in groups:
            own |= group.settings if group.selector == selector else {}
        scale = float(own.pop(SCALE, 1.0))
        form = form_with(own)
        if form is None or form.differs != usual.differs or form.share != usual.share:
            return None
        scaled = rate if scale == 1 else f"lambda count: {scale!r} * rate(count)"
        scaled = scaled if rate == "rate" else repr(short(scale * float(rate)))
        written[selector] = _write(tuple(part for part in form.parts if part not in clips), scaled)
    named = [f"    {selector!r}: {text}," for selector, text in written.items()]
    table = "\n".join(named).replace("\n    optax", "\n        optax").replace("\n),", "\n    ),")
    labels = 'lambda params: jax.tree.map(lambda p: "vectors" if p.ndim < 2 else "matrices", params)'
    made = f"optax.multi_transform({{\n{table}\n}}, {labels})"
    for part in clips:
        made = f"optax.chain({_write((part,), '')}, {made})"
    return Grouped(made, imports=["import jax"])


_ACROSS = frozenset({"contrib.prodigy", "contrib.dadapt_adamw", "contrib.dog", "contrib.dowg"})
"""Optimizers that look at all parameters at once, so that parts of them are not the same."""


OPTAX = Framework(
    "Optax",
    "import optax",
    FORMS,
    _write,
    "steps_per_epoch * epochs",
    _write_schedule,
    "the transformation optax.contrib.reduce_on_plateau",
    _clip,
    _group,
)
