"""The document of the API in OpenAPI 3.1, made of the operations, their signatures and their docstrings; nothing of it is written twice."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_type_hints

import attrs

import headrace
from headrace import errors
from headrace.errors import HeadraceError
from headrace.ports.client import Kind, OpenClient, Operation
from headrace.wire.endpoints import Endpoint, endpoints
from headrace.wire.plain import from_plain, to_plain
from headrace.wire.problems import MEDIA_TYPE, status_of
from headrace_server import files
from headrace_server.bounds import MOST_AT_ONCE, is_bounded
from headrace_server.own import Own
from headrace_server.value_schemas import Schema, Schemas, example_of

VERSION = "3.1.0"
JSON = "application/json"
EVENTS = "text/event-stream"
TOKEN = "token"

_INTRODUCTION = (
    "Everything that commands, agents and flow runs ask of an orchestration. Arguments stand in the path and in a JSON object, or, with GET and DELETE, in "
    'the query, one with fields as JSON. An answer is `{"result": ...}`; fields that were sent and are not known are ignored and named in its '
    "`warnings`. What went wrong is told as a problem (RFC 9457), whose `detail` says what to do. Operations that say of themselves that they are moves "
    "may be asked again with the same id, and give the first answer."
)
_ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_SENTENCES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "It could not be read: no JSON, no UTF-8, or a number or a depth that nothing can hold.",
    HTTPStatus.UNAUTHORIZED: "It is not known who asks: a token is missing, or is not one of this server.",
    HTTPStatus.FORBIDDEN: "Who asks may not: the scope is too small, or the request comes from a page of another address.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A bug; the server's log tells more under the problem's `id`.",
    HTTPStatus.SERVICE_UNAVAILABLE: "It may pass: the store is away or busy. Ask again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not said to be JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "What was asked for cannot be: a field is missing or of a wrong type, or what it says contradicts what is there.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in (*endpoints(OpenClient).values(), *endpoints(Own).values()):
        paths.setdefault(endpoint.path, {})[endpoint.operation.method.lower()] = _operation(endpoint, schemas)
    for operation, told in _files():
        paths.setdefault(operation.path, {})[operation.method.lower()] = {**_head(operation, "files"), **told}
    schemas.components["Problem"] = _problem_schema()
    schemas.components["Page"]["properties"]["limit"]["maximum"] = MOST_AT_ONCE
    return {
        "openapi": VERSION,
        "info": {
            "title": "headrace",
            "version": headrace.__version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api"}],
        "security": [{TOKEN: []}, {}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": {_name(status): _refusal(status) for status in _SENTENCES},
            "securitySchemes": {
                TOKEN: {"type": "http", "scheme": "bearer", "description": "Loopback needs none as long as the server has no token."}
            },
        },
    }


def _operation(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    told = {**_head(endpoint.operation, endpoint.path.split("/")[1]), **_words(endpoint.meaning)}
    if parameters := [*_in_path(endpoint), *_in_query(endpoint, schemas)]:
        told["parameters"] = parameters
    if not endpoint.is_asked_in_query and endpoint.outside_path:
        told["requestBody"] = _body(endpoint, schemas)
    told["responses"] = {"200": _answer(endpoint, schemas), **_problems(endpoint, schemas)}
    return told


def _head(operation: Operation, tag: str) -> dict[str, Any]:
    return {
        "operationId": operation.name,
        "tags": [tag],
        "x-headrace-scope": operation.scope.value,
        "x-headrace-kind": operation.kind.value,
    }


def _words(meaning: str) -> dict[str, str]:
    """The first sentence, and all of them."""
    text = " ".join(meaning.split())
    first = re.split(r"(?<=[.;:]) ", text, maxsplit=1)[0].rstrip(".;:")
    return {"summary": first, "description": text}


# What is sent


def _in_path(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for place in endpoint.places:
        schema = {"type": "string", "minLength": 1}
        yield {"name": place.name, "in": "path", "required": True, "schema": schema, "example": example_of(str, place.name)}


def _in_query(endpoint: Endpoint, schemas: Schemas) -> Iterator[dict[str, Any]]:
    if endpoint.is_asked_in_query:
        for name, kind in endpoint.outside_path.items():
            is_required = name not in endpoint.defaults
            default = {} if is_required else {"default": to_plain(endpoint.defaults[name])}
            told = {"schema": {**schemas.of(kind), **_bound(endpoint, name), **default}, "example": example_of(kind, name)}
            yield {"name": name, "in": "query", "required": is_required, **({"content": {JSON: told}} if attrs.has(kind) else told)}


def _body(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    required = [name for name in endpoint.outside_path if name not in endpoint.defaults]
    schema = {
        "type": "object",
        "properties": {name: _argument(endpoint, name, kind, schemas) for name, kind in endpoint.outside_path.items()},
        **({"required": required} if required else {}),
    }
    return {"required": bool(required), "content": {JSON: {"schema": schema, "example": example_body(endpoint)}}}


def _argument(endpoint: Endpoint, name: str, kind: Any, schemas: Schemas) -> Schema:
    fields = frozenset(place.field for place in endpoint.places if place.argument == name)
    schema = schemas.without(kind, fields) if fields else {**schemas.of(kind), **_bound(endpoint, name)}
    has_default = name in endpoint.defaults and "$ref" not in schema
    return {**schema, "default": to_plain(endpoint.defaults[name])} if has_default else schema


def _bound(endpoint: Endpoint, name: str) -> Schema:
    return {"maximum": MOST_AT_ONCE} if is_bounded(endpoint.operation, name) else {}


def example_body(endpoint: Endpoint) -> dict[str, Any]:
    """A body that is taken, with what it must have."""
    body = {name: example_of(kind, name) for name, kind in endpoint.outside_path.items() if name not in endpoint.defaults}
    for place in endpoint.places:
        if place.field:
            body[place.argument].pop(place.field)
    return body


# What is answered


def _answer(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    if endpoint.operation.kind is Kind.STREAM:
        (item,) = endpoint.result.__args__
        schemas.of(item)
        sentence = f"Server-sent events named `news`; the data of each is one {item.__name__}, and its id the cursor after it, for `Last-Event-ID`."
        return {"description": sentence, "content": {EVENTS: {"schema": {"type": "string"}}}}
    warnings = {"type": "array", "items": {"type": "string"}, "description": "What was sent and is not known here."}
    schema = {"type": "object", "properties": {"result": schemas.of(endpoint.result), "warnings": warnings}, "required": ["result"]}
    return {"description": "The answer.", "content": {JSON: {"schema": schema, "example": {"result": _example_result(endpoint.result)}}}}


def _example_result(kind: Any) -> Any:
    """As it is answered: with every field."""
    plain = example_of(kind, "result")
    return plain if kind in (None, type(None)) else to_plain(from_plain(kind, plain))


def _problems(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    """By status: the refusals of every operation, and the errors that its docstring names."""
    has_body = not endpoint.is_asked_in_query and bool(endpoint.outside_path)
    found = {str(int(status)): _reference(status) for status in (*_ALWAYS, *(_WITH_BODY if has_body else ()))}
    found[str(int(HTTPStatus.UNPROCESSABLE_ENTITY))] = _reference(HTTPStatus.UNPROCESSABLE_ENTITY)
    by_status: dict[HTTPStatus, list[type[HeadraceError]]] = {}
    for kind in raised_by(endpoint.meaning):
        by_status.setdefault(status_of(kind), []).append(kind)
    for status, kinds in by_status.items():
        found[str(int(status))] = _raised(status, kinds, schemas)
    return dict(sorted(found.items()))


def raised_by(meaning: str) -> Iterator[type[HeadraceError]]:
    """The errors that a docstring says are raised."""
    for name in dict.fromkeys(re.findall(r"\w+", " ".join(re.findall(r"Raises ([^.]*)\.", meaning)))):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, HeadraceError):
            yield kind


def _raised(status: HTTPStatus, kinds: Iterable[type[HeadraceError]], schemas: Schemas) -> dict[str, Any]:
    references = [_error_schema(kind, schemas) for kind in kinds]
    sentences = [f"{kind.__name__}: {kind.__doc__}" for kind in kinds]
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        references.append({"$ref": "#/components/schemas/Problem"})
        sentences.insert(0, _SENTENCES[status])
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {"description": " ".join(sentences), "content": {MEDIA_TYPE: {"schema": schema}}}


def _error_schema(kind: type[HeadraceError], schemas: Schemas) -> Schema:
    types = get_type_hints(kind)
    fields = {field: schemas.of(types[field]) for field in field_names(kind)}
    own = {"error": {"const": kind.__name__}, "fields": {"type": "object", "properties": fields, "required": list(fields)}}
    whole = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "object", "properties": own, "required": ["error", "fields"]}]}
    schemas.components[kind.__name__] = {**whole, "description": kind.__doc__}
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def described(name: str) -> dict[str, Any] | None:
    """What a kind of problem is, by its name; None for one that is none."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, HeadraceError)):
        return None
    status = status_of(kind)
    sentence = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    return {"error": name, "status": int(status), "title": status.phrase, "sentence": sentence, "fields": field_names(kind)}


