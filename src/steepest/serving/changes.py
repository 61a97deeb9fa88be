"""What has changed between two JSON values, so that a page receives new curves only."""

from typing import Any

Change = list[Any]
"""[path] deletes, [path, value] sets, [path, n, items] appends items to a list that had n; a path is a list of keys and
places."""


def changes(old: Any, new: Any) -> list[Change]:
    """What turns `old` into `new`, both plain JSON values; `static/live.js` applies it.

    >>> changes({"a": [1, 2], "b": 0}, {"a": [1, 2, 3], "c": None})
    [[['b']], [['a'], 2, [3]], [['c'], None]]
    """
    found: list[Change] = []
    _compare([], old, new, found)
    return found


def _compare(path: list[str | int], old: Any, new: Any, found: list[Change]) -> None:
    if old is new:  # as most of a study is from one look to the next
        return
    if isinstance(old, dict) and isinstance(new, dict):
        found += [[[*path, key]] for key in old if key not in new]
        for key, value in new.items():
            if key in old:
                _compare([*path, key], old[key], value, found)
            else:
                found.append([[*path, key], value])
    elif isinstance(old, list) and isinstance(new, list) and 0 < len(old) < len(new) and _same(new[: len(old)], old):
        found.append([path, len(old), new[len(old) :]])
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and _are_rich(old, new):
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            _compare([*path, i], before, after, found)
    elif not _same(old, new):
        found.append([path, new])


def _same(old: Any, new: Any) -> bool:
    """Whether two values are written the same: to Python, False is 0 and 1 is 1.0, to a page they are not."""
    if type(old) is not type(new) or old != new:
        return False
    if isinstance(old, dict):
        return all(_same(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        kinds = [*map(type, old)]
        rich = dict in kinds or list in kinds
        return kinds == [*map(type, new)] and (not rich or all(map(_same, old, new)))
    return True


def _are_rich(old: list[Any], new: list[Any]) -> bool:
    """Whether the items are worth looking into one by one, which a list of numbers is not."""
    return any(isinstance(item, dict | list) for item in (*old, *new))
