"""The models of the workloads in Keras, and how they take over the weights of the PyTorch models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from torch import Tensor, nn

from benchmarks import data
from benchmarks.workloads import LARGE, SMALL


@dataclass(frozen=True)
class Model:
    build: Callable[[], keras.Model]
    weights: Callable[[Any], Sequence[Tensor]]
    """Of a PyTorch model, in the order and the shapes of `build().weights`."""
    loss: Any
    inputs: Callable[[np.ndarray], np.ndarray] = lambda x: x


def cross_entropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def dense(layer: nn.Linear) -> list[Tensor]:
    return [layer.weight.T, layer.bias]


# ---- multilayer perceptrons ------------------------------------------------------------------------------------------


def mlp(widths: Sequence[int]) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        first, *hidden, last = widths
        stack = [layers.Dense(width, activation="relu") for width in hidden]
        return keras.Sequential([keras.Input((first,)), *stack, layers.Dense(last)])

    return build


def mlp_weights(model: nn.Module) -> list[Tensor]:
    return [tensor for layer in model.modules() if isinstance(layer, nn.Linear) for tensor in dense(layer)]


# ---- convolutions ----------------------------------------------------------------------------------------------------


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def cnn_weights(model: Any) -> list[Tensor]:
    """Channels come last: kernels [3, 3, inputs, outputs], and the dense layer takes [7, 7, 32] in this order."""
    first, second, last = model[0], model[3], model[7]
    kernels = [tensor for layer in (first, second) for tensor in (layer.weight.permute(2, 3, 1, 0), layer.bias)]
    return [*kernels, last.weight.view(10, 32, 7, 7).permute(2, 3, 1, 0).reshape(-1, 10), last.bias]


# ---- recurrent cells -------------------------------------------------------------------------------------------------


def lstm() -> keras.Model:
    return keras.Sequential(
        [keras.Input((data.WINDOW,), dtype="int32"), layers.Embedding(data.WORDS, 32), layers.LSTM(64), layers.Dense(2)]
    )


def lstm_weights(model: Any) -> list[Tensor]:
    """Gates stand in the same order; the two biases of PyTorch become their sum."""
    cells = model.cells
    biases = cells.bias_ih_l0 + cells.bias_hh_l0
    return [model.embedding.weight, cells.weight_ih_l0.T, cells.weight_hh_l0.T, biases, *dense(model.out)]


# ---- attention -------------------------------------------------------------------------------------------------------


class Positions(layers.Layer):
    """Adds to each place of a window what the place itself is worth: h [B, T, D] + position [T, D]."""

    def build(self, input_shape: Sequence[int]) -> None:
        self.position = self.add_weight(shape=input_shape[1:], name="position")

    def call(self, h: Any) -> Any:
        return h + self.position


def transformer() -> keras.Model:
    tokens = keras.Input((data.WINDOW,), dtype="int32")
    h = Positions()(layers.Embedding(data.CHARACTERS, 64)(tokens))
    for _ in range(2):
        a = layers.LayerNormalization(epsilon=1e-5)(h)
        h = h + layers.MultiHeadAttention(4, 16)(a, a, use_causal_mask=True)
        a = layers.LayerNormalization(epsilon=1e-5)(h)
        h = h + layers.Dense(64)(layers.Dense(256, activation="relu")(a))
    return keras.Model(tokens, layers.Dense(data.CHARACTERS)(h))


def transformer_weights(model: Any) -> list[Tensor]:
    """Attention has its kernels by head: [64, 4, 16] for queries, keys and values, [4, 16, 64] to join them."""
    found = [model.embedding.weight, model.position]
    for block in model.blocks:
        attention = block.self_attn
        found += [block.norm1.weight, block.norm1.bias]
        for weight, bias in zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True):
            found += [weight.T.reshape(64, 4, 16), bias.reshape(4, 16)]
        found += [attention.out_proj.weight.T.reshape(4, 16, 64), attention.out_proj.bias]
        found += [block.norm2.weight, block.norm2.bias, *dense(block.linear1), *dense(block.linear2)]
    return [*found, *dense(model.out)]


MODELS = {
    "mlp-32": Model(mlp(SMALL), mlp_weights, cross_entropy()),
    "mlp-128": Model(mlp(LARGE), mlp_weights, cross_entropy()),
    "housing": Model(mlp((8, 32, 32, 1)), mlp_weights, "mse"),
    "cnn": Model(cnn, cnn_weights, cross_entropy(), inputs=lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1))),
    "lstm": Model(lstm, lstm_weights, cross_entropy()),
    "transformer": Model(transformer, transformer_weights, cross_entropy()),
}
