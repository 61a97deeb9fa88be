"""Does to studies what disks, kills and strangers do, and counts what comes of it: `make torture`.

Nothing may end in a traceback, hang, or change an answer without a word; if anything does, the exit code is 1.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from torture.shim import with_shim
from torture.tally import Tally

PARTS = ("damage", "kills", "disk", "limits", "hostile", "parsers")
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "torture.json"


def main() -> None:
    asked = argparse.ArgumentParser(prog="make torture", description=__doc__)
    asked.add_argument("--size", choices=("ci", "full"), default="full", help="ci: under 3 minutes on 2 cores")
    asked.add_argument("--only", nargs="+", choices=PARTS, help="some parts of it")
    asked.add_argument("--share", type=float, help="of damages and hostile files; default: 1, or less with --size ci")
    asked.add_argument("--seconds", type=float, help="for each parser; default: 600, or 3 with --size ci")
    asked.add_argument("--seed", type=int, default=None, help="of random moments and places; default: a new one")
    given = asked.parse_args()
    scratch = Path(os.environ.get("TORTURE_SCRATCH") or tempfile.mkdtemp(prefix="torture-", dir=_quick_disk()))
    os.environ["TORTURE_SCRATCH"] = str(scratch)
    tally = Tally()
    try:
        with_shim(scratch)
        os.environ |= {"STEEPEST_CACHE": str(scratch / "cache"), "STEEPEST_REUSE": "0"}
        from torture.parts import torture  # once the shim is there

        for part in given.only or PARTS:
            before = {*tally.rows}
            torture(tally, scratch, part, given.size == "full", given.seed, given.share, given.seconds)
            if given.size == "full":
                _keep(part, [row for row in tally.to_json() if row["what"] not in before])
    except KeyboardInterrupt:
        print("Stopped; until then:")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(tally.table())
    sys.exit(not tally.is_clean)


def _keep(part: str, rows: list[dict[str, str | int]]) -> None:
    """Put the rows of a part into the table of the last full run, in place of older ones."""
    table = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    table = [row for row in table if row["part"] != part] + [{"part": part, **row} for row in rows]
    table.sort(key=lambda row: PARTS.index(row["part"]))
    RESULTS.write_text("[\n" + ",\n".join(" " + json.dumps(row) for row in table) + "\n]\n", encoding="utf-8")


def _quick_disk() -> str | None:
    """A disk in memory, where there is one: a study syncs every file."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    main()
