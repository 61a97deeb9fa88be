"""Parameters that are divided by rows are updated by their owners: real processes, over loopback."""

import pytest
import torch
from torch import distributed
from torch.distributed.tensor import Shard as Rows
from torch.distributed.tensor import distribute_tensor, init_device_mesh

from steepest.adapters.sharded import local, shard_of
from steepest.engine.ranks import agreed, together
from steepest.optim.matrix import Shampoo
from steepest.optim.owners import Work, can_be_owned, move_by_owners

SIZES = (5, 2, 1)
"""Of square matrices: of the last, some processes have no row."""


def work_of(axis=0):
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    found = []
    for size in SIZES:
        whole = torch.arange(float(size * size)).reshape(size, size)
        w = distribute_tensor(whole, mesh, [Rows(axis)])
        part = shard_of(w)
        mine = local(w, part)
        state = (mine + 100, torch.zeros(3), torch.ones(2, dtype=torch.float64), torch.zeros(0))
        found.append(Work(Shampoo, mine, mine.bfloat16(), state, (), part, (True, False, False, False)))
    return found


def step(each):
    """A step that shows what it was given: the sum of the whole parameter."""
    divided, changed, kept, empty = each.state
    total = each.w.sum() + each.g.sum()
    return each.w + total, (divided * 2, changed + total, kept, empty)


def whole_parameters_are_seen_and_every_process_gets_its_rows_and_what_all_have():
    given = work_of()
    assert can_be_owned(given) and not can_be_owned(work_of(axis=1))
    for size, each, (w, state) in zip(SIZES, given, move_by_owners(given, step), strict=True):
        total = 2 * sum(range(size * size))
        assert torch.equal(w, each.w + total)
        assert torch.equal(state[0], 2 * each.state[0])
        assert torch.equal(state[1], torch.full((3,), float(total)))
        assert state[2] is each.state[2], "what has not changed is not sent"


def an_update_that_fails_is_an_error_in_every_process():
    """None waits for an answer that does not come."""
    owner = distributed.get_rank() == 0  # of the dearest

    def fails(each):
        if len(each.w) == SIZES[0]:
            raise ZeroDivisionError
        return step(each)

    with pytest.raises(ZeroDivisionError if owner else RuntimeError) as error:
        move_by_owners(work_of(), fails)
    assert owner or "has failed in process 0" in str(error.value)


def test_owners_take_the_steps_of_parameters_that_are_divided_by_rows():
    def work():
        whole_parameters_are_seen_and_every_process_gets_its_rows_and_what_all_have()
        an_update_that_fails_is_an_error_in_every_process()
        return agreed(0.0)

    assert together(3, work) == 0
