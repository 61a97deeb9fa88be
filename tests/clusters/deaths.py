"""Studies in which something is killed at a random moment, on a real Slurm of four nodes on loopback: is each one the
study of this machine, bit for bit?

    PYTHONPATH=tests python -m clusters.deaths [--times 30] [--seed 0] [--write]

What dies is drawn by lot: an agent, a node, the scheduler or the coordinator, after a drawn number of shards and while
an agent has work. The tests do each once, early in a study.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from clusters import slow_toy
from clusters.slurm_site import Site
from clusters.test_slurm import HARMS, Harm, HarmToTheScheduler, hashes, stopped_amid_work
from study import toy

from steepest.study.run import resume, run

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "deaths.json"


def with_harm(site, folder, what, after):
    """Returns what the study said."""
    kind = HarmToTheScheduler if what == "scheduler" else Harm
    harm = kind(site, folder, HARMS[what], after)
    run(slow_toy.SPEC, folder, slow_toy.executor(folder), harm)
    assert harm.is_done
    return harm.said


def without_coordinator(site, folder, after):
    """Kill the coordinator while an agent has work; the next one comes while arrays still run."""
    slow_toy.hold(folder, after)
    coordinator = subprocess.Popen([sys.executable, slow_toy.__file__, "run", str(folder)], start_new_session=True)
    try:
        site.until(lambda: coordinator.poll() is not None or len(slow_toy.trained(folder)) >= after, "nothing is done")
        while not stopped_amid_work(site, coordinator):
            time.sleep(0.1)
    finally:
        os.kill(coordinator.pid, signal.SIGKILL)
        coordinator.wait()
    slow_toy.release(folder)
    said = []
    resume(folder, slow_toy.executor(folder), lambda progress: said.append(str(progress.message)))
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    draw, tried, same, rows = random.Random(asked.seed), Counter(), Counter(), []
    with TemporaryDirectory() as name:
        place = Path(name)
        run(slow_toy.SPEC, place / "here" / "study", toy.executor(place / "here" / "study"))
        here = hashes(place / "here" / "study")
        site = Site(place / "site", nodes=4)
        try:
            for number in range(asked.times):
                what = draw.choice([*HARMS, "coordinator"])
                after, folder = draw.randrange(1, len(here) // 2), place / f"{number}" / "study"
                folder.parent.mkdir()
                site.until_idle()
                began = time.monotonic()
                if what == "coordinator":
                    without_coordinator(site, folder, after)
                else:
                    with_harm(site, folder, what, after)
                is_same = hashes(folder) == here and not (folder / "slurm").exists()
                tried[what] += 1
                same[what] += is_same
                rows.append(
                    {"dies": what, "after": after, "same": is_same, "seconds": round(time.monotonic() - began, 1)}
                )
                print(json.dumps(rows[-1]), flush=True)
        finally:
            site.close()
    digest = sha256("".join(here.values()).encode()).hexdigest()
    found = {"slurm": {what: {"tried": tried[what], "same": same[what]} for what in tried}, "curves": digest}
    print(json.dumps(found))
    if asked.write:
        RESULT.write_text(json.dumps({**found, "studies": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
