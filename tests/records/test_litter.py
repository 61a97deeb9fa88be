"""What killed processes leave is removed; what living ones write, or what only looks alike, is left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import steepest
from steepest.records import litter
from steepest.records.files import write_bytes


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_write_that_was_killed_leaves_a_file_that_a_later_write_clears(tmp_path, monkeypatch):
    code = (
        "import os, signal, sys; from pathlib import Path; from steepest.records.files import write_bytes\n"
        "os.fsync = lambda line: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_bytes(Path(sys.argv[1]), b'half')"
    )
    source = {**os.environ, "PYTHONPATH": str(Path(steepest.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "file")], env=source, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    age(left, 2 * litter.OLD_SECONDS)
    write_bytes(tmp_path / "other", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_files_of_living_processes_and_young_or_other_ones_stay(tmp_path, dead):
    gone = [tmp_path / f".x.{dead}.0123abcd.tmp", tmp_path / f".a\n.b.{dead}.0123abcd.tmp"]
    stay = [
        tmp_path / f".x.{os.getpid()}.0123abcd.tmp",
        tmp_path / f".x.{os.getppid()}.0123abcd.tmp",
        tmp_path / f"x.{dead}.0123abcd.tmp",
        tmp_path / f".x.{dead}.tmp",
        tmp_path / ".x.0123abcd.tmp",
    ]
    for path in (*gone, *stay):
        path.write_bytes(b"")
        age(path, 2 * litter.OLD_SECONDS)
    young = tmp_path / f".young.{dead}.0123abcd.tmp"
    young.write_bytes(b"")
    litter.clear_litter(tmp_path)
    assert {*tmp_path.iterdir()} == {*stay, young}
    litter.clear_litter(tmp_path, older_than=0)
    assert {*tmp_path.iterdir()} == {*stay}


def test_a_temporary_folder_is_removed_at_its_end_or_after_a_kill(tmp_path, dead, monkeypatch):
    monkeypatch.setattr(litter, "_CLEARED", set())
    left, linked = tmp_path / f"steepest-read-{dead}-ab12", tmp_path / f"steepest-plan-{dead}-cd34"
    (left / "inside").mkdir(parents=True)
    age(left, 2 * litter.OLD_SECONDS)
    linked.symlink_to(tmp_path.parent)
    with litter.scratch("steepest-read", tmp_path) as made:
        (made / "file").write_bytes(b"")
        litter.clear_litter(tmp_path, older_than=0)
        assert {*tmp_path.iterdir()} == {made, linked}
    assert [*tmp_path.iterdir()] == [linked]
