"""Studies that are merged have, byte for byte, the results of one run at once; what is not comparable is refused."""

import shutil
from dataclasses import replace

import pytest
from study import toy
from study.test_growth import asked, files, spec_of, trained

from steepest.errors import BadSetting, StudyFolderError
from steepest.records.files import read_trace, write_trace
from steepest.records.study_record import StudyDesign
from steepest.study.merging import merged, parts_of
from steepest.study.run import merge, resume, run
from steepest.study.store import read, read_spec
from steepest.verdict.decide import decide


def study(folder, spec):
    run(spec, folder, toy.executor(folder))
    return folder


def joined(folder, *parts, done=None, train=True):
    found = parts_of(parts)
    executor = toy.executor(folder, done) if train else None
    return merge(found, merged(found, "steepest merge"), folder, executor)


def seeds_from(first, count, *rules):
    named = rules or ("inside", "edge")
    return toy.spec(*named, protocol=StudyDesign(seeds=count, first_seed=first))


PAIRS = {
    "contenders": (spec_of(("inside",), 5), spec_of(("edge", "low"), 5), spec_of(("inside", "edge", "low"), 5)),
    "overlapping contenders": (spec_of(("inside", "edge"), 3), spec_of(("edge", "wild"), 3),
                               spec_of(("inside", "edge", "wild"), 3)),
    "seeds": (seeds_from(0, 5), seeds_from(5, 5), seeds_from(0, 10)),
    "overlapping seeds": (seeds_from(2, 4), seeds_from(0, 4), seeds_from(0, 6)),
    "tasks": (spec_of(("inside",), 3, tasks=("toy", "other")), spec_of(("inside",), 3),
              spec_of(("inside",), 3, tasks=("toy", "other"))),
    "races": (spec_of(("inside",), 4, race=True), spec_of(("edge",), 4, race=True),
              spec_of(("inside", "edge"), 4, race=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_the_study_run_at_once_and_nothing_is_trained(tmp_path, name):
    one, other, whole = PAIRS[name]
    parts = [study(tmp_path / "a", one), study(tmp_path / "b", other)]
    before = [files(part) | {"spec": (part / "study.json").read_bytes()} for part in parts]
    once, done = study(tmp_path / "once", whole), []
    record = joined(tmp_path / "c", *parts, done=done)
    at_once = read(once)
    assert trained(done) == 0
    assert record.results == at_once.results
    assert record.digests == at_once.digests
    assert files(tmp_path / "c") == files(once)
    assert record.finished and record.trials_planned == at_once.trials_planned
    told = [decide(replace(each, protocol=at_once.protocol, times=at_once.times)) for each in (record, at_once)]
    assert told[0].to_json()["tasks"] == told[1].to_json()["tasks"]
    assert [files(part) | {"spec": (part / "study.json").read_bytes()} for part in parts] == before
    assert resume(tmp_path / "c", toy.executor(tmp_path / "c")).results == at_once.results


def test_own_rates_are_merged(tmp_path):
    def with_rates(*rates, rules=("inside", "edge")):
        named = tuple(toy.contender(rule, rates=rates, centre=1e-2) for rule in rules)
        return asked(seeds=5, contenders=named, reference=rules[0])

    parts = study(tmp_path / "a", with_rates(1e-3, 1e-1)), study(tmp_path / "b", with_rates(1e-2, 1e-1))
    once = study(tmp_path / "once", with_rates(1e-3, 1e-2, 1e-1))
    assert joined(tmp_path / "c", *parts).results == read(once).results
    assert files(tmp_path / "c") == files(once)


def test_three_studies_at_once_and_one_after_the_other(tmp_path):
    parts = [study(tmp_path / rule, spec_of((rule,), 2)) for rule in ("inside", "edge", "low")]
    record = joined(tmp_path / "all", *parts)
    joined(tmp_path / "two", *parts[:2])
    assert joined(tmp_path / "after", tmp_path / "two", parts[2]).results == record.results
    assert files(tmp_path / "after") == files(tmp_path / "all")


def test_without_anything_to_train_with_the_trials_are_the_same(tmp_path):
    parts = study(tmp_path / "a", seeds_from(0, 3)), study(tmp_path / "b", seeds_from(3, 2))
    assert joined(tmp_path / "c", *parts, train=False).results == read(study(tmp_path / "d", seeds_from(0, 5))).results


def test_looks_are_counted_and_those_that_are_not_are_said(tmp_path):
    parts = study(tmp_path / "a", seeds_from(0, 5)), study(tmp_path / "b", seeds_from(5, 5))
    record = joined(tmp_path / "c", *parts)
    assert record.protocol.verdicts_after == (5, 10)
    (says,) = [str(each) for each in record.given_up if "Merged" in str(each)]
    assert "one verdict at each number of seeds; 1 more" in says
    once = replace(record, protocol=replace(record.protocol, grown=()))
    wide, narrow = (decide(each).tasks[0].standings[1].behind_best for each in (record, once))
    assert wide is not None and narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low
    same_seeds = joined(tmp_path / "e", parts[0], study(tmp_path / "d", seeds_from(0, 5, "low", "wild")))
    assert same_seeds.protocol.grown == ()
    assert not any("Merged" in str(each) for each in same_seeds.given_up)


def changed(**changes):
    return asked(seeds=2).model_copy(update=changes)


OTHERS = {
    "precision": (changed(dtype="float64"), "the dtype is float32 in the first and float64 in the second"),
    "engine": (changed(engine="solo"), "the engine is auto in the first and solo in the second"),
    "race": (changed(race=True), "the race is off in the first and on in the second"),
    "version": (changed(versions={**asked(seeds=2).versions, "torch": "1.0"}), "the version of torch is"),
    "rates": (changed(protocol=StudyDesign(seeds=2, rates=7)), "the protocol's rates is 9 in the first and 7"),
    "task": (asked(seeds=2, tasks=("other",)), "no task in common"),
    "settings": (
        changed(contenders=(toy.contender("inside", settings={"b1": 0.5}), toy.contender("edge"))),
        "inside differs in its settings",
    ),
    "schedule": (
        changed(contenders=(toy.contender("inside", schedule="cosine"), toy.contender("edge"))),
        "inside differs in its schedule",
    ),
    "a gap": (seeds_from(5, 2), "together lack seed 2"),
    "a corner": (seeds_from(2, 2, "inside", "low"), r"together lack 52 trials, such as edge on toy with seed 2"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_comparable_is_refused_and_nothing_is_left(tmp_path, name):
    spec, says = OTHERS[name]
    parts = study(tmp_path / "a", asked(seeds=2)), study(tmp_path / "b", spec)
    with pytest.raises(BadSetting, match=says) as error:
        joined(tmp_path / "c", *parts)
    assert not (tmp_path / "c").exists()
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [({"data_digest": "b"}, "has other data"), ({"model_digest": "b"}, "another model or loss"),
     ({"n_train": 641}, "differs in its n train"), ({"margin": 0.1}, "differs in its margin")],
)  # fmt: skip
def test_a_task_of_the_same_name_with_other_data_is_refused(tmp_path, monkeypatch, change, says):
    monkeypatch.setattr(toy, "FACTS", replace(toy.FACTS, data_digest="a", model_digest="a"))
    first = study(tmp_path / "a", asked("inside", seeds=2))
    monkeypatch.setattr(toy, "FACTS", replace(toy.FACTS, **change))
    with pytest.raises(BadSetting, match=says):
        joined(tmp_path / "c", first, study(tmp_path / "b", asked("edge", seeds=2)))


def test_equal_trials_must_be_equal_to_the_last_bit(tmp_path):
    first = study(tmp_path / "a", asked("inside", "edge", seeds=2))

    def slightly_other(folder):
        executor = toy.executor(folder)
        work = executor._run_job

        def run_job(job):
            work(job)
            if job.kind == "train" and job.shard.contender.name == "edge":
                path = folder / "curves" / f"{job.id}.npz"
                trace = read_trace(path)
                trace.valid_loss[-1, 0] *= 1 + 1e-15
                write_trace(path, trace)

        executor._run_job = run_job
        return executor

    other = tmp_path / "b"
    run(asked("edge", "low", seeds=2), other, slightly_other(other))
    with pytest.raises(BadSetting, match=r"edge on toy at rate \S+ with seed 1 has other results in .*/a/curves/\S+"):
        joined(tmp_path / "c", first, other)


def test_a_folder_twice_one_folder_or_an_unfinished_one_is_refused(tmp_path, monkeypatch):
    first = study(tmp_path / "a", asked(seeds=2))
    (tmp_path / "link").symlink_to(first)
    with pytest.raises(BadSetting, match="are the same study"):
        parts_of([first, tmp_path / "link"])
    with pytest.raises(BadSetting, match="two study folders or more"):
        parts_of([first])
    with pytest.raises(StudyFolderError):
        parts_of([first, tmp_path / "nothing"])
    copy = shutil.copytree(first, tmp_path / "copy")
    assert joined(tmp_path / "c", first, copy).results == read(first).results
    with pytest.raises(StudyFolderError, match="holds a study already"):
        joined(tmp_path / "c", first, copy)
    assert read_spec(tmp_path / "c").history[0].seeds == 2


def test_the_command_merges_and_refuses_in_one_sentence(tmp_path, typed):
    study(tmp_path / "a", asked("inside", seeds=2)), study(tmp_path / "b", asked("edge", seeds=2))
    study(tmp_path / "other", asked("edge", seeds=2, dtype="float64"))
    assert "inside" in typed("merge", "a", "b", "--into", "c", "--quiet", cwd=tmp_path).out
    assert len(read(tmp_path / "c").results) == len(read(tmp_path / "a").results) * 2
    assert "the dtype is float32" in typed("merge", "a", "other", "--into", "d", code=2).err
    assert "one of the studies to merge" in typed("merge", "a", "b", "--into", "a", code=2).err
    assert "two study folders" in typed("merge", "a", code=2).err
