"""Trials that another study on this machine has trained are taken from it, if they are the same to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
from study import toy
from study.test_growth import asked, files, trained

from steepest.records.files import read_checked, write_trace
from steepest.records.job_records import TrainJob
from steepest.records.outcomes import Outcome
from steepest.records.private_cache import private_folder
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Lane
from steepest.study import trial_cache
from steepest.study.growth import whole
from steepest.study.run import extend, run
from steepest.study.store import read, read_spec
from steepest.study.trial_cache import TrialCache, is_wanted, size, trim

KNOWN = replace(toy.FACTS, data_digest="d", model_digest="m", code_digest="c", plain_lanes=True)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(toy, "FACTS", KNOWN)


def study(folder, spec, **options):
    done = []
    record = run(spec, folder, toy.executor(folder, done), **{"reuse": True, **options})
    return record, trained(done)


def entries():
    return sorted(path for path in private_folder("trials").rglob("*") if path.is_file())


def said(record):
    return [str(each) for each in record.given_up if "not trained again" in str(each)]


@pytest.mark.parametrize("engine", ["fleet", "solo"])
def test_a_second_study_trains_only_what_is_new_and_says_so(tmp_path, engine):
    first, count = study(tmp_path / "a", asked("inside", "edge", seeds=3, engine=engine))
    assert count == len(first.results) and not said(first)
    other, count = study(tmp_path / "b", asked("edge", "low", seeds=5, engine=engine))
    shared = sum(row.contender == "edge" for row in first.results)
    assert count == len(other.results) - shared
    (says,) = said(other)
    assert says.startswith(f"{shared} trials were not trained again") and str(tmp_path / "a") in says
    plain, _ = study(tmp_path / "plain", asked("edge", "low", seeds=5, engine=engine), reuse=False)
    assert other.results == plain.results and other.digests == plain.digests
    assert files(tmp_path / "b") == files(tmp_path / "plain")
    origins = [
        each for path in (tmp_path / "b" / "facts").glob("*.reused.json")
        for each in read_checked(path)["study_by_lane"].values()
    ]  # fmt: skip
    assert origins == [str(tmp_path / "a")] * shared


def test_names_rates_and_batches_of_a_study_do_not_matter(tmp_path):
    study(tmp_path / "a", asked("inside", seeds=2))
    named = toy.contender("inside", name="mine", batch_size=64)
    _, count = study(tmp_path / "b", asked(seeds=2, contenders=(named,), reference="mine", name="another"))
    assert count == 0
    rates = toy.contender("inside", name="own", rates=(1e-3, 2e-3), centre=1.4e-3)
    _, count = study(tmp_path / "c", asked(seeds=2, contenders=(rates,), reference="own"))
    assert count == 2  # 0.001 is known


OTHERS = {
    "settings": lambda: asked(seeds=2, contenders=(toy.contender("inside", settings={"b1": 0.5}),)),
    "schedule": lambda: asked(seeds=2, contenders=(toy.contender("inside", schedule="cosine"),)),
    "axes": lambda: asked(seeds=2, contenders=(toy.contender("inside", axes={"decay": 0.1}),)),
    "batch": lambda: asked(seeds=2, contenders=(toy.contender("inside", batch_size=32),)),
    "task": lambda: asked("inside", seeds=2, tasks=("other",)),
    "dtype": lambda: asked("inside", seeds=2, dtype="float64"),
    "engine": lambda: asked("inside", seeds=2, engine="solo"),
    "race": lambda: asked("inside", seeds=2, race=True),
    "seeds": lambda: toy.spec("inside", protocol=StudyDesign(seeds=2, first_seed=9)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_trained(tmp_path, name):
    study(tmp_path / "a", asked("inside", seeds=2))
    spec = OTHERS[name]()
    record, count = study(tmp_path / "b", spec.model_copy(update={"reference": spec.contenders[0].name}))
    assert count == len(record.results)


@pytest.mark.parametrize(
    "change",
    [{"data_digest": "x"}, {"model_digest": "x"}, {"steps": 90}, {"metric": "R²"}, {"data_digest": ""},
     {"model_digest": ""}, {"plain_lanes": False}],
)  # fmt: skip
def test_another_task_of_the_same_name_is_trained(tmp_path, monkeypatch, change):
    study(tmp_path / "a", asked("inside", seeds=2))
    monkeypatch.setattr(toy, "FACTS", replace(KNOWN, **change))
    _, count = study(tmp_path / "b", asked("inside", seeds=2))
    assert count > 0


@pytest.mark.parametrize("what", ["computing", "code_of_this_package"])
def test_another_machine_version_or_source_is_trained(tmp_path, monkeypatch, what):
    study(tmp_path / "a", asked("inside", seeds=2))
    monkeypatch.setattr(trial_cache, what, lambda *_: "other")
    record, count = study(tmp_path / "b", asked("inside", seeds=2))
    assert count == len(record.results)


def test_fleets_that_lanes_change_are_used_as_a_whole_only(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "FACTS", replace(KNOWN, plain_lanes=False))
    first, _ = study(tmp_path / "a", asked("inside", seeds=4))
    record, count = study(tmp_path / "b", asked("inside", seeds=4))
    assert count == 0 and record.results == first.results
    record, count = study(tmp_path / "c", asked("inside", seeds=3))
    assert count == len(record.results)


def test_races_are_used_as_a_whole(tmp_path):
    first, _ = study(tmp_path / "a", asked("inside", seeds=4, race=True))
    record, count = study(tmp_path / "b", asked("inside", seeds=4, race=True))
    assert count == 0 and record.results == first.results


def test_objects_in_memory_are_never_kept(tmp_path):
    shard = toy.shard()
    cache = TrialCache(tmp_path, {"toy": KNOWN})
    assert cache._question(shard) is not None
    for part, change in (
        ("task", {"source": "memory"}),
        ("contender", {"rule": "rule:x"}),
        ("contender", {"rule": "torch:x"}),
    ):
        other = replace(shard, **{part: replace(getattr(shard, part), **change)})
        assert cache._question(other) is None
    assert cache._question(replace(shard, device="cuda")) is None
    assert cache._question(replace(shard, task=replace(shard.task, name="unknown"))) is None


DAMAGES = {
    "flipped": lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "nonsense": lambda content: b"{}\n" + content,
    "other lanes": lambda content: content.replace(b'"lanes": [[', b'"lanes": [[5.0, 0], ['),
}


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_cache_gives_no_other_result(tmp_path, name, renamed):
    plain, _ = study(tmp_path / "a", asked("inside", seeds=2))
    for path in entries():
        content = DAMAGES[name](path.read_bytes())
        path.write_bytes(content)
        if renamed and name in ("cut", "empty", "nonsense", "other lanes"):  # as if it had been written so
            path.rename(path.with_name(trial_cache._digest(content)))
    record, count = study(tmp_path / "b", asked("inside", seeds=2))
    assert record.results == plain.results
    assert count == len(plain.results)


def test_folders_links_and_strangers_in_the_cache_do_no_harm(tmp_path):
    plain, _ = study(tmp_path / "a", asked("inside", seeds=2))
    for number, path in enumerate(entries()):
        content = path.read_bytes()
        path.unlink()
        path.mkdir() if number % 2 else path.symlink_to(tmp_path / "nowhere")
        assert content
    record, count = study(tmp_path / "b", asked("inside", seeds=2))
    assert record.results == plain.results and count == len(plain.results)


def test_lost_and_narrowed_trials_are_not_kept(tmp_path):
    curves = tmp_path / "x.npz"
    shard = toy.shard()
    trace = replace(toy.trace(shard), outcome=(Outcome.OOM, Outcome.OK))
    trial_cache_of = TrialCache(tmp_path, {"toy": KNOWN})
    write_trace(curves, trace)
    trial_cache_of.keep(shard, curves)
    assert [*trial_cache_of.pieces(shard, {}, True)] == [1]

    def full(folder, done):
        executor = toy.executor(folder, done)
        work = executor._run_job

        def run_job(job):
            if (
                isinstance(job, TrainJob)
                and job.shard.engine == "fleet"
                and job.shard.width != 1
                and not job.shard.width
            ):
                done.append(job)
                raise MemoryError
            work(job)

        executor._run_job = run_job
        return executor

    before = entries()
    run(asked("inside", seeds=2), tmp_path / "narrow", full(tmp_path / "narrow", []), reuse=True)
    assert entries() == before


def test_an_extended_study_takes_them_too(tmp_path):
    study(tmp_path / "other", asked("inside", "edge", "low", seeds=4))
    study(tmp_path / "a", asked("inside", seeds=2), reuse=False)
    done = []
    spec = whole(read_spec(tmp_path / "a"), asked("inside", "edge", seeds=4), "steepest extend")
    extend(tmp_path / "a", spec, toy.executor(tmp_path / "a", done), reuse=True)
    plain, _ = study(tmp_path / "plain", asked("inside", "edge", seeds=4), reuse=False)
    assert read(tmp_path / "a").results == plain.results
    assert trained(done) == 0


def test_it_stays_within_bounds_and_what_was_of_use_stays(tmp_path):
    study(tmp_path / "a", asked("inside", "edge", seeds=2))
    assert size() == sum(path.stat().st_size for path in entries()) > 0
    trim()
    kept = len(entries())
    trim(size() // 2)
    assert 0 < len(entries()) < kept
    trim(0)
    assert entries() == [] and size() == 0


def test_what_lanes_were_is_not_what_they_are_asked_for(tmp_path):
    """A rate that differs in its last bit is another trial."""
    shard = toy.shard()
    cache, curves = TrialCache(tmp_path, {"toy": KNOWN}), tmp_path / "x.npz"
    write_trace(curves, toy.trace(shard))
    cache.keep(shard, curves)
    near = replace(shard, lanes=(Lane(float(np.nextafter(1e-3, 1)), 0), Lane(1e-3, 1), Lane(1.0, 0)))
    assert [*cache.pieces(near, {}, True)] == [2]


def test_the_environment_says_whether_and_an_option_says_more(monkeypatch):
    for value, asked_for, wanted in (("0", None, False), ("1", None, True), ("0", True, True), ("1", False, False)):
        monkeypatch.setenv("STEEPEST_REUSE", value)
        assert is_wanted(asked_for) is wanted
    monkeypatch.delenv("STEEPEST_REUSE")
    assert is_wanted(None)
