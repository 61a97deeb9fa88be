"""Checks of the model and the loss: tasks that run but are probably misconfigured."""

from collections.abc import Iterator

import torch

from steepest.checks.specimen import Specimen
from steepest.messages import say, significant, term
from steepest.records.task_warnings import TaskWarning, warning

MAX_INPUT_RMS = 30.0
"""Root mean square of inputs above which most models train better on scaled inputs."""


def other_precision(specimen: Specimen) -> Iterator[TaskWarning]:
    """Parameters that are not float32 when they are made."""
    raw = {p.dtype for p in specimen.task.made().parameters()} - {torch.float32}
    if raw:
        yield warning(
            "other-precision",
            say(
                "The model is built in {dtype}, but trained in float32. Use --dtype float64 for higher precision.",
                dtype=str(min(raw, key=str)).removeprefix("torch."),
            ),
        )


def unscaled_inputs(specimen: Specimen) -> Iterator[TaskWarning]:
    """Inputs far from a root mean square of 1."""
    for x in specimen.inputs:
        if x.is_floating_point() and (size := float(x.square().mean().sqrt())) > MAX_INPUT_RMS:
            yield warning(
                "unscaled-inputs",
                say(
                    "The root mean square of the inputs is {size}. Most models train better on scaled inputs: set "
                    "standardize=True.",
                    size=significant(size, 2),
                ),
            )
            return


def other_metrics(specimen: Specimen) -> Iterator[TaskWarning]:
    """Metrics after the first, which trials do not measure."""
    if others := specimen.task.other_metrics:
        yield warning(
            "one-metric",
            say(
                "Only the first metric, {first}, is measured. Those of {others} are checked, and not measured in "
                "trials.",
                first=term(specimen.task.quality.name),
                others=", ".join(others),
            ),
        )


def idle_parameters(specimen: Specimen) -> Iterator[TaskWarning]:
    """Parameters without a gradient."""
    model = specimen.task.build_model(0).train()
    loss = specimen.task.measured_loss(model(*specimen.inputs), specimen.targets)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    if idle := [name for (name, _), g in zip(named, gradients, strict=True) if g is None]:
        yield warning(
            "idle-parameters",
            say(
                "The loss does not depend on {n} of the model's parameter tensors, such as {first}.",
                n=len(idle),
                first=idle[0],
            ),
        )
