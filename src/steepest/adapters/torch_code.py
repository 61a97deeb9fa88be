"""Code to paste for training loops in torch: plain, in a LightningModule, or for a Trainer of transformers.

All three build the same optimizer and the same scheduler, in torch's own classes where they train identically.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from steepest.adapters.closures import SECOND_GRADIENT_LINES
from steepest.adapters.group_lines import group_lines, in_torchs_words
from steepest.optim.catalogue import contender, entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.equivalents.form import step_sees
from steepest.optim.equivalents.schedule_forms import check_horizon, scheduler_lines, short
from steepest.optim.equivalents.torch_forms import TorchForm, torch_form
from steepest.optim.parameter_groups import SCALE, ParameterGroup, parted
from steepest.optim.plateau import Plateau
from steepest.optim.roles import beyond_shape
from steepest.optim.rule import averages
from steepest.optim.schedules import listens
from steepest.optim.schedules import schedule as schedule_of
from steepest.records.contender import Contender, OwnFile, Setting

CLIPS = {
    "clip-norm": ("max_norm", "torch.nn.utils.clip_grad_norm_(model.parameters(), {0!r})"),
    "clip-value": ("max_value", "torch.nn.utils.clip_grad_value_(model.parameters(), {0!r})"),
}
"""Wrappers that torch has as a function: their setting, and the call."""


@dataclass(frozen=True)
class TorchCode:
    """The parts of the code for one contender."""

    before: Sequence[str]
    """Lines above the optimizer: comments and parameter groups."""
    optimizer: Sequence[str]
    """Lines that define `optimizer`, for a `model`."""
    scheduler: Sequence[str] = ()
    """Lines that define `scheduler`, for the `optimizer` and a `horizon`; none for a constant rate."""
    listens: bool = False
    """Whether the scheduler wants the loss of the validation part."""
    horizon: int | None = None
    clips: Mapping[str, float] = field(default_factory=dict)
    """Clipping before a step, by the name of its wrapper."""

    @property
    def clip_lines(self) -> list[str]:
        """A hook that clips, so that the training loop stays as it is."""
        if not self.clips:
            return []
        calls = [CLIPS[name][1].format(limit) for name, limit in self.clips.items()]
        return ["", "def clip(*_):", *(f"    {call}" for call in calls), "", "optimizer.register_step_pre_hook(clip)"]


# ---- what to build ---------------------------------------------------------------------------------------------------


def parts_of(what: Contender, rate: float, horizon: int | None) -> TorchCode:
    """The code of a contender of the catalogue. Raises UnknownName or BadSetting."""
    item = entry(what.rule)
    own, groups = parted(what.settings)
    complete = settings_of(item, {**own, "lr": rate})
    item, clips, plain = _clipped_apart(item, complete, groups)
    comments = [f"# {sentence}" for sentence in step_sees(what)]
    named = None if plain is None else in_torchs_words(item.rule, _of(item, complete), groups)
    if plain is None or named is None:
        lines, clips = _ours(entry(what.rule), rate, own, complete, groups), {}
    else:
        groups = named
        lines = _torchs(plain, rate, groups, plain.is_exact and not clips)
    return TorchCode(
        [*comments, *group_lines(groups, rate)], lines, *_schedule(what.schedule, rate, horizon, groups), clips
    )


def own_parts(what: Contender, name: str, rate: float, horizon: int | None) -> TorchCode:
    """The code for an optimizer outside the catalogue: the user's own PyTorch optimizer `name`."""
    settings, groups = parted(what.settings)
    note: list[str] = [f"# {sentence}" for sentence in step_sees(what)]
    file = OwnFile.from_key(name)
    if file is not None and file.path.stem.isidentifier():
        function, own = file.name, list[str]()
        note = [f"from {file.path.stem} import {function}", *note]
    else:
        function, *own = name.split(":")
    if not (function.isidentifier() and all("=" in each for each in own)):
        note, function, own = [f"# make: what takes part as {name!r}", *note], "make", []
    arguments = "".join(f", {each}" for each in (*own, *(f"{key}={value!r}" for key, value in settings.items())))
    parameters = "groups" if groups else "model.parameters()"
    return TorchCode(
        [*note, *group_lines(groups, rate)],
        [f"optimizer = {function}({parameters}, lr={rate!r}{arguments})"],
        *_schedule(what.schedule, rate, horizon, groups or None),
    )


