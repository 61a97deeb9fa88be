"""Types of columns: numbers, categories, dates, or nothing that a model can learn from. Notes state the assumptions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from steepest.errors import BadInput, BadTask, kind_and_line
from steepest.ingest import date_columns
from steepest.ingest.choices import ALL_COLUMNS, Choice
from steepest.ingest.date_formats import duration, moment
from steepest.ingest.far_values import FarValue, far_values
from steepest.ingest.notes import cells_are, names, quoted, some_of
from steepest.ingest.number_columns import has_points, number_table, plain_numbers
from steepest.ingest.number_formats import STYLES, Style, evidence, is_missing, taken_apart
from steepest.ingest.packed_cells import PackedCells
from steepest.ingest.ranges import midpoints
from steepest.messages import NOTHING, Message, enumerated, say
from steepest.records.task_warnings import TaskWarning, warning

MISSING_LABEL = "missing"
MAX_CATEGORIES = 1000
"""Maximum number of categories; the rarest beyond it are merged into one."""
MAX_DISTINCT_SHARE = 0.5
"""Share of distinct texts in a column above which they are taken as row names and left out."""
LONG_TEXT_CHARACTERS = 40
"""Mean length above which texts are taken as sentences."""
STYLE_SAMPLE = 2000
"""Different cells of a column that are looked at for the meaning of point and comma in the whole table."""


@dataclass(frozen=True)
class Numbers:
    """A numeric feature; NaN where missing."""

    name: str
    values: np.ndarray  # [N], float64


@dataclass(frozen=True)
class Categories:
    """A categorical feature: `codes` are indices into `labels`."""

    name: str
    codes: np.ndarray  # [N], int32
    labels: list[str]


Feature = Numbers | Categories


@dataclass
class Column:
    """One column as it was read: its features, or `why` it has none."""

    choice: Choice
    features: list[Feature] = field(default_factory=list)
    why: Message = NOTHING
    notes: list[Message] = field(default_factory=list)
    findings: list[TaskWarning] = field(default_factory=list)
    far: Sequence[FarValue] = ()
    scale: np.ndarray | None = None  # [N], its numbers, or its days if it has dates
    codes: np.ndarray | None = None  # [N], the place in `texts` of a category, -1 for missing
    texts: list[str] = field(default_factory=list)
    """All categories, also those that are merged."""


@dataclass
class Reading:
    """The columns of a table, and notes on how they were read."""

    columns: dict[str, Column] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    findings: list[TaskWarning] = field(default_factory=list)

    def scale_of(self, name: str) -> np.ndarray | None:
        """The numbers or days of a column; None if it has neither."""
        return self.columns[name].scale if name in self.columns else None

    @property
    def features(self) -> list[Feature]:
        return [feature for column in self.columns.values() for feature in column.features]


def features(
    columns: Mapping[str, Sequence[str]], of_table: Style | None = None, choices: Mapping[str, Choice] | None = None
) -> Reading:
    """The features of a table's columns of cells, in order."""
    reading = Reading()
    left: dict[Message, list[str]] = {}
    for name, cells in columns.items():
        column = read_column(name, cells, choice_of(name, choices or {}), of_table)
        reading.columns[name] = column
        reading.notes += column.notes
        reading.findings += column.findings
        if column.why:
            left.setdefault(column.why, []).append(name)
    reading.notes += [say("Left out ({why}): {which}.", why=why, which=names(which)) for why, which in left.items()]
    return reading


def choice_of(name: str, choices: Mapping[str, Choice]) -> Choice:
    """What was chosen for a column, by its name or for all columns."""
    return choices.get(ALL_COLUMNS, Choice()).with_more(choices.get(name, Choice()))


def table_style(columns: Mapping[str, Sequence[str]]) -> Style | None:
    """What point and comma mean in the columns that leave no doubt; None if there are none, or they disagree."""
    points = commas = 0
    for cells in columns.values():
        column = PackedCells.of(cells)
        some = dict.fromkeys(column.first(STYLE_SAMPLE))
        found = evidence(amount for cell in some if (amount := taken_apart(cell)) is not None)
        points += found.points > 0 and not found.commas
        commas += found.commas > 0 and not found.points
        commas += not found.commas and found.dotted > 0 and found.looks_grouped
    return None if bool(points) == bool(commas) else "en" if points else "de"


def read_column(name: str, cells: Sequence[str], choice: Choice, of_table: Style | None = None) -> Column:
    """One column. Raises BadTask, naming the column and a cell, for any error that a reader of cells raises."""
    try:
        return _read(name, PackedCells.of(cells), choice, of_table)
    except BadInput:
        raise
    except Exception as error:
        raise BadTask(
            f"Column {name!r}: the cell {_offender(cells)!r} cannot be read ({kind_and_line(error)}). Read "
            f"the column in another way, such as --column {name}=category, or leave it out, --column {name}=drop."
        ) from error


