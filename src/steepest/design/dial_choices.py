"""What each contender tunes besides its rate, and by which search."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from steepest.design.factors import AXES, parse
from steepest.design.options import StudyOptions
from steepest.errors import BadSetting, UnknownName
from steepest.optim import catalogue
from steepest.optim.parameter_groups import KEY
from steepest.optim.rule import Rule, check_settings, decouples, hyperparameters
from steepest.optim.schedules import schedule, warmed_up
from steepest.records.contender import Contender
from steepest.records.dial import BATCH, NOT_OF_RULE, OF_SHARD, RATE, SCHEDULE, WARMUP, Dial, Setting
from steepest.records.study_record import StudyDesign
from steepest.search.dials import parse_space, usual_dials
from steepest.search.own_search import absolute, check_list
from steepest.search.space import Space
from steepest.search.strategies import strategy, version
from steepest.study.settings_search import RATES_ALONE

DEFAULT_SEARCH = "sobol"
DEFAULT_TRIALS = 27
"""Of a replicate that turns several dials."""
USUAL = "weight_decay,momentum,b1,b2"
"""Dials that are tuned where a search is asked for, and nothing is said of dials."""
OF_TASK = {
    "dropout": Dial("dropout", "linear", 0.0, 0.5),
    "label-smoothing": Dial("label-smoothing", "linear", 0.0, 0.2, default=0.0),
    "word-dropout": Dial("word-dropout", "linear", 0.0, 0.3, default=0.0),
    "augment": Dial("augment", "choice", default="none"),
    BATCH: Dial(BATCH, "integer"),
}
"""Dials of the task: all lanes of a shard share their values, so a list of values trains in fuller fleets."""

SEARCH = "search"
"""The axis of a study that compares searches."""

Tune = Mapping[str, object] | Sequence[str] | str
Memory = Mapping[str, object]
"""Optimizers that exist only in this process, by the key of their rule."""


def tuned(contenders: Sequence[Contender], options: StudyOptions, memory: Memory) -> list[Contender]:
    """The contenders with their search and its dials; one for each search where several are compared.

    A dial that an optimizer does not have is left out for it. Raises UnknownName or BadSetting.
    """
    searches = searches_of(options)
    if not searches:
        return list(contenders)
    asked = _by_name(USUAL if options.tune is None else options.tune)
    if not any(asked):
        raise BadSetting("--tune names no dial. Write, for example, --tune weight_decay,b2.")
    every = {each.name: known_dials(each, memory) for each in contenders}
    for name in asked if options.tune is not None else ():
        if not any(_known_as(name, known) for known in every.values()):
            raise UnknownName.among("dial", name, sorted({name for known in every.values() for name in known}))
    found: list[Contender] = []
    for each in contenders:
        known = every[each.name]
        own = [words for name, words in asked.items() if _known_as(name, known)]
        dials = parse_space(_together(own), known) if own else ()
        check_dials(each, dials, memory)
        found += _with_searches(each, dials, searches)
    return found


def check_lists(contenders: Iterable[Contender], trials: int) -> None:
    """Raise UnknownName or BadSetting where a list of settings cannot serve its contenders, before anything trains."""
    spaces: dict[str, list[Space]] = {}
    for each in contenders:
        if each.search.startswith("list:"):
            rate = Dial(RATE, "log", 1e-30, 1e30, default=each.centre)
            spaces.setdefault(each.search.removeprefix("list:"), []).append(Space((rate, *each.dials)))
    for file, found in spaces.items():
        check_list(file, found, trials)


def tuned_as(others: Sequence[Contender], contenders: Sequence[Contender], memory: Memory) -> list[Contender]:
    """Contenders that join others in their study, with their searches, and those of their dials that they have."""
    searches = list(dict.fromkeys(each.search for each in others))
    ranges = {dial.name: dial for each in others for dial in each.dials}
    if searches == [""]:
        return list(contenders)
    found: list[Contender] = []
    for each in contenders:
        known = known_dials(each, memory)
        own = tuple(replace(dial, default=known[name].default) for name, dial in ranges.items() if name in known)
        check_dials(each, own, memory)
        found += _with_searches(each, own, searches)
    return found


def _with_searches(contender: Contender, dials: tuple[Dial, ...], searches: Sequence[str]) -> list[Contender]:
    """One for each search; where there are several, they are compared."""
    found = [replace(contender, search=name, dials=() if name == RATES_ALONE else dials) for name in searches]
    return [*map(compared, found)] if len(searches) > 1 else found


def compared(contender: Contender) -> Contender:
    """With its search as an axis, so that searches are compared as any other factor is."""
    shown = re.sub(r"(?<=:)/.*/|^/.*/", "", contender.search)  # a file by its name
    return replace(
        contender,
        name=f"{contender.name} {SEARCH}={shown}",
        optimizer=contender.optimizer or contender.name,
        axes={**contender.axes, SEARCH: shown},
    )


def known_dials(contender: Contender, memory: Memory) -> dict[str, Dial]:
    """All that can be tuned for a contender, by name; not what it has for comparison."""
    given = {name: value for name, value in contender.settings.items() if name != KEY}
    if contender.is_torch_optimizer:
        found = usual_dials(given, schedule=contender.schedule)
    else:
        rule = _rule(contender, memory)
        defaults = {} if contender.is_custom_rule else catalogue.settings_of(catalogue.entry(contender.rule))
        own = {**hyperparameters(rule), **defaults, **given}
        del own[RATE]
        found = usual_dials(own, decoupled=decouples(rule), schedule=contender.schedule)
    return {name: dial for name, dial in {**found, **OF_TASK}.items() if name not in contender.axes}


def check_dials(contender: Contender, dials: Iterable[Dial], memory: Memory) -> None:
    """Raise BadSetting or UnknownName where a value that a search may ask for cannot be trained."""
    by_name = {dial.name: dial for dial in dials}
    for name in OF_SHARD:
        if name in by_name and by_name[name].kind != "choice":
            raise BadSetting(f"The dial {name} needs a list of values, such as {name}={_example(name)}.")
        if name in by_name and name in AXES:
            parse({name: [*by_name[name].choices]})  # says what a value may be
    for words in by_name[SCHEDULE].choices if SCHEDULE in by_name else (contender.schedule,):
        schedule(str(words))
        if WARMUP in by_name:
            schedule(warmed_up(str(words), 0.1))
    if BATCH in by_name and any(x != int(x) or x < 1 for x in by_name[BATCH].choices if not isinstance(x, str)):
        raise BadSetting("The dial batch-size takes whole numbers, such as batch-size=32|128.")
    if contender.is_torch_optimizer:
        return
    for dial in by_name.values():
        ends = dial.choices if dial.kind == "choice" else (dial.low, dial.high)
        for value in ends if dial.name not in NOT_OF_RULE else ():
            check_settings(_rule(contender, memory), {dial.name: value})


def more_trials(options: StudyOptions, design: StudyDesign) -> int:
    """Trials of a replicate beyond those of the rates. Raises BadSetting."""
    least = design.rates + design.extra_rates
    if not searches_of(options):
        if options.trials is not None and options.trials != least:
            raise BadSetting(
                f"--trials {options.trials} needs something to try beyond {least} rates: name dials with --tune, or a "
                "search with --search."
            )
        return 0
    total = max(DEFAULT_TRIALS, least + 1) if options.trials is None else options.trials
    if total <= least:
        raise BadSetting(
            f"{total} trials leave none for other settings: {least} are the rates at default values, which come first. "
            f"Take at least {least + 1}."
        )
    return total - least


def with_setting(contender: Contender, setting: Mapping[str, Setting]) -> Contender:
    """The contender with a trial's values of its dials; the rate is not among them."""
    values = {name: rounded(value) for name, value in setting.items() if name != RATE}
    settings = {name: value for name, value in values.items() if name not in NOT_OF_RULE}
    factors = {name: value for name, value in values.items() if name in OF_SHARD}
    words = str(values.get(SCHEDULE, contender.schedule))
    return replace(
        contender,
        settings={**contender.settings, **settings},
        schedule=warmed_up(words, float(values[WARMUP])) if WARMUP in values else words,
        axes={**contender.axes, **factors},
    )


