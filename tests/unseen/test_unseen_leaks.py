"""Columns of tables that give the target away, and strong columns that do not."""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from unseen.tabled import made, write

ROWS = 400
rng = np.random.default_rng(0)
A, B, C = rng.normal(size=(3, ROWS)).round(3)
LEFT = A + rng.normal(size=ROWS) > 0.4
WORD = np.where(LEFT, "left", "stayed")


def test_a_date_that_only_some_have(tmp_path):
    """Churn: `closed_on` is filled in for those who left, and empty for the others."""
    closed = [f"2023-{1 + k % 12:02d}-{1 + k % 28:02d}" if gone else "" for k, gone in enumerate(LEFT)]
    made(write(tmp_path, {"calls": A, "months": B, "closed_on": closed, "state": WORD}), "state").alarms("closed_on")


def test_an_amount_that_is_zero_for_one_class(tmp_path):
    """Returns of a shop: `refund` is above 0 exactly for returned parcels."""
    refund = np.where(LEFT, rng.uniform(5, 90, ROWS).round(2), 0)
    made(write(tmp_path, {"price": A, "weight": B, "refund": refund, "state": WORD}), "state").alarms("refund")


def test_codes_that_say_more_finely_what_is_asked(tmp_path):
    """Medicine: six codes of billing, each of which belongs to one of the two diagnoses."""
    code = np.where(LEFT, rng.choice(["I20", "I21", "I25"], ROWS), rng.choice(["J44", "J45", "J18"], ROWS))
    made(write(tmp_path, {"age": A, "pressure": B, "billing": code, "state": WORD}), "state").alarms("billing")


def test_the_target_in_another_unit(tmp_path):
    """Shipping: the weight in pounds beside the weight in kilograms, rounded differently."""
    kilograms = (20 + 5 * A + 3 * rng.normal(size=ROWS)).round(1)
    columns = {"height": A, "width": B, "pounds": (kilograms * 2.2046).round(0), "kilograms": kilograms}
    made(write(tmp_path, columns), "kilograms").alarms("pounds")


def test_the_target_falls_as_the_column_rises(tmp_path):
    """Races: the rank at the finish beside the speed that is to be predicted."""
    speed = (12 + A + rng.normal(size=ROWS)).round(3)
    columns = {"age": A, "training": B, "rank": ROWS - speed.argsort().argsort(), "speed": speed}
    made(write(tmp_path, columns), "speed").alarms("rank")


def test_a_threshold_of_the_target(tmp_path):
    """Grades: `passed` was made from the points, and the class to predict from them as well."""
    points = (50 + 15 * A + 10 * rng.normal(size=ROWS)).round(1)
    columns = {"hours": A, "absences": B, "points": points, "passed": np.where(points >= 50, "yes", "no")}
    made(write(tmp_path, columns), "passed").alarms("points")


def clean(table) -> None:
    assert not table.refused
    assert not table.severe
    assert not [one for one in table.warnings if "leak" in one.id and one.severity != "note"]


def test_a_strong_honest_column_is_no_leak(tmp_path):
    """Medicine: a marker that is right in 19 of 20 cases."""
    marker = (2.2 * LEFT + rng.normal(size=ROWS) * 0.7).round(2)
    clean(made(write(tmp_path, {"marker": marker, "age": B, "state": WORD}), "state"))


def test_a_size_that_rises_with_the_price_is_no_leak(tmp_path):
    """Diamonds: price and carat go together closely, with a tenth of noise."""
    carat = rng.lognormal(-0.3, 0.5, ROWS).round(2)
    price = (4000 * carat**1.6 * rng.lognormal(0, 0.12, ROWS)).round()
    clean(made(write(tmp_path, {"carat": carat, "depth": B, "price": price}), "price"))


def test_tables_of_every_course_are_clean(tmp_path):
    """Irises, diabetes and breast cancer as scikit-learn ships them."""
    for name, load, target in (
        ("i", load_iris, "target"),
        ("d", load_diabetes, "target"),
        ("b", load_breast_cancer, "target"),
    ):
        frame = load(as_frame=True).frame
        path = tmp_path / f"{name}.csv"
        frame.to_csv(path, index=False)
        clean(made(path, target))


def test_many_columns_of_noise_hold_no_leak(tmp_path):
    """Spectra: 300 columns and 60 rows; by chance some order the target well."""
    columns = {f"nm{k}": rng.normal(size=60).round(4) for k in range(300)}
    clean(made(write(tmp_path, {**columns, "protein": rng.normal(size=60).round(3)}), "protein"))
    clean(made(write(tmp_path, {**columns, "kind": np.where(rng.random(60) < 0.3, "a", "b")}), "kind"))


def test_categories_as_many_as_half_the_rows_hold_no_leak(tmp_path):
    """Wines: 200 names of estates for 400 bottles; most names settle the class by being rare."""
    estate = [f"estate {k}" for k in rng.integers(0, 200, ROWS)]
    table = made(write(tmp_path, {"estate": estate, "sugar": A, "state": WORD}), "state")
    assert not table.refused
    assert not table.severe
