"""The options of `--on slurm:…`: those that are ours, and all others as `sbatch` knows them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from steepest.errors import BadSetting
from steepest.records.limits import MAX_WORKERS

MIN_BUNDLE_SECONDS = 60.0
"""Work of a bundle on its cores, at least: an agent takes seconds to start."""
MAX_BUNDLE_SECONDS = 900.0
"""At most: what the loss of a node may cost."""
SHARE_OF_WALLTIME = 0.4
"""Of the walltime that a bundle may take by its forecast."""
OURS = ("nodes", "cpus", "bundle", "grace")
_RESERVED = frozenset({"array", "job-name", "output", "wrap", "requeue", "parsable", "cpus-per-task", "ntasks"})


@dataclass(frozen=True)
class SlurmOptions:
    nodes: int = 4
    """Agents at a time."""
    cpus: int = 1
    """Workers of an agent."""
    bundle: float = MIN_BUNDLE_SECONDS
    """Seconds of work in a bundle, at least."""
    grace: float = 10.0
    """Seconds that a file may need to become visible on this machine."""
    most: float = MAX_BUNDLE_SECONDS
    others: tuple[str, ...] = ()
    """For `sbatch`."""

    @classmethod
    def parse(cls, words: str) -> "SlurmOptions":
        """From "nodes=4,cpus=8,partition=cpu,time=60". Raises BadSetting.

        >>> SlurmOptions.parse("nodes=2,time=10,partition=low")
        SlurmOptions(nodes=2, cpus=1, bundle=60.0, grace=10.0, most=240.0, others=('--time=10', '--partition=low'))
        """
        given: dict[str, str] = {}
        for part in filter(None, words.split(",")):
            name, equals, value = part.strip().partition("=")
            if not re.fullmatch("[a-z][a-z-]*", name) or name in _RESERVED or (equals and not value):
                raise BadSetting(
                    f"--on slurm:{words}: {part!r} is not an option. Give {', '.join(OURS)} or options of sbatch, such "
                    "as slurm:nodes=4,cpus=8,partition=cpu,time=60."
                )
            given[name] = value
        most = MAX_BUNDLE_SECONDS
        if "time" in given:
            most = min(most, SHARE_OF_WALLTIME * seconds(given["time"]))
        others = tuple(
            f"--{name}={value}" if value else f"--{name}" for name, value in given.items() if name not in OURS
        )
        bundle = _number(given, "bundle", MIN_BUNDLE_SECONDS, 1e6)
        return cls(
            nodes=round(_number(given, "nodes", 4, MAX_WORKERS)),
            cpus=round(_number(given, "cpus", 1, MAX_WORKERS)),
            bundle=min(bundle, most),
            grace=_number(given, "grace", 10.0, 3600.0),
            most=most,
            others=others,
        )


def _number(given: Mapping[str, str], name: str, default: float, most: float) -> float:
    try:
        value = float(given.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 < value <= most or (name in ("nodes", "cpus") and value != round(value)):
        raise BadSetting(f"--on slurm: {name}={given[name]} must be a number above 0 and at most {most:g}.")
    return value


def seconds(walltime: str) -> float:
    """Of a time as `sbatch --time` takes it. Raises BadSetting.

    >>> seconds("30"), seconds("1:30"), seconds("2:00:00"), seconds("1-12"), seconds("1-0:30")
    (1800.0, 90.0, 7200.0, 129600.0, 88200.0)
    """
    days, dash, rest = walltime.rpartition("-")
    try:
        parts = [int(part) for part in rest.split(":")]
        if dash:
            hours, minutes, rests = (*parts, 0, 0)[:3]
            found = 86400 * int(days) + 3600 * hours + 60 * minutes + rests
        elif len(parts) == 1:
            found = 60 * parts[0]
        else:
            hours, minutes, rests = parts if len(parts) == 3 else (0, *parts)
            found = 3600 * hours + 60 * minutes + rests
    except ValueError:
        found = 0
    if found <= 0:
        raise BadSetting(f"--on slurm: time={walltime} is not a time of Slurm, such as 60 (minutes), 2:00:00 or 1-12.")
    return float(found)
