"""What a study is asked for beside its tasks, as one value: made once, from a caller's arguments or the command line's
words, and handed on. Loads nothing, so that `steepest --help` is quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

EngineName = Literal["auto", "fleet", "solo", "compiled"]
DtypeName = Literal["float32", "float64"]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Every choice has a default, which is what most people want; none is checked before it is used."""

    optimizers: str | Sequence[Any] | None = None
    """Names of the catalogue, rules, classes of torch.optim or factories; None for the methods of the textbooks."""
    axes: Mapping[str, Any] | Sequence[str] | str | None = None
    """Values to compare with every optimizer: {"dropout": [0, 0.2]}, or "dropout=0,0.2"."""
    batch_sizes: str | Sequence[int | str] | None = None
    """Sizes to compare, at equal samples and at equal seconds; None for each task's own."""
    rates: str | Sequence[float] | None = None
    """Learning rates to try, in place of each optimizer's grid."""
    schedule: str = "constant"
    """How the rate changes over a trial."""
    reference: str | None = None
    """All others are compared with it as well as with the best; None for Adam where it takes part."""
    budget: str | float | None = None
    """Time to spend: "5m", or seconds; None for the whole protocol."""
    seeds: int | None = None
    """Replicates of each optimizer's whole tuning; None for 10, or for up to 20 with `until_sure`."""
    until_sure: bool = False
    """Begin with 5 seeds and add more until every answer is sure."""
    first_seed: int = 0
    """Where seeds count from."""
    race: bool = False
    """Stop rates early that are clearly behind others of their seed."""
    grid: int | None = None
    """Rates in each optimizer's grid; None for 9."""
    workers: int | None = None
    """Worker processes; None for one a core."""
    memory: str | float | None = None
    """What all workers may take for training: "4G", or bytes; None for half of what is free."""
    engine: EngineName = "auto"
    """How trials are trained; "auto" measures which way is cheapest."""
    dtype: DtypeName = "float32"
    """Arithmetic of the training."""
    device: str = "cpu"
    """A torch device; only the CPU is tested."""
