"""The optimizer and schedule that a user has now, as the words of a baseline: "adamw:lr=0.0003:betas=0.9/0.95"."""

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn
from torch.optim import lr_scheduler

from steepest.coming_from.foreign import Foreign
from steepest.errors import BadSetting
from steepest.optim.parameter_groups import KINDS, ParameterFacts, facts_of

FROM_FILE = "Pass a function that builds it instead: -o mine.py:name, or a factory in Python."
_NAMES = ("sgd", "adam", "adamw", "adagrad", "rmsprop", "adadelta", "adamax", "nadam", "radam", "asgd", "rprop")
"""Classes of torch whose name in lower case is their name here."""
_SWITCHES = ("foreach", "fused", "capturable", "differentiable", "maximize", "decoupled_weight_decay", "lr", "params")
_OF_LOOPS = ("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum")


def setup_of(given: Foreign, model: nn.Module | None = None, steps: int | None = None) -> str:
    """The words of a baseline for what trains now. Raises BadSetting for what cannot be written so, in one sentence.

    given: an optimizer of torch or Keras, a scheduler of torch, (optimizer, scheduler), what `configure_optimizers`
    returns, a LightningModule, a compiled Keras model, the Trainer or TrainingArguments of transformers, or an MLP of
    scikit-learn.

    model: names the parameters, where an optimizer has groups. steps: all steps of the training, for schedules that are
    shares of it.
    """
    if hasattr(given, "configure_optimizers"):
        return setup_of(given.configure_optimizers(), given, steps)
    if hasattr(given, "lr_scheduler_type") or hasattr(getattr(given, "args", None), "lr_scheduler_type"):
        from_arguments: Callable[..., str] = _of_arguments
        return from_arguments(getattr(given, "args", given), getattr(given, "model", model), steps)
    if hasattr(given, "steps") and hasattr(given, "named_steps"):  # a Pipeline
        given = given.steps[-1][1]
    if hasattr(given, "solver") and hasattr(given, "learning_rate_init"):
        return _of_sklearn(given)
    if _is_of_keras(given):
        return _of_keras(given)
    optimizer, scheduler = _apart(given)
    words = _of_torch(optimizer, model)
    return words if scheduler is None else f"{words}:schedule={_schedule_of(scheduler, optimizer, steps)}"


# ---- torch -----------------------------------------------------------------------------------------------------------


def _apart(given: Foreign) -> tuple[torch.optim.Optimizer, Foreign]:
    """The only optimizer and its scheduler, from any form in which Lightning takes them."""
    scheduler = None
    if isinstance(given, lr_scheduler.LRScheduler | lr_scheduler.ReduceLROnPlateau):
        given, scheduler = given.optimizer, given
    if isinstance(given, Mapping):
        given, scheduler = given.get("optimizer"), given.get("lr_scheduler")
    elif isinstance(given, tuple | list):
        if len(given) == 2 and not isinstance(given[1], torch.optim.Optimizer):
            given, scheduler = given
        for each in (given, scheduler):
            if isinstance(each, tuple | list) and len(each) > 1:
                raise BadSetting(
                    f"There are {len(each)} optimizers or schedulers. A study compares single ones: train one part of "
                    "the model at a time."
                )
        given = given[0] if isinstance(given, tuple | list) and given else given
        scheduler = (scheduler[0] if scheduler else None) if isinstance(scheduler, tuple | list) else scheduler
    if isinstance(scheduler, Mapping):
        interval = scheduler.get("interval", "epoch")
        scheduler = scheduler.get("scheduler")
        if interval != "step" and not isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            raise _by_epoch(scheduler)
    if isinstance(given, Mapping):
        return _apart(given)
    if not isinstance(given, torch.optim.Optimizer):
        raise BadSetting(f"{type(given).__name__} is not an optimizer of torch or Keras. {FROM_FILE}")
    return given, scheduler


def _by_epoch(scheduler: Foreign) -> BadSetting:
    return BadSetting(
        f"{type(scheduler).__name__} steps once an epoch, and schedules here step at every update. Write it as one of "
        "those in docs/your-setup.md, such as :schedule=cosine."
    )


