"""Schemas of what flows take: what they say, and that coercion keeps what they promise."""

import dataclasses
import enum
import json
import re
import subprocess
import sys
import typing
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence, Sized
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from numbers import Number
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Protocol, TypedDict, TypeVar, Unpack
from uuid import UUID

import attrs
import pydantic
import pytest
import typing_extensions
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from headrace.errors import HeadraceError, WrongParameterType
from headrace.model.coercion import coerced
from headrace.model.parameters import TAKES_ALL, Parameter, Signature
from headrace.wire.checking import checked_parameters
from headrace.wire.formats import FORMATS, fits
from headrace.wire.schemas import parameter_schema

T = TypeVar("T")
UserId = NewType("UserId", int)
Numbers = typing_extensions.TypeAliasType("Numbers", list[int])


class Color(Enum):
    RED = "red"
    CRIMSON = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Switch(Enum):
    ON = True
    OFF = False


class Corner(Enum):
    ORIGIN = (0, 0)


class Rights(Flag):
    READ = 1
    WRITE = 2


class Anycase(Enum):
    ONE = "one"

    @classmethod
    def _missing_(cls, value: object) -> "Anycase | None":
        return cls.ONE if str(value).lower() == "one" else None


class Plain:
    pass


class Quacks(Protocol):
    def quack(self) -> str: ...


