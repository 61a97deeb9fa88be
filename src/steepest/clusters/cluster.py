"""What carries a study's jobs to other machines: all that a cluster must do. Queueing, placement and liveness are its
own business; that every job gets one result is `RemoteExecutor`'s.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from steepest.clusters.parcels import Parcel
from steepest.messages import Message


class Cluster(Protocol):
    """Carries parcels to agents and their replies back. It may lose, double, delay and reorder both."""

    workers: int
    """Cores that jobs are planned for. More or fewer may be there at any moment."""
    grace: float
    """Seconds that a reply may be on its way after its job is no longer held."""

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Have these jobs done. Returns at once."""
        ...

    def receive(self, timeout: float) -> list[bytes]:
        """The replies that have come, waiting up to `timeout` seconds for the first."""
        ...

    def held(self) -> Collection[str] | None:
        """Tickets of the jobs that wait or run, as far as the cluster knows; None while it cannot say. What was sent,
        is not held and has no reply is sent again."""
        ...

    def forget(self, ticket: str) -> None:
        """This job's reply has been taken in, or nobody waits for it any more."""
        ...

    def news(self) -> list[Message]:
        """What the user should hear, such as a node that was lost; each once."""
        ...

    def close(self) -> None:
        """Stop everything that still runs for this study, and leave nothing behind. A second call does nothing."""
        ...
