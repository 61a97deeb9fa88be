"""How long whole studies take: python -m benchmarks.studies [cold] [tenfold] [many], about ten minutes for all three.

cold     the articles' methods with empty caches, compared with the same trials by hand; then again with warm caches
tenfold  the time of ten times as many trials
many     10,000 trials in one study, and its memory
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, Any

import joblib
import torch

from benchmarks.by_hand import TrialByHand, fastest_form, seconds, seconds_on_one_thread
from steepest.records.study_record import StudyRecord
from steepest.study.environment import cores, hardware, versions
from steepest.study.planner import evaluation_steps
from steepest.study.store import read

RESULTS = Path(__file__).parent / "results" / "studies.json"
SAMPLE_EVERY = 0.5
"""Seconds between two looks at the memory of a study."""
TRIALS_BY_HAND = 2
"""Trials of each contender that are trained by hand; the time of all others is taken from theirs."""
PER_REPLICATE = 13
"""Trials of a replicate: 9 rates, and 4 more."""


# ---- running a study -------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What was seen of one study, from outside: a process that was started and ended by itself."""

    folder: Path
    seconds: float = 0.0
    """From the start of the process to its end."""
    phase_after: float = 0.0
    """Seconds until it said that it was training."""
    result_after: float = 0.0
    """Seconds until its first trials were done."""
    megabytes: list[tuple[float, float, float]] = field(default_factory=list)
    """(seconds, of the coordinator, of its workers together): what lies in memory."""


def run(home: Path, *arguments: str) -> Run:
    """`steepest run …` in a process of its own, with all caches below `home`."""
    found = Run(home / f"study-{time.time_ns()}")
    caches = {"HOME": ".", "XDG_CACHE_HOME": "cache", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TMPDIR": "tmp"}
    environment = {**os.environ, **{name: str(home / folder) for name, folder in caches.items()}}
    environment.pop("STEEPEST_CACHE", None)
    (home / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "steepest", "run", *arguments, "--out", str(found.folder)]
    began, clock = time.time(), time.perf_counter
    start = clock()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    said: list[tuple[float, str]] = []
    listener = Thread(target=_listen, args=(process.stderr, said, lambda: clock() - start))
    listener.start()
    while process.poll() is None:
        found.megabytes.append((clock() - start, *_memory(process.pid)))
        time.sleep(SAMPLE_EVERY if found.megabytes[-1][0] > 5 else 0.02)
    found.seconds = clock() - start
    listener.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said[-1:]}")
    found.phase_after = next(after for after, line in said if line.startswith("Training"))
    found.result_after = min(path.stat().st_mtime for path in found.folder.glob("curves/*.npz")) - began
    return found


def _listen(stream: IO[str], said: list[tuple[float, str]], after: Callable[[], float]) -> None:
    said += ((after(), line) for line in stream)


