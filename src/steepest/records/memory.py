"""How much memory a process may take and has taken, and whether an error means that memory ran out.

Both engine and study use it, so it belongs to neither.
"""

from contextlib import suppress
from pathlib import Path

OUT_OF_MEMORY_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "bad_alloc",
    "out of memory",
)
"""Parts of the messages of torch, C++ and the system."""


def limit(share: float | None) -> None:
    """Let this process take at most `share` bytes more than it has now; an allocation beyond that fails. Does nothing
    without a share, or where the system cannot limit processes."""
    data = _status("VmData")
    if share is None or data is None:
        return
    import resource  # not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (round(data + share), hard))


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY_SIGNS)


def resident() -> int | None:
    """Bytes that this process has in memory; None where the system does not report it."""
    return _status("VmRSS")


def forget_peak() -> None:
    """Start counting the peak of memory again."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int | None:
    """The most bytes that this process had in memory since `forget_peak`."""
    return _status("VmHWM")


def _status(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)
