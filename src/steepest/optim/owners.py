"""Steps on parameters that are divided by rows, each taken by one process for all: it gets the rows of the others,
updates the whole parameter, and sends every process its own rows back. All parameters travel in two messages between
each two processes, and no update is computed twice.
"""

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, distributed

from steepest.optim.reductions import Part
from steepest.optim.rule import Rule, Scalars, Tensors, Updated

Move = Callable[["Work"], Updated]

by_owners: ContextVar[bool] = ContextVar("by_owners", default=True)
"""Whether owners take the steps; otherwise every process gathers every parameter."""


class Work(NamedTuple):
    """The step of one parameter."""

    rule: type[Rule]
    w: Tensor
    g: Tensor
    state: Tensors
    c: Scalars
    part: Part | None
    """How it is divided; None if this process has it whole."""
    divided: tuple[bool, ...]
    """Which state tensors are divided as the parameter. Every process has the others whole."""

    def parts(self) -> list[Tensor]:
        """What of it this process has a part of."""
        return [self.w, self.g, *(x for x, is_part in zip(self.state, self.divided, strict=True) if is_part)]

    def changed(self) -> list[Tensor]:
        """What of it comes back."""
        return [self.w, *self.parts()[2:]]

    def others(self) -> list[Tensor]:
        """State tensors that every process has whole."""
        return [x for x, is_part in zip(self.state, self.divided, strict=True) if not is_part and x.numel()]


def can_be_owned(work: Sequence[Work]) -> bool:
    """Whether all parts are rows, divided among the same processes."""
    parts = [each.part for each in work if each.part is not None]
    return bool(parts) and all(part.rows and part.mesh == parts[0].mesh for part in parts)


def deal(shapes: Sequence[torch.Size], ranks: int) -> list[int]:
    """The owner of each parameter: the dearest go first, each to the process that has least to do.

    >>> deal([torch.Size((4, 4)), torch.Size((9, 9)), torch.Size((5, 5)), torch.Size((3,))], 2)
    [1, 0, 1, 1]
    """
    costs = [shape.numel() * (min(shape[0], shape[1:].numel()) if len(shape) > 1 else 1) for shape in shapes]
    owners, load = [0] * len(shapes), [0] * ranks
    for i in sorted(range(len(shapes)), key=lambda i: -costs[i]):
        owners[i] = load.index(min(load))
        load[owners[i]] += max(1, costs[i])
    return owners


def move_by_owners(work: Sequence[Work], move: Move) -> list[Updated]:
    """The new parts of parameters that `can_be_owned`, and of their states. `move` takes a step of a whole parameter.

    Raises what `move` raises, and RuntimeError where it fails in another process.
    """
    parts = [each.part for each in work if each.part is not None]
    group = parts[0].mesh.get_group()
    here, ranks = distributed.get_rank(group), distributed.get_world_size(group)
    device, owners = work[0].w.device, deal([part.shape for part in parts], ranks)
    of = [[i for i, owner in enumerate(owners) if owner == rank] for rank in range(ranks)]

    out = [_packed([x for i in of[rank] for x in work[i].parts()], device) for rank in range(ranks)]
    rows = [[part.rows[rank] for part in parts] for rank in range(ranks)]
    lengths = [sum(_bytes(x, rows[rank][i]) for i in of[here] for x in work[i].parts()) for rank in range(ranks)]
    came = [*map(_Reader, _exchanged(out, lengths, group))]
    news: list[Updated] = []
    trouble: Exception | None = None
    for i in of[here]:
        whole = [
            torch.cat([came[rank].take(x, (rows[rank][i], *x.shape[1:])) for rank in range(ranks)])
            for x in work[i].parts()
        ]
        if trouble is None:
            try:
                news.append(move(_whole(work[i], whole)))
            except Exception as error:  # the others wait for an answer
                trouble = error

    status = torch.tensor([trouble is not None], dtype=torch.uint8, device=device)
    out = [status] * ranks
    if trouble is None:
        cut = [[x.split([part[i] for part in rows]) for x in _returned(work[i], new)]
               for i, new in zip(of[here], news, strict=True)]  # fmt: skip
        out = [_packed([status, *(x[rank] for pieces in cut for x in pieces)], device) for rank in range(ranks)]
    else:  # of the length that the others expect
        sizes = [sum(_bytes(x, rows[rank][i]) for i in of[here] for x in work[i].changed()) for rank in range(ranks)]
        out = [torch.cat([status, status.new_zeros(size)]) for size in sizes]
    lengths = [1 + sum(_bytes(x, len(x)) for i in of[rank] for x in work[i].changed()) for rank in range(ranks)]
    came = [*map(_Reader, _exchanged(out, lengths, group))]
    failed = [rank for rank in range(ranks) if came[rank].take(status, (1,)).item()]
    if trouble is not None:
        raise trouble
    if failed:
        raise RuntimeError(f"The update of a parameter has failed in process {failed[0]}, which says why.")
    mine = [[came[owner].take(x, x.shape) for x in each.changed()] for each, owner in zip(work, owners, strict=True)]

    others = _shared(work, of, dict(zip(of[here], news, strict=True)), group)
    return [_put_together(each, own, others[i]) for i, (each, own) in enumerate(zip(work, mine, strict=True))]


