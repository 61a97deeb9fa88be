"""A study folder from a stranger: looking at it writes nowhere else, deletes nothing, runs nothing, does not hang."""

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from study import toy

from steepest.errors import StudyFolderError
from steepest.serving.library import Library
from steepest.serving.status import progress
from steepest.study.lock import FolderLock
from steepest.study.spec import read_spec
from steepest.study.store import Store, read, traces


def hot_journal(folder: Path) -> None:
    """As a coordinator leaves a database that is killed in the middle of a transaction."""
    code = f"""
import os, sqlite3
database = sqlite3.connect({str(folder / "study.db")!r}, isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE result SET test_metric = 0")
database.execute("UPDATE sitting SET started = hex(randomblob(100000))")
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (folder / "study.db-journal").stat().st_size > 0, "the kill came too early to test anything"


def name_super_journal(folder: Path, victim: Path) -> None:
    """The journal claims to be part of a transaction over several files, whose list is `victim`: SQLite deletes it."""
    name = str(victim).encode()
    with (folder / "study.db-journal").open("ab") as file:
        file.write(struct.pack(">I", 0x40000000 // 4096 + 1) + name)
        file.write(struct.pack(">II", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7"))


def state(folder: Path) -> dict[str, str]:
    """File → hash of its content, for all that is in a folder."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def readers(folder: Path) -> list:
    """What the commands that only read call first."""
    return [read, traces, lambda place: progress(place, read_spec(place))]


def test_a_journal_that_names_another_file_is_refused_and_that_file_stays(folder, tmp_path):
    hot_journal(folder)
    victim = tmp_path / "precious"
    victim.write_text("years of work")
    name_super_journal(folder, victim)
    before = state(folder)
    for look in (*readers(folder), Store.open):
        with pytest.raises(StudyFolderError, match="names another file, which SQLite would delete"):
            look(folder)
    assert victim.read_text() == "years of work"
    before.pop("study.lock"), (after := state(folder)).pop("study.lock")
    assert after == before


@pytest.mark.parametrize(
    "command", ["verdict", "report", "export", "use", "show", "watch --once", "resume --quiet", "why", "serve"]
)
def test_every_command_refuses_it_in_one_sentence(folder, tmp_path, typed, command, monkeypatch):
    hot_journal(folder)
    victim = tmp_path / "precious"
    victim.write_text("years of work")
    name_super_journal(folder, victim)
    name, *options = command.split()
    if name == "serve":  # its list says what is wrong with each study
        (entry,) = Library(folder).entries()
        assert "names another file" in entry.trouble
    else:
        said = typed(name, str(folder), *options, code=2)
        assert "names another file" in said.err.splitlines()[-1]
        assert "Traceback" not in said.err
    assert victim.exists()
    assert not (folder / "report.html").exists()


def test_a_transaction_that_was_cut_is_undone_in_a_copy_and_the_folder_stays_as_it_is(finished, folder):
    hot_journal(folder)
    before = state(folder)
    assert read(folder) == read(finished)
    assert progress(folder, read_spec(folder))["trials"] == len(read(finished).results)
    assert state(folder) == before
    with Store.open(folder):
        assert not (folder / "study.db-journal").exists()


def test_a_database_of_another_mode_of_sqlite_is_refused(folder):
    (folder / "study.db-wal").write_bytes(b"")
    with pytest.raises(StudyFolderError, match=r"study\.db-wal is not of this program"):
        read(folder)


# ---- links and other things ------------------------------------------------------------------------------------------

FILES = ("study.json", "study.json.copy", "study.db", "study.db-journal", "study.db-wal", "study.lock")
NAMES = (
    *FILES,
    "logs",
    "curves",
    "facts",
    "probes",
    "logs/workers.log",
    "curves/x.npz",
    "facts/x.json",
    "probes/x.npz",
)


def put_aside(path: Path, outside: Path) -> Path:
    """Move what lies at a path out of the study, or make something there; where it is now."""
    if path.exists():
        shutil.move(path, outside)
    elif path.suffix or path.name.startswith("study"):
        outside.write_text("mine")
    else:
        outside.mkdir()
    return outside


@pytest.mark.parametrize("name", NAMES)
def test_no_link_leads_out_of_a_study_folder(folder, tmp_path, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    outside = put_aside(path, tmp_path / "outside")
    before = state(tmp_path / "outside") if outside.is_dir() else outside.read_bytes()
    path.symlink_to(outside)
    for look in (read, Store.open, lambda place: Store.create(place, toy.spec(), overwrite=True)):
        with pytest.raises(StudyFolderError, match="is a link"):
            look(folder)
    assert (state(tmp_path / "outside") if outside.is_dir() else outside.read_bytes()) == before
    assert path.is_symlink()


def test_a_lock_is_not_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        FolderLock(tmp_path / "study")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["study.json", "study.db", "study.db-journal", "study.lock", "curves/x.npz", "logs/x"])
def test_a_pipe_is_refused_and_not_waited_for(folder, name):
    path = folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    for look in (read, Store.open):
        with pytest.raises(StudyFolderError, match=r"is not a file|has no study\.json|is missing"):
            look(folder)


def test_a_study_that_is_reached_by_a_link_is_read(finished, tmp_path):
    (tmp_path / "latest").symlink_to(finished)
    assert read(tmp_path / "latest") == read(finished)


# ---- the database ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW x AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON sitting BEGIN DELETE FROM result; END",
        "CREATE TABLE extra (x)",
        "CREATE INDEX i ON result (rate)",
        "ALTER TABLE note ADD COLUMN more TEXT",
        "DROP TABLE finish; CREATE VIEW finish AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS finished FROM n",
    ],
)
def test_a_database_with_other_tables_than_ours_is_refused_before_anything_runs(folder, sql):
    database = sqlite3.connect(folder / "study.db")
    database.executescript(sql)
    database.close()
    with pytest.raises(StudyFolderError, match="tables are not those of a study"):
        read(folder)
