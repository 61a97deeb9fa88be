"""What a study ran on: versions and hardware, read without importing anything heavy."""

import os
import platform
import shutil
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distributions, version
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


@cache
def computing(compiles: bool) -> dict[str, str]:
    """What of this machine and its programs can change the last bits of a trial; `compiles`: the compiler, too."""
    found = {**versions(), "processor": _processor(), "abilities": _abilities(), "installed": _installed()}
    found |= {name: value for name, value in os.environ.items() if name.startswith(_NUMERIC) and name not in _HARMLESS}
    for name in ("g++", "clang++", os.environ.get("CXX", "")) if compiles else ():
        if path := shutil.which(name):
            seen = Path(path).stat()
            found[f"compiler {name}"] = f"{path} {seen.st_size} {seen.st_mtime_ns}"
    return found


_NUMERIC = ("MKL_", "KMP_", "DNNL_", "ONEDNN_", "ATEN_", "TORCH_", "PYTORCH_", "OPENBLAS_", "NPY_", "STEEPEST_COMPILE")
"""What the names of environment variables begin with that can change a result."""
_HARMLESS = ("TORCH_HOME",)


def _abilities() -> str:
    """A digest of what the processor can do: kernels are chosen by that."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
        return sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:16]
    return ""


def _installed() -> str:
    """A digest of all packages and their versions: a task file may use any."""
    found = sorted(f"{each.name} {each.version}" for each in distributions())
    return sha256("\n".join(found).encode()).hexdigest()[:16]


@cache
def code_of_this_package() -> str:
    """A digest of the source that trains: an installation for development changes without its version."""
    root, found = Path(__file__).parents[1], sha256()
    for folder in _TRAINS:
        for path in sorted(root.joinpath(folder).rglob("*")):
            if path.suffix in (".py", ".h", ".cpp", ".json"):
                found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]


_TRAINS = ("records", "optim", "tasks", "builtin", "datasets", "ingest", "codegen", "engine", "adapters")


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
