"""Every random draw as a pure function of (seed, purpose, index …), so that a resumed run needs no sampler's state.

Same seed and purpose ⇒ same draw, for every optimizer, rate, engine and machine. The purposes in use are listed here,
so that no two parts draw from the same stream by accident.
"""

from hashlib import blake2b
from typing import Literal

import numpy as np

Purpose = Literal[
    "weights", "order", "split", "dropout", "labels", "augmentation", "data", "bootstrap", "search", "examples"
]


def generator(seed: int, purpose: Purpose, *index: int) -> np.random.Generator:
    """A NumPy generator (Philox) that belongs to this seed, purpose and index alone."""
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose, index)))


def integer(seed: int, purpose: Purpose, *index: int) -> int:
    """A 63-bit integer for libraries that want a seed of their own, such as `torch.manual_seed`."""
    return _key(seed, purpose, index) >> 65


def _key(seed: int, purpose: str, index: tuple[int, ...]) -> int:
    words = "\x1f".join((str(int(seed)), purpose, *(str(int(i)) for i in index)))
    return int.from_bytes(blake2b(words.encode(), digest_size=16).digest(), "little")
