"""Seeds added until the verdict is sure: who goes on, that replicates stay alike, that a resumed study agrees."""

from dataclasses import replace

import pytest
from study import toy

import steepest
from steepest.api import settled
from steepest.errors import BadSetting, Interrupted
from steepest.records.study_record import StudyDesign
from steepest.study.protocol import BY_SEED, POOLED
from steepest.study.run import resume, run
from steepest.study.spec import read_spec
from steepest.study.store import read

SURE = StudyDesign(seeds=10, until_sure=True)
EACH = 13


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study"


def study(folder, *rules, sure=lambda record, _: (), done=None, **changes):
    spec = toy.spec(*rules, **{"protocol": SURE, **changes})
    return run(spec, folder, toy.executor(folder, done), settled=sure)


def seeds(record, task="toy"):
    return sorted({row.seed for row in record.results if row.task == task})


def test_a_question_that_stays_open_gets_all_its_seeds_and_rows_are_those_of_a_fixed_study(folder, tmp_path):
    seen = []

    def never(record, _):
        seen.append((len(record.results), record.finished))
        return ()

    record = study(folder, "inside", "low", sure=never)
    assert seen == [(2 * EACH * n, True) for n in (5, 7)]
    assert seeds(record) == list(range(10))
    assert record.finished
    assert record.trials_planned == len(record.results) == 2 * EACH * 10
    five = run(
        toy.spec("inside", "low", protocol=StudyDesign(seeds=5)), tmp_path / "five", toy.executor(tmp_path / "five")
    )
    plain = {replace(row, shard="", lane=0) for row in record.results if row.seed < 5}
    assert plain == {replace(row, shard="", lane=0) for row in five.results}


def tried(record, contender):
    return {
        seed: {(row.stage, row.rate) for row in record.results if (row.contender, row.seed) == (contender, seed)}
        for seed in seeds(record)
    }


def test_seeds_that_are_added_place_their_own_rates_as_in_a_study_of_them_all_at_once(folder, tmp_path):
    record = study(folder, "inside", "edge")
    fixed = run(
        toy.spec("inside", "edge", protocol=StudyDesign(seeds=10)), tmp_path / "ten", toy.executor(tmp_path / "ten")
    )
    for contender in ("inside", "edge"):
        assert tried(record, contender) == tried(fixed, contender)
        assert all(len(rates) == EACH for rates in tried(record, contender).values())
    assert len(set(map(frozenset, tried(record, "edge").values()))) > 1


def test_a_study_that_began_with_rates_placed_by_all_seeds_goes_on_with_them(folder):
    record = study(folder, "inside", "edge", search=POOLED)
    assert record.pooled_rates
    for contender in ("inside", "edge"):
        assert len(set(map(frozenset, tried(record, contender).values()))) == 1
        assert len(tried(record, contender)[0]) == EACH


@pytest.mark.parametrize("search", [POOLED, BY_SEED])
def test_a_study_that_was_stopped_goes_on_by_the_law_that_it_began_with(folder, tmp_path, search):
    whole = study(tmp_path / "whole", "edge", search=search)
    done = []

    def listener(progress):
        if progress.trials_done > 60:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(toy.spec("edge", protocol=SURE, search=search), folder, toy.executor(folder, done), listener)
    assert read_spec(folder).search == search
    assert resume(folder, toy.executor(folder, done)).results == whole.results


def test_a_sure_answer_ends_the_study(folder):
    record = study(folder, sure=lambda record, _: ["toy"])
    assert seeds(record) == list(range(5))
    assert record.finished
    assert record.trials_planned == len(record.results)


def test_only_the_tasks_that_are_open_go_on(folder):
    def sure(record, _):
        return ["other"] if len(seeds(record)) == 5 else ["toy", "other"]

    record = study(folder, tasks=("toy", "other"), sure=sure)
    assert (seeds(record, "toy"), seeds(record, "other")) == (list(range(7)), list(range(5)))


def test_the_verdict_ends_an_easy_study_early_and_not_a_hard_one(folder, tmp_path):
    easy = study(folder, "inside", "wild", sure=settled)
    assert seeds(easy) == list(range(5))
    close = study(tmp_path / "close", "inside", "edge", sure=settled)
    assert seeds(close) == list(range(10))


def test_seeds_count_from_the_first_one(folder):
    record = study(folder, protocol=replace(SURE, first_seed=100))
    assert seeds(record) == list(range(100, 110))


@pytest.mark.parametrize("stop", ["After 5 seeds", "After 7 seeds"])
def test_a_study_stopped_at_a_look_goes_on_to_the_same_end(folder, tmp_path, stop):
    whole = study(tmp_path / "whole", "inside", "edge", sure=settled)

    def listener(progress):
        if stop in str(progress.message):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        spec = toy.spec("inside", "edge", protocol=SURE)
        run(spec, folder, toy.executor(folder), listener, settled=settled)
    assert not read(folder).finished
    again = resume(folder, toy.executor(folder), settled=settled)
    assert again.results == whole.results
    assert again.finished


def test_a_finished_study_trains_nothing_when_it_is_resumed(folder):
    record = study(folder, "inside", "wild", sure=settled)
    done = []
    again = resume(folder, toy.executor(folder, done), settled=settled)
    assert done == []
    assert again.results == record.results


def test_what_an_earlier_sitting_trained_ahead_does_not_change_the_look(folder):
    """A study that went on to 7 seeds and is asked again at 5 looks at 5."""
    study(folder, "inside", "edge", sure=lambda record, _: ["toy"] if len(seeds(record)) == 7 else [])
    looked = []
    resume(folder, toy.executor(folder), settled=lambda record, _: looked.append(len(seeds(record))) or ["toy"])
    assert looked == [5]


def test_shards_are_cut_for_the_first_look(folder):
    """So that every core has work from the start, although the study may grow."""
    done = []
    study(folder, "inside", sure=lambda record, _: ["toy"], done=done)
    few = []
    run(
        toy.spec("inside", protocol=StudyDesign(seeds=5)),
        folder.with_name("five"),
        toy.executor(folder.with_name("five"), few),
    )
    assert [job.id for job in done if job.kind == "train"] == [job.id for job in few if job.kind == "train"]


def test_progress_counts_what_was_asked_for_so_far(folder):
    planned = []
    spec = toy.spec("inside", protocol=SURE)
    run(spec, folder, toy.executor(folder), lambda progress: planned.append((progress.phase, progress.trials_planned)))
    training = [count for phase, count in planned if phase == "training"]
    assert training == sorted(training)
    assert (training[0], training[-1]) == (EACH * 5, EACH * 10)


def test_a_single_look_is_refused(folder):
    with pytest.raises(BadSetting, match="begins with 5 seeds"):
        study(folder, protocol=StudyDesign(seeds=5, until_sure=True))


@pytest.mark.slow
def test_real_training_until_sure(tmp_path):
    """From Python: two optimizers of which one cannot learn at the only rate it is given."""
    found = steepest.compare(
        "line", ["sgd", "lion"], rates=[1e-1], until_sure=True, seeds=7, out=tmp_path / "s", workers=1, quiet=True
    )
    task = found.verdict.tasks[0]
    assert task.looks == (5, 7)
    assert task.settled
    assert len(seeds(found.record, "line")) in task.looks
    assert "until the result is settled" in str(found.verdict)
