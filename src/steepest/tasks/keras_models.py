"""Converts Keras 3 models and losses to the engines' form: a torch module, positional tensors in, one tensor out.

On the torch backend a Keras layer computes with torch, but manages its own variables. Here they become parameters and
buffers that a fleet can stack, and are passed to the model at each call by Keras' stateless scope. Loads no Keras: a
user with a Keras model has loaded it.
"""

import inspect
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from steepest.errors import BadTask

OWN_GENERATOR = (
    "a Keras layer has its own random generator, which cannot be used for many models at once; "
    "Dropout has one only if it is given a seed"
)


def _keras() -> Any:
    """The Keras package if this process has loaded it; None otherwise."""
    return sys.modules.get("keras")


def is_keras(model: Any) -> bool:
    """Whether a model is a Keras model, with any backend."""
    return hasattr(_keras(), "Layer") and isinstance(model, _keras().Layer)


@contextmanager
def seeded(seed: int, dtype: torch.dtype) -> Iterator[None]:
    """Within, torch's generator and Python's, which Keras uses, have this seed, and Keras layers have this precision.

    The previous state is restored afterwards.
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
    """Within, Keras layers have this precision, unless the user has changed Keras' default."""
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


def as_torch_module(model: Any, names: Sequence[str], example: tuple[Tensor, ...]) -> Any:
    """A Keras model as a torch module, built by a call on the `example` inputs; other models unchanged.

    Raises BadTask for a Keras model that cannot be trained here.
    """
    if not is_keras(model):
        return model
    if (backend := _keras().backend.backend()) != "torch":
        raise BadTask(
            f"This Keras model uses the backend {backend}, which is not supported. Set KERAS_BACKEND=torch in the "
            'environment, or os.environ["KERAS_BACKEND"] = "torch" before importing Keras.'
        )
    return KerasModule(model, names, example)


class KerasModule(nn.Module):
    """A Keras model whose trainable variables are parameters and whose others are buffers. It shares their tensors, so
    that training changes the Keras model too."""

    keras_model: Any

    def __init__(self, model: Any, names: Sequence[str], example: tuple[Tensor, ...]) -> None:
        super().__init__()
        object.__setattr__(self, "keras_model", model)  # not a submodule, which would register its variables twice
        self._pass = _input_passing(model, names, len(example))
        with torch.no_grad():  # the first call creates the variables
            self._called(example, training=False)
        if model.losses:
            raise BadTask(
                "The Keras model adds its own losses (a regularizer or add_loss), which are not supported. Remove "
                "them, and use the optimizer's weight decay or the task's loss instead."
            )
        has_kernels = any(len(variable.shape) > 3 for variable in model.variables)
        self._layout = _IgnoreMemoryFormat if has_kernels else nullcontext
        self._places: list[tuple[str, Any, bool]] = []  # name of the parameter or buffer, Keras variable, is trainable
        for trained, variables in ((True, model.trainable_variables), (False, model.non_trainable_variables)):
            for variable in variables:
                name = f"{variable.name.replace('.', '_')}_{len(self._places)}"  # Keras' paths differ between models
                if trained:
                    self.register_parameter(name, variable.value)
                else:
                    self.register_buffer(name, variable.value.detach())
                self._places.append((name, variable, trained))

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers in training, such as for dropout."""
        return any(map(_draws, keras_layers(self)))

    def forward(self, *inputs: Tensor) -> Any:
        """One call with these parameters and buffers; updated variables are written to the buffers."""
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
    """Within, errors begin with their cause and not with Keras' traceback filtering."""
    config = _keras().config
    if not config.is_traceback_filtering_enabled():
        yield
        return
    config.disable_traceback_filtering()
    try:
        yield
    finally:
        config.enable_traceback_filtering()


