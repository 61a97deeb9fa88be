"""Optimizers that a Python file defines, by a key: "/path/file.py:Name#digest"."""

import re
from hashlib import sha256
from pathlib import Path

from steepest.errors import BadInput
from steepest.ingest.load import names_in, read_source

DIGITS = 12
"""Of a file's digest in a key."""


def key_of(path: Path, name: str) -> str:
    """The key of an object of a file. Raises BadTask if the file cannot be read."""
    path = path.expanduser().resolve()
    return f"{path}:{name}#{sha256(read_source(path)).hexdigest()[:DIGITS]}"


def is_key(text: str) -> bool:
    """Whether a text is such a key, and not the name of an object in memory."""
    return re.fullmatch(rf"/.*:\w+#[0-9a-f]{{{DIGITS}}}", text) is not None


def load_object(key: str) -> object:
    """The object of a key. Raises BadInput if the file has changed or does not define it, BadTask for errors in it."""
    place, _, digest = key.rpartition("#")
    file, _, name = place.rpartition(":")
    path = Path(file)
    source = read_source(path)
    if sha256(source).hexdigest()[:DIGITS] != digest:
        raise BadInput(f"{path} has changed since the study began. Restore it, or start a new study.")
    names = names_in(path, source)
    if name not in names:
        defined = ", ".join(sorted(each for each, value in names.items() if callable(value) and each[0] != "_"))
        raise BadInput(f"{path.name} does not define {name!r}. It defines {defined or 'nothing that can be called'}.")
    return names[name]
