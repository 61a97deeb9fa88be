"""Peer (d): Keras, its `compile` and `fit`, one trial after another or one in a process for each core.

What it is spared: the time to compile, and the ends of epochs, since the batches of all steps asked for are laid out as
one. Its LSTM has one bias where PyTorch's has two; all else is the same model.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

from benchmarks.peers.keras_models import MODELS
from benchmarks.workloads import Workload, stream, trials


class Fit:
    """One trial, trained by `fit`."""

    lanes = 1

    def __init__(self, workload: Workload, threads: int, steps_per_execution: int) -> None:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.chunk, self.batch_size = steps_per_execution, workload.batch_size
        (lane,) = trials(1)
        one = stream(workload.name, lane.seed)
        model = MODELS[workload.name]
        self.batches = one
        self.inputs, self.targets = model.inputs(one.inputs.numpy()), one.targets.numpy()
        self.model = model.build()
        self.model.set_weights(
            [array.detach().numpy() for array in model.weights(workload.task.build_model(lane.seed))]
        )
        self.model.compile(
            optimizer=keras.optimizers.Adam(lane.rate, epsilon=1e-8),
            loss=model.loss,
            steps_per_execution=steps_per_execution,
        )

    def train(self, start: int, stop: int) -> np.ndarray:
        """The loss is the mean over all steps asked for: [1, 1]."""
        places = self.batches.of_steps(start, stop).reshape(-1)
        quiet: Any = 0  # which the stubs take for a word
        history = self.model.fit(
            self.inputs[places], self.targets[places], batch_size=self.batch_size, shuffle=False, verbose=quiet
        )
        return np.array([history.history["loss"]])


trainer = Fit
