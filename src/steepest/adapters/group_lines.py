"""Code to paste that gives groups of parameters their own settings, in plain torch."""

from collections.abc import Mapping, Sequence

from steepest.optim.equivalents.schedule_forms import short
from steepest.optim.equivalents.torch_forms import torch_form
from steepest.optim.parameter_groups import SCALE, ParameterGroup
from steepest.optim.rule import Rule
from steepest.records.contender import Setting

KINDS = {
    "vectors": "p.ndim < 2",
    "matrices": "p.ndim >= 2",
    "biases": 'any(name.rpartition(".")[2].startswith("bias") for name in names)',
    "norms": 'any("Norm" in kind for kind in kinds)',
    "embeddings": 'any(kind.startswith("Embedding") for kind in kinds)',
}
"""The condition of each kind of parameter in the generated code."""


def group_lines(groups: Sequence[ParameterGroup], rate: float) -> list[str]:
    """Lines that define `groups`, for a `model`; none without groups."""
    if not groups:
        return []
    conditions = [_condition(group.selector) for group in groups]
    lines = ["from fnmatch import fnmatchcase"] if any("fnmatchcase" in each for each in conditions) else []
    if any("kinds" in each or "name" in each for each in conditions):
        lines += [
            "names_of = {}  # a tied weight has several names",
            "for name, p in model.named_parameters(remove_duplicate=False):",
            "    names_of.setdefault(p, []).append(name)",
            "groups = []",
            "for p, names in names_of.items():",
        ]
    else:
        lines += ["groups = []", "for p in model.parameters():"]
    if any("kinds" in each for each in conditions):
        lines.append('    modules = [model.get_submodule(name.rpartition(".")[0]) for name in names]')
        lines.append("    kinds = {kind.__name__ for module in modules for kind in type(module).__mro__}")
    lines.append(f'    own = {{"params": [p], "lr": {rate!r}}}')
    for group, condition in zip(groups, conditions, strict=True):
        lines.append(f"    if {condition}:")
        lines += [f"        own[{name!r}] = {value!r}" for name, value in _settings(group.settings, rate).items()]
    return [*lines, "    groups.append(own)"]


def _settings(settings: Mapping[str, object], rate: float) -> dict[str, object]:
    return {
        ("lr" if name == SCALE else name): short(rate * value) if name == SCALE and isinstance(value, float) else value
        for name, value in settings.items()
    }


def _condition(selector: str) -> str:
    if selector in KINDS:
        return KINDS[selector]
    if any(sign in selector for sign in "*?["):
        return f"any(fnmatchcase(name, {selector!r}) for name in names)"
    inside = selector + "."
    named = f"any(name == {selector!r} or name.startswith({inside!r}) for name in names)"
    return named if "." in selector else f"{named} or {selector!r} in kinds"


def in_torchs_words(
    rule: type[Rule], complete: Mapping[str, Setting], groups: Sequence[ParameterGroup]
) -> list[ParameterGroup] | None:
    """The groups with the arguments of torch's own class for a rule with these settings; None if it has none, or if
    two groups set parts of one argument.
    """
    usual = torch_form(rule, complete)
    found: list[ParameterGroup] = []
    for group in groups:
        own = {name: value for name, value in group.settings.items() if name != SCALE}
        form = torch_form(rule, {**complete, **own})
        if usual is None or form is None or form.name != usual.name:
            return None
        changed: dict[str, object] = {
            name: value for name, value in form.arguments.items() if name in own or value != usual.arguments.get(name)
        }
        before = {name for other in found for name in other.settings}
        if any(name in before and name not in own for name in changed):
            return None
        scale = {SCALE: group.settings[SCALE]} if SCALE in group.settings else {}
        found.append(ParameterGroup(group.selector, {**changed, **scale}))  # type: ignore[dict-item]
    return found