def _offender(cells: Sequence[str]) -> str:
    """The first cell on which a reader of cells raises an error; else the first one with content."""
    for cell in dict.fromkeys(cells):
        try:
            taken_apart(cell)
            moment(cell)
            duration(cell)
        except Exception:
            return cell[:40]
    return next((cell[:40] for cell in cells if not is_missing(cell)), "")


def _read(name: str, packed: PackedCells, choice: Choice, of_table: Style | None) -> Column:
    if choice.kind == "drop":
        return Column(Choice("drop"), why=say("as chosen"))
    if choice.kind in ("", "number", "date") and choice.detail in ("", "en", "%Y%m%d"):
        values = plain_numbers(packed)
        if values is not None:
            return _plain(name, packed, values, choice)
    cells = with_missing(packed.texts(), choice)
    counts = Counter(cells)
    values = {cell: n for cell, n in counts.items() if not is_missing(cell)}
    if not values:
        return Column(Choice("drop"), why=say("no values"))
    if len(values) == 1 and len(values) == len(counts) and not choice.kind:
        return Column(Choice("drop"), why=say("constant"))
    column = _by_kind(name, cells, counts, values, choice, of_table)
    column.choice = replace(column.choice, missing=choice.missing)
    if formulas := sum(n for cell, n in counts.items() if cell.startswith("=")):
        column.notes.append(
            say(
                "{name}: {cells} a spreadsheet formula; read as text, never evaluated.",
                name=quoted(name),
                cells=cells_are(formulas),
            )
        )
    return column


def with_missing(cells: list[str], choice: Choice) -> list[str]:
    """The cells, empty where they are what counts as missing: as written, or the same number."""
    if not choice.missing:
        return cells
    numbers = _numbers_of(choice.missing)
    gone = {
        cell
        for cell in dict.fromkeys(cells)
        if cell in choice.missing or (numbers and not numbers.isdisjoint(_numbers_of([cell])))
    }
    return ["" if cell in gone else cell for cell in cells]


def _numbers_of(cells: Sequence[str]) -> set[float]:
    amounts = [amount for cell in cells if (amount := taken_apart(cell)) is not None]
    return {value for amount in amounts for value in (amount.english, amount.german) if value is not None}


def _by_kind(
    name: str,
    cells: list[str],
    counts: Mapping[str, int],
    values: Mapping[str, int],
    choice: Choice,
    of_table: Style | None,
) -> Column:
    """A column that is not of plain numbers, by what was chosen, or by the first type that its cells have."""
    kind, lost = choice.kind, list[TaskWarning]()
    style = STYLES.get(choice.detail) if kind == "number" else None
    for with_units in (False, True) if kind == "" else (True,):
        if kind in ("", "number"):
            table = number_table(
                name,
                counts,
                of_table,
                style,
                with_units=with_units,
                is_chosen=kind == "number",
                unread=lost if with_units else None,
            )
            if table is not None:
                column = _numbers(name, np.array([table.values[cell] for cell in cells]), Choice("number", table.style))
                column.notes[:0] = table.notes
                column.findings[:0] = table.findings
                return column
        if kind in ("", "date", "time", "duration") and not (kind == "" and with_units):
            dates = date_columns.read(name, cells, values, choice, of_table)
            if dates is not None:
                return _dates(name, dates)
    if kind == "range" or (kind == "" and len(values) > MAX_RANGE_CATEGORIES):
        table = midpoints(values, is_chosen=kind == "range")
        if table is not None:
            column = _numbers(name, np.array([table.get(cell, np.nan) for cell in cells]), Choice("range"))
            column.notes.insert(0, say("{name}: ranges; read as their middle.", name=quoted(name)))
            return column
    if kind not in ("", "category"):
        some = some_of([*values])
        raise BadTask(f"--column {name}={choice.words()[0]}: no cell of {name!r} can be read so ({some}).")
    present = sum(values.values())
    if kind == "" and len(values) > max(MAX_DISTINCT_SHARE * present, 20):
        length = sum(len(cell) * n for cell, n in values.items()) / present
        if length >= LONG_TEXT_CHARACTERS:
            return Column(Choice("drop"), why=say("texts; use --text to train on one of them"), findings=lost)
        return Column(Choice("drop"), why=say("row names: too many different texts"), findings=lost)
    column = _categories(name, cells, values)
    column.findings = lost
    return column


MAX_RANGE_CATEGORIES = 30
"""Different ranges, such as 20-29, up to which they are categories."""

