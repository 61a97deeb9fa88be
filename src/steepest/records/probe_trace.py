"""What probes measure inside a training run. Apart from the results: a verdict never reads it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class ProbeTrace:
    """What probes saw within some trials of one contender: K looks, each at the step that would come next; R lanes, L
    tensors of parameters, S state tensors of the rule. NaN where a figure does not exist, and after a trial's end.
    """

    task: str
    contender: str
    at: np.ndarray  # [K], int64: steps done before the look
    seeds: np.ndarray  # [R], int64
    rate: np.ndarray  # [R, K]: of the step looked at, its schedule included
    layers: tuple[str, ...]  # [L]
    states: tuple[str, ...]  # [S]
    batch_size: int
    steps: int
    """The horizon."""
    step: np.ndarray  # [R, K, 5]: quantiles .05, .25, .5, .75, .95 over parameters of |Δw|/|g|
    step_of_layer: np.ndarray  # [R, K, L]: its median
    step_of_rare: np.ndarray  # [R, K, 2]: its median where few batches have a gradient, and where most have
    share_rare: np.ndarray  # [R, K, 2]: the shares of parameters that these are
    update_to_weight: np.ndarray  # [R, K, L]: |Δw|/|w| of the whole tensor
    loss: np.ndarray  # [R, K]: mean over the batches of the look
    gradient: np.ndarray  # [R, K]: norm of the mean gradient of these batches
    noise: np.ndarray  # [R, K]: the gradient's noise scale, in examples
    flips: np.ndarray  # [R, K]: share of parameters whose next two updates have opposite signs
    sharpness: np.ndarray  # [R, K]: top eigenvalue of the Hessian of the training loss
    state: np.ndarray  # [R, K, S]: median size over parameters
