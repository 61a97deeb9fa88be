"""The studies that the report's tests look at: SYNTHETIC ones, made by the verdict's factory, and their views."""

from dataclasses import replace
from functools import cache

import numpy as np
from verdict.factory import DIGITS, HOUSING, LINE, SEVEN, Shape, synthetic_study

from steepest.messages import term
from steepest.records.contender import Contender
from steepest.records.outcomes import Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.study_record import StudyRecord
from steepest.report.trial_pack import trials
from steepest.report.view import view
from steepest.verdict.decide import decide
from steepest.verdict.results import Verdict

TWELVE = (
    Shape("gd", 0.931, 1e0, shift=0.2, milliseconds=2.1, state_bytes=0, cliff=0.5, speed=3, noise=0.006),
    Shape("sgd-1", 0.962, 1e-2, shift=0.1, milliseconds=0.22, state_bytes=0, cliff=0.5, speed=8, batch_size=1),
    *SEVEN[:3],
    Shape("momentum-averaged", 0.972, 1e-1, shift=0.2, milliseconds=0.34, state_bytes=4, cliff=0.7),
    SEVEN[3],
    Shape("adagrad-printed", 0.961, 1e-2, shift=0.4, milliseconds=0.38, state_bytes=4, cliff=1.2, speed=8),
    *SEVEN[4:],
    Shape("adamw", 0.9768, 1e-3, shift=0.45, milliseconds=0.47, state_bytes=8, cliff=1.3),
)
"""The size of a default study: 12 contenders × 13 rates × 10 seeds, 30 evaluations."""

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "../../etc/passwd",
    "x" * 10_000,
    "‮evil‬ مرحبا",
    "🔥👩‍🔬 火",
    "\x1b[31mred\x1b[0m\x07\r\nnext",
    "</script><!-- {{ 7*7 }} &amp; \\input{x} $1^2_3% #~",
    "' onload='alert(1)\" x=\"",
    "half \ud800 a pair",
)
"""Names that would like to be something else than text."""

Study = tuple[StudyRecord, Verdict, dict[str, Trace]]


def judged(study: StudyRecord, traces: dict[str, Trace]) -> Study:
    return study, decide(study, traces=traces), traces


@cache
def default_study() -> Study:
    return judged(*synthetic_study(TWELVE, evaluations=30))


@cache
def default_view() -> dict:
    return view(*default_study())


def trials_of(study: Study) -> list[dict]:
    return trials(study[0], study[2])


@cache
def default_trials() -> list[dict]:
    return trials_of(default_study())


@cache
def three_tasks_study() -> Study:
    """Three tasks: accuracy, R², and a loss that is to be small."""
    return judged(*synthetic_study(SEVEN[:4], (DIGITS, HOUSING, LINE), seeds=5))


@cache
def three_tasks() -> dict:
    return view(*three_tasks_study())


@cache
def hostile_study() -> Study:
    """Everything that carries a name carries a hostile one."""
    shapes = [replace(shape, name=name) for shape, name in zip([*SEVEN, *TWELVE[:3]], HOSTILE, strict=True)]
    study, traces = synthetic_study(shapes, seeds=5, reference=HOSTILE[0])
    evil = HOSTILE[0]
    task = replace(DIGITS, name=evil, title=evil, metric=evil, source=evil, luck=(evil,), loss_name=evil)
    study = replace(
        study,
        name=evil,
        command=f"steepest run '{evil}'",
        tasks=(task,),
        results=tuple(replace(result, task=evil) for result in study.results),
        times=tuple(replace(item, task=evil) for item in study.times),
        contenders=tuple(
            Contender(c.name, c.rule, c.centre, settings={evil: evil}, schedule=evil) for c in study.contenders
        ),
        given_up=(term(evil),),
        versions={evil: evil},
        hardware={evil: evil},
    )
    return judged(study, traces)


def looks_into(contender: str) -> ProbeTrace:
    """SYNTHETIC looks into three trials of a contender on digits, of which the third ended at once."""
    looks = np.linspace(1.0, 2.0, 4)
    lanes = np.stack([looks, 3 * looks, np.full(4, np.nan)])  # [R = 3, K = 4]: the last trial ended at once
    return ProbeTrace(
        task="digits",
        contender=contender,
        at=np.array([0, 10, 100, 400]),
        seeds=np.arange(3),
        rate=np.full((3, 4), 0.1),
        layers=("a", "b"),
        states=(),
        batch_size=64,
        steps=480,
        step=np.repeat(lanes[:, :, None], 5, axis=2),
        step_of_layer=np.repeat(lanes[:, :, None], 2, axis=2),
        step_of_rare=np.full((3, 4, 2), np.nan),
        share_rare=np.full((3, 4, 2), np.nan),
        update_to_weight=np.repeat(lanes[:, :, None], 2, axis=2),
        loss=lanes,
        gradient=lanes,
        noise=lanes,
        flips=lanes / 10,
        sharpness=10 * lanes,
        state=np.zeros((3, 4, 0)),
    )