def _clipped_apart(
    item: Entry, complete: Mapping[str, Setting], groups: Sequence[ParameterGroup]
) -> tuple[Entry, dict[str, float], TorchForm | None]:
    """The rule that torch has, the clipping that torch does before its step, and torch's class; None if there is none.

    Clipping around the others comes first, and torch runs hooks in the order in which they are registered.
    """
    clips: dict[str, float] = {}
    form = torch_form(item.rule, complete)
    while form is None and (wrapper := item.name.rpartition("+")[2]) in CLIPS and "+" in item.name:
        setting = CLIPS[wrapper][0]
        if any(setting in group.settings for group in groups):
            break
        clips[wrapper] = float(complete[setting])
        item = entry(item.name.rpartition("+")[0])
        form = torch_form(item.rule, _of(item, complete))
    return item, clips, form


def _of(item: Entry, complete: Mapping[str, Setting]) -> dict[str, Setting]:
    """Those of the settings that an entry has."""
    return {name: complete[name] for name in settings_of(item) if name in complete} | {"lr": complete["lr"]}


def _torchs(plain: TorchForm, rate: float, groups: Sequence[ParameterGroup], is_exact: bool) -> list[str]:
    degree = "bit for bit" if is_exact else "up to rounding"
    defaults = inspect.signature(getattr(torch.optim, plain.name)).parameters
    kept = {name: value for name, value in plain.arguments.items() if value != defaults[name].default}
    parameters = "groups" if groups else "model.parameters()"
    return [
        f"# PyTorch's own class: on CPU it equals the optimizer that was measured, {degree}.",
        f"optimizer = torch.optim.{plain.name}({parameters}, {_arguments(rate, kept)})",
    ]


def _ours(
    item: Entry,
    rate: float,
    own: Mapping[str, Setting],
    complete: Mapping[str, Setting],
    groups: Sequence[ParameterGroup],
) -> list[str]:
    lines = [
        "from steepest.adapters.torch import build",
        "# PyTorch has no equivalent: this class of steepest is a torch.optim.Optimizer.",
    ]
    parameters = "groups" if groups else "model.parameters()"
    by_role = beyond_shape(item.rule, str(complete.get("applies_to", "")))
    if by_role and groups:
        lines.append("# It treats embeddings and output layers as hidden matrices here, unlike the study.")
    elif by_role:
        lines.append("from steepest.optim.roles import by_role")
        lines.append("# inputs: one batch, on which the model is run once to find embeddings and output layers.")
        parameters = "by_role(model, inputs)"
    lines.append(f'optimizer = build("{item.name}", {parameters}, {_arguments(rate, own)})')
    if averages(item.rule):
        lines += [
            "# Evaluated at an average of the weights: model.eval() switches to it, model.train() switches back.",
            "optimizer.follow(model)",
        ]
    return [*lines, *SECOND_GRADIENT_LINES[item.rule.second]]


def _schedule(
    words: str, rate: float, horizon: int | None, groups: Sequence[ParameterGroup] | None
) -> tuple[list[str], bool, int | None]:
    """The lines of the scheduler, whether it wants the loss, and the horizon. groups: None if they are unknown."""
    if listens(words):
        return _plateau_lines(words, rate), True, horizon
    check_horizon(words, horizon)
    if words == "constant":
        return [], False, horizon
    has_scales = groups is None or any(SCALE in group.settings for group in groups)
    return scheduler_lines(words, rate, horizon, has_scales), False, horizon


def _plateau_lines(words: str, rate: float) -> list[str]:
    """torch's scheduler for the schedule that depends on the loss."""
    factor = schedule_of(words)
    assert isinstance(factor, Plateau)
    least = f", min_lr={short(factor.end * rate)!r}" if factor.end else ""
    return [
        "scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(",
        f"    optimizer, factor={factor.factor!r}, patience=int({factor.patience!r} * epochs), "
        f"threshold={factor.threshold!r}{least}, eps=0.0",
        ")",
    ]


# ---- how a framework takes it ----------------------------------------------------------------------------------------


def plain(code: TorchCode) -> str:
    """For a training loop of one's own."""
    lines = [*code.before, *code.optimizer, *code.clip_lines]
    if code.listens:
        lines.append("# Call scheduler.step(loss) with the loss of the validation part after every epoch.")
    elif code.scheduler:
        lines += ["# Call scheduler.step() after every optimizer.step().", _horizon(code, "len(loader) * epochs")]
    return _text([*lines, *code.scheduler])


