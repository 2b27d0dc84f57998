"""The application: every operation over HTTP, problems for whatever goes wrong, and what plugins add."""

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import urllib3

import headrace.instance
from headrace.hooks import hookimpl
from headrace.hooks.registry import Registry, discovered, inline
from headrace.instance import Instance
from headrace.ports.client import Kind, OpenClient, Scope, operations
from headrace.settings import load
from headrace.wire.endpoints import endpoints
from headrace.wire.plain import from_plain, to_plain
from headrace_server.doors import Asker
from headrace_server.serving import Address, served

Ask = Callable[..., Any]
STATE = {"type": "SCHEDULED"}
RUN = {"id": "a", "name": "n", "state": STATE, "created": "2026-01-01T00:00:00Z", "flow_name": "f", "root_id": "a"}
QUERY = "/flow-runs/query"


def test_every_operation_is_served(ask: Ask) -> None:
    """No path of the table is unknown, and none refuses its own method."""
    for endpoint in endpoints(OpenClient).values():
        if endpoint.operation.kind is not Kind.STREAM:
            answer = ask(endpoint.operation.method, endpoint.path.replace("{", "").replace("}", ""), raw=b"")
            assert answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY), endpoint.operation.name
            assert answer.status == HTTPStatus.OK or "error" in answer.data, endpoint.operation.name


def test_answers_are_those_of_the_client(ask: Ask, house: Instance) -> None:
    """What is answered is what the client in process answers, value by value."""
    made = ask("POST", "/flow-runs", {"run": RUN}).data["result"]
    assert made == to_plain(house.client.read_flow_run("a"))
    endpoint = endpoints(OpenClient)["read_flow_run"]
    assert endpoint.result_of(ask("GET", "/flow-runs/a").data) == house.client.read_flow_run("a")


def test_what_is_not_known_is_named(ask: Ask) -> None:
    """Fields that are not known are ignored, and named in the answer, wherever they stand."""
    run = {**RUN, "colour": "red", "state": {**STATE, "mood": "fine"}}
    answer = ask("POST", "/flow-runs", {"run": run, "urgent": True})
    assert answer.status == HTTPStatus.OK
    names = [sentence.partition(" ")[0] for sentence in answer.data["warnings"]]
    assert sorted(names) == ["run.colour", "run.state.mood", "urgent"]
    assert ask("GET", "/flow-runs/a/news?shade=1").data["warnings"] == ["shade is not known here and was ignored"]
    assert "warnings" not in ask("GET", "/flow-runs/a/news").data


@pytest.mark.parametrize("name", ["a/b", "a b", "ü", "%2F", "a?b#c", "..", "a/../b", "x\ny", "query", "+"])
def test_paths_hold_anything(ask: Ask, name: str) -> None:
    """Whatever stands quoted in a path is read as it was meant, a slash or a line end too."""
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert ask("PUT", f"/concurrency-limits/{quoted}", {"limit": 3}).status == HTTPStatus.OK
    assert [limit["tag"] for limit in ask("GET", "/concurrency-limits").data["result"]] == [name]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "Expecting property name"),
        (b'{"a":NaN}', "NaN is no number"),
        (b'{"a":-Infinity}', "-Infinity is no number"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "too long"),
        (b'{"a":"\\ud800"}', "lone surrogate"),
        (b'{"a":"\xff"}', "utf-8"),
        (b"[" * 200 + b"]" * 200, "nested deeper"),
        (b'{"a":' * 150_000, "nested deeper"),
    ],
)
def test_what_is_no_json(ask: Ask, raw: bytes, says: str) -> None:
    """What cannot be read or kept is refused with the reason, and is nobody's bug."""
    answer = ask("POST", QUERY, raw=raw, headers={"Content-Type": "application/json"})
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert says in answer.data["detail"]


