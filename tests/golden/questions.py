"""What is asked of the studies kept here, of some tasks and of some optimizers, and what was answered when they were
made. `make.py` writes the answers; `tests/test_golden.py` asks again and compares.
"""

import io
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import steepest
from steepest.cli.listings import plan as text_of_plan
from steepest.codegen.toolchain import compiler
from steepest.messages import speaking
from steepest.study.executors import FunctionExecutor
from steepest.study.run import forecast
from steepest.study.spec import Plan, StudySpec, read_spec

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"
RESUMED = EXPECTED / "resumed"
LANGUAGES = ("en", "zh")
STUDIES = ("two-tasks", "axes", "own-table", "interrupted", "compiled")
TRAINED_AS_RECORDED = ("two-tasks", "axes", "compiled")
"""Studies whose every trial is trained again by `resume` and the recorded plan; `own-table` has an optimizer that lives
in memory, and is made again by its recipe."""
BUDGETS = (None, 0.9, 0.6, 0.1)
"""Shares of a study's recorded forecast, for which a plan is made from recorded times; None for no budget."""

Ask = Callable[[Sequence[str], Path], str]
"""What a command prints when it is typed in a folder."""

COMMANDS = {
    **{f"setting.{name}": ("show", f"studies/{name}") for name in ("axes", "own-table")},
    "verdict.two-tasks": ("verdict", "studies/two-tasks"),
    "verdict.two-tasks.margin": ("verdict", "studies/two-tasks", "--margin", "0.03"),
    "verdict.table": ("verdict", "--csv", "data/made_up_results.csv", "--metric", "accuracy"),
    **{f"show.{name}": ("show", name) for name in ("gd", "adam", "adam-printed", "adamw", "muon", "sgd+clip-norm")},
    **{f"show.{name}": ("show", name) for name in ("line", "digits", "movielens-sparse")},
    "optimizers": ("optimizers",),
    "tasks": ("tasks",),
    "check.line": ("check", "line"),
    "check.careless": ("check", "tasks/careless.py"),
    "check.flowers": ("check", "--data", "data/made_up_flowers.csv", "--target", "species"),
}
"""File → command, in each language. What else there is to read in a study comes from the object that
`steepest.open_study` gives: it judges once, and a command judges each time."""


def place(folder: Path) -> Path:
    """A copy of all studies, with their tasks and data, to ask in or to go on with."""
    for name in ("tasks", "data", "studies"):
        shutil.copytree(HERE / name, folder / name)
    return folder


# ---- answers ---------------------------------------------------------------------------------------------------------


def opened(folder: Path) -> dict[str, steepest.Study]:
    """The studies of a copy, to be read."""
    return {name: steepest.open_study(folder / "studies" / name) for name in STUDIES}


def texts(ask: Ask, folder: Path, studies: dict[str, steepest.Study], language: str) -> Iterator[tuple[str, str]]:
    """(file, text) of all that is printed for people, in one language."""
    for name, words in COMMANDS.items():
        yield f"{name}.txt", ask((*words, "--lang", language), folder)
    for name, study in studies.items():
        if name != "two-tasks":
            yield f"verdict.{name}.txt", study.text(language) + "\n"
        yield f"ranking.{name}.tex", study.export("latex", language)
        yield f"plan.{name}.txt", plans(folder / "studies" / name, language)


def data(folder: Path, studies: dict[str, steepest.Study]) -> Iterator[tuple[str, str]]:
    """(file, text) of all that programs read."""
    for name, read in studies.items():
        study = f"studies/{name}"
        yield f"{name}.rows.csv", read.export("csv")
        yield f"{name}.ranking.csv", read.export("ranking-csv")
        yield f"{name}.view.json", read.export("json")
        yield f"{name}.study.json", pretty(read_spec(folder / study).to_json())
        yield (
            f"{name}.plans.json",
            pretty({str(share): plain(planned(folder / study, share)) for share in BUDGETS if may_plan(name)}),
        )


def of_resumed(ask: Ask, folder: Path) -> Iterator[tuple[str, str]]:
    """(file, text) of the interrupted study, after it has been gone on with."""
    for language in LANGUAGES:
        yield f"verdict.{language}.txt", ask(("verdict", "studies/interrupted", "--lang", language), folder)
    yield "rows.csv", ask(("export", "studies/interrupted"), folder)


@contextmanager
def steady_clocks() -> Iterator[None]:
    """Within, every step that `check` times takes 1/1024 s, and no time passes for a coordinator."""
    with (
        patch("steepest.engine.try_task.milliseconds_alone", lambda trial: 1000 / 1024),
        patch("steepest.study.progress.monotonic", lambda: 0.0),
    ):
        yield


def pretty(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


# ---- plans -----------------------------------------------------------------------------------------------------------


def may_plan(study: str) -> bool:
    """Whether the times that were recorded are all that its planner asks for: compiling is asked for anew."""
    return study != "compiled"


def plans(study: Path, language: str) -> str:
    """The recorded plan in words, and those for smaller budgets, from the same recorded times."""
    stored = read_spec(study).plan
    assert stored is not None
    with speaking(language):
        parts = [text_of_plan(stored)]
        for share in BUDGETS[1:] if may_plan(study.name) else ():
            found = planned(study, share)
            parts.append(f"-- {share:g}\n\n{found if isinstance(found, str) else text_of_plan(found)}")
    return "\n\n".join(parts) + "\n"


def planned(study: Path, share: float | None) -> Plan | str:
    """The plan for a budget, from what was measured when the study was made; nothing is measured anew. Or why not."""
    spec = read_spec(study).to_json()
    spec |= {"budget_seconds": None if share is None else share * spec["plan"]["seconds"], "plan": None}
    try:
        return forecast(StudySpec.model_validate(spec), study, FunctionExecutor(refuse))
    except steepest.SteepestError as error:
        return str(error)


def plain(plan: Plan | str) -> dict[str, Any]:
    return {"error": plan} if isinstance(plan, str) else plan.model_dump(mode="json")


def refuse(job: object) -> None:
    raise AssertionError(f"nothing should have to be measured: {job}")


# ---- curves ----------------------------------------------------------------------------------------------------------


def machine() -> str:
    """What the last bit of a result depends on: processor, torch, NumPy and compiler."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    wanted = ("vendor_id", "cpu family", "model", "flags")
    about = sorted({line for line in lines if line.split("\t")[0].split(":")[0].strip() in wanted})
    processor = sha256("\n".join(about).encode()).hexdigest()[:16]
    level = torch.backends.cpu.get_cpu_capability()
    made_by = "a compiler" if compiler() else "no compiler"
    return f"{processor} {level}, torch {torch.__version__}, numpy {np.__version__}, {made_by}"


def curves(folder: Path) -> dict[str, bytes]:
    """Shard → the file of its curves."""
    return {path.stem: path.read_bytes() for path in sorted((folder / "curves").glob("*.npz"))}


def arrays(content: bytes) -> dict[str, np.ndarray]:
    """What a file of curves holds."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return dict(stored)
