"""A study and its verdict as one view: rounded, with units, and all that text, page and files show.

Shares are shown in % here and nowhere else. Contenders are known by their place in the list, so that no name, however
hostile, is ever a key; names and sentences are made safe to show by `one_line`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from steepest.messages import Message, paragraph, say, term, verbatim
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome, Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.study_record import StudyRecord
from steepest.records.task_warnings import in_words
from steepest.report import curve_bands
from steepest.report.axis_domains import forest_domain, loss_domain, metric_domains, rate_domain
from steepest.report.probe_figures import probe_figures
from steepest.report.rounding import decimals_for, one_line, significant
from steepest.report.schema import (
    SCHEMA,
    ClaimView,
    ContenderView,
    ReproduceView,
    SettingView,
    StandingView,
    TallyView,
    TaskView,
    View,
)
from steepest.report.standing_view import show_standing
from steepest.report.study_setup import protocol as protocol_of
from steepest.report.style import COLOURS, DASHES, MARKERS, Style, styles
from steepest.verdict.judge.advice import unjudged_leaders
from steepest.verdict.results import Claim, Tally, TaskVerdict, Verdict
from steepest.verdict.words import numbers

LABEL = 28
"""The longest name that is shown in full beside a curve or in a table."""
LONG = 60
"""The longest that is shown in full within a sentence."""


def view(study: StudyRecord, verdict: Verdict, traces: Mapping[str, Trace], probes: Sequence[ProbeTrace] = ()) -> View:
    """Everything that is shown of a study: plain JSON values, and messages where people read words. See `plain`.

    traces: shard id → curves; shards that are missing (a study still running) are left out of the curves only.
    probes: looks into trials, where anyone has had any.
    """
    looks, fit = styles(study.contenders), _fitter(study)
    failed = sum(result.outcome not in (Outcome.OK, Outcome.STOPPED) for result in study.results)
    return {
        "schema": SCHEMA,
        "study": {
            "name": one_line(study.name),
            "created": one_line(study.created),
            "finished": study.finished,
            "trials": len(study.results),
            "planned": study.trials_planned,
            "failed": failed,
            "time": numbers.duration(study.seconds),
            "reference": one_line(study.reference),
            "confidence": verdict.confidence,
        },
        "headline": _headline(verdict.claims, fit),
        "claims": _claims(verdict.claims, fit),
        "contenders": [
            _contender(contender, label, look)
            for contender, label, look in zip(study.contenders, labels_of(study.contenders), looks, strict=True)
        ],
        "palette": {"colours": [list(pair) for pair in COLOURS], "dashes": [list(dash) for dash in DASHES]},
        "tasks": [_task(i, study, task, traces, probes, fit) for i, task in enumerate(verdict.tasks)],
        "tallies": [_tally(study, tally) for tally in verdict.tallies],
        "reproduce": _reproduce(study),
    }


def labels_of(contenders: Sequence[Contender]) -> list[str]:
    """Short names; where the beginnings of two are the same, with their ends in place of their middles."""
    cut = [one_line(contender.name, LABEL) for contender in contenders]
    found: list[str] = []
    for label, contender in zip(cut, contenders, strict=True):
        name = one_line(contender.name)
        tail = LABEL // 2
        found.append(label if cut.count(label) == 1 else f"{name[: LABEL - 1 - tail]}…{name[-tail:]}")
    return found


def _contender(contender: Contender, label: str, look: Style) -> ContenderView:
    parts = [f"{one_line(key)} {_plain(value)}" for key, value in contender.settings.items()]
    return {
        "name": one_line(contender.name),
        "label": label,
        "rule": one_line(contender.rule),
        "schedule": one_line(contender.schedule),
        "batch_size": contender.batch_size,
        "rates": [significant(rate) for rate in contender.rates],
        "settings": {one_line(key): _plain(value) for key, value in contender.settings.items()},
        "settings_text": ", ".join(
            parts + ([] if contender.schedule == "constant" else [one_line(contender.schedule)])
        ),
        "colour": look.colour,
        "dash": look.dash,
        "marker": MARKERS[look.dash],
    }


def _tally(study: StudyRecord, tally: Tally) -> TallyView:
    return {
        "contender": _place(study.contenders, tally.contender),
        "best": tally.best,
        "tie": tally.tie,
        "behind": tally.behind,
        "unsure": tally.unsure,
        "failed": tally.failed,
    }


def _task(
    index: int,
    study: StudyRecord,
    verdict: TaskVerdict,
    traces: Mapping[str, Trace],
    probes: Sequence[ProbeTrace],
    fit: Callable[[Message], Message],
) -> TaskView:
    task = verdict.task
    scale = 100.0 if task.unit == "%" else 1.0
    estimates = [s.quality for s in verdict.standings if s.quality]
    decimals = decimals_for(scale * (e.high - e.low) / 2 for e in estimates)
    entries: list[StandingView] = []
    for standing in verdict.standings:
        results = [r for r in study.results if r.task == task.name and r.contender == standing.contender]
        drawn = curve_bands.drawing(curve_bands.bundles(results, traces), standing.rate, task.higher_is_better, scale)
        batch, steps = (results[0].batch_size, results[0].steps) if results else (task.batch_size, task.steps)
        entries.append(
            {
                "contender": _place(study.contenders, standing.contender),
                **show_standing(standing, scale, decimals),
                "batch_size": batch,
                "steps": steps,
                "epochs": significant(steps * batch / max(task.n_train, 1), 3),
                "curves": drawn,
            }
        )
    return {
        "index": index,
        "name": one_line(task.name),
        "label": one_line(task.name, LABEL),
        "title": term(task.title).mapped(one_line),
        "metric": term(task.metric).mapped(one_line),
        "unit": one_line(task.unit),
        "loss_name": term(task.loss_name).mapped(one_line),
        "higher_is_better": task.higher_is_better,
        "decimals": decimals,
        "margin": significant(verdict.margin * scale),
        "margin_text": margin_text(verdict.margin * scale, task.unit),
        "n_train": task.n_train,
        "n_valid": task.n_valid,
        "n_test": task.n_test,
        "parameters": task.parameters,
        "luck": [term(item).mapped(one_line) for item in task.luck],
        "source": term(task.source).mapped(one_line),
        "notes": [note.mapped(one_line) for note in task.notes],
        "warnings": [in_words(found).mapped(one_line) for found in task.warnings],
        "alone": task.fleet_obstacle.mapped(one_line),
        "target": significant(None if task.target is None else task.target * scale),
        "best": _index(study.contenders, verdict.best),
        "advised": _index(study.contenders, verdict.advised or verdict.best),
        "advises": not unjudged_leaders(verdict.standings, verdict.task.higher_is_better),
        "reference": _index(study.contenders, verdict.reference),
        "baseline": _index(study.contenders, study.baseline),
        "ties": [_index(study.contenders, name) for name in verdict.ties],
        "headline": _headline(verdict.claims, fit),
        "answer": [fit(claim.says) for claim in verdict.claims if claim.part == "headline"],
        "claims": _claims(verdict.claims, fit),
        "paired": verdict.paired,
        "correlation": significant(verdict.correlation),
        "question": verdict.question,
        "placement": "pooled" if study.pooled_rates else "by seed",
        "mixed": len({(entry["batch_size"], entry["steps"]) for entry in entries}) > 1,
        "targets": {name: significant(level * scale) for name, level in verdict.targets.items()},
        "standings": entries,
        "forest": forest_domain(entries, task.higher_is_better),
        "axes": {
            "rate": rate_domain(entries),
            "loss": loss_domain(entries),
            **metric_domains(entries, task.higher_is_better),
        },
        "probes": probe_figures(probes, task.name, study.contenders),
    }


def _fitter(study: StudyRecord) -> Callable[[Message], Message]:
    """What makes a sentence fit to show: one line, in which absurdly long names are cut, for they bury the sentence."""
    names = [contender.name for contender in study.contenders]
    for task in study.tasks:
        names += [task.name, task.title, task.metric, task.source, task.loss_name, *task.luck]
    long = {name: one_line(name, LONG) for name in names if len(name) > LONG}

    def cut(words: str) -> str:
        for name, short in long.items():
            words = words.replace(name, short)
        return one_line(words)

    return lambda message: message.mapped(cut)


def _headline(claims: Iterable[Claim], fit: Callable[[Message], Message]) -> Message:
    """The paragraph to read first."""
    return paragraph(fit(claim.says) for claim in claims if claim.part == "headline")


def _claims(claims: Iterable[Claim], fit: Callable[[Message], Message]) -> list[ClaimView]:
    """The claims that are not part of the headline, in the order of the verdict."""
    return [
        {"kind": c.kind, "sentence": fit(c.says), "pair": c.kind in ("tie", "behind") and _is_pair(c)}
        for c in claims
        if c.part == "detail"
    ]


def margin_text(margin: float, unit: str) -> Message:
    """The practical margin with its unit."""
    figure = f"{margin:.3g}"
    return say("{figure} points", figure=figure) if unit == "%" else verbatim(figure)


def _is_pair(claim: Claim) -> bool:
    """Whether a claim is about two contenders only, and so repeats a row of the ranking in words."""
    return all(key.startswith("pair:") for key in claim.evidence)


def _reproduce(study: StudyRecord) -> ReproduceView:
    protocol = study.protocol
    return {
        "command": one_line(study.command),
        "seeds": protocol.seeds,
        "first_seed": protocol.first_seed,
        "rates": protocol.rates,
        "decades": protocol.decades,
        "extra_rates": protocol.extra_rates,
        "protocol": protocol_of(study).mapped(one_line),
        "given_up": [text.mapped(one_line) for text in study.given_up],
        "versions": {one_line(key): one_line(value) for key, value in study.versions.items()},
        "hardware": {one_line(key): one_line(value) for key, value in study.hardware.items()},
    }


def _place(contenders: tuple[Contender, ...], name: str) -> int:
    """Place in the list of contenders of a name that is there."""
    return [contender.name for contender in contenders].index(name)


def _index(contenders: tuple[Contender, ...], name: str) -> int | None:
    """Place in the list of contenders; None for a name that is not there, such as "" for no best."""
    return next((i for i, contender in enumerate(contenders) if contender.name == name), None)


def _plain(value: float | bool | str) -> SettingView:
    if isinstance(value, str):
        return one_line(value)
    return value if isinstance(value, bool) else significant(value, 6)
