"""Which part each parameter of a model has: hidden layer, embedding, output or vector. It is found from how the model
computes its outputs, so that names do not matter. Rules that treat parts differently take one form for each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from re import compile as pattern_of

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from steepest.errors import UnknownName
from steepest.optim.rule import Rule
from steepest.optim.wrappers import unwrap, wrap
from steepest.records.contender import Setting
from steepest.records.parameter_roles import ROLES, checked_roles, given_role

# ---- forms of a rule -------------------------------------------------------------------------------------------------


@cache
def has_roles(rule: type[Rule]) -> bool:
    """Whether a rule treats parameters by their role."""
    return unwrap(rule)[0].form.__func__ is not Rule.form.__func__  # type: ignore[attr-defined]


@cache
def beyond_shape(rule: type[Rule], applies_to: str) -> bool:
    """Whether a rule treats embeddings or output layers unlike hidden matrices, which no shape shows."""
    forms = {form_of(rule, role, applies_to) for role in ("hidden", "embedding", "output")}
    return has_roles(rule) and len(forms) > 1


@cache
def form_of(rule: type[Rule], role: str, applies_to: str) -> type[Rule]:
    """What a rule, which may be wrapped, is for a parameter of this role."""
    base, wrappers = unwrap(rule)
    return wrap(base.form(role, applies_to), *wrappers)


def by_roles(rule: type[Rule], roles: Sequence[str], each: Sequence[Mapping[str, Setting]]) -> type[Rule]:
    """The rule for one model, whose parameters have these roles and settings in their order."""
    pairs = zip(roles, each, strict=True)
    return in_forms(rule, [form_of(rule, role, str(own.get("applies_to", ""))) for role, own in pairs])


def in_forms(rule: type[Rule], forms: Sequence[type[Rule]]) -> type[Rule]:
    """The rule for one model, with a form of it for each parameter."""
    return rule if all(form is rule for form in forms) else _in_forms(rule, tuple(forms))


@cache
def _in_forms(rule: type[Rule], forms: tuple[type[Rule], ...]) -> type[Rule]:
    layers = rule.layers
    if layers is not None:
        within = [form.layers[1] if form.layers else form for form in forms]
        layers = (layers[0], in_forms(layers[1], within))
    return type(rule.__name__, (rule,), {"__module__": rule.__module__, "forms": forms, "layers": layers})


def role_of_shape(shape: Sequence[int]) -> str:
    """The role of a parameter of which only the shape is known."""
    return "hidden" if len(shape) > 1 else "vector"


# ---- the roles of a model --------------------------------------------------------------------------------------------


def roles_of(model: nn.Module, inputs: Sequence[object], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The role of each trainable parameter by its name; runs the model once in evaluation mode.

    An output is a weight from which a path leads to the outputs that passes no other weight. An embedding is looked up
    or added, not multiplied. A model whose only layer is its output has it as hidden. `given` overrides: roles by name,
    pattern ("*.head.*") or shape ("512x64").
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    names = {id(p): name for name, p in named.items() if p.ndim > 1}
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.enable_grad():
            leaves = [*_leaves(model.eval()(*inputs))]
    finally:
        for module, mode in modes:
            module.training = mode
    found = {name: role_of_shape(p.shape) for name, p in named.items()} | _found(leaves, names)
    if "hidden" not in found.values():
        found |= {name: "hidden" for name, role in found.items() if role == "output"}
    overrides = checked_roles(given or {})
    return {name: given_role(overrides, name, p.shape) or found[name] for name, p in named.items()}


def by_role(
    model: nn.Module, inputs: object, roles: Mapping[str, str] | None = None, **settings: Mapping[str, Setting]
) -> list[dict[str, object]]:
    """The parameters of a model as groups by role, for an optimizer: `Muon(by_role(model, inputs), lr=0.01)`.

    inputs: a batch, or a tuple of several arguments; the model is run on it once. roles: as in `roles_of`. A role by
    name has settings of its own: `embedding={"lr": 0.001}`. Raises UnknownName for a name that is not a role.
    """
    for name in settings:
        if name not in ROLES:
            raise UnknownName.among("role of a parameter", name, ROLES)
    found = roles_of(model, inputs if isinstance(inputs, tuple) else (inputs,), roles)
    named = dict(model.named_parameters())
    groups = {role: [named[name] for name in found if found[name] == role] for role in ROLES}
    return [{**settings.get(role, {}), "params": params, "role": role} for role, params in groups.items() if params]


def _leaves(output: object) -> Iterator[Tensor]:
    """The tensors of what a model returns."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        yield from _of_all(output.values())
    elif isinstance(output, list | tuple):
        yield from _of_all(output)
    elif is_dataclass(output) and not isinstance(output, type):
        yield from _of_all(getattr(output, item.name) for item in fields(output))


def _of_all(outputs: Iterable[object]) -> Iterator[Tensor]:
    for output in outputs:
        yield from _leaves(output)


# ---- the graph of the outputs ----------------------------------------------------------------------------------------

_SAME = "T|Transpose|Permute|View|UnsafeView|Reshape|ReshapeAlias|Expand|Unsqueeze|Squeeze|Clone|Slice|Select|Split"
_PASSES = pattern_of(rf"({_SAME}|SplitWithSizes|Unbind|Alias|ToCopy|AsStrided)Backward\d*$")
"""Nodes that hand on one tensor, or a part of it."""
_LOOKS_UP = pattern_of(r"(Embedding\w*|IndexSelect|Index|Gather|Add|Sub|Cat|Stack)Backward\d*$")
"""Nodes that look a parameter up or add it."""
_NORMS = pattern_of(r"\w*(Norm|Normalization)\w*Backward\d*$")
"""Nodes whose parameters scale and shift, also if they have several axes."""


def _found(outputs: Sequence[Tensor], names: Mapping[int, str]) -> dict[str, str]:
    """The roles that differ from those by shape, from the graph of the outputs."""
    found: dict[str, str] = {}
    ahead = [(x.grad_fn, True) for x in outputs if x.grad_fn is not None]
    seen: dict[Node, bool] = {}  # whether a node was reached without passing a weight
    while ahead:
        node, is_last = ahead.pop()
        if seen.get(node) or (node in seen and not is_last):
            continue
        seen[node] = is_last
        own, kind = [*_own_weights(node, names)], node.name()
        if _LOOKS_UP.match(kind):
            for name in own:
                found.setdefault(name, "embedding")
        elif _NORMS.match(kind):
            found.update(dict.fromkeys(own, "vector"))
        elif own:
            found.update(dict.fromkeys(own, "output") if is_last else {})
            is_last = False
        ahead += [(below, is_last) for below, _ in node.next_functions if below is not None]
    return found


def _own_weights(node: Node, names: Mapping[int, str]) -> Iterator[str]:
    """The names of the parameters that a node takes as they are."""
    for below, _ in node.next_functions:
        while below is not None and _PASSES.match(below.name()):
            below = below.next_functions[0][0]
        variable = getattr(below, "variable", None)
        if id(variable) in names:
            yield names[id(variable)]