def rounded(value: Setting) -> Setting:
    """A number to three significant digits, or as many of 1 − value where that is small: 0.9988603 is 0.99886."""
    if isinstance(value, bool | str | int):
        return value
    if 0.9 < value < 1:
        return float(f"{1 - float(f'{1 - value:.3g}'):.12g}")
    return float(f"{value:.3g}")


def versions_of(contenders: Iterable[Contender]) -> dict[str, str]:
    """The searches of a study, with their versions."""
    return {name: version(name) for name in sorted({each.search for each in contenders} - {"", RATES_ALONE})}


def searches_of(options: StudyOptions) -> list[str]:
    """The searches asked for. Raises UnknownName or BadSetting."""
    if options.search is None:
        return [DEFAULT_SEARCH] if options.tune is not None else []
    words = options.search.split(",") if isinstance(options.search, str) else options.search
    names = [word.strip() for word in words if word.strip()]
    if not names:
        raise BadSetting("The list of searches is empty. Give at least one, such as --search sobol.")
    for name in names:
        if name != RATES_ALONE:
            strategy(name)
    return list(dict.fromkeys(map(absolute, names)))


def _rule(contender: Contender, memory: Memory) -> type[Rule]:
    if not contender.is_custom_rule:
        return catalogue.entry(contender.rule).rule
    own = memory[contender.rule.partition(":")[2]]
    assert isinstance(own, type) and issubclass(own, Rule)
    return own


def _by_name(asked: Tune) -> dict[str, str | tuple[str, object]]:
    """Dial → what is asked of it: words "name=…", or a pair of name and value."""
    if isinstance(asked, Mapping):
        return {str(name): (name, value) for name, value in asked.items()}
    items = asked.split(",") if isinstance(asked, str) else [part for each in asked for part in str(each).split(",")]
    found: dict[str, str | tuple[str, object]] = {}
    for item in items:
        name = item.partition("=")[0].strip()
        if name in found:
            raise BadSetting(f"The dial {name} is given twice. Give its range or all its values together.")
        found[name] = item
    return found


def _together(items: Sequence[str | tuple[str, object]]) -> Mapping[str, object] | str:
    pairs = [item for item in items if not isinstance(item, str)]
    return dict(pairs) if pairs else ",".join(map(str, items))


def _known_as(name: str, known: Mapping[str, Dial]) -> bool:
    return name in known or name.replace("-", "_") in known


def _example(name: str) -> str:
    return {BATCH: "32|128", "augment": "none|shift"}.get(name, "0|0.1")