# ---- numbers ---------------------------------------------------------------------------------------------------------


def _plain(name: str, packed: PackedCells, values: np.ndarray, choice: Choice) -> Column:
    """A column of plain numbers, which may be dates such as 20210104."""
    if choice.missing:
        values = np.where(np.isin(values, [*_numbers_of(choice.missing)]), np.nan, values)
        if np.isnan(values).all():
            return Column(Choice("drop"), why=say("no values"))
    days = None if choice.kind == "number" else date_columns.compact_days(values)
    if days is not None:
        column = _dates(name, date_columns.compact(name, days))
    elif choice.kind == "date":
        raise BadTask(f"--column {name}={choice.words()[0]}: the numbers of {name!r} are not dates such as 20210104.")
    else:
        is_constant = not choice.kind and not np.isnan(values).any() and values.min() == values.max()
        if is_constant:
            return Column(Choice("drop"), why=say("constant"), scale=values)
        column = _numbers(name, values, Choice("number", "en" if has_points(packed) else ""))
    column.choice = replace(column.choice, missing=choice.missing)
    return column


def _numbers(name: str, values: np.ndarray, choice: Choice) -> Column:
    missing = int(np.isnan(values).sum())
    if len(values) > 2 and not missing and np.all(np.diff(values) == 1):
        return Column(Choice("drop"), why=say("row numbers"), scale=values)
    column = Column(choice, [Numbers(name, values)], far=far_values(values), scale=values)
    if missing:
        column.notes.append(
            say(
                "{name}: {missing:,} of {all:,} missing; filled with the median of each replicate's training "
                "part, plus an indicator column.",
                name=quoted(name),
                missing=missing,
                all=len(values),
            )
        )
    return column


def far_findings(far: Mapping[str, Sequence[FarValue]]) -> list[TaskWarning]:
    """One finding for each far value, with all columns that have it."""
    of_value: dict[str, dict[str, FarValue]] = {}
    for name, found in far.items():
        for each in found:
            of_value.setdefault(each.text, {})[name] = each
    findings = []
    for value, columns in of_value.items():
        details: list[Message | str] = [
            say(
                "{name}: {count:,} times, the others are {low} to {high}",
                name=quoted(name),
                count=each.count,
                low=each.low,
                high=each.high,
            )
            for name, each in [*columns.items()][:6]
        ]
        column = next(iter(columns)) if len(columns) == 1 else ALL_COLUMNS
        message = say(
            "{value} is repeated far outside the other values ({details}). If it stands for a missing value, add "
            "--column {option}.",
            value=value,
            details=enumerated([*details, "…"] if len(columns) > 6 else details, "{clause}; {clauses}"),
            option=quoted(f"{column}=missing:{value}"),
        )
        findings.append(warning("far-value", message))
    return findings


# ---- dates -----------------------------------------------------------------------------------------------------------


def _dates(name: str, dates: date_columns.Dates) -> Column:
    column = Column(dates.choice, notes=[*dates.notes], findings=[*dates.findings], far=dates.far, scale=dates.days)
    if dates.choice.kind == "duration":
        column.features = [Numbers(name, dates.days)]
    else:
        column.features = [Numbers(f"{name}, {what}", values) for what, values in date_columns.quantities(dates)]
    return column


# ---- categories ------------------------------------------------------------------------------------------------------


def _categories(name: str, cells: Sequence[str], values: Mapping[str, int]) -> Column:
    """The most frequent texts as categories; missing cells are a further category."""
    ranked = sorted(values, key=lambda cell: (-values[cell], cell))
    number = {cell: i for i, cell in enumerate(ranked)}
    missing = len(cells) - sum(values.values())
    if missing:
        number |= {cell: -1 for cell in set(cells) if cell not in number}
    codes = np.fromiter(map(number.__getitem__, cells), dtype=np.int32, count=len(cells))
    column = Column(Choice("category"), codes=codes, texts=ranked)
    labels, others = ranked[:MAX_CATEGORIES], len(ranked) - MAX_CATEGORIES
    if others > 0:
        column.notes.append(
            say(
                "{name}: {all} categories; the {others} rarest are merged into one.",
                name=quoted(name),
                all=len(ranked),
                others=others,
            )
        )
        codes = np.minimum(codes, len(labels))
        labels = [*labels, "others"]
    if missing:
        column.notes.append(
            say(
                "{name}: {missing:,} of {all:,} missing; a separate category.",
                name=quoted(name),
                missing=missing,
                all=len(cells),
            )
        )
        codes = np.where(codes < 0, len(labels), codes)
        labels = [*labels, MISSING_LABEL]
    column.features = [Categories(name, codes, labels)]
    return column
