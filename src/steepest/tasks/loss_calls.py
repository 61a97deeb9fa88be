"""Which known losses a task's loss calls, with which tensors: found by running it once and recording torch's functions.

So a loss of the user's own that calls `F.cross_entropy` is judged as `F.cross_entropy` is, by what reaches the call.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from steepest.tasks.keras_models import KerasLoss
from steepest.tasks.loss_kinds import FROM_LOGITS, KERAS, TORCH, LossKind, Outputs, Targets
from steepest.tasks.tensor_trees import tensors_of

OUTPUT_NAMES = ("input", "input1", "log_probs", "anchor")
TARGET_NAMES = ("target", "targets")


@dataclass(frozen=True)
class LossCall:
    """One call of a known loss."""

    name: str
    kind: LossKind
    outputs: Tensor
    targets: Tensor | None
    options: Mapping[str, object] = field(default_factory=dict)
    """The other arguments by name, defaults included."""
    class_axis: int | None = None
    """The axis of the classes in the model's outputs, where it is known."""

    @property
    def ignored(self) -> int | None:
        """The label that the call ignores."""
        value = self.options.get("ignore_index", self.options.get("ignore_class"))
        return value if isinstance(value, int) else None


@dataclass(frozen=True)
class Expanded:
    """An elementwise operation between outputs and targets that repeated outputs to fit the targets."""

    outputs: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass
class Recorded:
    """What one run of a loss did."""

    value: object = None
    calls: list[LossCall] = field(default_factory=list)
    expanded: list[Expanded] = field(default_factory=list)
    operations: int = 0
    """Torch functions seen; none if the loss runs as a compiled or scripted function."""
    names: set[str] = field(default_factory=set[str])
    """The names of these functions."""


def record(loss: Callable[..., object], outputs: Any, targets: Any) -> Recorded:
    """Run loss(outputs, targets) and record what it calls. Raises what the loss raises."""
    if isinstance(loss, KerasLoss):
        found = Recorded(loss(outputs, targets), operations=1)
        if (
            isinstance(outputs, Tensor)
            and isinstance(targets, Tensor)
            and (call := _keras_call(loss, outputs, targets))
        ):
            found.calls.append(call)
        return found
    recorder = _Recorder(tensors_of(outputs), tensors_of(targets))
    with recorder:
        recorder.found.value = loss(outputs, targets)
    return recorder.found


def is_library_loss(loss: Callable[..., object]) -> bool:
    """Whether a loss is one of torch or Keras itself, perhaps with some arguments set."""
    if isinstance(loss, partial):
        return is_library_loss(loss.func)
    if isinstance(loss, KerasLoss):
        return True
    return type(loss).__module__ == nn.modules.loss.__name__ or getattr(F, getattr(loss, "__name__", ""), None) is loss


def calls_of_library(loss: Callable[..., object], has_classes: bool) -> list[LossCall]:
    """The call that a loss of torch or Keras itself makes, found on made-up numbers; the loss may refuse these."""
    outputs, targets = torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64) if has_classes else torch.zeros(2, 2)
    if isinstance(loss, KerasLoss):
        return [call] if (call := _keras_call(loss, outputs, targets)) else []
    recorder = _Recorder([outputs], [targets])
    with suppress(Exception), recorder:
        loss(outputs, targets)
    return recorder.found.calls


