"""A real Ray on this machine: the same bits as here although a node dies and another one joins, and a word when its
head is dead.
"""

import json
import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
from clusters import ray_toy
from study import toy

from steepest.clusters.on import place
from steepest.errors import BadSetting
from steepest.records.node_records import read_nodes
from steepest.study.run import run

HAS_RAY = find_spec("ray") is not None
SCRIPT = Path(__file__).with_name("ray_toy.py")


def hashes(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "curves").glob("*.npz"))}


def test_without_ray_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    make = place("ray")
    assert make is not None
    with pytest.raises(BadSetting, match=r"pip install 'steepest\[ray\]'"):
        make(tmp_path, None)


@pytest.mark.clusters
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'steepest[ray]'")
def test_nodes_come_and_go_and_a_dead_head_is_told(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, timeout=170)
    seen = json.loads(done.stdout.splitlines()[-1])
    run(ray_toy.SPEC, tmp_path / "here", toy.executor(tmp_path / "here"))
    assert hashes(tmp_path / "node") == hashes(tmp_path / "here") != {}
    assert any("is lost" in words for words in seen["node"])
    assert len(read_nodes(tmp_path / "node")) == 2  # the second has joined
    assert "Ray's head has not answered" in seen["head"] and "steepest resume" in seen["head"]
