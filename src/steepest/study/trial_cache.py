"""Trained trials that any study on this machine may use again, by everything that decides their bits.

One file holds the curves of one shard: a line of JSON, which asks the whole question that the curves answer, then the
curves as a study has them. It is named after its content, in a folder named after its question. A file that is damaged,
or that asks another question, is as good as absent.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from steepest.records.bounded import read_file
from steepest.records.files import parse_json, parse_trace
from steepest.records.fleet_sizes import lanes_per_fleet
from steepest.records.outcomes import LOST, Trace
from steepest.records.private_cache import private_folder
from steepest.records.record import is_json_object
from steepest.records.task_facts import SeedDraw, TaskFacts
from steepest.records.trials import Lane, Shard
from steepest.study.environment import code_of_this_package, computing
from steepest.study.known_trials import Piece, drop_unkept
from steepest.study.result_rows import check_trace

SWITCH = "STEEPEST_REUSE"
"""Environment variable: 0 for no use of this cache, unless somebody asks for it."""
MAX_BYTES = 2**29
"""Of all files. Beyond that, those that have not been used for longest go."""
_FORMAT = 2
_NAMES = (
    *("name", "centre", "default_rate", "rates", "optimizer", "fleet_obstacle", "batch_size"),
    *("search", "dials"),
)
"""Of a contender's fields: what changes no bit of a trial, or stands in its shard."""
_ASKED_APART = ("id", "task", "contender", "lanes")
_DRAWN_TOGETHER = {SeedDraw.DROPOUT, SeedDraw.MODEL, SeedDraw.AUGMENTATION}
"""What the lanes of a plain fleet draw from one generator."""


Trial = tuple[float, int, str]
"""Rate, seed and dials."""


class _Entry(NamedTuple):
    path: Path
    lanes: tuple[Trial, ...]
    trace: Trace
    origin: str


def is_wanted(asked: bool | None) -> bool:
    """Whether trials of other studies are used: as asked for, or else as the environment says."""
    return os.environ.get(SWITCH, "1") != "0" if asked is None else asked


class TrialCache:
    """Trials for one study, whose tasks have these facts."""

    def __init__(self, folder: Path, facts: Mapping[str, TaskFacts]) -> None:
        """`folder`: that of the study, which is noted as where its trials come from."""
        self._study = str(folder.resolve())
        self._facts = facts

    def pieces(self, shard: Shard, known: Mapping[int, Piece], higher_is_better: bool) -> dict[int, Piece]:
        """Lane of the shard → its trial, for lanes that are not `known`. All or none where lanes change each other."""
        if (question := self._question(shard)) is None or (known and "lanes" in question):
            return {}
        wanted = {(lane.rate, lane.seed, lane.dials): i for i, lane in enumerate(shard.lanes) if i not in known}
        found: dict[int, Piece] = {}
        for entry in _entries(question, shard):
            for place, key in enumerate(entry.lanes):
                i = wanted.get(key)
                if i is None or entry.trace.outcome[place] in LOST:
                    continue
                piece = Piece(entry.trace, place, entry.origin)
                if i not in found or (found[i].examples is None and piece.examples is not None):
                    found[i] = piece
                    with suppress(OSError):
                        os.utime(entry.path)  # it was of use
        together = {**known, **found}
        drop_unkept(shard, together, higher_is_better)
        left = {i: piece for i, piece in together.items() if i not in known}
        return left if "lanes" not in question or len(left) == len(shard.lanes) else {}

    def keep(self, shard: Shard, curves: Path) -> None:
        """Let other studies use the trials of a shard, trained just as planned. Without a cache that can be written,
        nothing is kept."""
        if (question := self._question(shard)) is None:
            return
        lanes = [[lane.rate, lane.seed, lane.dials] for lane in shard.lanes]
        head = {"question": question, "lanes": lanes, "study": self._study, "shard": shard.id}
        with suppress(OSError, ValueError):
            content = json.dumps(head, sort_keys=True, allow_nan=False).encode() + b"\n" + read_file(curves)
            path = _place(question) / _digest(content)
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
                temporary.write_bytes(content)
                temporary.replace(path)

    def _question(self, shard: Shard) -> dict[str, object] | None:
        """All that decides the bits of a shard's trials; None if nobody can know. With the lanes of the whole shard
        where they may change each other's."""
        facts = self._facts.get(shard.task.name)
        if facts is None or shard.task.source == "memory" or shard.contender.is_in_memory:
            return None
        if (
            not (facts.data_digest and facts.model_digest and facts.code_digest)
            or shard.device != "cpu"
            or shard.parallel
        ):
            return None
        contender = {name: value for name, value in asdict(shard.contender).items() if name not in _NAMES}
        task = shard.task
        question: dict[str, object] = {
            "format": _FORMAT,
            "task": [task.source, task.locator if task.source == "catalogue" else "", task.digest, dict(task.options)],
            "digests": [facts.data_digest, facts.model_digest, facts.code_digest if task.source == "file" else ""],
            "metric": [facts.metric, facts.higher_is_better],
            "contender": contender,
            "training": {name: value for name, value in shard.to_json().items() if name not in _ASKED_APART},
            "machine": computing(bool(shard.compiled)),
            "code": code_of_this_package(),
        }
        if not _are_apart(shard, facts):
            question["lanes"] = [[lane.rate, lane.seed, lane.dials] for lane in shard.lanes]
        return parse_json(json.dumps(question).encode())  # as it will be read again


