"""How long a step takes: one trial alone, and fleets of several sizes, in one process and in two at a time.

    python benchmarks/speed.py [optimizer …]          (sgd and adam if none is named; about a minute each)

Microseconds per trial-step, for the whole machine: wall time of a step / lanes / processes. Each figure is the best of
several rounds, since whatever else runs on the machine only ever adds to it.
"""

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from time import perf_counter

import numpy as np
import torch
from torch.nn import functional as F

from steepest.engine.fleet import Fleet
from steepest.engine.solo import Trial
from steepest.optim.catalogue import contender
from steepest.tasks import sources
from steepest.tasks.models import mlp
from steepest.tasks.task import Task
from steepest.types import Lane, Shard, TaskRef

NETWORKS = ((64, 64, 10), (64, 32, 32, 10), (64, 128, 128, 10))
BATCH_SIZES = (1, 64)
LANES = (16, 32, 64, 128)
RATES = 9  # lanes of a seed, as in a grid
ROUNDS, SECONDS = 4, 0.25


def plan(optimizer: str, batch_size: int, lanes: int) -> Shard:
    far = 10**9  # timing never gets there
    return Shard(
        id="speed",
        task=TaskRef("speed", "memory", "speed"),
        contender=contender(optimizer),
        lanes=tuple(Lane(1e-4 * (1 + i % RATES), seed=i // RATES) for i in range(lanes)),
        batch_size=batch_size,
        steps=far,
        evaluate_at=(far,),
    )


def microseconds(sizes: tuple[int, ...], optimizer: str, batch_size: int, lanes: int, barrier: Barrier) -> float:
    """Per step of so many lanes; 0 lanes are one trial alone. All processes measure at the same time."""
    arrays = sources.load("digits")
    data = (arrays["x"].astype(np.float32) / 16, arrays["y"])
    task = Task(model=lambda: mlp(sizes), data=data, loss=F.cross_entropy, metric="accuracy", standardize=True)
    shard = plan(optimizer, batch_size, max(lanes, 1))
    trial = Trial(task, shard, shard.lanes[0])
    fleet = Fleet(task, shard, shard.lanes)
    done = 0

    def steps(count: int) -> float:
        nonlocal done
        start = perf_counter()
        if lanes:
            fleet.train(done, done + count)
        else:
            for t in range(done + 1, done + count + 1):
                trial.step(t)
        done += count
        return (perf_counter() - start) / count

    steps(5)
    count = max(1, int(SECONDS / steps(5)))
    taken = []
    for _ in range(ROUNDS):
        barrier.wait()
        taken.append(steps(count))
    return min(taken) * 1e6


def work(barrier: Barrier, results: "multiprocessing.Queue[dict]", optimizers: list[str]) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    results.put(
        {
            (sizes, optimizer, batch_size, lanes): microseconds(sizes, optimizer, batch_size, lanes, barrier)
            for sizes in NETWORKS
            for optimizer in optimizers
            for batch_size in BATCH_SIZES
            for lanes in (0, *LANES)
        }
    )


def measure(processes: int, optimizers: list[str]) -> dict:
    """Microseconds per trial-step of the whole machine, by case."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    workers = [context.Process(target=work, args=(barrier, results, optimizers)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return {case: max(one[case] for one in found) / max(case[-1], 1) / processes for case in found[0]}


def main(optimizers: list[str]) -> None:
    tables = {processes: measure(processes, optimizers) for processes in (1, 2)}
    print("network, optimizer, batch size".ljust(42), *(f"{word:>7}" for word in ("alone", *LANES)), sep="")
    for processes, table in tables.items():
        print(f"{processes} process{'es' if processes > 1 else ''}")
        for sizes, optimizer, batch_size in dict.fromkeys(case[:-1] for case in table):
            label = f"  {'-'.join(map(str, sizes))}, {optimizer}, {batch_size}"
            row = (table[sizes, optimizer, batch_size, lanes] for lanes in (0, *LANES))
            print(label.ljust(42), *(f"{value:7.1f}" for value in row), sep="")


if __name__ == "__main__":
    main(sys.argv[1:] or ["sgd", "adam"])
