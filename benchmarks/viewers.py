"""Whether viewers slow a study down: the same study without viewers and with twenty open pages, in turn.

    python -m benchmarks.viewers [--viewers 20] [--rounds 3] [-- ARGUMENTS OF steepest run]

A viewer loads the page and its trials and then reads all events, as a browser tab does; drawing is not included, since
it runs on the viewer's machine. Prints the seconds of training of each round, the ratio of the medians, and the
server's CPU time as a share of the machine's capacity during the study, which is the more reliable figure on a busy
machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.many_trials import cpu_seconds
from steepest.study import store

STUDY = ("digits", "--engine", "fleet", "--seeds", "40", "-o", "sgd,momentum,adam,rmsprop,adagrad")


class Viewer(threading.Thread):
    """Opens the page, and then reads its events until the server ends."""

    def __init__(self, host: str, port: int, cookie: str, path: str) -> None:
        super().__init__(daemon=True)
        self.host, self.port, self.cookie, self.path = host, port, cookie, path
        self.bytes = 0

    def run(self) -> None:
        version = "1"
        while True:
            try:
                line = http.client.HTTPConnection(self.host, self.port, timeout=60)
                line.request("GET", self.path, headers={"Cookie": self.cookie})
                found = re.search(rb'data-live="(\d+)"', line.getresponse().read())
                version = found[1].decode() if found else version
                line.request("GET", f"{self.path}/trials", headers={"Cookie": self.cookie})
                self.bytes += len(line.getresponse().read())
                line.request("GET", f"{self.path}/events?version={version}", headers={"Cookie": self.cookie})
                events = line.getresponse()
                while part := events.read1(65536):
                    self.bytes += len(part)
                    if b"event: reload" in part:
                        break
            except (OSError, http.client.HTTPException):
                return


def seconds(arguments: list[str], viewers: int) -> float:
    """Wall time of a study with this number of viewers; 0 starts no server."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "study"
        command = [sys.executable, "-m", "steepest", "run", *arguments, "--out", str(folder), "--quiet"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        began = time.perf_counter()
        crowd, server = watch(folder, viewers) if viewers else ([], None)
        if run.wait() != 0:
            raise SystemExit("The study failed; run it alone to see why.")
        if server is not None:
            spent, wall = cpu_seconds(server.pid), time.perf_counter() - began
            server.terminate()
            server.wait()
            told = sum(viewer.bytes for viewer in crowd)
            share = 100 * spent / wall / (os.cpu_count() or 1)
            print(
                f"    {len(crowd)} viewers were sent {told / 1e6:.1f} MB; the server took {spent:.2f} s of CPU in "
                f"{wall:.0f} s, {share:.1f} % of the machine",
                flush=True,
            )
        return store.read(folder).seconds


def watch(folder: Path, viewers: int) -> tuple[list[Viewer], subprocess.Popen[str]]:
    """A server for the study that is about to begin, as `run --open` starts it, and its viewers."""
    while not (folder / "study.db").exists():
        time.sleep(0.05)
    command = ["nice", "-n", "10", sys.executable, "-u", "-m", "steepest", "serve", str(folder), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    link = urlsplit(server.stdout.readline().strip())
    line = http.client.HTTPConnection(link.hostname or "", link.port)
    line.request("GET", f"/?{link.query}")
    answer = line.getresponse()
    cookie = (answer.getheader("set-cookie") or "").split(";")[0]
    answer.read()
    line.request("GET", "/", headers={"Cookie": cookie})
    path = line.getresponse().getheader("location") or "/"
    crowd = [Viewer(link.hostname or "", link.port or 0, cookie, path) for _ in range(viewers)]
    for viewer in crowd:
        viewer.start()
    return crowd, server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("study", nargs="*", default=STUDY)
    chosen = parser.parse_args()
    alone, watched = [], []
    for number in range(chosen.rounds):
        for found, viewers in ((alone, 0), (watched, chosen.viewers)):
            found.append(seconds(list(chosen.study), viewers))
            print(f"round {number + 1}, {viewers} viewers: {found[-1]:.1f} s", flush=True)
    cost = 100 * (median(watched) / median(alone) - 1)
    print(f"{chosen.viewers} viewers cost {cost:+.1f} % (medians of {chosen.rounds})")


if __name__ == "__main__":
    main()
