"""Writes the pages that are made from tables, so that page and table always agree: `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from steepest.adapters.frameworks import OTHERS
from steepest.adapters.torch import build
from steepest.adapters.torch_code import code
from steepest.cli.main import app
from steepest.optim.catalogue import CATALOGUE, contender, describe, entry, settings_of
from steepest.optim.choosing import SIZES, choice_of, facts_of
from steepest.optim.entry import Entry
from steepest.optim.equivalents.form import Framework
from steepest.optim.equivalents.torch_forms import torch_form
from steepest.optim.plateau import Plateau
from steepest.optim.schedules import LISTENING, SCHEDULES, WARMUP_SHARE, numbers_of
from steepest.optim.wrappers import WRAPPERS
from steepest.records.task_warnings import KINDS, SEVERITIES

FOLDER = Path(__file__).parent


HEAD = """# Optimizers

Made by `make docs` from the table in `src/steepest/optim/catalogue.py`; `steepest show NAME` prints the same.

Letters: w weights, g gradient, η learning rate, t = 1, 2, … the step. Each table explains its other letters. All state
starts at zero unless a table states otherwise. A coupled weight decay λ first replaces g by g + λw. "Worked" shows
three steps from w = 1 with the gradients 0.5, 0.5 and −0.25 at η = 0.1; a step that needs a second gradient gets the
first one again. "The article" is the tutorial whose formulas the entries marked *as printed* follow exactly.
"""

SCHEDULES_HEAD = f"""## Schedules

A schedule multiplies η at step t of a horizon; x = (t−1)/horizon is the completed fraction. Set its numbers as in
`step:factor=0.5:every=0.25`; fractions are of the horizon. `warmup-NAME` rises over the first {WARMUP_SHARE:.0%} of the
steps, or over another `share`, and then follows NAME. A cooldown of `warmup-stable-decay` with `power=0.5` is the
1 − √y of Hägele et al., 2024, where y goes from 0 to 1. Schedules that rise by themselves have no such form. `plateau`
follows the validation loss, so a study that uses it trains its models one at a time.

`--schedule own` gives each optimizer the schedule that its authors train with or ask for, which its entry above names,
and a constant rate to the others. It is not the default, because a comparison of optimizers under different schedules
compares both at once. `steepest extend` adds optimizers under the schedule of the study's first one.
"""


WRAPPERS_HEAD = """## Wrappers

Add a wrapper to any optimizer with a plus: `adam+cautious`, `sgd+l2+clip-norm:max_norm=0.5`. The last wrapper is the
outermost and receives the gradient first.
"""


def wrappers() -> Iterable[str]:
    """What can be put around every optimizer."""
    yield WRAPPERS_HEAD
    for name, kind in WRAPPERS.items():
        numbers = ", ".join(f"`{row.name}={row.default:g}`" for row in fields(kind))  # type: ignore[arg-type]
        alone = "; needs a second gradient, so models train one at a time" if kind.second else ""
        yield f"- `{name}`: {kind.formula}{f'; {numbers}' if numbers else ''}{alone} ({kind.source})"
    yield ""


COST_HEAD = """## Memory and time

Numbers of state per parameter, computed from the shapes of the medium model; and the duration of a step of the drop-in
optimizer relative to Adam's, on one core, gradient computation excluded, compiled where that is faster. The models have
2,410, 203,530 and 1,838,592 parameters in float32. `python -m benchmarks.rules` measures the durations. `steepest
optimizers --sort cost` has the same figures, and `--kind`, `--needs` and `--state` choose among the optimizers.
"""
MEASURED = FOLDER.parent / "benchmarks" / "results" / "rules.json"


def cost() -> Iterable[str]:
    """A table of what every optimizer keeps and how long its step takes."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {"rules": {}}
    yield COST_HEAD
    rows = []
    for item in CATALOGUE:
        facts = facts_of(item)
        costs = (f"{facts['costs'][size]:g}" if size in facts["costs"] else "–" for size in SIZES)
        row = (
            f"`{item.name}`",
            facts["kind"],
            ", ".join(facts["needs"]) or "–",
            f"{facts['numbers_kept']:.3g}",
            *costs,
        )
        rows.append(row)
    yield from _table(("optimizer", "kind", "needs", "state", *SIZES), rows)
    yield ""
    if measured["rules"]:
        machine, version = measured["hardware"]["processor"], measured["versions"]["torch"]
        yield from (f"Measured on {measured['when']}: {machine}, torch {version}.", "")