class Odd(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return instance == 7


class Seven(metaclass=Odd):
    pass


@dataclasses.dataclass
class Address:
    street: str
    number: int = 1


@attrs.frozen(kw_only=True)
class Item:
    price: Decimal
    _count: int = 1
    tag: str = attrs.field(default="", converter=str)


@dataclasses.dataclass
class Node:
    value: int
    children: list["Node"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Expression:
    left: "Expression | int"
    right: "Expression | int"


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@dataclasses.dataclass
class Endless(Generic[T]):
    """Every one contains one of another type, so it can never be written down."""

    inside: "Endless[list[T]] | None" = None


@dataclasses.dataclass
class Positive:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("amount must not be negative")


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Tree(pydantic.BaseModel):
    name: str
    at: datetime | None = None
    children: list["Tree"] = []


class Boundless(pydantic.BaseModel):
    """Pydantic cannot describe what it holds."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    plain: Plain


class Broken(pydantic.BaseModel):
    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        raise RuntimeError("no schema")


class Foreign(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [{1, 2}]})


def schema_of(annotation: Any) -> dict[str, Any]:
    """The schema of a flow with one parameter `x`."""
    return parameter_schema(Signature(parameters=(Parameter(name="x", annotation=annotation),)))


def accepted(annotation: Any, value: Any) -> bool:
    """Whether the schema accepts the value."""
    try:
        checked_parameters("f", schema_of(annotation), {"x": value})
    except HeadraceError:
        return False
    return True


def taken(annotation: Any, value: Any) -> bool:
    """Whether coercion takes the value."""
    try:
        coerced(value, annotation, where="f", name="x")
    except HeadraceError:
        return False
    return True


def name_of(thing: Any) -> str:
    """A test's name: the same in every process."""
    return re.sub(r"[^\w\[\], .:'{}|-]", "", repr(thing).replace(f"{__name__}.", ""))[:60]


# What they say

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
NUMBER = {"anyOf": [{"type": "number", "format": "double"}, {"enum": ["inf", "-inf", "nan"]}]}
MOMENT = {"type": "string", "format": "date-time"}
PATH = {"type": "string", "format": "path"}
WITH_HASH = {"type": ["null", "boolean", "number", "string"]}

SAID: list[tuple[Any, dict[str, Any]]] = [
    (bool, {"type": "boolean"}),
    (int, INTEGER),
    (float, NUMBER),
    (complex, {"type": ["number", "string"], "format": "complex"}),
    (str, TEXT),
    (bytes, {"type": "string", "format": "utf-8"}),
    (None, {"type": "null"}),
    (Decimal, {"type": ["number", "string"], "format": "decimal"}),
    (datetime, MOMENT),
    (date, {"type": "string", "format": "date"}),
    (time, {"type": "string", "format": "time"}),
    (timedelta, {"type": ["number", "string"], "format": "duration"}),
    (Path, PATH),
    (PurePosixPath, PATH),
    (UUID, {"type": "string", "format": "uuid"}),
    (re.Pattern[str], {"type": "string", "format": "regex"}),
    (Color, {"enum": ["red", "green", "RED", "CRIMSON", "GREEN"]}),
    (Level, {"enum": [1, 2, "LOW", "HIGH"]}),
    (Switch, {"enum": [True, False, "ON", "OFF"]}),
    (Corner, {"enum": ["ORIGIN"]}),
    (Rights, {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 3}, {"enum": ["READ", "WRITE"]}]}),
    (Literal["a", 1, True, None], {"enum": ["a", 1, True, None]}),
    (Literal[Color.RED], {"enum": ["red", "RED", "CRIMSON"]}),
    (Literal[b"a", "b"], {"enum": ["b"]}),
    (int | None, {"anyOf": [INTEGER, {"type": "null"}]}),
    (typing.Optional[int], {"anyOf": [INTEGER, {"type": "null"}]}),  # noqa: UP045  what is written with `|` is of another class
    (float | str, {"anyOf": [*NUMBER["anyOf"], TEXT]}),
    (Path | PurePosixPath, PATH),
    (int | Any, {}),
    (Plain | int | None, {"anyOf": [INTEGER, {"type": "null"}]}),
    (list, {"type": "array"}),
    (list[int], {"type": "array", "items": INTEGER}),
    (MutableSequence[int], {"type": "array", "items": INTEGER}),
    (list["Missing"], {"type": "array"}),  # type: ignore[name-defined]  # noqa: F821
    (list[Plain], {"type": "array", "items": {"description": "a Plain, which JSON cannot hold"}}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}),
    (tuple[int, str], {"type": "array", "prefixItems": [INTEGER, TEXT], "minItems": 2, "maxItems": 2}),
    (set[int], {"type": "array", "items": INTEGER, "uniqueItems": True}),
    (AbstractSet[int], {"type": "array", "items": INTEGER, "uniqueItems": True}),
    (frozenset, {"type": "array", "items": WITH_HASH, "uniqueItems": True}),
    (Sequence[int], {"type": "array", "items": INTEGER}),
    (Sequence, {"type": ["array", "string"]}),
    (Sequence[object], {"type": ["array", "string"]}),
    (Iterable[object], {"type": ["array", "object", "string"]}),
    (Iterable[int], {"type": ["array", "object"], "items": INTEGER}),
    (Collection, {"type": ["array", "object", "string"]}),
    (dict, {"type": "object"}),
    (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (MutableMapping[str, Any], {"type": "object"}),
    (dict[int, Any], {"type": "object", "propertyNames": {"format": "integer"}}),
    (dict[float | date, Any], {"type": "object", "propertyNames": {"anyOf": [{"format": "double"}, {"type": "string", "format": "date"}]}}),
    (dict[Literal["a"], int], {"type": "object", "propertyNames": {"enum": ["a"]}, "additionalProperties": INTEGER}),
    (Annotated[int, "a remark"], INTEGER),
    (UserId, INTEGER),
    (typing.Final[int], INTEGER),
    (Hashable, {"type": ["null", "boolean", "integer", "number", "string"]}),
    (Sized, {"type": ["string", "array", "object"]}),
    (Number, {"type": ["boolean", "integer", "number"]}),
    (Any, {}),
    (object, {}),
    (T, {}),
    ("Missing", {}),
    (3, {}),
    (Quacks, {}),
    (Seven, {}),
    (Plain, {"description": "a Plain, which JSON cannot hold"}),
    (OrderedDict, {"description": "an OrderedDict, which JSON cannot hold"}),
    (deque[int], {"description": "a deque[int], which JSON cannot hold"}),
    (Iterator[int], {"description": "an Iterator[int], which JSON cannot hold"}),
    (Callable[[int], str], {"description": "something that can be called (Callable[[int], str]), which JSON cannot hold"}),
    (re.Pattern[bytes], {"description": "a regular expression (Pattern) (Pattern[bytes]), which JSON cannot hold"}),
    (Enum, {"description": "an Enum, which JSON cannot hold"}),
    (Anycase, {"description": "one of 'one' (Anycase)"}),
]


