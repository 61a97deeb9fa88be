"""Where a framework is not installed, one sentence says which extra brings it."""

import re

import pytest
import torch
from torch import nn

import steepest
from steepest.coming_from import keras_tasks, lightning_tasks, transformers_tasks
from steepest.errors import BadTask

DATA = (torch.zeros(20, 3), torch.zeros(20, dtype=torch.long))
WITHOUT = {
    "keras": (keras_tasks, steepest.from_keras, "Keras"),
    "lightning": (lightning_tasks, steepest.from_lightning, "PyTorch Lightning"),
    "transformers": (transformers_tasks, steepest.from_transformers, "transformers"),
}


@pytest.mark.parametrize("extra", WITHOUT)
def test_a_missing_package_is_named_with_its_extra(extra, monkeypatch):
    module, task_from, title = WITHOUT[extra]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    says = f"{title} is not installed: pip install 'steepest[{extra}]'."
    with pytest.raises(BadTask, match=re.escape(says)):
        task_from(lambda: nn.Linear(3, 2), DATA)
