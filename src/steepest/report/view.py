"""A study and its verdict as one JSON-ready view: rounded, with units, and all that text, page and files show.

Shares are shown in % here and nowhere else. Contenders are known by their place in the list, so that no name, however
hostile, is ever a key; names and sentences are made safe to show by `one_line`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from steepest.report import curves
from steepest.report.domains import forest_domain, loss_domain, metric_domains, rate_domain
from steepest.report.rounding import decimals_for, fixed, one_line, p_value, significant
from steepest.report.style import COLOURS, DASHES, MARKERS, styles
from steepest.types import Contender, Outcome, StudyRecord, Trace
from steepest.verdict import numbers
from steepest.verdict.nouns import Claim, Estimate, RatePoint, Standing, TaskVerdict, Verdict

SCHEMA = 1
"""Rises whenever a reader of an older view would misread a newer one."""
LABEL = 28
"""The longest name that is shown in full beside a curve or in a table."""


def view(study: StudyRecord, verdict: Verdict, traces: Mapping[str, Trace]) -> dict[str, Any]:
    """Everything that is shown of a study, as plain JSON values.

    traces: shard id → curves; shards that are missing (a study still running) are left out of the curves only.
    """
    looks = styles(study.contenders)
    failed = sum(result.outcome is not Outcome.OK for result in study.results)
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
        "headline": _headline(verdict.claims),
        "claims": _claims(verdict.claims),
        "contenders": [
            {**_contender(contender), "colour": look.colour, "dash": look.dash, "marker": MARKERS[look.dash]}
            for contender, look in zip(study.contenders, looks, strict=True)
        ],
        "palette": {"colours": [list(pair) for pair in COLOURS], "dashes": [list(dash) for dash in DASHES]},
        "tasks": [{"index": i, **_task(study, task, traces)} for i, task in enumerate(verdict.tasks)],
        "tallies": [
            {**asdict(tally), "contender": _index(study.contenders, tally.contender)} for tally in verdict.tallies
        ],
        "reproduce": _reproduce(study),
    }


def _contender(contender: Contender) -> dict[str, Any]:
    return {
        "name": one_line(contender.name),
        "label": one_line(contender.name, LABEL),
        "rule": one_line(contender.rule),
        "schedule": one_line(contender.schedule),
        "batch_size": contender.batch_size,
        "settings": {one_line(key): _plain(value) for key, value in contender.settings.items()},
    }


def _task(study: StudyRecord, verdict: TaskVerdict, traces: Mapping[str, Trace]) -> dict[str, Any]:
    task = verdict.task
    scale = 100.0 if task.unit == "%" else 1.0
    estimates = [s.quality for s in verdict.standings if s.quality]
    decimals = decimals_for(scale * (e.high - e.low) / 2 for e in estimates)
    entries = []
    for standing in verdict.standings:
        results = [r for r in study.results if r.task == task.name and r.contender == standing.contender]
        drawn = curves.drawing(curves.bundles(results, traces), standing.rate, task.higher_is_better, scale)
        batch, steps = (results[0].batch_size, results[0].steps) if results else (task.batch_size, task.steps)
        entries.append(
            {
                **_standing(study, standing, scale, decimals),
                "batch_size": batch,
                "steps": steps,
                "settings_text": _settings(study.contenders, standing.contender),
                "epochs": significant(steps * batch / max(task.n_train, 1), 3),
                "curves": drawn,
            }
        )
    return {
        "name": one_line(task.name),
        "label": one_line(task.name, LABEL),
        "title": one_line(task.title),
        "metric": one_line(task.metric),
        "unit": one_line(task.unit),
        "loss_name": one_line(task.loss_name),
        "higher_is_better": task.higher_is_better,
        "decimals": decimals,
        "margin": significant(verdict.margin * scale),
        "margin_text": f"{verdict.margin * scale:.3g}" + (" points" if task.unit == "%" else ""),
        "n_train": task.n_train,
        "n_valid": task.n_valid,
        "n_test": task.n_test,
        "parameters": task.parameters,
        "luck": [one_line(item) for item in task.luck],
        "source": one_line(task.source),
        "target": significant(None if task.target is None else task.target * scale),
        "best": _index(study.contenders, verdict.best),
        "reference": _index(study.contenders, verdict.reference),
        "ties": [_index(study.contenders, name) for name in verdict.ties],
        "headline": _headline(verdict.claims),
        "claims": _claims(verdict.claims),
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


def _standing(study: StudyRecord, s: Standing, scale: float, decimals: int) -> dict[str, Any]:
    safe = s.safe_rates
    return {
        "contender": _index(study.contenders, s.contender),
        "place": s.place,
        "status": s.status,
        "quality": _estimate(s.quality, scale, decimals),
        "deviation": significant(None if s.deviation is None else s.deviation * scale),
        "behind_best": _estimate(s.behind_best, scale, decimals, sign=True),
        "p_best": {"value": significant(s.p_best), "text": p_value(s.p_best)},
        "behind_reference": _estimate(s.behind_reference, scale, decimals, sign=True),
        "p_reference": {"value": significant(s.p_reference), "text": p_value(s.p_reference)},
        "probability_best": significant(s.probability_best, 3),
        "rate": significant(s.rate, 6),
        "rate_text": "–" if s.rate is None else numbers.rate(s.rate),
        "safe_rates": None if safe is None else [significant(rate, 6) for rate in safe],
        "safe_text": "–" if safe is None else f"{numbers.rate(safe[0])} to {numbers.rate(safe[1])}",
        "decades_1pct": significant(s.decades_1pct, 3),
        "decades_5pct": significant(s.decades_5pct, 3),
        "untuned": s.untuned,
        "replicates": s.replicates,
        "failed_replicates": s.failed_replicates,
        "trials": s.trials,
        "failed_trials": s.failed_trials,
        "stalled_trials": sum(point.stalled for point in s.points),
        "milliseconds": significant(s.milliseconds, 3),
        "milliseconds_text": "–" if s.milliseconds is None else numbers.significant(s.milliseconds),
        "seconds": significant(s.seconds, 3),
        "seconds_text": "–" if s.seconds is None else numbers.duration(s.seconds),
        "state_bytes": significant(s.state_bytes_per_parameter, 3),
        "steps_to_target": {name: significant(steps, 6) for name, steps in s.steps_to_target.items()},
        "points": [_point(point, scale, decimals) for point in s.points],
        "picks": {str(seed): significant(rate, 6) for seed, rate in s.picks.items()},
        "values": {str(seed): significant(_scaled(value, scale), 6) for seed, value in s.values.items()},
        "best_of": {str(k): significant(_scaled(value, scale)) for k, value in s.best_of.items()},
    }


def _point(point: RatePoint, scale: float, decimals: int) -> dict[str, Any]:
    return {
        "rate": significant(point.rate, 6),
        "text": numbers.rate(point.rate),
        "stage": point.stage,
        "n": point.n,
        "failed": point.failed,
        "stalled": point.stalled,
        "picked": point.picked,
        "valid": _estimate(point.valid, scale, decimals),
    }


def _estimate(e: Estimate | None, scale: float, decimals: int, sign: bool = False) -> dict[str, Any] | None:
    """A figure with its interval; `low` and `high` are None where a single observation bounds nothing."""
    if e is None or not math.isfinite(e.value):
        return None
    low, high = (fixed(bound * scale, decimals, sign) for bound in (e.low, e.high))
    return {
        "value": significant(e.value * scale, 6),
        "low": significant(e.low * scale, 6),
        "high": significant(e.high * scale, 6),
        "n": e.n,
        "text": fixed(e.value * scale, decimals, sign),
        "interval": f"[{low}, {high}]",
    }


def _headline(claims: Iterable[Claim]) -> list[str]:
    """The paragraph to read first: its first sentence, which is set large, and the rest."""
    text = " ".join(one_line(claim.sentence) for claim in claims if claim.part == "headline")
    return re.split(r"(?<=[.!?]) +(?=[A-Z])", text, maxsplit=1) if text else []


def _claims(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """The claims that are not part of the headline, in the order in which the verdict tells them."""
    return [{"kind": c.kind, "sentence": one_line(c.sentence)} for c in claims if c.part == "detail"]


def _reproduce(study: StudyRecord) -> dict[str, Any]:
    protocol = study.protocol
    return {
        "command": one_line(study.command),
        "seeds": protocol.seeds,
        "first_seed": protocol.first_seed,
        "rates": protocol.rates,
        "decades": protocol.decades,
        "extra_rates": protocol.extra_rates,
        "given_up": [one_line(sentence) for sentence in study.given_up],
        "versions": {one_line(key): one_line(value) for key, value in study.versions.items()},
        "hardware": {one_line(key): one_line(value) for key, value in study.hardware.items()},
    }


def _settings(contenders: tuple[Contender, ...], name: str) -> str:
    """The hyperparameters that differ from the catalogue's defaults, and the schedule: "b1 0.95, cosine"."""
    contender = next(item for item in contenders if item.name == name)
    parts = [f"{one_line(key)} {_plain(value)}" for key, value in contender.settings.items()]
    return ", ".join(parts + ([one_line(contender.schedule)] if contender.schedule != "constant" else []))


def _index(contenders: tuple[Contender, ...], name: str) -> int | None:
    """Place in the list of contenders; None for a name that is not there, such as "" for no best."""
    return next((i for i, contender in enumerate(contenders) if contender.name == name), None)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _plain(value: float | bool | str) -> float | bool | str | None:
    if isinstance(value, str):
        return one_line(value)
    return value if isinstance(value, bool) else significant(value, 6)
