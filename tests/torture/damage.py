"""Every bit flipped, and every length cut, of every kind of file that a study or a cache keeps."""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from study import toy
from study.test_hostile_folder import hot_journal
from torture import subjects
from torture.lab import tried
from torture.tally import Outcome, Tally

from steepest.codegen import toolchain
from steepest.records.files import read_probes, write_checked, write_probes
from steepest.records.probe_trace import ProbeTrace
from steepest.records.record import field_names
from steepest.records.step_times import FleetTime, StepTime
from steepest.study import jobs
from steepest.study.spec import read_spec
from steepest.study.spec_file import write_spec
from steepest.study.store import Store, read

Look = Callable[[Path], object]


def damage(tally: Tally, scratch: Path, dice: random.Random, share: float) -> None:
    """Damage everything. `share`: of bits and lengths, evenly spread from a random start; 1 for all of them."""
    study = subjects.tiny_study(scratch / "whole")
    folder = subjects.copied(study, scratch / "study")
    name = next((study / "curves").iterdir()).name
    looks: list[tuple[str, Look, float]] = [
        ("study.json", read, 1.0),
        ("study.json.copy", read_spec, 0.05),
        ("study.json.sha256", read_spec, 1.0),
        ("study.db", read, 0.7),
        (f"curves/{name}", subjects.content, 1.0),
        ("study.lock", _opened, 0.5),
    ]
    for file, look, part in looks:
        row = f"{'curves' if '/' in file else file}: read"
        _each(tally, row, folder / file, partial(look, folder), share * part, dice)
    _journals(tally, study, scratch, share, dice)
    _resumed(tally, study, scratch, share, dice)
    _caches(tally, scratch / "caches", share, dice)


def _each(tally: Tally, row: str, path: Path, look: Callable[[], object], share: float, dice: random.Random) -> None:
    """Damage a file in many ways, one at a time, and look; the file is whole again in the end."""
    whole, right = path.read_bytes(), look()
    for what, content in damaged(whole, share, dice):
        path.write_bytes(content)
        outcome, said = tried(look, right)
        tally.add(row, outcome, f"{path.name} {what}: {said}")
    path.write_bytes(whole)