def field_names(kind: type[HeadraceError]) -> list[str]:
    """What the sentence of an error is made of."""
    return [field.name for field in attrs.fields(kind)]


def _problem_schema() -> Schema:
    texts = {name: {"type": "string"} for name in ("type", "title", "detail", "error", "id")}
    return {
        "type": "object",
        "description": "What went wrong (RFC 9457). `detail` is the sentence; `error` names its kind, and `fields` what the sentence is made of.",
        "properties": {**texts, "status": {"type": "integer"}, "fields": {"type": "object"}},
        "required": ["type", "title", "status", "detail"],
    }


def _refusal(status: HTTPStatus) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    example = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": _SENTENCES[status]}
    return {"description": _SENTENCES[status], "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


def _name(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "")


def _reference(status: HTTPStatus) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{_name(status)}"}


# Files


def _files() -> Iterator[tuple[Operation, dict[str, Any]]]:
    """The storage of the server, whose bodies are bytes."""
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, "example": "results/a"}
    content: dict[str, Any] = {files.BYTES: {"schema": {}}}
    refusals = {str(int(status)): _reference(status) for status in _ALWAYS}
    not_there = {
        "404": {
            "description": "Nothing is stored under the key.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    wrong = {"422": _reference(HTTPStatus.UNPROCESSABLE_ENTITY)}
    full = {
        "507": {
            "description": "The server's storage is full.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    query = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string", "default": ""}, "example": ""}
        for name in ("prefix", "after")
    ]
    written = {"type": "object", "properties": {"size": {"type": "integer"}, "sha256": {"type": "string"}}, "required": ["size", "sha256"]}
    yield (
        files.WRITE,
        {
            **_words("Keeps the body under a key, whole or not at all; its size and sha256."),
            "parameters": [key],
            "requestBody": {"required": True, "content": content},
            "responses": {"200": _result(written), **wrong, **full, **refusals},
        },
    )
    yield (
        files.READ,
        {
            **_words("What is stored under a key. Raises NotStored."),
            "parameters": [key],
            "responses": {"200": {"description": "The bytes.", "content": content}, **not_there, **wrong, **refusals},
        },
    )
    yield (
        files.DELETE,
        {
            **_words("Forgets a key; one that is not there is no error."),
            "parameters": [key],
            "responses": {"200": _result({"type": "null"}), **wrong, **refusals},
        },
    )
    yield (
        files.LIST,
        {
            **_words("Keys that start with a prefix, in order, a page of them beyond `after`."),
            "parameters": query,
            "responses": {"200": _result({"type": "array", "items": {"type": "string"}}), **wrong, **refusals},
        },
    )


def _result(schema: Schema) -> dict[str, Any]:
    return {
        "description": "The answer.",
        "content": {JSON: {"schema": {"type": "object", "properties": {"result": schema}, "required": ["result"]}}},
    }
