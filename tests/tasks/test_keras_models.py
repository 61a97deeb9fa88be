"""A Keras model trains as any other: in fleets as alone, alone as Keras itself trains it, or with a reason why not."""

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from steepest.api import check as check_page
from steepest.checks.evaluation import evaluation_is_a_function
from steepest.checks.specimen import Specimen
from steepest.engine import fleet, solo
from steepest.engine.data import Order
from steepest.engine.fleet_support import unsupported_reason
from steepest.errors import BadTask
from steepest.optim.catalogue import contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.check import check
from steepest.tasks.task import Task

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    keras = pytest.importorskip("keras", reason="pip install 'steepest[keras]'")
if keras.backend.backend() != "torch":
    pytest.skip("Keras was already loaded with another backend.", allow_module_level=True)
L = keras.layers

ROOT = Path(__file__).parents[2]
X, Y = (a[:300] for a in load_digits(return_X_y=True))
X = X / 16
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


pytestmark = pytest.mark.usefixtures("one_thread")


def with_batch_norm():
    x = keras.Input((64,))
    h = L.BatchNormalization()(L.Dense(16, activation="relu")(x))
    return keras.Model(x, L.Dense(10)(L.Add()([h, L.Dense(16)(x)])))


class Subclass(keras.Model):
    """Says nothing of `training`, which its layers hear of all the same."""

    def __init__(self, rate: float = 0.0, seed: int | None = None) -> None:
        super().__init__()
        self.hidden, self.drop, self.head = L.Dense(16, activation="relu"), L.Dropout(rate, seed=seed), L.Dense(10)

    def call(self, x):
        return self.head(self.drop(self.hidden(x)))


def convolution():
    """A sequence that knows no shapes before it sees data."""
    return keras.Sequential([L.Reshape((8, 8, 1)), L.Conv2D(4, 3), L.MaxPooling2D(), L.Flatten(), L.Dense(10)])


def digits(model, loss=F.cross_entropy, data=(X, Y), **changes) -> Task:
    return Task(**{"metric": "accuracy", "batch_size": 32, **changes}, model=model, loss=loss, data=data)


