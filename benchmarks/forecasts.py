"""How far "time left" is from the truth: python -m benchmarks.forecasts [--only NAME …] [--times N], some five minutes.

Runs small studies with the progress feed that the terminal shows, and compares each "time left" with the time that the
study then took. From a tenth of the training on, the worst and the typical ratio are printed; below 1, too little was
promised. On a machine that runs other programs the ratios move with them: repeat.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

import steepest
from steepest.records.progress_record import Progress
from steepest.report.terminal import LEAST_SECONDS_LEFT
from steepest.study.environment import hardware, versions

RESULTS = Path(__file__).parent / "results" / "forecasts.json"
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "fleets": {"optimizers": "sgd,momentum,adam", "seeds": 5, "engine": "fleet"},
    "fleets, racing": {"optimizers": "sgd,momentum,adam", "seeds": 5, "engine": "fleet", "race": True},
    "compiled": {"optimizers": "sgd,momentum,adam", "seeds": 20, "engine": "compiled"},
    "one by one": {"optimizers": "sgd,adam", "seeds": 2, "grid": 5, "engine": "solo"},
    "with a baseline": {"optimizers": "sgd,adamw", "seeds": 5, "baseline": "adamw:lr=0.001"},
    "until sure": {"optimizers": "sgd,adam", "seeds": 10, "until_sure": True, "engine": "fleet"},
    "given rates": {"optimizers": "sgd,adam,lion", "seeds": 5, "rates": [0.001, 0.01, 0.1]},
}
FIRST_TENTH = 0.1
FACTOR = 2.0


@dataclass(frozen=True)
class Look:
    """What was promised at one moment of a training, and what came."""

    share: float
    """Of the training's time that had passed."""
    promised: float
    taken: float
    text_says: bool
    """Whether the terminal shows it: a short time is left out."""

    @property
    def ratio(self) -> float:
        return self.promised / self.taken


def looks_at(home: Path, settings: Mapping[str, object]) -> list[Look]:
    """Every promise of a study on digits, in order of time; the last half second is not judged. One that goes to the
    next look of --until-sure is compared with the time to that look."""
    seen: list[tuple[float, Progress]] = []
    steepest.compare(
        "digits", **settings, out=home / "study", overwrite=True, reuse=False,  # type: ignore[arg-type]
        listener=lambda progress: seen.append((monotonic(), progress)),
    )  # fmt: skip
    training = [each for each in seen if each[1].phase == "training"]
    start, end = training[0][0], next(when for when, progress in seen if progress.phase == "finished")
    looks = [when for when, progress in training if progress.message.template.startswith("After {done} seeds")]
    found = []
    for when, progress in training:
        left = progress.seconds_left
        until = next((look for look in looks if look > when), end) if progress.until_look else end
        if left is not None and until - when >= LEAST_SECONDS_LEFT:
            share = (when - start) / (end - start)
            found.append(Look(share, left, until - when, left >= LEAST_SECONDS_LEFT))
    return found


def summed_up(looks: Sequence[Look]) -> dict[str, float]:
    """Of the promises from a tenth of the training on."""
    judged = [look for look in looks if look.share >= FIRST_TENTH]
    ratios = [look.ratio for look in judged]
    within = [1 / FACTOR <= ratio <= FACTOR for ratio in ratios]
    return {
        "seconds": round(looks[0].taken, 2),
        "promises": len(judged),
        "lowest": round(min(ratios), 3),
        "median": round(median(ratios), 3),
        "highest": round(max(ratios), 3),
        "within_2": round(sum(within) / len(within), 3),
        "left_out": sum(not look.text_says for look in judged),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="NAME")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="Studies of each setting. Default: 3.")
    parser.add_argument("--every", action="store_true", help="Print every promise, too.")
    given = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {}
    print(f"{'study':<20}{'took':>8}{'promises':>10}{'lowest':>8}{'median':>8}{'highest':>9}{'within 2':>10}")
    with TemporaryDirectory(prefix="steepest-") as home:
        for name in given.only:
            for _ in range(given.times):
                looks = looks_at(Path(home), SETTINGS[name])
                row = summed_up(looks)
                rows.setdefault(name, []).append(row)
                print(
                    f"{name:<20}{row['seconds']:>6.1f} s{row['promises']:>10}{row['lowest']:>8.2f}{row['median']:>8.2f}"
                    f"{row['highest']:>9.2f}{row['within_2']:>10.0%}",
                    flush=True,
                )
                for look in looks if given.every else ():
                    print(f"    at {look.share:>4.0%}: {look.promised:.2f} s promised, {look.taken:.2f} s taken")
    if given.only == list(SETTINGS):
        found = {"rows": rows, "hardware": hardware(), "versions": versions()}
        RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
