"""A task: a model, data in three parts, a loss, a metric, a batch size and a horizon. What a trial trains.

The engine asks a task for one thing per seed, its `Splits`: a pool of examples on which the three parts are index
arrays, and the scaling measured on that seed's training part. Everything else is shared by all replicas.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from steepest import rng
from steepest.errors import BadTask
from steepest.tasks.arrays import PARTS, Pool, cut, pool_of
from steepest.tasks.metrics import MARGIN, Loss, Metric, metric_of, natural_margin
from steepest.types import TaskFacts

__all__ = ["Metric", "Scaling", "Splits", "Task"]


@dataclass(frozen=True)
class Scaling:
    """Affine scaling (x − shift) / scale, measured on one seed's training part. Each broadcasts over the examples."""

    input_shift: Tensor  # [*features], or [] where inputs are left alone
    input_scale: Tensor  # [*features]
    target_shift: Tensor | None = None
    target_scale: Tensor | None = None


@dataclass(frozen=True)
class Splits:
    """One seed's data. `inputs` and `targets` are one shared object for all seeds of a task, never copies."""

    inputs: tuple[Tensor, ...]  # each [N, ...]: the arguments of the model
    targets: Tensor  # [N, ...]
    train: np.ndarray  # [n_train], int64 positions in the pool
    valid: np.ndarray  # [n_valid]
    test: np.ndarray  # [n_test]
    scaling: Scaling | None = None  # of inputs[0] and, where given, of the targets


