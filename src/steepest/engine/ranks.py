"""Several processes that do the same work together, each its own share: forks of this one, connected by gloo over
loopback. Apart from what they train: what a process's death means is decided here.
"""

import ctypes
import json
import os
import pickle
import signal
import stat
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import NoReturn, TypeVar

import torch
from torch import distributed

from steepest import errors
from steepest.errors import SteepestError, TrialFailed
from steepest.records import memory
from steepest.records.litter import scratch

T = TypeVar("T")

RETRIES = 3
"""Times that work is begun again after a process of it has been killed."""
SECONDS_BETWEEN_LOOKS = 0.01
SECONDS_OF_SILENCE = 1800.0
"""That a process waits for the others' share of a step."""
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


class _RankDied(Exception):
    """A process was killed."""


def together(ranks: int, work: Callable[[], T], progress: Callable[[float], None] = lambda done: None) -> T:
    """What `work` returns in rank 0 of `ranks` new processes, all of which do it at the same time within torch's
    default process group. `progress` hears in this process what rank 0 passes to `report`. Where a process is killed,
    all begin again. Raises what `work` raises in any of them.
    """
    died = ""
    for _ in range(1 + RETRIES):
        try:
            with scratch("steepest-ranks") as folder:
                return _once(ranks, work, progress, folder)
        except _RankDied as error:
            died = str(error)
            sys.stderr.write(f"{died}; its trials begin again.\n")
            sys.stderr.flush()
    raise TrialFailed(f"{died}, {1 + RETRIES} times in a row. Perhaps memory ran out; see the study's logs.")


def _once(ranks: int, work: Callable[[], T], progress: Callable[[float], None], folder: Path) -> T:
    """This process joins no group itself: a group's threads do not survive a fork, and the next fork would have it."""
    reading, writing = os.pipe()  # its end is that of all ranks: none may go while another needs its connection
    children: list[int] = []
    codes: dict[int, int] = {}
    try:
        children.extend(_fork(rank, ranks, folder, work, (reading, writing)) for rank in range(ranks))
        while not all((folder / f"{rank}.done").exists() for rank in range(ranks)):
            _look(children, codes)
            if killed := [-code for code in codes.values() if code < 0]:
                raise _RankDied(f"A process of a trial ended ({signal.Signals(killed[0]).name})")
            if len(codes) == ranks or _first_error(folder, is_last=False) is not None:
                raise _first_error(folder, is_last=True) or RuntimeError("The processes of a trial ended early.")
            with suppress(OSError, ValueError):
                progress(float((folder / "progress").read_text()))
            sleep(SECONDS_BETWEEN_LOOKS)
        return pickle.loads((folder / "result").read_bytes())  # our own, in a folder of ours
    finally:
        os.close(writing)
        os.close(reading)
        for child in children:
            if child not in codes:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _look(children: Sequence[int], codes: dict[int, int]) -> None:
    """Note the exit codes of the children that have ended; minus a signal's number where one has ended them."""
    for child in children:
        if child not in codes:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                codes[child] = os.waitstatus_to_exitcode(status)


def _first_error(folder: Path, is_last: bool) -> Exception | None:
    """The error of a rank that does not only say that another one is gone; any of them where there is no other."""
    found = []
    for path in sorted(folder.glob("*.error")):
        with suppress(ValueError):  # not whole yet
            found.append(json.loads(path.read_text()))
    own = [each for each in found if not each["is_of_another"]] or (found if is_last else [])
    if not own:
        return None
    name, message = own[0]["error"], own[0]["message"]
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, SteepestError):
        return kind(message)
    return MemoryError(message) if own[0]["is_full"] else RuntimeError(f"{name}: {message}")


# ---- in a rank -------------------------------------------------------------------------------------------------------


def _fork(rank: int, ranks: int, folder: Path, work: Callable[[], object], ending: tuple[int, int]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _be(rank, ranks, folder, work, ending)
    return child


def _be(rank: int, ranks: int, folder: Path, work: Callable[[], object], ending: tuple[int, int]) -> NoReturn:
    global _folder
    code = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        reading, writing = ending
        os.close(writing)
        _close_sockets()
        _folder = folder
        with _group(rank, ranks, folder):
            found = work()
            if rank == 0:
                (folder / "result").write_bytes(pickle.dumps(found))
            (folder / f"{rank}.done").touch()
            os.read(reading, 1)
        code = 0
    except BaseException as error:
        if not isinstance(error, SteepestError):
            traceback.print_exc()
        words = {
            "error": type(error).__name__,
            "message": str(error),
            "is_full": memory.ran_out(error),
            "is_of_another": _is_of_another(error),
        }
        (folder / f"{rank}.error").write_text(json.dumps(words))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_sockets() -> None:
    """Those of the process that was forked: its coordinator must notice its death."""
    for name in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):
            if name > 2 and stat.S_ISSOCK(os.fstat(name).st_mode):
                os.close(name)


def _is_of_another(error: BaseException) -> bool:
    """Whether it says that another process is not there any more."""
    known = ("Connection closed by peer", "Connection reset", "gloo", "Broken pipe")
    return isinstance(error, RuntimeError) and any(words in str(error) for words in known)


@contextmanager
def _group(rank: int, ranks: int, folder: Path) -> Generator[None]:
    """Within, this process is a rank of torch's default process group."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=ranks,
        timeout=timedelta(seconds=SECONDS_OF_SILENCE),
    )
    yield  # the process ends with the group


_folder = Path()
"""Of the processes that work together; in each of them."""


def report(done: float) -> None:
    """Have the process that waits for the ranks hear the share that is done."""
    if distributed.get_rank() == 0:
        (_folder / "progress").write_text(str(done))


def share(count: int) -> slice:
    """The part of this process of `count` things in a row; the parts' lengths differ by one at most."""
    return _share(count, distributed.get_rank())


def shares(count: int) -> list[int]:
    """The lengths of all parts."""
    parts = (_share(count, rank) for rank in range(distributed.get_world_size()))
    return [part.stop - part.start for part in parts]


def _share(count: int, rank: int) -> slice:
    ranks = distributed.get_world_size()
    return slice(count * rank // ranks, count * (rank + 1) // ranks)


def gathered(own: torch.Tensor, lengths: Sequence[int]) -> list[torch.Tensor]:
    """The parts of all ranks, which have these lengths and otherwise the shape of the own one; the own as it is."""
    here, parts = distributed.get_rank(), []
    for rank, length in enumerate(lengths):
        part = own.detach().contiguous() if rank == here else own.new_empty(length, *own.shape[1:])
        distributed.broadcast(part, rank)
        parts.append(own if rank == here else part)
    return parts


def agreed(value: float) -> float:
    """The largest value of all ranks."""
    found = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found.item()
