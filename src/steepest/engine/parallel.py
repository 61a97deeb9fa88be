"""Trials on several processes. Each takes its share of every batch, forward and backward; then it puts the outputs of
all together and computes the loss of the whole batch. So the global batch, its order and its
loss are those of one process, and gradients add up to its gradient.

Apart from `solo`, whose loop trains these trials as it trains any other.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from steepest.adapters.torch import as_torch
from steepest.engine import solo
from steepest.engine.calibrate import WARM_UP_STEPS
from steepest.engine.object_registry import EMPTY_REGISTRY, ConfiguredRule, ExternalOptimizer, ObjectRegistry
from steepest.engine.random_sources import seed_step
from steepest.engine.ranks import agreed, gathered, report, share, shares, together
from steepest.engine.second_gradient import ComputeSecond
from steepest.engine.task_roles import task_roles
from steepest.errors import BadSetting, BadTask
from steepest.optim.roles import has_roles
from steepest.optim.rule import Second
from steepest.records.outcomes import Trace
from steepest.records.step_times import StepTime
from steepest.records.trials import Lane, Parallel, Shard
from steepest.tasks.task import Task

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Relative difference of an output that rounding explains."""
MASKED = frozenset({nn.functional.dropout, nn.functional.dropout1d, nn.functional.dropout2d, nn.functional.dropout3d})
"""Functions that multiply by a random mask."""
TIMED_STEPS = 50


def train(
    task: Task,
    shard: Shard,
    registry: ObjectRegistry = EMPTY_REGISTRY,
    progress: Callable[[float], None] = lambda done: None,
) -> Trace:
    """As `solo.train`, on several processes."""
    parallel = _parallel(shard)

    def work() -> Trace:
        return solo.train(task, shard, registry, report, partial(ParallelTrial, parallel=parallel))

    return together(parallel.ranks, work, progress)


def step_time(task: Task, shard: Shard, registry: ObjectRegistry = EMPTY_REGISTRY) -> StepTime:
    """The time of a step of a trial, and of an evaluation: what the slowest process needs."""
    parallel = _parallel(shard)

    def work() -> StepTime:
        trial = ParallelTrial(task, shard, Lane(shard.contender.centre, seed=0), registry, parallel=parallel)
        steps = iter(range(1, 10 * TIMED_STEPS))
        for _ in range(WARM_UP_STEPS):
            trial.step(next(steps))
        one = _seconds(lambda: trial.step(next(steps)))
        length = max(1, min(TIMED_STEPS, int(0.1 / one)))
        taken = [_seconds(lambda: [trial.step(next(steps)) for _ in range(length)]) / length for _ in range(3)]
        evaluation = min(_seconds(lambda: trial.evaluate("valid")) for _ in range(2))
        parameters = sum(p.numel() for p in trial.model.parameters() if p.requires_grad)
        return StepTime(
            task=shard.task.name,
            contender=shard.contender.name,
            milliseconds=1e3 * median(taken),
            state_bytes_per_parameter=trial.optimizer.state_bytes() / parameters,
            evaluation_milliseconds=1e3 * evaluation,
        )

    return together(parallel.ranks, work)


def _seconds(do: Callable[[], object]) -> float:
    began = perf_counter()
    do()
    return agreed(perf_counter() - began)


def _parallel(shard: Shard) -> Parallel:
    parallel = Parallel.parse(shard.parallel)
    assert parallel is not None
    if parallel.kind == "fsdp2":  # here, once, and not in each of its processes
        import torch._dynamo
        import torch.distributed.fsdp  # noqa: F401
    return parallel


