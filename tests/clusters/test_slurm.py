"""A real Slurm on loopback: the same bits as here, although agents, nodes, the scheduler and the coordinator die."""

import os
import random
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from clusters import slow_toy
from clusters.slurm_site import Site, why_not
from study import toy

import steepest
from steepest.records.node_records import read_nodes
from steepest.study.run import resume, run

pytestmark = [pytest.mark.clusters, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def hashes(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "curves").glob("*.npz"))}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(tmp_path_factory.mktemp("site"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here") / "study"
    run(slow_toy.SPEC, folder, toy.executor(folder))
    return hashes(folder)


PATIENCE = 150.0
"""Seconds after which a study that takes 20 has come to a stand."""


class Harm:
    """A listener that does harm once, when `share` of the trials are done."""

    def __init__(self, site, share, do):
        self.site, self.share, self.do, self.is_done, self.said = site, share, do, False, []

    def __call__(self, progress):
        if progress.seconds > PATIENCE:
            assert "idle" not in self.site.states().values(), f"the study stands still: {self.said}"
            pytest.skip(f"Slurm itself did not recover: {self.site.states()}")
        if progress.message:
            self.said.append(str(progress.message))
        is_time = progress.trials_done >= self.share * progress.trials_planned
        if not self.is_done and progress.phase == "training" and is_time:
            self.is_done = True
            self.do()


def kill_an_agent(site):
    if agents := site.agents():
        os.kill(random.choice(agents), 9)


def kill_a_node(site):
    name = random.choice(site.nodes)
    site.kill(name)
    site.start(name)


def kill_the_scheduler(site):
    site.kill("slurmctld")
    time.sleep(1)
    site.start("slurmctld")


HARMS = {"agent": kill_an_agent, "node": kill_a_node, "scheduler": kill_the_scheduler}


@pytest.mark.parametrize("what", HARMS)
def test_the_bits_are_the_same_although_something_dies(site, here, tmp_path, what):
    site.until_idle()
    harm = Harm(site, random.random() / 2, lambda: HARMS[what](site))
    folder = tmp_path / "study"
    run(slow_toy.SPEC, folder, slow_toy.executor(folder), harm)
    assert harm.is_done and hashes(folder) == here, harm.said
    assert {node.node for node in read_nodes(folder)} <= set(site.nodes)


def test_arrays_finish_without_their_coordinator_and_the_next_one_takes_them_in(site, here, tmp_path):
    site.until_idle()
    folder = tmp_path / "study"
    coordinator = subprocess.Popen([sys.executable, slow_toy.__file__, "run", str(folder)], start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not hashes(folder):
            assert time.monotonic() < until and coordinator.poll() is None
            time.sleep(0.02)
    finally:
        coordinator.kill()
        coordinator.wait()
    before = set(hashes(folder))
    site.until_idle()
    left = {path.name for path in (folder / "slurm").glob("*.reply")}
    assert left, "the arrays go on by themselves"
    arrays = len([*(folder / "logs").glob("slurm-*_0.log")])
    resume(folder, slow_toy.executor(folder))
    assert hashes(folder) == here
    assert len(before) < len(here)
    assert arrays <= len([*(folder / "logs").glob("slurm-*_0.log")])


def test_a_refusal_of_slurm_is_told_in_its_words(site, tmp_path):
    with pytest.raises(steepest.errors.BadSetting, match=r"Slurm refuses the study: .*partition"):
        steepest.compare("digits-linear", on="slurm:partition=nowhere", out=tmp_path / "study", quiet=True)
    assert not (tmp_path / "study").exists()


def listening(pid):
    """Inodes of the sockets on which a process listens."""
    found = set()
    for line in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(line.readlink()))
        except OSError:
            continue
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in found]


def test_a_real_study_has_the_same_bits_and_nothing_listens(site, tmp_path):
    site.until_idle()
    heard = set()

    def look(progress):
        for pid in [os.getpid(), *site.agents()]:
            if Path(f"/proc/{pid}").exists():
                heard.update(listening(pid))

    options = {"optimizers": "sgd", "rates": [0.01, 0.1], "seeds": 2, "engine": "fleet", "workers": 2}
    steepest.compare("digits-linear", out=tmp_path / "here", quiet=True, **options)
    place = "slurm:nodes=2,grace=1"
    steepest.compare("digits-linear", out=tmp_path / "there", on=place, listener=look, **options)
    assert hashes(tmp_path / "there") == hashes(tmp_path / "here") != {}
    assert heard == set()
