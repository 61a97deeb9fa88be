"""The networks of the built-in tasks: each trains as a fleet as it does alone, and does what its page says.

The ground is digits, whose pixels 0 … 16 serve as words, characters and categories; and, where they have been fetched,
the data that a task is made for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

import numpy as np
import pytest
import torch
from engine.small import shard
from engine.test_fleet import assert_moves_as_alone
from torch import nn
from torch.nn import functional as F

from steepest.builtin import models, tabular, task_table, texts
from steepest.datasets import sources
from steepest.engine.fleet_support import unsupported_reason
from steepest.engine.solo import Trial
from steepest.records.contender import Contender
from steepest.records.task_facts import TaskRef
from steepest.records.trials import Lane, Shard
from steepest.tasks.task import Task

PIXELS = sources.load("digits")["x"][:200].astype(np.int64)  # [200, 64], 0 … 16
CLASSES = sources.load("digits")["y"][:200]
NEXT = (PIXELS[:, :-1], PIXELS[:, 1:])


@dataclass(frozen=True)
class Network:
    name: str
    model: Callable[[], nn.Module]
    data: tuple
    loss: Callable = F.cross_entropy


def images(size: int) -> np.ndarray:
    """Digits on a larger canvas."""
    canvas = np.zeros((200, 1, size, size))
    canvas[:, 0, 10:18, 10:18] = PIXELS.reshape(-1, 8, 8) / 16
    return canvas


NETWORKS = (
    Network("cnn", models.cnn, (images(28), CLASSES)),
    Network("cnn, normalized", partial(models.cnn, normalized=True), (images(28), CLASSES)),
    Network(
        "mixed table",
        partial(models.MixedTable, 4, 6, 17, 3, (8,), 10),
        ((PIXELS[:, 10:14] / 16, PIXELS[:, 20:26]), CLASSES),
    ),
    Network(
        "factors",
        partial(models.Factors, 17, 17, 3),
        ((PIXELS[:, 20], PIXELS[:, 21]), CLASSES.astype(float)),
        F.mse_loss,
    ),
    Network("bag of words", partial(models.BagOfWords, 17, 6, 10), (PIXELS, CLASSES)),
    Network("text cnn", partial(models.TextCNN, 17, 6, 4, 10, 0.0), (PIXELS, CLASSES)),
    Network("lstm", partial(models.Recurrent, nn.LSTM, 17, 6, 5, 10, 0.0), (PIXELS[:, :12], CLASSES)),
    Network("gru", partial(models.Recurrent, nn.GRU, 17, 6, 5, 10, 0.0), (PIXELS[:, :12], CLASSES)),
    Network(
        "both ways",
        partial(models.BothWays, 17, 17, 6, 5, 10, 0.0, 0.0),
        ((PIXELS[:, 20:28], PIXELS[:, 21:29]), CLASSES),
    ),
    Network(
        "forecaster",
        partial(models.Forecaster, 2, 8, 5, 3.0, 2.0),
        (np.stack([PIXELS[:, :8], PIXELS[:, 8:16]], axis=-1) / 16, PIXELS[:, 16:24] / 16),
        F.mse_loss,
    ),
    Network("transformer", partial(models.CharacterTransformer, 17, 63, 8, 2, 2), NEXT, texts.next_character),
    Network(
        "tied lstm",
        partial(models.CharacterLSTM, 17, 6),
        (PIXELS[:, :12], np.where(PIXELS[:, 1:13] > 0, PIXELS[:, 1:13], -100)),
        texts.next_character,
    ),
)


@pytest.mark.parametrize("network", NETWORKS, ids=attrgetter("name"))
def test_a_network_moves_in_a_fleet_as_it_does_alone(network):
    task = Task(model=network.model, data=network.data, loss=network.loss, batch_size=8)
    lanes = (Lane(1e-3, seed=0), Lane(3e-3, seed=0), Lane(3e-3, seed=1))
    assert_moves_as_alone(task, replace(shard("adam", steps=6, batch_size=8, dtype="float64"), lanes=lanes), steps=6)


@pytest.mark.parametrize("name", ["quadratic", "rosenbrock", "deep-linear"])
def test_an_analytic_task_moves_in_a_fleet_as_it_does_alone(name):
    task = task_table.entry(name).build()
    lanes = (Lane(1e-2, seed=0), Lane(3e-3, seed=1))
    assert_moves_as_alone(
        task, replace(shard("adam", batch_size=task.batch_size, dtype="float64"), lanes=lanes), steps=100
    )


def without_dropout(task: Task) -> Task:
    """Each replica of a fleet draws its own masks, so that only what is left can be compared."""

    def model() -> nn.Module:
        built = task.model()
        for module in built.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return built

    return Task(model, task.loss, train=task.train, valid=task.valid, test=task.test, data=task.data, split=task.split)


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        entry.name
        for entry in task_table.CATALOGUE
        if entry.data not in ("", "digits") and not entry.name.endswith("-sparse")  # no fleet has sparse gradients
    ],
)
def test_a_task_on_fetched_data_moves_in_a_fleet_as_it_does_alone(name):
    built = task_table.entry(name).build()
    assert not unsupported_reason(built)
    lanes = (Lane(1e-3, seed=0), Lane(3e-4, seed=1))
    plan = replace(shard("adam", batch_size=built.batch_size, dtype="float64"), lanes=lanes)
    assert_moves_as_alone(without_dropout(built), plan, steps=10)


# ---- what they are ---------------------------------------------------------------------------------------------------


def test_a_transformer_does_not_look_ahead():
    model = models.CharacterTransformer(17, 63, 8, 2, 2)
    x = torch.tensor(PIXELS[:4, :-1])
    changed = x.clone()
    changed[:, 40:] = 16 - changed[:, 40:]
    with torch.no_grad():
        a, b = model(x), model(changed)
    assert torch.equal(a[..., :40], b[..., :40])
    assert not torch.equal(a[..., 40:], b[..., 40:])


def test_padding_changes_nothing_in_an_opinion():
    words = torch.tensor(PIXELS[:8, 10:20]).clamp(min=1)
    padded = F.pad(words, (0, 6))
    for model in (
        models.BagOfWords(17, 6, 2),
        models.Recurrent(nn.GRU, 17, 6, 5, 2, 0.0),
        models.Recurrent(nn.LSTM, 17, 6, 5, 2, 0.0),
    ):
        with torch.no_grad():
            torch.testing.assert_close(model(padded), model(words))


def test_an_untrained_forecast_is_near_that_of_a_week_ago():
    model = models.Forecaster(3, tabular.DAY, 32, tabular.LEVEL, tabular.SWING)
    y = 30 + 6 * np.sin(np.arange(3 * tabular.WEEK) * 2 * np.pi / tabular.DAY)
    x, ahead = tabular.windows(y, np.arange(tabular.WEEK + tabular.DAY, 2 * tabular.WEEK))
    with torch.no_grad():
        outputs = model(torch.tensor(x, dtype=torch.float32)).numpy()
    assert np.abs(x[..., -1] * 6 + 30 - ahead).max() < 1e-9  # every day is alike here
    assert np.abs(outputs - ahead).mean() < 2


def test_factors_start_at_the_mean_rating():
    model = models.Factors(9, 9, 4)
    with torch.no_grad():
        assert model(torch.arange(9), torch.arange(9)).numpy() == pytest.approx(3.5, abs=0.2)


# ---- what the data become --------------------------------------------------------------------------------------------


def test_a_vocabulary_has_the_most_frequent_words_first_and_counts_texts():
    sentences = [["b", "a", "a"], ["a", "c"], ["b"], ["d", "d", "d"]]
    numbers = texts.vocabulary(sentences)
    assert numbers == {"a": 2, "b": 3, "c": 4, "d": 5}
    assert texts.vocabulary(sentences, at_least=2) == {"a": 2, "b": 3}
    assert texts.vocabulary(sentences, at_most=1) == {"a": 2}
    table = texts.numbered(sentences, {"a": 2, "b": 3}, length=2)
    assert table.tolist() == [[3, 2], [2, texts.UNKNOWN], [3, texts.PADDING], [texts.UNKNOWN, texts.UNKNOWN]]


def test_a_text_is_cut_into_pieces_that_know_what_follows():
    numbers = {c: i for i, c in enumerate("abc")}
    pieces = texts.consecutive("abc" * 50, numbers)
    assert pieces.shape == (2, 65)
    assert pieces[0, -1] == pieces[1, 0]


def test_windows_of_demand_know_the_past_and_nothing_else():
    y = np.arange(3.0 * tabular.WEEK)
    begin = tabular.WEEK + tabular.DAY
    x, ahead = tabular.windows(y, np.array([begin]))
    seen = x[0] * tabular.SWING + tabular.LEVEL
    assert seen[:, 0].tolist() == y[begin - tabular.DAY : begin].tolist()
    assert seen[:, 1].tolist() == y[begin - tabular.DAY - tabular.WEEK : begin - tabular.WEEK].tolist()
    assert seen[:, 2].tolist() == y[begin - tabular.WEEK : begin - tabular.WEEK + tabular.DAY].tolist()
    assert ahead[0].tolist() == y[begin : begin + tabular.DAY].tolist()
    assert tabular.seasonal_naive(y, np.array([begin]), tabular.DAY) == tabular.DAY


# ---- the data themselves ---------------------------------------------------------------------------------------------


@pytest.mark.data
def test_official_test_parts_stay_and_repeated_examples_go():
    mnist, fashion = (task_table.entry(name).build() for name in ("mnist-mlp", "fashion-cnn"))
    assert (mnist.sizes, fashion.sizes["test"]) == ({"train": 50000, "valid": 10000, "test": 10000}, 10000)
    adult = task_table.entry("adult").build()
    assert sum(adult.sizes.values()) == 48842 - 52
    (who, what), _ = task_table.entry("movielens").build().data
    assert len(np.unique(np.stack([who, what]), axis=1).T) == 100_000


@pytest.mark.data
@pytest.mark.parametrize("name", ["news-bow", "movie-textcnn"])
def test_no_text_is_in_two_parts(name):
    task = task_table.entry(name).build()
    splits = task.splits(0)
    train = {row.tobytes() for row in splits.inputs[0][splits.train].numpy()}
    test = [row.tobytes() for row in splits.inputs[0][splits.test].numpy()]
    repeated = sum(row in train for row in test)
    assert repeated <= 0.002 * len(test)  # texts that differ only in rare words, or beyond what is looked at


@pytest.mark.data
def test_the_level_of_the_forecast_is_that_of_the_week_before():
    y = sources.load("load")["y"] / 1000
    begins = np.arange(10 * tabular.WEEK, 12 * tabular.WEEK - tabular.DAY + 1)
    assert tabular.seasonal_naive(y, begins, tabular.WEEK) == pytest.approx(task_table.entry("load").target, abs=5e-4)
    assert tabular.seasonal_naive(y, begins, tabular.DAY) == pytest.approx(1.80, abs=5e-3)


def test_a_model_with_sparse_gradients_trains_alone_as_its_dense_twin_does_and_says_why():
    draw = np.random.default_rng(0)
    words, topics = draw.integers(0, 50, (120, 8)), draw.integers(0, 3, 120)
    paths = []
    for sparse in (False, True):
        task = Task(
            model=lambda sparse=sparse: models.BagOfWords(50, 6, 3, sparse=sparse),
            data=(words, topics),
            loss=F.cross_entropy,
            batch_size=16,
        )
        reason = str(unsupported_reason(task))
        assert ("sparse" in reason) == sparse
        lane = Lane(1e-2, seed=0)
        shard = Shard("x", TaskRef("x", "memory", "x"), Contender("adam", "adam", 1e-2), (lane,), 16, 20, (20,))
        trial = Trial(task, shard, lane)
        paths.append([trial.step(t) for t in range(1, 21)])
    assert paths[0] == pytest.approx(paths[1], rel=1e-5)
    assert paths[0][-1] < paths[0][0]
