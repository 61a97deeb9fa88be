"""X and y as users of scikit-learn have them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import steepest
from steepest.errors import BadTask

draws = np.random.default_rng(0)
X = draws.normal(size=(120, 3)) * 5 + 2
WORDS = np.where(X[:, 0] > 2, "yes", "no")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(WORDS)),
        (X.tolist(), WORDS.tolist()),
        (X, pd.Categorical(WORDS)),
        (pd.DataFrame(X), WORDS == "yes"),
        (X, np.where(WORDS == "yes", 7, 3)[:, None]),
    ],
)
def test_classes_of_any_kind_are_predicted_with_accuracy(x, y):
    network = make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(8,), max_iter=5, batch_size=16))
    task = steepest.from_sklearn(network, x, y)
    assert (task.metric, task.batch_size, task.epochs, task.standardize) == ("accuracy", 16, 5, "inputs")
    assert task.measured_loss(
        task.build_model(0)(*task.batch(task.splits(0), np.arange(4))[0]), task.batch(task.splits(0), np.arange(4))[1]
    ).isfinite()


def test_amounts_are_measured_by_r2_and_a_study_trains():
    task = steepest.from_sklearn(MLPRegressor((4,), max_iter=2), X, X @ [1.0, 2.0, 3.0], standardize="both")
    assert task.metric == "r2"
    assert task.build_model(0)(*task.batch(task.splits(0), np.arange(4))[0]).shape == (4, 1)


def test_a_function_builds_the_network():
    task = steepest.from_sklearn(lambda: nn.Linear(3, 2), X, WORDS, epochs=2)
    assert task.metric == "accuracy"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: steepest.from_sklearn(LogisticRegression(), X, WORDS),
            "LogisticRegression is not trained by gradient",
        ),
        (lambda: steepest.from_sklearn(make_pipeline(PCA(), MLPClassifier()), X, WORDS), "PCA in the pipeline"),
        (
            lambda: steepest.from_sklearn(MLPClassifier(), pd.DataFrame({"a": [1, 2], "city": ["x", "y"]}), [0, 1]),
            "The column 'city' of X is not of numbers",
        ),
        (lambda: steepest.from_sklearn(MLPClassifier(), X, WORDS[:5]), "X has 120 rows and y 5"),
        (lambda: steepest.from_sklearn(MLPRegressor(), X, WORDS), "y are texts"),
        (lambda: steepest.from_sklearn(nn.Linear(3, 2), X, WORDS), "Linear is a module. Pass a function"),
    ],
)
def test_what_cannot_be_carried_over_is_one_sentence(make, says):
    with pytest.raises(BadTask, match=says):
        make()
