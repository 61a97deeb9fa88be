"""Seeds the global random generators, which a model may draw from, as a function of trial seed and step."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from steepest.records import rng


def seed_torch(value: int) -> None:
    """`torch.manual_seed`, without seeding accelerators that are not there: that formats a stack trace at each call,
    which takes longer than a step of a small model.
    """
    if torch.accelerator.is_available():
        torch.manual_seed(value)
    else:
        torch.default_generator.manual_seed(value)


def step_seed(seed: int, step: int) -> int:
    """The seed of the generators at a step of a trial."""
    return rng.integer(seed, "dropout", step)


def seed_step(seed: int, step: int) -> None:
    """Seed all global generators for this step, for dropout and any other draw of model or loss."""
    value = step_seed(seed, step)
    seed_torch(value)
    random.seed(value)
    np.random.seed(value % 2**32)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Restore the state of the global generators afterwards."""
    others, numpys = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(others)
            np.random.set_state(numpys)
