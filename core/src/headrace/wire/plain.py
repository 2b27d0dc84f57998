"""Values ⇄ plain data.

Two converters: what programs wrote is read leniently (unknown fields are ignored, so that old and new understand each other), what people
type is read strictly. Moments are ISO 8601 text in UTC. The live `data` of a state never leaves the process.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cattrs import Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from headrace.errors import WrongData
from headrace.model.states import State

T = TypeVar("T")

_MOST_MOMENTS = 1000
_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def moment_text(moment: datetime) -> str:
    """A moment in UTC, in ISO 8601."""
    return _utc_text(moment.astimezone(UTC))


@lru_cache(_MOST_MOMENTS)
def _utc_text(moment: datetime) -> str:
    """The same few moments stand in all that is written at once. Only in UTC are those equal that have the same text."""
    return moment.isoformat()


def _moment(text: Any, _: object) -> datetime:
    if isinstance(text, datetime):
        return text
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def made_converter(*, strict: bool = False, compact: bool = False, detailed: bool = False) -> Converter:
    """A converter of our values: `strict` refuses unknown fields, `compact` leaves out what is as by default, `detailed` names each fault's place."""
    converter = Converter(forbid_extra_keys=strict, omit_if_default=compact, detailed_validation=detailed)
    converter.register_unstructure_hook(datetime, moment_text)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(StrEnum, str)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda text, _: Path(text))
    hidden = override(omit=True)
    converter.register_unstructure_hook(State, make_dict_unstructure_fn(State, converter, _cattrs_omit_if_default=compact, data=hidden))
    converter.register_structure_hook(State, structured_state(converter, strict=strict))
    return converter


def structured_state(converter: Converter, *, strict: bool) -> Callable[[Any, Any], State]:
    """How a state is read with what a converter knows of its fields by now."""
    return make_dict_structure_fn(State, converter, _cattrs_forbid_extra_keys=strict, data=override(omit=True))


@cache
def _lenient() -> Converter:
    return made_converter()


@cache
def _strict() -> Converter:
    return made_converter(strict=True, detailed=True)


@cache
def _compact() -> Converter:
    return made_converter(compact=True)


def to_plain(value: Any) -> Any:
    """A value (or a list of them) as plain data, whole."""
    return _lenient().unstructure(value)


def to_text(value: Any) -> str:
    """A value as compact JSON text, without fields that are as by default: the form that is stored."""
    return _encoded(_compact().unstructure(value))


def to_texts(value: Any, part: str) -> tuple[str, str]:
    """A value, and what it has in a field, each as `to_text` has it."""
    plain = _compact().unstructure(value)
    return _encoded(plain), _encoded(plain[part])


def to_key(value: Any) -> str:
    """A value as JSON text that equal values share, to be found by."""
    return json.dumps(to_plain(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def from_plain(kind: type[T], data: Any) -> T:
    """Plain data that a program wrote, as a value; unknown fields are ignored. Raises WrongData."""
    try:
        return _lenient().structure(data, kind)
    except Exception as error:
        raise WrongData(where=kind.__name__, why=f"{type(error).__name__}: {error}") from error


def from_text(kind: type[T], text: str | bytes) -> T:
    """The stored form, as a value. Raises WrongData."""
    return from_plain(kind, json.loads(text))


def from_typed(kind: type[T], data: Any, *, where: str) -> T:
    """What a person typed, as a value; an unknown field is refused. Raises WrongData, naming each fault and its place."""
    try:
        return _strict().structure(data, kind)
    except Exception as error:
        raise WrongData(where=where, why="; ".join(transform_error(error))) from error
