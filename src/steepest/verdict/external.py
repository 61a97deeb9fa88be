"""Results from elsewhere, as a CSV table, made into a study that can be judged.

A row is one run (task, optimizer, seed, value; optionally rate and valid), or a cell as papers print them (task,
optimizer, mean, sd, n). An error names its line. What makes the verdict weaker is reported with it. Which column is
which: see `table_columns`.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from steepest.errors import BadSetting, BadTable
from steepest.messages import NOTHING, Message, enumerated, say
from steepest.records import limits
from steepest.records.contender import Contender
from steepest.records.outcomes import NO_RATE, Outcome, Result
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.records.task_facts import TaskFacts
from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.table_columns import ACCURACY, CELL, RUN, Columns, columns_of, direction, settle

FAILED = ("", "nan", "inf", "+inf", "-inf", "none", "null", "na", "n/a", "-", "–", "diverged", "failed", "oom")
"""What marks a run without a result. It is counted, and never averaged into a quality."""
NO_NAMES: Mapping[str, str] = {}
SEED_GAP = 1_000_000
"""Between the invented seeds of two optimizers, so that they never count as the same seeds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One row, or one of the n runs that a cell stands for."""

    line: int
    task: str
    optimizer: str
    seed: int
    rate: float
    value: float | None
    valid: float | None


def study_of_table(
    text: str,
    name: str = "table",
    metric: str = "value",
    higher_is_better: bool | None = None,
    command: str = "",
    columns: Mapping[str, str] = NO_NAMES,
) -> StudyRecord:
    """The study in a CSV table; `decide` gives its verdict.

    metric: what the values are, for the sentences and, if the name is known, for the direction; "value" takes it from
    the name of the column. higher_is_better: None takes the direction from the metric's name. columns: the names of
    columns, {"value": "test/acc", "rate": "lr"}; what is missing is guessed. Raises BadTable, naming the line, or
    BadSetting.
    """
    runs, found, remarks = _runs(text, columns)
    if metric == "value" and found.metric:
        metric = found.metric
    higher = _direction(metric, higher_is_better)
    _check_size(runs)
    runs, percent = _as_shares(runs, metric)
    remarks += percent
    tasks, optimizers = (list(dict.fromkeys(getattr(run, each) for run in runs)) for each in ("task", "optimizer"))
    remarks += [*_gaps(runs, tasks, optimizers), *_sameness(runs), *_selection(runs, optimizers)]
    share = metric.casefold() in ACCURACY and all(0 <= run.value <= 1 for run in runs if run.value is not None)
    return StudyRecord(
        name=name,
        command=command,
        created="",
        finished=True,
        protocol=StudyDesign(seeds=max(Counter((run.task, run.optimizer, run.rate) for run in runs).values())),
        reference="",
        tasks=tuple(_facts(task, metric, higher, share) for task in tasks),
        contenders=tuple(Contender(each, each, 1.0) for each in optimizers),
        results=tuple(_result(run) for run in runs),
        times=(),
        trials_planned=len(runs),
        seconds=0.0,
        given_up=tuple(remarks),
        trained=False,
    )


def _as_shares(runs: list[Run], metric: str) -> tuple[list[Run], list[Message]]:
    """Accuracies that are written in percent without a sign, as shares; and a remark if there are such."""
    known = [value for run in runs for value in (run.value, run.valid) if value is not None]
    in_percent = metric.casefold() in ACCURACY and max(known) > 1 and min(known) >= 0 and max(known) <= 100
    if not in_percent:
        return runs, []

    def share(value: float | None) -> float | None:
        return None if value is None else value / 100

    shares = [replace(run, value=share(run.value), valid=share(run.valid)) for run in runs]
    return shares, [say("Accuracies above 1 are read as percent.")]


def _direction(metric: str, higher_is_better: bool | None) -> bool:
    if higher_is_better is None:
        higher_is_better = direction(metric)
    if higher_is_better is None:
        raise BadSetting(f"Is a higher {metric} better? Add --higher-is-better or --lower-is-better.")
    return higher_is_better


def _facts(task: str, metric: str, higher: bool, share: bool) -> TaskFacts:
    return TaskFacts(
        name=task, title=task, metric=metric, higher_is_better=higher, unit="%" if share else "",
        margin=0.0025 if share else 0.0, n_train=0, n_valid=0, n_test=0, parameters=0, batch_size=0, steps=0, luck=(),
        source="a table",
    )  # fmt: skip


def _result(run: Run) -> Result:
    sound = run.value is not None and run.valid is not None
    return Result(
        task=run.task, contender=run.optimizer, rate=run.rate, seed=run.seed, stage="grid", batch_size=0, steps=0,
        outcome=Outcome.OK if sound else Outcome.DIVERGED, outcome_step=0, train_loss=None, valid_loss=None,
        valid_metric=run.valid if sound else None, test_loss=None, test_metric=run.value if sound else None,
        shard="table", lane=run.line,
    )  # fmt: skip


# ---- reading ---------------------------------------------------------------------------------------------------------


def _runs(text: str, given: Mapping[str, str]) -> tuple[list[Run], Columns, list[Message]]:
    """All runs of the table, its columns, and remarks about them."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not any(line.strip() for line in lines):
        raise BadTable("The table is empty. It needs a line of column names and a line for every run.")
    start = next(i for i, line in enumerate(lines) if line.strip())
    delimiter = max(",;\t", key=lines[start].count)
    if len(lines) - start - 1 > limits.MAX_TABLE_ROWS:
        raise BadTable(
            f"The table has {len(lines) - start - 1:,} lines; at most {limits.MAX_TABLE_ROWS:,} can be judged."
        )
    reader = _cells(lines[start:], delimiter)
    head = next(reader)[1]
    if len(head) > limits.MAX_TABLE_COLUMNS:
        raise BadTable(f"The table has {len(head):,} columns; at most {limits.MAX_TABLE_COLUMNS:,} are read.")
    columns = columns_of(head, given)
    remarks = list(columns.remarks)
    rows = [
        (start + line, dict(zip(columns.names, cells, strict=True)))
        for line, cells in _rectangular(reader, len(head), start, delimiter)
    ]
    if not rows:
        raise BadTable("The table has column names but no rows.")
    rows, settled = settle(rows, columns)
    remarks += settled
    if columns.form == RUN and "seed" not in columns.names:
        remarks.append(say("The table has no column seed, so each row counts as a seed of its own."))
    runs = list(_read_runs(rows) if columns.form == RUN else _read_cells(rows))
    if not any(run.value is not None for run in runs):
        raise BadTable("No run of the table has a result: every value is empty or not a number.")
    if columns.form == CELL:
        remarks.append(
            say(
                "The table has only means and standard deviations. Its runs are assumed to be normally distributed, "
                "and independent between optimizers."
            )
        )
    return runs, columns, remarks


