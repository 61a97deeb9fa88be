"""Whole studies that turn several dials, on the toy engine: interrupted anywhere, grown, merged, raced and cut short
they end with the same bits."""

from dataclasses import replace

import pytest
from study import toy
from study.test_growth import files, grown, same

from steepest.errors import Interrupted
from steepest.records.dial import Dial, unpacked
from steepest.records.job_records import TrainJob
from steepest.records.study_record import StudyDesign
from steepest.search.strategies import STRATEGIES, version
from steepest.study.merging import merged, parts_of
from steepest.study.run import merge, resume, run
from steepest.study.spec import StudySpec, read_spec
from steepest.study.store import read

DIALS = (
    Dial("b2", "log", 0.9, 0.999, complement=True, default=0.999),
    Dial("batch-size", "choice", choices=(32, 64), default=64),
)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    monkeypatch.setenv("STEEPEST_REUSE", "0")


def asked(
    search: str = "sobol", seeds: int = 3, first_seed: int = 0, rules=("inside", "edge"), dials=DIALS, **changes
) -> StudySpec:
    named = tuple(replace(toy.contender(rule), search=search, dials=dials) for rule in rules)
    design = StudyDesign(seeds=seeds, first_seed=first_seed, more_trials=10)
    searches = {search: version(search)}
    return toy.spec(contenders=named, reference=named[0].name, protocol=design, searches=searches, **changes)


@pytest.mark.parametrize("search", sorted(STRATEGIES))
def test_interrupted_after_any_shard_it_ends_the_same(tmp_path, search):
    """A search is not stored: it is asked again from its first setting, with the scores that its trials had. One is
    stopped at every shard, the others at every fourth."""
    spec, shards = asked(search, seeds=2, rules=("inside",)), []
    whole = run(spec, tmp_path / "whole", toy.executor(tmp_path / "whole", shards))
    for stop_after in range(2, len(shards), 1 if search == "sobol" else 4):
        folder, jobs = tmp_path / str(stop_after), []
        executor = toy.executor(folder)

        def stop(job, jobs=jobs, stop_after=stop_after, folder=folder):
            if len(jobs) == stop_after:
                raise KeyboardInterrupt
            jobs.append(job.id)
            toy.work(job, folder)

        executor._run_job = stop
        with pytest.raises(Interrupted):
            run(spec, folder, executor)
        done = []
        assert resume(folder, toy.executor(folder, done)).results == whole.results
        assert not {job.id for job in done} & set(jobs)
        assert files(folder) == files(tmp_path / "whole")


def test_every_replicate_has_its_rates_and_its_settings(tmp_path):
    record = run(asked(), tmp_path / "study", toy.executor(tmp_path / "study"))
    assert record.finished and len(record.results) == record.trials_planned == 2 * 3 * 23
    turned = [row for row in record.results if row.dials]
    assert len(turned) == 2 * 3 * 10
    assert {row.batch_size for row in turned} == {32, 64}
    for row in turned:
        assert row.batch_size == unpacked(row.dials)["batch-size"]
        assert row.steps == 100 * 64 // row.batch_size, "as many examples"
    assert read(tmp_path / "study").results == record.results


def test_it_grows_to_what_it_would_have_been_at_once(tmp_path):
    first, at_once, new = tmp_path / "grown", tmp_path / "once", []
    run(asked(seeds=2), first, toy.executor(first))
    grown(first, asked(seeds=4, rules=("inside", "edge", "low")), new)
    run(asked(seeds=4, rules=("inside", "edge", "low")), at_once, toy.executor(at_once))
    assert same(first, at_once, tmp_path)
    assert sum(len(job.shard.lanes) for job in new if isinstance(job, TrainJob)) == 23 * (3 * 4 - 2 * 2)


def test_studies_of_other_seeds_merge_to_one(tmp_path):
    for name, first_seed in (("a", 0), ("b", 2)):
        run(asked(seeds=2, first_seed=first_seed), tmp_path / name, toy.executor(tmp_path / name))
    parts = parts_of([tmp_path / "a", tmp_path / "b"])
    record = merge(parts, merged(parts, "steepest merge"), tmp_path / "both", toy.executor(tmp_path / "both"))
    at_once = run(asked(seeds=4), tmp_path / "once", toy.executor(tmp_path / "once"))
    assert record.results == at_once.results
    assert files(tmp_path / "both") == files(tmp_path / "once")


def test_settings_race_within_their_seed_and_round(tmp_path):
    done = []
    run(asked(race=True, dials=DIALS[:1]), tmp_path / "study", toy.executor(tmp_path / "study", done))
    shards = [job.shard for job in done if isinstance(job, TrainJob) and job.shard.lanes[0].dials]
    assert all(shard.rungs for shard in shards if len(shard.lanes) > 2 * 3)
    assert any(shard.rungs for shard in shards)
    for shard in shards:
        each = {sum(lane.seed == seed for lane in shard.lanes) for seed in {lane.seed for lane in shard.lanes}}
        assert len(each) == 1, "seeds race with equally many settings"


def test_a_small_budget_gives_the_settings_up_first_and_says_so(tmp_path):
    whole = run(asked(seeds=5), tmp_path / "whole", toy.executor(tmp_path / "whole"))
    seconds = 0.9 * read_plan_seconds(tmp_path / "whole")
    record = run(asked(seeds=5, budget_seconds=seconds), tmp_path / "small", toy.executor(tmp_path / "small"))
    assert not any(row.dials for row in record.results)
    assert [row for row in whole.results if not row.dials] == list(record.results)
    assert "10 more trials" in str(record.given_up[0])


def read_plan_seconds(folder) -> float:
    plan = read_spec(folder).plan
    assert plan is not None
    return plan.seconds
