"""The choices of a study as options of the command line, which `run` and `plan` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from steepest.design.options import Choices, DtypeName, EngineName

STUDY = Group("What to compare", sort_key=0)
EFFORT = Group("How much to run", sort_key=1)
MACHINE = Group("How to run it", sort_key=2)

Workers = Annotated[int | None, Parameter(group=MACHINE, help="Worker processes of one thread each (one a core).")]


@dataclass(frozen=True, kw_only=True)
class Options(Choices):
    """`Choices` that are words."""

    optimizers: Annotated[
        str | None,
        Parameter(
            name=["--optimizers", "-o"],
            group=STUDY,
            help="Comma-separated names of `steepest optimizers`; a setting follows a colon: adam:b2=0.99.",
        ),
    ] = None
    axes: Annotated[
        list[str] | None,
        Parameter(
            name="--axis",
            group=STUDY,
            negative="",
            help="Values to compare with every optimizer: dropout=0,0.2,0.5; l1, l2, decay, augment, word-dropout, "
            "label-smoothing, early-stopping.",
        ),
    ] = None
    batch_sizes: Annotated[
        str | None,
        Parameter(
            name="--batch-size",
            group=STUDY,
            help="Batch sizes to compare, such as 1,64,full: at equal samples and at equal seconds.",
        ),
    ] = None
    rates: Annotated[
        str | None,
        Parameter(
            group=STUDY,
            allow_leading_hyphen=True,  # so that a rate below 0 is told as such
            help="Learning rates to try, such as 0.001,0.01, in place of each optimizer's own.",
        ),
    ] = None
    schedule: Annotated[str, Parameter(group=STUDY, help="How the rate changes over a trial.")] = Choices.schedule
    reference: Annotated[str | None, Parameter(parse=False)] = None  # an option of `run` alone
    budget: Annotated[
        str | None, Parameter(group=EFFORT, help="Time to spend, such as 90s, 5m or 1h; plans backwards from it.")
    ] = None
    seeds: Annotated[int | None, Parameter(group=EFFORT, help="Replicates of each optimizer's whole tuning (10).")] = (
        None
    )
    until_sure: Annotated[
        bool,
        Parameter(
            group=EFFORT, negative="", help="Begin with 5 seeds; add more, up to --seeds (20), until it is sure."
        ),
    ] = Choices.until_sure
    first_seed: Annotated[
        int, Parameter(group=EFFORT, help="Where seeds count from; another number is fresh luck.")
    ] = Choices.first_seed
    race: Annotated[
        bool,
        Parameter(group=EFFORT, negative="", help="Stop rates early that are clearly behind others of their seed."),
    ] = Choices.race
    grid: Annotated[int | None, Parameter(group=EFFORT, help="Learning rates in each optimizer's grid (9).")] = None
    workers: Workers = None
    memory: Annotated[
        str | None, Parameter(group=MACHINE, help="What training may take, such as 4G (half of what is free).")
    ] = None
    engine: Annotated[
        EngineName,
        Parameter(
            group=MACHINE,
            help="auto measures which is cheapest: trials together (fleet), together and compiled, or one by one "
            "(solo).",
        ),
    ] = Choices.engine
    dtype: Annotated[DtypeName, Parameter(group=MACHINE, help="Arithmetic of the training.")] = Choices.dtype
    device: Annotated[str, Parameter(group=MACHINE, help="A torch device; only cpu is tested.")] = Choices.device


Choose = Annotated[Options | None, Parameter(name="*")]
"""Every option by its own name; None if none is given."""