def _check_size(runs: Sequence[Run]) -> None:
    """Raise BadTable where each optimizer is to be compared with too many others, or on too many seeds."""
    seeds: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for run in runs:
        seeds[run.task, run.optimizer].add(run.seed)
    sizes = Counter(task for task, _ in seeds)
    rates: defaultdict[str, set[float]] = defaultdict(set)
    for run in runs:
        rates[run.optimizer].add(run.rate)
    for found, what, limit in (
        (max(sizes.values()), "optimizers on one task", limits.MAX_TABLE_OPTIMIZERS),
        (len(seeds), "optimizers on all tasks", limits.MAX_TABLE_CELLS),
        (max(map(len, rates.values())), "learning rates of one optimizer", limits.MAX_RATES),
        (max(map(len, seeds.values())), "seeds of one optimizer", limits.MAX_TABLE_SEEDS),
        (sum(map(len, seeds.values())), "seeds of all optimizers on all tasks", limits.MAX_TABLE_REPLICATES),
        (sum(n * (n - 1) // 2 for n in sizes.values()), "pairs of optimizers on all tasks", limits.MAX_TABLE_PAIRS),
    ):
        if found > limit:
            raise BadTable(f"The table has {found:,} {what}; at most {limit:,} can be judged. Split the table.")


def _cells(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each line, and its cells. Raises BadTable for cells that nobody has typed."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadTable(f"Line {reader.line_num} of the table cannot be read: {error}.") from None


def _rectangular(
    reader: Iterable[tuple[int, list[str]]], width: int, start: int, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    for line, cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            raise BadTable(
                f"Line {start + line} of the table has {len(cells)} cells, its head {width}, separated by "
                f"{delimiter!r}. Quote commas within a number or a name."
            )
        yield line, [cell.strip() for cell in cells]


def _read_runs(rows: Iterable[tuple[int, Mapping[str, str]]]) -> Iterator[Run]:
    seen: dict[tuple[str, str, int, float], int] = {}
    count: Counter[tuple[str, str, float]] = Counter()
    apart: dict[str, int] = {}
    for line, row in rows:
        task, optimizer = row.get("task", "") or "the table", row["optimizer"]
        if not optimizer:
            raise BadTable(f"Line {line} of the table has no optimizer.")
        rate = _rate(row["rate"], line) if row.get("rate") else NO_RATE
        if "seed" in row:
            seed = _whole(row["seed"], "seed", line, least=0)
        else:
            seed = apart.setdefault(optimizer, len(apart)) * SEED_GAP + count[task, optimizer, rate]
        count[task, optimizer, rate] += 1
        key = (task, optimizer, seed, rate)
        if key in seen:
            what = f"{optimizer}, seed {seed}" + (f", rate {rate:g}" if rate else "")
            raise BadTable(
                f"Lines {seen[key]} and {line} of the table both hold {what} on {task}. Each run may appear only once."
            )
        seen[key] = line
        value = _value(row["value"], "value", line)
        yield Run(
            line, task, optimizer, seed, rate, value, _value(row["valid"], "valid", line) if "valid" in row else value
        )


def _read_cells(rows: Iterable[tuple[int, Mapping[str, str]]]) -> Iterator[Run]:
    """n values with the mean and the standard deviation of a cell, placed at the expected values of a normal sample."""
    seen: dict[tuple[str, str], int] = {}
    apart: dict[str, int] = {}
    for line, row in rows:
        task, optimizer = row.get("task", "") or "the table", row["optimizer"]
        if not optimizer:
            raise BadTable(f"Line {line} of the table has no optimizer.")
        if (task, optimizer) in seen:
            raise BadTable(f"Lines {seen[task, optimizer]} and {line} of the table both hold {optimizer} on {task}.")
        seen[task, optimizer] = line
        n = _whole(row["n"], "n", line, least=1)
        if n > limits.MAX_TABLE_SEEDS:
            raise BadTable(
                f"Line {line} of the table has n = {n:,}; at most {limits.MAX_TABLE_SEEDS:,} can be compared."
            )
        mean, sd = _value(row["mean"], "mean", line), _value(row["sd"], "sd", line)
        first = apart.setdefault(optimizer, len(apart)) * SEED_GAP
        if mean is None:
            yield from (Run(line, task, optimizer, first + i, NO_RATE, None, None) for i in range(n))
            continue
        if n > 1 and (sd is None or sd < 0):
            raise BadTable(f"Line {line} of the table: the sd {_quoted(row['sd'])} must be a number of at least 0.")
        scores, least = normal_scores(n), rounding(row["sd"])
        for i, z in enumerate(scores):
            value = mean + max(sd or 0.0, least) * float(z)
            yield Run(line, task, optimizer, first + i, NO_RATE, value, value)


def normal_scores(n: int) -> np.ndarray:  # [n]
    """Expected values of n sorted normal values (Blom, 1958), with mean 0 and standard deviation 1 exactly."""
    z = special.ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    return (z - z.mean()) / z.std(ddof=1) if n > 1 else np.zeros(1)


def rounding(cell: str) -> float:
    """The standard deviation of what rounding took from a number: half of its last digit over √3. An sd of 0.0 may be
    as large."""
    if _value(cell, "number", 0) is None:
        return 0.0
    exponent = Decimal(cell.removesuffix("%")).as_tuple().exponent
    last = 10.0 ** min(int(exponent), 300) / (100 if cell.endswith("%") else 1)
    return last / 2 / math.sqrt(3)


def _quoted(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")


def _value(cell: str, column: str, line: int) -> float | None:
    if cell.casefold() in FAILED:
        return None
    try:
        number = float(cell.removesuffix("%"))
    except ValueError:
        hint = " Write a decimal point, not a comma." if "," in cell else ""
        raise BadTable(f"Line {line} of the table: the {column} {_quoted(cell)} is not a number.{hint}") from None
    if cell.endswith("%"):
        number /= 100
    return number if math.isfinite(number) else None


def _rate(cell: str, line: int) -> float:
    rate = _value(cell, "rate", line)
    if rate is None or rate <= 0:
        raise BadTable(f"Line {line} of the table: the rate {_quoted(cell)} must be a number above 0.")
    return rate


def _whole(cell: str, column: str, line: int, least: int) -> int:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not (least <= number < 1e15 and number == math.floor(number)):
        raise BadTable(
            f"Line {line} of the table: the {column} {_quoted(cell)} must be a whole number of at least {least}."
        )
    return int(number)


# ---- what makes a table's verdict weaker -----------------------------------------------------------------------------


def _gaps(runs: Sequence[Run], tasks: Sequence[str], optimizers: Sequence[str]) -> Iterator[Message]:
    """Optimizers that are missing or have fewer seeds than others; seeds that did not run every rate."""
    seeds: dict[tuple[str, str], set[int]] = defaultdict(set)
    tried: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for run in runs:
        seeds[run.task, run.optimizer].add(run.seed)
        tried[run.task, run.optimizer][run.seed] += 1
    for task in tasks:
        missing = [each for each in optimizers if (task, each) not in seeds]
        if missing:
            yield say("On {task}, the table has no results of {missing}.", task=task, missing=enumerated(missing))
        sizes = {each: len(seeds[task, each]) for each in optimizers if (task, each) in seeds}
        few, many = min(sizes, key=lambda each: sizes[each]), max(sizes, key=lambda each: sizes[each])
        if sizes[few] < sizes[many]:
            yield say(
                "On {task}, the optimizers have different numbers of seeds, from {least} ({few}) to {most} ({many}).",
                task=task,
                least=sizes[few],
                few=few,
                most=sizes[many],
                many=many,
            )
        if sizes[many] < MIN_SEEDS:
            yield say(
                "On {task}, no optimizer has the {enough} seeds that a verdict needs.", task=task, enough=MIN_SEEDS
            )
        for each in sizes:
            counts = tried[task, each]
            if short := sorted(seed for seed, count in counts.items() if count < max(counts.values())):
                yield say(
                    "On {task}, {who} did not run every learning rate with seed {seeds}{others}. These seeds are "
                    "left out.",
                    task=task,
                    who=each,
                    seeds=enumerated(short[:5]),
                    others=say(" and others") if len(short) > 5 else NOTHING,
                )


def _sameness(runs: Sequence[Run]) -> Iterator[Message]:
    """Seeds that agree to the last digit, which random variation does not do."""
    values: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            values[run.task, run.optimizer, run.rate].append(run.value)
    for (task, optimizer, _), found in values.items():
        if len(found) > 1 and len(set(found)) == 1:
            yield say(
                "All {n} seeds of {who} on {task} have the same value. Did the seeds differ at all?",
                n=len(found),
                who=optimizer,
                task=task,
            )


def _selection(runs: Sequence[Run], optimizers: Sequence[str]) -> Iterator[Message]:
    """Rates picked by the same value that is judged, and searches of unequal size."""
    rates = {each: {run.rate for run in runs if run.optimizer == each} for each in optimizers}
    if max(map(len, rates.values())) > 1 and all(run.valid == run.value for run in runs):
        yield say(
            "The table has no column valid, so each seed picks the learning rate with its best value. This flatters "
            "all results, most of all those of optimizers with many learning rates."
        )
    few, many = (choose(rates, key=lambda each: len(rates[each])) for choose in (min, max))
    if len(rates[few]) < len(rates[many]):
        yield say(
            "The optimizers were tried with different numbers of learning rates, from {least} ({few}) to {most} "
            "({many}). More learning rates mean more chances of a good result.",
            least=len(rates[few]),
            few=few,
            most=len(rates[many]),
            many=many,
        )
