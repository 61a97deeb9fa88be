"""Augmentations of a batch; each is a function of the batch and of a random generator for the seed and step."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT_DIVISOR = 8
"""Images are shifted by up to 1/8 of their side."""
MIN_CROP_SHARE = 0.75
"""Minimum side of a cropped window, as a share of the image's side."""
NOISE_SCALE = 0.1
"""Standard deviation of the noise, in standard deviations of the batch."""
MIXUP_ALPHA = 0.2
"""α of the Beta distribution of mixup's share."""
UNKNOWN_WORD = 1
"""The number of an unknown word in all built-in text tasks."""


def as_pictures(x: Tensor) -> tuple[int, int, int] | None:
    """Channels, height and width of inputs [B, C, H, W], [B, H, W] or flat squares [B, H·W] from 8 × 8 on, else None.

    Flat inputs are read as images, since shifting a row of a table makes no sense.
    """
    if x.ndim == 4:
        return tuple(x.shape[1:])  # type: ignore[return-value]
    if x.ndim == 3:
        return 1, *x.shape[1:]  # type: ignore[return-value]
    side = math.isqrt(x.shape[1]) if x.ndim == 2 else 0
    return (1, side, side) if side >= 8 and side * side == x.shape[1] else None


def _of_pictures(change: Callable[[Tensor, np.random.Generator], Tensor]) -> Callable[..., Tensor]:
    def changed(x: Tensor, draw: np.random.Generator) -> Tensor:
        shape = as_pictures(x)
        assert shape is not None
        return change(x.reshape(len(x), *shape), draw).reshape(x.shape)

    return changed


@_of_pictures
def shifted(x: Tensor, draw: np.random.Generator) -> Tensor:
    """Each image [B, C, H, W] shifted by up to H/8 and W/8, filled with its border pixels."""
    B, _, H, W = x.shape
    down, right = (
        draw.integers(-max(1, side // SHIFT_DIVISOR), max(1, side // SHIFT_DIVISOR) + 1, B) for side in (H, W)
    )
    rows = np.clip(np.arange(H) - down[:, None], 0, H - 1)  # [B, H]
    columns = np.clip(np.arange(W) - right[:, None], 0, W - 1)  # [B, W]
    b = torch.arange(B)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[b, torch.from_numpy(rows)[:, :, None], torch.from_numpy(columns)[:, None, :]]
    return moved.permute(0, 3, 1, 2)  # from [B, H, W, C]


@_of_pictures
def cropped(x: Tensor, draw: np.random.Generator) -> Tensor:
    """From each image [B, C, H, W] a window of at least three quarters of its sides, resized to the full size."""
    B = len(x)
    size = draw.uniform(MIN_CROP_SHARE, 1, B)
    centre = draw.uniform(-1, 1, (2, B)) * (1 - size)  # in units of half a side
    zero = np.zeros(B)
    window = np.stack([np.stack([size, zero, centre[0]], 1), np.stack([zero, size, centre[1]], 1)], 1)  # [B, 2, 3]
    grid = F.affine_grid(torch.from_numpy(window).to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


@_of_pictures
def flipped(x: Tensor, draw: np.random.Generator) -> Tensor:
    """Each image [B, C, H, W] mirrored horizontally with probability ½."""
    turned = torch.from_numpy(draw.random(len(x)) < 0.5)[:, None, None, None]
    return torch.where(turned, x.flip(-1), x)


AUGMENTATIONS: dict[str, Callable[..., Tensor]] = {"shift": shifted, "crop": cropped, "flip": flipped}
"""Augmentations for images only."""


def noisy(x: Tensor, draw: np.random.Generator) -> Tensor:
    """x + 0.1·σ·N(0, 1), where σ is the standard deviation of the whole batch (C. M. Bishop, 1995)."""
    noise = torch.from_numpy(draw.standard_normal(tuple(x.shape))).to(x.dtype)
    return x + NOISE_SCALE * x.std(correction=0) * noise


def mixed(x: Tensor, y: Tensor, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """λx + (1 − λ)x′ with another example x′ of the batch, λ ~ Beta(0.2, 0.2), and targets likewise (mixup, 2018).

    Class numbers cannot be blended; for them the targets are (y, y′, λ), [B, 3], which `mixed_loss` reads.
    """
    share = float(draw.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    other = torch.from_numpy(draw.permutation(len(x)))
    blended = share * x + (1 - share) * x[other]
    if y.is_floating_point():
        return blended, share * y + (1 - share) * y[other]
    return blended, torch.stack([y.float(), y[other].float(), torch.full((len(y),), share)], dim=1)


def word_dropout(x: Tensor, share: float, draw: np.random.Generator) -> Tensor:
    """Words [B, T], of which this share is replaced by "unknown" (M. Iyyer et al., Deep Unordered Composition, 2015);
    padding (0) is unchanged."""
    gone = torch.from_numpy(draw.random(tuple(x.shape)) < share) & (x != 0)
    return x.masked_fill(gone, UNKNOWN_WORD)
