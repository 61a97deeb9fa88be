"""The paths as few bytes: numbers become whole codes, codes the differences along a path, and those compress well.

    linear     code = (value − low) / (high − low) · 4095 within the drawing's window and some room around it
    logarithm  code = sign · (1 + (log₁₀|value| − floor) · per decade), 0 for nothing

`static/data.js` reads this and is its only reader.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from steepest.playground.landscapes import Landscape
from steepest.playground.paths import Paths

ROOM = 0.6
"""How far beyond the window, in its widths, a path is followed before it counts as gone."""
CODES = 4095
LOSS = {"floor": -10.0, "decade": 44}
NUMBER = {"floor": -9.0, "decade": 100}
STEP = {"floor": -9.0, "decade": 44}
"""Logarithmic scales of the loss, of gradients and states, and of effective steps. Gradients and states are worked with
and kept to 1.2 %; the others are drawn, to 3 %, and 44 a decade have places for 1 and 3, of which the rates are made:
plain descent's effective step is its rate, to the digit."""
HIGHEST = 1e5
WIDE, HIGH = 120, 90
"""Points of the grid from which a landscape is drawn."""


def pack(lands: Sequence[Landscape], trained: Sequence[Paths]) -> tuple[str, list[list[list[int]]]]:
    """Everything as base64 of zlib, and the last step of each path within the room: [method][landscape][lane].

    In order: of each method x, y, loss, gradient, effective steps of x and of y, states, each [L, K, T + 1]; then the
    heights of the landscapes, each [HIGH, WIDE], from the bottom up. First the low bytes of all codes, then the high.
    """
    codes, ends = [], []
    for each in trained:
        found = [_alive(land, w) for land, w in zip(lands, each.w, strict=True)]
        ends.append([end.tolist() for end in found])
        codes += _of_method(lands, each, np.stack(found))
    codes += [_heights(land) for land in lands]
    differences = np.concatenate([np.diff(code, axis=-1, prepend=0).ravel() for code in codes])
    zigzag = ((differences << 1) ^ (differences >> 31)).astype(np.uint16)
    planes = (zigzag & 255).astype(np.uint8).tobytes() + (zigzag >> 8).astype(np.uint8).tobytes()
    return base64.b64encode(zlib.compress(planes, 9)).decode(), ends


def room(land: Landscape) -> tuple[float, float, float, float]:
    """x from, x to, y from, y to: the window and what is around it."""
    x0, x1, y0, y1 = land.window
    wide, high = ROOM * (x1 - x0), ROOM * (y1 - y0)
    return x0 - wide, x1 + wide, y0 - high, y1 + high


def returning(land: Landscape, w: np.ndarray) -> list[int]:
    """Which paths [K, T + 1, 2] are within the room again after they have left it: gone, but not diverging."""
    inside = _inside(land, w)
    left = np.logical_or.accumulate(~inside, axis=-1)
    return np.flatnonzero((left & inside).any(-1)).tolist()


def _alive(land: Landscape, w: np.ndarray) -> np.ndarray:  # [K]
    """The last step that is drawn of a path [K, T + 1, 2]: the first one outside the room, or the last of all."""
    return np.minimum(np.logical_and.accumulate(_inside(land, w), axis=-1).sum(-1), w.shape[1] - 1)


def _inside(land: Landscape, w: np.ndarray) -> np.ndarray:  # [K, T + 1]
    low, high = np.array(room(land)).reshape(2, 2).T
    with np.errstate(invalid="ignore"):
        return np.all((w >= low) & (w <= high), axis=-1)


def _of_method(lands: Sequence[Landscape], each: Paths, ends: np.ndarray) -> list[np.ndarray]:
    """[L, K, T + 1] of each quantity; what a path does after it is gone is not kept."""
    shown = np.array([land.shown for land in lands])
    rows = np.arange(len(lands))
    g, state = each.g[rows, ..., shown], each.state[rows, ..., shown]  # [L, K, T], [L, K, T, S]
    axes = np.array([room(land) for land in lands])[:, None, None]  # [L, 1, 1, 4]
    quantities = [
        *(_linear(each.w[..., i], axes[..., 2 * i], axes[..., 2 * i + 1]) for i in (0, 1)),
        _logarithm(np.minimum(each.loss, HIGHEST), **LOSS),
        _later(_logarithm(g, **NUMBER)),
        *(_later(_logarithm(each.effective[..., i], **STEP)) for i in (0, 1)),
        *(_later(_logarithm(state[..., i], **NUMBER)) for i in range(state.shape[-1])),
    ]
    t = np.arange(each.w.shape[2])
    last = np.minimum(t, ends[..., None])  # [L, K, T + 1]: the same code again after the end
    return [np.take_along_axis(code, last, axis=-1) for code in quantities]


def _linear(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.nan_to_num(np.clip(np.rint((values - low) / (high - low) * CODES), 0, CODES)).astype(np.int32)


def _logarithm(values: np.ndarray, floor: float, decade: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.rint((np.log10(np.abs(values)) - floor) * decade)
    known = np.isfinite(size) & (size >= 0)
    return (np.where(known, np.sign(values), 0) * np.where(known, 1 + size, 0)).astype(np.int32)


def _later(codes: np.ndarray) -> np.ndarray:
    """With an empty place for the start, which has no step before it."""
    return np.concatenate([np.zeros_like(codes[..., :1]), codes], axis=-1)


def _heights(land: Landscape) -> np.ndarray:  # [HIGH, WIDE]
    """How high the ground is, on a scale that gives the low parts room."""
    x0, x1, y0, y1 = land.window
    x, y = torch.linspace(x0, x1, WIDE, dtype=torch.float64), torch.linspace(y0, y1, HIGH, dtype=torch.float64)
    grid = torch.stack([x.repeat(HIGH), y.repeat_interleave(WIDE)], 1)
    lowest = land.loss(torch.tensor(land.minima[:1], dtype=torch.float64), 0)
    height = np.maximum((land.loss(grid, 0) - lowest).numpy(), 0).reshape(HIGH, WIDE)
    part = 0.02 * height.max()
    return np.rint(np.log1p(height / part) / np.log1p(height.max() / part) * CODES).astype(np.int32)


def facts() -> dict[str, Any]:
    """What a reader must know to read the codes."""
    return {"codes": CODES, "loss": LOSS, "number": NUMBER, "step": STEP, "wide": WIDE, "high": HIGH}