def _memory(coordinator: int) -> tuple[float, float]:
    """Megabytes of a process, and of all that it has started."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        process = int(path.parent.name)
        parents[process], sizes[process] = int(values[1]), int(values[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def below(process: int | None) -> bool:
        return process is not None and (process == coordinator or below(parents.get(process)))

    workers = sum(size for process, size in sizes.items() if process != coordinator and below(process))
    return sizes.get(coordinator, 0.0), workers


# ---- the same trials by hand -----------------------------------------------------------------------------------------


def trials_by_hand(study: StudyRecord) -> dict[str, list[TrialByHand]]:
    """A few trials of each contender of a study on a built-in task, in the form of its optimizer that is fastest."""
    found = {}
    for contender in study.contenders:
        row = next(row for row in study.results if row.contender == contender.name)
        first = TrialByHand(
            task=row.task,
            contender=contender.name,
            rate=contender.centre,
            seed=0,
            batch_size=row.batch_size,
            steps=row.steps,
            evaluate_at=evaluation_steps(row.steps),
        )
        first = replace(first, form=fastest_form(first))
        found[contender.name] = [replace(first, seed=seed) for seed in range(TRIALS_BY_HAND)]
    return found


def one_after_another(trials: Sequence[TrialByHand]) -> float:
    """Seconds a trial."""
    return median(map(seconds, trials))


def on_all_cores(trials: Sequence[TrialByHand]) -> float:
    """Seconds a trial, with as many at a time as there are cores, one thread each."""
    pool: Any = joblib.Parallel(n_jobs=cores(), backend="loky")
    trials = [replace(trial, seed=seed) for trial in trials[:1] for seed in range(cores() * TRIALS_BY_HAND)]
    start = time.perf_counter()
    pool(joblib.delayed(seconds_on_one_thread)(trial) for trial in trials)
    return (time.perf_counter() - start) / len(trials)


def by_hand(study: StudyRecord) -> dict[str, float]:
    """Seconds that all trials of a study would take by hand, in a loop and by joblib, from a few trials of each
    contender. Starting Python and torch, and picking rates from the results, are left out.
    """
    torch.set_num_threads(1)  # for networks of this size two threads are slower than one
    sample = trials_by_hand(study)
    counts = Counter(row.contender for row in study.results)
    warm = next(iter(sample.values()))
    on_all_cores([replace(warm[0], steps=10, evaluate_at=())])  # its processes start here
    return {
        "loop": sum(counts[name] * one_after_another(trials) for name, trials in sample.items()),
        "joblib": sum(counts[name] * on_all_cores(trials) for name, trials in sample.items()),
    }


# ---- measures --------------------------------------------------------------------------------------------------------


def cold(home: Path) -> dict[str, Any]:
    """The articles' methods without any cache, against the same trials by hand; and how soon the next study trains."""
    first = run(home, "--optimizers=article")
    second = run(home, "--optimizers=article")
    study = read(first.folder)
    times = by_hand(study)
    return {
        "trials": len(study.results),
        "cold_seconds": first.seconds,
        "warm_seconds": second.seconds,
        "cold_training_after": first.phase_after,
        "warm_training_after": second.phase_after,
        "warm_first_result_after": second.result_after,
        "loop_seconds": times["loop"],
        "joblib_seconds": times["joblib"],
        "against_loop": times["loop"] / first.seconds,
        "against_joblib": times["joblib"] / first.seconds,
        "by_hand": f"{TRIALS_BY_HAND} trials of each contender, scaled up to all",
    }


def tenfold(home: Path) -> dict[str, Any]:
    """Two optimizers with 10 seeds and with 100, caches warm."""
    run(home, "digits", "-o", "sgd,adam", "--seeds", "2")
    few, many = (run(home, "digits", "-o", "sgd,adam", "--seeds", str(seeds)) for seeds in (10, 100))
    return {
        "trials": [len(read(one.folder).results) for one in (few, many)],
        "seconds": [few.seconds, many.seconds],
        "ratio": many.seconds / few.seconds,
    }


def many(home: Path) -> dict[str, Any]:
    """10,000 trials of one optimizer, and what lies in memory early and late in their training."""
    found = run(home, "digits", "-o", "adam", "--seeds", str(-(-10_000 // PER_REPLICATE)))
    rows = read(found.folder).results
    training = [sample for sample in found.megabytes if sample[0] > found.phase_after]

    def level(start: float, stop: float, column: int) -> float:
        return median(sample[column] for sample in training[int(start * len(training)) : int(stop * len(training))])

    early, late = ({who: level(*when, i) for who, i in _COLUMNS} for when in ((0.2, 0.3), (0.8, 0.9)))
    return {
        "trials": len(rows),
        "seconds": found.seconds,
        "early_megabytes": early,
        "late_megabytes": late,
        "most_megabytes": max(coordinator + workers for _, coordinator, workers in found.megabytes),
        "growth": sum(late.values()) / sum(early.values()),
    }


_COLUMNS = (("coordinator", 1), ("workers", 2))
MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {"cold": cold, "tenfold": tenfold, "many": many}


def main(names: Sequence[str]) -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in names or MEASURES:
        with TemporaryDirectory(prefix="steepest-") as home:
            results[name] = {**_rounded(MEASURES[name](Path(home))), "hardware": hardware(), "versions": versions()}
        print(name, json.dumps(results[name], indent=2, ensure_ascii=False), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {name: _rounded(inner) for name, inner in value.items()}
        case list():
            return [_rounded(inner) for inner in value]
        case float():
            return round(value, 3)
    return value


if __name__ == "__main__":
    main(sys.argv[1:])
