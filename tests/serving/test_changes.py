"""Changes between two JSON values: applied to the old one, they give the new one, and they are small."""

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from steepest.serving.changes import changes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=25,
)


def apply(whole, change):
    """What `static/live.js` does."""
    path = change[0]
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    if len(change) == 1:
        del holder[path[-1]]
    elif len(change) == 2:
        holder[path[-1]] = change[1]
    else:
        assert len(holder[path[-1]]) == change[1]
        holder[path[-1]].extend(change[2])


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_changes_turn_the_old_value_into_the_new_one(old, new):
    whole = {"it": copy.deepcopy(old)}
    for change in json.loads(json.dumps(changes({"it": old}, {"it": new}))):
        apply(whole, change)
    assert json.dumps(whole["it"], sort_keys=True) == json.dumps(new, sort_keys=True)


def test_equal_values_have_no_changes():
    value = {"a": [1, {"b": None}], "c": "x"}
    assert changes(value, copy.deepcopy(value)) == []


def test_what_grows_is_sent_as_what_was_added():
    old = {"curves": {f"s{i}": list(range(1000)) for i in range(10)}, "n": 10}
    new = copy.deepcopy(old) | {"n": 11}
    new["curves"]["s10"] = [1, 2]
    assert changes(old, new) == [[["curves", "s10"], [1, 2]], [["n"], 11]]
    assert changes([1, 2], [1, 2, 3]) == [[[], 2, [3]]]
