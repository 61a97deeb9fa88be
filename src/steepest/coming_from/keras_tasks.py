"""A Keras model as a task, with the arguments of `compile` as they are. Loads no Keras: a user with a model has."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from steepest.coming_from.foreign import Foreign
from steepest.errors import BadTask
from steepest.tasks.keras_models import is_keras
from steepest.tasks.task import Task

METRICS = {
    "acc": "accuracy",
    "accuracy": "accuracy",
    "binary_accuracy": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "top_k_categorical_accuracy": "top5",
    "sparse_top_k_categorical_accuracy": "top5",
    "auc": "auroc",
    "mse": "mse",
    "mean_squared_error": "mse",
    "mae": "mae",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
}
"""Metrics of Keras, by their names in snake case, and their names here."""
OF_CLASSES = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")


def from_keras(
    model: Foreign,
    data: Foreign = None,
    *,
    loss: Foreign = None,
    metrics: Sequence[Foreign] | None = None,
    optimizer: Foreign = None,
    batch_size: int = 32,
    **settings: Foreign,
) -> Task:
    """A task from a Keras model. Raises BadTask for what cannot be carried over, in one sentence.

    model: a function that builds it, compiled or not; or a model, whose architecture every run builds again with new
    weights. data: (x, y); or pass `train`, `valid` and `test`. loss, metrics: as in `compile`, and taken from a
    compiled model; the first metric decides. batch_size: as in `fit`. `settings`: as in `Task`. An optimizer is
    not part of a task: `setup_of` writes it as a baseline.
    """
    if find_spec("keras") is None:
        raise BadTask("Keras is not installed: pip install 'steepest[keras]'.")
    if settings.pop("loss_weights", None):
        raise BadTask("loss_weights cannot be carried over. Pass a dict of losses, each times its weight.")
    build = Layers(model)
    template = build.compiled()
    loss = loss if loss is not None else getattr(template, "loss", None)
    if loss is None:
        raise BadTask("The Keras model is not compiled and no loss is given. Pass loss=…, as in compile.")
    given = metrics if metrics is not None else _compiled_metrics(template)
    if "metric" not in settings and given:
        settings["metric"] = _metric(given[0])
    elif "metric" not in settings and _snake(loss) in OF_CLASSES:
        settings["metric"] = "accuracy"
    settings.setdefault("name", str(getattr(template, "name", "keras")))
    return Task(model=build, loss=loss, data=data, batch_size=batch_size, **settings)


@dataclass(frozen=True, eq=False)
class Layers:
    """Builds the model of a task: by the user's function, or the same architecture again."""

    given: Foreign

    def compiled(self) -> Foreign:
        """The model with what it was compiled with."""
        made = self.given if is_keras(self.given) else self.given() if callable(self.given) else self.given
        if not is_keras(made):
            raise BadTask(f"{type(made).__name__} is not a Keras model. Pass a function that builds one.")
        return made

    def __call__(self) -> Foreign:
        if not is_keras(self.given):
            return self.given()
        return sys.modules["keras"].models.clone_model(self.given)


def _compiled_metrics(model: Foreign) -> list[Foreign]:
    config: Callable[[], Foreign] | None = getattr(model, "get_compile_config", None)
    given = (config() or {}).get("metrics") if config else None
    if isinstance(given, Mapping) and "class_name" not in given:
        given = [each for value in given.values() for each in (value if isinstance(value, list) else [value])]
    return [given] if isinstance(given, str | Mapping) else [each for each in given or [] if each]


def _metric(given: Foreign) -> str:
    name = _snake(given)
    if name not in METRICS:
        raise BadTask(
            f"The Keras metric {name!r} cannot be carried over. Pass metric=…: a name such as 'accuracy', or a "
            "function of outputs and targets."
        )
    return METRICS[name]


def _snake(given: Foreign) -> str:
    """The name of a metric or a loss, given by name, as an object or by its configuration."""
    if isinstance(given, Mapping):
        given = given.get("config", {}).get("name") if isinstance(given.get("config"), Mapping) else given["config"]
    name = given if isinstance(given, str) else getattr(given, "name", None) or getattr(given, "__name__", "")
    capitals = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in str(name)).lstrip("_")
    return str(name).lower() if str(name).isupper() else capitals
