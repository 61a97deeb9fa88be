"""Axes as people write them, and as they come out: contenders, a study, a verdict, advice."""

from dataclasses import dataclass, replace

import pytest
import torch
from engine.small import digits, shard

import steepest
from steepest.design.contenders import enter
from steepest.design.factors import AXES, expand, parse
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.solo import Trial
from steepest.errors import BadInput, BadTask
from steepest.optim.descent import SGD
from steepest.optim.rule import number
from steepest.tasks.with_factors import TASK_AXES


class Mine(SGD):
    """A rule of the caller's own."""


@dataclass(frozen=True)
class Shrinking(SGD):
    """Its decay is decoupled, which its words do not say."""

    weight_decay: float = number(0.0, "λ", "shrinkage", low=0, decouples=True)


def entered(optimizers, axes):
    contenders, memory = enter(optimizers)
    return expand(contenders, axes, memory), memory


def test_every_optimizer_comes_with_every_combination_of_values():
    found, _ = entered("sgd,adam", ["dropout=0,0.5", "label_smoothing=0,0.1"])
    assert [item.name for item in found] == [
        f"{name} {rest}"
        for name in ("sgd", "adam")
        for rest in (
            "dropout=0", "dropout=0 label-smoothing=0.1", "dropout=0.5", "dropout=0.5 label-smoothing=0.1",
        )
    ]  # fmt: skip
    assert found[1].axes == {"dropout": 0.0, "label-smoothing": 0.1}
    assert {item.optimizer for item in found} == {"sgd", "adam"}


def test_words_and_values_say_the_same():
    assert parse("dropout=0,0.5") == parse({"dropout": [0, 0.5]}) == {"dropout": (0.0, 0.5)}
    assert parse(["early-stopping=off,3", "augment=none,shift+flip"]) == {
        "early-stopping": (0.0, 3.0),
        "augment": ("none", "shift+flip"),
    }
    assert parse({"weight_decay": 0.1}) == {"decay": (0.1,)}


def test_penalties_and_decay_are_put_around_the_rule():
    (plain, penalised), _ = entered("sgd", "l2=0,0.5")
    assert (plain.rule, penalised.rule, dict(penalised.settings)) == ("sgd", "sgd+l2", {"l2": 0.5})
    (adamw,), _ = entered("adamw", "decay=0.3")
    assert (adamw.rule, dict(adamw.settings)) == ("adamw", {"weight_decay": 0.3})
    (adam,), _ = entered("adam", "decay=0.3")
    assert adam.rule == "adam+decay"
    (marked,), _ = entered([Shrinking], "decay=0.3")
    assert (marked.rule, dict(marked.settings)) == ("rule:Shrinking", {"weight_decay": 0.3})
    (own,), memory = entered([Mine], "l1=0.1")
    assert own.rule == "rule:Mine+l1" and "Mine+l1" in memory


@pytest.mark.parametrize(("axis", "optimizer"), [("l1", "sgd"), ("l2", Mine), ("decay", "sgd")])
def test_penalties_and_decay_pull_weights_towards_zero(axis, optimizer):
    def norm(value):
        (contender,), memory = entered([optimizer], {axis: value})
        plan = replace(shard(rates=(0.1,), seeds=(0,), steps=10), contender=contender)
        trial = Trial(digits(), plan, plan.lanes[0], ObjectRegistry(optimizers=memory))
        for t in range(1, 11):
            trial.step(t)
        return sum(float(w.detach().abs().sum()) for w in trial.model.parameters())

    assert norm(0.1) < 0.98 * norm(0)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("dropuot=1", "Unknown axis 'dropuot'. Did you mean dropout"),
        ("dropout=1", "The axis dropout has the value '1'"),
        ("dropout=", "has no values"),
        ("dropout", "has no values: write name=value"),
        ("l2=-1", "The axis l2 has the value '-1'"),
        ("augment=rotate", "none, shift, crop, flip, noise or mixup"),
        ("augment=flip+flip", "has the value 'flip\\+flip'"),
        ("early-stopping=soon", "off or a number of epochs"),
        (["dropout=0", "dropout=1"], "is given twice"),
    ],
)
def test_wrong_names_and_values_get_one_sentence(axes, said):
    with pytest.raises(BadInput, match=said) as caught:
        parse(axes)
    assert "\n" not in str(caught.value)


def test_a_foreign_optimizer_has_no_rule_to_put_a_penalty_around():
    with pytest.raises(BadInput, match="works only with optimizers of `steepest optimizers`"):
        entered([torch.optim.Rprop], "l2=0.1")


def test_every_axis_of_a_task_is_an_axis():
    assert set(AXES) >= TASK_AXES


def test_a_study_of_an_axis_ends_with_its_effect_and_with_advice_that_names_it(tmp_path):
    study = steepest.compare(
        replace(digits(examples=200), name="few digits", epochs=3.0, batch_size=32),
        ["sgd", "adam"],
        axes={"dropout": [0, 0.5], "early-stopping": ["off", 2]},
        reference="sgd",
        rates=[0.01, 0.1],
        seeds=5,
        workers=1,
        engine="fleet",
        out=tmp_path / "study",
        quiet=True,
    )
    assert study.record.reference == "sgd dropout=0"
    sentences = [claim.sentence for claim in study.verdict.tasks[0].claims]
    (effect,) = (each for each in sentences if each.startswith("Dropout with adam, early-stopping off: "))
    assert any(words in effect for words in ("0.5 is better than 0 by", "0.5 is worse than 0 by", "between 0.5 and 0 "))
    assert any("and keeps its best weights. The chosen runs keep those of step" in sentence for sentence in sentences)
    advice = study.advice(optimizer="adam dropout=0.5 early-stopping=2")
    assert advice.code.startswith("# Measured with dropout=0.5, early-stopping=2.\n")
    stopped = [row for row in study.record.results if "stopping=2" in row.contender]
    assert any(row.outcome_step < row.steps for row in stopped)


def test_an_axis_that_a_task_cannot_have_ends_the_study_before_it_begins(tmp_path):
    with pytest.raises(BadTask, match="word-dropout needs texts"):
        steepest.compare(digits(), "sgd", axes="word-dropout=0,0.1", workers=1, out=tmp_path / "study", quiet=True)
    assert not (tmp_path / "study").exists()