def _choice(item: Entry) -> Iterable[str]:
    """What helps to choose."""
    own = choice_of(item)
    yield from (f"- Needs {what}" for what in own["needs_in_words"])
    yield f"- Keeps {own['state_formula']} numbers for a matrix [m, n]. A step takes {own['work']}"
    yield f"- It {own['treatment']}"
    yield f"- Its rates are about {item.centre / entry('adamw').centre:g} × AdamW's"
    if own["own_schedule"]:
        yield f"- Its authors' schedule: `{own['own_schedule']}`"
    if own["tune"]:
        yield f"- Worth tuning beside the rate: {', '.join(f'`{name}`' for name in own['tune'])}"
    yield from (f"- Measured elsewhere: {finding}" for finding in own["findings"])


def optimizers() -> str:
    """docs/optimizers.md"""
    contents = [f"- [{item.title}](#{item.name}): {item.summary}" for item in CATALOGUE]
    entries = [line for item in CATALOGUE for line in _optimizer(item)]
    schedules = [_schedule(name, fn.__doc__) for name, fn in SCHEDULES.items() if not isinstance(fn, partial)]
    schedules.append(_schedule(LISTENING, (Plateau.__doc__ or "").partition("\n")[0]))
    return "\n".join([HEAD, *contents, "", *cost(), *entries, *wrappers(), SCHEDULES_HEAD, *schedules, ""])


def _schedule(name: str, what: str | None) -> str:
    numbers = ", ".join(f"`{key}={value:g}`" for key, value in numbers_of(name).items())
    return f"- `{name}`: {what}" + (f"; {numbers}" if numbers else "")


def _optimizer(item: Entry) -> Iterable[str]:
    page = describe(item)
    paper = page["paper"]
    size = {None: "the task's own", "full": "the whole training part", 1: "one example"}[item.batch_size]
    yield f'<a id="{item.name}"></a>'
    yield from (f"## {item.title}", "", f"`{item.name}`. {item.summary}", "")
    yield from ("```text", *item.formula.split(" ;  "), "```", "")
    yield from _table(
        ("", "name", "value", "allowed", "meaning"),
        (
            (row["symbol"], f"`{row['name']}`", f"`{_plain(row['value'])}`", row["allowed"], row["meaning"])
            for row in page["hyperparameters"]
        ),
    )
    yield ""
    yield from _table(
        ("elsewhere", "difference", "settings here"),
        ((row["framework"], row["how"], _settings(row["settings"])) for row in page["departures"]),
    )
    yield ""
    yield f"- Worked: w = {', '.join(f'{w:.6g}' for w in worked(item))}"
    yield f"- Search: rates over four decades around {item.centre:g}; the default rate is {item.rate:g}"
    yield f"- Batch: {size}. State: {', '.join(item.rule.state) or 'none'}"
    yield from _choice(item)
    arxiv = f", arXiv {paper['arxiv']}" if paper["arxiv"] else ""
    yield f"- Source: {paper['authors']}, *{paper['title']}*, {paper['year']}{arxiv}"
    yield from ("", "```python", code(item, item.rate).rstrip(), "```", "")


def worked(item: Entry) -> list[float]:
    """Where w = 1 goes in three steps, in float64."""
    shape = (1, 1) if item.rule.fallback else (1,)
    w = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    optimizer = build(item, [w], lr=0.1)
    path = []

    def closure(g: float) -> None:
        optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
        w.grad = torch.full(shape, g, dtype=torch.float64)

    for g in (0.5, 0.5, -0.25):
        optimizer.step(partial(closure, g))
        path.append(w.item())
    return path


FRAMEWORKS_HEAD = """# The same optimizer in PyTorch, Keras and Optax

Made by `make docs` from the tables that `steepest use STUDY --framework torch|keras|optax` also uses; `lightning`
and `transformers` write the same torch optimizer into `configure_optimizers` and for a `Trainer`.
`make test-oracles` runs every line on a small network in float64. An optimizer listed as the same stays within 1e-6 of
our path over 50 steps; one listed as different does not.

η is the learning rate. Other numbers are those of the catalogue; for other values, `steepest use` decides again. Where
a framework differs, the last column shows what to pass to `--optimizers` so that a study measures what the framework
does.

Schedules use the framework's own classes where they have the same rate at every step: nearly all in torch; `linear`,
`cosine`, `polynomial` and `exponential` in Keras; these, and their warm-ups, in Optax. For all other schedules the code
has the formula in plain Python.
"""


def frameworks() -> str:
    """docs/frameworks.md"""
    forms = [(item, torch_form(item.rule, settings_of(item))) for item in CATALOGUE]
    rows = [(f"`{item.name}`", f"`torch.optim.{it.name}({_listed(it.arguments)})`") for item, it in forms if it]
    ours = ", ".join(f"`{item.name}`" for item, it in forms if not it)
    lines = [FRAMEWORKS_HEAD, "## PyTorch", "", *_table(("optimizer", "torch class"), rows), ""]
    lines += [f"torch has no equivalent of the following; `steepest` provides a `torch.optim.Optimizer`: {ours}.", ""]
    for other in OTHERS.values():
        missing = [item for item in CATALOGUE if other.form(item.rule, settings_of(item)) is None]
        head = ("optimizer", f"in {other.title}", "difference", "same result with")
        rows = [_elsewhere(item, other) for item in CATALOGUE if item not in missing]
        lines += [f"## {other.title}", "", *_table(head, rows), ""]
        lines += [f"No equivalent is known for {', '.join(f'`{item.name}`' for item in missing)}.", ""]
    return "\n".join(lines)


