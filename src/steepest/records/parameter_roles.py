"""The roles of a model's parameters, by which some rules treat them differently. Apart from how roles are found, which
needs torch, so that a task can check the roles that its author names.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import cast

from steepest.errors import BadInput, UnknownName

ROLES = ("hidden", "embedding", "output", "vector")
"""Weights of layers between input and output; tables of embeddings and positions; weights of the last layers; and
parameters with less than two axes, such as biases and the scales of norms."""


def checked_roles(given: object) -> dict[str, str]:
    """Roles by pattern; raises BadInput or UnknownName for what is none."""
    if not isinstance(given, Mapping):
        raise BadInput(
            f'roles is {given!r}. Pass a dict from names, patterns or shapes to roles, such as {{"*.head.weight": '
            '"output", "512x64": "embedding"}.'
        )
    roles = {str(pattern): str(role) for pattern, role in cast(Mapping[object, object], given).items()}
    for role in roles.values():
        if role not in ROLES:
            raise UnknownName.among("role of a parameter", role, ROLES)
    return roles


def given_role(given: Mapping[str, str], name: str, shape: Sequence[int]) -> str:
    """The role that the last fitting pattern gives to a parameter; "" if none fits."""
    forms = (name, "x".join(map(str, shape)))
    fitting = [role for pattern, role in given.items() if any(fnmatchcase(form, pattern) for form in forms)]
    return fitting[-1] if fitting else ""