class _Recorder(TorchFunctionMode):
    """Records calls of known losses, and follows which tensors come from the outputs and which from the targets."""

    def __init__(self, outputs: list[Tensor], targets: list[Tensor]) -> None:
        super().__init__()
        self.found = Recorded()
        self._kept: list[Tensor] = [*outputs, *targets]  # so that no id is used twice
        self._origins = {id(x): frozenset("o") for x in outputs} | {id(x): frozenset("t") for x in targets}
        self._shapes = {x.shape for x in outputs}, {x.shape for x in targets}

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        named = dict(kwargs or {})
        self.found.operations += 1
        self.found.names.add(getattr(func, "__name__", ""))
        if (kind := TORCH.get(getattr(func, "__name__", ""))) and getattr(func, "__module__", "") == F.__name__:
            self.found.calls.append(_call(func, kind, args, named))
        result = func(*args, **named)
        given = [x for x in (*args, *named.values()) if isinstance(x, Tensor)]
        if isinstance(result, Tensor):
            self._kept.append(result)
            self._origins[id(result)] = frozenset().union(*(self._origins.get(id(x), frozenset()) for x in given))
            self._compare(given, result)
        elif isinstance(result, tuple | list):
            origin = frozenset[str]().union(*(self._origins.get(id(x), frozenset()) for x in given))
            for each in result:
                if isinstance(each, Tensor):
                    self._kept.append(each)
                    self._origins[id(each)] = origin
        return result

    def _compare(self, given: list[Tensor], result: Tensor) -> None:
        """Note an operation between a tensor shaped as the outputs and one shaped as the targets that repeats the
        former. Tensors that the loss has reshaped itself have other shapes, so that it has asked for the result."""
        if len(given) != 2:
            return
        origins = [self._origins.get(id(x), frozenset()) for x in given]
        if origins == [frozenset("t"), frozenset("o")]:
            given = given[::-1]
        elif origins != [frozenset("o"), frozenset("t")]:
            return
        ours, theirs = given[0].shape, given[1].shape
        if ours not in self._shapes[0] or theirs not in self._shapes[1] or ours == theirs:
            return
        if ours.numel() < 2 or theirs.numel() < 2 or result.numel() <= ours.numel():
            return
        try:
            is_elementwise = result.shape == torch.broadcast_shapes(ours, theirs)
        except RuntimeError:
            return
        if is_elementwise:
            self.found.expanded.append(Expanded(tuple(ours), tuple(theirs)))


@cache
def _signature(func: Callable[..., object]) -> inspect.Signature:
    return inspect.signature(func)


def _call(func: Callable[..., object], kind: LossKind, args: Sequence[object], named: Mapping[str, object]) -> LossCall:
    bound = _signature(func).bind(*args, **named)
    bound.apply_defaults()
    options = dict(bound.arguments)
    outputs = next(options.pop(name) for name in OUTPUT_NAMES if name in options)
    found = [options.pop(name) for name in TARGET_NAMES if name in options]
    targets = found[0] if found else None
    if func.__name__ == "poisson_nll_loss" and not options["log_input"]:
        kind = replace(kind, outputs=Outputs.RATES)
    if func.__name__ == "kl_div" and options["log_target"]:
        kind = replace(kind, targets=Targets.LOG_DISTRIBUTION)
    if func.__name__ == "cross_entropy" and isinstance(targets, Tensor) and targets.is_floating_point():
        kind = replace(kind, targets=Targets.DISTRIBUTION, same_shape=True)
    assert isinstance(outputs, Tensor)
    if kind.outputs is Outputs.CLASS_LOGITS and outputs.ndim == 1:
        kind = replace(kind, class_axis=0)
    return LossCall(func.__name__, kind, outputs, targets if isinstance(targets, Tensor) else None, options)


def _keras_call(loss: KerasLoss, outputs: Tensor, targets: Tensor) -> LossCall | None:
    name = getattr(getattr(loss.loss, "fn", loss.loss), "__name__", "")
    if (kind := KERAS.get(name)) is None:
        return None
    options = {key: getattr(loss.loss, key) for key in ("from_logits", "ignore_class") if hasattr(loss.loss, key)}
    options |= dict(getattr(loss.loss, "_fn_kwargs", {}))
    if options.get("from_logits"):
        kind = replace(kind, outputs=FROM_LOGITS.get(kind.outputs, kind.outputs))
    if kind.same_shape and abs(outputs.ndim - targets.ndim) == 1:  # Keras removes a last axis of one by itself
        if outputs.ndim > targets.ndim and outputs.shape[-1] == 1:
            outputs = outputs[..., 0]
        elif targets.ndim > outputs.ndim and targets.shape[-1] == 1:
            targets = targets[..., 0]
    return LossCall(name, kind, outputs, targets, options, class_axis=-1)