def _whole(each: Work, tensors: Sequence[Tensor]) -> Work:
    w, g, *divided = tensors
    parts = iter(divided)
    state = tuple(next(parts) if is_part else x for x, is_part in zip(each.state, each.divided, strict=True))
    return each._replace(w=w, g=g, state=state, part=None)


def _returned(each: Work, new: Updated) -> list[Tensor]:
    """The whole tensors of which every process gets its rows, in the types in which it holds them."""
    there, state = new
    found = [there, *(x for x, is_part in zip(state, each.divided, strict=True) if is_part)]
    return [x.to(old.dtype) for x, old in zip(found, each.changed(), strict=True)]


def _put_together(each: Work, changed: Sequence[Tensor], others: Sequence[Tensor]) -> Updated:
    there, *divided = changed
    parts, rest = iter(divided), iter(others)
    return there, tuple(
        next(parts) if is_part else next(rest) if x.numel() else x
        for x, is_part in zip(each.state, each.divided, strict=True)
    )


def _shared(
    work: Sequence[Work], of: Sequence[Sequence[int]], news: dict[int, Updated], group: distributed.ProcessGroup
) -> list[list[Tensor]]:
    """The new state tensors that every process has whole, from their owners; the old ones where nothing has changed."""
    found, device = [each.others() for each in work], work[0].w.device
    for rank, owned in enumerate(of):
        places = [(i, j) for i in owned for j in range(len(found[i]))]
        if not places:
            continue
        is_mine, source = rank == distributed.get_rank(group), distributed.get_global_rank(group, rank)
        new = {i: work[i]._replace(state=news[i][1]).others() for i in owned} if is_mine else {}
        flags = [is_mine and new[i][j] is not found[i][j] for i, j in places]
        changed = torch.tensor(flags, dtype=torch.uint8, device=device)
        distributed.broadcast(changed, source, group=group)
        places = [place for place, flag in zip(places, changed.tolist(), strict=True) if flag]
        like = [found[i][j] for i, j in places]
        if is_mine:
            payload = _packed([new[i][j].to(found[i][j].dtype) for i, j in places], device)
        else:
            payload = changed.new_empty(sum(_bytes(x, len(x)) for x in like))
        distributed.broadcast(payload, source, group=group)
        reader = _Reader(payload)
        for (i, j), old in zip(places, like, strict=True):
            found[i][j] = reader.take(old, old.shape)
    return found


# ---- messages --------------------------------------------------------------------------------------------------------


def _bytes(x: Tensor, rows: int) -> int:
    """Of as many rows of such a tensor."""
    return rows * prod(x.shape[1:]) * x.itemsize


def _packed(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """One row of bytes."""
    nothing = torch.empty(0, dtype=torch.uint8, device=device)
    return torch.cat([nothing, *(x.reshape(-1).view(torch.uint8) for x in tensors)])


def _exchanged(out: Sequence[Tensor], lengths: Sequence[int], group: distributed.ProcessGroup) -> Iterator[Tensor]:
    """A message to each process, for one from each, of these lengths."""
    found = out[0].new_empty(sum(lengths))
    distributed.all_to_all_single(found, torch.cat([*out]), [*lengths], [len(x) for x in out], group=group)
    return iter(found.split([*lengths]))


class _Reader:
    """Takes tensors from a row of bytes, one after the other."""

    def __init__(self, content: Tensor) -> None:
        self._content, self._at = content, 0

    def take(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        begin, self._at = self._at, self._at + prod(shape) * like.itemsize
        return self._content[begin : self._at].clone().view(like.dtype).view(*shape)  # its beginning must be aligned
