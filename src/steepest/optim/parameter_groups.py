"""Parameter groups: some parameters of a model have settings of their own, such as no weight decay for biases.

A group names its parameters by kind ("vectors"), by the type of their module ("LayerNorm"), by the path of their module
("h.0"), or by a pattern of their name ("h.*.weight"). Groups are written "SELECTOR.setting=value", and where two of
them set the same thing for a parameter, the last one counts. Among the settings of a contender they are one text, since
their order matters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from steepest.errors import BadSetting, UnknownName
from steepest.optim.rule import Rule, check_settings, hyperparameters
from steepest.records.contender import Setting

KEY = "groups"
"""Where groups stand among the settings of a contender: "vectors.weight_decay=0:head.lr_scale=10"."""
SCALE = "lr_scale"
"""The setting of a group that multiplies the learning rate."""
SHOWN = 8
"""Names of parameters that an error message shows."""


@dataclass(frozen=True)
class ParameterFacts:
    """What a selector can know of a parameter."""

    names: tuple[str, ...]
    """All of its names: a tied weight has several. The first is the one in `named_parameters()`."""
    shape: tuple[int, ...]
    modules: frozenset[str]
    """Names of the classes of the modules that hold it, base classes included."""


def facts_of(model: nn.Module) -> list[ParameterFacts]:
    """The trainable parameters of a model, in its own order."""
    names: dict[int, list[str]] = {}
    modules: dict[int, set[str]] = {}
    while inside := getattr(model, "users_model", None):  # what wraps a user's model leaves its names
        (model,) = inside
    for path, module in model.named_modules(remove_duplicate=False):
        for name, p in module.named_parameters(recurse=False, remove_duplicate=False):
            names.setdefault(id(p), []).append(f"{path}.{name}" if path else name)
            modules.setdefault(id(p), set()).update(kind.__name__ for kind in type(module).__mro__[:-2])
    return [
        ParameterFacts(tuple(names[id(p)]), tuple(p.shape), frozenset(modules[id(p)]))
        for p in model.parameters()
        if p.requires_grad
    ]


KINDS: dict[str, Callable[[ParameterFacts], bool]] = {
    "vectors": lambda p: len(p.shape) < 2,
    "matrices": lambda p: len(p.shape) >= 2,
    "biases": lambda p: any(name.rpartition(".")[2].startswith("bias") for name in p.names),
    "norms": lambda p: any("Norm" in kind for kind in p.modules),
    "embeddings": lambda p: any(kind.startswith("Embedding") for kind in p.modules),
}
"""Selectors by kind of parameter."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that a selector names, and their own settings."""

    selector: str
    settings: Mapping[str, Setting]

    def holds(self, p: ParameterFacts) -> bool:
        """Whether a parameter belongs to the group."""
        if self.selector in KINDS:
            return KINDS[self.selector](p)
        inside = self.selector + "."
        return self.selector in p.modules or any(
            name.startswith(inside) or fnmatchcase(name, self.selector) for name in p.names
        )


def enumerated_groups(groups: Sequence[ParameterGroup]) -> str:
    """The groups by their selectors, each once: "vectors, head"."""
    return ", ".join(dict.fromkeys(group.selector for group in groups))


# ---- as text ---------------------------------------------------------------------------------------------------------


