"""How long a worker may be silent. One that is stopped, or whose model hangs, stays connected and says nothing: only
time shows it.
"""

from pathlib import Path
from time import monotonic

MIN_SECONDS = 60.0
"""Silence that is never too long, however short a job should be."""
TIMES_FORECAST = 10.0
"""Silence that is too long, as a multiple of the forecast for the whole job. A worker reports several times a second as
it trains, so that a slow machine alone does not come near this."""
SECONDS_TO_COMPILE_AGAIN = 240.0
"""What a job may need besides where a compiled library has vanished from the cache."""
MAX_GAP = 5.0
"""Seconds between two looks that count at most: while the coordinator itself is stopped, workers are not to blame."""


def patience(forecast: float, compiled: bool = False) -> float:
    """Seconds of silence after which a worker is given up, for a job with this forecast.

    >>> patience(1.0), patience(30.0), patience(30.0, compiled=True)
    (60.0, 300.0, 540.0)
    """
    return max(MIN_SECONDS, TIMES_FORECAST * forecast) + (SECONDS_TO_COMPILE_AGAIN if compiled else 0.0)


class Silence:
    """Seconds in which a worker was not heard of, as far as its coordinator was there to listen."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last = monotonic()

    def broken(self) -> None:
        """It was heard of, or has just got something to do."""
        self.seconds, self._last = 0.0, monotonic()

    def goes_on(self) -> float:
        """Seconds of silence until now."""
        now = monotonic()
        self.seconds += min(now - self._last, MAX_GAP)
        self._last = now
        return self.seconds


def is_stopped(process: int) -> bool:
    """Whether somebody has stopped a process (SIGSTOP); False where the system does not say."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return state[:1] == ["T"]