def _of_torch(optimizer: torch.optim.Optimizer, model: nn.Module | None) -> str:
    kind = type(optimizer)
    name = kind.__name__.lower()
    if kind.__module__.split(".")[0] != "torch" or name not in _NAMES:
        raise BadSetting(f"{kind.__name__} is not an optimizer that can be written in words. {FROM_FILE}")
    if getattr(optimizer, "_optimizer_step_pre_hooks", None):
        raise BadSetting(f"{kind.__name__} has a hook before its steps, which words cannot describe. {FROM_FILE}")
    defaults = {key: each.default for key, each in inspect.signature(kind).parameters.items()}
    first = optimizer.defaults
    if first.get("decoupled_weight_decay") and name != "adamw":
        name = {"adam": "adamw", "nadam": "nadamw", "radam": "radamw"}.get(name, name)
    rate = max(map(_highest, optimizer.param_groups))
    if any(_highest(group) == first["lr"] for group in optimizer.param_groups):
        rate = float(first["lr"])
    own = [f"lr={rate:g}" if float(f"{rate:g}") == rate else f"lr={rate!r}"]
    usual = _majority(optimizer)
    for key, default in defaults.items():
        if key not in (*_SWITCHES, *_OF_LOOPS) and key in usual and usual[key] != default:
            own.append(f"{key}={_word(usual[key])}")
    return ":".join([name, *own, *_groups(optimizer, usual, rate, model)])


