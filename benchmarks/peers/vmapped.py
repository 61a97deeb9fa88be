"""Peer (c): JAX, the expert's way: Optax's Adam, `vmap` over trials, `scan` over steps, `jit` over all of it.

What it is spared: data and batches as in the plain loop, and the time to compile. What it is given a choice of: how
many trials at a time, one process for all cores or one for each or one with a device for each, convolutions as XLA does
them or as matrix products of patches.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from benchmarks.peers.jax_models import MODELS, Parameters
from benchmarks.workloads import Workload, seeds, stream, trials

State = tuple[Parameters, Any]
"""Parameters and what Adam keeps: each array [R, …]."""


class Vmapped:
    """R trials as one program. With two devices, each has half of the lanes."""

    def __init__(self, workload: Workload, lanes: int, chunk: int, devices: int, **choices: Any) -> None:
        self.lanes, self.chunk = lanes, chunk
        of_lanes = trials(lanes)
        self.streams = [stream(workload.name, seed) for seed in range(seeds(lanes))]
        model = MODELS[workload.name]
        own = [model.parameters(workload.task.build_model(lane.seed)) for lane in of_lanes]
        parameters = jax.tree.map(lambda *rows: jnp.stack(rows), *own)
        self.adam = optax.scale_by_adam()
        self.state: State = parameters, jax.vmap(self.adam.init)(parameters)
        self.loss = partial(model.loss, **choices)
        # [S, N, …] each: the data of every seed, scaled in its own way
        self.inputs, self.targets = (
            jnp.stack([jnp.asarray(getattr(one, name).numpy()) for one in self.streams])
            for name in ("inputs", "targets")
        )
        self.rates = jnp.array([lane.rate for lane in of_lanes])  # [R]
        self.seed_of_lane = jnp.array([lane.seed for lane in of_lanes])  # [R]
        program = self._steps
        if devices > 1:
            mesh = Mesh(np.array(jax.devices()[:devices]), ("lanes",))
            split, whole = P("lanes"), P()
            program = jax.shard_map(
                program,
                mesh=mesh,
                in_specs=(split, split, split, whole, whole, whole),
                out_specs=(split, P(None, "lanes")),
            )
            self.state, self.rates, self.seed_of_lane = jax.device_put(
                (self.state, self.rates, self.seed_of_lane), NamedSharding(mesh, split)
            )
            self.inputs, self.targets = jax.device_put((self.inputs, self.targets), NamedSharding(mesh, whole))
        self.program = jax.jit(program, donate_argnums=0)

    def train(self, start: int, stop: int) -> np.ndarray:
        losses = []
        for begin in range(start, stop, self.chunk):
            batches = np.stack([one.of_steps(begin, begin + self.chunk) for one in self.streams], axis=1)
            self.state, loss = self.program(
                self.state, self.rates, self.seed_of_lane, self.inputs, self.targets, batches
            )
            losses.append(loss)
        return np.concatenate([np.asarray(loss) for loss in losses])

    def _steps(self, state: State, rates: Any, seed_of_lane: Any, inputs: Any, targets: Any, batches: Any) -> Any:
        """One chunk of steps; batches [steps, S, B]. Returns the new state and the losses [steps, R]."""
        shared = len(self.streams) == 1
        of_batch = None if shared else 0
        step = jax.vmap(self._step, in_axes=(0, 0, of_batch, of_batch)) if len(rates) > 1 else self._step_alone

        def body(state: State, positions: Any) -> tuple[State, Any]:
            x, y = (jax.vmap(lambda column, i: column[i])(column, positions) for column in (inputs, targets))
            x, y = (x[0], y[0]) if shared else (x[seed_of_lane], y[seed_of_lane])
            return step(state, rates, x, y)

        if len(batches) == 1:  # XLA convolves ten times slower within a loop
            state, losses = body(state, batches[0])
            return state, losses[None]
        return jax.lax.scan(body, state, batches)

    def _step_alone(self, state: State, rates: Any, x: Any, y: Any) -> tuple[State, Any]:
        """The same for a single lane, without `vmap`, which would make its convolutions grouped ones."""
        state, loss = self._step(jax.tree.map(lambda rows: rows[0], state), rates[0], x, y)
        return jax.tree.map(lambda row: row[None], state), loss[None]

    def _step(self, state: State, rate: Any, x: Any, y: Any) -> tuple[State, Any]:
        """One step of one trial."""
        parameters, moments = state
        loss, gradients = jax.value_and_grad(self.loss)(parameters, x, y)
        updates, moments = self.adam.update(gradients, moments)
        parameters = jax.tree.map(lambda w, u: w - rate * u, parameters, updates)
        return (parameters, moments), loss


trainer = Vmapped