@dataclass(frozen=True, eq=False)
class Task:
    """What a trial trains: model + data + loss + metric + batch size + horizon.

    Data come as pairs (inputs, targets) of arrays or tensors with one row an example; a model with several inputs
    takes ((x1, x2), y). Give them in one of four ways:

    * `data`: every seed draws its own train, validation and test part, in the shares of `split`;
    * `train`, `valid` and `test`: they are taken as they are, and the split is no part of the luck;
    * `train` and `test` (an official test set): every seed draws its validation part from `train`;
    * `train` and `valid`: every seed draws its test part from `train`, since what picked the rate cannot judge it.

    What is drawn from `train` is drawn in the proportion of the shares that `split` gives to both, and class labels are
    shared out evenly. Raises BadTask, in one sentence, for whatever cannot be trained on.
    """

    model: Callable[[], nn.Module]
    """A function (or class) without arguments that builds the model anew, with weights from torch's generator."""
    loss: Loss
    """loss(outputs, targets) → scalar, the mean over a batch."""
    train: Any = field(default=None, repr=False)
    valid: Any = field(default=None, repr=False)
    test: Any = field(default=None, repr=False)
    data: Any = field(default=None, repr=False)
    split: Sequence[float] = (0.6, 0.2, 0.2)
    """Shares of train, validation and test in what is drawn."""
    metric: str | Metric | Callable[[Any, Tensor], Tensor] = "loss"
    """"accuracy", "r2", "mse", "mae" or "loss"; a `Metric`; or a function of which more is better."""
    batch_size: int = 64
    epochs: float = 20
    """The horizon, in passes over the training part."""
    name: str = "task"
    title: str = ""
    """What people read; the name if left out."""
    standardize: bool | Literal["inputs", "targets", "both"] = False
    """Shift and scale each feature to mean 0, deviation 1 on the training part: True means the inputs (the first, of
    several). Standardized targets also reach the metric: an MSE is then a share of their variance."""
    target: float | None = None
    """The level on test, raw, that a sound run must reach."""
    source: str = "your own data"
    """Where the data come from, with the licence: one line."""
    margin: float | None = None
    """Practical margin in the metric's raw units. If left out: 0.0025 of accuracy and R²; for an error, a quarter per
    cent of what the best constant guess scores; for a loss, of what an untrained model scores; the metric's own
    otherwise."""

    def __post_init__(self) -> None:
        if isinstance(self.model, nn.Module) or not callable(self.model):
            raise BadTask(
                f"model is a {type(self.model).__name__}; pass a function that builds it, such as model=make_model or "
                "model=lambda: …, since every replica needs fresh weights."
            )
        if not callable(self.loss) or isinstance(self.loss, type):
            hint = f"{self.loss.__name__}()" if isinstance(self.loss, type) else "torch.nn.functional.cross_entropy"
            raise BadTask(f"loss is {self.loss!r}; pass a function of outputs and targets, such as {hint}.")
        if self.standardize not in (False, True, "inputs", "targets", "both"):
            raise BadTask(
                f'standardize is {self.standardize!r}; it must be True, False, "inputs", "targets" or "both".'
            )
        _check_positive("epochs", self.epochs)
        self.quality  # noqa: B018  an unknown metric should be told here, not in a worker
        self._check_parts()

    # ---- what the engine asks ----------------------------------------------------------------------------------------

    def splits(self, seed: int) -> Splits:
        """The data as this seed sees them."""
        parts = {name: np.asarray(positions, dtype=np.int64) for name, positions in self._pool.ranges.items()}
        names = self._drawn
        if len(names) > 1:
            labels = self._pool.targets[parts["train"]]
            has_classes = labels.ndim == 1 and not labels.is_floating_point()
            strata = labels.numpy() if has_classes else np.zeros(len(labels), dtype=np.int64)
            sizes = [self.sizes[name] for name in names]
            drawn = cut(strata, sizes, rng.generator(seed, "split"))
            parts |= dict(zip(names, drawn, strict=True))  # `train` starts at position 0 of the pool
        return Splits(self._pool.inputs, self._pool.targets, **parts, scaling=self._scaling(parts["train"]))

    def build_model(self, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        """The model with the initial weights of this seed; the caller's random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(rng.integer(seed, "weights"))
            return self.model().to(dtype)

    @cached_property
    def quality(self) -> Metric:
        """The metric that rates are picked by."""
        return metric_of(self.metric, self.loss)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Examples in each part; the same for every seed."""
        sizes = {name: len(positions) for name, positions in self._pool.ranges.items()}
        shares = np.array([self.split[PARTS.index(name)] for name in self._drawn])
        edges = np.round(np.cumsum([0, *shares]) / shares.sum() * sizes["train"]).astype(int)
        return sizes | {name: int(size) for name, size in zip(self._drawn, np.diff(edges), strict=True)}

    @property
    def steps(self) -> int:
        """The horizon at the task's own batch size."""
        return max(1, round(self.epochs * self.sizes["train"] / self.batch_size))

    def facts(self, name: str | None = None) -> TaskFacts:
        """All that planner, verdict and report need to know; `name` is what the study calls the task.

        Builds the model twice; the reason why a task cannot be a fleet, if there is one, is the engine's to find.
        """
        model, other = self.build_model(0), self.build_model(1)
        return TaskFacts(
            name=name or self.name,
            title=self.title or name or self.name,
            metric=self.quality.name,
            higher_is_better=self.quality.higher_is_better,
            unit=self.quality.unit,
            margin=self._practical_margin(model),
            n_train=self.sizes["train"],
            n_valid=self.sizes["valid"],
            n_test=self.sizes["test"],
            parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
            batch_size=self.batch_size,
            steps=self.steps,
            luck=self._luck(model, other),
            source=self.source,
            target=self.target,
            loss_name=getattr(self.loss, "__name__", type(self.loss).__name__).replace("<lambda>", "loss"),
        )

    # ---- what lies behind --------------------------------------------------------------------------------------------

    @cached_property
    def _pool(self) -> Pool:
        given = {name: pair for name in PARTS if (pair := getattr(self, name)) is not None}
        if self.data is not None:
            if given:
                raise BadTask(f"Both data and {' and '.join(given)} are given: pass data alone, or the parts.")
            pool = pool_of({"data": self.data})
            return Pool(pool.inputs, pool.targets, {"train": pool.ranges["data"]})
        if "train" not in given or len(given) == 1:
            raise BadTask(
                f"{' and '.join(given) or 'No data'} alone cannot make a task: pass data=(x, y) to have all three "
                "parts drawn from it, or train with test or valid or both."
            )
        return pool_of(given)

    @cached_property
    def _drawn(self) -> tuple[str, ...]:
        """The parts that a seed draws from `train`; `train` alone means that nothing is drawn."""
        return ("train", *(name for name in PARTS if name not in self._pool.ranges))

    def _check_parts(self) -> None:
        split = self.split
        if len(split) != 3 or not all(share > 0 for share in split) or not math.isclose(sum(split), 1, abs_tol=1e-6):
            raise BadTask(
                f"split is {split!r}; it must be three shares above 0 that sum to 1: train, validation, test."
            )
        for part in PARTS:
            if self.sizes[part] == 0:
                raise BadTask(
                    f"The {part} part is empty: {len(self._pool.ranges['train'])} examples are too few for the split "
                    f"{tuple(split)}. Give more examples or another split."
                )
        try:
            size = operator.index(self.batch_size)
        except TypeError:
            raise BadTask(f"batch_size is {self.batch_size!r}; it must be a whole number.") from None
        if isinstance(self.batch_size, bool) or not 0 < size <= self.sizes["train"]:
            raise BadTask(
                f"batch_size is {self.batch_size}; it must be at least 1 and at most {self.sizes['train']}, "
                "the number of examples in the training part."
            )
        if self.standardize in (True, "inputs", "both") and not self._pool.inputs[0].is_floating_point():
            raise BadTask(
                "standardize asks for scaled inputs, but they are whole numbers; pass floats, or turn it off."
            )
        if self.standardize in ("targets", "both") and not self._pool.targets.is_floating_point():
            raise BadTask(
                "standardize asks for scaled targets, but they are whole numbers; pass floats, or turn it off."
            )

    def _scaling(self, train: np.ndarray) -> Scaling | None:
        if not self.standardize:
            return None
        inputs = self._pool.inputs[0] if self.standardize != "targets" else None
        targets = self._pool.targets if self.standardize in ("targets", "both") else None
        alone = torch.tensor(0.0), torch.tensor(1.0)
        of_targets = (None, None) if targets is None else _moments(targets[train])
        return Scaling(*(alone if inputs is None else _moments(inputs[train])), *of_targets)

    def _practical_margin(self, model: nn.Module) -> float:
        if self.margin is not None:
            return self.margin
        if self.metric == "loss":
            return MARGIN * self._untrained_loss(model)
        targets = self._pool.targets
        if self.standardize in ("targets", "both"):
            shift, scale = _moments(targets)
            targets = (targets - shift) / scale
        return natural_margin(self.quality, targets)

    def _untrained_loss(self, model: nn.Module) -> float:
        """The loss of the initial weights on up to 256 validation examples; 0 where it is not finite."""
        inputs, targets = self.batch(self.splits(0), self.splits(0).valid[:256])
        with torch.no_grad():
            loss = float(self.loss(model.eval()(*inputs), targets))
        return abs(loss) if math.isfinite(loss) else 0.0

    def batch(self, splits: Splits, positions: np.ndarray) -> tuple[tuple[Tensor, ...], Tensor]:
        """The arguments of the model and the targets at these positions of the pool, scaled; float32."""
        index = torch.from_numpy(np.ascontiguousarray(positions))
        first, *others = (column[index] for column in splits.inputs)
        targets = splits.targets[index]
        if (scaling := splits.scaling) is not None:
            first = (first - scaling.input_shift) / scaling.input_scale
            if scaling.target_shift is not None and scaling.target_scale is not None:
                targets = (targets - scaling.target_shift) / scaling.target_scale
        return (first, *others), targets

    def place(self, position: int) -> str:
        """For messages: where an example of the pool stands in what was given, such as "row 17 of train"."""
        for name, positions in self._pool.ranges.items():
            if position in positions:
                return f"row {position - positions.start} of {'data' if self.data is not None else name}"
        raise IndexError(position)

    def _luck(self, model: nn.Module, other: nn.Module) -> tuple[str, ...]:
        """What a seed draws here, from two models of different seeds."""
        luck = []
        if any(not torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)):
            luck.append("initial weights")
        luck.append("order of the batches")
        if any(isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in model.modules()):
            luck.append("dropout")
        if len(self._drawn) > 1:
            words = {"train": "train", "valid": "validation", "test": "test"}
            luck.append(f"{'/'.join(words[name] for name in PARTS if name in self._drawn)} split")
        return tuple(luck)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each feature over the examples [n, *features]; a constant feature is only shifted."""
    mean = x.double().mean(0)
    deviation = x.double().std(0, correction=0)
    constant = x.amax(0) == x.amin(0)
    return mean.float(), torch.where(constant, 1.0, deviation).float()


def _check_positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise BadTask(f"{name} is {value!r}; it must be a number above 0.")
