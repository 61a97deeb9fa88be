"""How an update rule is called in another framework, and the code to paste that builds it there.

Each framework brings one table, rule → form, and how its calls and schedules are written. Nothing here imports any of
them: the result is text.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

from steepest.optim.adaptive import AdaGrad, RMSProp
from steepest.optim.catalogue import entry, settings_of
from steepest.optim.entry import Entry
from steepest.optim.equivalents.schedule_forms import check_horizon, factor_lines, short
from steepest.optim.parameter_groups import ParameterGroup, enumerated_groups, parted
from steepest.optim.rule import AnyRule, Rule, with_settings
from steepest.optim.schedules import listens
from steepest.optim.schedules import schedule as schedule_of
from steepest.records.contender import Contender, Setting

Argument = float | bool | str | tuple[float | str, ...]
"""A value that a framework's optimizer is called with."""


@dataclass(frozen=True)
class Rates:
    """What a framework's form may depend on of the schedule."""

    is_steady: bool
    """Whether the rate is constant."""
    rises: bool
    """Whether the schedule starts below its highest rate."""


CONSTANT = Rates(is_steady=True, rises=False)
AnyForm = TypeVar("AnyForm")


@dataclass(frozen=True)
class Row(Generic[AnyForm]):
    """A rule, and the function from its hyperparameters to its form in a framework."""

    rule: type[Rule]
    form: Callable[[Rule, Rates], AnyForm | None]


def row(rule: type[AnyRule], form: Callable[[AnyRule], AnyForm | None]) -> Row[AnyForm]:
    """A row of a table: `row(Adam, _adam)` with `def _adam(h: Adam) -> Form`."""
    return Row(rule, lambda h, rates: form(cast(AnyRule, h)))


def scheduled(rule: type[AnyRule], form: Callable[[AnyRule, Rates], AnyForm | None]) -> Row[AnyForm]:
    """The same where the form depends on the schedule."""
    return Row(rule, lambda h, rates: form(cast(AnyRule, h), rates))


class Table(Generic[AnyForm]):
    """What a framework calls each rule."""

    def __init__(self, *rows: Row[AnyForm]) -> None:
        self._forms = {each.rule: each.form for each in rows}

    def __contains__(self, rule: type[Rule]) -> bool:
        return rule in self._forms

    def form(self, rule: type[Rule], settings: Mapping[str, Setting], rates: Rates = CONSTANT) -> AnyForm | None:
        """The form of a rule with these (complete) settings; None if the framework has none."""
        return self._forms[rule](with_settings(rule, settings), rates) if rule in self else None


@dataclass(frozen=True)
class Part:
    """One call of a framework: an optimizer, or one transformation in a chain of them."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    """All that matter, also those at the framework's defaults, which change between versions."""
    takes_rate: bool = True


@dataclass(frozen=True)
class Form:
    """The optimizer of a framework that follows a rule with given settings, or comes nearest to it."""

    parts: tuple[Part, ...]
    """In the order in which a gradient passes them."""
    differs: tuple[str, ...] = ()
    """What it does otherwise, in clauses; with none, it trains identically up to rounding."""
    share: float = 1.0
    """Its learning rate as a share of the study's."""
    note: str = ""
    """What else a reader must know to train and evaluate as was measured: a sentence."""


@dataclass(frozen=True)
class Grouped:
    """An optimizer whose groups a framework can give their own settings."""

    expression: str = ""
    """What builds it; "" if that is as without groups."""
    after: Sequence[str] = ()
    """Lines behind it."""
    imports: Sequence[str] = ()


CLIPS = {"clip-norm": "max_norm", "clip-value": "max_value"}
"""Wrappers that other frameworks have too, and their setting."""
CLIP_NOTE = "It scales a gradient by κ/|g|, the study by κ/(|g| + 10⁻⁶)."


