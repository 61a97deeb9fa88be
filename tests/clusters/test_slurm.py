"""A real Slurm on loopback: the same bits as here, although agents, nodes, the scheduler and the coordinator die."""

import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from clusters import slow_toy
from clusters.listeners import listening
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


PATIENCE = 240.0
"""Seconds after which a study that takes 20 has come to a stand."""


class Harm:
    """A listener that does harm while an agent has work: shards are held until then, so that there is some."""

    def __init__(self, site, folder, do, after=1):
        """after: shards that are trained before."""
        self.site, self.folder, self.do, self.is_done, self.said = site, folder, do, False, []
        self.after = after
        slow_toy.hold(folder, after)

    def __call__(self, progress):
        assert progress.seconds < PATIENCE, f"the study stands still: {self.said}, {self.site.states()}"
        if progress.message:
            self.said.append(str(progress.message))
        if not self.is_done and len(slow_toy.trained(self.folder)) >= self.after and (agents := self.site.at_work()):
            self.do(self.site, agents[0])
            self.is_done = True
            slow_toy.release(self.folder)
        if self.is_done:
            self.site.help(but=self.absent())

    def absent(self):
        return ()


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def kill_an_agent(site, agent):
    os.kill(agent.pid, signal.SIGKILL)
    site.until(lambda: not is_alive(agent.pid), "a killed agent lives")


def kill_a_node(site, agent):
    site.kill(agent.node)
    site.until(lambda: not is_alive(agent.pid), "an agent survives its node")


def kill_the_scheduler(site, agent):
    site.kill("slurmctld")  # the study's own words say that it is missed


HARMS = {"agent": kill_an_agent, "node": kill_a_node, "scheduler": kill_the_scheduler}


class HarmToTheScheduler(Harm):
    """It comes again once the study has said that it is missed."""

    def absent(self):
        return () if any("Slurm does not answer" in words for words in self.said) else ("slurmctld",)


@pytest.mark.parametrize("what", HARMS)
def test_the_bits_are_the_same_although_something_dies(site, here, tmp_path, what):
    site.until_idle()
    folder = tmp_path / "study"
    harm = (HarmToTheScheduler if what == "scheduler" else Harm)(site, folder, HARMS[what])
    run(slow_toy.SPEC, folder, slow_toy.executor(folder), harm)
    assert harm.is_done and hashes(folder) == here, harm.said
    assert not (folder / "slurm").exists(), "files of the cluster are left"
    nodes = read_nodes(folder)
    assert {node.node for node in nodes} <= set(site.nodes)
    if what == "scheduler":
        assert any("Slurm answers again" in words for words in harm.said)
    else:
        assert any("lost" in words for words in harm.said)


def test_arrays_finish_without_their_coordinator_and_the_next_one_takes_them_in(site, here, tmp_path):
    site.until_idle()
    folder = tmp_path / "study"
    slow_toy.hold(folder, after=1)
    coordinator = subprocess.Popen([sys.executable, slow_toy.__file__, "run", str(folder)], start_new_session=True)
    try:
        site.until(lambda: coordinator.poll() is not None or hashes(folder), "nothing is trained")
        while not (open_ones := stopped_amid_work(site, coordinator)):
            time.sleep(0.1)
    finally:
        coordinator.kill()
        coordinator.wait()
    before = set(hashes(folder))
    slow_toy.release(folder)
    site.until_idle()
    left = {path.name.removesuffix(".reply") for path in (folder / "slurm").glob("*.reply")}
    assert open_ones <= left, "the arrays go on by themselves"
    trained = slow_toy.trained(folder)
    assert len(before) < len(trained) < len(here)
    resume(folder, slow_toy.executor(folder))
    assert hashes(folder) == here
    once = dict.fromkeys((name.removesuffix(".npz") for name in here), 1)
    assert slow_toy.trained(folder) == once, "what the arrays have done is not trained again"


def stopped_amid_work(site, coordinator):
    """Stop the coordinator, and let it go on if nothing is under way: the tickets that are."""
    assert coordinator.poll() is None, "the study has ended"
    os.kill(coordinator.pid, signal.SIGSTOP)
    running = site.running()
    if found := frozenset().union(*(agent.tickets for agent in site.at_work() if agent.bundle in running)):
        return found
    os.kill(coordinator.pid, signal.SIGCONT)
    return found


def test_a_refusal_of_slurm_is_told_in_its_words(site, tmp_path):
    with pytest.raises(steepest.errors.BadSetting, match=r"Slurm refuses the study: .*partition"):
        steepest.compare("digits-linear", on="slurm:partition=nowhere", out=tmp_path / "study", quiet=True)
    assert not (tmp_path / "study").exists()


def test_a_real_study_has_the_same_bits_and_nothing_listens(site, tmp_path):
    site.until_idle()
    seen, heard = set(), set()

    def look(progress):
        for pid in [os.getpid(), *site.processes()]:
            seen.add(pid)
            heard.update(listening(pid))

    options = {"optimizers": "sgd", "rates": [0.01, 0.1], "seeds": 2, "engine": "fleet", "workers": 2}
    steepest.compare("digits-linear", out=tmp_path / "here", quiet=True, **options)
    place = "slurm:nodes=2,grace=1"
    steepest.compare("digits-linear", out=tmp_path / "there", on=place, listener=look, **options)
    assert hashes(tmp_path / "there") == hashes(tmp_path / "here") != {}
    assert len(seen) > 1 and heard == set()
