"""Settings as torch, Keras, Optax and transformers spell them, in the words of the catalogue."""

import re
from collections.abc import Mapping

from steepest.errors import BadSetting
from steepest.optim import catalogue
from steepest.optim.entry import Entry
from steepest.optim.parameter_groups import SCALE, gathered, parted
from steepest.optim.rule import Rule, hyperparameters
from steepest.optim.torch_arguments import PAIRS, translated
from steepest.optim.wrappers import unwrap
from steepest.records.contender import Setting

ALIASES = {
    "beta_1": "b1",
    "beta_2": "b2",
    "beta1": "b1",
    "beta2": "b2",
    "adam_beta1": "b1",
    "adam_beta2": "b2",
    "adam_epsilon": "eps",
    "epsilon": "eps",
    "learning_rate": "lr",
    "wd": "weight_decay",
}
"""Names elsewhere → here, where the rule has the setting."""

AS_WRAPPER = {
    "clipnorm": "clip-norm:max_norm",
    "global_clipnorm": "clip-norm:max_norm",
    "max_grad_norm": "clip-norm:max_norm",
    "gradient_clip_val": "clip-norm:max_norm",
    "max_norm": "clip-norm:max_norm",
    "clipvalue": "clip-value:max_value",
    "ema_momentum": "ema:keep",
}
"""Settings elsewhere that are wrappers here."""


def in_our_words(item: Entry, settings: Mapping[str, Setting]) -> tuple[Entry, dict[str, Setting]]:
    """An entry and settings, those of groups of parameters included, by our names. The entry is another one where
    torch has one class for several: "sgd:momentum=0.9" is momentum. Raises BadSetting.
    """
    own, groups = parted(settings)
    base, wrappers = unwrap(item.rule)
    given = _by_known_names(item, own)
    within = hyperparameters(base)
    others = {name: value for name, value in given.items() if name not in within and name in hyperparameters(item.rule)}
    found = translated(base, {name: value for name, value in given.items() if name not in others})
    if found.rule is not base:
        inner, more = unwrap(found.rule)
        plain = next(each for each in catalogue.CATALOGUE if each.rule is inner and not each.settings)
        item = catalogue.wrapped(plain, *more, *wrappers)
    written: dict[str, Setting] = {**found.settings, **others}
    for group in groups:
        kept = {name: value for name, value in group.settings.items() if name == SCALE}
        rest = _by_known_names(item, {name: value for name, value in group.settings.items() if name != SCALE})
        ours = {**kept, **translated(found.rule, rest, may_change=False).settings}
        added = {f"{group.selector}.{name}": value for name, value in ours.items()}
        written = gathered({**written, **added})
    return item, written


def _by_known_names(item: Entry, settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings with aliases replaced, and pairs of numbers as such."""
    known = hyperparameters(item.rule)
    found: dict[str, Setting] = {}
    for name, value in settings.items():
        if name not in known and name in AS_WRAPPER:
            raise BadSetting(f"{item.name} has no {name}. Write {item.name}+{AS_WRAPPER[name]}={_plain(value)}.")
        ours = ALIASES.get(name, name)
        if name not in known and ours in known:
            name = ours
        elif name == "rho" and "b2" in known and name not in known:
            name = "b2"
        found[name] = _pair(item.rule, name, value) if name in PAIRS and isinstance(value, str) else value
    return found


def _pair(rule: type[Rule], name: str, text: str) -> Setting:
    """The two numbers of "0.9,0.95", "0.9/0.95" or "(0.9, 0.95)"."""
    words = re.split("[,/]", text.strip("() "))
    try:
        return tuple(map(float, words))  # type: ignore[return-value]
    except ValueError:
        raise BadSetting(f"{rule.__name__}: {name} is {text!r}; write two numbers, as in {name}=0.9,0.95.") from None


def _plain(value: Setting) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
