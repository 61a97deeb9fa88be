"""The study folder: whole or refused in a sentence, read while it is written, repaired from what is left."""

import json
import multiprocessing
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from study import toy

from steepest.errors import StudyFolderError
from steepest.messages import verbatim
from steepest.records.outcomes import Outcome
from steepest.study.database import changing
from steepest.study.lock import FolderLock
from steepest.study.result_rows import empty_trace
from steepest.study.run import resume, run
from steepest.study.spec import FORMAT, read_spec
from steepest.study.store import Store, read, traces

SENTENCE = r"^[\w/].*[\w.)]$"


def same(a, b):
    """Whether two records tell the same results."""
    return a.results == b.results and a.finished == b.finished and a.tasks == b.tasks


def cuts(path, count=40):
    """Lengths to truncate a file to: near both ends, and evenly spread between."""
    size = path.stat().st_size
    return sorted({0, 1, 15, 16, 100, size - 1, size - 2, *range(0, size, max(1, size // count))} - {size})


# ---- damage ----------------------------------------------------------------------------------------------------------


def test_a_truncated_spec_is_refused_in_a_sentence_wherever_it_is_cut(folder):
    path = folder / "study.json"
    whole = path.read_bytes()
    for length in cuts(path, 150):
        path.write_bytes(whole[:length])
        if whole[:length].strip() == whole.strip():
            continue  # only the line's end is missing
        for look in (read, Store.open, traces):
            with pytest.raises(StudyFolderError, match=SENTENCE):
                look(folder)
    path.write_bytes(whole)
    assert read(folder).finished


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '"study"', "{}", '{"format": 1}', "\x00" * 100, '{"format": "x"}', "[" * 10000]
)
def test_a_spec_that_is_something_else_is_refused_in_a_sentence(folder, content):
    (folder / "study.json").write_text(content)
    with pytest.raises(StudyFolderError, match=SENTENCE):
        read(folder)


def test_a_field_that_nobody_knows_is_refused(folder):
    path = folder / "study.json"
    spec = json.loads(path.read_text())
    spec["contenders"][0]["learning_rate"] = 3
    path.write_text(json.dumps(spec))
    with pytest.raises(StudyFolderError, match=r"damaged at contenders\.0\.learning_rate"):
        read(folder)


def test_a_truncated_database_is_never_read_wrongly_and_is_made_again_from_the_curves(finished, folder):
    whole = read(finished)
    path = folder / "study.db"
    content = path.read_bytes()
    for length in cuts(path):
        path.write_bytes(content[:length])
        with pytest.raises(StudyFolderError, match="steepest resume"):
            read(folder)
    for length in (0, 100, 4096, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        done, seen = [], []
        assert same(resume(folder, toy.executor(folder, done), seen.append), whole)
        assert done == [], "nothing is trained again"
        assert length == 0 or any("study.db is damaged" in str(progress.message) for progress in seen)


def test_a_database_full_of_rubbish_is_made_again_from_the_curves(finished, folder):
    (folder / "study.db").write_bytes(os.urandom(20_000))
    with pytest.raises(StudyFolderError, match="not a database"):
        read(folder)
    assert same(resume(folder, toy.executor(folder)), read(finished))
    assert (folder / "study.db.damaged").exists()


def test_a_missing_database_is_made_again_from_the_curves(finished, folder):
    (folder / "study.db").unlink()
    with pytest.raises(StudyFolderError, match=r"study\.db is missing.*steepest resume"):
        read(folder)
    assert same(resume(folder, toy.executor(folder)), read(finished))


def test_truncated_curves_are_moved_aside_and_their_trials_run_again(finished, folder):
    path = sorted((folder / "curves").glob("*.npz"))[0]
    whole = path.read_bytes()
    for length in cuts(path):
        path.write_bytes(whole[:length])
        with pytest.raises(StudyFolderError, match="steepest resume"):
            traces(folder)
    for length in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        done, seen = [], []
        assert same(resume(folder, toy.executor(folder, done), seen.append), read(finished))
        assert [job.id for job in done] == [path.stem]
        assert path.read_bytes() == whole
        assert path.with_name(f"{path.name}.damaged").stat().st_size == length
        assert any("moved aside" in str(progress.message) for progress in seen)


def test_curves_that_are_not_the_ones_written_are_run_again(finished, folder):
    one, other, *_ = sorted((folder / "curves").glob("*grid*.npz"))
    whole = one.read_bytes()
    shutil.copy(other, one)  # sound, but of other trials
    done = []
    assert same(resume(folder, toy.executor(folder, done)), read(finished))
    assert [job.id for job in done] == [one.stem]
    assert one.read_bytes() == whole


def test_missing_curves_are_run_again(finished, folder):
    path = sorted((folder / "curves").glob("*.npz"))[-1]
    path.unlink()
    with pytest.raises(StudyFolderError, match="is missing"):
        traces(folder)
    done = []
    assert same(resume(folder, toy.executor(folder, done)), read(finished))
    assert [job.id for job in done] == [path.stem]


def test_rows_that_contradict_their_curves_are_put_right(finished, folder):
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("UPDATE result SET valid_metric = 0.999 WHERE lane = 0")
    database.close()
    with pytest.raises(StudyFolderError, match="checksum"):
        read(folder)
    assert same(resume(folder, toy.executor(folder)), read(finished))


def test_what_a_killed_writer_left_is_cleared_away(folder):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    litter = [folder / name / f".x.{ended.pid}.0123abcd.tmp" for name in ("", "curves", "facts")]
    living = folder / f".report.html.{os.getpid()}.0123abcd.tmp"
    for path in (*litter, living):
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    resume(folder, toy.executor(folder))
    assert not any(path.exists() for path in litter)
    assert living.exists()


def test_a_transaction_that_was_cut_by_a_kill_can_still_be_read(folder):
    """A hot journal: the coordinator died between writing pages and committing them."""
    before = read(folder)
    code = f"""
import os, sqlite3
database = sqlite3.connect({str(folder / "study.db")!r}, isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE result SET test_metric = 0")
database.execute("UPDATE sitting SET started = hex(randomblob(100000))")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (folder / "study.db-journal").stat().st_size > 0, "the kill came too early to test anything"
    assert read(folder) == before
    assert same(resume(folder, toy.executor(folder)), before)


# ---- versions --------------------------------------------------------------------------------------------------------


def test_a_spec_of_a_newer_version_is_refused_even_if_it_has_new_fields(folder):
    path = folder / "study.json"
    spec = json.loads(path.read_text())
    path.write_text(json.dumps(spec | {"format": FORMAT + 1, "flux": 1}))
    for look in (read, Store.open):
        with pytest.raises(StudyFolderError, match="newer version"):
            look(folder)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(folder):
    path = folder / "study.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    content = path.read_bytes()
    for look in (read, Store.open):
        with pytest.raises(StudyFolderError, match="newer version"):
            look(folder)
    assert path.read_bytes() == content
    FolderLock(folder).release()  # a refused open does not keep the lock


# ---- places ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_a_study_is_not_overwritten_unasked(folder):
    before = read(folder)
    with pytest.raises(StudyFolderError, match=r"holds a study already.*steepest resume"):
        Store.create(folder, toy.spec())
    assert read(folder) == before


def test_overwrite_replaces_a_study_and_nothing_else(folder):
    (folder / "notes.txt").write_text("mine")
    with Store.create(folder, toy.spec("edge"), overwrite=True):
        pass
    assert (folder / "notes.txt").read_text() == "mine"
    assert read(folder).results == ()
    assert list((folder / "curves").iterdir()) == []


@pytest.mark.parametrize("name", ["curves", "logs", "letter.txt"])
def test_a_folder_with_other_things_in_it_is_refused_even_with_overwrite(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(StudyFolderError, match="holds no study"):
        Store.create(tmp_path, toy.spec(), overwrite=True)
    assert (tmp_path / name).exists()


def test_an_attempt_that_was_killed_at_once_does_not_block_its_folder(tmp_path):
    folder = tmp_path / "study"
    Store.create(folder, toy.spec()).__exit__()
    (folder / "study.json").unlink()
    with Store.create(folder, toy.spec()):
        assert read_spec(folder) == toy.spec(created=read_spec(folder).created)


@pytest.mark.parametrize("place", ["/proc/study", "{file}/study", "{file}"])
def test_a_place_that_cannot_be_written_is_refused_in_a_sentence(tmp_path, place):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StudyFolderError, match="cannot be written"):
        Store.create(Path(place.format(file=file)), toy.spec())


@pytest.mark.parametrize("name", ["nothing", "empty", "file"])
def test_a_folder_that_is_not_a_study_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for look in (read, Store.open, traces):
        with pytest.raises(StudyFolderError, match="is not a study folder"):
            look(tmp_path / name)


def test_a_full_disk_is_reported_in_one_sentence_and_loses_nothing(tmp_path):
    """A limit on the size of files stands in for the disk: writes fail at some point in the middle of the study."""
    folder = tmp_path / "study"
    whole = run(toy.spec("inside", "edge"), tmp_path / "whole", toy.executor(tmp_path / "whole"))
    asked = toy.spec("inside", "edge")
    largest = (tmp_path / "whole" / "study.db").stat().st_size

    def child(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            run(asked, folder, toy.executor(folder))
        except StudyFolderError:
            os._exit(3)
        os._exit(4)

    for limit in (largest // 2, largest - 1):
        process = multiprocessing.get_context("fork").Process(target=child, args=(limit,))
        process.start()
        process.join()
        assert process.exitcode == 3
        assert same(resume(folder, toy.executor(folder)), whole)
        shutil.rmtree(folder)


# ---- two at once -----------------------------------------------------------------------------------------------------


def test_two_coordinators_cannot_have_one_folder(folder):
    with Store.open(folder):
        code = f"""
import sys
from contextlib import suppress
from pathlib import Path
from steepest.errors import StudyFolderError
from steepest.messages import verbatim
from steepest.study.store import Store
try:
    Store.open(Path({str(folder)!r}))
except StudyFolderError as error:
    sys.exit(str(error))
"""
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"in use by process {os.getpid()}" in second.stderr
    with Store.open(folder):
        pass


def test_a_worker_that_was_forked_off_does_not_keep_a_dead_study_locked(folder):
    held = FolderLock(folder)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:  # lives on after the lock's holder has let go
        ours.close()
        theirs.send(b"alive")
        theirs.recv(1)
        os._exit(0)
    theirs.close()
    ours.recv(5)
    held.release()
    FolderLock(folder).release()
    ours.close()
    os.waitpid(child, 0)


def test_a_study_can_be_read_while_another_process_writes_it(folder):
    with Store.open(folder) as store:
        with changing(store._database) as database:
            ((number, started, _), *_) = database.remove("sitting", "id = 1")
            database.add("sitting", [(number, started, 1e6)])
            assert read(folder).seconds < 1e6, "what is not committed is not seen"
        assert read(folder).seconds >= 1e6


def test_what_is_taken_in_at_once_is_kept_although_an_error_follows(finished, folder):
    """And a change that fails among them is undone alone."""
    with Store.open(folder) as store:
        before = read(folder).results
        with pytest.raises(ZeroDivisionError), store.at_once():
            store.remark(verbatim("kept"))
            with suppress(KeyError), changing(store._database) as database:
                database.remove("result")
                raise KeyError
            assert verbatim("kept") not in read(folder).given_up, "not yet"
            1 / 0  # noqa: B018
    assert verbatim("kept") in read(folder).given_up
    assert read(folder).results == before


def test_readers_do_not_write(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    read(folder)
    traces(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_a_shard_can_be_given_up_as_killed(tmp_path):
    with Store.create(tmp_path / "study", toy.spec()) as store:
        shard = toy.shard()
        rows = store.give_up(shard, Outcome.KILLED)
        assert {row.outcome for row in rows} == {Outcome.KILLED}
        assert store.recall(shard) == rows
    assert empty_trace(shard, Outcome.KILLED).outcome == (Outcome.KILLED,) * len(shard.lanes)
