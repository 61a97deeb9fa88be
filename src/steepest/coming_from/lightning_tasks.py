"""A LightningModule as a task: `training_step` is the loss, what `validation_step` logs is the metric, and a DataModule
has the data. Loads no Lightning: a user with a module has loaded it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from steepest.coming_from.foreign import Foreign
from steepest.errors import BadTask
from steepest.messages import Message, say
from steepest.tasks.metrics import MARGIN, Metric
from steepest.tasks.task import Task

RISING = ("acc", "f1", "auc", "auroc", "precision", "recall", "r2", "iou", "dice", "map", "score", "bleu")
FALLING = ("loss", "mse", "mae", "rmse", "error", "perplexity", "ppl", "nll")
HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_train_epoch_start",
    "on_before_optimizer_step",
    "on_after_backward",
    "on_after_batch_transfer",
    "configure_gradient_clipping",
)
"""Hooks that a study does not call."""
REFUSED = ("optimizer_step", "backward", "lr_scheduler_step")
"""Hooks without which the training would be another one."""


def from_lightning(
    module: Foreign,
    data: Foreign = None,
    *,
    train: Foreign = None,
    valid: Foreign = None,
    test: Foreign = None,
    monitor: str | None = None,
    mode: Literal["max", "min"] | None = None,
    **settings: Foreign,
) -> Task:
    """A task from a LightningModule. Raises BadTask for what cannot be carried over, in one sentence.

    module: a function or class that builds it, or an object that called `save_hyperparameters`. data: its
    LightningDataModule; or pass loaders as `train`, `valid` and `test`. monitor: the logged value that decides, with
    its mode, as in Lightning's ModelCheckpoint; default: the first one of `validation_step` whose direction is known,
    or else the loss. `validation_step` also measures the test part. `settings`: as in `Task`, such as epochs.
    """
    build = _builder(module)
    template = build()
    _check(template)
    loaders = {"train": train, "valid": valid, "test": test}
    if data is not None:
        loaders = {**loaders_of(data), **{part: each for part, each in loaders.items() if each is not None}}
    elif all(each is None for each in loaders.values()):
        loaders = loaders_of(template)
    parts = {part: each for part, each in loaders.items() if each is not None}
    if not parts:
        raise BadTask("No data is given. Pass a LightningDataModule, or loaders: train=…, valid=…")
    batch = _first_batch(parts)
    shape = _Shape.of(batch)
    logged = _logged(template, batch)
    chosen = monitor or next((name for name in logged if _direction(name) and not _is_loss(name)), "loss")
    if chosen != "loss" and chosen not in logged:
        raise BadTask(f"validation_step does not log {chosen!r}. It logs {', '.join(logged) or 'nothing'}.")
    metric: Foreign = "loss"
    if chosen != "loss":
        way = mode or {1: "max", -1: "min"}.get(_direction(chosen))
        if way is None:
            raise BadTask(f"Is a higher {chosen} better? Pass mode='max' or mode='min'.")
        margin = MARGIN if "acc" in chosen.lower() else 0.0
        metric = Metric(chosen, LoggedValue(chosen), higher_is_better=way == "max", margin=margin)
    given = {"data": parts["train"]} if len(parts) == 1 else parts
    return Task(
        model=Steps(build, shape, "" if chosen == "loss" else chosen),
        metric=settings.pop("metric", metric),
        name=settings.pop("name", type(template).__name__.lower()),
        notes=[*_notes(template), *settings.pop("notes", ())],
        accept=[
            *settings.pop("accept", ()),
            *([] if chosen == "loss" else ["neighbours"]),
        ],  # logs are means of a batch
        **given,
        **settings,
    )


# ---- the module ------------------------------------------------------------------------------------------------------


def is_lightning(module: Foreign) -> bool:
    """Whether this is a LightningModule or a class of them."""
    kinds = (module if isinstance(module, type) else type(module)).__mro__
    return any(kind.__name__ == "LightningModule" for kind in kinds)


def _builder(module: Foreign) -> Callable[[], Foreign]:
    """A function that builds a new module with new weights."""
    if isinstance(module, nn.Module) and is_lightning(module):
        kind = type(module)
        accepted = inspect.signature(kind).parameters
        own = {name: value for name, value in dict(getattr(module, "hparams", {})).items() if name in accepted}
        if any(
            each.default is inspect.Parameter.empty
            and each.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            and name not in own
            for name, each in accepted.items()
        ) or (accepted and not own):
            raise BadTask(
                f"{kind.__name__} is an object that did not call save_hyperparameters(), so it cannot be built again "
                f"with new weights. Pass a function that builds it: from_lightning(lambda: {kind.__name__}(…), …)."
            )
        return lambda: kind(**own)
    if not callable(module):
        raise BadTask(f"{type(module).__name__} is not a LightningModule. Pass a function that builds one.")

    def build() -> Foreign:
        try:
            made = module()
        except TypeError as error:
            name = getattr(module, "__name__", "module")
            raise BadTask(f"{name}() failed: {error}. Pass a function without arguments that builds it.") from error
        if not is_lightning(made):
            raise BadTask(f"The function built a {type(made).__name__}, not a LightningModule. {_installed()}")
        return made

    return build


def _installed() -> str:
    if find_spec("pytorch_lightning") or find_spec("lightning"):
        return "Use steepest.Task for other models."
    return "PyTorch Lightning is not installed: pip install 'steepest[lightning]'."


def _check(module: Foreign) -> None:
    kind = type(module)
    if not getattr(module, "automatic_optimization", True):
        raise BadTask(
            f"{kind.__name__} sets automatic_optimization = False: it steps its optimizers itself, so a study cannot "
            "put others in their place."
        )
    for name in REFUSED:
        if _is_own(module, name):
            raise BadTask(f"{kind.__name__} overrides {name}, which a study does not call. Remove it for the study.")
    if not _is_own(module, "training_step"):
        raise BadTask(f"{kind.__name__} has no training_step, which must return the loss of a batch.")
    try:
        made = module.configure_optimizers() if _is_own(module, "configure_optimizers") else None
    except Exception:  # it may need a trainer; the study takes its own optimizers anyway
        made = None
    groups = made[0] if isinstance(made, tuple | list) and made and isinstance(made[0], tuple | list) else made
    optimizers = [each for each in groups if _is_optimizer(each)] if isinstance(groups, tuple | list) else []
    if len(optimizers) > 1:
        raise BadTask(
            f"{kind.__name__} has {len(optimizers)} optimizers. A study compares single ones: train one part of the "
            "model at a time."
        )


def _is_optimizer(each: Foreign) -> bool:
    return isinstance(each, torch.optim.Optimizer) or (isinstance(each, Mapping) and "optimizer" in each)


def _is_own(module: Foreign, name: str) -> bool:
    """Whether the user's class defines a method that Lightning has, too."""
    found = getattr(type(module), name, None)
    return found is not None and getattr(found, "__module__", "").split(".")[0] not in (
        "pytorch_lightning",
        "lightning",
    )


