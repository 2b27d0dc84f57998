"""The options of types of storage, as fields of a form."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import headrace.reference.plugin as reference
from headrace.errors import InvalidOption, NotInstalled
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.storing.fields import Field, check_needed, fields_of, named_types, part_value, parted


@attrs.frozen(kw_only=True)
class Shelf:
    """A storage with options of all kinds."""

    outlives_process = True
    reaches_others = False

    place: str = attrs.field(metadata={"meaning": "where it is"})
    depth: int | None = None
    weight: float = 1.0
    is_high: bool | None = None
    labels: Mapping[str, Any] | None = None
    books: list[str] | None = None
    key: str | None = attrs.field(default=None, metadata={"secret": True})
    moment: str = attrs.field(default="", metadata={"option": False})


@hookimpl
def headrace_storages() -> list[Provider[Any]]:
    return [Provider("shelf", Shelf, "A shelf"), Provider("broken", "no.such:Thing", "Broken")]


@pytest.fixture
def registry() -> Registry:
    """With a shelf, and something that cannot be imported."""
    return Registry([inline(reference, name="reference"), inline(SimpleNamespace(headrace_storages=headrace_storages))])


def field(kind: Any, *, is_secret: bool = False) -> Field:
    """A field of a kind."""
    return Field(name="thing", kind=kind, meaning="", is_needed=False, is_secret=is_secret)


def test_fields(registry: Registry) -> None:
    """They are those of the class, in its order, with what is said of them; what is no option is none."""
    found = fields_of(registry, "shelf")
    assert [each.name for each in found] == ["place", "depth", "weight", "is_high", "labels", "books", "key"]
    assert [each.name for each in found if each.is_needed] == ["place"]
    assert [each.name for each in found if each.is_secret] == ["key"]
    assert [each.name for each in found if each.is_number] == ["depth", "weight"]
    assert [each.name for each in found if each.is_truth] == ["is_high"]
    assert [each.name for each in found if each.is_object] == ["labels"]
    assert [each.name for each in found if each.is_list] == ["books"]
    assert found[0].meaning == "where it is"
    assert fields_of(registry, "memory") == []
    with pytest.raises(NotInstalled):
        fields_of(registry, "cupboard")


def test_types_that_can_have_a_name(registry: Registry) -> None:
    """What is gone with its process is none of them, nor what cannot be used."""
    assert named_types(registry) == {"shelf": "A shelf"}


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (str, "22", "22"),
        (int, "22", 22),
        (float, "2.5", 2.5),
        (bool, "yes", True),
        (bool, "no", False),
        (int, "secret://env/DEPTH", "secret://env/DEPTH"),
        (Mapping[str, Any], 'port=22\n\n name = a=b \ntext="22"\npassword=22', {"port": 22, "name": "a=b", "text": "22", "password": "22"}),
        (Mapping[str, Any], '{"a": [1]}', {"a": [1]}),
        (Mapping[str, Any], "secret://file/all", "secret://file/all"),
        (list[str], "one\n\n 2 ", ["one", "2"]),
        (list[int], "1\n2", [1, 2]),
        (list[str], '["a\\nb"]', ["a\nb"]),
    ],
)
def test_read(kind: Any, typed: str, value: Any) -> None:
    """What is typed in a field is a value of its kind."""
    assert field(kind).read(typed) == value


@pytest.mark.parametrize(
    ("kind", "typed", "why"),
    [
        (int, "2.5", "it is no whole number"),
        (float, "much", "it is no number"),
        (bool, "perhaps", "it is yes or no"),
        (Mapping[str, Any], "port", "line 1 is not in the form NAME=VALUE"),
        (Mapping[str, Any], "a=1\n=2", "line 2 is not in the form NAME=VALUE"),
        (Mapping[str, Any], "a=1\na=2", "its part 'a' is given twice"),
        (Mapping[str, Any], '{"a": 1, "a": 2}', "stands twice"),
        (list[str], "[1", "it is no JSON"),
    ],
)
def test_what_is_typed_wrong(kind: Any, typed: str, why: str) -> None:
    """It is told; of a secret, what was typed is not."""
    with pytest.raises(InvalidOption, match=why):
        field(kind).read(typed)
    with pytest.raises(InvalidOption, match=r"thing='\*\*\*'"):
        field(kind, is_secret=True).read(typed)


def test_secrets_are_texts() -> None:
    """A part whose name is that of a secret is never read as anything else."""
    assert part_value("port", "22") == 22
    assert part_value("db_password", "22") == "22"


def test_needed(registry: Registry) -> None:
    """An option that must be given is named."""
    fields = fields_of(registry, "shelf")
    check_needed(fields, {"place": "here"}, "shelf")
    with pytest.raises(InvalidOption, match="'shelf': place='' cannot be used: it is needed"):
        check_needed(fields, {"depth": 1}, "shelf")


def test_parted(registry: Registry) -> None:
    """Secrets go another way than what all may see."""
    assert parted(fields_of(registry, "shelf"), {"place": "here", "key": "k"}) == ({"place": "here"}, {"key": "k"})