def _highest(group: Mapping[str, Foreign]) -> float:
    """The rate of a group that its schedule multiplies."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))


def _majority(optimizer: torch.optim.Optimizer) -> dict[str, Foreign]:
    """The settings of the group with the most parameters."""
    largest = max(optimizer.param_groups, key=lambda group: sum(p.numel() for p in group["params"]))
    return {key: value for key, value in largest.items() if key in optimizer.defaults}


def _groups(
    optimizer: torch.optim.Optimizer, usual: Mapping[str, Foreign], rate: float, model: nn.Module | None
) -> list[str]:
    """What differs in each group from the largest one."""
    found: list[str] = []
    for group in optimizer.param_groups:
        own = {
            key: value for key, value in group.items() if key in usual and key not in _SWITCHES and value != usual[key]
        }
        scale = _highest(group) / rate
        if not math.isclose(scale, 1.0, rel_tol=1e-9):
            own["lr_scale"] = float(f"{scale:.12g}")
        if own and group["params"]:
            for selector in _selectors(group["params"], model):
                found += [f"{selector}.{key}={_word(value)}" for key, value in own.items()]
    return found


def _selectors(parameters: Sequence[nn.Parameter], model: nn.Module | None) -> list[str]:
    """Kinds of parameters that are just these, or else their names."""
    if model is None:
        raise BadSetting("The optimizer has parameter groups. Pass the model too: setup_of(optimizer, model).")
    trained = [p for p in model.parameters() if p.requires_grad]
    facts = dict(zip(map(id, trained), facts_of(model), strict=True))
    wanted = {id(p) for p in parameters if id(p) in facts}
    pairs = [(one,) for one in KINDS] + [("biases", "norms"), ("biases", "norms", "embeddings")]
    for kinds in pairs:
        held = {place for place, fact in facts.items() if any(KINDS[kind](fact) for kind in kinds)}
        if held == wanted:
            return [kind for kind in kinds if any(KINDS[kind](fact) for fact in facts.values())]
    return [_name_of(facts[place]) for place in facts if place in wanted]


def _name_of(fact: ParameterFacts) -> str:
    return fact.names[0]


def _word(value: Foreign) -> str:
    if isinstance(value, tuple | list):
        return "/".join(_word(each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) and float(f"{value:g}") == value else str(value)


def _schedule_of(scheduler: Foreign, optimizer: torch.optim.Optimizer, steps: int | None) -> str:
    """The name of a torch scheduler here."""
    rate = float(optimizer.param_groups[0].get("initial_lr", optimizer.param_groups[0]["lr"]))
    match scheduler:
        case lr_scheduler.SequentialLR():
            first, *rest = scheduler._schedulers
            if isinstance(first, lr_scheduler.LinearLR) and len(rest) == 1:
                warm = scheduler._milestones[0]
                return f"warmup-{_schedule_of(rest[0], optimizer, steps)}/steps={warm}"
        case lr_scheduler.CosineAnnealingLR():
            return "cosine" + (f"/end={scheduler.eta_min / rate:g}" if scheduler.eta_min else "")
        case lr_scheduler.LinearLR() if scheduler.start_factor == 1:
            return "linear" + (f"/end={scheduler.end_factor:g}" if scheduler.end_factor else "")
        case lr_scheduler.PolynomialLR():
            return f"polynomial/power={scheduler.power:g}"
        case lr_scheduler.ConstantLR() if scheduler.factor == 1:
            return "constant"
        case lr_scheduler.ExponentialLR() if steps:
            return f"exponential/end={scheduler.gamma**steps:g}"
        case lr_scheduler.StepLR() if steps:
            return f"step/every={scheduler.step_size / steps:g}/factor={scheduler.gamma:g}"
        case lr_scheduler.OneCycleLR():
            return _one_cycle(scheduler, optimizer)
        case lr_scheduler.ReduceLROnPlateau():
            return f"plateau/factor={scheduler.factor:g}"
    hint = " Pass steps=…, the steps of the whole training." if steps is None else ""
    raise BadSetting(
        f"The scheduler {type(scheduler).__name__} cannot be carried over. Name a schedule instead, such as "
        f":schedule=warmup-cosine/steps=500; docs/your-setup.md lists them.{hint}"
    )


def _one_cycle(scheduler: lr_scheduler.OneCycleLR, optimizer: torch.optim.Optimizer) -> str:
    group = optimizer.param_groups[0]
    rise = (scheduler._schedule_phases[0]["end_step"] + 1) / scheduler.total_steps
    start, end = group["initial_lr"] / group["max_lr"], group["min_lr"] / group["max_lr"]
    return f"one-cycle/rise={rise:g}/start={start:g}/end={end:g}"


# ---- transformers ----------------------------------------------------------------------------------------------------

_OPTIMIZERS = {"adamw": "adamw", "sgd": "sgd", "adagrad": "adagrad", "rmsprop": "rmsprop", "lion": "lion"}
_SCHEDULES = {
    "linear": "linear",
    "cosine": "cosine",
    "cosine_with_min_lr": "cosine",
    "cosine_with_restarts": "warm-restarts",
    "polynomial": "polynomial",
    "constant": "constant",
    "constant_with_warmup": "constant",
}


def _of_arguments(arguments: Foreign, model: nn.Module | None, steps: int | None) -> str:
    """The settings of a Trainer: optimizer, groups without decay, clipping and schedule."""
    optim = str(getattr(arguments.optim, "value", arguments.optim))
    base, _, variant = optim.partition("_")
    if base not in _OPTIMIZERS or variant not in ("", "torch", "torch_fused", "hf", "32bit"):
        raise BadSetting(f"The Trainer's optim {optim!r} cannot be written in words. {FROM_FILE}")
    if getattr(arguments, "label_smoothing_factor", 0):
        raise BadSetting("label_smoothing_factor belongs to the Trainer's loss. Set it to 0, or put it into the model.")
    name = _OPTIMIZERS[base]
    clips = f"+clip-norm:max_norm={arguments.max_grad_norm:g}" if arguments.max_grad_norm else ""
    words = [name + clips.partition(":")[0], f"lr={_word(float(arguments.learning_rate))}"]
    if base in ("adamw", "lion") and (arguments.adam_beta1, arguments.adam_beta2) != (0.9, 0.999):
        words.append(f"betas={arguments.adam_beta1:g}/{arguments.adam_beta2:g}")
    elif base == "lion":
        words.append("betas=0.9/0.999")  # the Trainer's own, not Lion's
    if base == "adamw" and arguments.adam_epsilon != 1e-8:
        words.append(f"eps={arguments.adam_epsilon:g}")
    words.append(f"weight_decay={arguments.weight_decay:g}")
    words += [clips.partition(":")[2]] if clips else []
    if arguments.weight_decay:
        words += [f"{selector}.weight_decay=0" for selector in _without_decay(model)]
    return ":".join([*words, f"schedule={_trainer_schedule(arguments, steps)}"])


def _without_decay(model: nn.Module | None) -> list[str]:
    """What a Trainer does not decay: weights of norms, and what has `bias` in its name."""
    if model is None:
        return ["norms", "*bias*"]
    facts = facts_of(model)
    found = ["norms"] if any(map(KINDS["norms"], facts)) else []
    return [*found, "*bias*"] if any("bias" in name for fact in facts for name in fact.names) else found


def _trainer_schedule(arguments: Foreign, steps: int | None) -> str:
    kind = str(getattr(arguments.lr_scheduler_type, "value", arguments.lr_scheduler_type))
    given = dict(getattr(arguments, "lr_scheduler_kwargs", None) or {})
    if kind not in _SCHEDULES:
        raise BadSetting(
            f"The Trainer's lr_scheduler_type {kind!r} cannot be carried over. Name a schedule instead, such as "
            ":schedule=warmup-cosine/steps=500; docs/your-setup.md lists them."
        )
    numbers = ""
    if kind == "cosine_with_min_lr":
        numbers = f"/end={given.get('min_lr_rate') or given.get('min_lr', 0) / arguments.learning_rate:g}"
    elif kind == "cosine_with_restarts":
        numbers = f"/cycles={given.get('num_cycles', 1):g}"
    elif kind == "polynomial":
        numbers = f"/power={given.get('power', 1.0):g}/end={given.get('lr_end', 1e-7) / arguments.learning_rate:g}"
    warm = float(getattr(arguments, "warmup_steps", 0) or 0) or float(getattr(arguments, "warmup_ratio", 0) or 0)
    if not warm or kind == "constant":
        return _SCHEDULES[kind] + numbers
    return f"warmup-{_SCHEDULES[kind]}/{'share' if warm < 1 else 'steps'}={warm:g}{numbers}"


# ---- Keras -----------------------------------------------------------------------------------------------------------

_KERAS_NAMES = {
    **{name: name for name in ("adam", "adamw", "adagrad", "adadelta", "adamax", "nadam", "lion", "lamb", "rmsprop")},
    "sgd": "sgd",
}
_KERAS_SETTINGS = ("beta_1", "beta_2", "epsilon", "rho", "momentum", "nesterov", "amsgrad", "centered")
_KERAS_CLIPS = {"global_clipnorm": ("clip-norm", "max_norm"), "clipvalue": ("clip-value", "max_value")}


def _is_of_keras(given: Foreign) -> bool:
    keras = sys.modules.get("keras")
    kinds = tuple(filter(None, (getattr(keras, "Optimizer", None), getattr(keras, "Model", None))))
    return bool(kinds) and isinstance(given, kinds)


def _of_keras(given: Foreign) -> str:
    """The optimizer of `compile`."""
    optimizer = getattr(given, "optimizer", given)
    if optimizer is None:
        raise BadSetting("The Keras model is not compiled. Call its compile first, or pass an optimizer.")
    config = optimizer.get_config()
    kind = type(optimizer).__name__
    if kind.lower() not in _KERAS_NAMES:
        raise BadSetting(f"Keras' {kind} cannot be written in words. See docs/keras.md for what Keras' optimizers are.")
    for name in ("clipnorm", "use_ema"):
        if config.get(name):
            raise BadSetting(
                f"{name} of Keras' {kind} cannot be carried over. Use global_clipnorm, or leave it out."
                if name == "clipnorm"
                else f"{name} of Keras' {kind} cannot be carried over. Leave it out; +ema is a wrapper here."
            )
    clips = [(*_KERAS_CLIPS[name], config[name]) for name in _KERAS_CLIPS if config.get(name)]
    name = kind.lower()
    rate, schedule = _keras_rate(config["learning_rate"])
    words = ["+".join([name, *(wrapper for wrapper, _, _ in clips)]), f"lr={_word(rate)}"]
    words += [f"{key}={_word(config[key])}" for key in _KERAS_SETTINGS if config.get(key) not in (None, False)]
    words += [f"weight_decay={_word(config['weight_decay'])}"] if config.get("weight_decay") else []
    words += [f"{setting}={_word(limit)}" for _, setting, limit in clips]
    if config.get("weight_decay") and name not in ("adamw", "lion"):
        raise BadSetting(
            f"weight_decay of Keras' {kind} is decoupled. Write it as a wrapper: {name}+decay:decay="
            f"{_word(config['weight_decay'])}."
        )
    return ":".join([*words, *([f"schedule={schedule}"] if schedule else [])])


def _keras_rate(given: Foreign) -> tuple[float, str]:
    """The highest rate, and the schedule; "" if the rate is constant."""
    if not isinstance(given, Mapping):
        return float(f"{float(given):.7g}"), ""  # Keras keeps it in single precision
    kind, own = given["class_name"], given["config"]
    rate = float(own.get("initial_learning_rate", 0))
    if kind == "CosineDecay" and not own.get("warmup_steps"):
        return rate, "cosine" + (f"/end={own['alpha']:g}" if own.get("alpha") else "")
    if kind == "PolynomialDecay" and not own.get("cycle"):
        return rate, f"polynomial/power={own['power']:g}/end={own['end_learning_rate'] / rate:g}"
    raise BadSetting(
        f"Keras' schedule {kind} cannot be carried over. Name a schedule instead, such as :schedule=warmup-cosine; "
        "docs/your-setup.md lists them."
    )


# ---- scikit-learn ----------------------------------------------------------------------------------------------------


def _of_sklearn(estimator: Foreign) -> str:
    """The solver of an MLPClassifier or MLPRegressor. Its `alpha`, divided by the size of a batch, is left out."""
    if estimator.solver not in ("sgd", "adam"):
        raise BadSetting(f"The solver {estimator.solver!r} takes no gradient steps on batches. Use 'adam' or 'sgd'.")
    rate = f"lr={_word(float(estimator.learning_rate_init))}"
    if estimator.solver == "adam":
        return f"adam:{rate}:betas={estimator.beta_1:g}/{estimator.beta_2:g}:eps={estimator.epsilon:g}"
    if estimator.learning_rate != "constant":
        raise BadSetting(f"learning_rate={estimator.learning_rate!r} cannot be carried over. Name a schedule instead.")
    if not estimator.momentum:
        return f"sgd:{rate}"
    return f"{'nesterov' if estimator.nesterovs_momentum else 'momentum'}:{rate}:momentum={estimator.momentum:g}"
