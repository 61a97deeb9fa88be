"""What this machine could start a study on other machines with."""

import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

ANSWER_SECONDS = 10.0
"""That Slurm may take to answer."""


def slurm_nodes() -> Counter[str] | None:
    """How many nodes are in each state, as Slurm names it: none while it does not answer; None where it is missing."""
    if shutil.which("sinfo") is None:
        return None
    states: dict[str, str] = {}  # a node may be in several partitions
    with suppress(OSError, subprocess.SubprocessError):
        command = ["sinfo", "--Node", "--noheader", "--format=%N|%T"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True).stdout
        for line in answer.splitlines():
            name, _, state = line.partition("|")
            states[name] = state.rstrip("*~#!%$@^-+ ")
    return Counter(states.values())


def ray_version() -> str:
    """Of the Ray that is installed; "" for none."""
    try:
        return version("ray")
    except PackageNotFoundError:
        return ""
