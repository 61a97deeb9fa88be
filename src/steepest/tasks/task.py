"""A task, which a trial trains: a model, data in three parts, a loss, a metric, a batch size and a horizon.

For each seed the engine requests `Splits`: the pool of examples, index arrays of the three parts, and the scaling
measured on that seed's training part. Everything else is shared by all replicas.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from steepest.errors import BadTask
from steepest.messages import Message, mark, say, verbatim
from steepest.records import rng
from steepest.records.parameter_roles import checked_roles
from steepest.records.task_facts import SeedDraw, TaskFacts
from steepest.records.task_warnings import TaskWarning, check_ids, warning
from steepest.tasks.arrays import PARTS, Pool, pool_of, redrawn
from steepest.tasks.class_metrics import CLASSIFICATION
from steepest.tasks.keras_models import KerasModule, as_torch_module, draws_numbers, keras_layers, loss_of, seeded
from steepest.tasks.measuring import (
    SIZES,
    first_metric,
    is_named,
    labels_place,
    on_head,
    outputs_tree,
    own_metric,
    reading,
)
from steepest.tasks.metrics import MARGIN, Loss, Metric, base_of, constant_level, metric_of, natural_margin
from steepest.tasks.model_wrappers import WrappedModel, own_loss
from steepest.tasks.readings import PLAIN, fitted
from steepest.tasks.several import HeadMetric, JointLoss, TreeLoss, WeightedLoss, is_unreduced, is_weighting, unpacked
from steepest.tasks.split_plan import SHARES, SplitPlan, draw_parts, plan_of, shares_and_kind
from steepest.tasks.splits import Scaling, Splits, moments
from steepest.tasks.tensor_trees import Tree

__all__ = ["Metric", "Scaling", "Splits", "Task"]

BATCH_SIZE = 64
UNNAMED = "task"
"""The name of a task without a name; the study then uses its own name for it, such as that of its file."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a trial trains: model + data + loss + metric + batch size + horizon.

    Data are pairs (inputs, targets) of arrays or tensors with one row per example. A model with several inputs takes
    ((x1, x2), y); a model with inputs by keyword takes ({"a": x1, "b": x2}, y). A torch Dataset or DataLoader is read
    into memory. There are four ways to pass data:

    * `data`: every seed draws its own train, validation and test part, in the shares of `split`;
    * `train`, `valid` and `test`: the parts are used as given, the same for all seeds;
    * `train` and `test` (an official test set): every seed draws its validation part from `train`;
    * `train` and `valid`: every seed draws its test part from `train`, since test must not select the learning rate.

    Several targets are a dict or a tuple, ({"class": y1, "box": y2}). If the loss has reduction="none", data may be
    triples (inputs, targets, weights), and the loss of each example is multiplied by its weight.

    Parts drawn from `train` have the relative shares of `split` and are stratified by class. Raises BadTask for data
    and arguments that cannot be used.
    """

    model: Callable[[], nn.Module]
    """A function (or class) without arguments that builds a new model with weights from torch's generator: a torch
    module, or a Keras model on Keras' torch backend."""
    loss: Any = own_loss
    """loss(outputs, targets) → scalar, the mean over a batch; or a dict or a tuple of losses, one per target, to add.
    Several targets or outputs reach it as the dict, tuple or object that was given or returned. A Keras loss can be
    passed directly or, if Keras is loaded, by name.

    Without it, the model returns its own loss (a scalar; or `loss` in a dict, an object or a tuple), and data are all
    arguments of the model, including targets."""
    train: Any = field(default=None, repr=False)
    valid: Any = field(default=None, repr=False)
    test: Any = field(default=None, repr=False)
    data: Any = field(default=None, repr=False)
    split: str | Sequence[Any] = SHARES
    """Shares of train, validation and test, stratified by class. Or "random" or "stratified", alone or before the
    shares: ("random", 0.7, 0.15, 0.15)."""
    groups: Any = field(default=None, repr=False)
    """The group of each example from which parts are drawn, such as its patient: whole groups go to one part."""
    time: Any = field(default=None, repr=False)
    """The time of each example, as numbers or dates: validation and test are the last blocks of a window of time. A
    seed draws where the window, 80 % of the examples, starts."""
    folds: Any = field(default=None, repr=False)
    """The fold of each example: with each seed, the next fold is test and another one validation. Or the names
    "train", "valid" and "test": the same parts for all seeds."""
    metric: Any = "loss"
    """"accuracy", "balanced-accuracy", "macro-f1", "auroc", "top5", "perplexity", "r2", "mse", "rmse", "mae" or "loss";
    a `Metric`; or a function whose higher values are better. With several targets, a dict or a tuple of one for each:
    the first decides, and only it is measured. The others are checked."""
    batch_size: int = None  # type: ignore[assignment]
    """Examples per step. Default: that of the DataLoader of `train` or `data` if it is above 1, else 64."""
    epochs: float = 20
    """The horizon, in passes over the training part."""
    name: str = UNNAMED
    title: str = ""
    """Title in reports; the name by default."""
    standardize: bool | Literal["inputs", "targets", "both"] = False
    """Shift and scale each feature to mean 0 and standard deviation 1 on the training part. True means the inputs (the
    first of several). The metric also receives standardized targets: an MSE is then a share of their variance."""
    target: float | None = None
    """Test score, raw, that a valid run must reach."""
    source: str = mark("your own data")
    """Origin and licence of the data, in one line."""
    notes: Sequence[str | Message] = field(default=(), repr=False)
    """Sentences about how the task was built, shown with the verdict."""
    margin: float | None = None
    """Practical margin in the metric's raw units. Default: 0.0025 for accuracy and R²; for MSE and MAE, 0.25 % of the
    error of the best constant prediction; for a loss, 0.25 % of the loss of an untrained model; otherwise that of the
    metric."""
    augmentation: Literal["fresh", "frozen"] = "fresh"
    """For data sets that change their examples at random: "fresh" draws the changes again in every epoch, "frozen" once
    for all."""
    accept: Sequence[str] = ()
    """Ids of warnings to accept, such as ["shared-rows"]: they no longer stop a study. docs/warnings.md lists them."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Roles of parameters by name, pattern or shape, where those found are wrong: {"*.head.*": "output"}."""
    found: Sequence[TaskWarning] = field(default=(), repr=False)
    """Warnings that were found while the data were read."""

    def __post_init__(self) -> None:
        if isinstance(self.model, nn.Module) or not callable(self.model):
            raise BadTask(
                f"model is a {type(self.model).__name__}. Pass a function that builds it, such as model=make_model or "
                "model=lambda: …, since every replica needs new weights."
            )
        if isinstance(self.loss, Mapping | list | tuple):
            object.__setattr__(self, "loss", JointLoss(self.loss))
        object.__setattr__(self, "loss", loss_of(self.loss))
        if not callable(self.loss) or isinstance(self.loss, type):
            hint = f"{self.loss.__name__}()" if isinstance(self.loss, type) else "torch.nn.functional.cross_entropy"
            raise BadTask(f"loss is {self.loss!r}. Pass a function of outputs and targets, such as {hint}.")
        object.__setattr__(self, "accept", check_ids([self.accept] if isinstance(self.accept, str) else self.accept))
        object.__setattr__(self, "roles", checked_roles(self.roles))
        metric_of(first_metric(self.metric)[0], own_loss)  # raises for an unknown metric here and not in a worker
        if self.augmentation not in ("fresh", "frozen"):
            raise BadTask(f'augmentation is {self.augmentation!r}; it must be "fresh" or "frozen".')
        self._take_batch_size()
        self._check_numbers()
        self._check_parts()

    # ---- what the engine calls ---------------------------------------------------------------------------------------

    def splits(self, seed: int) -> Splits:
        """The data of this seed."""
        parts = draw_parts(self._pool, self.plan, seed)
        weights = None if self._pool.weights is None else self._pool.weights[parts["train"]]
        scaling = self._scaling(parts["train"])
        return Splits(self._pool.inputs, self._pool.targets, **parts, scaling=scaling, weights=weights)

    def batch(self, splits: Splits, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        """The arguments of the model and the targets at these positions of the pool, scaled; float32."""
        index = torch.from_numpy(np.ascontiguousarray(positions))
        return _scaled(splits, [column[index] for column in splits.inputs], splits.targets[index])

    def training_batch(
        self, splits: Splits, positions: np.ndarray, seed: int, start: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """The examples of the steps start, start + 1, … of a seed at positions [steps, B], one row per example as in
        `batch`. Tasks that change their examples at each step override this. Examples of a data set that changes them
        at random are read again in every epoch."""
        flat = positions.reshape(-1)
        if (source := self._pool.source) is None:
            return self.batch(splits, flat)
        epochs = (start * positions.shape[1] + np.arange(len(flat))) // len(splits.train)
        *inputs, targets = redrawn(source, flat, seed, epochs)
        return _scaled(splits, inputs, targets)

    @property
    def training_loss(self) -> Loss:
        """The loss that training minimizes; validation and test measure `measured_loss`."""
        return self.measured_loss

    @cached_property
    def measured_loss(self) -> Loss:
        """`loss` as a function of one tensor of outputs and one of targets."""
        tree = self._pool.tree
        if is_weighting(tree, self.loss):
            return TreeLoss(WeightedLoss(self.loss), self.heads, tree)
        return self.loss if self.heads is None and tree is None else TreeLoss(self.loss, self.heads, tree)

    @property
    def target_tree(self) -> Tree | None:
        """The structure of the targets if there are several for each example."""
        return self._pool.tree

    @cached_property
    def heads(self) -> Tree | None:
        """The structure of the model's outputs if they are several tensors; they lie side by side as one matrix."""
        if self.has_own_loss and self.metric == "loss":
            return None
        return outputs_tree(self._raw_outputs)

    columns_are_checked = False
    """Whether the columns have been looked at before, under their names; then `check` leaves them alone."""

    @cached_property
    def changes_examples(self) -> bool:
        """Whether examples change from step to step."""
        return self._pool.source is not None

    def build_model(self, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        """The model with the initial weights of this seed; the caller's random state is restored."""
        with seeded(rng.integer(seed, "weights"), dtype):
            model = self.made().to(dtype)
            names = () if isinstance(model, KerasModule) else self._pool.names
            called: nn.Module = model
            if names or self.has_own_loss or self.heads is not None:
                called = WrappedModel(model, names, self.has_own_loss, self.heads)
            if any(isinstance(p, nn.UninitializedParameter) for p in model.parameters()):
                _initialize_lazy_layers(called, tuple(column[:2] for column in self._pool.inputs), dtype)
        return called

    def made(self) -> Any:
        """The result of `model()`, with a Keras model converted to a torch module; `check` verifies the type."""
        return as_torch_module(self.model(), self._pool.names, tuple(column[:2] for column in self._pool.inputs))

    @property
    def has_own_loss(self) -> bool:
        """Whether the model returns its loss itself."""
        return self.loss is own_loss

    @cached_property
    def quality(self) -> Metric:
        """The metric that selects learning rates. One of classification reads outputs and targets as the loss does."""
        given, head = first_metric(self.metric)
        return self._measured(given, head)

    @property
    def other_metrics(self) -> dict[str, Metric]:
        """The metrics of the other targets, which `check` tries; they decide nothing."""
        if not isinstance(self.metric, Mapping | list | tuple):
            return {}
        named = self.metric.items() if isinstance(self.metric, Mapping) else enumerate(self.metric)
        return {str(name): self._measured(given, name) for name, given in [*named][1:]}

    def _measured(self, given: Any, head: object) -> Metric:
        metric = metric_of(given, self.measured_loss)
        if given == "loss":
            return metric
        if self.has_own_loss:
            return own_metric(metric, self.heads, *self._own_example(metric))
        if not is_named(metric):
            return on_head(metric, PLAIN, self.heads, self._pool.tree, head)
        targets = unpacked(self._pool.tree, self._pool.targets[: SIZES[0]])
        read = reading(self.loss, head, lambda: self._raw_outputs(SIZES[0]), targets)
        if base_of(metric.fn) in CLASSIFICATION:
            truth = HeadMetric(metric.fn, self.heads, self._pool.tree, True, head).truth_of(self._pool.targets)
            read = fitted(read, *truth)
        return on_head(metric, read, self.heads, self._pool.tree, head)

    def _own_example(self, metric: Metric) -> tuple[Any, Tensor | None]:
        """Outputs and labels of a model with its own loss, for a metric that needs them."""
        if self.heads is None or not is_named(metric):
            return None, None
        _, labels = self.batch(self.splits(0), np.arange(SIZES[0]) % len(self._pool.targets))
        return self._raw_outputs(SIZES[0]), labels if self._pool.has_labels else None

    def _raw_outputs(self, examples: int) -> Any:
        """What a new model returns for the first examples, in evaluation."""
        positions = np.arange(examples) % len(self._pool.targets)
        inputs, _ = self.batch(self.splits(0), positions)
        with seeded(0, torch.float32), torch.no_grad():
            model = self.made()
            names = () if isinstance(model, KerasModule) else self._pool.names
            return WrappedModel(model, names).eval()(*inputs)

    @cached_property
    def plan(self) -> SplitPlan:
        """How a seed draws its parts."""
        return plan_of(self._pool, self.split, self.groups, self.time, self.folds)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Examples in "train", "valid" and "test"; by group, time or fold those of seed 0, and others are close."""
        return {name: len(places) for name, places in self._pool.ranges.items()} | self.plan.sizes()

    @property
    def steps(self) -> int:
        """The horizon at the task's own batch size."""
        return max(1, round(self.epochs * self.sizes["train"] / self.batch_size))

    def facts(self, name: str | None = None) -> TaskFacts:
        """The facts for planner, verdict and report; `name` is the study's name of the task.

        Builds two models. The engine adds the reason if the task cannot be trained as a fleet.
        """
        model, other = self.build_model(0), self.build_model(1)
        own_name = "" if self.name == UNNAMED else self.name
        return TaskFacts(
            name=name or self.name,
            title=self.title or own_name or name or self.name,
            metric=self.quality.name,
            higher_is_better=self.quality.higher_is_better,
            unit=self.quality.unit,
            margin=self._practical_margin(model),
            n_train=self.sizes["train"],
            n_valid=self.sizes["valid"],
            n_test=self.sizes["test"],
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            batch_size=int(self.batch_size),
            steps=self.steps,
            luck=self._random_sources(model, other),
            source=self.source,
            target=None if self.target is None else float(self.target),
            notes=self.remarks,
            constant=constant_level(self.quality, self._measured_targets()),
            loss_name=getattr(self.loss, "__name__", type(self.loss).__name__).replace("<lambda>", "loss"),
        )

    @property
    def remarks(self) -> tuple[Message, ...]:
        """Its notes as messages; plain texts are the same in every language."""
        notes = [self.notes] if isinstance(self.notes, str | Message) else self.notes
        return tuple(note if isinstance(note, Message) else verbatim(str(note)) for note in notes)

    @property
    def warnings_found(self) -> tuple[TaskWarning, ...]:
        """The warnings that were found while its data were read."""
        size = self._pool.batch_size
        if size is None or size in (1, self.batch_size):
            return (*self.found, *self._pool.found)
        message = say("The task has batches of {own}, its loader batches of {size}.", own=self.batch_size, size=size)
        return (*self.found, *self._pool.found, warning("batch-size-dropped", message))

    def place(self, position: int) -> str:
        """For messages: the row of an example of the pool in the given data, such as "row 17 of train"."""
        part, places = next((part, places) for part, places in self._pool.ranges.items() if position in places)
        return f"row {position - places.start} of {'data' if self.data is not None else part}"

    # ---- internals ---------------------------------------------------------------------------------------------------

    @cached_property
    def _pool(self) -> Pool:
        given = {name: pair for name in PARTS if (pair := getattr(self, name)) is not None}
        if self.data is not None:
            if given:
                raise BadTask(f"Both data and {' and '.join(given)} are given. Pass only data, or only the parts.")
            pool = self._read({"data": self.data})
            return self._with_labels(replace(pool, ranges={"train": pool.ranges["data"]}))
        if "train" not in given or len(given) == 1:
            raise BadTask(
                f"{'Only ' + ' and '.join(given) if given else 'No data'} {'are' if len(given) > 1 else 'is'} given. "
                "Pass data=(x, y), from which all three parts are drawn, or train with test or valid or both."
            )
        return self._with_labels(self._read(given))

    def _with_labels(self, pool: Pool) -> Pool:
        """For a model with its own loss and a metric: the labels among its inputs are also the targets."""
        if not self.has_own_loss or self.metric == "loss":
            return pool
        place = None
        with suppress(Exception), seeded(0, torch.float32):  # `check` reports a model that cannot be built
            place = labels_place(pool.names, self.model(), len(pool.inputs))
        if place is None:
            return pool
        labels = pool.inputs[place]
        return replace(pool, targets=labels if labels.is_floating_point() else labels.long(), has_labels=True)

    def _read(self, given: dict[str, Any]) -> Pool:
        pool = pool_of(given, self.has_own_loss, is_unreduced(self.loss))
        if self.augmentation == "fresh":
            return pool
        found = tuple(each for each in pool.found if each.id != "augmentation-frozen")
        return replace(pool, source=None, found=found)

    def _take_batch_size(self) -> None:
        """Set the batch size, if none is given, to that of the loader, or else to 64."""
        if self.batch_size is None:
            size = self._pool.batch_size or 1
            object.__setattr__(self, "batch_size", min(size, self.sizes["train"]) if size > 1 else BATCH_SIZE)

    def _check_numbers(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, Real) or not 0 < self.epochs < math.inf:
            raise BadTask(f"epochs is {self.epochs!r}; it must be a number above 0.")
        try:
            size = operator.index(self.batch_size)
        except TypeError:
            size = 0
        if isinstance(self.batch_size, bool) or size < 1:
            raise BadTask(f"batch_size is {self.batch_size!r}; it must be a whole number, at least 1.")
        shares_and_kind(self.split)
        if self.standardize not in (False, True, "inputs", "targets", "both"):
            raise BadTask(f'standardize is {self.standardize!r}; it must be a bool, "inputs", "targets" or "both".')

    def _check_parts(self) -> None:
        for part, size in self.sizes.items():
            if size == 0:
                raise BadTask(
                    f"The {part} part is empty: {len(self._pool.ranges['train'])} examples are too few for the split "
                    f"{shares_and_kind(self.split)[0]}. Pass more examples or another split."
                )
        if self.batch_size > self.sizes["train"]:
            raise BadTask(
                f"batch_size is {self.batch_size}, but the training part has only {self.sizes['train']} examples. "
                "Use a smaller one."
            )
        if self._scales_inputs and not self._pool.inputs[0].is_floating_point():
            raise BadTask("standardize scales the inputs, but they are integers. Pass floats or turn it off.")
        if self._scales_targets and self._pool.tree is not None:
            raise BadTask("standardize scales the targets, but there are several. Scale them yourself, or turn it off.")
        if self._scales_targets and not self._pool.targets.is_floating_point():
            raise BadTask("standardize scales the targets, but they are integers. Pass floats or turn it off.")

    @property
    def _scales_inputs(self) -> bool:
        return self.standardize in (True, "inputs", "both")

    @property
    def _scales_targets(self) -> bool:
        return self.standardize in ("targets", "both")

    def _scaling(self, train: np.ndarray) -> Scaling | None:
        if not self.standardize:
            return None
        of_inputs = torch.tensor(0.0), torch.tensor(1.0)
        if self._scales_inputs:
            of_inputs = moments(self._pool.inputs[0][train])
        of_targets = moments(self._pool.targets[train]) if self._scales_targets else (None, None)
        return Scaling(*of_inputs, *of_targets)

    def _practical_margin(self, model: nn.Module) -> float:
        if self.margin is not None:
            return float(self.margin)
        if self.metric == "loss":
            return MARGIN * self._untrained_loss(model)
        return natural_margin(self.quality, self._measured_targets())

    def _measured_targets(self) -> Tensor:
        """All targets, as the metric sees them."""
        targets = self._pool.targets
        if isinstance(self.quality.fn, HeadMetric) and self.quality.fn.is_named:
            targets, _ = self.quality.fn.truth_of(targets)
        if self._scales_targets:
            shift, scale = moments(targets)
            targets = (targets - shift) / scale
        return targets

    def _untrained_loss(self, model: nn.Module) -> float:
        """The loss of the initial weights on up to 256 validation examples; 0 if it is not finite."""
        splits = self.splits(0)
        inputs, targets = self.batch(splits, splits.valid[:256])
        with torch.no_grad():
            loss = float(self.measured_loss(model.eval()(*inputs), targets))
        return abs(loss) if math.isfinite(loss) else 0.0

    def _draws(self, model: nn.Module) -> bool:
        """Whether the model uses torch's random generator in training, such as for `F.dropout` or a latent variable."""
        splits = self.splits(0)
        inputs, _ = self.batch(splits, splits.train[:8])
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            before = torch.get_rng_state()
            model.train()(*inputs)
            return not torch.equal(before, torch.get_rng_state())

    def _random_sources(self, model: nn.Module, other: nn.Module) -> tuple[str, ...]:
        """What the seed determines, found from two models of different seeds."""
        sources: list[str] = []
        if any(not torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)):
            sources.append(SeedDraw.WEIGHTS)
        sources.append(SeedDraw.ORDER)
        if any(map(_drops, (*model.modules(), *keras_layers(model)))):
            sources.append(SeedDraw.DROPOUT)
        elif draws_numbers(model) or self._draws(model):
            sources.append(SeedDraw.MODEL)
        if self.changes_examples:
            sources.append(SeedDraw.AUGMENTATION)
        if self.plan.varies:
            sources.append(self.plan.varies)
        return tuple(map(str, sources))


LOSSES = (
    *(mark("cross_entropy"), mark("mse_loss"), mark("l1_loss"), mark("binary_cross_entropy_with_logits")),
    *(mark("cross-entropy"), mark("error"), mark("value")),
)
"""Names of losses and metrics that other languages translate."""


def _scaled(splits: Splits, inputs: Sequence[Tensor], targets: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """Inputs and targets with the scaling of this seed; class numbers and words are not scaled."""
    first, *others = inputs
    if (scaling := splits.scaling) is not None:
        if first.is_floating_point():
            first = (first - scaling.input_shift) / scaling.input_scale
        if scaling.target_shift is not None and scaling.target_scale is not None:
            targets = (targets - scaling.target_shift) / scaling.target_scale
    return (first, *others), targets


def _drops(module: nn.Module) -> bool:
    """Whether it is a dropout layer of torch or Keras with a rate above 0."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return type(module).__name__.endswith("Dropout") and getattr(module, "rate", 0.0) > 0


def _initialize_lazy_layers(model: nn.Module, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    """Initialize the lazy layers of a model by a call on two examples, which sets their sizes and weights."""
    with torch.no_grad():
        model.eval()(*(x.to(dtype) if x.is_floating_point() else x for x in inputs))
    model.train()
