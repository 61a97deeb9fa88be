"""What a process may take of the machine's memory, what it has taken, and whether an error says that there was no more.

Apart from all that trains and all that plans, since both have to know.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

OUT_OF_MEMORY_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "bad_alloc",
    "out of memory",
)
"""By which the errors of torch, of C++ and of the system are known."""


def limit(share: float | None) -> None:
    """From now on this process may take `share` bytes more than it has, and an allocation beyond that fails. Without a
    share, or where the system cannot limit its processes, nothing changes."""
    data = _told("VmData")
    if share is None or data is None:
        return
    import resource  # not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (round(data + share), hard))


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY_SIGNS)


def resident() -> int | None:
    """Bytes that this process has in memory; None where that is not told."""
    return _told("VmRSS")


def forget_peak() -> None:
    """The greatest number of bytes in memory is counted afresh."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int | None:
    """The greatest number of bytes that this process had in memory, since that was last forgotten."""
    return _told("VmHWM")


def _told(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)
