"""What a study ran on: versions and hardware, read without importing anything heavy."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from steepest.records.bounded import machine_memory

_PACKAGES = ("steepest", "torch", "numpy", "scipy", "scikit-learn")


def versions() -> dict[str, str]:
    """Package → version, of all that can change a result."""
    return {"python": platform.python_version()} | {package: _version(package) for package in _PACKAGES}


@cache
def _version(package: str) -> str:
    """Cached: a look-up takes a millisecond, and a study needs it for every job."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def hardware() -> dict[str, str]:
    """Processor, cores that this process may use, memory and operating system, in words."""
    return {
        "processor": _processor(),
        "cores": str(cores()),
        "memory": f"{machine_memory() / 2**30:.1f} GiB" if machine_memory() else "unknown",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def cores() -> int:
    """Cores that this process may run on: fewer than the machine has, in a container or under a job scheduler."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def free_memory() -> int | None:
    """Bytes that processes could still take without swapping, a container's limit included; None where unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / f"memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return free


def boot_id() -> str:
    """Changes whenever the machine starts: an older process number then means nothing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
