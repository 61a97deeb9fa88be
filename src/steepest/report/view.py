"""A study and its verdict as one JSON-ready view: rounded, with units, and all that text, page and files show.

Shares are shown in % here and nowhere else. Contenders are known by their place in the list, so that no name, however
hostile, is ever a key; names and sentences are made safe to show by `one_line`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from steepest.language import Text
from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome, Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.study_record import StudyRecord
from steepest.report import curve_bands
from steepest.report.axis_domains import forest_domain, loss_domain, metric_domains, rate_domain
from steepest.report.probe_figures import probe_figures
from steepest.report.rounding import decimals_for, one_line, significant
from steepest.report.standing_view import show_standing
from steepest.report.study_setup import protocol as protocol_of
from steepest.report.style import COLOURS, DASHES, MARKERS, styles
from steepest.verdict.results import Claim, TaskVerdict, Verdict
from steepest.verdict.words import numbers
from steepest.verdict.words.terms import term

SCHEMA = 1
"""Rises whenever a reader of an older view would misread a newer one."""
LABEL = 28
"""The longest name that is shown in full beside a curve or in a table."""
LONG = 60
"""The longest that is shown in full within a sentence."""


def view(
    study: StudyRecord, verdict: Verdict, traces: Mapping[str, Trace], probes: Sequence[ProbeTrace] = ()
) -> dict[str, Any]:
    """Everything that is shown of a study, as plain JSON values.

    traces: shard id → curves; shards that are missing (a study still running) are left out of the curves only.
    probes: looks into trials, where anyone has had any.
    """
    looks, say = styles(study.contenders), _sayer(study)
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
            **_both("time", numbers.duration(study.seconds)),
            "reference": one_line(study.reference),
            "confidence": verdict.confidence,
        },
        **_headlines(verdict.claims, say),
        "claims": _claims(verdict.claims, say),
        "contenders": [
            {**_contender(contender), "colour": look.colour, "dash": look.dash, "marker": MARKERS[look.dash]}
            for contender, look in zip(study.contenders, looks, strict=True)
        ],
        "palette": {"colours": [list(pair) for pair in COLOURS], "dashes": [list(dash) for dash in DASHES]},
        "tasks": [
            {
                "index": i,
                **_task(study, task, traces, say),
                "probes": probe_figures(probes, task.task.name, study.contenders),
            }
            for i, task in enumerate(verdict.tasks)
        ],
        "tallies": [
            {**asdict(tally), "contender": _index(study.contenders, tally.contender)} for tally in verdict.tallies
        ],
        "reproduce": _reproduce(study),
    }


def _contender(contender: Contender) -> dict[str, Any]:
    parts = [f"{one_line(key)} {_plain(value)}" for key, value in contender.settings.items()]
    return {
        "name": one_line(contender.name),
        "label": one_line(contender.name, LABEL),
        "rule": one_line(contender.rule),
        "schedule": one_line(contender.schedule),
        "batch_size": contender.batch_size,
        "rates": [significant(rate) for rate in contender.rates],
        "settings": {one_line(key): _plain(value) for key, value in contender.settings.items()},
        "settings_text": ", ".join(
            parts + ([] if contender.schedule == "constant" else [one_line(contender.schedule)])
        ),
    }


def _task(
    study: StudyRecord, verdict: TaskVerdict, traces: Mapping[str, Trace], say: Callable[[str], str]
) -> dict[str, Any]:
    task = verdict.task
    scale = 100.0 if task.unit == "%" else 1.0
    estimates = [s.quality for s in verdict.standings if s.quality]
    decimals = decimals_for(scale * (e.high - e.low) / 2 for e in estimates)
    entries = []
    for standing in verdict.standings:
        results = [r for r in study.results if r.task == task.name and r.contender == standing.contender]
        drawn = curve_bands.drawing(curve_bands.bundles(results, traces), standing.rate, task.higher_is_better, scale)
        batch, steps = (results[0].batch_size, results[0].steps) if results else (task.batch_size, task.steps)
        entries.append(
            {
                "contender": _index(study.contenders, standing.contender),
                **show_standing(standing, scale, decimals),
                "batch_size": batch,
                "steps": steps,
                "epochs": significant(steps * batch / max(task.n_train, 1), 3),
                "curves": drawn,
            }
        )
    return {
        "name": one_line(task.name),
        "label": one_line(task.name, LABEL),
        **_both("title", term(task.title)),
        **_both("metric", term(task.metric)),
        "unit": one_line(task.unit),
        **_both("loss_name", term(task.loss_name)),
        "higher_is_better": task.higher_is_better,
        "decimals": decimals,
        "margin": significant(verdict.margin * scale),
        "margin_text": f"{verdict.margin * scale:.3g}" + (" points" if task.unit == "%" else ""),
        "margin_text_zh": f"{verdict.margin * scale:.3g}" + (" 个百分点" if task.unit == "%" else ""),
        "n_train": task.n_train,
        "n_valid": task.n_valid,
        "n_test": task.n_test,
        "parameters": task.parameters,
        "luck": [one_line(item) for item in task.luck],
        "luck_zh": [one_line(term(item).zh) for item in task.luck],
        **_both("source", term(task.source)),
        "notes": [_both("sentence", note) for note in task.notes],
        **_both("alone", Text(task.fleet_obstacle, task.fleet_obstacle_zh or task.fleet_obstacle)),
        "target": significant(None if task.target is None else task.target * scale),
        "best": _index(study.contenders, verdict.best),
        "advised": _index(study.contenders, verdict.advised or verdict.best),
        "reference": _index(study.contenders, verdict.reference),
        "ties": [_index(study.contenders, name) for name in verdict.ties],
        **_headlines(verdict.claims, say),
        "claims": _claims(verdict.claims, say),
        "paired": verdict.paired,
        "mixed": len({(entry["batch_size"], entry["steps"]) for entry in entries}) > 1,
        "targets": {name: significant(level * scale) for name, level in verdict.targets.items()},
        "standings": entries,
        "forest": forest_domain(entries, task.higher_is_better),
        "axes": {
            "rate": rate_domain(entries),
            "loss": loss_domain(entries),
            **metric_domains(entries, task.higher_is_better),
        },
    }


def _sayer(study: StudyRecord) -> Callable[[str], str]:
    """What makes a sentence fit to show: one line, in which absurdly long names are cut, for they bury the sentence."""
    names = [contender.name for contender in study.contenders]
    for task in study.tasks:
        names += [task.name, task.title, task.metric, task.source, task.loss_name, *task.luck]
    long = {name: one_line(name, LONG) for name in names if len(name) > LONG}

    def say(sentence: str) -> str:
        for name, cut in long.items():
            sentence = sentence.replace(name, cut)
        return one_line(sentence)

    return say


def _headlines(claims: Iterable[Claim], say: Callable[[str], str]) -> dict[str, list[str]]:
    """The paragraph to read first in either language: its first sentence, which is set large, and the rest."""
    said = [claim.says for claim in claims if claim.part == "headline"]
    en, zh = " ".join(say(text.en) for text in said), "".join(say(text.zh) for text in said)
    return {
        "headline": re.split(r"(?<=[.!?]) +(?=[A-Z])", en, maxsplit=1) if en else [],
        "headline_zh": re.split(r"(?<=[。！？])(?!$)", zh, maxsplit=1) if zh else [],
    }


def _claims(claims: Iterable[Claim], say: Callable[[str], str]) -> list[dict[str, Any]]:
    """The claims that are not part of the headline, in the order in which the verdict tells them."""
    return [
        {
            "kind": c.kind,
            "sentence": say(c.says.en),
            "sentence_zh": say(c.says.zh),
            "pair": c.kind in ("tie", "behind") and _is_pair(c),
        }
        for c in claims
        if c.part == "detail"
    ]


def _both(key: str, text: Text) -> dict[str, str]:
    """One thing under its key, and in Chinese under the same key with `_zh`."""
    return {key: one_line(text.en), f"{key}_zh": one_line(text.zh)}


def _is_pair(claim: Claim) -> bool:
    """Whether a claim is about two contenders only, and so repeats a row of the ranking in words."""
    return all(key.startswith("pair:") for key in claim.evidence)


def _reproduce(study: StudyRecord) -> dict[str, Any]:
    protocol = study.protocol
    return {
        "command": one_line(study.command),
        "seeds": protocol.seeds,
        "first_seed": protocol.first_seed,
        "rates": protocol.rates,
        "decades": protocol.decades,
        "extra_rates": protocol.extra_rates,
        **_both("protocol", protocol_of(study)),
        "given_up": [one_line(text.en) for text in study.given_up],
        "given_up_zh": [one_line(text.zh) for text in study.given_up],
        "versions": {one_line(key): one_line(value) for key, value in study.versions.items()},
        "hardware": {one_line(key): one_line(value) for key, value in study.hardware.items()},
    }


def _index(contenders: tuple[Contender, ...], name: str) -> int | None:
    """Place in the list of contenders; None for a name that is not there, such as "" for no best."""
    return next((i for i, contender in enumerate(contenders) if contender.name == name), None)


def _plain(value: float | bool | str) -> float | bool | str | None:
    if isinstance(value, str):
        return one_line(value)
    return value if isinstance(value, bool) else significant(value, 6)
