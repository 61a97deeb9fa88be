"""Twelve models of other people's kinds: each is checked, gets the engine that it should, or the reason is said, and
goes through a small study."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import steepest
from steepest import api, pages
from steepest.study.spec import read_spec
from steepest.tasks.load import load_file

MODELS = Path(__file__).parents[2] / "examples" / "models"
ALONE = {"gru_packed": "it packs its sequences by their lengths"}
"""Those that train one at a time, and what is said of it."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_there_are_twelve():
    assert len(list(MODELS.glob("*.py"))) == 12


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.py")), ids=lambda path: path.stem)
def test_a_model_of_any_kind_is_checked_and_studied(path, tmp_path):
    if path.stem.startswith("keras"):
        pytest.importorskip("keras")
    page = api.check(path)
    reason = ALONE.get(path.stem, "")
    assert page["engine"] == ("solo" if reason else "fleet")
    assert reason in page["obstacle"]
    assert page["valid_loss_after"] < page["valid_loss_before"]
    assert ("One trial at a time" if reason else "Many trials at once") in pages.check(page)

    task = replace(load_file(path), epochs=1)
    how = {"seeds": 2, "rates": [1e-3], "engine": page["engine"], "workers": 1}
    study = steepest.compare(task, ["sgd", "adam"], out=tmp_path / "study", quiet=True, **how)
    (standings,) = [verdict.standings for verdict in study.verdict.tasks]
    assert {standing.contender for standing in standings} == {"sgd", "adam"}
    assert {run.engine for run in read_spec(study.folder).plan.runs} == {page["engine"]}
