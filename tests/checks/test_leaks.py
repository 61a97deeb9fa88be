"""Planted leaks of twelve kinds in six real tables are found, and none is reported in the tables as they are."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets

from steepest.checks.leaks import Column, leaks, rank_correlation
from steepest.checks.series import id_columns, lag_columns, time_columns

RNG = np.random.default_rng(7)


def table(name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    if name == "linnerud":
        x, y = datasets.load_linnerud(return_X_y=True)
        return np.asarray(x), np.asarray(y)[:, 0], False
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x, y, name != "diabetes"


CLASSES = ("iris", "wine", "breast_cancer", "digits")
NUMBERS = ("diabetes", "linnerud")
TABLES = {name: table(name) for name in (*CLASSES, *NUMBERS)}


def columns_of(x: np.ndarray) -> list[Column]:
    return [Column(f"c{j}", x[:, j].astype(float)) for j in range(x.shape[1])]


def ids_within(y: np.ndarray, size: int) -> np.ndarray:
    """Ids of up to `size` rows, each with one target."""
    order = np.lexsort((RNG.random(len(y)), y))
    found = np.empty(len(y), dtype=np.int64)
    found[order] = np.unique(y, return_inverse=True)[1][order] * len(y) + np.arange(len(y)) // size
    return RNG.permutation(len(y) * (len(np.unique(y)) + 1))[found].astype(float)


def flipped(y: np.ndarray) -> np.ndarray:
    """Class numbers of which two of a thousand are wrong."""
    wrong = RNG.choice(len(y), len(y) // 500, replace=False)
    found = y.astype(float)
    found[wrong] = (found[wrong] + 1) % (y.max() + 1)
    return found


Plant = Callable[[np.ndarray], np.ndarray]
OF_CLASSES: dict[str, Plant] = {
    "copy": lambda y: y.astype(float),
    "other unit": lambda y: 1.8 * y + 32,
    "reversed": lambda y: -y.astype(float),
    "other codes": lambda y: np.array([3.0, 17.0, 5.0, 11.0, 2.0, 7.0, 29.0, 1.0, 13.0, 23.0])[y],
    "finer codes": lambda y: y * 2.0 + RNG.integers(0, 2, len(y)),
    "a flag of one class": lambda y: (y == 0).astype(float),
    "missing in one class": lambda y: np.where(y == 0, np.nan, RNG.normal(size=len(y))),
    "copy with little noise": lambda y: y + 0.01 * RNG.normal(size=len(y)),
    "future value": lambda y: np.exp(y + RNG.random(len(y)) / 3),
    "id of five rows": lambda y: ids_within(y, 5),
    "id of ten rows": lambda y: ids_within(y, 10),
    "copy with errors": flipped,
}
OF_NUMBERS: dict[str, Plant] = {
    "copy": lambda y: y.copy(),
    "other unit": lambda y: 1.8 * y + 32,
    "reversed": lambda y: 400 - y,
    "logarithm": lambda y: np.log(y),
    "cube": lambda y: y**3,
    "rank": lambda y: np.argsort(np.argsort(y)).astype(float),
    "little noise": lambda y: y + 0.003 * y.std() * RNG.normal(size=len(y)),
    "rounded": lambda y: np.round(y * 2.20462 + 0.01),
    "inverse": lambda y: 1 / y,
    "share of the largest": lambda y: y / y.max(),
    "above the median": lambda y: (y > np.median(y)).astype(float),
    "partly missing": lambda y: np.where(np.arange(len(y)) % 50 == 1, np.nan, y) if len(y) > 50 else y.copy(),
}
PLANTS = [(name, kind) for name in CLASSES for kind in OF_CLASSES] + [
    (name, kind) for name in NUMBERS for kind in OF_NUMBERS
]


@pytest.mark.parametrize(("name", "kind"), PLANTS, ids=lambda value: str(value).replace(" ", "-"))
def test_a_planted_leak_is_found_and_nothing_else(name, kind):
    x, y, is_class = TABLES[name]
    planted = Column("planted", (OF_CLASSES if is_class else OF_NUMBERS)[kind](y))
    found = leaks([*columns_of(x), planted], y, is_class)
    assert found
    assert {leak.column.name.removesuffix(" (missing)") for leak in found} == {"planted"}


@pytest.mark.parametrize("name", TABLES)
def test_no_leak_is_reported_in_a_clean_table(name):
    x, y, is_class = TABLES[name]
    columns = columns_of(x)
    assert leaks(columns, y, is_class) == []
    assert time_columns(columns, y, is_class) == []
    assert lag_columns(columns, y.astype(float)) == []


@pytest.mark.parametrize("name", CLASSES)
def test_no_leak_is_reported_for_labels_that_say_nothing(name):
    """With labels drawn anew, and with a few ids, categories and holes that have nothing to do with them."""
    x, y, _ = TABLES[name]
    draw = np.random.default_rng(3)
    for _ in range(10):
        n = len(y)
        others = [
            Column("id", draw.integers(0, n // 3, n).astype(float)),
            Column("colour", draw.integers(0, 4, n), is_category=True),
            Column("holes", np.where(draw.random(n) < 0.2, np.nan, draw.normal(size=n))),
            Column("number", np.arange(n, dtype=float)),
        ]
        assert leaks([*columns_of(x), *others], draw.permutation(y), is_class=True) == []
        assert leaks([*columns_of(x), *others], draw.normal(size=n), is_class=False) == []


def test_a_rare_class_is_not_settled_by_a_column_that_is_almost_constant():
    fraud = (np.arange(20_000) % 1000 == 0).astype(np.int64)
    columns = [Column("flag", np.zeros(20_000)), Column("shop", np.arange(20_000) % 40, is_category=True)]
    columns[0].values[::77] = 1
    assert leaks(columns, fraud, is_class=True) == []


def test_a_column_whose_two_values_share_a_target_is_no_leak_however_the_rows_are_sorted():
    """Rain by day: none in the dry season, none or some in the wet one, which a column of 0 and 1 marks."""
    draw = np.random.default_rng(0)
    wet = np.arange(500) >= 120
    rain = np.maximum(draw.normal(size=500), 0) * wet
    columns = [Column("wet", wet.astype(float)), Column("wind", draw.normal(size=500))]
    assert leaks(columns, rain, is_class=False) == []
    assert [leak.kind for leak in leaks(columns, rain + wet, is_class=False)] == ["indicates"]


def test_the_only_column_may_settle_the_target():
    x = np.linspace(0, 1, 200)
    assert leaks([Column("x", x)], 2 * x + 1, is_class=False) == []
    assert leaks([Column("x", x)], (x > 0.5).astype(np.int64), is_class=True) == []


@pytest.mark.parametrize("function", [np.sin, np.square, np.sign, np.round], ids=["sine", "square", "sign", "round"])
def test_a_smooth_column_is_no_id(function):
    x = np.round(np.random.default_rng(0).uniform(-3, 3, 2000), 1)
    other = Column("other", np.random.default_rng(1).normal(size=2000))
    found = leaks([Column("x", x), other], function(x), is_class=False)
    assert not [leak for leak in found if leak.kind == "identifies"]


# ---- groups and series -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.repeat(np.arange(40), 20), "identifies"),
        (np.tile(np.arange(40), 20), "identifies"),
        (np.repeat(np.arange(400), 2), "identifies"),
        (np.repeat(np.arange(40), 20) % 4, ""),
        (np.arange(800), ""),
    ],
    ids=["visits in a row", "rounds of visits", "pairs", "few wards", "number"],
)
@pytest.mark.parametrize("is_category", [True, False])
def test_an_id_that_repeats_settles_what_belongs_to_it(values, kind, is_category):
    draw = np.random.default_rng(11)
    owners = np.tile(np.arange(40), 20) if values[1] == 1 and values[40 % 800] == 0 else np.repeat(np.arange(400), 2)
    owners = values if kind else owners
    sick = draw.permutation(np.arange(owners.max() + 1) % 2)[owners]
    height = draw.normal(size=owners.max() + 1)[owners]
    columns = [Column("who", values if is_category else values.astype(float), is_category)]
    for target, is_class in ((sick, True), (height, False)):
        assert [leak.kind for leak in leaks(columns, target, is_class)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("name", "is_id"),
    [
        *(
            ("patient_id", True),
            ("userId", True),
            ("Customer", True),
            ("store", True),
            ("device.id", True),
            ("ID", True),
        ),
        *(("width", False), ("humidity", False), ("paid", False), ("valid", False), ("restored", False)),
    ],
)
def test_ids_are_known_by_their_names(name, is_id):
    assert bool(id_columns([Column(name, np.arange(60.0) // 3)])) == is_id
    assert not id_columns([Column(name, np.arange(60.0))])


def walk(seed: int, n: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n).cumsum()


SERIES = {
    "random walk": walk(1),
    "seasons": np.sin(np.arange(400) / 20) + 0.3 * np.random.default_rng(0).normal(size=400),
    "trend": np.arange(400) / 50 + np.random.default_rng(0).normal(size=400),
    "levels": np.repeat(np.random.default_rng(0).normal(size=20), 20),
    "slow": np.convolve(np.random.default_rng(0).normal(size=420), np.ones(21), "valid"),
    "volatile": np.exp(walk(3) / 5),
}


@pytest.mark.parametrize("target", SERIES.values(), ids=SERIES)
def test_rows_in_the_order_of_a_column_are_a_series(target):
    columns = [Column("volume", np.random.default_rng(1).normal(size=400)), Column("day", np.arange(400.0))]
    assert [each.name for each in time_columns(columns, target, False)] == ["day"]
    assert [each.name for each in time_columns([Column("day", -3.0 * np.arange(400))], target, False)] == ["day"]
    mixed = np.random.default_rng(2).permutation(400)
    assert time_columns([Column(each.name, each.values[mixed]) for each in columns], target[mixed], False) == []
    up = (target > np.median(target)).astype(np.int64)
    assert time_columns(columns, up, True)


def test_rows_sorted_by_target_or_without_memory_are_not_a_series():
    day = [Column("day", np.arange(400.0))]
    assert time_columns(day, np.sort(walk(1)), False) == []
    assert time_columns(day, np.random.default_rng(0).normal(size=400), False) == []
    assert time_columns(day, np.repeat([0, 1, 2, 3], 100), True) == []


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 12, 24])
def test_a_lag_of_the_target_shows_a_series_and_is_no_leak(lag):
    y = walk(5, 5000)
    columns = [
        Column("before", np.concatenate([np.full(lag, np.nan), y[:-lag]])),
        Column("noise", np.random.default_rng(1).normal(size=5000)),
    ]
    assert [each.name for each in lag_columns(columns, y)] == ["before"]
    assert leaks(columns, y, is_class=False) == []


def test_ranks_of_equal_values_are_their_mean():
    assert rank_correlation(np.array([1, 1, 2, 3]), np.array([1, 1, 5, 9])) == pytest.approx(1)
    assert rank_correlation(np.array([1, 1, 1]), np.array([1, 2, 3])) == 0
