"""Folders for what is kept between processes are this user's own, or others are taken."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from steepest.records.loading_marks import loading, remove_deadly
from steepest.records.private_cache import private_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where the cache is meant to be; temporary files have a folder of their own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def is_elsewhere(folder: Path, cache: Path) -> bool:
    """Whether a folder is a private one among the temporary files."""
    own = stat.S_IMODE(folder.lstat().st_mode) == 0o700 and folder.lstat().st_uid == os.geteuid()
    return own and cache not in folder.parents and cache.with_name("tmp") in folder.parents


def test_a_folder_of_the_cache_is_made_for_this_user_alone(cache):
    folder = private_folder("kernels")
    assert folder == cache / "kernels"
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_folder_that_others_can_only_read_is_closed_to_them(cache):
    (cache / "kernels").mkdir(parents=True)
    (cache / "kernels").chmod(0o755)
    assert private_folder("kernels") == cache / "kernels"
    assert stat.S_IMODE((cache / "kernels").stat().st_mode) == 0o700


@pytest.mark.parametrize("wide", ["cache", "kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(cache, wide, mode):
    (cache / "kernels").mkdir(parents=True)
    (cache if wide == "cache" else cache / "kernels").chmod(mode)
    assert is_elsewhere(private_folder("kernels"), cache)


@pytest.mark.parametrize("name", ["cache", "kernels"])
def test_a_link_is_not_used(cache, tmp_path, name):
    (tmp_path / "planted" / "kernels").mkdir(parents=True, mode=0o700)
    if name == "cache":
        cache.symlink_to(tmp_path / "planted")
    else:
        cache.mkdir(mode=0o700)
        (cache / "kernels").symlink_to(tmp_path / "planted" / "kernels")
    assert is_elsewhere(private_folder("kernels"), cache)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(cache):
    (cache / "kernels").mkdir(parents=True, mode=0o700)
    os.chown(cache / "kernels", 12345, 12345)
    assert is_elsewhere(private_folder("kernels"), cache)


def test_without_a_place_for_a_cache_there_is_one_among_the_temporary_files(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "file" / "cache"))
    first = private_folder("kernels")
    assert is_elsewhere(first, cache)
    assert private_folder("kernels") == first, "one for all processes, or each would compile for itself"


def test_if_that_place_was_taken_by_somebody_there_is_still_one(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "tmp" / f"steepest-{os.geteuid()}").symlink_to(tmp_path)
    assert is_elsewhere(private_folder("kernels"), cache)


# ---- libraries that end a process ------------------------------------------------------------------------------------


def test_a_library_is_kept_if_its_process_lives_on(tmp_path):
    library = tmp_path / "k-1.so"
    library.write_bytes(b"")
    with loading(library):
        assert not remove_deadly(tmp_path), "this process is alive"
    with pytest.raises(OSError), loading(library):
        raise OSError("cannot be loaded")
    assert not remove_deadly(tmp_path, os.getpid())
    assert [*tmp_path.iterdir()] == [library]


@pytest.mark.parametrize("names_it", [True, False])
def test_a_library_that_ended_its_process_is_removed(tmp_path, names_it):
    library = tmp_path / "k-1.so"
    library.write_bytes(b"")
    if (child := os.fork()) == 0:
        with loading(library):
            os._exit(0)
    os.waitpid(child, 0)
    assert remove_deadly(tmp_path, child if names_it else None)
    assert [*tmp_path.iterdir()] == []
