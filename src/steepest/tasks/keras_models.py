"""Keras 3 models and losses in the form that engines know: a torch module, tensors in order in, one tensor out.

On its torch backend a Keras layer computes with torch, but keeps its variables to itself. Here they become parameters
and buffers that a fleet can stack, and are handed to the model at each call (Keras' own stateless scope), so that a
Keras model trains in fleets, and alone, as any other does. Loads no Keras: who has a Keras model has loaded it.
"""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from steepest.errors import BadTask

OWN_GENERATOR = (
    "a Keras layer draws from a generator of its own, whose seed many models at once cannot read; "
    "Dropout does so only if it is given a seed"
)


def _keras() -> Any:
    """The Keras package if this process has loaded it; None otherwise."""
    return sys.modules.get("keras")


def is_keras(model: Any) -> bool:
    """Whether a model is one of Keras', whatever its backend."""
    return hasattr(_keras(), "Layer") and isinstance(model, _keras().Layer)


@contextmanager
def luck_of(seed: int, dtype: torch.dtype) -> Iterator[None]:
    """Within, weights are drawn by this seed: torch's generator has it, and so has Python's, by which Keras draws.

    Keras' layers are made in this precision. All is put back afterwards.
    """
    before = random.getstate()
    with torch.random.fork_rng(devices=[]), _precision(dtype):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


@contextmanager
def _precision(dtype: torch.dtype) -> Iterator[None]:
    """Within, Keras' layers are made in this precision, unless the user has chosen another than Keras' own."""
    keras = _keras()
    if not hasattr(keras, "config") or (policy := keras.config.dtype_policy()).name != "float32":
        yield
        return
    floats, name = keras.config.floatx(), str(dtype).removeprefix("torch.")
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)


def adopted(model: Any, names: Sequence[str], example: tuple[Tensor, ...]) -> Any:
    """A Keras model as a torch module, built by a call on the `example` inputs; whatever else it is, as it is.

    Raises BadTask for a Keras model that cannot be trained here.
    """
    if not is_keras(model):
        return model
    if (backend := _keras().backend.backend()) != "torch":
        raise BadTask(
            f"This Keras model computes with {backend}; set KERAS_BACKEND=torch in the environment, or "
            'os.environ["KERAS_BACKEND"] = "torch" before Keras is imported.'
        )
    return KerasModule(model, names, example)


class KerasModule(nn.Module):
    """A Keras model whose trainable variables are parameters, and all its others buffers; the tensors are its own, so
    that the Keras model is trained as this one is."""

    keras_model: Any

    def __init__(self, model: Any, names: Sequence[str], example: tuple[Tensor, ...]) -> None:
        super().__init__()
        object.__setattr__(self, "keras_model", model)  # as a submodule its variables would count twice
        self._pass = _manner(model, names, len(example))
        with torch.no_grad():  # variables are made at the first call, if not before
            result = self._called(example, training=False)
        if model.losses:
            raise BadTask(
                "The Keras model adds losses of its own (a regularizer, or add_loss), which would be left out here; "
                "take them out, and let the optimizer's weight decay or the task's loss do it."
            )
        if isinstance(result, list | tuple | dict):
            raise BadTask(f"The Keras model has {len(result)} outputs; it must return one tensor of outputs.")
        has_kernels = any(len(variable.shape) > 3 for variable in model.variables)
        self._layout = _AnyLayout if has_kernels else nullcontext
        self._places: list[tuple[str, Any, bool]] = []  # name here, variable there, whether it is trained
        for trained, variables in ((True, model.trainable_variables), (False, model.non_trainable_variables)):
            for variable in variables:
                name = f"{variable.name.replace('.', '_')}_{len(self._places)}"  # Keras' paths count up by the model
                if trained:
                    self.register_parameter(name, variable.value)
                else:
                    self.register_buffer(name, variable.value.detach())
                self._places.append((name, variable, trained))

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers in training, as dropout does."""
        return any(map(_draws, self.keras_model.modules()))

    def forward(self, *inputs: Tensor) -> Tensor:
        """One call with these parameters and buffers; what it leaves in its variables is written into the buffers."""
        mapping = [(variable, getattr(self, name)) for name, variable, _ in self._places]
        with _keras().StatelessScope(state_mapping=mapping) as scope, self._layout():
            before = [scope.get_current_value(variable) for variable, _ in mapping]
            try:
                outputs = self._called(inputs, training=self.training)
            except RuntimeError as error:
                if "vmap" in str(error) and self.is_random:
                    raise RuntimeError(OWN_GENERATOR) from error
                raise
        for (variable, buffer), old, (_, _, trained) in zip(mapping, before, self._places, strict=True):
            if not trained and (new := scope.get_current_value(variable)) is not old:
                buffer.copy_(new.detach())
        return outputs

    def _called(self, inputs: tuple[Tensor, ...], training: bool) -> Any:
        arguments, named = self._pass(inputs)
        with _plain_errors():
            return self.keras_model(*arguments, **named, training=training)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Within, an error begins with what went wrong, and not with where Keras was."""
    config = _keras().config
    if not config.is_traceback_filtering_enabled():
        yield
        return
    config.disable_traceback_filtering()
    try:
        yield
    finally:
        config.enable_traceback_filtering()


