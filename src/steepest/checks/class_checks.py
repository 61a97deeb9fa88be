"""Whether the classes that a metric is about occur in the parts on which it is measured."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from steepest.checks.specimen import Specimen
from steepest.messages import Message, say, term
from steepest.records.task_warnings import TaskWarning, warning
from steepest.tasks.class_metrics import CLASSIFICATION, auroc, balanced_accuracy, macro_f1
from steepest.tasks.measuring import reading_in
from steepest.tasks.metrics import base_of
from steepest.tasks.readings import answers, classes, shape_form
from steepest.tasks.several import HeadMetric, head_of

MEANS = (macro_f1, balanced_accuracy, auroc)
"""Metrics that are means over classes or questions."""
PARTS = ("train", "valid", "test")


MAX_NUMBERS = 2**24
"""Numbers of outputs and targets of a part; larger parts are not looked at, and rarely lack a class."""


def classes_in_all_parts(specimen: Specimen) -> Iterator[TaskWarning]:
    """Classes, or answers to yes-or-no questions, that validation or test lacks."""
    metric = specimen.task.quality
    if base_of(metric.fn) not in CLASSIFICATION:
        return
    occur = [_occurring(specimen, getattr(specimen.splits, part)) for part in PARTS]  # each [C, 2] or [C, 1]
    known = torch.stack([found for found in occur if found is not None] or [torch.zeros(1, 1)]).bool().any(0)
    for part, found in zip(PARTS[1:], occur[1:], strict=True):
        if found is None:
            continue
        if int(found.sum()) == 1 and found.numel() > 1:
            yield warning("absent-classes", _one_class(part, metric.name, found))
        elif base_of(metric.fn) in MEANS and bool((missing := (known & ~found).any(1)).any()):
            yield warning(
                "absent-classes",
                say(
                    "{part} lacks {n} of {total} classes, such as number {first}, so {metric} is a mean over the "
                    "others there. Use larger or stratified parts.",
                    part=part,
                    n=int(missing.sum()),
                    total=len(missing),
                    first=int(missing.nonzero()[0]),
                    metric=term(metric.name),
                ),
            )


def _one_class(part: str, metric: str, found: Tensor) -> Message:
    row, column = found.nonzero()[0].tolist()
    return say(
        "All labels of {part} are {label}, so {metric} only measures how often a model answers that. Use larger or "
        "stratified parts.",
        part=part,
        label=column if found.shape[1] == 2 else row,
        metric=term(metric),
    )


def _occurring(specimen: Specimen, positions: np.ndarray) -> Tensor | None:
    """Which classes occur [C, 1], or which answers, no and yes, to each question [K, 2]. None for a large part."""
    fn, outputs = specimen.task.quality.fn, specimen.outputs
    if len(positions) * (outputs[0].numel() + specimen.targets[0].numel()) > MAX_NUMBERS:
        return None
    targets = specimen.splits.targets[torch.from_numpy(positions)]
    each = len(outputs) // len(specimen.targets)  # the model may have joined the axes of its examples
    repeated = outputs[:each].repeat(len(targets), *[1] * (outputs.ndim - 1))
    ours, truth = head_of(fn, repeated, targets)
    mask = fn.truth_of(targets)[1] if isinstance(fn, HeadMetric) else None
    read = reading_in(fn)
    if shape_form(ours, truth, read) == "answers":
        given = answers(ours, truth, read, mask)
        return torch.stack([(side & given.counts).any(0) for side in (~given.truth, given.truth)], 1)
    given = classes(ours, truth, read, mask)
    return torch.bincount(given.labels[given.counts], minlength=given.scores.shape[1])[:, None] > 0
