"""Records: classes made of named fields, whichever library made them: dataclasses, attrs classes, NamedTuples, TypedDicts."""

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NotRequired, Required, get_args, get_origin

import attrs

from headrace.model.annotations import class_annotations, names_around, resolved


class Field(NamedTuple):
    """One field: what its annotation says it takes, and whether it must be given."""

    annotation: Any
    required: bool


def is_typed_dict(kind: type) -> bool:
    """Whether the class is a TypedDict, of typing or of typing_extensions, which typing does not know."""
    return hasattr(kind, "__required_keys__") and hasattr(kind, "__total__")


def is_record(kind: type) -> bool:
    """Whether the class is made of named fields."""
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return is_typed_dict(kind) or hasattr(kind, "__dataclass_fields__") or attrs.has(kind) or named_tuple


def record_fields(kind: type) -> Mapping[str, Field]:
    """What one writes to make the record, by the name it is given under; what has a converter of its own takes anything."""
    return _analysed(kind)


@lru_cache(maxsize=512)
def _analysed(kind: type[Any]) -> Mapping[str, Field]:
    annotations = class_annotations(kind)
    if is_typed_dict(kind):
        return {name: Field(annotation, _must_be_given(kind, name, annotation)) for name, annotation in annotations.items()}
    if attrs.has(kind):
        for field in attrs.fields(kind):
            annotated = annotations.get(field.name, field.type or Any)
            annotations[field.alias or field.name] = annotated if field.converter is None else Any
    names = names_around(kind)
    return {
        each.name: Field(_unwrapped(annotations.get(each.name, resolved(each.annotation, *names))), each.default is each.empty)
        for each in inspect.signature(kind).parameters.values()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }


def field_annotation(record: Any, field: Field) -> Any:
    """The field's annotation, with the type arguments of a generic record filled in: `T` in `Box[int]` is int."""
    bound = dict(zip(getattr(get_origin(record), "__parameters__", ()), get_args(record), strict=False))
    if not bound:
        return field.annotation
    inner = getattr(field.annotation, "__parameters__", ()) if get_origin(field.annotation) else ()
    if inner:
        return field.annotation[tuple(bound.get(each, each) for each in inner)]
    return next((value for name, value in bound.items() if name is field.annotation), field.annotation)


def _must_be_given(kind: Any, name: str, annotation: Any) -> bool:
    if get_origin(annotation) in (Required, NotRequired):  # where annotations are text, Python itself overlooks these
        return get_origin(annotation) is Required
    return name in kind.__required_keys__


def _unwrapped(annotation: Any) -> Any:
    """The type inside a dataclass's InitVar."""
    return annotation.type if type(annotation).__name__ == "InitVar" else annotation
