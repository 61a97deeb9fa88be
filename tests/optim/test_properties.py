"""Properties of every rule, whatever its formula: how a step depends on the scale of the gradients, for every shape of
a parameter, and that step lengths have no jump where work is renewed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from steepest.adapters.torch import build
from steepest.optim.catalogue import CATALOGUE
from steepest.optim.matrix import LARGEST
from steepest.optim.rule import hyperparameters

SHAPES = ((5,), (1,), (4, 3), (3, 40), (40, 3), (1, 6), (2, LARGEST + 1), (LARGEST + 1, 2), (4, 3, 3, 3))
"""Vectors, matrices tall and wide, a row, matrices with a side that is too long for a square of it, and a kernel."""
LINEAR = {"gd", "sgd-1", "sgd", "momentum", "momentum-averaged", "nesterov", "asgd", "schedule-free-sgd"}
"""Rules whose steps are as long as the gradients make them; those of all others do not depend on their scale."""
LINEAR_IN_VECTORS = {"lars"}
"""Its vectors have no ratio, and so the steps of momentum."""
LEARNS_ITS_RATE = {"hypergradient-sgd", "hypergradient-adam"}
"""Its rate moves by products of gradients, so that later steps scale by a power of their own."""
FIRST_STEPS_PLAIN = {"radam", "radamw"}
"""Plain momentum, until the variance of 1/√v can be told: then by design another unit, and a jump."""
SEEKS_ITS_RATE = {"prodigy", "d-adapt-sgd", "d-adapt-adam", "dog", "dowg", *LEARNS_ITS_RATE}
"""The step grows from almost nothing by design."""
LARGEST_JUMP = 4.0


def step_lengths(name: str, shape: Sequence[int], scale: float, steps: int, start: float = 1.0) -> list[float]:
    """‖Δw‖ of each step under gradients with a constant mean and constant noise, times `scale`, in float64."""
    draw = torch.Generator().manual_seed(1)
    w = torch.full(shape, start, dtype=torch.float64, requires_grad=True)
    matrix = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)  # rules of matrices need one
    known = hyperparameters(next(entry.rule for entry in CATALOGUE if entry.name == name))
    settings: dict[str, Any] = {"weight_decay": 0.0} if "weight_decay" in known else {}  # which moves weights by itself
    optimizer = build(name, [w, matrix], **settings)
    mean = torch.randn(shape, generator=draw, dtype=torch.float64)
    lengths: list[float] = []
    for _ in range(steps):
        noise = torch.randn(shape, generator=draw, dtype=torch.float64)

        def closure(noise: Tensor = noise) -> Tensor:
            if optimizer.rule.second == "sampled":  # all gradients alike here, so that the draw does not matter
                optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))
            w.grad, matrix.grad = scale * (0.5 * mean + noise), torch.full_like(matrix, scale)
            return torch.tensor(scale)

        before = w.detach().clone()
        optimizer.step(closure)
        lengths.append(float((w.detach() - before).norm()))
    return lengths


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE])
def test_a_step_depends_on_the_scale_of_the_gradients_as_the_rule_says_for_every_shape(name: str) -> None:
    if name == "sophia-g":
        pytest.skip("its curvature is that of a cross-entropy, whose scale is fixed")
    power = 1.0 if name in LINEAR or name == "hypergradient-sgd" else 0.0
    for shape in SHAPES:
        if name in LINEAR_IN_VECTORS:
            power = 1.0 if len(shape) < 2 else 0.0
        small, large = (step_lengths(name, shape, scale, 12) for scale in (100.0, 1e4))  # MARS clips below a norm of 1
        powers = [math.log(b / a, 100) for a, b in zip(small, large, strict=True) if a > 0]
        if name in LEARNS_ITS_RATE:
            powers = powers[:1]
        elif name in FIRST_STEPS_PLAIN:
            powers = powers[6:]
        assert powers, shape
        assert powers == pytest.approx([power] * len(powers), abs=0.1), shape


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE])
def test_step_lengths_have_no_jump(name: str) -> None:
    """Over three renewals of the rules that have them; matrices alone, whose gradients' norms hardly vary."""
    if name in SEEKS_ITS_RATE:
        pytest.skip("the step grows from almost nothing by design")
    for shape in ((8, 40), (40, 8), (4, 6, 3, 3)):
        lengths = step_lengths(name, shape, 1.0, 32)[6 if name in FIRST_STEPS_PLAIN else 0 :]
        jumps = [max(a / b, b / a) for a, b in itertools.pairwise(lengths) if a and b]
        assert max(jumps) < LARGEST_JUMP, f"{shape}: {max(jumps):.1f}"


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE])
def test_a_bias_at_zero_moves_as_one_that_is_nearly_zero(name: str) -> None:
    """A ratio of lengths, 1 where weights are zero, would move the one by η and the other by almost nothing."""
    first = 1 if name == "adopt" else 0  # whose first step is none
    at_zero, near_zero = (step_lengths(name, (5,), 1.0, 8, start=start)[first:] for start in (0.0, 1e-6))
    assert at_zero == pytest.approx(near_zero, rel=0.01)