def _elsewhere(item: Entry, other: Framework) -> tuple[str, ...]:
    """A row: the nearest form, what differs, and the settings that it does follow."""
    steady, moving = (other.form(item.rule, settings_of(item), name) for name in ("constant", "cosine"))
    assert steady
    differs = "; ".join(steady.differs) or "nothing"
    if steady.differs == () and moving is None:
        differs = "takes no schedule"
    elif steady.differs == () and moving and moving.differs:
        differs = f"nothing at a constant rate; else {'; '.join(moving.differs)}"
    rate = "η" if steady.share == 1 else f"{steady.share:.6g}η"
    asked = other.followed(contender(item, schedule="cosine")) if differs != "nothing" else ""
    text = " ".join(other.write(steady.parts, rate).split()).replace("( ", "(").replace(", )", ")")
    return f"`{item.name}`", f"`{text}`", differs, f"`{asked}`" if asked else ""


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(["lr=η", *(f"{name}={value!r}" for name, value in arguments.items())])


def _settings(settings: dict[str, Any] | None) -> str:
    if settings is None:
        return "none"
    return ", ".join(f"`{name}={_plain(value)}`" for name, value in settings.items()) or "as it is"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


COMMANDS_HEAD = """# Commands and options

Made by `make docs` from the command line itself: `steepest COMMAND --help` prints the same. Before the first command,
`source .venv/bin/activate`, or write `.venv/bin/steepest`.

A command that works on a study takes its folder, or the newest one in `runs/`. `--json` prints JSON for other programs
to read, `--lang zh` prints Chinese. [Errors](errors.md) lists the exit codes.

| environment variable | effect |
|---|---|
| `STEEPEST_LANG` | `zh`: every command prints Chinese |
| `STEEPEST_CACHE` | folder of data sets and compiled code; `~/.cache/steepest` if it is not set |
| `STEEPEST_REUSE` | `0`: every trial is trained, [known or not](study-folder.md#trials-that-are-trained-already) |
| `STEEPEST_OFFLINE` | `1`: nothing is downloaded |
| `STEEPEST_COMPILE` | `0`: optimizers are not compiled ([drop-in](drop-in.md)) |
"""


def commands() -> str:
    """docs/commands.md"""
    text = app.generate_docs(output_format="markdown", heading_level=1)
    _, _, listed = text.partition("**Commands**:")
    outside = re.split(r"(^```.*?^```|`[^`\n]+`)", listed, flags=re.MULTILINE | re.DOTALL)
    outside[::2] = (part.replace("<", "&lt;") for part in outside[::2])
    return "\n".join([COMMANDS_HEAD, "".join(outside).strip(), ""])


WARNINGS_HEAD = """# Warnings

Made by `make docs` from the table in `src/steepest/records/task_warnings.py`.

A warning is about a task that can be trained, but whose results would mislead or fall short. `steepest check` shows the
warnings of a task. `run` and `plan` show them before they train, and the verdict and the report repeat them. Each has
an id and one of three severities:

| severity | meaning |
|---|---|
| severe | The verdict would be about something else. `steepest run` trains nothing and ends with exit code 2. |
| warning | Probably a mistake. The study runs, and the verdict repeats the warning. |
| note | Good to know. |

Correct the task, or accept the warning by its id: `steepest run my_task.py --accept ID,ID`, in Python
`compare(task, accept=["ID"])` or `Task(…, accept=["ID"])`. The verdict does not repeat an accepted warning unless it is
severe. `steepest check --json` lists the warnings under `warnings`, each with `id`, `severity`, `message` and
`accepted`; `steepest verdict --json` has them under `tasks[].task.warnings`.
"""


def warnings() -> str:
    """docs/warnings.md"""
    parts = [WARNINGS_HEAD]
    for severity in SEVERITIES:
        for kind in sorted(KINDS.values(), key=lambda kind: kind.id):
            if kind.severity == severity:
                parts += [
                    f"## {kind.id}\n",
                    f"Severity: {severity}. {kind.title}\n",
                    f"- Example: {kind.example}",
                    f"- What to do: {kind.remedy}\n",
                ]
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "optimizers.md": optimizers,
    "frameworks.md": frameworks,
    "commands.md": commands,
    "warnings.md": warnings,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
