"""One of several processes that together take the steps of a single one, by DDP, FSDP2, ZeRO-1 or tensor parallelism.

    python sharded_steps.py RANK WORLD FOLDER KIND[,KIND…] OPTIMIZER…

KIND "checkpoint-2-4" loads FOLDER/OPTIMIZER after 2 steps, continues by FSDP2, and saves after 4.

Rank 0 prints a JSON line for each kind and optimizer: their names, and the largest difference of a weight from the
single process's, relative to the largest distance that a weight moved; or the error. All is in float64. With FSDP2,
rules that see whole tensors are taken by owners; "gathered" is the same difference to steps for which all processes
gather.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from itertools import product

os.environ["GLOO_SOCKET_IFNAME"] = "lo"

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

from steepest.adapters.torch import as_torch
from steepest.errors import SteepestError
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.owners import by_owners

STEPS, BATCH = 6, 12


class Uneven(nn.Module):
    """Embedding, convolution, a matrix of one row and one of one column: with 2 or 3 processes shards are of unequal
    length, and some are empty."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.conv = nn.Embedding(11, 6), nn.Conv1d(6, 5, 3, padding=1)
        self.hidden, self.norm = nn.Linear(25, 13), nn.LayerNorm(13)
        self.narrow, self.wide = nn.Linear(13, 1), nn.Linear(1, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.embed(x).mT).tanh().flatten(1)
        x = self.norm(self.hidden(x)).tanh()
        return self.wide(self.narrow(x).tanh())


class Even(nn.Module):
    """Every axis can be divided by 2 and 3."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.hidden, self.out = nn.Embedding(12, 6), nn.Linear(30, 12), nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.hidden(self.embed(x).flatten(1)).tanh())


class Few(nn.Module):
    """One parameter, so that one of two processes is dealt none."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x.double())


def fresh_model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.get(kind, Uneven)().double()


MODELS = {"fsdp2-even": Even, "tp": Even, "zero-few": Few}
"""Kind → its model, if that is not `Uneven`."""


@cache
def batches() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    return [(torch.randint(11, (BATCH, 5)), torch.randint(4, (BATCH,))) for _ in range(STEPS)]


def weights(model: nn.Module) -> Tensor:
    parts = [p.full_tensor() if isinstance(p, DTensor) else p for p in (p.detach() for p in model.parameters())]
    return torch.cat([part.flatten() for part in parts])


def distribute(kind: str, model: nn.Module, world: int) -> nn.Module:
    """The model as `kind` spreads it; its parameters are changed in place."""
    if kind in ("ddp", "zero", "zero-few"):
        return DistributedDataParallel(model)
    if kind.startswith(("fsdp2", "checkpoint")):
        fully_shard(model.hidden)
        return fully_shard(model)
    assert kind == "tp"
    mesh = distributed.init_device_mesh("cpu", (world,))
    return parallelize_module(model, mesh, {"hidden": ColwiseParallel(), "out": RowwiseParallel()})


def train(
    kind: str, make: Callable[..., torch.optim.Optimizer], rank: int, world: int, checkpoint: str = ""
) -> tuple[Tensor, Tensor]:
    """The weights before and after all steps; with a `checkpoint`, those that KIND names."""
    first, last = map(int, kind.split("-")[1:]) if kind.startswith("checkpoint") else (0, STEPS)
    model = fresh_model(kind)
    start = weights(model)
    net = model if world == 1 and not checkpoint else distribute(kind, model, world)
    if world > 1 and kind.startswith("zero"):
        optimizer: torch.optim.Optimizer = ZeroRedundancyOptimizer(model.parameters(), make)
    else:
        optimizer = make(model.parameters())
    mine = slice(None) if world == 1 or kind == "tp" else slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    second = getattr(optimizer, "rule", None) is not None and optimizer.rule.second
    if checkpoint and first:
        weights_held, held = get_state_dict(model, optimizer)
        dcp.load({"model": weights_held, "optimizer": held}, checkpoint_id=checkpoint)
        set_state_dict(model, optimizer, model_state_dict=weights_held, optim_state_dict=held)
    for x, y in batches()[first if checkpoint else 0 : last]:

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            logits = net(x[mine])
            targets = optimizer.targets(logits, y[mine]) if second == "sampled" else y[mine]
            loss = nn.functional.cross_entropy(logits, targets)
            loss.backward()
            return loss

        torch.manual_seed(2)
        if second:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    if checkpoint:
        weights_held, held = get_state_dict(model, optimizer)
        dcp.save({"model": weights_held, "optimizer": held}, checkpoint_id=checkpoint)
    return start, weights(model)


@cache
def train_alone(model: str, name: str) -> tuple[Tensor, Tensor]:
    """The weights of one process before and after all steps. model: a kind that has this model and number of steps."""
    return train(model, maker(name), 0, 1)


def maker(name: str) -> Callable[..., torch.optim.Optimizer]:
    return partial(as_torch(entry(name).rule), **settings_of(entry(name)))


def main() -> None:
    rank, world, folder, kinds, *names = sys.argv[1:]
    torch.set_num_threads(1)
    store = distributed.FileStore(f"{folder}/store-{kinds}", int(world))
    distributed.init_process_group("gloo", store=store, rank=int(rank), world_size=int(world))
    for kind, name in product(kinds.split(","), names):
        checkpoint = f"{folder}/{name}" if kind.startswith("checkpoint") else ""
        try:
            start, alone = train_alone(kind if kind in MODELS or checkpoint else "", name)
            _, together = train(kind, maker(name), int(rank), int(world), checkpoint)
            moved = (alone - start).abs().max()
            row = {"difference": float((together - alone).abs().max() / moved)}
            if kind.startswith("fsdp2") and entry(name).rule.scope == "matrix":
                owned = by_owners.set(False)
                _, gathered = train(kind, maker(name), int(rank), int(world))
                by_owners.reset(owned)
                row["gathered"] = float((together - gathered).abs().max() / moved)
        except SteepestError as error:
            row = {"refused": str(error)}
        except Exception as error:
            row = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        if rank == "0":
            print(json.dumps({"kind": kind, "optimizer": name, **row}), flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