@pytest.mark.parametrize(("annotation", "said"), SAID, ids=[f"{number} {name_of(row[0])}" for number, row in enumerate(SAID)])
def test_what_is_said(annotation: Any, said: dict[str, Any]) -> None:
    """Each annotation has the schema that the table tells."""
    whole = {"title": "Parameters", "type": "object", "properties": {"x": said}, "required": ["x"], "additionalProperties": False}
    assert schema_of(annotation) == whole


RECORD = {"type": "object", "additionalProperties": False}
ADDRESS = {"title": "Address", **RECORD, "properties": {"street": TEXT, "number": INTEGER}, "required": ["street"]}
NODE = {
    "title": "Node",
    **RECORD,
    "properties": {"value": INTEGER, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["value"],
}

DEFINED: list[tuple[Any, dict[str, Any]]] = [
    (Address, {"Address": ADDRESS}),
    (Movie, {"Movie": {"title": "Movie", **RECORD, "properties": {"title": TEXT, "year": INTEGER}, "required": ["title"]}}),
    (
        Item,
        {
            "Item": {
                "title": "Item",
                **RECORD,
                "properties": {"price": {"type": ["number", "string"], "format": "decimal"}, "count": INTEGER, "tag": {}},
                "required": ["price"],
            }
        },
    ),
    (
        Pair,
        {
            "Pair": {
                "anyOf": [
                    {"title": "Pair", **RECORD, "properties": {"left": INTEGER, "right": TEXT}, "required": ["left"]},
                    {"type": "array", "prefixItems": [INTEGER, TEXT], "minItems": 1, "maxItems": 2},
                ]
            }
        },
    ),
    (Node, {"Node": NODE}),
    (Box[int], {"Box": {"title": "Box", **RECORD, "properties": {"content": INTEGER}, "required": ["content"]}}),
    (Numbers, {"Numbers": {"type": "array", "items": INTEGER}}),
]


@pytest.mark.parametrize(("annotation", "definitions"), DEFINED, ids=[name_of(row[0]) for row in DEFINED])
def test_records_are_defined_once(annotation: Any, definitions: dict[str, Any]) -> None:
    """A record is a definition that is referred to, so that it may contain itself."""
    schema = schema_of(annotation)
    assert schema["$defs"] == definitions
    assert schema["properties"]["x"] == {"$ref": f"#/$defs/{next(iter(definitions))}"}


def test_definitions_of_one_name() -> None:
    """Classes that are called alike have definitions of their own; one class has one, wherever it is needed."""
    other = dataclasses.make_dataclass("Address", [("city", str)])
    schema = schema_of(tuple[Address, other, dict[str, Address], Box[int], Box[str]])
    assert list(schema["$defs"]) == ["Address", "Address-2", "Box", "Box-2"]
    checked_parameters("f", schema, {"x": [{"street": "a"}, {"city": "b"}, {"c": {"street": "d"}}, {"content": 1}, {"content": "e"}]})


def test_definition_of_any_name() -> None:
    """A class may be called whatever Python allows, and is found."""
    odd = dataclasses.make_dataclass("Ärger", [("größe", int)])
    assert accepted(odd, {"größe": 1})
    assert not accepted(odd, {"größe": "viel"})
    slashed = type("a/b~c%20d#e", (Address,), {})
    assert accepted(slashed, {"street": "x"})
    assert not accepted(slashed, {})


def test_pydantic_describes_its_own() -> None:
    """A model stands as pydantic describes it, its definitions inside, without formats that pydantic reads by other rules."""
    schema = schema_of(dict[str, Tree])
    (described,) = schema["$defs"].values()
    assert described["$defs"]["Tree"]["properties"]["at"]["anyOf"] == [TEXT, {"type": "null"}]
    checked_parameters("f", schema, {"x": {"a": {"name": "b", "at": "1700000000", "children": [{"name": "c", "children": []}]}}})
    assert not accepted(Tree, {"name": "b", "children": [{"name": 1}]})
    assert not accepted(Tree, {})
    assert schema_of(pydantic.HttpUrl)["$defs"]["HttpUrl"]["format"] == "uri"


def test_pydantic_is_asked_only_where_it_is_loaded() -> None:
    """Schemas of other classes do not import pydantic."""
    question = (
        "import sys, dataclasses\nfrom headrace.model.parameters import Signature\nfrom headrace.wire.schemas import parameter_schema\n"
        "@dataclasses.dataclass\nclass A:\n    b: int\n"
        "def f(a: A): ...\nprint(parameter_schema(Signature.of(f))['$defs']['A']['required'], 'pydantic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['b'] False"


# Signatures


def everything(first: int, /, second: str, *rest: int, third: date, fourth: float = 4.0, **extra: bool) -> None: ...


class Options(TypedDict, total=False):
    size: typing_extensions.Required[int]
    color: str


def unpacked(size: str, *pair: *tuple[int, str], **options: Unpack[Options]) -> None: ...


def wrapping(**options: Unpack[Options]) -> None: ...


def defaults(
    plain: list[int] = [1],  # noqa: B006
    text: str = "t",
    no_json: date = date(2026, 1, 1),
    endless: float = float("inf"),
    *,
    implicit: int = None,  # type: ignore[assignment]  # noqa: RUF013
    sentinel: str = False,  # type: ignore[assignment]
    wrong: int = "many",  # type: ignore[assignment]
    fitting: int | None = None,
) -> None: ...


def unresolvable(known: int, unknown: "Unknown", sentence: "how many there are" = 1) -> None: ...  # type: ignore[name-defined]  # noqa: F722, F821


def test_parameters_in_order() -> None:
    """Parameters stand by name, in order, `*args` and `**kwargs` among them; those that a call must give are required."""
    assert parameter_schema(Signature.of(everything)) == {
        "title": "Parameters",
        "type": "object",
        "properties": {
            "first": INTEGER,
            "second": TEXT,
            "rest": {"type": "array", "items": INTEGER},
            "third": {"type": "string", "format": "date"},
            "fourth": {**NUMBER, "default": 4.0},
            "extra": {"type": "object", "additionalProperties": {"type": "boolean"}},
        },
        "required": ["first", "second", "third"],
        "additionalProperties": {"type": "boolean"},
    }
    assert list(parameter_schema(Signature.of(everything))["properties"]) == ["first", "second", "rest", "third", "fourth", "extra"]


def test_unpacked_values_have_names() -> None:
    """The values that `**kwargs: Unpack[...]` names are parameters by those names, after the others."""
    schema = parameter_schema(Signature.of(wrapping))
    assert (list(schema["properties"]), schema["required"], schema["additionalProperties"]) == (
        ["options", "size", "color"],
        ["size"],
        False,
    )
    mixed = parameter_schema(Signature.of(unpacked))
    assert mixed["properties"]["size"] == TEXT
    assert mixed["properties"]["pair"]["prefixItems"] == [INTEGER, TEXT]


def test_what_does_not_tell_takes_all() -> None:
    """A function whose signature cannot be read takes everything."""
    schema = parameter_schema(TAKES_ALL)
    checked_parameters("f", schema, {"args": [1, "a"], "kwargs": {"a": 1}, "anything": None})
    assert (schema["required"], schema["additionalProperties"]) == ([], {})


def test_defaults() -> None:
    """A default that is JSON stands as it is, and copied; any other only makes the parameter optional."""
    schema = parameter_schema(Signature.of(defaults))
    told = {name: each["default"] for name, each in schema["properties"].items() if "default" in each}
    assert told == {"plain": [1], "text": "t", "implicit": None, "sentinel": False, "wrong": "many", "fitting": None}
    assert schema["required"] == []
    told["plain"].append(2)
    assert parameter_schema(Signature.of(defaults))["properties"]["plain"]["default"] == [1]


def test_a_default_may_be_given() -> None:
    """None, True and False are accepted where they are the default, though the annotation does not say so: the run takes them too."""
    signature = Signature.of(defaults)
    for fitting in ({"implicit": None}, {"sentinel": False}, {"implicit": 1, "sentinel": "s"}):
        checked_parameters("f", parameter_schema(signature), fitting)
        assert signature.validated("f", fitting) == fitting
    for refused in ({"implicit": False}, {"sentinel": True}, {"sentinel": None}, {"wrong": "many"}):
        with pytest.raises(HeadraceError):
            checked_parameters("f", parameter_schema(signature), refused)


def test_endless_default() -> None:
    """A default that contains itself is none that JSON could hold."""
    ring: list[Any] = []
    ring.append(ring)
    signature = Signature(
        parameters=(Parameter(name="x", default=ring), Parameter(name="y", default={1: 2}), Parameter(name="z", default=(1,)))
    )
    assert parameter_schema(signature)["properties"] == {"x": {}, "y": {}, "z": {}}


def test_without_validation() -> None:
    """Where parameters are not validated only their names are told, and what `**kwargs` take is free."""
    schema = parameter_schema(Signature.of(everything), validated=False)
    assert set(map(str, schema["properties"].values())) == {"{}"}
    assert (schema["required"], schema["additionalProperties"]) == (["first", "second", "third"], {})
    free = parameter_schema(Signature.of(wrapping), validated=False)
    assert (free["properties"], free["required"], free["additionalProperties"]) == ({"options": {}}, [], {})
    assert "$defs" not in free


def test_unresolvable_annotation_says_nothing() -> None:
    """An annotation that cannot be resolved leaves its own parameter free and the others as they are."""
    assert parameter_schema(Signature.of(unresolvable))["properties"] == {"known": INTEGER, "unknown": {}, "sentence": {"default": 1}}


class Unhashable(type):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return False


class Strange(metaclass=Unhashable):
    pass


class Raising(enum.EnumMeta):
    def __iter__(cls) -> Any:
        raise RuntimeError("no members")


class Empty(Enum, metaclass=Raising):
    A = 1


def _raise(*_: Any) -> Any:
    raise RuntimeError("no schema")


Hooked = type("Hooked", (), {"__get_pydantic_core_schema__": _raise})
ODD = [
    Boundless,
    Broken,
    Foreign,
    Strange,
    Empty,
    Hooked,
    Endless[int],
    tuple[Address, Broken],
    ...,
    [int],
    {"a": int},
    print,
    b"a",
    float("nan"),
]


@pytest.mark.parametrize("annotation", ODD, ids=name_of)
def test_odd_annotation_says_nothing(annotation: Any) -> None:
    """An annotation that has no schema, whatever it raises, says nothing, and nothing is left of the attempt."""
    schema = schema_of(annotation)
    assert schema["properties"] == {"x": {}}
    assert "$defs" not in schema


def test_odd_annotation_spoils_no_other() -> None:
    """Definitions that others need stay."""
    annotations = {"a": Address, "b": tuple[Node, Broken], "c": Node}
    schema = parameter_schema(Signature(parameters=tuple(Parameter(name=name, annotation=each) for name, each in annotations.items())))
    assert schema["properties"] == {"a": {"$ref": "#/$defs/Address"}, "b": {}, "c": {"$ref": "#/$defs/Node"}}
    assert schema["$defs"] == {"Address": ADDRESS, "Node": NODE}


# What holds for all of them


@dataclasses.dataclass
class Whole:
    number: int
    share: float
    text: str
    yes: bool
    moment: datetime
    day: date
    hour: time
    duration: timedelta
    place: PurePosixPath
    identity: UUID
    price: Decimal
    color: Color
    level: Literal["low", "high"]
    maybe: int | None
    pair: tuple[int, str]
    numbers: list[float]
    unique: frozenset[str]
    by_number: dict[int, list[date]]
    address: Address
    item: Pair


RECORDS = [
    Address,
    Item,
    Node,
    Expression,
    Box[int],
    Box[Any],
    Pair,
    Movie,
    Whole,
    list[Node],
    dict[str, Pair],
    Address | Pair | None,
    Numbers,
]
EVERY = [*(row[0] for row in SAID), *RECORDS, Tree, list[Tree], Positive, pydantic.HttpUrl]

SAYS_NOTHING = {name_of(each) for each, said in SAID if said == {} or "description" in str(said)}
WITH_WHOLE_OPTIONS = (Literal["a", 1, True, None],)
CHECKS_MORE = {name_of(each) for each in (Positive, pydantic.HttpUrl, Tree, list[Tree])}
JUDGED = [each for each in EVERY if name_of(each) not in SAYS_NOTHING | CHECKS_MORE]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
likely_texts = (
    st.from_regex(r"\A[-+]?[0-9PTWDHMSZ:.,eE+ jinfa-]{1,24}\Z")
    | st.sampled_from(["red", "RED", "LOW", "a", "true", "inf", "nan"])
    | st.datetimes().map(str)
    | st.dates().map(str)
    | st.timedeltas().map(str)
    | st.uuids().map(str)
    | st.decimals().map(str)
)
likely_numbers = st.sampled_from([0, 1, 2, 3, 1.0, 2**53, 2**53 + 1, 10**400, 1e300, 1.5])
leaves = scalars | likely_texts | likely_numbers
field_names = st.sampled_from("street number left right value children content price count tag title year a 1 2.5 2026-01-02".split())
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names | st.text(), inner, max_size=3), max_leaves=12
)