@dataclass(frozen=True)
class Framework:
    """Another framework for which equivalent optimizers are known."""

    title: str
    """Its name in texts, and the `framework` of a Departure: "Keras"."""
    imports: str
    forms: Table[Form]
    write: Callable[[tuple[Part, ...], str], str]
    """The expression that builds an optimizer, from its parts and the text of its rate."""
    steps: str
    """The expression for the number of all steps in a training loop."""
    write_schedule: Callable[[str, float], Sequence[str]]
    """Lines that define `rate`, from a schedule's name and the highest rate; they may use `horizon`."""
    plateau: str
    """Its class that lowers the rate when the loss stops falling."""
    clip: Callable[[Form, str, float], Form]
    """The form behind a clipping of the gradient: by the name of its wrapper, and its limit."""
    group: Callable[[Sequence[ParameterGroup], Callable[[Mapping[str, Setting]], Form | None], str], Grouped | None]
    """How groups are written: from them, from the form with some settings replaced, and from the text of the rate."""

    def form(self, rule: type[Rule], settings: Mapping[str, Setting], schedule: str = "constant") -> Form | None:
        """The nearest form of `rule` with these (complete) settings; None if there is none."""
        rates = Rates(is_steady=schedule == "constant", rises=schedule_of(schedule)(1, 1000) < 1)
        return self.forms.form(rule, settings, rates)

    def code(self, what: Contender, rate: float, *, horizon: int | None = None) -> str:
        """Python code that builds the optimizer of a contender at a rate, or a comment that explains why there is none.

        A schedule runs over `horizon` steps; without it, over the steps of the user's training loop. Raises UnknownName
        or BadSetting.
        """
        item = entry(what.rule)
        own, groups = parted(what.settings)
        complete = settings_of(item, {**own, "lr": rate})
        form = self._clipped(item, complete, what.schedule)
        check_horizon(what.schedule, horizon)
        if form is None:
            return _comment(
                f"{self.title} cannot train {item.title} as it was measured: none of its optimizers is known to follow "
                "this rule. For PyTorch code: steepest use --framework torch."
            )
        is_scheduled = what.schedule != "constant" and not listens(what.schedule)
        text = "rate" if is_scheduled else repr(short(form.share * rate))
        grouped = Grouped()
        if groups:
            grouped = self.group(groups, lambda own: self._clipped(item, {**complete, **own}, what.schedule), text)
        if grouped is None:
            clause = f"the settings that {enumerated_groups(groups)} had of their own are left out"
            form = replace(form, differs=(*form.differs, clause))
            grouped = Grouped()
        lines = [self.imports, *grouped.imports]
        if listens(what.schedule):
            clause = f"there, {self.plateau} adapts the rate to the loss; below it is constant"
            form = replace(form, differs=(*form.differs, clause))
        if is_scheduled:
            written = self.write_schedule(what.schedule, short(form.share * rate))
            lines += schedule_lines(horizon, self.steps, written)
        lines.append("")
        lines += [_comment(sentence).rstrip() for sentence in self._sentences(what, item, form)]
        lines.append(f"optimizer = {grouped.expression or self.write(form.parts, text)}")
        return "\n".join([*lines, *grouped.after, ""])

    def _clipped(self, item: Entry, complete: Mapping[str, Setting], schedule: str) -> Form | None:
        """The form of a rule, or of a rule within one clipping that the framework has, too."""
        form = self.form(item.rule, complete, schedule)
        inner, plus, wrapper = item.name.rpartition("+")
        if form is not None or not plus or wrapper not in CLIPS or "+" in inner:
            return form
        limit, inside = complete[CLIPS[wrapper]], entry(inner)
        form = self.form(inside.rule, {name: complete[name] for name in settings_of(inside)}, schedule)
        return form and self.clip(form, wrapper, float(limit))

    def _sentences(self, what: Contender, item: Entry, form: Form) -> list[str]:
        sentences = [*step_sees(what), *([form.note] if form.note else [])]
        if not form.differs:
            return [
                *sentences,
                f"{self.title}'s own class: it trains like the optimizer that was measured, up to rounding.",
            ]
        sentences.append(f"{self.title} cannot train {item.title} as it was measured: {'; '.join(form.differs)}.")
        sentences.append("The nearest equivalent is below; its best rate may differ.")
        asked = self.followed(what)
        return [*sentences, f"To measure it: steepest run … --optimizers {asked}"] if asked else sentences

    def followed(self, what: Contender) -> str:
        """The argument of --optimizers for the variant that this framework has; "" if there is none."""
        item = entry(what.rule)
        for departure in item.departures:
            if departure.framework == self.title and departure.settings:
                settings = {**parted(what.settings)[0], **departure.settings}
                form = self.form(item.rule, settings_of(item, settings), what.schedule)
                if form and not form.differs:
                    return ":".join([item.name, *(f"{name}={_word(value)}" for name, value in settings.items())])
        return ""


# ---- shared by all generators ----------------------------------------------------------------------------------------


def step_sees(what: Contender) -> list[str]:
    """The batch size in a sentence, if it is part of the method; else no sentence."""
    if what.batch_size is None:
        return []
    named = {"full": "over all examples of the training part", 1: "of a single example"}
    return [f"Give every step the gradient {named.get(what.batch_size, f'over {what.batch_size} examples')}."]


def schedule_lines(horizon: int | None, steps: str, lines: Sequence[str]) -> list[str]:
    """The lines of a schedule with its imports above and its horizon."""
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    rest = [line for line in lines if line not in imports]
    return [*imports, "", f"horizon = {horizon or steps}  # steps of the whole training", *rest]


def looked_up(name: str, rate: float) -> list[str]:
    """Lines that define `rates`, of all steps and after them, for a schedule that the framework does not have."""
    return [*factor_lines(name), f"rates = [{rate!r} * factor(done) for done in range(horizon + 1)]"]


def call(function: str, *arguments: str, **named: Argument) -> str:
    """`function(arguments, name=value)`"""
    return f"{function}({', '.join([*arguments, *(f'{name}={value!r}' for name, value in named.items())])})"


def inside_root(h: AdaGrad | RMSProp) -> float:
    """The ε inside a root that is nearest to ε inside and outside: where g vanishes, √ε² is ε."""
    return float(f"{h.eps_root + h.eps**2:.12g}")


def _comment(sentence: str) -> str:
    return (
        textwrap.fill(
            sentence, 100, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
        )
        + "\n"
    )


def _word(value: Setting) -> str:
    """A setting in the notation of the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:.12g}"