def test_nested_as_deep_as_may_be(ask: Ask) -> None:
    """Depth within the bound is taken."""
    deep: Any = 1
    for _ in range(90):
        deep = [deep]
    assert ask("POST", "/flow-runs", {"run": {**RUN, "parameters": {"deep": deep}}}).status == HTTPStatus.OK


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"])
def test_other_kinds_of_body(ask: Ask, kind: str) -> None:
    """A body that is not said to be JSON is refused: a form of a page cannot ask anything."""
    assert ask("POST", QUERY, raw=b"{}", headers={"Content-Type": kind}).status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_large_bodies(ask: Ask) -> None:
    """A large body is read; one that is too large is refused."""
    assert ask("POST", QUERY, {"wanted": {"names": ["x" * 100] * 10_000}}).status == HTTPStatus.OK
    answer = ask("POST", QUERY, raw=b" " * ((16 << 20) + 1), headers={"Content-Type": "application/json"})
    assert answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/nothing", HTTPStatus.NOT_FOUND, "there is nothing at /api/nothing"),
        ("GET", "/flow-runs/", HTTPStatus.NOT_FOUND, "/api/openapi.json"),
        ("GET", "//nothing", HTTPStatus.NOT_FOUND, "there is nothing at /"),
        ("PATCH", "/flow-runs/a", HTTPStatus.METHOD_NOT_ALLOWED, "takes DELETE, GET, HEAD, not PATCH"),
        ("GET", "/flow-runs/%FF", HTTPStatus.BAD_REQUEST, "run_id in the path is no UTF-8"),
        ("GET", "/flow-runs/a/news?after=%FF", HTTPStatus.BAD_REQUEST, "the query cannot be read"),
        ("GET", "/flow-runs/a/news?after=x", HTTPStatus.UNPROCESSABLE_ENTITY, "after: it must be a whole number"),
        ("GET", "/flow-runs/a/news?after=9223372036854775808", HTTPStatus.UNPROCESSABLE_ENTITY, "whole number of 64 bits"),
        ("GET", "/flow-runs/a", HTTPStatus.NOT_FOUND, "no flow run 'a'"),
    ],
)
def test_problems(ask: Ask, method: str, path: str, status: HTTPStatus, says: str) -> None:
    """Whatever is wrong is told as a problem that says what is there."""
    answer = ask(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= answer.data.keys()
    assert says in answer.data["detail"]


def test_methods_that_are_taken(ask: Ask) -> None:
    """A refusal of a method names those that are taken, of all operations of the path."""
    assert ask("PUT", "/flow-runs/a").headers["allow"] == "DELETE, GET, HEAD"


def test_a_bug_is_told_by_a_number(house: Instance, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is a problem with a number, under which the log has all of it, and says nothing of the inside."""
    monkeypatch.setattr(type(house.client), "read_agents", lambda client: {}["the secret"])
    with caplog.at_level(logging.ERROR, "headrace.server"):
        answer = ask("GET", "/agents")
    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "the secret" not in json.dumps(answer.data)
    [record] = caplog.records
    assert answer.data["id"] in record.getMessage()
    assert record.exc_info is not None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]", "[", "localhost.", "1.2.3.4"])
def test_other_names_are_refused(ask: Ask, host: str) -> None:
    """A server on loopback answers to its own names alone: a page whose name was made to point here gets nothing."""
    assert ask("GET", "/agents", headers={"Host": host}).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4200", "127.0.0.1:1", "[::1]:4200"])
def test_own_names_are_taken(ask: Ask, host: str) -> None:
    """Any port goes with its names: there may be a tunnel between."""
    assert ask("GET", "/agents", headers={"Host": host}).status == HTTPStatus.OK


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example", "http://[", "file://"])
def test_pages_of_others_are_refused(ask: Ask, origin: str) -> None:
    """A request that a page of another address sends is refused."""
    assert ask("POST", QUERY, {}, headers={"Origin": origin}).status == HTTPStatus.FORBIDDEN


def test_pages_of_its_own_are_taken(ask: Ask) -> None:
    """A page that the server itself gave may ask it."""
    assert ask("POST", QUERY, {}, headers={"Origin": "http://localhost:4200", "Host": "localhost:4200"}).status == HTTPStatus.OK


def test_names_that_are_allowed(house: Instance) -> None:
    """What a server is told that it is called, it answers to."""
    with served(house, Address(names=("flows.example",))) as address, urllib3.PoolManager() as pool:
        assert pool.request("GET", f"{address}/agents", headers={"Host": "flows.example"}).status == HTTPStatus.OK
        assert pool.request("GET", f"{address}/agents", headers={"Host": "other.example"}).status == HTTPStatus.FORBIDDEN


def test_what_it_can_do(ask: Ask) -> None:
    """It tells its version, its operations and the kinds of queue matcher, so that others know what is missing."""
    found = ask("GET", "/capabilities").data["result"]
    assert found["version"] == headrace.__version__
    assert set(operations()) < set(found["operations"])
    assert "tags" in found["queue_matchers"] or "flows" in found["queue_matchers"]
    assert ask("GET", "/server").data["result"]["run_store"] == "memory"
    assert ask("GET", "//health").data == {"result": "ok"}


def test_numbers_that_json_has_not(ask: Ask, house: Instance) -> None:
    """What a flow in this process was given is answered in JSON that every reader takes."""
    from headrace.model.runs import FlowRun

    run = from_plain(FlowRun, {**RUN, "parameters": {"x": [float("nan"), float("inf")], "y": 1e308}})
    house.client.create_flow_run(run)
    assert ask("GET", "/flow-runs/a").data["result"]["parameters"] == {"x": ["nan", "inf"], "y": 1e308}


# Plugins


class Acme:
    """A plugin that knows who asks by a header, and has a page."""

    @hookimpl(optionalhook=True)
    def headrace_authenticate(self, request: Any) -> Asker | None:
        name = request.headers.get("x-acme")
        if name == "broken":
            raise KeyError(name)
        return Asker(name=name, scope=Scope.VIEWER) if name else None

    @hookimpl(optionalhook=True)
    def headrace_routes(self, client: OpenClient) -> Any:
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        return [
            Route(
                "/acme/{name}",
                lambda request: PlainTextResponse(f"{request.path_params['name']} {client.read_last_event()}"),
                methods=["GET", "POST"],
            )
        ]


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    """A server with that plugin."""
    settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
    registry = Registry([*discovered(), inline(Acme())])
    with headrace.instance.open(settings, registry=registry) as house, served(house) as address, urllib3.PoolManager(retries=False) as pool:
        yield lambda method, path, **headers: pool.request(method, address.removesuffix("/api") + path, headers=headers)


def test_plugins_say_who_asks(acme: Ask) -> None:
    """A plugin may know who asks, and with which scope; if it fails, nobody gets in by it."""
    assert acme("GET", "/api/agents", **{"X-Acme": "ann"}).status == HTTPStatus.OK
    refused = acme("DELETE", "/api/flow-runs/a", **{"X-Acme": "ann"})
    assert refused.status == HTTPStatus.FORBIDDEN
    assert "ann may not ask for delete_flow_run: it takes the scope operator, not viewer" in refused.json()["detail"]
    assert acme("GET", "/api/agents", **{"X-Acme": "broken"}).status == HTTPStatus.UNAUTHORIZED


def test_plugins_bring_routes(acme: Ask) -> None:
    """A plugin's page is served behind the same doors."""
    assert acme("GET", "/acme/a%20b").data == b"a b 0"
    assert acme("GET", "/acme/a", Host="evil.example").status == HTTPStatus.FORBIDDEN
    assert acme("POST", "/acme/a", **{"X-Acme": "ann"}).status == HTTPStatus.FORBIDDEN
    assert acme("POST", "/acme/a").status == HTTPStatus.OK
    assert acme("PUT", "/acme/a").status == HTTPStatus.METHOD_NOT_ALLOWED
