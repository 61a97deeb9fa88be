"""Sparse gradients, those of embeddings that say sparse=True: a rule that rests where a gradient is zero moves the rows
that a batch has met, and never touches the others. What it does is what it would do with the dense gradient.
"""

from functools import lru_cache

import torch
from torch import Tensor

from steepest.optim.drivers import moved
from steepest.optim.rule import Rule, Scalars, Tensors, state_record


def moves_rows(rule: type[Rule], g: Tensor, c: Scalars) -> bool:
    """Whether a step with the gradient `g` and the coefficients `c` can be made on the rows of `g` alone."""
    return g.layout is torch.sparse_coo and rule.scope == "element" and rule.second == "" and rests_at_zero(rule, c)


@lru_cache(maxsize=256)
def rests_at_zero(rule: type[Rule], c: Scalars) -> bool:
    """Whether an element-wise rule leaves everything as it is where the gradient is zero: tried out on one element."""
    w, g, *state = torch.tensor([1.5, 0.0, *(2.5 + i for i in range(len(rule.state)))], dtype=torch.float64)
    new, new_state = rule.update(w, g, state_record(rule, state), c)
    return torch.equal(new, w) and all(map(torch.equal, new_state, state))


def move_rows(rule: type[Rule], w: Tensor, g: Tensor, state: Tensors, c: Scalars) -> None:
    """Move, in place, those elements of `w` and `state` [*shape] for which a sparse gradient has an entry."""
    g = g.coalesce()
    place = tuple(g.indices())  # for an embedding [N, D]: one index [n], and values [n, D]
    rows = [x[place] for x in (w, *state)]
    new, new_state = moved(rule, rows[0], g.values(), tuple(rows[1:]), c)
    for whole, part in zip((w, *state), (new, *new_state), strict=True):
        whole.index_put_(place, part)
