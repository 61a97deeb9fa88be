"""Classes that validation or test lacks are said, where the metric would pass over them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from steepest import Task
from steepest.checks.class_checks import classes_in_all_parts
from steepest.checks.specimen import Specimen

X, LABELS = torch.randn(120, 4, generator=torch.Generator().manual_seed(0)), torch.arange(120) % 4
ANSWERS = torch.stack([torch.arange(120) % 2, torch.arange(120) // 2 % 2], 1).float()


def found(valid, test, train=LABELS, loss=F.cross_entropy, outputs=4, metric="macro-f1") -> list[str]:
    parts = {"train": (X, train), "valid": (X[: len(valid)], valid), "test": (X[: len(test)], test)}
    task = Task(model=lambda: nn.Linear(4, outputs), loss=loss, metric=metric, batch_size=8, **parts)
    return [str(each.message) for each in classes_in_all_parts(Specimen(task))]


@pytest.mark.parametrize("metric", ["macro-f1", "auroc", "balanced-accuracy"])
def test_a_mean_over_classes_says_which_a_part_lacks(metric):
    (message,) = found(LABELS[:40], LABELS[:40] % 3, metric=metric)
    assert message.startswith("test lacks 1 of 4 classes, such as number 3")


@pytest.mark.parametrize("metric", ["accuracy", "balanced-accuracy"])
def test_a_part_of_one_class_is_said_for_every_metric_of_classes(metric):
    (message,) = found(LABELS[:40], LABELS[:40] * 0 + 2, metric=metric)
    assert message.startswith("All labels of test are 2, so")


def test_accuracy_needs_not_every_class():
    assert found(LABELS[:40] % 3, LABELS[:40], metric="accuracy") == []


def test_a_question_with_one_answer_is_said():
    one = ANSWERS[:40] * torch.tensor([1.0, 0.0])
    options = {"train": ANSWERS, "loss": F.binary_cross_entropy_with_logits, "outputs": 2, "metric": "auroc"}
    (message,) = found(one, ANSWERS[:40], **options)
    assert message.startswith("valid lacks 1 of 2 classes, such as number 1")
    assert found(ANSWERS[:40], ANSWERS[:40], **options) == []


def test_labels_that_are_ignored_are_no_class():
    ignored = LABELS[:40].where(LABELS[:40] < 3, -100)
    (message,) = found(ignored, LABELS[:40])
    assert message.startswith("valid lacks 1 of 4 classes")


def test_amounts_have_no_classes():
    assert found(X[:40, :1], X[:40, :1], train=X[:, :1], loss=F.mse_loss, outputs=1, metric="r2") == []
