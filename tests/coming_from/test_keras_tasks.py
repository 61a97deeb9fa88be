"""Keras models with the arguments of `compile`."""

import os
import warnings

import numpy as np
import pytest

import steepest
from steepest.errors import BadSetting, BadTask

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'steepest[keras]'")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within Keras
draws = np.random.default_rng(0)
X = draws.normal(size=(90, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def network(outputs=2, **compiled):
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(outputs)])
    if compiled:
        made.compile(**compiled)
    return made


LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("given", "metric"),
    [
        ({"loss": LOGITS, "metrics": ["accuracy"]}, "accuracy"),
        ({"loss": LOGITS, "metrics": [keras.metrics.SparseCategoricalAccuracy(), "mse"]}, "accuracy"),
        ({"loss": LOGITS}, "accuracy"),
        ({"loss": "mse", "metrics": ["mae"]}, "mae"),
        ({"loss": "mse", "metrics": [keras.metrics.RootMeanSquaredError()]}, "rmse"),
    ],
)
def test_a_compiled_model_is_a_task(given, metric):
    y = Y if given["loss"] is LOGITS else X[:, :1]
    outputs = 2 if given["loss"] is LOGITS else 1
    for model in (network(outputs, **given), lambda: network(outputs, **given)):
        task = steepest.from_keras(model, (X, y), epochs=1)
        assert (task.metric, task.batch_size) == (metric, 32)
        inputs, targets = task.batch(task.splits(0), np.arange(8))
        assert task.measured_loss(task.build_model(0)(*inputs), targets).isfinite()
    task = steepest.from_keras(lambda: network(outputs), (X, y), **given)
    assert task.metric == metric


def test_every_run_of_a_given_model_has_new_weights():
    task = steepest.from_keras(network(loss=LOGITS), (X, Y))
    a, b = (next(task.build_model(seed).parameters()) for seed in (0, 1))
    assert not (a == b).all()


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (lambda: "adam", "adam:lr=0.001:beta_1=0.9:beta_2=0.999:epsilon=1e-07"),
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "sgd:lr=0.1:momentum=0.9:nesterov=true"),
        (
            lambda: keras.optimizers.AdamW(3e-4, weight_decay=0.1, global_clipnorm=1.0),
            "adamw+clip-norm:lr=0.0003:beta_1=0.9:beta_2=0.999:epsilon=1e-07:weight_decay=0.1:max_norm=1",
        ),
        (
            lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100, alpha=0.1)),
            "sgd:lr=0.1:schedule=cosine/end=0.1",
        ),
    ],
)
def test_the_optimizer_of_compile_is_a_baseline(optimizer, words):
    assert steepest.setup_of(network(loss=LOGITS, optimizer=optimizer())) == words


def test_what_cannot_be_carried_over_is_one_sentence():
    with pytest.raises(BadTask, match="is not compiled and no loss is given"):
        steepest.from_keras(network(), (X, Y))
    with pytest.raises(BadTask, match="metric 'precision' cannot be carried over"):
        steepest.from_keras(network(), (X, Y), loss=LOGITS, metrics=[keras.metrics.Precision()])
    with pytest.raises(BadTask, match="str is not a Keras model"):
        steepest.from_keras("model", (X, Y))
    with pytest.raises(BadTask, match="loss_weights cannot be carried over"):
        steepest.from_keras(network(), (X, Y), loss=LOGITS, loss_weights=[1.0])
    with pytest.raises(BadSetting, match="clipnorm of Keras' Adam cannot be carried over"):
        steepest.setup_of(keras.optimizers.Adam(clipnorm=1.0))
