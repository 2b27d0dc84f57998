"""The form for parameters, and what is read from it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal

import attrs
import pytest

from headrace.errors import WrongParameterType
from headrace.model.deployments import Code, Deployment
from headrace.model.parameters import Signature
from headrace.wire.schemas import parameter_schema
from headrace_dashboard.forms import Form
from headrace_dashboard.parameter_form import fields_of, parameters_of

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = MOMENT.date()


class Region(Enum):
    """A place."""

    EU = "eu"
    US = 7


@attrs.frozen
class Address:
    """A record."""

    street: str


def flow(
    title: str,
    rows: int = 100,
    share: float = 0.5,
    dry: bool = False,
    region: Region = Region.EU,
    kind: Literal["daily", "weekly"] = "daily",
    day: date = DAY,
    at: datetime | None = None,
    note: str | None = None,
    tags: list[str] = [],  # noqa: B006 - as people write it
    address: Address | None = None,
    either: int | str = 3,
    flag: bool | None = None,
    anything: Any = None,
) -> None:
    """It takes all kinds of things."""


def others(first: int, **rest: int) -> None:
    """It takes what has no name here."""


def deployment(takes: Any = flow, **parameters: Any) -> Deployment:
    return Deployment(
        id="d",
        name="d",
        flow_name="f",
        code=Code(entrypoint="m:f"),
        parameters=parameters,
        parameter_schema=parameter_schema(Signature.of(takes)),
        created=MOMENT,
        updated=MOMENT,
    )


def typed(of: Deployment, **texts: str) -> dict[str, Any]:
    """What is read where only these fields were changed."""
    pairs = [(field.key, texts.get(field.name or "others", field.given)) for field in fields_of(of, Form([]))]
    return parameters_of(of, Form(pairs))


def test_fields() -> None:
    """Each parameter has a field of its kind, with what stands for it."""
    found = {field.name: (field.kind, field.given) for field in fields_of(deployment(rows=7, at="2026-01-01T09:30", note="a\nb"), Form([]))}
    assert found == {
        "title": ("text", ""),
        "rows": ("integer", "7"),
        "share": ("number", "0.5"),
        "dry": ("choice", "false"),
        "region": ("choice", ""),
        "kind": ("choice", '"daily"'),
        "day": ("date", ""),
        "at": ("moment", "2026-01-01T09:30"),
        "note": ("lines", "a\nb"),
        "tags": ("json", "[]"),
        "address": ("json", ""),
        "either": ("json", "3"),
        "flag": ("choice", ""),
        "anything": ("json", ""),
    }


def test_choices() -> None:
    """They are told by what they are called, and typed as JSON."""
    found = {field.name: list(field.options) for field in fields_of(deployment(), Form([])) if field.options}
    assert found["kind"] == [('"daily"', "daily"), ('"weekly"', "weekly")]
    assert ("7", "7") in found["region"]
    assert found["dry"] == found["flag"] == [("true", "true"), ("false", "false")]


def test_a_moment_with_an_offset() -> None:
    """It stays whole, since the field for moments has no room for the offset."""
    field = next(each for each in fields_of(deployment(at="2026-01-01T09:30:00+01:00"), Form([])) if each.name == "at")
    assert (field.kind, field.given) == ("text", "2026-01-01T09:30:00+01:00")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({}, {}),
        ({"title": "Sales", "rows": "3", "share": "1e3"}, {"title": "Sales", "rows": 3, "share": 1000.0}),
        ({"title": " 3 "}, {"title": " 3 "}),
        ({"note": "null"}, {"note": "null"}),
        ({"dry": "true", "flag": "false"}, {"dry": True, "flag": False}),
        ({"region": "7", "kind": '"weekly"'}, {"region": 7, "kind": "weekly"}),
        ({"kind": "weekly"}, {"kind": "weekly"}),
        ({"day": "2026-02-01", "at": "2026-02-01T09:30"}, {"day": "2026-02-01", "at": "2026-02-01T09:30"}),
        ({"tags": '["a",\r\n"b"]', "address": '{"street": "Ring"}'}, {"tags": ["a", "b"], "address": {"street": "Ring"}}),
        ({"either": "4"}, {"either": 4}),
        ({"either": "four"}, {"either": "four"}),
        ({"anything": "[1, null]"}, {"anything": [1, None]}),
        ({"anything": "just words"}, {"anything": "just words"}),
        ({"rows": "many"}, "parameter 'rows' must be a whole number (int), not 'many'"),
        ({"rows": ""}, "parameter 'rows' must be a whole number (int), not nothing"),
        ({"tags": "[1,"}, "which is no JSON"),
        ({"tags": "[" * 500 + "]" * 500}, "nested 100 levels deep at most"),
        ({"address": '{"street": "a", "street": "b"}'}, "the key 'street' stands twice"),
    ],
)
def test_what_is_read(texts: dict[str, str], found: Any) -> None:
    """What was changed, by its kind; what cannot be read is told in a sentence."""
    if isinstance(found, Mapping):
        assert typed(deployment(), **texts) == found
        return
    with pytest.raises(WrongParameterType) as error:
        typed(deployment(), **texts)
    assert found in str(error.value)
    assert str(error.value).startswith("deployment 'f/d': ")


def test_what_is_emptied() -> None:
    """It is nothing where that is taken, and an empty text where a text stood."""
    own = deployment(title="Sales", note="so", address={"street": "Ring"}, flag=True)
    assert typed(own, title="", note="", address="", flag="") == {"title": "", "note": None, "address": None, "flag": None}


def test_others() -> None:
    """Parameters without a name in the signature are given as an object, beside those that have one."""
    assert typed(deployment(others, first=1), others='{"b": 2}') == {"b": 2}
    assert typed(deployment(others, first=1, b=2), first="3") == {"first": 3}
    with pytest.raises(WrongParameterType):
        typed(deployment(others, first=1), others="[2]")


def test_no_schema() -> None:
    """Where nothing is known of what a flow takes, all is one object."""
    unknown = attrs.evolve(deployment(), parameter_schema={})
    assert [field.kind for field in fields_of(unknown, Form([]))] == ["json"]
    assert typed(unknown, others='{"a": 1}') == {"a": 1}


def test_what_was_typed_stays() -> None:
    """The fields have it, right or wrong."""
    found = {field.name: field.value for field in fields_of(deployment(), Form([("parameter rows", "many"), ("parameter tags", "[\r\n")]))}
    assert (found["rows"], found["tags"], found["share"]) == ("many", "[\n", "0.5")
