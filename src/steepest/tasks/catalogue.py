"""One table of built-in tasks: it feeds the command line, the tests and the documentation."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from steepest.errors import UnknownName
from steepest.tasks import analytic, drift, images, tables, texts
from steepest.tasks.depth import EarlyExits, adaptive_depth, mean_depth
from steepest.tasks.entry import Entry
from steepest.tasks.models import (
    BagOfWords,
    CharacterLSTM,
    CharacterTransformer,
    Factors,
    Forecaster,
    MixedTable,
    Recurrent,
    TextCNN,
    cnn,
    linear,
    mlp,
)

CATALOGUE = (
    Entry(
        name="digits",
        title="Digits, small network",
        kind="images",
        summary="Handwritten digits of 8 × 8 pixels, an MLP 64-64-10, cross-entropy.",
        data="digits",
        network=partial(mlp, (64, 64, 10)),
        make=images.digits,
        batch_size=32,
        epochs=15,
        target=0.97,
        known_good=("adam", 0.0056),
    ),
    Entry(
        name="digits-linear",
        title="Digits, softmax regression",
        kind="images",
        summary="The same digits and one dense layer 64-10: a convex problem, with one minimum to find.",
        data="digits",
        network=partial(linear, 64, 10),
        make=images.digits,
        batch_size=32,
        epochs=15,
        target=0.95,
        known_good=("adam", 0.0178),
    ),
    Entry(
        name="drift-digits",
        title="Digits that change as they are learned",
        kind="images",
        summary="The digits and their MLP; three times in a trial the pixels change places and the labels shift.",
        data="digits",
        network=partial(mlp, (64, 64, 10)),
        make=drift.drifting_digits,
        batch_size=32,
        epochs=40.7,
        target=0.94,
        known_good=("adam", 0.0056),
    ),
    Entry(
        name="mnist-mlp",
        title="MNIST, network of three layers",
        kind="images",
        summary="All of MNIST, 28 × 28 pixels, an MLP 784-256-128-10, cross-entropy.",
        data="mnist",
        network=partial(mlp, (784, 256, 128, 10)),
        make=images.mnist,
        batch_size=128,
        epochs=6,
        target=0.975,
    ),
    Entry(
        name="fashion-cnn",
        title="Clothes, small convolutional network",
        kind="images",
        summary="12000 pictures of Fashion-MNIST, two convolutions of 16 and 32 maps and two dense layers.",
        data="fashion",
        network=cnn,
        make=images.fashion,
        batch_size=64,
        epochs=8,
        target=0.87,
    ),
    Entry(
        name="fashion-cnn-bn",
        title="Clothes, small convolutional network with batch norm",
        kind="images",
        summary="The same pictures and the same network, with a batch norm after each convolution.",
        data="fashion",
        network=partial(cnn, normalized=True),
        make=images.fashion,
        batch_size=64,
        epochs=8,
        target=0.87,
    ),
    Entry(
        name="adaptive-depth",
        title="Clothes, a network that chooses its depth",
        kind="images",
        summary="The same pictures, four residual layers of 96, an exit after each, and a chance to stop there.",
        data="fashion",
        network=partial(EarlyExits, 784, 96, 4, 10),
        make=adaptive_depth,
        batch_size=64,
        epochs=8,
        target=0.84,
        also=("mean depth", mean_depth),
    ),
    Entry(
        name="housing",
        title="California house prices",
        kind="tables",
        summary="Median house values of 1990 from 8 features, an MLP 8-32-32-1, squared error on standardized values.",
        data="housing",
        network=partial(mlp, (8, 32, 32, 1)),
        make=tables.housing,
        batch_size=128,
        epochs=20,
        target=0.78,
        known_good=("adam", 0.01),
    ),
    Entry(
        name="adult",
        title="Income above 50,000 dollars",
        kind="tables",
        summary="People of the 1994 census: 6 numbers, 8 categories with vectors of their own, an MLP of 64 and 32.",
        data="adult",
        network=partial(MixedTable, 6, 8, sum(tables.SIZES), 8, (64, 32), 2),
        make=tables.adult,
        batch_size=128,
        epochs=8,
        target=0.85,
        known_good=("adam", 0.003),
    ),
    Entry(
        name="movielens",
        title="Ratings of films, matrix factorization",
        kind="tables",
        summary="100,000 ratings, one vector of 16 numbers and a bias for each person and each film, squared error.",
        data="movielens",
        network=partial(Factors, 943, 1682, 16),
        make=tables.movielens,
        batch_size=256,
        epochs=12,
        target=0.95,
    ),
    Entry(
        name="load",
        title="Electricity demand of the day that follows",
        kind="series",
        summary="A day of half-hours to the next one: a GRU of 32 corrects the forecast that all is as a week ago.",
        data="load",
        network=partial(Forecaster, 3, tables.DAY, 32, tables.LEVEL, tables.SWING),
        make=tables.load,
        batch_size=64,
        epochs=20,
        target=0.49,
        known_good=("adam", 0.003),
    ),
    Entry(
        name="news-bow",
        title="Topics of posts, bag of words",
        kind="texts",
        summary="20 Newsgroups split by date, the mean of 20,000 words' vectors of 64 numbers, and a linear layer.",
        data="newsgroups",
        network=partial(BagOfWords, texts.NEWS_WORDS, 64, 20),
        make=texts.newsgroups,
        batch_size=64,
        epochs=10,
        target=0.75,
        known_good=("adam", 0.01),
    ),
    Entry(
        name="movie-textcnn",
        title="Opinions on films, convolutions over words",
        kind="texts",
        summary="Sentences of English reviews, good or bad: convolutions over 3, 4 and 5 words, dropout of one half.",
        data="snippets",
        network=partial(TextCNN, texts.SNIPPET_WORDS, 64, 32, 2, 0.5),
        make=texts.snippets,
        batch_size=64,
        epochs=6,
        target=0.72,
        known_good=("adam", 0.003),
    ),
    Entry(
        name="movie-rnn",
        title="Opinions on films, recurrent network",
        kind="texts",
        summary="The same sentences, an LSTM of 64, and the mean of its states.",
        data="snippets",
        network=partial(Recurrent, nn.LSTM, texts.SNIPPET_WORDS, 64, 64, 2, 0.0),
        make=texts.snippets,
        batch_size=64,
        epochs=5,
        target=0.70,
    ),
    Entry(
        name="shakespeare",
        title="Shakespeare, the next character",
        kind="texts",
        summary="A million characters of plays, a transformer of 2 layers of 64 with 4 heads that looks back 64.",
        data="shakespeare",
        network=partial(CharacterTransformer, texts.PLAY_CHARACTERS, texts.PLAY_CONTEXT, 64, 4, 2),
        make=texts.shakespeare,
        batch_size=32,
        epochs=1,
        target=2.3,
        known_good=("adam", 0.003),
    ),
    Entry(
        name="shakespeare-long",
        title="Shakespeare, the next character, long horizon",
        kind="texts",
        summary="The same transformer on the same million characters, three times as long.",
        data="shakespeare",
        network=partial(CharacterTransformer, texts.PLAY_CHARACTERS, texts.PLAY_CONTEXT, 64, 4, 2),
        make=texts.shakespeare,
        batch_size=32,
        epochs=3,
        target=2.0,
        known_good=("adam", 0.003),
    ),
    Entry(
        name="songci",
        title="Song lyrics, the next character",
        kind="texts",
        summary="Chinese lyrics of the 10th to 13th century, 3000 characters, an LSTM of 128 with tied weights.",
        data="songci",
        network=partial(CharacterLSTM, texts.CI_CHARACTERS, 128),
        make=texts.songci,
        batch_size=32,
        epochs=0.5,
        target=5.6,
        known_good=("adam", 0.01),
    ),
    Entry(
        name="line",
        title="The line y = 3x + 2 (synthetic: a tutorial's own example)",
        kind="analytic",
        summary="100 noisy points on a line, one dense unit, squared error, 100 epochs of Keras' usual batches.",
        data="",
        made_of="synthetic: y = 3x + 2 + noise, drawn from a fixed generator",
        network=partial(linear, 1, 1),
        make=analytic.line,
        batch_size=32,
        epochs=100,
        target=0.011,
        known_good=("adam", 0.0562),
    ),
    Entry(
        name="quadratic",
        title="A noisy quadratic (synthetic)",
        kind="analytic",
        summary="½ Σ h (w − c)² in 20 dimensions, curvatures from 1 to 0.001, each example with a centre c of its own.",
        data="",
        made_of="synthetic: centres drawn from a fixed generator; the least loss is 0",
        network=analytic.Quadratic,
        make=analytic.quadratic,
        batch_size=10,
        epochs=20,
        target=0.01,
        known_good=("adam", 0.01),
    ),
    Entry(
        name="rosenbrock",
        title="Rosenbrock's valley (synthetic)",
        kind="analytic",
        summary="(1 − a)² + 100 (b − a²)² from near (−1.2, 1): two parameters, no noise, 2000 steps.",
        data="",
        made_of="synthetic: a function; the least loss is 0",
        network=analytic.Rosenbrock,
        make=analytic.rosenbrock,
        batch_size=1,
        epochs=2000,
        target=0.001,
        known_good=("adam", 0.03),
    ),
    Entry(
        name="deep-linear",
        title="A deep linear network (synthetic)",
        kind="analytic",
        summary="Five linear layers 16-16-16-16-16-4 with nothing between them learn one matrix from noisy examples.",
        data="",
        made_of="synthetic: examples drawn from a fixed generator; the least MSE is 0.01",
        network=analytic.deep_linear_network,
        make=analytic.deep_linear,
        batch_size=32,
        epochs=20,
        target=0.0105,
        known_good=("sgd", 0.05),
    ),
)


SUITES = {
    "smoke": ("digits", "digits-linear", "line", "quadratic", "rosenbrock", "deep-linear"),
    "core": (
        "digits",
        "mnist-mlp",
        "fashion-cnn",
        "housing",
        "adult",
        "news-bow",
        "movie-textcnn",
        "movielens",
        "load",
    ),
    "sparse": ("news-bow", "movielens", "adult", "movie-textcnn"),
    "text": ("news-bow", "movie-textcnn", "movie-rnn", "shakespeare", "songci"),
    "article": ("digits", "fashion-cnn", "housing", "news-bow", "movie-textcnn", "movie-rnn", "line"),
}
"""Sets of tasks with a name; "smoke" needs no download."""


def suite(name: str) -> tuple[str, ...]:
    """The tasks of a suite; raises UnknownName with the nearest names."""
    if name not in SUITES:
        raise UnknownName.among("suite", name, SUITES)
    return SUITES[name]


def names() -> tuple[str, ...]:
    return tuple(entry.name for entry in CATALOGUE)


def entry(name: str) -> Entry:
    """The entry of this name; raises UnknownName with the nearest names."""
    for item in CATALOGUE:
        if item.name == name:
            return item
    hint = "`steepest tasks` lists all; a task of your own is a .py file that defines `task`."
    raise UnknownName.among("task", name, names(), hint)


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as plain values, for pages and JSON. Builds and fetches nothing."""
    return {
        "name": entry.name,
        "title": entry.title,
        "kind": entry.kind,
        "summary": entry.summary,
        "data": entry.data,
        "source": entry.source,
        "batch_size": entry.batch_size,
        "epochs": entry.epochs,
        "horizon": entry.horizon,
        "target": entry.target,
        "suites": [name for name, tasks in SUITES.items() if entry.name in tasks],
    }
