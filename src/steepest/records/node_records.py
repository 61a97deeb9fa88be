"""The machines that a study uses beside this one, as its coordinator notes them for everybody who watches."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from steepest.errors import StudyFolderError
from steepest.records.files import read_checked, write_checked
from steepest.records.record import is_json_object

NODES = "nodes.json"
"""The file's name in a study folder; absent where all workers are on one machine."""


@dataclass(slots=True)
class NodeState:
    """What is known of a node. It changes as the study goes on."""

    node: str
    machine: str = ""
    """Its processor."""
    underway: int = 0
    """Jobs that it was last heard to have."""
    done: int = 0
    lost: int = 0
    """Jobs that were sent again, since no sound result came from it."""
    seen: float = 0.0
    """When it was last heard of, by the coordinator's clock."""


_KINDS: dict[str, type] = {item.name: str if item.name in ("node", "machine") else float for item in fields(NodeState)}


def write_nodes(folder: Path, nodes: list[NodeState]) -> None:
    write_checked(folder / NODES, {"nodes": [asdict(node) for node in nodes]})


def read_nodes(folder: Path) -> list[NodeState]:
    """Nothing where there is no such note, or it is damaged: nothing depends on it."""
    path = folder / NODES
    if not path.is_file() or path.is_symlink():
        return []
    try:
        stored: Any = read_checked(path)
    except StudyFolderError:
        return []
    rows: list[Any] = stored["nodes"] if is_json_object(stored) and isinstance(stored.get("nodes"), list) else []
    return [NodeState(**row) for row in rows if _is_sound(row)]


def _is_sound(row: Any) -> bool:
    return (
        is_json_object(row)
        and set(row) == set(_KINDS)
        and all(isinstance(row[name], str if kind is str else (int, float)) for name, kind in _KINDS.items())
    )
