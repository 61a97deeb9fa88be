"""What a verdict says of the axes of a study."""

import re
from dataclasses import replace

from verdict.factory import study_of

from steepest.records.contender import Contender
from steepest.verdict.decide import decide

LOW = [0.90, 0.91, 0.89, 0.905, 0.895, 0.90]
HIGH = [value + 0.05 for value in LOW]


def study(values, axes):
    """Contender → its test values by seed, and what differs in it."""
    study = study_of({name: {0.01: each} for name, each in values.items()})
    contenders = tuple(
        replace(item, axes=axes[item.name], optimizer=item.name.split(" ")[0]) for item in study.contenders
    )
    assert all(isinstance(item, Contender) for item in contenders)
    return replace(study, contenders=contenders)


def said(study, word):
    claims = [claim for claim in decide(study).tasks[0].claims if word in claim.sentence]
    return [claim.sentence for claim in claims], [claim.says.render("zh") for claim in claims]


def test_each_value_is_held_against_the_first_with_each_optimizer():
    values = {"adam dropout=0": LOW, "adam dropout=0.5": HIGH, "sgd dropout=0": HIGH, "sgd dropout=0.5": LOW}
    rates = {name: {"dropout": float(name.partition("=")[2])} for name in values}
    english, chinese = said(study(values, rates), "Dropout with")
    assert english[0].startswith("Dropout with adam: 0.5 is better than 0 by 5.0 points (95 % interval ")
    assert english[1].startswith("Dropout with sgd: 0.5 is worse than 0 by 5.0 points (95 % interval ")
    assert "随机失活：0.5 比 0 好 5.0 个百分点" in chinese[0]


def test_a_difference_within_the_variation_of_seeds_is_not_significant():
    values = {"adam": LOW, "adam augment=flip": LOW[::-1]}
    english, _ = said(study(values, {"adam": {"augment": "none"}, "adam augment=flip": {"augment": "flip"}}), "Augment")
    (sentence,) = english
    assert "no significant difference between flip and none (95 % interval: " in sentence


def test_two_axes_are_reported_separately():
    axes = {
        "a": {"dropout": 0.0, "l2": 0.0},
        "a l2=0.1": {"dropout": 0.0, "l2": 0.1},
        "a dropout=0.5": {"dropout": 0.5, "l2": 0.0},
        "a dropout=0.5 l2=0.1": {"dropout": 0.5, "l2": 0.1},
    }
    values = dict(zip(axes, (LOW, HIGH, LOW, LOW), strict=True))
    english, _ = said(study(values, axes), "L2 with a")
    assert [sentence.split(":")[0] for sentence in english] == ["L2 with a, dropout 0", "L2 with a, dropout 0.5"]
    assert "better than 0 by 5.0 points" in english[0] and "no significant difference" in english[1]


def test_early_stopping_says_which_weights_are_kept():
    axes = {"adam": {"early-stopping": 0.0}, "adam early-stopping=3": {"early-stopping": 3.0}}
    before = study({"adam": LOW, "adam early-stopping=3": LOW}, axes)
    results = tuple(
        replace(row, outcome_step=100 + 10 * row.seed) if "stopping" in row.contender else row for row in before.results
    )
    english, _ = said(replace(before, results=results), "Early stopping with")
    (sentence,) = english
    assert "after 3 epochs without improvement" in sentence
    assert "of step 125 (from 100 to 150) of 480" in sentence


def test_too_few_seeds_are_reported():
    axes = {"adam": {"l1": 0.0}, "adam l1=1": {"l1": 1.0}}
    english, _ = said(study({"adam": LOW[:3], "adam l1=1": HIGH[:3]}, axes), "L1 with")
    assert english == ["L1 with adam: too few seeds to judge 1."]


def test_a_study_without_axes_says_nothing_of_them():
    plain = study_of({"adam": {0.01: LOW}, "sgd": {0.01: HIGH}})
    assert not re.search(r"(better|worse) than|significant difference between 0", str(decide(plain)))
