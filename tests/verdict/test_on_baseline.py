"""What the owner of a baseline is told: keep it, change the rate, or change to another optimizer."""

from dataclasses import replace

import numpy as np
from verdict.factory import Shape, study_of, synthetic_study

from steepest.messages import speaking
from steepest.records.outcomes import Outcome
from steepest.verdict.decide import decide

RATES = {"mine": [1e-3], "tuned": [1e-3, 3e-3], "other": [1e-2, 3e-2]}


def study(peak, at=1e-3, others=(), **changes):
    """A study with the baseline "mine" at the rate `at`, the same optimizer tuned ("tuned"), and others."""
    shapes = [Shape("tuned", peak, 1e-3, speed=12), Shape("mine", peak, 1e-3, speed=12), *others]
    found, _ = synthetic_study(shapes, seeds=10, reference="mine", evaluations=2)
    nearest = min((row.rate for row in found.results if row.contender == "mine"), key=lambda rate: abs(rate - at))
    rows = [row for row in found.results if row.contender != "mine" or row.rate == nearest]
    return replace(found, results=tuple(rows), baseline="mine", baseline_tuned="tuned", **changes)


def told(record, **options):
    (verdict,) = decide(record, **options).tasks
    assert verdict.baseline is not None
    return verdict, verdict.baseline


def test_what_is_as_good_as_the_best_is_kept():
    values = [0.96, 0.965, 0.97, 0.962, 0.968, 0.966]
    table = {
        "mine": {1e-3: values},
        "tuned": {1e-3: values, 3e-3: [x - 0.01 for x in values]},
        "worse": {1e-2: [x - 0.1 for x in values]},
    }
    verdict, own = told(study_of(table, reference="mine", baseline="mine", baseline_tuned="tuned"))
    assert (own.decision, verdict.advised) == ("keep", "mine")
    assert verdict.headline.startswith("Handwritten digits, MLP (synthetic): keep what you have: mine. It reaches")
    assert "Tuning only your learning rate (tuned) is not shown to change anything" in verdict.headline


def test_a_better_optimizer_is_named_with_what_it_gains():
    verdict, own = told(study(0.9, others=[Shape("better", 0.97, 1e-2)]))
    assert (own.decision, own.to, verdict.advised) == ("change", "better", "better")
    assert own.gain is not None and 0.05 < own.gain.low < own.gain.value < own.gain.high
    assert "change to better with learning rate" in verdict.headline
    assert "over what you have, mine." in verdict.headline


def test_where_tuning_the_rate_is_enough_nothing_else_changes():
    verdict, own = told(study(0.97, at=1e-5, others=[Shape("worse", 0.9, 1e-2)]))
    assert (own.decision, own.to, verdict.advised) == ("change", "tuned", "tuned")
    assert "change the learning rate: tuned with learning rate" in verdict.headline
    assert "Tuning only" not in verdict.headline
    assert own.tuning == own.gain


def test_tuning_is_reported_beside_a_change_to_another_optimizer():
    verdict, own = told(study(0.93, at=1e-4, others=[Shape("better", 0.97, 1e-2)]))
    assert own.to == "better"
    assert own.tuning is not None and own.p_tuning is not None and own.p_tuning < 0.05
    assert "Tuning only your learning rate (tuned) gains" in verdict.headline


def test_a_baseline_that_fails_is_left_for_one_that_does_not():
    record = study(0.97, others=[Shape("other", 0.97, 1e-2)])
    rows = [
        replace(row, outcome=Outcome.DIVERGED, valid_metric=None, test_metric=None)
        if row.contender == "mine" and row.seed < 5
        else row
        for row in record.results
    ]
    verdict, own = told(replace(record, results=tuple(rows)))
    assert own.decision == "change"
    assert "mine, failed on 5 of 10 seeds" in verdict.headline


def test_too_few_seeds_decide_nothing():
    record = study(0.9, others=[Shape("better", 0.97, 1e-2)])
    rows = tuple(row for row in record.results if row.seed < 4)
    verdict, own = told(replace(record, results=rows))
    assert (own.decision, own.to) == ("open", "")
    assert "Keep the optimizer that you use" in verdict.headline


def test_it_is_said_in_both_languages_and_in_the_json():
    record = study(0.9, others=[Shape("better", 0.97, 1e-2)])
    with speaking("zh"):
        assert "改用 better" in decide(record).to_json()["headline"]
    found = decide(record).to_json()["tasks"][0]["baseline"]
    assert (found["decision"], found["to"]) == ("change", "better")
    assert found["gain"]["low"] < found["gain"]["value"]
    assert any("mine was trained as it is, once per seed" in claim.sentence for claim in decide(record).claims)


def test_a_study_without_one_is_as_before():
    record = replace(study(0.9), baseline="", baseline_tuned="")
    (verdict,) = decide(record).tasks
    assert verdict.baseline is None


def test_over_several_tasks_it_is_counted_where_to_keep_it():
    record = study(0.9, others=[Shape("better", 0.97, 1e-2)])
    again = replace(record.tasks[0], name="again")
    rows = tuple(replace(row, task="again") for row in record.results)
    found = decide(replace(record, tasks=(*record.tasks, again), results=(*record.results, *rows)))
    assert found.headline.startswith("Keep what you have, mine, on 0 of 2 tasks. Change on digits and again.")


def test_equal_optimizers_lead_to_a_change_at_most_as_often_as_stated():
    """A/A with a baseline: of 100 studies of equal optimizers at most 5 % advise a change (binomial: 10 of 100). The
    tuned one picks the better of two rates on validation, which is independent of test here."""
    draws = np.random.default_rng(0)
    changes = 0
    for _ in range(100):
        valid = {name: {rate: draws.normal(0.9, 0.01, 6).tolist() for rate in rates} for name, rates in RATES.items()}
        test = {name: {rate: draws.normal(0.9, 0.01, 6).tolist() for rate in rates} for name, rates in RATES.items()}
        record = study_of(valid, test=test, reference="mine", baseline="mine", baseline_tuned="tuned")
        changes += told(record, margin=0.0)[1].decision == "change"
    assert changes <= 10
