"""What is added to a study enters as if it had been there from the start: real studies, small ones."""

import pytest
import torch

import steepest
from steepest.errors import BadSetting, BadTask
from steepest.records.study_record import StudyDesign
from steepest.study.store import read

draws = torch.Generator().manual_seed(0)
X = torch.randn(90, 3, generator=draws)
Y = (X @ torch.tensor([1.0, -1.0, 0.5]) > 0).long()


def tiny(name="tiny"):
    return steepest.Task(
        name=name,
        model=lambda: torch.nn.Linear(3, 2),
        data=(X, Y),
        loss=torch.nn.functional.cross_entropy,
        metric="accuracy",
        batch_size=16,
        epochs=1,
    )


def go(folder, optimizers, rates, seeds, **options):
    return steepest.compare(
        tiny(), optimizers, rates=rates, seeds=seeds, out=folder, workers=1, engine="fleet", quiet=True, **options
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "study"
    go(folder, "sgd,adam", [0.01, 0.1], 2, baseline="adam:lr=0.03", axes={"dropout": [0.0]})
    return folder


def test_seeds_optimizers_and_rates_at_once_give_the_curves_of_a_study_run_at_once(small, tmp_path):
    study = steepest.extend(small, seeds=3, optimizers="+momentum", rates=[0.05], tasks=[tiny()], workers=1, quiet=True)
    once = go(tmp_path, "sgd,adam,momentum", [0.01, 0.05, 0.1], 3, baseline="adam:lr=0.03", axes={"dropout": [0.0]})
    values = [
        {(row.contender, row.rate, row.seed): (row.valid_loss, row.test_metric) for row in each.record.results}
        for each in (study, once)
    ]
    assert values[0] == values[1]
    assert len(values[0]) == 3 * (4 * 3 + 1)
    assert study.record.protocol.grown == (2,)
    assert study.record.baseline == "adam:lr=0.03"
    names = [{path.name for path in (folder / "curves").iterdir()} for folder in (small, tmp_path)]
    assert len(names[0] & names[1]) == len(names[0])


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"seeds": 4}, BadTask, "Go on in Python"),
        ({"tasks": [tiny()]}, BadSetting, "nothing to add"),
        ({"tasks": [tiny()], "optimizers": "+sgd"}, BadSetting, "nothing to add"),
        ({"tasks": [tiny()], "seeds": 1}, BadSetting, "more than the 1 asked for"),
    ],
)
def test_what_cannot_be_added_is_refused_in_a_sentence(small, more, error, says):
    before = read(small)
    with pytest.raises(error, match=says):
        steepest.extend(small, quiet=True, workers=1, **more)
    assert read(small).results == before.results


def test_rates_belong_to_studies_with_rates(tmp_path):
    go(tmp_path, "sgd", None, 1, grid=3)
    with pytest.raises(BadSetting, match="places its learning rates by itself"):
        steepest.extend(tmp_path, rates=[0.1], tasks=[tiny()], workers=1, quiet=True)
    assert read(tmp_path).protocol == StudyDesign(seeds=1, rates=3)
