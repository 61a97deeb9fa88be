"""Every optimizer gives on several processes what it gives on one: real processes, over loopback."""

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from steepest.optim.catalogue import CATALOGUE

SCRIPT = Path(__file__).with_name("sharded_steps.py")
WRAPPED = ["adam+clip-norm", "lars+clip-norm", "muon+clip-norm", "adam+cautious", "dog+cautious", "sgd+agc", "sgd+sam"]
SAMPLE = ["adam", "lamb", "prodigy", "muon", "mars", "shampoo", "muon+clip-norm", "dog+cautious", "sgd+sam"]
"""One of each way that a step is taken."""
DRAWS = {"sophia-g"}
"""Every process draws targets for its own part of a batch: the same in distribution, not in value."""
WITHIN = 1e-12
LOOSE = {"soap": 1e-10, "shampoo-grafted": 1e-10}
"""Eigenvectors carry rounding further: DDP, which leaves the optimizer as it is, differs as much."""


def differences(folder: Path, world: int, kind: str, names: list[str]) -> dict[str, dict[str, object]]:
    """What rank 0 prints of a kind, by optimizer."""
    return {str(row["optimizer"]): row for row in printed(folder, world, kind, names)}


def printed(folder: Path, world: int, kinds: str, names: list[str]) -> list[dict[str, object]]:
    """What rank 0 prints."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(world), str(folder), kinds, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(world)
    ]
    try:
        out, err = processes[0].communicate(timeout=600)
        assert processes[0].returncode == 0, err[-2000:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [json.loads(line) for line in out.splitlines()]


def check(rows: dict[str, dict[str, object]], names: list[str]) -> None:
    assert [*rows] == names
    wrong = {
        name: row
        for name, row in rows.items()
        if not float(row.get("difference", 1)) <= LOOSE.get(name, WITHIN)  # type: ignore[arg-type]
        or not float(row.get("gathered", 0)) <= WITHIN  # type: ignore[arg-type]
    }
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "world"), [("fsdp2", 2), ("tp", 2), ("ddp", 2)])
def test_parts_of_parameters_give_what_whole_ones_give(kind: str, world: int, tmp_path: Path) -> None:
    check(differences(tmp_path, world, kind, SAMPLE), SAMPLE)


@pytest.mark.slow
def test_sums_over_a_model_include_parameters_that_zero_deals_to_others(tmp_path: Path) -> None:
    names = ["prodigy", "dog+cautious", "adam+clip-norm"]
    rows = differences(tmp_path, 2, "zero", [*names, "sgd+sam"])
    assert "takes a second gradient" in str(rows.pop("sgd+sam")["refused"])
    check(rows, names)


@pytest.mark.slow
def test_a_process_that_zero_deals_no_parameter_takes_part_in_the_sums(tmp_path: Path) -> None:
    check(differences(tmp_path, 2, "zero-few", ["dog"]), ["dog"])


@pytest.mark.slow
def test_checkpoints_are_read_by_another_number_of_processes(tmp_path: Path) -> None:
    names = ["adam", "lamb", "prodigy", "muon", "shampoo", "adam+ema"]
    for world, kind in ((2, "checkpoint-0-2"), (3, "checkpoint-2-4"), (1, "checkpoint-4-6")):
        check(differences(tmp_path, world, kind, names), names)


@pytest.mark.oracles
@pytest.mark.parametrize(("kinds", "world"), [(("fsdp2", "fsdp2-even", "zero"), 2), (("fsdp2",), 3)], ids=("2", "3"))
def test_every_optimizer_gives_on_several_processes_what_it_gives_on_one(
    kinds: tuple[str, ...], world: int, tmp_path: Path, proof
) -> None:
    """All kinds in the same processes, which take longer to start than to train."""
    names = [item.name for item in CATALOGUE if item.name not in DRAWS] + WRAPPED
    rows = printed(tmp_path, world, ",".join(kinds), names)
    assert [(row["kind"], row["optimizer"]) for row in rows] == [*product(kinds, names)]
    titles = {item.name: item.rule.__name__ for item in CATALOGUE}
    for row in rows:
        kind, name = str(row["kind"]), str(row["optimizer"])
        if kind == "zero" and "refused" in row:
            assert "takes a second gradient" in str(row["refused"])
        elif name in WRAPPED:
            assert float(row["difference"]) <= LOOSE.get(name, WITHIN), (name, row)  # type: ignore[arg-type]
        else:
            against = f"one process, on {world} by {NAMES[kind]}"
            proof(titles[name], against, row["difference"], LOOSE.get(name, WITHIN))


NAMES = {"fsdp2": "FSDP2, uneven shards", "fsdp2-even": "FSDP2, even shards", "zero": "ZeRO-1"}
