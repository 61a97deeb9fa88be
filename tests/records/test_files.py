"""Files that are whole or absent, and the curves in them."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from study import toy

from steepest.errors import StudyFolderError
from steepest.records.files import file_digest, read_json, read_trace, write_bytes, write_json, write_trace
from steepest.records.outcomes import Outcome


def equal(a, b) -> bool:
    """Whether two traces are the same, bit for bit."""
    return all(
        getattr(a, f.name) == getattr(b, f.name)
        if f.name in ("outcome", "examples")
        else (getattr(a, f.name).dtype, getattr(a, f.name).tobytes())
        == (getattr(b, f.name).dtype, getattr(b, f.name).tobytes())
        for f in fields(a)
    )


@pytest.fixture
def trace():
    return toy.trace(toy.shard())


def test_a_trace_comes_back_bit_for_bit_nan_and_all(tmp_path, trace):
    assert np.isnan(trace.valid_loss).any() and Outcome.DIVERGED in trace.outcome
    write_trace(tmp_path / "t.npz", trace)
    assert equal(read_trace(tmp_path / "t.npz"), trace)


def test_the_same_trace_gives_the_same_bytes_whenever_it_is_written(tmp_path, trace):
    write_trace(tmp_path / "a.npz", trace)
    write_trace(tmp_path / "b.npz", trace)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "no date of today"


def test_a_trace_needs_no_pickle(tmp_path, trace):
    write_trace(tmp_path / "t.npz", trace)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype.kind in "fiU" for name in stored.files)


def test_a_trace_cut_anywhere_is_refused_in_a_sentence(tmp_path, trace):
    path = tmp_path / "t.npz"
    write_trace(path, trace)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(StudyFolderError, match=r"t\.npz is damaged"):
            read_trace(path)


def test_a_trace_with_a_spoilt_byte_is_refused_or_the_same(tmp_path, trace):
    """Every byte of the data is under a checksum; what is not (dates, say) does not matter."""
    path = tmp_path / "t.npz"
    write_trace(path, trace)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        try:
            assert equal(read_trace(path), trace), f"byte {position}"
        except StudyFolderError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("read", [read_trace, read_json])
def test_the_error_of_a_missing_file_says_that_it_is_missing(tmp_path, read):
    with pytest.raises(StudyFolderError, match="is missing"):
        read(tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(StudyFolderError, match="cannot be read"):
        read_json(tmp_path / "x.json")


def test_json_comes_back_and_holds_no_nan(tmp_path):
    value = {"ε": [1e-8, 0.1 + 0.2, None, True, "½"]}
    write_json(tmp_path / "deep" / "x.json", value)
    assert read_json(tmp_path / "deep" / "x.json") == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", [float("nan")])
    assert not (tmp_path / "y.json").exists()


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_bytes(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_process_killed_while_writing_leaves_the_old_file_or_the_new_one(tmp_path):
    """A process rewrites one file as fast as it can and is killed; whatever it was at, the file is whole."""
    path = tmp_path / "x.json"
    code = f"""
import sys
import zipfile
from pathlib import Path
from steepest.records.files import write_json
i = 0
while True:
    write_json(Path({str(path)!r}), [i] * 5000)
    i += 1
    if i == 1:
        print("started", flush=True)
"""
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(20):
                assert len(set(json.loads(path.read_text()))) == 1, "a reader sees a whole file at any time"
            process.kill()
        value = read_json(path)
        assert len(value) == 5000 and len(set(value)) == 1


def test_a_digest_is_sha_256_and_empty_for_no_file(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert file_digest(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert file_digest(Path(tmp_path / "nothing")) == ""