def _are_apart(shard: Shard, facts: TaskFacts) -> bool:
    """Whether the bits of a lane do not depend on which others are in its shard: trials alone; fleets that are compiled
    as a whole, lane after lane; and fleets of plain layers that are not split."""
    if shard.rungs:
        return False
    if shard.engine == "solo" or {*shard.compiled} == {"gradient", "update"}:
        return True
    draws = _DRAWN_TOGETHER.intersection(facts.luck) or shard.contender.axes
    most = 0 if shard.compiled or shard.width else lanes_per_fleet(facts.parameters, shard.batch_size)
    return facts.plain_lanes and not draws and 2 <= len(shard.lanes) <= most


# ---- files -----------------------------------------------------------------------------------------------------------


def _entries(question: Mapping[str, object], shard: Shard) -> Iterator[_Entry]:
    """The sound files that answer a question."""
    with suppress(OSError):
        for path in sorted(_place(question).iterdir()):
            if not path.name.startswith(".") and (entry := _entry(path, question, shard)) is not None:
                yield entry


def _entry(path: Path, question: Mapping[str, object], shard: Shard) -> _Entry | None:
    with suppress(Exception):  # a damaged file makes NumPy and others raise their own kinds
        content = read_file(path)
        head, _, curves = content.partition(b"\n")
        stored = parse_json(head)
        if path.name != _digest(content) or not is_json_object(stored) or stored["question"] != question:
            return None
        lanes = tuple((float(rate), int(seed), str(dials)) for rate, seed, dials in stored["lanes"])
        trace = parse_trace(curves)
        check_trace(replace(shard, lanes=tuple(Lane(rate, seed, dials=dials) for rate, seed, dials in lanes)), trace)
        return _Entry(path, lanes, trace, str(stored["study"]))
    return None


def _place(question: Mapping[str, object]) -> Path:
    return private_folder("trials") / _digest(json.dumps(question, sort_keys=True).encode())


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def size() -> int:
    """Bytes of all files."""
    return sum(number for _, _, number in _files())


def trim(most: int = MAX_BYTES) -> None:
    """Delete the files that have not been used for longest, until the rest is within bounds."""
    files = sorted(_files())
    left = sum(number for _, _, number in files)
    for _, path, number in files:
        if left <= most:
            return
        with suppress(OSError):
            path.unlink()
            left -= number
            path.parent.rmdir()  # if it was the last one


def _files() -> list[tuple[float, Path, int]]:
    """(time of last use, path, bytes) of each."""
    found: list[tuple[float, Path, int]] = []
    with suppress(OSError):
        for folder in private_folder("trials").iterdir():
            with suppress(OSError):
                for path in folder.iterdir():
                    seen = path.lstat()
                    found.append((seen.st_mtime, path, seen.st_size))
    return found
