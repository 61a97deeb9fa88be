"""Dials: the hyperparameters that a study tunes, with their ranges and scales. Loads no NumPy, for the command line."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from steepest.errors import BadSetting, UnknownName
from steepest.records.dial import OF_SHARD, RATE, SCHEDULE, WARMUP, Dial, Setting

Values = Mapping[str, Setting]
"""Dial → value. The learning rate is the dial "lr"; a conditional dial that does not apply is absent."""


def exact(value: float) -> float:
    """`value` to 12 significant digits, so that what is printed with 12 digits is the value itself."""
    return float(f"{value:.12g}")


def show(value: Setting) -> str:
    """A value as `parse_space` reads it."""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else f"{value:.12g}"


# ---- usual dials -----------------------------------------------------------------------------------------------------

FIRST_AVERAGES = ("b1", "b1_others", "b_basis")
SECOND_AVERAGES = ("b2", "b2_others", "b3", "b_rows", "rho")
USUAL_SCHEDULES = ("constant", "linear", "cosine", "warmup-stable-decay")
USUAL_WARMUPS = (0.0, 0.05, 0.1)
"""Shares of the horizon."""


def rate_dial(centre: float, decades: float = 4.0) -> Dial:
    """The learning rate on as many decades as its grid has."""
    reach = 10 ** (decades / 2)
    return Dial(RATE, "log", exact(centre / reach), exact(centre * reach), default=centre)


def usual_dials(
    settings: Mapping[str, Setting], *, decoupled: bool = False, schedule: str = "constant"
) -> Mapping[str, Dial]:
    """The dials of a rule with these hyperparameters (name → default), by name.

    decoupled: whether its weight decay shrinks the weights directly. The ranges are those that the benchmarks AlgoPerf
    and hypaobp search, wider where their best settings lay at an edge. Other hyperparameters have no usual range.
    """
    found = {name: _usual(name, default, decoupled) for name, default in settings.items() if name != RATE}
    known = tuple(dict.fromkeys((schedule, *USUAL_SCHEDULES)))
    found[SCHEDULE] = Dial(SCHEDULE, "choice", choices=known, default=schedule)
    found[WARMUP] = Dial(WARMUP, "choice", choices=USUAL_WARMUPS, default=0.0)
    return found


def _usual(name: str, default: Setting, decoupled: bool) -> Dial:
    if isinstance(default, bool):
        return Dial(name, "choice", choices=(False, True), default=default)
    if isinstance(default, str):
        return Dial(name, "choice", default=default)
    if name in ("weight_decay", "decay_others"):
        low, high = (1e-4, 1.0) if decoupled or name == "decay_others" else (1e-7, 1e-2)
        return Dial(name, "log", low, high, zero=True, default=default)
    if name == "momentum" or (name in FIRST_AVERAGES and default < 0.5):
        return _average(name, 0.0, 0.995, default)
    if name in FIRST_AVERAGES:
        return _average(name, 0.5, 0.995, default)
    if name in SECOND_AVERAGES and default > 0:
        return _average(name, 0.7, 0.999, default)
    if name == "eps" and default > 0:
        return Dial(name, "log", min(1e-8, default), 1.0, default=default)
    return Dial(name, "linear", default=default)


def _average(name: str, low: float, high: float, default: float) -> Dial:
    """The share that an average keeps each step. The range grows where it would end before the default."""
    if default > high:
        high = exact(1 - (1 - default) / 3)
    return Dial(name, "log", min(low, default), high, complement=True, default=default)


# ---- spaces in words -------------------------------------------------------------------------------------------------

Words = str | Mapping[str, object] | Sequence[str]
EXAMPLE = "weight_decay=1e-4..1 or schedule=constant|cosine"


def parse_space(text: Words, known: Mapping[str, Dial]) -> tuple[Dial, ...]:
    """The dials that a user names, in the given order: "weight_decay,b2", {"b2": (0.9, 0.999)} or
    "weight_decay=1e-4..1,schedule=constant|cosine". A dial without values has its usual range; a tuple of two
    numbers is a range, a list holds values.

    Raises UnknownName or BadSetting.
    """
    found: dict[str, Dial] = {}
    for name, given in _pairs(text):
        if name not in known and name.replace("-", "_") in known:
            name = name.replace("-", "_")
        if name not in known:
            raise UnknownName.among("dial", name, known)
        if name in found:
            raise BadSetting(f"The dial {name} is given twice. Give its range or all its values together.")
        found[name] = _dial(known[name], given)
    for dial in found.values():
        if dial.only_if is not None and dial.only_if[0] not in found and dial.only_if[0] not in known:
            raise BadSetting(f"The dial {dial.name} depends on {dial.only_if[0]}, which does not exist.")
    return tuple(found.values())


def _pairs(text: Words) -> list[tuple[str, object]]:
    if isinstance(text, Mapping):
        return [(str(name), given) for name, given in text.items()]
    pairs: list[tuple[str, object]] = []
    for item in text.split(",") if isinstance(text, str) else [part for each in text for part in str(each).split(",")]:
        name, equals, given = (part.strip() for part in item.partition("="))
        if not name or (equals and not given):
            raise BadSetting(f"The dials are given as {_shown(text)}, which has an empty part. Write {EXAMPLE}.")
        pairs.append((name, given if equals else None))
    return pairs


def _shown(text: Words) -> str:
    return repr(text if isinstance(text, str) else ",".join(map(str, text)))


def _dial(usual: Dial, given: object) -> Dial:
    """The usual dial with the range or the values that the user gave."""
    if given is None or given is True:
        if not usual.has_range or (usual.kind == "choice" and not usual.choices):
            raise BadSetting(
                f"The dial {usual.name} has no usual range. "
                f"Give one: {usual.name}=LOW..HIGH, or its values: {usual.name}=A|B."
            )
        return usual
    if isinstance(given, Dial):
        return replace(given, name=usual.name)
    if isinstance(given, str):
        low, dots, high = given.partition("..")
        if dots:
            return _ranged(usual, _end(usual, low), _end(usual, high))
        return _chosen(usual, [part.strip() for part in given.split("|")])
    if not isinstance(given, Sequence):
        raise BadSetting(f"The dial {usual.name} has {given!r}. Give a range (LOW, HIGH), or a list of values.")
    if isinstance(given, tuple) and len(given) == 2 and usual.name not in OF_SHARD:
        low, high = given
        if all(isinstance(end, int | float) and not isinstance(end, bool) for end in given):
            return _ranged(usual, float(low), float(high))
    return _chosen(usual, list(given))


def _end(dial: Dial, words: str) -> float:
    try:
        return float(words)
    except ValueError:
        raise BadSetting(
            f"The dial {dial.name} has the end {words.strip()!r}, which is not a number. {_form(dial)}"
        ) from None


def _form(dial: Dial) -> str:
    return f"Write {dial.name}=LOW..HIGH for a range, or {dial.name}=A|B for values."


def _ranged(usual: Dial, low: float, high: float) -> Dial:
    if usual.kind == "choice" and usual.choices and isinstance(usual.choices[0], bool | str):
        raise BadSetting(
            f"The dial {usual.name} has no range, because its values are {_any_of(usual.choices)}. "
            f"Write {usual.name}={'|'.join(map(show, usual.choices[:2]))}."
        )
    if not (math.isfinite(low) and math.isfinite(high)) or low >= high:
        raise BadSetting(f"The dial {usual.name} has the range {low:g}..{high:g}. Give the smaller number first.")
    low, high = exact(low), exact(high)
    if usual.kind == "integer":
        if low != round(low) or high != round(high):
            raise BadSetting(f"The dial {usual.name} has the range {low:g}..{high:g}. Its ends must be whole numbers.")
        return replace(usual, low=low, high=high)
    if usual.kind == "log" and not usual.complement and low == 0:
        return replace(usual, low=usual.low if usual.low < high else exact(high / 1e4), high=high, zero=True)
    if usual.kind == "log":
        return replace(usual, low=low, high=high, zero=False)
    wide = low > 0 and high >= 10 * low
    return replace(usual, kind="log" if wide else "linear", low=low, high=high, choices=(), zero=False)


def _chosen(usual: Dial, items: Sequence[object]) -> Dial:
    choices = tuple(dict.fromkeys(_value(usual, item) for item in items))
    if len(choices) < 2:
        raise BadSetting(
            f"The dial {usual.name} has one value only: {', '.join(map(show, choices)) or 'none'}. {_form(usual)}"
        )
    return replace(usual, kind="choice", choices=choices, low=0.0, high=0.0, complement=False, zero=False)


def _value(dial: Dial, item: object) -> Setting:
    """One value, of the kind of the dial's default."""
    if isinstance(dial.default, bool):
        if isinstance(item, bool):
            return item
        found = {"true": True, "on": True, "false": False, "off": False}.get(str(item).lower())
        if found is None:
            raise BadSetting(f"The dial {dial.name} has the value {item!r}. It must be true or false.")
        return found
    if isinstance(dial.default, str):
        return str(item)
    read: Callable[[str], float] = int if dial.kind == "integer" else float
    try:
        number = read(str(item))
    except ValueError:
        number = math.nan
    if isinstance(item, bool) or not math.isfinite(number):
        raise BadSetting(f"The dial {dial.name} has the value {item!r}, which is not a number. {_form(dial)}")
    return number if isinstance(number, int) else exact(number)


def _any_of(values: Sequence[Setting]) -> str:
    *first, last = map(show, values)
    return f"{', '.join(first)} or {last}" if first else last
