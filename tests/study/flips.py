"""Flips bits of a study's files, one at a time, and looks at what a reader makes of it: the answer, or one sentence.

`make torture` flips every bit of every kind of file; tests flip some.
"""

import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from study import toy

from steepest.errors import SteepestError
from steepest.records.study_record import StudyDesign
from steepest.study.run import run

PAGE = 512
"""Bytes of a database page: small, so that few bits are of no use."""


def tiny_study(folder: Path) -> Path:
    """Two seeds, three rates, one optimizer; its database in small pages."""
    spec = toy.spec("inside", protocol=StudyDesign(seeds=2, rates=3, extra_rates=0))
    run(spec, folder, toy.executor(folder))
    database = sqlite3.connect(folder / "study.db")
    database.execute(f"PRAGMA page_size = {PAGE}")
    database.execute("VACUUM")
    database.close()
    return folder


def flip(path: Path, look: Callable[[], object], bits: Iterable[int]) -> Counter[str]:
    """How many flips gave the same answer ("identical"), one sentence ("sentence"), another exception ("traceback") or
    another answer ("silent")."""
    right, whole, counts = look(), path.read_bytes(), Counter[str]()
    for bit in bits:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            counts["identical" if look() == right else "silent"] += 1
        except SteepestError as error:
            counts["sentence" if str(error) and "\n" not in str(error) else "traceback"] += 1
        except Exception as error:
            print(path.name, bit, repr(error), file=sys.stderr)
            counts["traceback"] += 1
    path.write_bytes(whole)
    return counts


def bits_of(path: Path, every: int = 1) -> range:
    """Bits of a file: all of them, or evenly spread ones from a random start."""
    return range(random.randrange(every), path.stat().st_size * 8, every)
