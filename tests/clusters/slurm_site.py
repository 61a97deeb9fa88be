"""Slurm on this machine for a test: munged, slurmctld and several slurmd on loopback, without systemd and accounting.

All run in the foreground as children of the test, and are ended by their process ids.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from steepest.clusters.slurm import BUNDLE, REPLY, TAKEN
from steepest.records.files import parse_json

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
SBIN = ("/usr/sbin", "/sbin")


def why_not() -> str:
    """Why Slurm cannot be started here; "" if it can."""
    missing = [name for name in PROGRAMS if where(name) is None]
    if missing:
        return f"{missing[0]} is not installed: apt-get install slurmctld slurmd slurm-client munge"
    return "" if os.geteuid() == 0 else "slurmd needs root"


def where(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *SBIN)))


def free_ports(count: int) -> list[int]:
    lines = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [line.getsockname()[1] for line in lines]
    for line in lines:
        line.close()
    return ports


@dataclass(frozen=True)
class AgentAtWork:
    """A running agent that still has jobs without a reply."""

    pid: int
    node: str
    bundle: str
    tickets: frozenset[str]


class Site:
    def __init__(self, place: Path, nodes: int = 3, cores: int = 2, node_timeout: int = 10) -> None:
        self.place, self.nodes = place, [f"n{i + 1}" for i in range(nodes)]
        self._is_down: dict[str, float] = {}  # node → since when
        self._looked = 0.0
        for name in ("state", "spool", "log", "munge", "run"):
            (place / name).mkdir(parents=True)
        (place / "munge").chmod(0o700)
        (place / "run").chmod(0o755)
        (place / "munge" / "key").write_bytes(secrets.token_bytes(1024))
        (place / "munge" / "key").chmod(0o400)
        self.conf = place / "slurm.conf"
        self.conf.write_text(self._conf(cores, node_timeout))
        (place / "cgroup.conf").write_text("CgroupAutomount=no\n")
        self.children: dict[str, subprocess.Popen] = {}
        os.environ["SLURM_CONF"] = str(self.conf)
        try:
            self.start("munged")
            self.until(lambda: (place / "run" / "socket").exists(), "munged does not answer")
            for name in ("slurmctld", *self.nodes):
                self.start(name)
            self.until_idle()
        except BaseException:
            self.close()
            raise

    def _conf(self, cores: int, node_timeout: int) -> str:
        host, (port, *ports) = socket.gethostname().split(".")[0], free_ports(1 + len(self.nodes))
        lines = f"""
            ClusterName=loop
            SlurmctldHost={host}(127.0.0.1)
            SlurmUser=root
            SlurmdUser=root
            AuthType=auth/munge
            AuthInfo=socket={self.place}/run/socket
            CredType=cred/munge
            CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
            SlurmctldPort={port}
            StateSaveLocation={self.place}/state
            SlurmdSpoolDir={self.place}/spool/%n
            SlurmctldPidFile={self.place}/run/slurmctld.pid
            SlurmdPidFile={self.place}/run/%n.pid
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            JobAcctGatherType=jobacct_gather/none
            AccountingStorageType=accounting_storage/none
            MpiDefault=none
            SwitchType=switch/none
            ReturnToService=2
            SlurmdTimeout={node_timeout}
            SlurmctldTimeout=10
            MessageTimeout=5
            KillWait=2
            MinJobAge=60
            SchedulerType=sched/backfill
            SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
            SelectType=select/cons_tres
            SelectTypeParameters=CR_Core
            SlurmdParameters=config_overrides
            PreemptType=preempt/partition_prio
            PreemptMode=REQUEUE
        """
        found = [line.strip() for line in lines.strip().splitlines()]
        for name, at in zip(self.nodes, ports, strict=True):
            (self.place / "spool" / name).mkdir()
            found.append(
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={at} CPUs={cores} RealMemory=2000"
            )
        found.append("PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1")
        found.append("PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10")
        return "\n".join(found) + "\n"

    def start(self, name: str) -> None:
        """munged, slurmctld or a node."""
        key, run, log = self.place / "munge", self.place / "run", self.place / "log"
        if name == "munged":
            files = {"key": key / "key", "socket": run / "socket", "pid": run / "munged.pid", "log": log / "munged"}
            words = ["munged", "--foreground", "--force", f"--seed-file={key / 'seed'}", f"--socket={files['socket']}"]
            words += [f"--{option}-file={files[option]}" for option in ("key", "pid", "log")]
        elif name == "slurmctld":
            words = ["slurmctld", "-D", "-f", str(self.conf)]
        else:
            words = ["slurmd", "-D", "-N", name, "-f", str(self.conf)]
        with (log / f"{name}.out").open("ab") as out:
            self.children[name] = subprocess.Popen(
                [where(words[0]), *words[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """At once, as when a machine loses its power: with all that runs on a node."""
        child = self.children.pop(name)
        mine = [child.pid]
        if name in self.nodes:
            mine += [pid for pid in _processes() if f"SLURMD_NODENAME={name}" in _environment(pid, self.conf)]
        for pid in mine:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        child.wait()

    def processes(self) -> dict[int, dict[str, str]]:
        """Agents and their workers: process id → environment."""
        found = {
            pid: dict(line.split("=", 1) for line in _environment(pid, self.conf) if "=" in line)
            for pid in _processes()
        }
        return {pid: environment for pid, environment in found.items() if "SLURM_ARRAY_TASK_ID" in environment}

    def at_work(self) -> list[AgentAtWork]:
        """What an agent still has to do follows from its arguments: FOLDER ARRAY."""
        found = []
        for pid, environment in self.processes().items():
            folder, array = ["", "", *_command(pid)][-2:]
            if array != environment.get("SLURM_JOB_NAME") or _parent(pid) in self.processes():
                continue  # a worker, or the script that becomes an agent
            name = f"{array}_{environment['SLURM_ARRAY_TASK_ID']}"
            if left := open_tickets(Path(folder), name):
                found.append(AgentAtWork(pid, environment["SLURMD_NODENAME"], name, frozenset(left)))
        return sorted(found, key=lambda agent: agent.bundle)

    def running(self) -> set[str]:
        """The bundles that `squeue` shows as running."""
        words = ["squeue", "--me", "--noheader", "--array", "--states=RUNNING", "--format=%j_%K"]
        return set(subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.split())

    def queue(self) -> list[str] | None:
        """All that waits and runs; None where the scheduler does not answer."""
        done = subprocess.run(["squeue", "--me", "--noheader"], capture_output=True, text=True, timeout=60)
        return None if done.returncode else done.stdout.splitlines()

    def states(self) -> dict[str, str]:
        """Node → state; empty where the scheduler does not answer."""
        done = subprocess.run(["sinfo", "-h", "-N", "-o", "%N %T"], capture_output=True, text=True, timeout=60)
        return dict(line.split() for line in done.stdout.splitlines())

    def help(self, but: Collection[str] = ()) -> dict[str, str]:
        """What an administrator does: start what has ended, and resume what stays down. The states of the nodes."""
        for name in ("munged", "slurmctld", *self.nodes):
            if name not in but and (name not in self.children or self.children[name].poll() is not None):
                self.start(name)
        if time.monotonic() - self._looked < 1:
            return {}
        self._looked = time.monotonic()
        states, now = self.states(), time.monotonic()
        down = {name for name, state in states.items() if state.rstrip("*") in ("down", "drained", "draining")}
        self._is_down = {name: self._is_down.get(name, now) for name in down}
        for name in [name for name, since in self._is_down.items() if now - since > 10]:
            words = ["scontrol", "update", f"nodename={name}", "state=resume"]
            subprocess.run(words, capture_output=True, timeout=60)
            self._is_down[name] = now
        return states

    def until_idle(self) -> None:
        """Until nothing waits or runs, and all nodes are there."""
        began = time.monotonic()
        while {*(states := self.help()).values()} != {"idle"} or self.queue() != []:
            assert time.monotonic() - began < 120, f"Slurm itself does not come up again: {states}, {self.queue()}"
            time.sleep(1)

    def until(self, condition, trouble: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"{trouble}: see {self.place / 'log'}"
            time.sleep(0.1)

    def close(self) -> None:
        for name in [name for name in self.nodes if name in self.children]:
            self.kill(name)
        for name in [*self.children]:
            self.kill(name)
        os.environ.pop("SLURM_CONF", None)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _environment(pid: int, conf: Path) -> list[str]:
    """Of a process of this site."""
    with suppress(OSError):
        found = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        if f"SLURM_CONF={conf}" in found:
            return found
    return []


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    return []


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def open_tickets(folder: Path, bundle: str) -> set[str]:
    """Of a bundle's jobs, those that have neither a reply nor a mark that it was taken in."""
    path = folder / f"{bundle}{BUNDLE}"
    if not path.is_file():
        return set()
    tickets = {parse_json(content.encode())["ticket"] for content in parse_json(path.read_bytes())}
    return {
        ticket for ticket in tickets if not any((folder / f"{ticket}{ending}").exists() for ending in (REPLY, TAKEN))
    }
