"""The document of the API says what the API does: it is valid, its examples are taken, and whatever it allows or forbids is answered so."""

import json
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import attrs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode

from headrace import errors
from headrace.errors import HeadraceError
from headrace.ports.client import Kind, OpenClient
from headrace.wire.endpoints import Endpoint, endpoints
from headrace.wire.problems import status_of
from headrace_server.openapi import document, example_body, raised_by
from headrace_server.own import Own

ENDPOINTS = [*endpoints(OpenClient).values(), *endpoints(Own).values()]
ASKED = [each for each in ENDPOINTS if each.operation.kind in (Kind.ASK, Kind.MOVE)]
EXAMPLES = 12

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.operation.name)


def test_the_document_is_valid(ask: Callable[..., Any]) -> None:
    """It is a document of OpenAPI 3.1, served as it is made."""
    found = ask("GET", "/openapi.json")
    OpenAPIV31SpecValidator(found.data).validate()
    assert found.data == document()


@each_endpoint
def test_every_operation_is_there(endpoint: Endpoint) -> None:
    """Each is told with its scope, its errors by their statuses, and words."""
    told = document()["paths"][endpoint.path][endpoint.operation.method.lower()]
    assert told["operationId"] == endpoint.operation.name
    assert told["x-headrace-scope"] == endpoint.operation.scope
    assert told["summary"]
    assert {str(int(status_of(kind))) for kind in raised_by(endpoint.meaning)} <= told["responses"].keys()
    assert ("404" in told["responses"]) == ("NotFound" in endpoint.meaning)


def _example(parameter: dict[str, Any]) -> str:
    """As it stands in a query."""
    content = parameter.get("content")
    return str(parameter["example"]) if content is None else json.dumps(content["application/json"]["example"])


@each_endpoint
def test_examples_are_taken(endpoint: Endpoint) -> None:
    """The example of a call is one that can be read, with nothing in it that is not known."""
    in_path = {place.name: "a" for place in endpoint.places}
    told = document()["paths"][endpoint.path][endpoint.operation.method.lower()]
    query = {each["name"]: _example(each) for each in told.get("parameters", []) if each["in"] == "query"}
    body = {} if endpoint.is_asked_in_query else example_body(endpoint)
    _, unknown = endpoint.arguments_of(in_path, query, body)
    assert unknown == []


def refused_as_misread(response: Any) -> bool:
    """Whether what was sent was found to be of another shape than it must be."""
    return response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and response.json().get("fields", {}).get("where") == "what was sent"


def play(address: str, mode: GenerationMode, check: Callable[[Any, Any], None]) -> None:
    """Sends what the document allows, or what it forbids, to every operation, and checks each answer."""
    schema = schemathesis.openapi.from_dict(document())
    for endpoint in ASKED:
        operation = schema.find_operation_by_id(endpoint.operation.name)
        strategy = operation.as_strategy(generation_mode=mode)

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=strategy)
        def answered(case: Any) -> None:
            response = case.call(base_url=address)
            assert response.status_code < 500, f"{case.as_curl_command()}\n{response.text}"
            check(case, response)

        with suppress(Unsatisfiable):  # nothing can be sent that is forbidden
            answered()


def test_what_is_allowed_is_taken(address: str) -> None:
    """Whatever the document allows can be read, and every answer is one that the document knows."""

    def check(case: Any, response: Any) -> None:
        case.validate_response(response, excluded_checks=[schemathesis.checks.CHECKS.get_one("positive_data_acceptance")])
        assert not refused_as_misread(response), f"{case.as_curl_command()}\n{response.text}"

    play(address, GenerationMode.POSITIVE, check)


def test_what_is_forbidden_is_refused(address: str) -> None:
    """Whatever the document forbids is refused with a problem."""

    def check(case: Any, response: Any) -> None:
        case.validate_response(response)

    play(address, GenerationMode.NEGATIVE, check)


def test_every_problem_is_described(ask: Callable[..., Any]) -> None:
    """Each kind of error has a page: what it says, what that is made of, and its status. Others are no kinds of problem."""
    for kind in kinds_of_error():
        found = ask("GET", f"//problems/{kind.__name__}").data["result"]
        assert found["status"] == status_of(kind)
        assert set(found["fields"]) == {field.name for field in attrs.fields(kind)}
        assert all(f"{{{name}" in found["sentence"] for name in found["fields"])
    assert ask("GET", "//problems/nothing").status == HTTPStatus.NOT_FOUND
    assert ask("GET", "//problems/annotations").status == HTTPStatus.NOT_FOUND


def kinds_of_error() -> list[type[HeadraceError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeadraceError)]


def test_what_is_read_at_once_is_bounded(ask: Callable[..., Any]) -> None:
    """Nobody is given more than a thousand rows at once, by a page or by a number."""
    assert ask("POST", "/flow-runs/query", {"page": {"limit": 1000}}).status == HTTPStatus.OK
    for method, path, body in [
        ("POST", "/flow-runs/query", {"page": {"limit": 1001}}),
        ("GET", "/deployments/a/versions?limit=1001", None),
        ("POST", "/work-queues/a/due", {"until": "2026-01-01T00:00:00Z", "limit": 1001}),
    ]:
        answer = ask(method, path, body)
        assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "limit: it must not be greater than 1000" in answer.data["detail"]
    assert ask("PUT", "/concurrency-limits/a", {"limit": 5000}).status == HTTPStatus.OK
