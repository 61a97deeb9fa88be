"""Optimizers that a Python file defines, by a key: "/path/file.py:Name#digest"."""

from hashlib import sha256
from pathlib import Path

from steepest.errors import BadInput
from steepest.ingest.load import names_in, read_source
from steepest.records.contender import OwnFile

DIGITS = 12
"""Of a file's digest in a key."""


def key_of(path: Path, name: str) -> str:
    """The key of an object of a file. Raises BadTask if the file cannot be read."""
    path = path.expanduser().resolve()
    return OwnFile(path, name, sha256(read_source(path)).hexdigest()[:DIGITS]).key


def load_object(key: str) -> object:
    """The object of a key. Raises BadInput if the file has changed or does not define it, BadTask for errors in it."""
    file = OwnFile.from_key(key)
    assert file is not None, key
    path, name, digest = file
    source = read_source(path)
    if sha256(source).hexdigest()[:DIGITS] != digest:
        raise BadInput(f"{path} has changed since the study began. Restore it, or start a new study.")
    names = names_in(path, source)
    if name not in names:
        defined = ", ".join(sorted(each for each, value in names.items() if callable(value) and each[0] != "_"))
        raise BadInput(f"{path.name} does not define {name!r}. It defines {defined or 'nothing that can be called'}.")
    return names[name]