class _AnyLayout(TorchFunctionMode):
    """Within, no tensor is laid out with its channels last, as Keras asks for convolutions: a hint for speed that
    changes no number, and that `vmap` does not know."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asked = {**(kwargs or {})}
        if func in (Tensor.contiguous, Tensor.is_contiguous):
            asked.pop("memory_format", None)
        return func(*args, **asked)


def _manner(model: Any, names: Sequence[str], count: int) -> Callable[[tuple[Tensor, ...]], tuple[Any, dict[str, Any]]]:
    """How inputs reach a Keras model, in order, by keyword, as one list or as one dict: inputs → arguments, named."""
    parameters = inspect.signature(model.call).parameters.values()
    open_kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [p.name for p in parameters if p.kind in open_kinds and p.name not in ("training", "mask")]
    is_graph = getattr(model, "inputs", None) is not None  # a functional model takes all as one argument
    if names and not is_graph and set(names) <= set(known):
        return lambda inputs: ((), dict(zip(names, inputs, strict=True)))
    if names:
        return lambda inputs: ((dict(zip(names, inputs, strict=True)),), {})
    if count > 1 and (is_graph or len(known) < count):
        return lambda inputs: (([*inputs],), {})
    return lambda inputs: (inputs, {})


def _draws(layer: Any) -> bool:
    """Whether a layer has a generator of random numbers, and no strength of zero at which it would not use it."""
    has_generator = any(isinstance(value, _keras().random.SeedGenerator) for value in vars(layer).values())
    strengths = [getattr(layer, name, None) for name in ("rate", "stddev", "dropout", "recurrent_dropout")]
    known = [strength for strength in strengths if isinstance(strength, int | float)]
    return has_generator and (not known or any(known))


def keras_layers(model: nn.Module) -> Iterator[Any]:
    """The layers of the Keras models in it."""
    for module in model.modules():
        if isinstance(module, KerasModule):
            yield from module.keras_model.modules()


def draws_numbers(model: nn.Module) -> bool:
    """Whether there is a Keras model in it that draws random numbers in training."""
    return any(isinstance(module, KerasModule) and module.is_random for module in model.modules())


# ---- losses ----------------------------------------------------------------------------------------------------------


class KerasLoss:
    """A loss of Keras, which takes targets first, as a task's: loss(outputs, targets) → the mean over a batch."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.__name__ = getattr(loss, "name", None) or loss.__name__

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(targets, outputs).mean()


def loss_of(loss: Any) -> Any:
    """A loss of Keras, object or function, in the order of a task's; any other as it is."""
    keras = _keras()
    if not hasattr(keras, "losses") or isinstance(loss, type):
        return loss
    is_one = isinstance(loss, keras.losses.Loss) or loss in vars(keras.losses).values()
    return KerasLoss(loss) if is_one else loss


def takes_probabilities(loss: Any) -> bool:
    """Whether it is Keras' cross-entropy of one probability an example, and not of a logit."""
    if not isinstance(loss, KerasLoss):
        return False
    keras = _keras()
    if isinstance(loss.loss, keras.losses.BinaryCrossentropy):
        return not loss.loss.from_logits
    return loss.loss is keras.losses.binary_crossentropy
