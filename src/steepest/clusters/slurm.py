"""A study as job arrays of Slurm: jobs are bundled in files, `sbatch` starts an agent for each bundle, and replies come
back as files. All over the shared file system: nothing of ours listens on a port.

What is under way follows from `squeue` and the bundles alone. So a coordinator that comes after one that has died finds
the arrays that still run, and takes in what they have done.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from time import monotonic, sleep

from steepest.clusters.bundles import bundles
from steepest.clusters.parcels import Parcel
from steepest.clusters.slurm_options import SlurmOptions
from steepest.errors import BadSetting, StudyFolderError
from steepest.messages import Message, say
from steepest.records.bounded import read_file
from steepest.records.files import parse_json, write_bytes
from steepest.records.record import is_json_object
from steepest.study.places import SLURM, is_plain_name

BUNDLE, REPLY, TAKEN, SEEN = ".bundle", ".reply", ".taken", ".seen"
"""What names end with: jobs of an agent; a reply; a mark that it was taken in; what an agent says on its way."""
MAX_REPLY_BYTES = 2**28
SECONDS_BETWEEN_LOOKS = 3.0
"""Between two calls of `squeue`."""
SECONDS_BETWEEN_LISTINGS = 0.25
TRIES_TO_REMOVE = 8
"""A folder into which others write."""
COMMAND_SECONDS = 30.0
"""That a command of Slurm may take."""
SECONDS_TO_TRY_AGAIN = 10.0
"""After `sbatch` has failed."""


@dataclass(frozen=True)
class _Task:
    """A task of an array in the queue: the agent of one bundle."""

    number: str
    """As `scancel` takes it: 12_3."""
    bundle: str
    is_stuck: bool
    """It waits for something that may take minutes or for ever, such as after a preemption: a new one is quicker."""


class SlurmCluster:
    """The queue is looked at, never trusted to report: what is in it is held, and what is not has come or is lost."""

    agent: tuple[str, ...] = (sys.executable, "-m", "steepest.clusters.slurm_agent")
    """The command that serves a bundle."""

    def __init__(self, folder: Path, options: SlurmOptions, workers: int | None = None) -> None:
        """Raises BadSetting where Slurm's commands are not installed."""
        if missing := [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]:
            raise BadSetting(f"{missing[0]} is not installed here. Start the study on a login node of the cluster.")
        self.options = options
        self.grace = options.grace
        self.workers = workers or options.nodes * options.cpus
        self._study = folder.resolve()
        self._place = self._study / SLURM
        self._name = ""
        """What the names of our arrays begin with."""
        self._bundles: dict[str, list[str]] = {}  # name → tickets
        self._young: dict[str, float] = {}  # bundles that the queue need not show yet, with when they were sent
        self._asked: set[str] = set()
        self._waiting: list[Parcel] = []
        self._try_again = 0.0
        self._news: list[Message] = []
        self._tasks: list[_Task] | None = None
        self._looked = -SECONDS_BETWEEN_LOOKS
        self._is_silent = False  # the scheduler
        self._seen: dict[str, int] = {}  # file → when it was written

    # ---- jobs out ----------------------------------------------------------------------------------------------------

    def send(self, parcels: Sequence[Parcel]) -> None:
        if parcels and parcels[0].cores > self.options.cpus:
            raise BadSetting(
                f"A trial on {parcels[0].cores} processes needs as many cores of one node, and an agent has "
                f"{self.options.cpus}. Give --on slurm:cpus={parcels[0].cores} or more."
            )
        self._begin()
        under_way = self._look()
        held = {ticket for name in under_way or () for ticket in self._bundles.get(name, ())}
        here = {path.name.partition(".")[0] for path in self._files(REPLY)}
        self._asked |= {parcel.ticket for parcel in parcels}
        for parcel in parcels:
            (self._place / f"{parcel.ticket}{TAKEN}").unlink(missing_ok=True)
            if parcel.ticket not in held and parcel.ticket not in here:  # an earlier coordinator may have sent it
                self._waiting.append(parcel)
        self._submit()

    def _begin(self) -> None:
        """The folder, and what an earlier coordinator has left there."""
        if self._name:
            return
        self._place.mkdir(mode=0o700, exist_ok=True)
        if self._place.is_symlink() or self._place.stat().st_uid != os.geteuid():
            raise StudyFolderError(f"{self._place} is not a folder of yours. Delete it.")
        mark = self._place / "name"
        with suppress(OSError):
            self._name = read_file(mark, 100).decode("ascii", "replace").strip()
        if not self._name.startswith("steepest-") or not self._name.removeprefix("steepest-").isalnum():
            self._name = f"steepest-{secrets.token_hex(4)}"
            write_bytes(mark, self._name.encode())
        for path in self._files(BUNDLE):
            self._bundles[path.name.removesuffix(BUNDLE)] = [*_tickets(path)]

    def _submit(self) -> None:
        """An array for what waits; where the scheduler does not take it, again in a while."""
        if not self._waiting or monotonic() < self._try_again:
            return
        alone, at_a_time = self._waiting[0].alone, self.options.cpus // self._waiting[0].cores
        made = [*bundles(self._waiting, self.options.nodes, at_a_time, self.options.bundle, self.options.most)]
        array = f"{self._name}-{secrets.token_hex(4)}"
        for number, bundle in enumerate(made):
            content = json.dumps([parcel.content.decode() for parcel in bundle]).encode()
            write_bytes(self._place / f"{array}_{number}{BUNDLE}", content)
            self._bundles[f"{array}_{number}"] = [parcel.ticket for parcel in bundle]
        agent = [*self.agent, str(self._place), array]
        limit = f"%{self.options.nodes}" if len(made) > self.options.nodes else ""
        answer, trouble = _ask(
            "sbatch",
            "--parsable",
            "--requeue",
            f"--job-name={array}",
            f"--array=0-{len(made) - 1}{limit}",
            f"--cpus-per-task={self.options.cpus}",
            "--ntasks=1",
            f"--output={self._study / 'logs' / 'slurm-%A_%a.log'}",
            "--open-mode=append",
            *(["--exclusive"] if alone else []),
            *self.options.others,
            f"--wrap=exec {' '.join(map(quote, agent))}",
        )
        if trouble:
            self._remove(array)
            if answer is not None:  # sbatch has understood and refused: it will not change its mind
                raise BadSetting(f"Slurm refuses the study: {trouble}")
            self._say_silent(trouble)
            self._try_again = monotonic() + SECONDS_TO_TRY_AGAIN
            return
        self._young |= {f"{array}_{number}": monotonic() for number in range(len(made))}
        self._waiting = []

    def _remove(self, array: str) -> None:
        for name in [name for name in self._bundles if name.startswith(f"{array}_")]:
            del self._bundles[name]
            (self._place / f"{name}{BUNDLE}").unlink(missing_ok=True)

    # ---- replies in --------------------------------------------------------------------------------------------------

    def receive(self, timeout: float) -> list[bytes]:
        until = monotonic() + timeout
        while True:
            self._submit()
            if found := [*self._progress(), *self._replies()]:
                return found
            if (left := until - monotonic()) <= 0:
                return []
            sleep(min(SECONDS_BETWEEN_LISTINGS, left))

    def _replies(self) -> Iterator[bytes]:
        """Of the jobs that this coordinator has asked for; an earlier one's are left until it does."""
        for path in self._files(REPLY):
            if path.name.removesuffix(REPLY) not in self._asked:
                continue
            with suppress(OSError):
                written = path.stat().st_mtime_ns
                if self._seen.get(path.name) == written:  # read before and not taken in: it is not sound
                    path.unlink()
                    continue
                self._seen[path.name] = written
                yield read_file(path, MAX_REPLY_BYTES)

    def _progress(self) -> Iterator[bytes]:
        for path in self._files(SEEN):
            with suppress(OSError):
                written = path.stat().st_mtime_ns
                if self._seen.get(path.name) != written:
                    self._seen[path.name] = written
                    for line in read_file(path, MAX_REPLY_BYTES).splitlines():
                        yield line + b"\n"

    def forget(self, ticket: str) -> None:
        if self._name:
            (self._place / f"{ticket}{TAKEN}").touch()  # so that its bundle, started again, leaves it out
            (self._place / f"{ticket}{REPLY}").unlink(missing_ok=True)

    # ---- the queue ---------------------------------------------------------------------------------------------------

    def held(self) -> set[str] | None:
        if not self._name:
            return set()
        under_way = self._look()
        if under_way is None:
            return None
        waiting = {parcel.ticket for parcel in self._waiting}
        return waiting | {ticket for name in under_way for ticket in self._bundles.get(name, ())}

    def _look(self) -> set[str] | None:
        """Names of the bundles whose agents wait or run; None while the scheduler does not answer."""
        if monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS:
            began = monotonic()
            answer, trouble = _ask("squeue", "--me", "--noheader", "--array", "--format=%i|%j|%T|%r")
            self._looked = monotonic()
            if trouble or answer is None:
                self._say_silent(trouble)
                self._tasks = None
            else:
                if self._is_silent:
                    self._is_silent = False
                    self._news.append(say("Slurm answers again."))
                self._tasks = [*self._of_queue(answer)]
                self._young = {name: sent for name, sent in self._young.items() if sent >= began}
                self._leave_the_stuck()
        if self._tasks is None:
            return None
        return {task.bundle for task in self._tasks} | set(self._young)

    def _of_queue(self, answer: str) -> Iterator[_Task]:
        for line in answer.splitlines():
            number, name, state, reason = (*line.split("|", 3), "", "", "")[:4]
            if self._name and name.startswith(f"{self._name}-") and "_" in number:
                stuck = state == "PENDING" and (reason == "BeginTime" or "held" in reason.lower())
                yield _Task(number, f"{name}_{number.partition('_')[2]}", stuck)

    def _leave_the_stuck(self) -> None:
        """A task that was preempted or lost its node comes again after minutes, or when somebody releases it: what it
        had is sent again instead."""
        stuck = [task for task in self._tasks or () if task.is_stuck]
        if stuck:
            _ask("scancel", *(task.number for task in stuck))
            self._tasks = [task for task in self._tasks or () if not task.is_stuck]

    def _say_silent(self, trouble: str) -> None:
        if not self._is_silent:
            self._is_silent = True
            self._news.append(say("Slurm does not answer ({why}); what runs goes on.", why=trouble))

    def news(self) -> list[Message]:
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        if not self._name:
            return
        self._looked = -SECONDS_BETWEEN_LOOKS
        self._look()
        if self._tasks:
            _ask("scancel", *{task.number.partition("_")[0] for task in self._tasks})
        elif self._tasks is None:
            _ask("scancel", "--me", f"--name={','.join({name.rpartition('_')[0] for name in self._bundles})}")
        left = {path.name.removesuffix(REPLY) for path in self._files(REPLY)}
        taken = {path.name.removesuffix(TAKEN) for path in self._files(TAKEN)}
        if left <= taken:  # what has come twice
            self._remove_place()
        self._name = ""

    def _remove_place(self) -> None:
        """The folder of bundles and replies, in which an agent that is just being cancelled may still write."""
        for _ in range(TRIES_TO_REMOVE):
            shutil.rmtree(self._place, ignore_errors=True)
            if not self._place.exists():
                return
            sleep(SECONDS_BETWEEN_LISTINGS)

    def _files(self, ending: str) -> list[Path]:
        """Whole files of this kind in our folder, and no links."""
        with suppress(OSError), os.scandir(self._place) as found:
            return [
                Path(entry.path)
                for entry in found
                if entry.name.endswith(ending) and is_plain_name(entry.name) and entry.is_file(follow_symlinks=False)
            ]
        return []


def _tickets(path: Path) -> Iterator[str]:
    """Of the jobs in a bundle."""
    with suppress(OSError, ValueError, TypeError):
        for content in parse_json(read_file(path)):
            job = parse_json(content.encode())
            if is_json_object(job):
                yield job["ticket"]


def _ask(command: str, *arguments: str) -> tuple[str | None, str]:
    """What a command of Slurm answers, and what is wrong. There is no answer where nobody could be asked."""
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{command}: {type(error).__name__}"
    if done.returncode == 0:
        return done.stdout, ""
    said = " ".join((done.stderr or done.stdout).split())[:300] or f"exit code {done.returncode}"
    unreachable = ("contact", "connect", "timed out", "communication", "slurm_load", "try again", "busy", "backup")
    return (None if any(word in said.lower() for word in unreachable) else ""), said
