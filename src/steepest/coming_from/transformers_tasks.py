"""A model of transformers as a task: its own loss on dicts of tensors, with the data and collator of a Trainer. Loads
no transformers: a user with a model has loaded it.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from steepest.coming_from.foreign import Foreign
from steepest.errors import BadTask
from steepest.tasks.task import Task

BATCH_SIZE = 8
"""That of a Trainer."""
LABELS = ("labels", "label", "label_ids")
"""Columns of the labels, which a collator renames to `labels`."""


def from_transformers(
    model: Foreign,
    train: Foreign = None,
    valid: Foreign = None,
    test: Foreign = None,
    *,
    data_collator: Callable[[list[Foreign]], Foreign] | None = None,
    args: Foreign = None,
    **settings: Foreign,
) -> Task:
    """A task from a model of transformers, or from a Trainer. Raises BadTask for what cannot be carried over.

    model: a function that builds it, such as `lambda: GPT2LMHeadModel(config)`; a pretrained model, of which every run
    trains a copy; or a Trainer, which brings data, collator and batch size. train, valid, test: data sets of dicts, or
    dicts of arrays. data_collator: as a Trainer takes it. args: TrainingArguments, for batch size and epochs.
    `settings`: as in `Task`. Default metric: accuracy for one label per example, else the loss.
    """
    if hasattr(model, "train_dataset") and hasattr(model, "data_collator"):
        trainer = model
        _check(trainer)
        args, data_collator = args or trainer.args, data_collator or trainer.data_collator
        train = trainer.train_dataset if train is None else train
        valid = trainer.eval_dataset if valid is None else valid
        model = trainer.model_init or trainer.model
    build = Built(model)
    template = build()
    if isinstance(valid, Mapping) and valid and all(isinstance(each, Dataset | list) for each in valid.values()):
        raise BadTask(f"There are {len(valid)} data sets for evaluation. Pass the one that decides as valid=….")
    accepted = tuple(inspect.signature(template.forward).parameters)
    parts = {"train": train, "valid": valid, "test": test}
    given = {part: _columns(part, each, accepted, data_collator) for part, each in parts.items() if each is not None}
    if not given:
        raise BadTask("No data is given. Pass data sets of dicts, such as train=… and valid=…, or a Trainer.")
    first = next(iter(given.values()))
    if "labels" not in first and "start_positions" not in first:
        raise BadTask(
            f"The examples have no labels, only {', '.join(first)}, so {type(template).__name__} computes no loss. Add "
            "labels, or pass a data_collator that does, such as DataCollatorForLanguageModeling(tokenizer, mlm=False)."
        )
    chosen = dict(settings) if args is not None else {"batch_size": BATCH_SIZE, **settings}
    if args is not None:
        size = args.per_device_train_batch_size * args.gradient_accumulation_steps
        chosen.setdefault("batch_size", min(size, len(next(iter(given["train"].values())))))
        chosen.setdefault("epochs", _epochs(args, len(next(iter(given["train"].values()))), chosen["batch_size"]))
    labels = first.get("labels")
    one_class = labels is not None and labels.ndim == 1 and not labels.is_floating_point()
    chosen.setdefault("metric", "accuracy" if one_class else "loss")
    chosen.setdefault("name", type(template).__name__.lower())
    data: dict[str, Foreign] = {"data": given["train"]} if len(given) == 1 else dict(given)
    return Task(model=build, **data, **chosen)


@dataclass(frozen=True, eq=False)
class Built:
    """Builds the model of a task: by the user's function, or as a copy of a model with its weights."""

    given: Foreign

    def __call__(self) -> nn.Module:
        if isinstance(self.given, nn.Module):
            made = copy.deepcopy(self.given)
        elif callable(self.given):
            made = self.given()
        else:
            made = None
        if not hasattr(made, "config") or not isinstance(made, nn.Module):
            if find_spec("transformers") is None:
                raise BadTask("transformers is not installed: pip install 'steepest[transformers]'.")
            kind = type(self.given if made is None else made).__name__
            raise BadTask(
                f"{kind} is not a model of transformers. Pass a function that builds one, or use steepest.Task for "
                "other models."
            )
        config: Foreign = made.config
        if hasattr(config, "use_cache"):
            config.use_cache = False  # keys and values of a generation are of no use in training
        return made


def _check(trainer: Foreign) -> None:
    if getattr(trainer, "compute_metrics", None) is not None:
        raise BadTask(
            "The Trainer's compute_metrics gets NumPy arrays of a whole data set, and cannot be carried over. Set it "
            "to None, and name a metric: from_transformers(trainer, metric='accuracy')."
        )
    if getattr(trainer.args, "predict_with_generate", False):
        raise BadTask("Metrics of generated text (predict_with_generate) cannot be measured in a study. Use the loss.")
    if getattr(trainer, "compute_loss_func", None) is not None:
        raise BadTask("The Trainer's compute_loss_func cannot be carried over. Put the loss into the model's forward.")
    for name in ("compute_loss", "training_step"):
        if type(trainer).__module__.split(".")[0] != "transformers" and name in vars(type(trainer)):
            raise BadTask(f"{type(trainer).__name__} overrides {name}. Put the loss into the model's forward.")


def _epochs(args: Foreign, examples: int, size: int) -> float:
    steps = int(getattr(args, "max_steps", -1) or -1)
    return steps * size / examples if steps > 0 else float(args.num_train_epochs)


def _columns(
    part: str, given: Foreign, accepted: tuple[str, ...], collator: Callable[[list[Foreign]], Foreign] | None
) -> dict[str, Tensor]:
    """The examples of a part as columns that the model takes, by name."""
    if isinstance(given, DataLoader):
        given, collator = given.dataset, collator or given.collate_fn
    if isinstance(given, Mapping) and not hasattr(given, "__getitems__"):
        batch: Foreign = {name: torch.as_tensor(value) for name, value in given.items() if name in (*accepted, *LABELS)}
        return _renamed(batch)
    if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        raise BadTask(f"{part} is a {type(given).__name__}. Pass a data set with a length, not a stream.")
    if len(given) == 0:
        raise BadTask(f"{part} is empty: it needs at least one example.")
    examples = [given[i] for i in range(len(given))]
    if not all(isinstance(each, Mapping) for each in examples):
        raise BadTask(f"The examples of {part} are of type {type(examples[0]).__name__}; they must be dicts.")
    kept = [{key: value for key, value in each.items() if key in (*accepted, *LABELS)} for each in examples]
    try:
        with torch.random.fork_rng(devices=[]):
            batch = (collator or _stacked)(kept)
    except Exception as error:  # the user's collator may raise anything
        says = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise BadTask(
            f"The examples of {part} cannot be put into one batch: {says} "
            "Pad them to one length, or pass data_collator=DataCollatorWithPadding(tokenizer)."
        ) from error
    return _renamed({key: value for key, value in dict(batch).items() if isinstance(value, Tensor)})


def _stacked(examples: list[Foreign]) -> Foreign:
    return default_collate([{key: torch.as_tensor(value) for key, value in each.items()} for each in examples])


def _renamed(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"labels" if key in LABELS else key: value for key, value in batch.items()}
