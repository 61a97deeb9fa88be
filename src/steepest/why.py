"""Explains the result of a finished study with measurements taken during training.

Measuring slows training down, so only a few trials are measured: each contender is trained again at its recommended
learning rate, on the first seeds, by the engine that the study used.
"""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from steepest.engine.probes import probe_steps
from steepest.engine.shard import ObjectRegistry, run_job
from steepest.errors import BadInput
from steepest.messages import Message, language, say, shown, term, tr
from steepest.reader import StudyReader
from steepest.records.files import write_bytes
from steepest.records.job_records import ProbeJob
from steepest.records.probe_trace import ProbeTrace
from steepest.records.trials import Lane, Shard
from steepest.report.rounding import one_line
from steepest.report.svg import Line, curves
from steepest.study import store
from steepest.study.planner import slug
from steepest.study.trust import check_trust
from steepest.tasks.task import Task
from steepest.verdict.judge.diagnosis import MIN_TRIALS, epochs
from steepest.verdict.results import Claim, TaskVerdict

LABEL, LONG = 28, 60
"""Maximum length of a name next to a curve, and in a heading."""
FIGURES = {
    "step": say("median effective step, |Δw|/|g|"),
    "sharpness": say("rate × sharpness"),
    "noise": say("gradient noise scale, in batches"),
    "flips": say("share of updates that turn around"),
    "step_of_rare": say("effective step, rare over frequent parameters"),
    "update_to_weight": say("update-to-weight ratio, median layer"),
    "loss": say("training loss"),
}
"""Figure → its axis label. The keys are the names used in the evidence of a claim."""


def look_into(
    folder: Path,
    seeds: int = MIN_TRIALS,
    tasks: Mapping[str, Task] | None = None,
    tell: Callable[[Message], None] = lambda words: None,
    trust: bool = False,
) -> StudyReader:
    """Measure the training of every contender that was not measured before, and return the study.

    seeds: trials of each contender. tasks: tasks that exist only in memory, by name. tell: called with a message
    before each contender. trust: run task files that the study names even if you have not run them before. Contenders
    without a recommended learning rate, or that exist only in another process, are left out. Raises StudyFolderError,
    BadInput if the study is not finished, or BadTask for code that is not trusted.
    """
    spec, study = store.read_spec(folder), StudyReader(folder)
    check_trust((task.ref for task in spec.tasks), trust)
    if spec.plan is None or not study.record.finished:
        raise BadInput(f"The study {folder} is not finished. Finish it first: steepest resume {folder}")
    refs = {task.ref.name: task.ref for task in spec.tasks}
    contenders = {each.name: each for each in spec.contenders}
    rates = {(v.task.name, item.contender): item.rate for v in study.verdict.tasks for item in v.standings}
    registry = ObjectRegistry(tasks=tasks or {})
    first = spec.plan.protocol.first_seed
    for run in spec.plan.runs:
        ref, contender, rate = refs[run.task], contenders[run.contender], rates.get((run.task, run.contender))
        here = ref.source != "memory" or ref.locator in registry.tasks
        shard = Shard(
            id=slug(run.task, run.contender),
            task=ref,
            contender=contender,
            lanes=tuple(Lane(rate or 0.0, first + i) for i in range(seeds)),
            batch_size=run.batch_size,
            steps=run.steps,
            evaluate_at=probe_steps(run.steps),
            engine=run.engine,
            dtype=spec.dtype,
            device=spec.device,
        )
        if not rate or not here or contender.is_in_memory or (folder / "probes" / f"{shard.id}.npz").exists():
            continue
        tell(
            say(
                "Measuring {contender} on {task} with learning rate {rate:g}",
                contender=run.contender,
                task=run.task,
                rate=rate,
            )
        )
        run_job(ProbeJob(shard), folder, registry)
    return StudyReader(folder)


def reasons(study: StudyReader) -> list[tuple[TaskVerdict, list[Claim]]]:
    """The tasks and their reasons. A task may have none."""
    return [(task, [claim for claim in task.claims if claim.kind == "why"]) for task in study.verdict.tasks]


def page(study: StudyReader) -> str:
    """The reasons and all measured curves, as an HTML page."""
    title = tr("Why: {name}", name=one_line(study.record.name, LONG))
    parts = [f"<title>{escape(title)}</title><h1>{escape(title)}</h1>"]
    for verdict, claims in reasons(study):
        seen = [each for each in study.probes if each.task == verdict.task.name]
        parts.append(f"<h2>{escape(one_line(shown(term(verdict.task.title)), LONG))}</h2>")
        parts += [_claim_html(claim) for claim in claims] or [f"<p>{shown(NOTHING_SURE)}</p>"]
        for figure in FIGURES:
            parts.append(f'<figure id="{figure}">{chart(figure, seen, verdict.task.n_train)}</figure>')
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}figure{margin:1rem 0}"
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{style}</style>'
    return f'<!doctype html>\n<html lang="{language()}">\n{head}' + "\n".join(parts) + "\n"


NOTHING_SURE = say("The measurements do not explain the result.")


def _claim_html(claim: Claim) -> str:
    figure = claim.evidence[0].rsplit("/", 1)[1]
    curve = tr("The curve.")
    return f'<p>{escape(one_line(shown(claim.says)))} <a href="#{figure}">{curve}</a></p>'


def chart(figure: str, probes: list[ProbeTrace], n_train: int) -> str:
    """One curve per contender: the median of its trials, with a band from minimum to maximum."""
    lines = []
    for each in probes:
        y = series(figure, each)  # [R, K]
        x = [float(e) for e in epochs(each, n_train)]
        low, middle, high = (fn(y, axis=0).tolist() for fn in (np.min, np.median, np.max))
        lines.append(Line(one_line(each.contender, LABEL), x, middle, low, high))
    epoch = tr("epoch")
    return curves(lines, epoch, shown(FIGURES[figure]), log_y=figure not in ("flips", "sharpness"))


def series(figure: str, probes: ProbeTrace) -> Any:
    """The values of a figure at each measured step: [trials, steps]."""
    match figure:
        case "step":
            return probes.step[:, :, 2]
        case "sharpness":
            return probes.rate * probes.sharpness
        case "noise":
            return probes.noise / probes.batch_size
        case "step_of_rare":
            return probes.step_of_rare[:, :, 0] / probes.step_of_rare[:, :, 1]
        case "update_to_weight":
            return np.median(probes.update_to_weight, axis=2)
        case other:
            return getattr(probes, other)


def write(study: StudyReader, path: Path | None = None) -> Path:
    """Write the page, by default as why.html in the study folder, and return its path."""
    path = study.folder / "why.html" if path is None else path
    write_bytes(path, page(study).encode())
    return path