UNSAYABLE: list[tuple[Any, Any]] = [
    (Positive, {"amount": -1}),
    (pydantic.HttpUrl, "nowhere"),
    (set[int | bool], [1, True]),
    (set[Path], ["a", "./a"]),
    (set[date], ["2026-01-02", "20260102"]),
    (set[list[int]], [[1]]),
    (set[Address], [{"street": "a"}]),
    (dict[int, int], {"1": 1, "01": 2}),
    (Literal[1], 1.0),
    (Flag("Gap", {"ONE": 1, "FOUR": 4}), 2),
]
"""What schemas accept and coercion does not take, since no schema can say it."""


def refusal(annotation: Any, value: Any) -> str:
    """What coercion wants instead of the value; nothing, if it takes it."""
    try:
        coerced(value, annotation, where="f", name="x")
    except WrongParameterType as error:
        return error.expected
    return ""


@settings(max_examples=400, deadline=None)
@given(value=json_values)
@example(value=float("inf"))
@example(value=float("nan"))
def test_what_is_accepted_is_taken(value: Any) -> None:
    """What a schema accepts, coercion takes; unless things become equal once they are read, or 1 is written as 1.0."""
    for annotation in JUDGED:
        if not accepted(annotation, value):
            continue
        wanted = refusal(annotation, value)
        unsayable = wanted in ("a set, or a list without doubles", "a dict whose keys stay different")
        assert not wanted or unsayable or (isinstance(value, float) and annotation in WITH_WHOLE_OPTIONS), annotation