class ParallelTrial(solo.Trial):
    """A trial of which this process has a share."""

    def __init__(
        self, task: Task, shard: Shard, lane: Lane, registry: ObjectRegistry = EMPTY_REGISTRY, *, parallel: Parallel
    ) -> None:
        self.parallel = parallel
        super().__init__(task, shard, lane, registry)

    def prepared(self, model: nn.Module) -> nn.Module:
        _check_model(model, self.task, self.parallel)
        if self.parallel.kind == "fsdp2":
            from torch.distributed.fsdp import fully_shard

            fully_shard(model, reshard_after_forward=True)  # so that parameters are the shards between two passes
        return SharedBatch(model, is_averaged=self.parallel.kind == "fsdp2")

    def driver(
        self, optimizer: ConfiguredRule | ExternalOptimizer, rate: float, first: float
    ) -> solo.RuleDriver | solo.ExternalDriver:
        """With the names of parameters that the user's model has."""
        assert isinstance(self.model, SharedBatch)
        if self.parallel.kind == "fsdp2" and isinstance(optimizer, ConfiguredRule):
            return solo.ExternalDriver(_sharded(optimizer, self.model.model, self.task, rate), rate)
        return solo.driver_of(optimizer, self.model.model, rate, first)

    def step(self, t: int) -> float:
        if t == 1:
            self._check_share()
            seed_step(self.lane.seed, t)
        return super().step(t)

    def backward(self, loss: Tensor) -> None:
        super().backward(loss)
        if self.parallel.kind == "ddp":
            add_up_gradients([p for p in self.model.parameters() if p.requires_grad])

    def second(self, inputs: tuple[Tensor, ...], targets: Tensor, t: int) -> ComputeSecond:
        """Computes the second gradient of a step from the shares of all."""
        find = super().second(inputs, targets, t)

        def total(kind: Second, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
            return summed(find(kind, parameters))

        return total

    @torch.no_grad()
    def _check_share(self) -> None:
        """Raise BadTask where a model's outputs for some examples depend on the others of the batch, or where its
        random draws cannot be shared out."""
        model = self.model
        assert isinstance(model, SharedBatch)
        positions = self.order.batches(0, 1, self.shard.batch_size)
        batch = self.task.training_batch(self.splits, positions, self.lane.seed, 0)
        inputs, _ = solo.to_device(*batch, self.dtype, self.device)
        kept = [buffer.clone() for buffer in model.buffers()]
        model.train()
        seed_step(self.lane.seed, 1)
        whole = model.model(*inputs)
        seed_step(self.lane.seed, 1)
        shared = model(*inputs)
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
        same = shared.shape == whole.shape and bool(
            ((shared - whole).abs().nan_to_num(0) <= TOLERANCE[self.dtype] * whole.abs().max().nan_to_num(1)).all()
        )
        if agreed(0.0 if same else 1.0):
            raise BadTask(
                f"{self.task.name} cannot be trained on several processes: in training, the model's outputs for some "
                "examples depend on which others are with them, as with batch statistics, a loss that the model "
                "averages itself, or random draws other than dropout. Train it without --parallel."
            )


def _sharded(optimizer: ConfiguredRule, model: nn.Module, task: Task, rate: float) -> torch.optim.Optimizer:
    """The optimizer of a sharded model, with a group for the parameters of each group and role. Raises BadSetting."""
    rule = optimizer.rule
    if rule.second:
        raise BadSetting(
            f"{rule.__name__} takes two gradients in a step, which fsdp2 cannot give here. Use --parallel ddp, or "
            "leave it out."
        )
    if rule.forms:  # made for this model by the roles of its parameters
        (rule,) = rule.__bases__
    parameters = [p for p in model.parameters() if p.requires_grad]
    roles = task_roles(task) if has_roles(rule) else ("",) * len(parameters)
    parts, part_of = optimizer.for_parameters(model)
    kinds = [*zip(part_of, roles, strict=True)]
    groups: list[dict[str, Any]] = []
    for kind in dict.fromkeys(kinds):
        part, role = parts[kind[0]], {"role": kind[1]} if kind[1] else {}
        held = [p for p, other in zip(parameters, kinds, strict=True) if other == kind]
        groups.append({"params": held, **part.settings, "lr": rate * part.scale, **role})
    return as_torch(rule)(groups)


def _check_model(model: nn.Module, task: Task, parallel: Parallel) -> None:
    """Raises BadTask for a model that cannot be trained so."""
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise BadTask(
            f"{task.name} has BatchNorm, whose statistics are those of the whole batch, and torch's SyncBatchNorm "
            "needs GPUs. Train it without --parallel, or use GroupNorm or LayerNorm."
        )
    if parallel.kind == "fsdp2":
        if any(getattr(module, "sparse", False) for module in model.modules()):
            raise BadTask(f"{task.name} has sparse gradients, which fsdp2 does not take. Use --parallel ddp.")
        if any(p.ndim == 0 for p in model.parameters()):
            raise BadTask(f"{task.name} has a parameter without dimensions, which fsdp2 cannot shard. Use ddp.")


class SharedBatch(nn.Module):
    """A model of which every process computes the outputs for its share of the examples, and all have the outputs for
    all of them. Gradients are those of the own share, to be added up."""

    def __init__(self, model: nn.Module, is_averaged: bool) -> None:
        """is_averaged: the model itself averages gradients over the processes, instead of adding them up."""
        super().__init__()
        self.model, self.is_averaged = model, is_averaged

    def forward(self, *inputs: Tensor) -> Tensor:
        count, ranks = len(inputs[0]), distributed.get_world_size()
        if count < ranks:  # at the end of an evaluation
            return self.model(*inputs)
        mine = share(count)
        with _DropoutOfBatch(count, mine):
            own: Tensor = self.model(*(x[mine] for x in inputs))
        if own.requires_grad and self.is_averaged:
            own.register_hook(lambda gradient: gradient * ranks)
        rows, left = divmod(own.shape[0], mine.stop - mine.start)
        if left:
            raise BadTask("The model returns rows that do not belong to one example each: train without --parallel.")
        return torch.cat(gathered(own, [rows * length for length in shares(count)]))


def add_up_gradients(parameters: Sequence[Tensor]) -> None:
    """Give every parameter the sum of its gradients in all processes; none where no process has one."""
    kinds = torch.tensor([0 if p.grad is None else 2 if p.grad.is_sparse else 1 for p in parameters])
    distributed.all_reduce(kinds, distributed.ReduceOp.MAX)
    for p, kind in zip(parameters, kinds.tolist(), strict=True):
        if kind and p.grad is None:
            p.grad = torch.zeros_like(p) if kind == 1 else torch.zeros_like(p).to_sparse(1)
    dense = [p for p, kind in zip(parameters, kinds.tolist(), strict=True) if kind == 1]
    for p, total in zip(dense, summed([p.grad for p in dense if p.grad is not None]), strict=True):
        p.grad = total
    for p, kind in zip(parameters, kinds.tolist(), strict=True):
        if kind == 2 and p.grad is not None:
            rows = p.grad.coalesce()
            distributed.all_reduce(rows)
            p.grad = rows


def summed(parts: Sequence[Tensor]) -> list[Tensor]:
    """The sums over all processes, by one message for each type of numbers."""
    found: dict[int, Tensor] = {}
    for dtype in dict.fromkeys(part.dtype for part in parts):
        at = [i for i, part in enumerate(parts) if part.dtype is dtype]
        flat = torch.cat([parts[i].flatten() for i in at])
        distributed.all_reduce(flat)
        split = flat.split([parts[i].numel() for i in at])
        found |= {i: piece.view(parts[i].shape) for i, piece in zip(at, split, strict=True)}
    return [found[i] for i in range(len(parts))]


class _DropoutOfBatch(TorchFunctionMode):
    """Dropout draws masks for the whole batch, of which the own examples take theirs: those of one process."""

    def __init__(self, count: int, mine: slice) -> None:
        super().__init__()
        self.count, self.mine = count, mine

    def __torch_function__(
        self,
        func: Callable[..., Tensor],
        types: object,
        args: tuple[Tensor, ...] = (),
        kwargs: Mapping[str, bool] | None = None,
    ) -> Tensor:
        named = kwargs or {}
        return self._masked(func, args[0], **named) if func in MASKED else func(*args, **named)

    def _masked(
        self, func: Callable[..., Tensor], input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        rows, left = divmod(input.shape[0], self.mine.stop - self.mine.start)
        if not training or left:
            return func(input, p, training, inplace)
        whole = torch.ones(rows * self.count, *input.shape[1:], dtype=input.dtype, device=input.device)
        mask = func(whole, p, True, False)[rows * self.mine.start : rows * self.mine.stop]
        return input * mask
