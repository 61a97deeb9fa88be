"""Every trial with its curves, packed for the page: what tables, filters and groups of single trials are made from.

One block per shard, so that a page that follows a running study is sent new blocks and no old one again. Curves are
packed as 16-bit codes between the smallest and the largest value of their block: four digits, at a third of the size.
"""

import base64
import math
from collections import defaultdict
from collections.abc import Mapping, MutableMapping
from hashlib import sha256

import numpy as np

from steepest.records.contender import Contender
from steepest.records.dial import Setting, unpacked
from steepest.records.outcomes import Result, Trace
from steepest.records.study_record import StudyRecord
from steepest.report.rounding import one_line, significant
from steepest.report.schema import Block, Figure, PackedCurves, SettingView

CODES = 65_535
"""Code 0 means that there is no value: the trial had ended. 1 … 65,535 run from `low` to `high`."""
WIDE = 50.0
"""Values that differ by more than this factor are packed by their logarithms."""


def trials(
    study: StudyRecord, traces: Mapping[str, Trace], known: MutableMapping[str, Block] | None = None
) -> list[dict[str, Block]]:
    """For each task that has begun: a key of the shard → its trials, as lists with one item per lane, and their curves.

    Metrics are in the unit that the page shows. Shards without traces are left out, as they are from the curves.
    known: blocks made earlier of the same study, which are taken as they are; new ones are put there.
    """
    known = {} if known is None else known
    begun = {row.task for row in study.results}
    tasks = [task for task in study.tasks if task.name in begun]
    shards: dict[str, dict[str, list[Result]]] = {task.name: defaultdict(list) for task in tasks}
    for row in study.results:
        if row.task in shards and row.shard in traces:
            shards[row.task][row.shard].append(row)
    places = {contender.name: (i, contender) for i, contender in enumerate(study.contenders)}
    scales = {task.name: 100.0 if task.unit == "%" else 1.0 for task in tasks}
    return [
        {
            _key(shard): known.get(shard)
            or known.setdefault(shard, _block(rows, places, traces[shard], scales[task.name]))
            for shard, rows in shards[task.name].items()
        }
        for task in tasks
    ]


def _key(shard: str) -> str:
    """Short, the same for the same shard, and plain regardless of the names in the shard's id."""
    return sha256(shard.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _block(rows: list[Result], places: Mapping[str, tuple[int, Contender]], trace: Trace, scale: float) -> Block:
    rows = sorted(rows, key=lambda row: row.lane)
    lanes = [row.lane for row in rows]
    place, contender = places.get(rows[0].contender, (0, None))
    dials = _dials(rows, contender)
    block: Block = {
        "contender": place,
        "batch": rows[0].batch_size,
        "steps": rows[0].steps,
        "at": [int(step) for step in trace.evaluate_at],
        "rate": [significant(row.rate, 6) for row in rows],
        "seed": [row.seed for row in rows],
        "stage": [one_line(row.stage) for row in rows],
        "outcome": [row.outcome.value for row in rows],
        "ended": [row.outcome_step for row in rows],
        "train_loss": [significant(row.train_loss, 6) for row in rows],
        "valid": [_scaled(row.valid_metric, scale) for row in rows],
        "test": [_scaled(row.test_metric, scale) for row in rows],
        "curves": {
            "train_loss": pack(trace.train_loss[lanes]),
            "valid_metric": pack(trace.valid_metric[lanes] * scale),
        },
    }
    if dials:
        block["dials"] = dials
    return block


def _dials(rows: list[Result], contender: Contender | None) -> dict[str, list[SettingView]]:
    """Name of a dial → its value in each trial: the default where the trial does not turn it."""
    turned = [unpacked(row.dials) for row in rows]
    defaults = {dial.name: dial.default for dial in contender.dials} if contender else {}
    names = sorted({*defaults, *(name for values in turned for name in values)})
    return {one_line(name): [_shown(values.get(name, defaults.get(name))) for values in turned] for name in names}


def _shown(value: Setting | None) -> SettingView:
    if isinstance(value, str):
        return one_line(value)
    return value if value is None or isinstance(value, bool) else significant(value, 6)


def pack(values: np.ndarray) -> PackedCurves:
    """Curves [R, E] as base64 of little-endian 16-bit codes, row by row; what is not finite gets code 0."""
    finite = np.isfinite(values)
    if not finite.any():
        return {"low": 0.0, "high": 0.0, "log": False, "codes": _encoded(np.zeros(values.shape))}
    low, high = float(values[finite].min()), float(values[finite].max())
    log = low > 0 and high > WIDE * low
    known = np.where(finite, values, low)
    # Halved, since the largest floats have no difference.
    shares = np.log(known / low) / math.log(high / low) if log else (known / 2 - low / 2) / (high / 2 - low / 2 or 1.0)
    codes = np.where(finite, 1 + np.rint(shares * (CODES - 1)), 0)
    return {"low": low, "high": high, "log": log, "codes": _encoded(codes)}


def _encoded(codes: np.ndarray) -> str:
    return base64.b64encode(codes.astype("<u2").tobytes()).decode()


def _scaled(value: float | None, scale: float) -> Figure:
    return None if value is None else significant(value * scale, 6)
