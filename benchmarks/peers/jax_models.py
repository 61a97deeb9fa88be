"""The models of the workloads as functions of JAX arrays, which start from the weights of the PyTorch models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from torch import Tensor, nn

Parameters = Any
"""A tree of arrays."""


@dataclass(frozen=True)
class Model:
    parameters: Callable[[nn.Module], Parameters]
    """The weights of a PyTorch model, as this one wants them."""
    loss: Callable[..., Any]
    """loss(parameters, x, y, **choices), the mean over a batch."""


def array(tensor: Tensor) -> jax.Array:
    return jnp.asarray(tensor.detach().numpy())


def dense(layer: nn.Linear) -> dict[str, jax.Array]:
    """w [inputs, outputs], b [outputs]."""
    return {"w": array(layer.weight.T), "b": array(layer.bias)}


def apply(layer: Any, x: jax.Array) -> jax.Array:
    return x @ layer["w"] + layer["b"]


def cross_entropy(scores: jax.Array, classes: jax.Array) -> jax.Array:
    """The mean over all but the last axis of `scores`."""
    right = jnp.take_along_axis(jax.nn.log_softmax(scores), classes[..., None], axis=-1)
    return -right.mean()


# ---- multilayer perceptrons ------------------------------------------------------------------------------------------


def mlp_parameters(model: nn.Module) -> Parameters:
    return [dense(layer) for layer in model.modules() if isinstance(layer, nn.Linear)]


def mlp(layers: Parameters, x: jax.Array) -> jax.Array:
    *hidden, last = layers
    for layer in hidden:
        x = jax.nn.relu(apply(layer, x))
    return apply(last, x)


def mlp_classes(layers: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    return cross_entropy(mlp(layers, x), y)


def mlp_squares(layers: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    return ((mlp(layers, x) - y) ** 2).mean()


# ---- convolutions ----------------------------------------------------------------------------------------------------


def cnn_parameters(model: nn.Module) -> Parameters:
    """Kernels [3, 3, inputs, outputs]: channels come last in JAX. The dense layer takes [7, 7, 32] in this order."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    kernels = [{"w": array(layer.weight.permute(2, 3, 1, 0)), "b": array(_bias(layer))} for layer in layers]
    last = next(layer for layer in model.modules() if isinstance(layer, nn.Linear))
    weight = last.weight.view(10, 32, 7, 7).permute(2, 3, 1, 0).reshape(-1, 10)
    return [*kernels, {"w": array(weight), "b": array(last.bias)}]


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def cnn(layers: Parameters, x: jax.Array, y: jax.Array, patches: bool) -> jax.Array:
    """x [B, 1, 28, 28]; `patches` makes convolutions products of patches and kernels."""
    *kernels, last = layers
    h = x.transpose(0, 2, 3, 1)  # [B, H, W, C]
    for layer in kernels:
        h = pool(jax.nn.relu((of_patches if patches else as_xla_does)(h, layer["w"]) + layer["b"]))
    return cross_entropy(apply(last, h.reshape(len(h), -1)), y)


def as_xla_does(h: jax.Array, w: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(h, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def of_patches(h: jax.Array, w: jax.Array) -> jax.Array:
    """[B, H, W, C] → patches [B, H, W, 9·C], times w [9·C, D]."""
    height, width = h.shape[1:3]
    padded = jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifted, axis=-1) @ w.reshape(-1, w.shape[-1])


def pool(h: jax.Array) -> jax.Array:
    """The largest of each 2 × 2; faster than a window's reduction, whose gradient XLA scatters."""
    count, height, width, channels = h.shape
    return h.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


# ---- recurrent cells -------------------------------------------------------------------------------------------------


def lstm_parameters(model: Any) -> Parameters:
    """Two biases, as in PyTorch, so that Adam moves their sum as it does there."""
    cells = model.cells
    return {
        "embedding": array(model.embedding.weight),
        "into": {"w": array(cells.weight_ih_l0.T), "b": array(cells.bias_ih_l0)},
        "again": {"w": array(cells.weight_hh_l0.T), "b": array(cells.bias_hh_l0)},
        "out": dense(model.out),
    }


def lstm(p: Parameters, tokens: jax.Array, y: jax.Array) -> jax.Array:
    """tokens [B, T]; what does not wait for the state is done for all T at once."""
    inputs = apply(p["into"], p["embedding"][tokens]).transpose(1, 0, 2)  # [T, B, 4·64]

    def cell(state: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        h, c = state
        i, f, g, o = jnp.split(x + apply(p["again"], h), 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((len(tokens), p["again"]["w"].shape[0]))
    (h, _), _ = jax.lax.scan(cell, (zero, zero), inputs)
    return cross_entropy(apply(p["out"], h), y)


# ---- attention -------------------------------------------------------------------------------------------------------


def transformer_parameters(model: Any) -> Parameters:
    def norm(layer: nn.LayerNorm) -> dict[str, jax.Array]:
        return {"w": array(layer.weight), "b": array(layer.bias)}

    blocks = [
        {
            "norm1": norm(block.norm1),
            "qkv": {"w": array(block.self_attn.in_proj_weight.T), "b": array(block.self_attn.in_proj_bias)},
            "join": dense(block.self_attn.out_proj),
            "norm2": norm(block.norm2),
            "up": dense(block.linear1),
            "down": dense(block.linear2),
        }
        for block in model.blocks
    ]
    return {
        "embedding": array(model.embedding.weight),
        "position": array(model.position),
        "blocks": blocks,
        "out": dense(model.out),
    }


def transformer(p: Parameters, tokens: jax.Array, y: jax.Array) -> jax.Array:
    """tokens [B, T], y [B, T]."""
    h = p["embedding"][tokens] + p["position"]
    for block in p["blocks"]:
        h = h + apply(block["join"], attention(apply(block["qkv"], normed(block["norm1"], h))))
        h = h + apply(block["down"], jax.nn.relu(apply(block["up"], normed(block["norm2"], h))))
    return cross_entropy(apply(p["out"], h), y)


def normed(layer: Any, x: jax.Array) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    return layer["w"] * centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + layer["b"]


def attention(qkv: jax.Array, heads: int = 4) -> jax.Array:
    """[B, T, 3·D] → [B, T, D]; each position looks at itself and at those before."""
    B, T, width = qkv.shape
    q, k, v = qkv.reshape(B, T, 3, heads, width // 3 // heads).transpose(2, 0, 3, 1, 4)  # each [B, heads, T, D/heads]
    scores = q @ k.transpose(0, 1, 3, 2) / q.shape[-1] ** 0.5
    weights = jax.nn.softmax(jnp.where(jnp.tri(T, dtype=bool), scores, -jnp.inf))
    return (weights @ v).transpose(0, 2, 1, 3).reshape(B, T, -1)


MODELS = {
    "mlp-32": Model(mlp_parameters, mlp_classes),
    "mlp-128": Model(mlp_parameters, mlp_classes),
    "housing": Model(mlp_parameters, mlp_squares),
    "cnn": Model(cnn_parameters, cnn),
    "lstm": Model(lstm_parameters, lstm),
    "transformer": Model(transformer_parameters, transformer),
}
