"""Searches that come from the user: an ordered list of settings, and a generator of one's own; both are checked."""

import hashlib
import importlib.util
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from steepest.errors import BadSetting, UnknownName, kind_and_line
from steepest.records.dial import RATE, Dial, Setting
from steepest.search.asks import Asking, Goodness, Strategy, Told
from steepest.search.dials import Values, exact, show
from steepest.search.space import Space


def settings_in_order(settings: Sequence[Mapping[str, object]], source: str = "The list of settings") -> Strategy:
    """The search that tries these settings in this order. A dial that a setting leaves out is at its default; one that
    the optimizer does not turn is left out, since one list may serve several optimizers."""

    def search(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
        found = in_order(space, settings, trials, source)
        for start in range(0, trials, batch):
            yield tuple(found[start : start + batch])

    return search


def in_order(space: Space, settings: Sequence[Mapping[str, object]], trials: int, source: str) -> list[Values]:
    """The first settings of a list, as this space has them. Raises UnknownName or BadSetting."""
    if len(settings) < trials:
        raise BadSetting(f"{source} has {len(settings)} settings, fewer than the {trials} trials of the search.")
    known = {dial.name for dial in space.dials}
    return [
        checked(space, {name: value for name, value in each.items() if name in known}, source)
        for each in settings[:trials]
    ]


def check_list(file: str, spaces: Sequence[Space], trials: int) -> None:
    """Raise UnknownName or BadSetting where a list cannot serve the optimizers with these spaces, before anything
    trains: a dial that none of them turns, a value out of its range, too few settings."""
    settings, source = _read(file), f"The file {file}"
    known = {dial.name for space in spaces for dial in space.dials}
    for each in settings:
        for name in each:
            if name not in known:
                raise UnknownName.among("dial", name, sorted(known), f"{source} sets it.")
    for space in spaces:
        in_order(space, settings, trials, source)


def listed(file: str) -> Strategy:
    """The search of a JSON file: a list of objects such as {"lr": 0.001, "weight_decay": 0.1}, best guess first."""
    return settings_in_order(_read(file), source=f"The file {file}")


def _read(file: str) -> list[Mapping[str, object]]:
    try:
        found: object = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(f"The list of settings {file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise BadSetting(f"The list of settings {file} is not JSON. {FORM}") from None
    items = cast("list[object]", found) if isinstance(found, list) else []
    if not items or not all(isinstance(item, dict) for item in items):
        raise BadSetting(f"The list of settings {file} is not a list of objects. {FORM}")
    return cast("list[Mapping[str, object]]", items)


FORM = 'Write it as [{"lr": 0.001, "weight_decay": 0.1}, …], the most promising setting first.'


def digest(file: str) -> str:
    """The beginning of a file's SHA-256. Raises BadSetting where it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise BadSetting(f"The file {file} cannot be read: {error.strerror}.") from None


# ---- a generator of one's own ----------------------------------------------------------------------------------------


def own_strategy(name: str) -> Strategy:
    """The generator function of "FILE.py:FUNCTION"."""
    function = _imported(name)

    def search(space: Space, seed: int, trials: int, batch: int, *, begun: Sequence[Told] = ()) -> Asking:
        asking = cast(Strategy, function)(space, seed, trials, batch, begun=begun)
        made, scores = 0, cast("Sequence[Goodness] | None", None)
        while made < trials:
            try:
                asked: object = next(asking) if scores is None else asking.send(scores)
            except StopIteration:
                raise BadSetting(f"The search {name} ended after {made} of {trials} trials.") from None
            except Exception as error:
                raise BadSetting(f"The search {name} failed: {kind_and_line(error)}.") from error
            if not isinstance(asked, Sequence) or not 0 < len(cast("Sequence[object]", asked)) <= batch:
                raise BadSetting(f"The search {name} must yield a list of 1 to {batch} settings at a time.")
            settings = [checked(space, values, f"The search {name}") for values in cast("Sequence[object]", asked)]
            settings = settings[: trials - made]
            made += len(settings)
            scores = yield tuple(settings)

    return search


def file_of(name: str) -> Path | None:
    """The file of code that a search of one's own runs; None for any other search."""
    path, _, function = name.rpartition(":")
    return Path(path) if path.endswith(".py") and function else None


def absolute(name: str) -> str:
    """The same search wherever it is resumed: a file that its name holds by its whole path."""
    kind, _, rest = name.partition(":")
    if kind == "list" and rest:
        return f"list:{Path(rest).absolute()}"
    path = file_of(name)
    return name if path is None else f"{path.absolute()}:{name.rpartition(':')[2]}"


def _imported(name: str) -> object:
    path, function = file_of(name), name.rpartition(":")[2]
    if path is None:
        raise BadSetting(f"The search {name} is not known. A generator of your own is FILE.py:FUNCTION.")
    digest(str(path))  # says what is wrong with a file that cannot be read
    spec = importlib.util.spec_from_file_location(f"steepest_search_{digest(str(path))}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadSetting(f"The file {path} of the search cannot be run: {kind_and_line(error)}.") from error
    found: object = getattr(module, function, None)
    if not inspect.isgeneratorfunction(found):
        raise BadSetting(
            f"The search {function} must be a generator function with the arguments space, seed, trials, batch and "
            f"begun; {path.name} {'has something else of that name' if found is not None else 'does not define it'}."
        )
    return found


# ---- what a user gave ------------------------------------------------------------------------------------------------


def checked(space: Space, given: object, source: str) -> Values:
    """The setting that a user gave, if all of it fits the dials. Raises UnknownName or BadSetting."""
    if not isinstance(given, Mapping):
        raise BadSetting(f"{source} has the setting {given!r}. A setting maps dials to values.")
    known = {dial.name: dial for dial in space.dials}
    found: dict[str, Setting] = {}
    for key, value in cast("Mapping[object, object]", given).items():
        if str(key) not in known:
            raise UnknownName.among(
                "dial", str(key), known, f"{source} sets it, and this optimizer does not turn it: see space.dials."
            )
        found[str(key)] = _fitting(known[str(key)], value, source)
    return space.active(found)


def _fitting(dial: Dial, value: object, source: str) -> Setting:
    if dial.kind == "choice":
        if isinstance(value, bool | float | int | str):
            for each in dial.choices:
                if each == value and isinstance(each, bool) == isinstance(value, bool):
                    return each
        allowed = f"one of {', '.join(map(show, dial.choices))}"
    else:
        number = exact(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if dial.name == RATE and 0 < number < math.inf:  # a list may know of rates beyond those of the grid
            return number
        if dial.low <= number <= dial.high or (dial.zero and number == 0) or number == dial.default:
            return int(number) if dial.kind == "integer" else number
        allowed = f"{'0, or ' if dial.zero else ''}a number from {dial.low:g} to {dial.high:g}"
    raise BadSetting(f"{source} sets {dial.name} to {value!r}. It must be {allowed}.")
