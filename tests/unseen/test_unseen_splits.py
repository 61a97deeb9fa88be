"""Groups and times are recognized in tables of other trades, and splits keep them apart."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from unseen.looking import draw
from unseen.tabled import made, rows_of, write

from steepest import Task


def noise(rows: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(size=rows).round(3).tolist()


def bearings(folder, numbers: bool = False):
    """30 bearings × 16 recordings; whether it fails belongs to the bearing, measurements are noise."""
    rng = np.random.default_rng(1)
    fails = rng.permutation(["yes", "no"] * 15)
    which = np.repeat(np.arange(30), 16)
    rng.shuffle(which)
    names = [int(4100 + 17 * b) if numbers else f"SN-{b * 37 % 1000:04d}" for b in which]
    columns = {"serial": names, "rms": noise(480, 2), "kurtosis": noise(480, 3), "fails": [fails[b] for b in which]}
    return write(folder, columns), which


@pytest.mark.parametrize("numbers", [False, True], ids=["names", "whole numbers"])
def test_recordings_of_one_bearing_stay_together_or_the_question_is_asked(tmp_path, numbers):
    """Machines: the serial number repeats and settles the target, written as text or as a whole number."""
    path, _ = bearings(tmp_path, numbers)
    made(path, "fails").alarms("serial", "--group serial")


def test_a_group_is_in_one_part_only(tmp_path):
    """The same bearings with the split named: no bearing is in two parts, for any seed, and parts differ by seed."""
    path, which = bearings(tmp_path)
    table = made(path, "fails", group="serial")
    assert table.task is not None, table.refused
    assert not table.severe
    seen = []
    for seed in range(3):
        parts = {name: set(which[rows].tolist()) for name, rows in rows_of(table.task, seed).items()}
        assert not parts["train"] & parts["test"]
        assert not parts["train"] & parts["valid"]
        assert not parts["valid"] & parts["test"]
        assert len(set.union(*parts.values())) == 30
        seen.append(frozenset(parts["test"]))
    assert len(set(seen)) > 1


def test_an_effect_of_the_field_is_a_group(tmp_path):
    """Agriculture: 40 fields over 10 years; the yield is the field's own plus noise, a regression."""
    rng = np.random.default_rng(4)
    own = rng.normal(5, 2, 40)
    which = np.repeat(np.arange(40), 10)
    rng.shuffle(which)
    columns = {
        "parcel": [f"plot {f}" for f in which],
        "rain": noise(400, 5),
        "nitrogen": noise(400, 6),
        "yield_t": (own[which] + rng.normal(0, 0.3, 400)).round(3).tolist(),
    }
    made(write(tmp_path, columns), "yield_t").alarms("parcel", "--group parcel")


def walk(rows: int, seed: int = 7) -> list[float]:
    return (100 + np.random.default_rng(seed).normal(size=rows).cumsum()).round(2).tolist()


def days(rows: int, step: int = 1) -> list[date]:
    return [date(2015, 3, 2) + timedelta(days=step * i) for i in range(rows)]


TIMES = {
    "weeks": [f"{d.isocalendar().year}-W{d.isocalendar().week:02d}" for d in days(400, 7)],
    "months": [f"{1985 + i // 12}-{i % 12 + 1:02d}" for i in range(400)],
    "day first": [d.strftime("%d.%m.%Y") for d in days(400)],
    "newest first": [str(d) for d in days(400)[::-1]],
    "unix seconds": [1_500_000_000 + 600 * i for i in range(400)],
    "with a time zone": [f"{datetime(2023, 1, 1) + timedelta(hours=i):%Y-%m-%dT%H:%M:%S}+02:00" for i in range(400)],
}


@pytest.mark.parametrize("written", TIMES)
def test_rows_in_order_of_time(tmp_path, written):
    """Tides, sales by week, unemployment by month, a share by day, a log by second: the target drifts with time."""
    columns = {"when": TIMES[written], "other": noise(400, 8), "level": walk(400)}
    made(write(tmp_path, columns), "level").alarms("when", "--time when")