def shard(steps: int = 8, dtype: str = "float64", kind: str = "adam") -> Shard:
    lanes = (Lane(1e-3, 0), Lane(1e-2, 0), Lane(1e-2, 1))
    ref = TaskRef("task", "memory", "task")
    return Shard("s", ref, contender(kind), lanes, 32, steps, evaluate_at=(steps // 2, steps), dtype=dtype)


@pytest.mark.parametrize("model", [with_batch_norm, Subclass, convolution])
def test_a_fleet_of_keras_models_moves_as_each_alone(model):
    task = digits(model)
    check(task)
    assert not unsupported_reason(task)
    alone, together = solo.train(task, shard()), fleet.train(task, shard())
    for curve in ("train_loss", "valid_loss", "test_loss", "test_metric"):
        assert np.abs(getattr(alone, curve) - getattr(together, curve)).max() < 1e-9
    assert alone.valid_loss[1, 1] < alone.valid_loss[1, 0]


def weights(model) -> list[np.ndarray]:
    return [variable.value.detach().numpy().copy() for variable in model.weights]


def test_alone_a_model_goes_where_keras_itself_takes_it():
    """Batch norm, Keras' loss and Keras' SGD, batch by batch: weights and running statistics."""
    task, lane = digits(with_batch_norm, LOGITS), Lane(0.1, 5)
    trial = solo.Trial(task, shard(dtype="float32", kind="sgd"), lane)
    theirs = task.build_model(5).keras_model
    theirs.compile(optimizer=keras.optimizers.SGD(0.1), loss=LOGITS)
    start = weights(theirs)
    for t, rows in enumerate(Order(5, task.splits(5).train).batches(0, 12, 32), start=1):
        (x,), y = task.batch(task.splits(5), rows)
        loss = theirs.train_on_batch(x.numpy(), y.numpy())
        assert trial.step(t) == pytest.approx(float(loss), rel=1e-5)
    ours = weights(trial.model.keras_model)  # what was trained is the Keras model itself
    for a, b, before in zip(ours, weights(theirs), start, strict=True):
        assert np.abs(a - b).max() <= 1e-4 * np.abs(b - before).max()


def test_weights_are_drawn_by_the_seed_and_nothing_else_is_drawn():
    task, before = digits(Subclass), (random.getstate(), torch.get_rng_state())
    a, b, c = (list(task.build_model(seed).parameters()) for seed in (1, 1, 2))
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
    assert not torch.equal(a[0], c[0])
    task.build_model(0, torch.float64)
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")


def test_dropout_is_drawn_by_the_seed_and_trains_in_a_fleet():
    task = digits(lambda: Subclass(0.5))
    assert "dropout" in task.facts().luck
    assert "dropout" not in digits(Subclass).facts().luck
    assert not unsupported_reason(task)
    model, (x,) = task.build_model(0), (torch.as_tensor(X, dtype=torch.float32),)
    assert torch.equal(model.eval()(x), model(x))
    assert not torch.equal(model.train()(x), model(x))


def test_a_layer_with_a_generator_of_its_own_trains_alone_and_says_why():
    task = digits(lambda: Subclass(0.5, seed=3))
    check(task)
    assert "Keras layer has its own random generator" in str(unsupported_reason(task))


def two_inputs(by_name: bool):
    a, b = keras.Input((32,), name="left"), keras.Input((32,), name="right")
    outputs = L.Dense(10)(L.Concatenate()([L.Dense(4)(a), L.Dense(4)(b)]))
    return keras.Model({"left": a, "right": b} if by_name else [a, b], outputs)


class TwoArguments(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = L.Dense(10), L.Dense(10)

    def call(self, left, right, training=False):
        return self.a(left) + self.b(right)


@pytest.mark.parametrize("kind", ["list", "dict", "arguments", "keywords"])
def test_several_inputs_reach_a_model_in_its_own_way(kind):
    models = {"list": lambda: two_inputs(by_name=False), "dict": lambda: two_inputs(by_name=True)}
    halves = (X[:, :32], X[:, 32:])
    by_name = dict(zip(("left", "right"), halves, strict=True))
    data = (by_name if kind in ("dict", "keywords") else halves, Y)
    task = digits(models.get(kind, TwoArguments), LOGITS, data)
    check(task)
    assert not unsupported_reason(task)


def test_losses_of_keras_take_targets_first():
    outputs, targets = torch.randn(6, 1), torch.randn(6, 1)
    for loss in (keras.losses.MeanSquaredLogarithmicError(), keras.losses.mean_squared_logarithmic_error):
        task = digits(lambda: keras.Sequential([L.Dense(1)]), loss, (X, Y[:, None] * 1.0), metric="mse")
        expected = np.mean(keras.losses.mean_squared_logarithmic_error(targets, outputs).numpy())
        assert float(task.loss(outputs, targets)) == pytest.approx(expected)
        assert "logarithmic" in task.facts().loss_name


class NeverEnding(keras.Model):
    """Its dropout does not end with training."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.drop, self.head = L.Dense(16, activation="relu"), L.Dropout(0.5, name="mc"), L.Dense(10)

    def call(self, x):
        return self.head(self.drop(self.hidden(x), training=True))


def functional_with(layer):
    x = keras.Input((64,))
    return keras.Model(x, L.Dense(10)(layer(0.5, name="odd")(L.Dense(16, activation="relu")(x), training=True)))


def test_dropout_that_does_not_end_with_training_is_named():
    task = Task(model=NeverEnding, loss=LOGITS, data=(X, Y), metric="accuracy", batch_size=16)
    (found,) = evaluation_is_a_function(Specimen(task))
    assert found.id == "random-evaluation"
    assert "dropout in mc (Dropout)" in str(found.message)
    assert "training=True" in str(found.message)


@pytest.mark.parametrize("layer", [L.Dropout, L.GaussianNoise])
def test_training_true_in_a_functional_model_ends_in_evaluation_and_is_said(layer):
    task = Task(model=lambda: functional_with(layer), loss=LOGITS, data=(X, Y), metric="accuracy", batch_size=16)
    (found,) = evaluation_is_a_function(Specimen(task))
    assert found.id == "training-ignored"
    assert str(found.message).startswith("odd (")


def test_a_model_that_cannot_be_trained_is_an_error_in_one_sentence():
    with pytest.raises(BadTask, match="adds its own losses"):
        check(digits(lambda: keras.Sequential([L.Dense(10, kernel_regularizer="l2")])))
    with pytest.raises(BadTask, match="returned a list"):
        x = keras.Input((64,))
        check(digits(lambda: keras.Model(x, [L.Dense(10)(x), L.Dense(10)(x)])))
    with pytest.raises(BadTask, match="incompatible"):
        check(digits(lambda: keras.Sequential([keras.Input((63,)), L.Dense(10)])))


def test_accuracy_reads_the_probabilities_and_one_hot_rows_of_keras():
    odd = (X, Y[:, None] % 2 * 1.0)
    task = digits(lambda: keras.Sequential([L.Dense(1, "sigmoid")]), keras.losses.BinaryCrossentropy(), odd)
    check(task)
    outputs, targets = torch.tensor([[0.2], [0.4], [0.6], [0.9]]), torch.tensor([[0.0], [1.0], [1.0], [1.0]])
    assert float(task.quality.fn(outputs, targets)) == 0.75

    rows = (X, keras.utils.to_categorical(Y, 10))
    task = digits(lambda: keras.Sequential([L.Dense(10, "softmax")]), "categorical_crossentropy", rows)
    check(task)
    assert task.facts().loss_name == "categorical_crossentropy"
    inputs, targets = task.batch(task.splits(0), task.splits(0).valid)
    outputs = task.build_model(0)(*inputs)
    expected = (outputs.argmax(1) == targets.argmax(1)).float().mean()
    assert float(task.quality.fn(outputs, targets)) == pytest.approx(float(expected))


def test_a_name_that_keras_does_not_know_is_refused():
    with pytest.raises(BadTask, match="loss is 'categorical_crosentropy'"):
        digits(lambda: keras.Sequential([L.Dense(10)]), "categorical_crosentropy")


@pytest.mark.oracles  # which install JAX: Keras asks for it in every backend but torch's and TensorFlow's
def test_another_backend_is_refused_with_the_remedy():
    program = """
import keras, steepest
from steepest.errors import BadTask
from steepest.tasks.check import check
model = lambda: keras.Sequential([keras.layers.Dense(1)])
try:
    loss, x = keras.losses.MeanSquaredError(), [[1.0]] * 9
    check(steepest.Task(model=model, loss=loss, data=(x, x), batch_size=2))
except BadTask as error:
    print(error)
"""
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    error = "This Keras model uses the backend numpy, which is not supported. Set KERAS_BACKEND=torch"
    assert done.stdout.startswith(error), done.stderr


@pytest.mark.slow
def test_the_example_is_a_task_file_and_a_program():
    assert check_page(ROOT / "examples" / "keras_line.py")["engine"] == "fleet"
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/keras_line.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "From the same start, SGD ends at 0.1" in done.stdout
    assert "unfair: Adam after SGD" in done.stdout
