"""Your own model and data: a file that defines `task`. Try it with `steepest run examples/own_task.py`."""

from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn.functional import cross_entropy

from steepest import Task


def make_model() -> nn.Module:
    return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))


x, y = load_breast_cancer(return_X_y=True)  # 569 biopsies, 30 measurements each; malignant or benign
task = Task(
    model=make_model, data=(x, y), loss=cross_entropy, metric="accuracy", standardize=True, batch_size=32, epochs=10
)