def _notes(module: Foreign) -> list[Message]:
    ignored = [name for name in HOOKS if _is_own(module, name)]
    if not ignored:
        return []
    return [say("Its hooks are not called: {names}.", names=", ".join(ignored))]


# ---- its data --------------------------------------------------------------------------------------------------------


def loaders_of(data: Foreign) -> dict[str, Foreign]:
    """The loaders of a LightningDataModule, or of a module that has its own, by part."""
    if hasattr(data, "prepare_data"):
        data.prepare_data()
    for stage in ("fit", "test"):
        if hasattr(data, "setup"):
            data.setup(stage)
    found: dict[str, Foreign] = {}
    for part, name in (("train", "train_dataloader"), ("valid", "val_dataloader"), ("test", "test_dataloader")):
        if not _is_own(data, name):
            continue
        loader = getattr(data, name)()
        if isinstance(loader, tuple | list) and len(loader) == 1:
            loader = loader[0]
        if not isinstance(loader, DataLoader):
            count = (
                f"{len(loader)} loaders" if isinstance(loader, tuple | list | dict) else f"a {type(loader).__name__}"
            )
            raise BadTask(f"{name} gives {count}. A task has one loader for each part: pass them as train=…, valid=…")
        found[part] = loader
    return found


def _first_batch(parts: Mapping[str, Foreign]) -> Foreign:
    first = next(iter(parts.values()))
    if isinstance(first, DataLoader):
        first = DataLoader(first.dataset, batch_size=2, collate_fn=first.collate_fn)
        return next(iter(first))
    if isinstance(first, torch.utils.data.Dataset):
        return next(iter(DataLoader(first, batch_size=2)))
    return first


