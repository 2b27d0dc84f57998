"""Customizations: JSON patches and merge patches, as their standards have them."""

from typing import Any

import pytest

from headrace.errors import InvalidOption
from headrace_kubernetes.patches import merged, patched


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches(target: Any, patch: Any, result: Any) -> None:
    """A merge patch does what the table of RFC 7386 says."""
    assert merged(target, patch) == result


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/spec/x", "value": 1}, {"spec": {"list": [1, 2], "x": 1}}),
        ({"op": "add", "path": "/spec/list/-", "value": 3}, {"spec": {"list": [1, 2, 3]}}),
        ({"op": "remove", "path": "/spec/list/0"}, {"spec": {"list": [2]}}),
        ({"op": "replace", "path": "/spec/list", "value": []}, {"spec": {"list": []}}),
        ({"op": "move", "from": "/spec/list", "path": "/spec/moved"}, {"spec": {"moved": [1, 2]}}),
        ({"op": "test", "path": "/spec/list/0", "value": 1}, {"spec": {"list": [1, 2]}}),
    ],
)
def test_operations(operation: Any, result: Any) -> None:
    """An operation of a JSON patch is done, and what it was done to stays as it was."""
    manifest = {"spec": {"list": [1, 2]}}
    assert patched(manifest, [operation], where="here") == result
    assert manifest == {"spec": {"list": [1, 2]}}


def test_one_after_the_other() -> None:
    """Patches of both kinds see what those before them have done."""
    customizations = [{"spec": {"list": []}}, {"op": "add", "path": "/spec/list/-", "value": 1}, {"spec": {"x": None}}]
    assert patched({"spec": {"x": 1}}, customizations, where="here") == {"spec": {"list": [1]}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "replace", "path": "/spec/list/7", "value": 1},
        {"op": "add", "path": "/nowhere/x", "value": 1},
        {"op": "test", "path": "/spec/list", "value": []},
        {"op": "add", "path": "/spec/list/x", "value": 1},
        {"op": "copy", "from": "/spec/nothing", "path": "/spec/x"},
    ],
)
def test_what_cannot_be_done(operation: Any) -> None:
    """An operation that cannot be done is named, with the reason."""
    with pytest.raises(InvalidOption, match="it cannot be done to the job as it is then") as refusal:
        patched({"spec": {"list": [1]}}, [operation], where="here")
    assert refusal.value.value == operation