@pytest.mark.parametrize("written", TIMES)
def test_the_last_rows_judge(tmp_path, written):
    """The same with the split named: training rows come first, then validation rows, then test rows."""
    order = list(range(400))
    np.random.default_rng(9).shuffle(order)  # the file is in no order
    latest = np.arange(400)[::-1] if written == "newest first" else np.arange(400)
    columns = {
        "when": [TIMES[written][i] for i in order],
        "other": noise(400, 8),
        "level": [walk(400)[i] for i in order],
    }
    table = made(write(tmp_path, columns), "level", time="when")
    assert table.task is not None, table.refused
    assert not table.severe
    at = latest[order]
    seen = []
    for seed in range(3):
        parts = rows_of(table.task, seed)
        assert at[parts["train"]].max() < at[parts["valid"]].min()
        assert at[parts["valid"]].max() < at[parts["test"]].min()
        seen.append(tuple(len(rows) for rows in parts.values()))
        seen.append((at[parts["train"]].min(), at[parts["valid"]].min()))
    assert len(set(seen)) > 2, "replicates must vary: the cut or the window moves"


def test_birthdays_are_no_order_of_time(tmp_path):
    """Personnel: dates of birth in no order, which have nothing to do with the target."""
    rng = np.random.default_rng(10)
    born = [str(date(1960, 1, 1) + timedelta(days=int(d))) for d in rng.integers(0, 14000, 400)]
    x = noise(400, 11)
    columns = {
        "born": born,
        "score": x,
        "hired": ["yes" if v + w > 0 else "no" for v, w in zip(x, noise(400, 12), strict=True)],
    }
    table = made(write(tmp_path, columns), "hired")
    assert not table.refused
    assert not table.severe


def test_a_few_towns_are_a_category(tmp_path):
    """Rents: five towns with 80 flats each; rows of one town are not one thing."""
    rng = np.random.default_rng(13)
    town = rng.choice(["Lyon", "Lille", "Nice", "Brest", "Metz"], 400)
    size = rng.uniform(20, 120, 400).round(1)
    rent = (9 * size + 100 * (town == "Nice") + rng.normal(0, 80, 400)).round()
    table = made(write(tmp_path, {"town": town, "size": size, "rent": rent}), "rent")
    assert not table.refused
    assert not table.severe


def test_a_rare_class_is_in_every_part():
    """Bank failures: 9 of 450; every part of every seed has some."""
    x = torch.randn(450, 4, generator=draw(14))
    y = (torch.arange(450) % 50 == 7).long()
    task = Task(model=lambda: nn.Linear(4, 2), data=(x, y), loss=cross_entropy, metric="accuracy", batch_size=32)
    for seed in range(5):
        for rows in rows_of(task, seed).values():
            assert y[torch.as_tensor(rows)].sum() >= 1


def test_folds_from_a_column(tmp_path):
    """A competition: the organizers' column `fold` says which rows belong together."""
    fold = np.random.default_rng(15).integers(1, 6, 400)
    x = noise(400, 16)
    y = ["a" if v + w > 0 else "b" for v, w in zip(x, noise(400, 17), strict=True)]
    table = made(write(tmp_path, {"x": x, "z": noise(400, 18), "fold": fold, "y": y}), "y", folds="fold")
    assert table.task is not None, table.refused
    tests = []
    for seed in range(5):
        parts = {name: set(fold[rows].tolist()) for name, rows in rows_of(table.task, seed).items()}
        assert not parts["train"] & parts["test"]
        assert not parts["train"] & parts["valid"]
        assert len(parts["test"]) == 1
        tests.append(frozenset(parts["test"]))
    assert len(set(tests)) > 1


def test_a_column_named_wrongly_is_named_back(tmp_path):
    """A slip in the name of the column of groups: the sentence has the name and the columns there are."""
    path, _ = bearings(tmp_path)
    table = made(path, "fails", group="serail")
    assert "serail" in table.refused
    assert "serial" in table.refused


@pytest.mark.parametrize("option", ["group", "time", "folds"])
def test_one_value_cannot_be_split(tmp_path, option):
    """All recordings are of one bearing, of one day, or in one fold: three parts cannot be made of that."""
    columns = {"serial": ["17"] * 100, "rms": noise(100, 2), "fails": ["yes", "no"] * 50}
    table = made(write(tmp_path, columns), "fails", **{option: "serial"})
    assert f"--{option} serial: the column has only one value" in table.refused