class _IgnoreMemoryFormat(TorchFunctionMode):
    """Within, memory formats are ignored: Keras requests channels-last for convolutions, which only affects speed and
    which `vmap` does not support."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asked = {**(kwargs or {})}
        if func in (Tensor.contiguous, Tensor.is_contiguous):
            asked.pop("memory_format", None)
        return func(*args, **asked)


def _input_passing(
    model: Any, names: Sequence[str], count: int
) -> Callable[[tuple[Tensor, ...]], tuple[Any, dict[str, Any]]]:
    """How a Keras model takes its inputs: positional, by keyword, as a list or as a dict: inputs → args, kwargs."""
    parameters = inspect.signature(model.call).parameters.values()
    open_kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [p.name for p in parameters if p.kind in open_kinds and p.name not in ("training", "mask")]
    is_graph = getattr(model, "inputs", None) is not None  # a functional model takes all inputs as one argument
    if names and not is_graph and set(names) <= set(known):
        return lambda inputs: ((), dict(zip(names, inputs, strict=True)))
    if names:
        return lambda inputs: ((dict(zip(names, inputs, strict=True)),), {})
    if count > 1 and (is_graph or len(known) < count):
        return lambda inputs: (([*inputs],), {})
    return lambda inputs: (inputs, {})


def _draws(layer: Any) -> bool:
    """Whether a layer has a random generator and uses it: its rate or standard deviation is not zero."""
    has_generator = any(isinstance(value, _keras().random.SeedGenerator) for value in vars(layer).values())
    strengths = [getattr(layer, name, None) for name in ("rate", "stddev", "dropout", "recurrent_dropout")]
    known = [strength for strength in strengths if isinstance(strength, int | float)]
    return has_generator and (not known or any(known))


def keras_layers(model: nn.Module) -> Iterator[Any]:
    """The layers of the Keras models in a module, and torch modules in these."""
    for module in model.modules():
        if isinstance(module, KerasModule):
            inner = module.keras_model  # a functional model does not register its layers with torch
            yield from dict.fromkeys([*inner._flatten_layers(), *inner.modules()])


def layer_name(layer: Any) -> str:
    """The name of a layer without the number that Keras adds, which depends on what the process made before."""
    return re.sub(r"_\d+$", "", layer.name)


@contextmanager
def calls_observed(
    layers: Sequence[Any], hook: Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]
) -> Iterator[None]:
    """Within, `hook(layer, args, kwargs, result)` hears of each call of these layers; torch's hooks do not."""

    def observing(layer: Any) -> Callable[..., Any]:
        call = layer.call

        def observed(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            hook(layer, args, kwargs, result)
            return result

        return observed

    for layer in layers:
        object.__setattr__(layer, "call", observing(layer))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def training_ignored(model: nn.Module) -> list[str]:
    """The layers in functional Keras models that are called with training=True, which a call of the model with
    training=False overrides."""
    return [
        f"{layer_name(layer)} ({type(layer).__name__})"
        for layer in keras_layers(model)
        for node in getattr(layer, "_inbound_nodes", ())
        if node.arguments.kwargs.get("training") is True
    ]


def draws_numbers(model: nn.Module) -> bool:
    """Whether a module contains a Keras model that draws random numbers in training."""
    return any(isinstance(module, KerasModule) and module.is_random for module in model.modules())


# ---- losses ----------------------------------------------------------------------------------------------------------


class KerasLoss:
    """A Keras loss, which takes targets first, as a task's loss(outputs, targets) → mean over a batch."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.__name__ = getattr(loss, "name", None) or loss.__name__

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(targets, outputs).mean()

    def each(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """The loss of each example, before any mean."""
        if hasattr(self.loss, "call"):
            return self.loss.call(targets, outputs)
        return self.loss(targets, outputs)


def loss_of(loss: Any) -> Any:
    """A Keras loss, object, function or name, with a task's order of arguments; other losses unchanged."""
    keras = _keras()
    if not hasattr(keras, "losses") or isinstance(loss, type):
        return loss
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return loss  # unknown to Keras, too
    is_one = isinstance(loss, keras.losses.Loss) or loss in vars(keras.losses).values()
    return KerasLoss(loss) if is_one else loss
