"""Data and networks as users of scikit-learn have them, as a task: X as an array or a frame, y also of strings."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from steepest.coming_from.foreign import Foreign
from steepest.errors import BadTask
from steepest.tasks.task import Task

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid, "identity": nn.Identity}


def from_sklearn(estimator: Foreign, X: Foreign, y: Foreign, **settings: Foreign) -> Task:
    """A task from X and y. Raises BadTask for what cannot be carried over, in one sentence.

    estimator: an MLPClassifier or MLPRegressor, alone or behind a StandardScaler in a Pipeline; or a function that
    builds a torch module, `lambda: nn.Sequential(…)`, with one output for each class. X: an array or a frame of
    numbers. y: classes as numbers or strings, or amounts. `settings`: as in `Task`. Default metric: accuracy for
    classes, R² for amounts.
    """
    network, scales = _apart(estimator)
    features = _features(X)
    classes, targets = _targets(y, network)
    if len(features) != len(targets):
        raise BadTask(f"X has {len(features)} rows and y {len(targets)}; each example needs one target.")
    is_class = classes is not None
    given: dict[str, Foreign] = {
        "loss": F.cross_entropy if is_class else F.mse_loss,
        "metric": "accuracy" if is_class else "r2",
    }
    if isinstance(network, MLPClassifier | MLPRegressor):
        width = network.hidden_layer_sizes
        hidden = tuple(width) if isinstance(width, tuple | list) else (int(width),)  # type: ignore[arg-type]
        outputs = len(classes) if classes is not None else 1 if targets.ndim == 1 else targets.shape[1]
        model: Callable[[], nn.Module] = Network((features.shape[1], *hidden, outputs), str(network.activation))
        size = 200 if network.batch_size == "auto" else int(network.batch_size)
        given |= {"batch_size": min(size, max(1, len(features) // 2)), "epochs": network.max_iter}
    else:
        model = network
    if not is_class and targets.ndim == 1:
        targets = targets[:, None]
    if scales:
        given["standardize"] = "inputs"
    return Task(model=model, data=(features, targets), **{**given, **settings})


def _apart(estimator: Foreign) -> tuple[Foreign, bool]:
    """The network, and whether its inputs are scaled."""
    if isinstance(estimator, Pipeline):
        *before, (_, network) = estimator.steps
        others = [
            step for _, step in before if step not in (None, "passthrough") and not isinstance(step, StandardScaler)
        ]
        if others:
            raise BadTask(
                f"{type(others[0]).__name__} in the pipeline would be fitted to test data too. Transform X with it "
                "first, and pass the last step."
            )
        return _apart(network)[0], any(isinstance(step, StandardScaler) for _, step in before)
    if isinstance(estimator, MLPClassifier | MLPRegressor):
        return estimator, False
    if isinstance(estimator, nn.Module) or not callable(estimator):
        kind = type(estimator).__name__
        if isinstance(estimator, nn.Module):
            raise BadTask(f"{kind} is a module. Pass a function that builds it, since every run needs new weights.")
        raise BadTask(
            f"{kind} is not trained by gradient steps. Pass an MLPClassifier, an MLPRegressor, or a function that "
            "builds a torch module."
        )
    return estimator, False


def _features(X: Foreign) -> np.ndarray:
    kinds = getattr(X, "dtypes", None)
    if hasattr(kinds, "items"):
        strange = [str(name) for name, kind in kinds.items() if getattr(kind, "kind", "O") not in "biuf"]  # type: ignore[union-attr]
        if strange:
            raise BadTask(
                f"The column {strange[0]!r} of X is not of numbers. Encode it first, or pass the file: "
                "steepest.from_file reads such tables."
            )
    dense = X.toarray() if hasattr(X, "toarray") else X
    try:
        found = np.asarray(dense, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise BadTask(f"X cannot be read as numbers: {error}.") from error
    return found[:, None] if found.ndim == 1 else found


def _targets(y: Foreign, network: Foreign) -> tuple[np.ndarray | None, np.ndarray]:
    """The classes, or None, and the targets: places among the classes, or amounts."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    is_text = values.dtype.kind in "OUSb"
    if isinstance(network, MLPRegressor) or (values.dtype.kind == "f" and not isinstance(network, MLPClassifier)):
        if is_text:
            raise BadTask("y are texts, and a regressor predicts amounts. Pass a classifier.")
        return None, values.astype(np.float32)
    if values.ndim != 1:
        raise BadTask(
            f"y has the shape {list(values.shape)}. Classes are one column; several labels are not supported."
        )
    classes, places = np.unique(values.astype(str) if is_text else values, return_inverse=True)
    return classes, places.astype(np.int64)


@dataclass(frozen=True)
class Network:
    """Builds a network as scikit-learn does: layers of these widths, initialized after Glorot."""

    widths: tuple[int, ...]
    activation: str

    def __call__(self) -> nn.Module:
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip(self.widths[:-1], self.widths[1:], strict=True)):
            layer = nn.Linear(a, b)
            bound = ((2.0 if self.activation == "logistic" else 6.0) / (a + b)) ** 0.5
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound)
                layer.bias.uniform_(-bound, bound)
            layers += [layer] if i == len(self.widths) - 2 else [layer, ACTIVATIONS[self.activation]()]
        return nn.Sequential(*layers)
