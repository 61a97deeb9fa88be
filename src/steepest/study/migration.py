"""Converts what older versions wrote. They stored a sentence under two keys, one for each language."""

from typing import Any

from steepest.records.record import is_json_object

OTHER = "zh"
"""The language that an older study has besides English, and what ends its keys."""


def spec(stored: Any, now: int) -> Any:
    """`study.json` in the format of `now`; anything else is left as it is, and `read_spec` refuses it."""
    if not is_json_object(stored) or stored.get("format") != 1:
        return stored
    plan = stored.get("plan")
    if is_json_object(plan):
        given_up = plan.pop("given_up", ())
        plan["given_up"] = [*map(_in_both, given_up, plan.pop(f"given_up_{OTHER}", ()) or given_up)]
        plan["facts"] = [*map(facts, plan.get("facts", ()))]
    return stored | {"format": now}


def facts(stored: Any) -> Any:
    """What a worker found out about a task."""
    if is_json_object(stored) and isinstance(obstacle := stored.get("fleet_obstacle", ""), str):
        other = stored.pop(f"fleet_obstacle_{OTHER}", "") or obstacle
        return stored | {"fleet_obstacle": _in_both(obstacle, other)}
    return stored


def _in_both(english: str, other: str) -> dict[str, str]:
    return {"en": english, OTHER: other} if other != english else {"en": english}
