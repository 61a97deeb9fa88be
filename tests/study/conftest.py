"""A finished toy study, and a copy of it for each test."""

import shutil
from pathlib import Path

import pytest
from study import toy

from steepest.study.run import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study; tests work on copies."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    run(toy.spec("inside"), folder, toy.executor(folder))
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))
