"""How jobs are bundled where starting an agent is dear: large bundles first and smaller ones last, so that no node
idles at the end.
"""

from collections.abc import Iterator, Sequence

from steepest.clusters.parcels import Parcel

SECONDS_UNKNOWN = 5.0
"""For a job without a forecast."""


def bundles(parcels: Sequence[Parcel], nodes: int, cores: int, least: float, most: float) -> Iterator[list[Parcel]]:
    """The parcels in their order. A bundle takes half of the work that is left for each node: at least `least` seconds
    and at most `most`, on the `cores` of its node. Timings go together, to be taken one by one by a node alone.

    >>> from dataclasses import replace
    >>> parcel = Parcel("", "", b"", seconds=10.0, alone=False)
    >>> [len(bundle) for bundle in bundles([parcel] * 40, nodes=4, cores=1, least=20.0, most=100.0)]
    [5, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    if parcels and parcels[0].alone:
        yield [*parcels]
        return
    left, queue = sum(map(_seconds, parcels)), [*parcels]
    while queue:
        size = min(max(left / (2 * nodes), least * cores), most * cores)
        bundle = [queue.pop(0)]
        taken = _seconds(bundle[0])
        while queue and taken + _seconds(queue[0]) <= size:
            taken += _seconds(queue[0])
            bundle.append(queue.pop(0))
        left -= taken
        yield bundle


def _seconds(parcel: Parcel) -> float:
    return parcel.seconds or SECONDS_UNKNOWN