def lightning(code: TorchCode) -> str:
    """For a LightningModule: its `configure_optimizers`."""
    imports, lines = _imports_apart([*code.before, *code.optimizer])
    for word in ("model.parameters(", "model.named_parameters(", "model.get_submodule("):
        lines = [line.replace(word, word.replace("model", "self")) for line in lines]
    lines = [
        line.replace("by_role(model, inputs)", "by_role(self, self.example_input_array)")
        .replace("# inputs: one batch", "# self.example_input_array: one batch")
        .replace("follow(model)", "follow(self)")
        for line in lines
    ]
    if code.listens:
        scheduler = [line.replace("epochs)", "self.trainer.max_epochs)") for line in code.scheduler]
        lines += [*scheduler, "# monitor: what the module logs as the loss of the validation part."]
        given = '{"scheduler": scheduler, "monitor": "val_loss"}'
    elif code.scheduler:
        more, scheduler = _imports_apart(code.scheduler)
        imports += more
        lines += [_horizon(code, "self.trainer.estimated_stepping_batches"), *scheduler]
        given = '{"scheduler": scheduler, "interval": "step"}'
    else:
        given = ""
    lines.append(f'return {{"optimizer": optimizer, "lr_scheduler": {given}}}' if given else "return optimizer")
    body = [f"    {line}" if line else "" for line in lines]
    return _text(
        [*imports, "", "", "def configure_optimizers(self):  # of the LightningModule", *body, *_clip_method(code)]
    )


def _clip_method(code: TorchCode) -> list[str]:
    """Lightning computes gradients within a step, so that a hook before it would clip those of the step before."""
    if not code.clips:
        return []
    calls = [CLIPS[name][1].format(limit).replace("model.", "self.") for name, limit in code.clips.items()]
    arguments = "self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None"
    return ["", "", f"def configure_gradient_clipping({arguments}):", *(f"    {call}" for call in calls)]


def transformers(code: TorchCode) -> str:
    """For a Trainer of transformers: its `optimizers`, and the arguments that must agree with them."""
    limit = code.clips.get("clip-norm", 0.0) if len(code.clips) == 1 else 0.0
    lines = [*code.before, *code.optimizer, *([] if limit else code.clip_lines)]
    if code.scheduler:
        lines += [] if code.listens else [_horizon(code, "len(loader) * epochs")]
        lines += code.scheduler
    else:
        lines.append("scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)")
    steps = {"max_steps": code.horizon} if code.horizon and not code.listens else {}
    given = {**steps, "max_grad_norm": limit}
    if code.listens:
        lines.append("# The Trainer steps the scheduler by metric_for_best_model: set it to eval_loss.")
        lines.append("# epochs: num_train_epochs")
    lines += [
        f"optimizers = (optimizer, scheduler)\narguments = {given!r}",
        "# Trainer(model=model, args=TrainingArguments(**arguments, …), optimizers=optimizers, …)",
    ]
    return _text(lines)


def code(
    what: Contender | Entry | str,
    rate: float,
    settings: Mapping[str, Setting] | None = None,
    *,
    horizon: int | None = None,
) -> str:
    """Python code that builds an optimizer for a `model`: torch's own class if it is equivalent, else ours.

    `what` is a contender, or an entry or its name with `settings` that replace its own. A schedule runs over `horizon`
    steps; without it, the code computes the steps from a `loader` and a number of `epochs`. Raises UnknownName or
    BadSetting.
    """
    if not isinstance(what, Contender):
        what = contender(what, **(settings or {}))  # type: ignore[arg-type]
    return plain(parts_of(what, rate, horizon))


def _horizon(code: TorchCode, steps: str) -> str:
    return f"horizon = {code.horizon or steps}  # steps of the whole training"


def _arguments(rate: float, settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in {"lr": rate, **settings}.items())


def _imports_apart(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    imports = [line for line in lines if re.match(r"import |from \S+ import ", line)]
    return imports, [line for line in lines if line not in imports]


def _text(lines: Sequence[str]) -> str:
    """The lines with all imports on top, and torch's where it is used."""
    imports, rest = _imports_apart(lines)
    while rest and not rest[0]:
        rest = rest[1:]
    if any("torch." in line for line in rest if not line.lstrip().startswith("#")):
        imports.append("import torch")
    imports = sorted(set(imports), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*imports, "", *(["", *rest] if rest[0].startswith("def ") else rest), ""])