@pytest.mark.parametrize(("annotation", "value"), UNSAYABLE, ids=[name_of(row[0]) for row in UNSAYABLE])
def test_what_no_schema_can_say(annotation: Any, value: Any) -> None:
    """These are accepted and not taken, so that the run finds them when it starts."""
    assert accepted(annotation, value)
    assert not taken(annotation, value)


def as_json(value: Any) -> Any:
    """A value in the most natural way that JSON has for it."""
    if isinstance(value, Enum):
        return as_json(value.value) if isinstance(value.value, (int, str)) else value.name
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {as_key(key): as_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if attrs.has(type(value)):
        return {field.alias: as_json(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return str(value)


def as_key(key: Any) -> str:
    """A key as JSON writes it."""
    written = as_json(key)
    return written if isinstance(written, str) else json.dumps(written)


@settings(max_examples=400, deadline=None)
@given(value=json_values)
def test_what_is_taken_can_be_written(value: Any) -> None:
    """What coercion takes, the schema accepts in the form that JSON has for what it was taken as."""
    for annotation in JUDGED:
        if refusal(annotation, value):
            continue
        assert accepted(annotation, as_json(coerced(value, annotation, where="f", name="x"))), annotation


wholes = st.builds(
    Whole,
    moment=st.datetimes(timezones=st.just(UTC) | st.none()),
    place=st.text("abc/.", min_size=1).map(PurePosixPath).filter(lambda path: str(path) != "."),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    hour=st.times(),
)


@given(whole=wholes)
def test_every_value_has_an_accepted_form(whole: Whole) -> None:
    """A dataclass written as JSON, in the most natural way, is accepted and read back."""
    written = json.loads(json.dumps(as_json(whole), allow_nan=False))
    assert accepted(Whole, written)
    assert accepted(list[Whole], [written, written])


NATIVE: list[tuple[Any, list[Any]]] = [
    (bool, [True, False]),
    (int, [3, -3, 3.0, 10**400, 1e300]),
    (float, [1.5, 3, 1e300, 2**60, "inf", "-inf", "nan"]),
    (complex, [1, 1.5, "1+2j"]),
    (str, ["", "3", "日本"]),
    (bytes, ["", "aé"]),
    (None, [None]),
    (Decimal, [3, 0.1, "0.10", "1e30", "NaN"]),
    (datetime, ["2026-01-02T03:04:05", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05.5+01:00", "2026-01-02"]),
    (date, ["2026-01-02", "20260102"]),
    (time, ["03:04:05", "03:04Z"]),
    (timedelta, [90, 0.1, "90", "1:30:00", "2 days, 1:30:00", "PT1H30M", "-PT5S"]),
    (Path, ["a/b", "/", "~/x"]),
    (UUID, ["12345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"]),
    (re.Pattern, ["a+", ""]),
    (Color, ["red", "RED", "CRIMSON"]),
    (Level, [1, 2.0, "LOW"]),
    (Rights, [0, 1, 2.0, 3, "WRITE"]),
    (int | None, [3, None]),
    (list[int], [[], [1, 2.0]]),
    (set[float], [[], [1, 2.5]]),
    (set, [[1, "a", None]]),
    (tuple[int, ...], [[], [1]]),
    (dict[int, float], [{}, {"1": 1, "-2": 2.5}]),
    (dict[bool, int], [{"true": 1, "false": 0}]),
    (dict[Level, int], [{"LOW": 1}]),
    (Sequence, [[1], "ab"]),
    (Iterable[str], [["a"], {"a": 1}]),
    (Address, [{"street": "x"}, {"street": "x", "number": 2}]),
    (Pair, [{"left": 1}, [1], [1, "a"]]),
    (Movie, [{"title": "M"}, {"title": "M", "year": 1931}]),
    (Node, [{"value": 1, "children": [{"value": 2, "children": []}]}]),
    (Expression, [{"left": 1, "right": {"left": 2, "right": 3}}]),
    (Tree, [{"name": "a", "at": "2026-01-02T03:04:05"}, {"name": "a", "more": 1}]),
    (Plain, [3, {}, None]),
    (Anycase, ["one", "ONE", "One"]),
]


@pytest.mark.parametrize(("annotation", "values"), NATIVE, ids=[name_of(row[0]) for row in NATIVE])
def test_native_forms_are_accepted(annotation: Any, values: list[Any]) -> None:
    """What JSON has for a type is accepted, in each of its forms."""
    assert [value for value in values if not accepted(annotation, value)] == []
    assert annotation is Plain or [value for value in values if not taken(annotation, value)] == []


STRICTER: list[tuple[Any, list[Any]]] = [
    (Rights, [-1]),
    (Tree, [{"name": "a", "at": 0}]),
]


@pytest.mark.parametrize(("annotation", "values"), STRICTER, ids=[name_of(row[0]) for row in STRICTER])
def test_where_schemas_are_stricter(annotation: Any, values: list[Any]) -> None:
    """These are taken and not accepted."""
    assert [value for value in values if accepted(annotation, value)] == []
    assert [value for value in values if not taken(annotation, value)] == []


OTHERWISE: list[tuple[Any, list[Any], list[Any]]] = [
    (bool, [1, 0, "true", "False"], ["no", 2, "1", 1.0]),
    (int, ["3", "-3"], ["3.0", "", " 3", True]),
    (float, ["1.5", "3", "Infinity"], ["1,5", True]),
    (list[int], [["3"]], ["3"]),
    (int | date, ["3"], ["soon"]),
    (dict[str, bool], [{"a": 1}], [{"a": "yes"}]),
    (Address, [{"street": "x", "number": "2"}], [{"street": "x", "number": "two"}]),
]


@pytest.mark.parametrize(("annotation", "fitting", "others"), OTHERWISE, ids=[name_of(row[0]) for row in OTHERWISE])
def test_numbers_and_truths_may_be_written_otherwise(annotation: Any, fitting: list[Any], others: list[Any]) -> None:
    """Where a run is made they may be written as where the flow is called."""
    assert [value for value in fitting if not (accepted(annotation, value) and taken(annotation, value))] == []
    assert [value for value in others if accepted(annotation, value) or taken(annotation, value)] == []


given_parameters = st.dictionaries(st.sampled_from("first second rest third fourth extra more".split()), json_values, max_size=7)


@settings(max_examples=300)
@given(parameters=given_parameters)
def test_accepted_parameters_make_a_call(parameters: dict[str, Any]) -> None:
    """Parameters that are accepted fill the signature and are taken, so that the flow can be called."""
    signature = Signature.of(everything)
    try:
        checked_parameters("f", parameter_schema(signature), parameters)
    except HeadraceError:
        return
    signature.call_arguments(signature.validated("f", signature.filled("f", parameters)))


@pytest.mark.parametrize("annotation", [*EVERY, *ODD], ids=[name_of(each) for each in [*EVERY, *ODD]])
def test_every_schema_is_one(annotation: Any) -> None:
    """Every schema is JSON, a schema by the standard, refers only to what is in it, and asks for formats that are known."""
    schema = schema_of(annotation)
    text = json.dumps(schema, allow_nan=False)
    Draft202012Validator.check_schema(json.loads(text))
    assert set(re.findall(r'"format": "(.+?)"', text)) <= FORMATS.keys() | {"uri"}
    for reference in re.findall(r'"\$ref": "#/(.+?)"', text):
        found = schema
        for step in reference.split("/"):
            found = found[step]


@given(name=st.sampled_from(sorted(FORMATS)), value=scalars | likely_texts | likely_numbers | st.lists(scalars))
def test_formats_answer(name: str, value: Any) -> None:
    """A format judges texts and numbers as coercion does, and nothing else."""
    is_judged = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    assert fits(name, value) == (not is_judged or taken(FORMATS[name], value))
