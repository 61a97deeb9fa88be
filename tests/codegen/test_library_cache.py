"""Compiled libraries on disk: what is damaged, or ends the process that loads it, is made again."""

import os
import signal
from pathlib import Path

import pytest

from steepest.codegen import toolchain
from steepest.records.loading_marks import loading

pytestmark = pytest.mark.compile

PROGRAM = 'extern "C" int seven() { return 7; }\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "folder", lambda: tmp_path)
    toolchain.load.cache_clear()
    yield tmp_path
    toolchain.load.cache_clear()


def loaded() -> int:
    """Load the program as a new process would."""
    toolchain.load.cache_clear()
    return toolchain.load(PROGRAM).seven()


def libraries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "rubbish"])
def test_a_damaged_library_is_never_loaded_but_made_again(cache, damage):
    path = toolchain._compile((*toolchain._COMMON_FLAGS, "-O0"), (), PROGRAM, "k" * 32)
    whole = path.read_bytes()
    assert toolchain._cached("k" * 32) == path
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"torn": whole[:-100], "flipped": bytes(flipped), "empty": b"", "rubbish": b"x" * 5000}[damage])
    assert toolchain._cached("k" * 32) is None
    assert libraries(cache) == []


def test_a_library_is_compiled_once_and_again_after_damage(cache):
    assert loaded() == 7
    (path,) = libraries(cache)
    before = path.stat().st_mtime_ns
    assert loaded() == 7
    assert path.stat().st_mtime_ns == before
    path.unlink()  # it is mapped into this process: written in place, it would take the process with it
    path.write_bytes(b"\x7fELF")
    assert loaded() == 7
    (path,) = libraries(cache)
    assert path.stat().st_size > 1000


def test_a_library_that_ended_a_process_is_made_again(cache):
    assert loaded() == 7
    (path,) = libraries(cache)
    old = path.stat().st_ino
    if (child := os.fork()) == 0:
        with loading(path):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len([*cache.iterdir()]) == 2, "the library, and the mark of the process that it ended"
    assert loaded() == 7
    (path,) = [*cache.iterdir()]
    assert path.stat().st_ino != old