@dataclass(frozen=True)
class _Shape:
    """How a batch holds its tensors."""

    kind: Literal["tensor", "sequence", "mapping"]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, batch: Foreign) -> "_Shape":
        if isinstance(batch, Tensor):
            return cls("tensor")
        if isinstance(batch, Mapping) and all(isinstance(each, Tensor) for each in batch.values()):
            return cls("mapping", tuple(map(str, batch)))
        if isinstance(batch, tuple | list) and not hasattr(batch, "_fields"):
            return cls("sequence")
        raise BadTask(
            f"Its batches are of type {type(batch).__name__}. Batches must be a tensor, a tuple or a dict of tensors."
        )

    def batch(self, arrays: tuple[Foreign, ...], names: Mapping[str, Foreign]) -> Foreign:
        if self.kind == "mapping":
            return dict(names) or dict(zip(self.names, arrays, strict=True))
        return arrays[0] if self.kind == "tensor" else list(arrays)


# ---- its steps -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoggedValue:
    """The mean of a logged value over the examples."""

    name: str

    def __call__(self, outputs: Foreign, targets: Tensor) -> Tensor:
        return outputs[self.name].mean()


@dataclass(frozen=True)
class Steps:
    """Builds the model of a task: a module whose forward is `training_step`, or `validation_step` in evaluation."""

    build: Callable[[], Foreign]
    shape: _Shape
    logged: str

    def __call__(self) -> nn.Module:
        return StepModule(self.build(), self.shape, self.logged)


class StepModule(nn.Module):
    """A LightningModule called with the arrays of a batch; it returns the loss, and what is logged, per example."""

    returns_means = True
    """What it returns for each example is the mean over a batch."""

    def __init__(self, module: Foreign, shape: _Shape, logged: str) -> None:
        super().__init__()
        self.module, self.shape, self.logged = module, shape, logged
        self.users_model = [module]
        """Groups go by its names. In a list, which torch does not register again."""
        object.__setattr__(module, "log", self._take)
        object.__setattr__(module, "log_dict", self._take_all)
        self._found: dict[str, Foreign] = {}
        self._evaluates = _is_own(module, "validation_step")

    def _take(self, name: str, value: Foreign, *_: Foreign, **__: Foreign) -> None:
        self._found[name] = value

    def _take_all(self, values: Mapping[str, Foreign], *_: Foreign, **__: Foreign) -> None:
        self._found.update(values)

    def forward(self, *arrays: Tensor, **named: Tensor) -> Foreign:
        first = arrays[0] if arrays else next(iter(named.values()))
        batch = self.shape.batch(arrays, named)
        self._found = {}
        loss = None
        if self._evaluates and not self.training:
            loss = _loss_of(self.module.validation_step(batch, 0))
            if loss is None:
                loss = next((each for name, each in self._found.items() if _is_loss(name)), None)
        found = dict(self._found)
        if loss is None:
            loss = _loss_of(self.module.training_step(batch, 0))
        found = {**self._found, **found}
        self._found = {}
        if loss is None:
            raise BadTask(
                f"training_step of {type(self.module).__name__} returned no loss. It must return a scalar, or a dict "
                "with 'loss'."
            )
        size = (first.shape[0],)
        per_example = torch.as_tensor(loss).reshape(()).expand(size)
        if not self.logged:
            return per_example
        value = _number(found.get(self.logged, 0.0), per_example)
        return {"loss": per_example, self.logged: value.reshape(()).expand(size)}


def _loss_of(result: Foreign) -> Tensor | None:
    found = result.get("loss") if isinstance(result, Mapping) else result
    return found if isinstance(found, Tensor) and found.numel() == 1 else None


def _number(value: Foreign, like: Tensor) -> Tensor:
    """A logged value as a number: that of this batch, where it is a metric with a state."""
    if isinstance(value, nn.Module):
        batch = getattr(value, "_forward_cache", None)
        value = batch if batch is not None else value.compute()  # type: ignore[operator]
    return torch.as_tensor(value).detach().to(like.dtype)


def _logged(module: Foreign, batch: Foreign) -> list[str]:
    """The names of what `validation_step` logs."""
    if not _is_own(module, "validation_step"):
        return []
    tried = StepModule(module, _Shape.of(batch), "")
    module.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            module.validation_step(batch, 0)
        except Exception as error:
            raise BadTask(f"validation_step failed on a batch: {type(error).__name__}: {error}") from error
    return [name for name, value in tried._found.items() if _is_scalar(value)]


def _is_scalar(value: Foreign) -> bool:
    return isinstance(value, int | float | nn.Module) or (isinstance(value, Tensor) and value.numel() == 1)


def _is_loss(name: str) -> bool:
    return "loss" in name.lower()


def _direction(name: str) -> int:
    """1 where higher values are better, −1 where lower ones are, 0 where that is not known."""
    words = name.lower().replace("/", "_").replace("-", "_").split("_")
    if any(word.startswith(("loss", "err")) or word in FALLING for word in words):
        return -1
    return 1 if any(word.startswith(RISING) for word in words) else 0
