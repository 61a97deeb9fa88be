"""Studies that grow have, byte for byte, the results of those that were run at once, and train only what is new."""

from dataclasses import replace

import pytest
from study import toy

from steepest.errors import BadSetting, Interrupted, StudyFolderError
from steepest.records.job_records import TrainJob
from steepest.records.study_record import StudyDesign
from steepest.study.growth import whole
from steepest.study.run import extend, resume, run
from steepest.study.store import read, read_spec
from steepest.verdict.decide import decide


def asked(*rules, seeds, **changes):
    return toy.spec(*rules, protocol=StudyDesign(seeds=seeds), **changes)


def grown(folder, spec, done=None, execute=None):
    return extend(folder, whole(read_spec(folder), spec, "steepest extend"), execute or toy.executor(folder, done))


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "curves").iterdir()}


def trained(done):
    return sum(len(job.shard.lanes) for job in done if isinstance(job, TrainJob))


def trials(record):
    return {(row.task, row.contender, row.rate, row.seed) for row in record.results}


def same(one, other, tmp_path):
    """Rows, curve files and digests, and the verdict as far as it does not depend on earlier ones."""
    a, b = read(one), read(other)
    assert a.results == b.results
    assert a.digests == b.digests
    assert files(one) == files(other)
    assert a.finished and a.trials_planned == b.trials_planned
    told = [decide(replace(each, protocol=b.protocol, times=b.times)).to_json() for each in (a, b)]
    assert told[0]["tasks"] == told[1]["tasks"]
    return True


GROWTHS = [
    (("inside", "edge"), 5, ("inside", "edge"), 10, {}),
    (("inside", "edge", "low"), 5, ("inside", "edge", "low", "wild", "inside2"), 5, {}),
    (("inside", "edge"), 3, ("inside", "edge", "low"), 7, {}),
    (("inside",), 2, ("inside",), 5, {"race": True}),
    (("inside", "edge"), 2, ("inside", "edge"), 3, {"tasks": ("toy", "other")}),
]


def spec_of(rules, seeds, **changes):
    named = tuple(toy.contender(rule.rstrip("2"), name=rule) for rule in rules)
    return asked(seeds=seeds, contenders=named, reference=named[0].name, **changes)


@pytest.mark.parametrize(("rules", "seeds", "more_rules", "more_seeds", "changes"), GROWTHS)
def test_it_is_the_study_that_was_run_at_once_and_trains_only_what_is_new(
    tmp_path, rules, seeds, more_rules, more_seeds, changes
):
    first, at_once, new = tmp_path / "grown", tmp_path / "once", []
    before = run(spec_of(rules, seeds, **changes | {"tasks": ("toy",)}), first, toy.executor(first))
    grown(first, spec_of(more_rules, more_seeds, **changes), new)
    after = run(spec_of(more_rules, more_seeds, **changes), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)
    added = len(trials(after) - trials(before))
    if "race" in changes:  # a seed that gets another rate races again
        assert added <= trained(new) < len(trials(after))
    else:
        assert trained(new) == added


def test_own_rates_grow_too(tmp_path):
    def with_rates(*rates):
        named = tuple(toy.contender(rule, rates=rates, centre=1e-2) for rule in ("inside", "edge"))
        return asked(seeds=5, contenders=named)

    first, at_once, new = tmp_path / "grown", tmp_path / "once", []
    run(with_rates(1e-3, 1e-1), first, toy.executor(first))
    grown(first, with_rates(1e-3, 1e-2, 1e-1), new)
    run(with_rates(1e-3, 1e-2, 1e-1), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)
    assert trained(new) == 2 * 5


def test_it_may_grow_again_and_again(tmp_path):
    first, at_once = tmp_path / "grown", tmp_path / "once"
    run(asked(seeds=2), first, toy.executor(first))
    for seeds in (4, 5):
        grown(first, asked(seeds=seeds))
    run(asked(seeds=5), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)
    spec = read_spec(first)
    assert [each.seeds for each in spec.history] == [2, 4]
    assert read(first).protocol.grown == (2, 4)
    assert spec.command == "steepest run toy && steepest extend && steepest extend"


@pytest.mark.parametrize("after", [0, 1, 3])
def test_killed_on_the_way_it_goes_on(tmp_path, after):
    first, at_once, new = tmp_path / "grown", tmp_path / "once", []
    before = run(asked(seeds=2), first, toy.executor(first))
    executor = toy.executor(first, new)
    count = 0

    def listen(progress):
        nonlocal count
        count += progress.phase == "training"
        if count > after:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        extend(first, whole(read_spec(first), asked(seeds=4), "steepest extend"), executor, listen)
    resume(first, toy.executor(first, new))
    after_all = run(asked(seeds=4), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)
    assert trained(new) == len(trials(after_all) - trials(before))


def test_damaged_curves_are_trained_again(tmp_path):
    first, at_once = tmp_path / "grown", tmp_path / "once"
    run(asked(seeds=2), first, toy.executor(first))
    next((first / "curves").iterdir()).write_bytes(b"spoilt")
    grown(first, asked(seeds=3))
    run(asked(seeds=3), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)


def test_several_verdicts_are_paid_for_and_said(tmp_path):
    folder = tmp_path / "grown"
    run(asked(seeds=5), folder, toy.executor(folder))
    grown(folder, asked(seeds=10))
    record = read(folder)
    once = replace(record, protocol=replace(record.protocol, grown=()))
    wide, narrow = (decide(each).tasks[0].standings[1].behind_best for each in (record, once))
    assert wide is not None and narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low
    (claim,) = [each for each in decide(record).claims if "extended" in each.sentence]
    assert "It already had a verdict after 5 seeds." in claim.sentence


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seeds": 3}, "more than the 3 asked for"),
        ({"seeds": 5}, "nothing to add"),
        ({"protocol": StudyDesign(seeds=20, until_sure=True)}, "nothing to add"),
    ],
)
def test_what_cannot_grow_is_refused_and_stays_as_it_is(tmp_path, change, says):
    folder = tmp_path / "study"
    run(asked(seeds=5), folder, toy.executor(folder))
    before = files(folder), (folder / "study.json").read_bytes()
    new = asked(seeds=5) if "protocol" in change else asked(**change)
    with pytest.raises(BadSetting, match=says):
        grown(folder, new)
    assert (files(folder), (folder / "study.json").read_bytes()) == before


def test_an_unfinished_study_is_finished_first(tmp_path):
    folder = tmp_path / "study"

    def stop(progress):
        if progress.phase == "training":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(asked(seeds=2), folder, toy.executor(folder), stop)
    with pytest.raises(StudyFolderError, match="steepest resume"):
        grown(folder, asked(seeds=4))


def test_a_run_into_the_folder_of_a_smaller_study_offers_to_extend_it(tmp_path):
    folder = tmp_path / "study"
    run(asked(seeds=2), folder, toy.executor(folder))
    with pytest.raises(StudyFolderError, match=r"Add to it with: steepest extend \S+ --seeds 4 --optimizers \+low"):
        run(asked("inside", "edge", "low", seeds=4), folder, toy.executor(folder))
    with pytest.raises(StudyFolderError) as other:
        run(asked(seeds=4, tasks=("other",)), folder, toy.executor(folder))
    assert "extend" not in str(other.value)