def damaged(whole: bytes, share: float, dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """What was done, and the content it left."""
    every = max(1, round(1 / share)) if share else 10**9
    for bit in range(dice.randrange(every), len(whole) * 8, every):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(content)
    for length in range(dice.randrange(every), len(whole), every):
        yield f"cut to {length} bytes", whole[:length]


def _opened(folder: Path) -> object:
    """As a coordinator opens a study."""
    with Store.open(folder) as store:
        return store.spec


# ---- a transaction that was cut --------------------------------------------------------------------------------------


def _journals(tally: Tally, study: Path, scratch: Path, share: float, dice: random.Random) -> None:
    """A database and its journal as a kill leaves them, the one or the other damaged."""
    folder = subjects.copied(study, scratch / "study")
    right = read(folder)
    hot_journal(folder)
    for name, part in (("study.db-journal", 0.02), ("study.db", 0.01)):
        path = folder / name
        whole = path.read_bytes()
        for what, content in damaged(whole, share * part, dice):
            path.write_bytes(content)
            outcome, said = tried(partial(read, folder), right)
            tally.add("cut transaction: read", outcome, f"{name} {what}: {said}")
        path.write_bytes(whole)


# ---- what resume makes of it -----------------------------------------------------------------------------------------


def _resumed(tally: Tally, study: Path, scratch: Path, share: float, dice: random.Random) -> None:
    """A study that is finished, has no curves yet, or no plan, and one of whose files is damaged, ends as it should or
    is refused."""
    right = subjects.content(study)
    curves = f"curves/{next((study / 'curves').iterdir()).name}"
    facts = [f"facts/{path.name}" for path in sorted((study / "facts").iterdir())]
    parts = {"study.json": 0.02, "study.json.sha256": 0.3, "study.db": 0.05, curves: 0.02, "study.lock": 0.1}
    for name, part in parts.items():
        _resumed_after(tally, study, scratch / "study", name, share * part, dice, right)
    begun = subjects.copied(study, scratch / "begun")
    for path in (begun / "curves").iterdir():
        path.unlink()
    log = begun / "logs" / "workers.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("a line\n", encoding="utf-8")
    for name, part in {"study.json": 0.01, "logs/workers.log": 0.5}.items():
        _resumed_after(tally, begun, scratch / "study", name, share * part, dice, right)
    (begun / "study.db").unlink()
    write_spec(begun, read_spec(study).model_copy(update={"plan": None}).to_json())
    for name in facts:
        _resumed_after(tally, begun, scratch / "study", name, share * 0.03, dice, right)


def _resumed_after(
    tally: Tally, pristine: Path, to: Path, name: str, share: float, dice: random.Random, right: object
) -> None:
    row = f"{name.partition('/')[0]}: resume"
    for what, content in damaged((pristine / name).read_bytes(), share, dice):
        folder = subjects.copied(pristine, to)
        (folder / name).write_bytes(content)
        outcome, said = tried(lambda folder=folder: subjects.in_process(folder) and subjects.content(folder), right)
        tally.add(row, outcome, f"{name} {what}: {said}")


# ---- caches ----------------------------------------------------------------------------------------------------------

_PROGRAM = 'extern "C" int seven() { return 7; }\n'


def _caches(tally: Tally, folder: Path, share: float, dice: random.Random) -> None:
    """What is kept for later studies, or measured for this one: a damaged one is found, and made again."""
    folder.mkdir(parents=True)
    _libraries(tally, folder, share, dice)
    time, facts, probes = (folder / name for name in ("time.json", "facts.json", "probes.npz"))
    write_checked(time, asdict(StepTime("", "", 1.0, 8.0, (FleetTime(3, (), 1.5, 0.25),))))
    _each(tally, "measured times", time, partial(jobs.read_time, time), share, dice)
    write_checked(facts, asdict(toy.FACTS))
    _each(tally, "facts: read", facts, partial(jobs.read_facts, facts), share, dice)
    write_probes(probes, _probes())
    _each(tally, "probes", probes, lambda: _exactly(read_probes(probes)), share * 0.3, dice)


def _exactly(probes: ProbeTrace) -> dict[str, bytes]:
    return {name: np.asarray(getattr(probes, name)).tobytes() for name in field_names(ProbeTrace)}


def _libraries(tally: Tally, folder: Path, share: float, dice: random.Random) -> None:
    """A compiled library is only looked at: loading a damaged one would end this process."""
    with patch.object(toolchain, "folder", lambda: folder):
        library = toolchain._compile((*toolchain._COMMON_FLAGS, "-O0"), (), _PROGRAM, "k" * 32)
        for what, content in damaged(library.read_bytes(), share * 0.05, dice):
            library.write_bytes(content)
            found = toolchain._cached("k" * 32)
            is_gone = found is None and not library.exists()
            tally.add("compiled library", Outcome.IDENTICAL if is_gone else Outcome.WRONG, what)


def _probes() -> ProbeTrace:
    """One lane, two looks, one tensor, one state."""
    shapes = {"step": (1, 2, 5), "step_of_rare": (1, 2, 2), "share_rare": (1, 2, 2)}
    named: dict[str, Any] = {"task": "toy", "contender": "inside", "layers": ("w",), "states": ("m",)}
    named |= {"batch_size": 4, "steps": 100, "at": np.array([0, 50]), "seeds": np.array([0])}
    for name in field_names(ProbeTrace):
        if name not in named:
            shape = shapes.get(name, (1, 2, 1) if name in ("step_of_layer", "update_to_weight", "state") else (1, 2))
            named[name] = np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)
    return ProbeTrace(**named)
