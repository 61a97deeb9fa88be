"""Code of a study runs only if this user has run it before or says so, and only if it is the code that was studied."""

from hashlib import sha256

import pytest

from steepest.errors import BadTask
from steepest.records.task_facts import TaskRef
from steepest.study import trust


@pytest.fixture
def ref(tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "task.py"
    path.write_text("task = 1\n")
    return TaskRef("task", "file", str(path), sha256(path.read_bytes()).hexdigest())


def test_code_that_was_never_run_here_is_refused_with_its_name(ref):
    with pytest.raises(BadTask, match=rf"{ref.locator} \(sha256 {ref.digest[:12]} …\).*--trust"):
        trust.check_trust([ref], trusted=False)


def test_code_that_was_run_or_trusted_once_is_known(ref):
    trust.check_trust([ref], trusted=True)
    trust.check_trust([ref], trusted=False)


def test_the_same_content_elsewhere_is_not_known(ref, tmp_path):
    """It would import other files beside it."""
    trust.remember([ref])
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "task.py"
    other.write_text("task = 1\n")
    with pytest.raises(BadTask, match="have not run before"):
        trust.check_trust([TaskRef("task", "file", str(other), ref.digest)], trusted=False)


@pytest.mark.parametrize("trusted", [True, False])
def test_code_without_a_digest_or_with_another_one_never_runs(ref, trusted):
    trust.remember([ref])
    with pytest.raises(BadTask, match="without its SHA-256"):
        trust.check_trust([TaskRef("task", "file", ref.locator)], trusted)
    with pytest.raises(BadTask, match="has changed"):
        trust.check_trust([TaskRef("task", "file", ref.locator, "0" * 64)], trusted)
    with pytest.raises(BadTask, match="cannot be read"):
        trust.check_trust([TaskRef("task", "file", "/nowhere/task.py", ref.digest)], trusted)


def test_tasks_without_code_need_no_trust(ref):
    data = TaskRef("wine", "data", "/nowhere/wine.csv", "0" * 64)
    trust.check_trust([TaskRef("digits", "catalogue", "digits"), data], trusted=False)


def test_notes_that_others_could_have_written_do_not_count(ref, tmp_path):
    trust.remember([ref])
    trust.private_folder.__globals__["_private_folder"].cache_clear()
    (tmp_path / "cache" / "trusted").chmod(0o777)
    with pytest.raises(BadTask, match="have not run before"):
        trust.check_trust([ref], trusted=False)
