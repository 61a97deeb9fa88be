"""Files that somebody else has named: pipes, devices and huge files neither hang nor fill the memory."""

import os
import subprocess
import threading
from contextlib import contextmanager

import pytest

from steepest.errors import BadInput, BadTable, BadTask, StudyFolderError
from steepest.ingest import choices, from_file, load
from steepest.reader import judge_table
from steepest.records import bounded
from steepest.records.files import read_json
from steepest.study.spec import read_spec

ANSWER = "optimizer,seed,value\n" + "".join(f"{name},{i},0.{9 - i}{name}\n" for name in "12" for i in range(5))


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    """A pipe that nobody writes to."""
    monkeypatch.setattr(bounded, "WAIT_SECONDS", 0.2)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@contextmanager
def endless():
    """A pipe that never ends, as `<(yes …)` makes it."""
    with subprocess.Popen(["yes", "1,2,3"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"/dev/fd/{process.stdout.fileno()}"
        process.kill()


def test_a_file_is_read_whole_and_a_longer_one_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert bounded.read_file(tmp_path / "file", 5) == b"12345" == bounded.read_stream(tmp_path / "file", 5)
    for read in (bounded.read_file, bounded.read_stream):
        with pytest.raises(OSError, match="it has more than"):
            read(tmp_path / "file", 4)
        with pytest.raises(OSError):
            read(tmp_path, 4)


def test_a_pipe_is_read_to_its_end_however_late_its_writer_comes(fifo, monkeypatch):
    monkeypatch.setattr(bounded, "WAIT_SECONDS", 60)
    writer = threading.Timer(0.2, lambda: fifo.write_bytes(b"late" * 100_000))
    writer.start()
    assert bounded.read_stream(fifo, 10**6) == b"late" * 100_000
    writer.join()


def test_a_table_from_a_pipe_without_writer_without_end_or_from_a_device_is_refused(fifo):
    with pytest.raises(BadTable, match=r"nothing came for 0\.2 s"):
        judge_table(fifo, "accuracy")
    with pytest.raises(BadTable, match="more than 64 MB"):
        judge_table("/dev/zero", "accuracy")
    with endless() as pipe, pytest.raises(BadTable, match="more than 64 MB"):
        judge_table(pipe, "accuracy")


def test_a_table_may_come_from_a_pipe():
    read, write = os.pipe()
    os.write(write, ANSWER.encode())
    os.close(write)
    assert judge_table(f"/dev/fd/{read}", "accuracy")[1]
    os.close(read)


def test_a_data_file_that_can_be_read_only_once_or_not_at_all_is_refused(fifo, tmp_path):
    for name in ("x.csv", "x.npz"):
        fifo.rename(tmp_path / name)
        with pytest.raises(BadTask, match="it is a pipe or a device; save its content as a file first"):
            from_file.reference(tmp_path / name, target="y" if name == "x.csv" else None)
        fifo = tmp_path / name
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(BadTask, match="it has more than"):
        from_file.reference(tmp_path / "big.csv", target="y")


def test_a_task_file_or_choices_of_columns_that_never_end_are_refused(fifo, tmp_path):
    with pytest.raises(BadInput, match="nothing came"):
        choices.read_file(fifo)
    with pytest.raises(BadInput, match="more than 16 MB"):
        choices.read_file(bounded.Path("/dev/zero"))
    fifo.rename(tmp_path / "x.py")
    with pytest.raises(BadTask, match="it is a pipe or a device"):
        load.reference(tmp_path / "x.py")


def test_a_number_of_thousands_of_digits_is_one_sentence(tmp_path):
    (tmp_path / "columns.toml").write_text("[columns]\na = " + "9" * 5000)
    with pytest.raises(BadInput, match="columns"):
        choices.read_file(tmp_path / "columns.toml")
    (tmp_path / "facts.json").write_text('{"a": ' + "9" * 5000 + "}")
    with pytest.raises(StudyFolderError, match=r"facts\.json cannot be read"):
        read_json(tmp_path / "facts.json")


def test_a_study_whose_spec_is_larger_than_memory_is_refused(tmp_path):
    with (tmp_path / "study.json").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(StudyFolderError, match="it has more than 1 GB"):
        read_spec(tmp_path)
