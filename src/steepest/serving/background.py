"""`run --open`: a page beside a running study, served by a process of its own that gives way to the training."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from steepest.records.files import read_json
from steepest.study.lock import NAME
from steepest.study.spec import SPEC

NICENESS = 10


@contextmanager
def page(folder: Path | None, runs: Path = Path("runs")) -> Iterator[None]:
    """Serve the study that this process begins in `folder`, or somewhere in `runs`, and open it in a browser.

    When the study has ended the page stays until Ctrl-C where somebody sits at the terminal, and closes elsewhere.
    """
    over = threading.Event()
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        while not over.wait(0.2):
            for place in [folder] if folder else [path.parent for path in runs.glob(f"*/{NAME}")]:
                if _is_ours(place):
                    command = [sys.executable, "-m", "steepest", "serve", str(place.absolute())]
                    started.append(subprocess.Popen(command, stdout=sys.stderr))
                    with suppress(OSError):
                        os.setpriority(os.PRIO_PROCESS, started[0].pid, NICENESS)
                    return

    watcher = threading.Thread(target=begin, daemon=True)
    watcher.start()
    try:
        yield
        if started and sys.stdin is not None and sys.stdin.isatty():
            print("The page stays until Ctrl-C.", file=sys.stderr)
            with suppress(KeyboardInterrupt):
                started[0].wait()
    finally:
        over.set()
        watcher.join()
        for server in started:
            server.terminate()
            server.wait()


def _is_ours(folder: Path) -> bool:
    """Whether this very process is making a study there, and has written what it asks for."""
    try:
        return (folder / SPEC).is_file() and read_json(folder / NAME)["pid"] == os.getpid()
    except Exception:  # a lock that is being written, or somebody else's
        return False
