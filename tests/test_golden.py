"""Studies made before, which must open, say, resume and train as they did: see golden/README.md.

Where a text is meant to change, `python tests/golden/make.py` writes it anew, and the diff is what is reviewed.
"""

import difflib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden import questions, recipes

import steepest
from steepest.records.example_outcomes import NAMES
from steepest.study.spec import read_spec

pytestmark = pytest.mark.slow

SHOWN = 60
"""Lines of a difference that are shown."""
CLOSE = {"rtol": 2e-3, "atol": 1e-5}
"""How near losses are on processors that round differently, in the first quarter of a curve. Later, rounding grows at
rates that are too large; with vector instructions switched off, 98 % of the trials here are as near as that."""
MOST = 0.9
"""The share of trials that must be as near, and of shards that must be there."""


@pytest.fixture(autouse=True)
def steady_clocks():
    with questions.steady_clocks():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy in which nothing is trained."""
    return questions.place(tmp_path_factory.mktemp("golden") / "there")


@pytest.fixture(scope="module")
def studies(place):
    return questions.opened(place)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A copy to train in, with compiled rules, as a user has them."""
    monkeypatch.delenv("STEEPEST_COMPILE", raising=False)
    folder = questions.place(tmp_path / "there")
    monkeypatch.chdir(folder)
    return folder / "studies"


def asker(typed) -> questions.Ask:
    return lambda words, folder: typed(*words, cwd=folder).out


def assert_same(found: dict[str, str], expected: Path) -> None:
    """Fails with the differing lines of every file that differs."""
    said = []
    for name, text in found.items():
        before = (expected / name).read_bytes().decode()
        if text != before:
            lines = difflib.unified_diff(before.splitlines(), text.splitlines(), f"{name} before", f"{name} now", n=1)
            said += [*lines][:SHOWN]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("language", questions.LANGUAGES)
def test_what_people_read_is_what_it_was(typed, place, studies, language):
    found = dict(questions.texts(asker(typed), place, studies, language))
    assert_same(found, questions.EXPECTED / language)
    kept = {path.name for path in (questions.EXPECTED / language).iterdir()}
    assert kept == {*found}


def test_what_programs_read_is_what_it_was(place, studies):
    found = dict(questions.data(place, studies))
    assert_same(found, questions.EXPECTED / "data")
    kept = {path.name for path in (questions.EXPECTED / "data").iterdir()}
    assert kept == {*found}


@pytest.mark.parametrize("study", questions.STUDIES)
def test_the_report_can_still_be_written(place, studies, study):
    page = studies[study].write_report(place / f"{study}.html")
    assert page.stat().st_size > 100_000


# ---- the same bits ---------------------------------------------------------------------------------------------------


def assert_same_curves(study: Path, before: Path) -> None:
    """Bit for bit on the machine on which they were made; to rounding, trial by trial, on others."""
    found, expected = questions.curves(study), questions.curves(before)
    if on_the_same_machine():
        assert found.keys() == expected.keys()
        assert [name for name in expected if not same_bits(found[name], expected[name])] == []
        return
    both = found.keys() & expected.keys()  # rates around the best are others where another one came out best
    assert {name for name in found.keys() ^ expected.keys() if ".grid-" in name} == set()
    assert len(both) >= MOST * len(expected)
    near = np.concatenate([alike(*map(questions.arrays, (found[name], expected[name]))) for name in both])
    assert near.mean() >= MOST, f"{(~near).sum()} of {near.size} trials are not what they were"


def same_bits(now: bytes, before: bytes) -> bool:
    """Whether a file holds what it held before, and besides at most what came of each test example, which older
    versions did not keep."""
    found, expected = questions.arrays(now), questions.arrays(before)
    new = found.keys() - expected.keys()
    return new <= {*NAMES} and all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def alike(now: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> np.ndarray:
    """[trials]: whether each ended in the same way, and began with the same losses."""
    same = now["outcome"] == before["outcome"]
    first = len(before["evaluate_at"]) // 4
    for name in ("train_loss", "valid_loss"):
        same &= np.isclose(now[name][:, :first], before[name][:, :first], equal_nan=True, **CLOSE).all(1)
    return same


def on_the_same_machine() -> bool:
    return questions.machine() == (questions.EXPECTED / "machine.txt").read_text(encoding="utf-8").strip()


def forget_training(study: Path) -> None:
    """Leave of a study what was asked, what was measured and, where that is all a planner needs, not even the plan."""
    shutil.rmtree(study / "curves")
    (study / "study.db").unlink()
    if questions.may_plan(study.name):
        spec = json.loads((study / "study.json").read_text(encoding="utf-8"))
        (study / "study.json").write_text(json.dumps(spec | {"plan": None}), encoding="utf-8")


@pytest.mark.parametrize("name", ["two-tasks", "axes", pytest.param("compiled", marks=pytest.mark.compile)])
def test_a_study_trained_again_has_the_same_plan_and_the_same_curves(workplace, name):
    before = questions.HERE / "studies" / name
    forget_training(workplace / name)
    steepest.resume(workplace / name, workers=1, quiet=True, trust=True)
    assert read_spec(workplace / name) == read_spec(before)
    assert_same_curves(workplace / name, before)


def test_single_trainings_and_a_foreign_optimizer_have_the_same_curves(workplace):
    recipes.own_table(workplace / "again", seeds=2)  # a seed is a shard of its own, whatever other seeds there are
    before = workplace / "own-table"
    again = questions.curves(workplace / "again")
    for name in questions.curves(before).keys() - again.keys():
        (before / "curves" / f"{name}.npz").unlink()
    assert len(again) == 2 * 3
    assert_same_curves(workplace / "again", before)


def test_a_study_interrupted_then_is_finished_now(typed, workplace):
    steepest.resume("studies/interrupted", workers=1, quiet=True, trust=True)
    assert_same_curves(workplace / "interrupted", questions.RESUMED)
    if on_the_same_machine():
        assert_same(dict(questions.of_resumed(asker(typed), workplace.parent)), questions.RESUMED)
    assert steepest.open_study("studies/interrupted").record.finished


@pytest.mark.parametrize("name", ["two-tasks", "axes", "own-table", "compiled"])
def test_a_finished_study_is_resumed_without_training(workplace, name):
    study = workplace / name
    before = questions.curves(study)
    steepest.resume(study, workers=1, quiet=True, trust=True)
    assert questions.curves(study) == before
    assert [*(study / "curves").glob("*.damaged")] == []
