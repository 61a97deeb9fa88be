"""The view has exactly the keys that its schema declares, in studies of several kinds."""

import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from golden import questions
from report.studies import default_study, hostile_study, looks_into, three_tasks

from steepest.messages import Message, languages
from steepest.report.plain import plain
from steepest.report.schema import Block, View
from steepest.report.trial_pack import trials
from steepest.report.view import view


def objections(value: Any, kind: Any, where: str, seen: set[tuple[type, str]]) -> list[str]:
    """Where a JSON value is not what the schema says. seen: gains each key that is there."""
    origin, parts = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return [f"{where} is {type(value).__name__}, not {kind.__name__}"]
        hints = get_type_hints(kind)
        seen |= {(kind, key) for key in value}
        wrong = [f"{where}.{key} is missing" for key in kind.__required_keys__ - value.keys()]
        wrong += [f"{where}.{key} is not in the schema" for key in value.keys() - hints.keys()]
        return wrong + [
            each
            for key in value.keys() & hints.keys()
            for each in objections(value[key], hints[key], f"{where}.{key}", seen)
        ]
    if kind is Message:
        is_worded = isinstance(value, dict) and value.keys() == {*languages()}
        return [] if is_worded else [f"{where} has no wording in every language"]
    if origin is NotRequired:
        return objections(value, parts[0], where, seen)
    if origin in (types.UnionType, Union):
        found = [objections(value, part, where, seen) for part in parts]
        return min(found, key=len)
    if origin is Literal:
        return [] if value in parts else [f"{where} is {value!r}, not one of {parts}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where} is {type(value).__name__}, not a list"]
        return [each for i, item in enumerate(value) for each in objections(item, parts[0], f"{where}[{i}]", seen)]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{where} is {type(value).__name__}, not a dict"]
        return [each for key, item in value.items() for each in objections(item, parts[1], f"{where}.{key}", seen)]
    allowed = (int, float) if kind is float else kind
    is_right = isinstance(value, allowed) and (kind is bool or not isinstance(value, bool))
    return [] if is_right else [f"{where} is {type(value).__name__}, not {kind}"]


def declared(kind: Any) -> set[tuple[type, str]]:
    """Every key of a TypedDict and of those within it."""
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        return {(kind, key) for key in hints}.union(*map(declared, hints.values()))
    return set().union(*map(declared, get_args(kind)))


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    return questions.opened(questions.place(tmp_path_factory.mktemp("golden") / "there"))


def test_golden_studies_have_the_keys_of_the_schema_and_no_others(golden):
    for name, study in golden.items():
        assert objections(plain(study.view), View, name, set()) == []


def test_the_schema_declares_no_key_that_no_view_has(golden):
    seen: set[tuple[type, str]] = set()
    shown = [*(study.view for study in golden.values()), three_tasks(), view(*default_study(), (looks_into("adam"),))]
    assert [each for item in shown for each in objections(plain(item), View, "view", seen)] == []
    assert {(kind.__name__, key) for kind, key in declared(View) - seen} == set()


@pytest.mark.parametrize("made", [default_study, hostile_study])
def test_trials_are_packed_as_declared(made):
    study, _, traces = made()
    packed = [dict(shards) for shards in trials(study, traces)]
    assert objections(plain(packed), list[dict[str, Block]], "trials", set()) == []


def test_a_key_that_is_missing_or_new_is_noticed():
    damaged = plain(three_tasks())
    del damaged["tasks"][1]["axes"]["loss"]["all"]
    damaged["tasks"][0]["standings"][0]["extra"] = 1
    damaged["study"]["trials"] = "many"
    assert sorted(objections(damaged, View, "view", set())) == [
        "view.study.trials is str, not <class 'int'>",
        "view.tasks[0].standings[0].extra is not in the schema",
        "view.tasks[1].axes.loss.all is missing",
    ]
