"""How many lanes a fleet has. Apart from the engine, since a study asks before it takes trials from another fleet."""

MAX_WORK_PER_STEP = 2**25
"""Parameters × examples, summed over lanes, in one step: a larger fleet gains nothing."""
MAX_LANES = 128
"""Lanes in one fleet."""


def lanes_per_fleet(parameters: int, batch_size: int) -> int:
    """The number of lanes beyond which a fleet gains nothing, since arithmetic then outweighs the overhead of calls.

    A function of sizes alone: the split decides the last bits of results, and a job must always give the same.
    Measured (docs/engine.md): more lanes cost memory and hardly any time.
    """
    return max(
        1, min(MAX_LANES, MAX_WORK_PER_STEP // (parameters * (batch_size + 4)))
    )  # an update costs as much as 4 examples