def gathered(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings with those of groups, "vectors.weight_decay", as one text under KEY, behind what it holds already."""
    own = {name: value for name, value in settings.items() if "." not in name and name != KEY}
    words = [str(settings[KEY])] if settings.get(KEY) else []
    words += [f"{name}={_word(value)}" for name, value in settings.items() if "." in name]
    return {**own, KEY: ":".join(words)} if words else own


def parted(settings: Mapping[str, Setting]) -> tuple[dict[str, Setting], list[ParameterGroup]]:
    """The settings of all parameters, and the groups that the text under KEY describes. Raises BadSetting."""
    own = gathered(settings)
    text = str(own.pop(KEY, ""))
    found: list[ParameterGroup] = []
    for word in text.split(":") if text else ():
        place, equals, value = word.partition("=")
        selector, dot, name = place.strip().rpartition(".")
        if not (equals and dot and selector and name):
            raise BadSetting(f"{word!r} is not a parameter group. Write vectors.weight_decay=0, for example.")
        found.append(ParameterGroup(selector, {name: value_of(value.strip())}))
    return own, found


def text_of(groups: Mapping[str, Mapping[str, Setting]]) -> str:
    """Groups, {"vectors": {"weight_decay": 0}}, as the text under KEY. Raises BadSetting."""
    for selector in groups:
        if not selector or any(sign in selector for sign in ":=,"):
            raise BadSetting(f"{selector!r} cannot name parameters. Give a kind, a type, a path or a pattern.")
    own = {f"{selector}.{name}": value for selector, settings in groups.items() for name, value in settings.items()}
    return str(gathered(own).get(KEY, ""))


def value_of(word: str) -> Setting:
    """The value of a setting from its text: true, 0.1, or the text itself."""
    if word in ("true", "false"):
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return word


def _word(value: Setting) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


# ---- checks and assignment -------------------------------------------------------------------------------------------


def check_groups(rule: type[Rule], groups: Sequence[ParameterGroup]) -> None:
    """Raise UnknownName or BadSetting for a setting of a group that a rule does not have."""
    for group in groups:
        for name, value in group.settings.items():
            where = f"the group {group.selector}"
            if name == "lr":
                raise BadSetting(
                    f"lr cannot be set in {where}, because the study searches it. "
                    f"Write {group.selector}.{SCALE}=0.1 for a tenth of the rate of the others."
                )
            if name == SCALE:
                check_scale(group)
                continue
            if name not in hyperparameters(rule):
                raise UnknownName.among(f"setting in {where}", name, [*hyperparameters(rule), SCALE])
            check_settings(rule, {name: value})


def check_scale(group: ParameterGroup) -> None:
    """Raise BadSetting for a multiple of the rate that is none."""
    value = group.settings.get(SCALE, 1.0)
    if isinstance(value, bool | str) or not 0 <= value < float("inf"):
        raise BadSetting(f"The group {group.selector} has {SCALE}={value!r}; it must be a number of at least 0.")


def group_dicts(model: nn.Module, groups: Sequence[ParameterGroup], rate: float) -> list[dict[str, object]]:
    """The groups of a model as `torch.optim` takes them: parameters, rate and own settings. Raises BadSetting."""
    distinct, group_of = assigned(groups, facts_of(model))
    parameters = [p for p in model.parameters() if p.requires_grad]
    made: list[dict[str, object]] = []
    for place, own in enumerate(distinct):
        held = [p for p, group in zip(parameters, group_of, strict=True) if group == place]
        others = {name: value for name, value in own.items() if name != SCALE}
        made.append({"params": held, **others, "lr": rate * float(own.get(SCALE, 1.0))})
    return made


def assigned(
    groups: Sequence[ParameterGroup], parameters: Sequence[ParameterFacts]
) -> tuple[list[dict[str, Setting]], tuple[int, ...]]:
    """The distinct settings that groups give, and for each parameter the index of its own. Raises BadSetting for a
    group without parameters.
    """
    for group in groups:
        if not any(map(group.holds, parameters)):
            names = [p.names[0] for p in parameters]
            more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise BadSetting(
                f"No parameter of the model belongs to the group {group.selector!r}. Name a kind "
                f"({', '.join(KINDS)}), a type of module, a path or a pattern. The model has "
                f"{', '.join(names[:SHOWN])}{more}."
            )
    distinct: list[dict[str, Setting]] = []
    places: list[int] = []
    for p in parameters:
        own: dict[str, Setting] = {}
        for group in groups:
            if group.holds(p):
                own.update(group.settings)
        if own not in distinct:
            distinct.append(own)
        places.append(distinct.index(own))
    return distinct, tuple(places)
