"""The parts of the torture, in two sizes."""

import random
from pathlib import Path

import torch
from torture.damage import damage
from torture.full_disk import full_disk
from torture.hostile import hostile
from torture.kills import kills
from torture.limits import limits
from torture.parsers import FUZZERS, QUICK, parsers
from torture.shim import Shim
from torture.tally import Tally

from steepest.engine.worker import import_all


def torture(
    tally: Tally, scratch: Path, part: str, is_full: bool, seed: int | None, share: float | None, seconds: float | None
) -> None:
    """One part, in a folder of its own."""
    torch.set_num_threads(1)  # a process with idle threads must not fork
    import_all()  # once, for all that are forked off
    shim, dice, place = Shim.here(), random.Random(seed), scratch / part
    place.mkdir()
    match part:
        case "damage":
            damage(tally, place, dice, share or (1.0 if is_full else 0.02))
        case "kills":
            kills(tally, place, shim, dice, every=1 if is_full else 12, real=20 if is_full else 1)
        case "disk":
            full_disk(tally, place, shim, dice, every=1 if is_full else 12, real=20 if is_full else 0)
        case "hostile":
            hostile(tally, place, dice, share or (1.0 if is_full else 0.1), share or (1.0 if is_full else 0.02))
        case "parsers":
            parsers(tally, place, dice, seconds or (600.0 if is_full else 3.0), FUZZERS if is_full else QUICK)
        case _:
            limits(tally, place, shim, dice, rounds=10 if is_full else 2, real=is_full)
