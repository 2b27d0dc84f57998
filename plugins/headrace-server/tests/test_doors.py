"""Who is let in: what every route asks of everybody, and what a run may ask for."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
import urllib3

from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.model.tokens import Scope, Token, digest_of
from headrace.ports.client import OpenClient
from headrace.rules.facts import Retry
from headrace.testing.clock import START
from headrace.testing.conformance.client import flow_run, log_line, task_run
from headrace.wire.endpoints import Endpoint, endpoints
from headrace_server.app import App
from headrace_server.doors import Doors
from headrace_server.own import Own
from headrace_server.serving import Address, Serving, in_a_thread
from headrace_server.tokens import Tokens, written

Asking = Callable[..., Any]


@contextmanager
def asking(house: Instance, **address: Any) -> Iterator[Asking]:
    """Asks a server that needs a token; `token` is sent, if there is one."""
    with (
        in_a_thread(Serving(house, Address(needs_token=True, **address))) as serving,
        urllib3.PoolManager(retries=False, timeout=30) as pool,
    ):
        base = serving.url.removesuffix("/api")

        def ask(method: str, path: str, token: str = "", data: Any = None) -> Any:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return pool.request(method, base + path, headers=headers, **({} if data is None else {"json": data}))

        yield ask


def given(house: Instance, scope: Scope, **fields: Any) -> str:
    """A token, as somebody has it."""
    token = Token(id=house.ids.new(), name=scope, scope=scope, created=START, digest=digest_of("secret"))
    house.client.create_token(attrs.evolve(token, **fields))
    return written(token.id, "secret")


@pytest.fixture
def ask(house: Instance) -> Iterator[Asking]:
    with asking(house) as found:
        yield found


def routes(house: Instance) -> list[tuple[str, str, Scope]]:
    """Every route of the application, by its own list: method, path, and the scope that the table has for it."""
    app = App(house, Doors.of(house, "127.0.0.1"), Own.of(house, ()))
    app.close()
    scopes = {(each.operation.method, f"/api{each.path}"): each.operation.scope for port in (None, Own) for each in _of(port)}
    found = [(method, route.path, "/api") for rows in app._api._routes.values() for route in rows for method in route.methods]  # type: ignore[attr-defined]
    return [(method, base + path, scopes.get((method, base + path), Scope.VIEWER)) for method, path, base in found if method != "HEAD"]


def _of(port: type | None) -> Iterator[Endpoint]:
    yield from (endpoints() if port is None else endpoints(port)).values()


def test_every_route_asks_who_it_is(house: Instance, ask: Asking) -> None:
    """None answers without a token, and none to a token whose scope is too small; that is found out before anything else is."""
    viewer = given(house, Scope.VIEWER)
    found = routes(house)
    assert len(found) > 50
    for method, path, scope in found:
        place = re.sub(r"\{[^}]*\}", "x", path)
        refused = ask(method, place)
        assert (refused.status, refused.headers["www-authenticate"]) == (HTTPStatus.UNAUTHORIZED, "Bearer"), (method, path)
        if scope is not Scope.VIEWER:
            assert ask(method, place, viewer).status == HTTPStatus.FORBIDDEN, (method, path)
            assert f"it takes the scope {scope}, not viewer" in ask(method, place, viewer).json()["detail"]


def test_what_needs_no_token(ask: Asking) -> None:
    """Only that it is there, and what kinds of problem there are."""
    assert ask("GET", "/health").status == HTTPStatus.OK


@pytest.mark.parametrize("scope", [Scope.VIEWER, Scope.AGENT, Scope.OPERATOR, Scope.ADMIN])
def test_scopes_include_those_before_them(house: Instance, ask: Asking, scope: Scope) -> None:
    """Who may more may also less: to look, to take runs, to start and cancel them, to say who may."""
    token = given(house, scope)
    asked = {
        Scope.VIEWER: ("GET", "/api/agents", None),
        Scope.AGENT: ("POST", "/api/leases/lost", {}),
        Scope.OPERATOR: ("PUT", "/api/concurrency-limits/db", {"limit": 3}),
        Scope.ADMIN: ("GET", "/api/tokens", None),
    }
    for needed, (method, path, data) in asked.items():
        status = HTTPStatus.OK if scope.includes(needed) else HTTPStatus.FORBIDDEN
        assert ask(method, path, token, data).status == status, (scope, needed)


def test_tokens_that_are_none(house: Instance, ask: Asking, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong secret, a revoked token, an expired one, nonsense: refused alike, also where none is needed, and never told."""
    good = given(house, Scope.ADMIN)
    revoked = given(house, Scope.ADMIN)
    house.client.revoke_token(revoked.split("_")[1])
    expired = given(house, Scope.ADMIN, expires=START - timedelta(days=9000))
    wrong = [good[:-1] + "x", good + "x", revoked, expired, "hrt__", "hrt", "nonsense", "hrr_a_1_00", "hrr_a_x_", "hrr_", "x" * 5000]
    with in_a_thread(Serving(house, Address())) as serving, urllib3.PoolManager(retries=False) as pool:
        for token in wrong:
            assert ask("GET", "/api/agents", token).status == HTTPStatus.UNAUTHORIZED, token
            assert (
                pool.request("GET", f"{serving.url}/agents", headers={"Authorization": f"Bearer {token}"}).status == HTTPStatus.UNAUTHORIZED
            )
        assert pool.request("GET", f"{serving.url}/agents").status == HTTPStatus.OK
    assert ask("GET", "/api/agents", good).status == HTTPStatus.OK
    said = caplog.text + ask("GET", "/api/tokens", good).data.decode() + ask("GET", "/api/agents", wrong[0]).data.decode()
    assert not any(secret in said for secret in ("secret", digest_of("secret"), *wrong[:4]))


def test_secrets_do_not_show() -> None:
    """A token's digest and what is given to runs are in no text that a value is told by."""
    token = Token(id="a", name="n", scope=Scope.ADMIN, created=START, digest="0123")
    assert "0123" not in repr(token)


# Runs


@pytest.fixture
def claimed(house: Instance, ask: Asking) -> tuple[FlowRun, str]:
    """A run that an agent has taken over HTTP, with its token."""
    client = house.client
    client.put_deployments((Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START),))
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.request_run(RunRequest(id="run", deployment_id="d", name="run"))
    request = ClaimRequest(id="c", agent_id="a", queue_ids=("q",), limit=1)
    answer = ask("POST", "/api/claims", given(house, Scope.AGENT), {"request": attrs.asdict(request)}).json()["result"]
    return client.read_flow_run("run"), answer["tokens"]["run"]


class AsRun:
    """Asks with a run's token."""

    def __init__(self, ask: Asking, token: str) -> None:
        self._ask = ask
        self._token = token

    def __call__(self, operation: str, /, **arguments: Any) -> int:
        call = endpoints()[operation].call(arguments)
        path = f"/api{call.path}" + "".join(f"?{key}={value}" for key, value in call.query.items())
        return int(self._ask(call.method, path, self._token, call.body).status)


def move(run_id: str, epoch: int) -> Move:
    return Move(id=f"{run_id} {epoch}", run_id=run_id, state=State.running(), epoch=epoch)


def test_a_run_acts_for_itself(house: Instance, ask: Asking, claimed: tuple[FlowRun, str]) -> None:
    """It starts, renews, writes, makes subflows, and looks at whatever there is."""
    run, token = claimed
    as_run = AsRun(ask, token)
    inner = flow_run("inner", root_id="run", epoch=run.epoch)
    batch = JournalBatch(
        flow_run_id="run", epoch=run.epoch, task_runs=(task_run("t", flow_run_id="run"),), logs=(log_line("1", flow_run_id="run"),)
    )
    asked = [
        as_run("move_flow_run", move=move("run", run.epoch)),
        as_run("renew_lease", run_id="run", epoch=run.epoch),
        as_run("create_flow_run", run=inner),
        as_run("move_flow_run", move=move("inner", run.epoch)),
        as_run("write_journal", batch=batch),
        as_run("move_task_run", move=move("t", run.epoch), run=task_run("t", flow_run_id="run"), retry=Retry()),
        as_run("request_run", request=RunRequest(id="more", deployment_id="d", name="more")),
        as_run("read_flow_runs", wanted=FlowRunFilter(), page=Page()),
    ]
    assert asked == [HTTPStatus.OK] * len(asked)


def test_a_run_acts_for_no_other(house: Instance, ask: Asking, claimed: tuple[FlowRun, str]) -> None:
    """Nothing of another run is written, whatever is said of it; and what is for agents and people is not for runs."""
    run, token = claimed
    as_run, epoch = AsRun(ask, token), run.epoch
    house.client.create_flow_run(flow_run("other"), "somebody")
    mine = JournalBatch(flow_run_id="run", epoch=epoch)
    before = _all(house.client)
    refused = [
        as_run("move_flow_run", move=move("other", epoch)),
        as_run("renew_lease", run_id="other", epoch=epoch),
        as_run("name_flow_run", run_id="other", epoch=epoch, name="mine"),
        as_run("create_flow_run", run=flow_run("new"), holder="me"),
        as_run("create_flow_run", run=flow_run("new", root_id="other", epoch=epoch)),
        as_run("write_journal", batch=attrs.evolve(mine, flow_run_id="other")),
        as_run("write_journal", batch=attrs.evolve(mine, logs=(log_line("1", flow_run_id="other"),))),
        as_run("write_journal", batch=attrs.evolve(mine, task_runs=(task_run("t", flow_run_id="other"),))),
        as_run("write_journal", batch=attrs.evolve(mine, states=(RunState(run_id="t", revision=1, state=State.pending()),))),
        as_run("move_task_run", move=move("t", epoch), run=task_run("t", flow_run_id="other"), retry=Retry()),
        as_run("claim_runs", request=ClaimRequest(id="x", agent_id="a", queue_ids=("q",), limit=1)),
        as_run("delete_flow_run", run_id="run"),
        as_run("set_limit", tag="db", limit=0),
        as_run("read_tokens"),
    ]
    assert refused == [HTTPStatus.FORBIDDEN] * len(refused)
    assert _all(house.client) == before


def test_a_run_of_another_epoch_is_none(house: Instance, ask: Asking, claimed: tuple[FlowRun, str]) -> None:
    """A token is good for one epoch: nothing can be asked for in another with it."""
    run, token = claimed
    as_run = AsRun(ask, token)
    assert as_run("renew_lease", run_id="run", epoch=run.epoch + 1) == HTTPStatus.FORBIDDEN
    assert as_run("move_flow_run", move=move("run", run.epoch + 1)) == HTTPStatus.FORBIDDEN
    later = Tokens(house.client.store, house.clock).of_runs([attrs.evolve(run, epoch=run.epoch + 1)])["run"]  # type: ignore[attr-defined]
    assert later != token
    forged = token.replace(f"_{run.epoch}_", f"_{run.epoch + 1}_")
    assert AsRun(ask, forged)("renew_lease", run_id="run", epoch=run.epoch + 1) == HTTPStatus.UNAUTHORIZED


def test_results_of_others_are_not_written(ask: Asking, claimed: tuple[FlowRun, str]) -> None:
    """A run keeps and deletes results of its own, and reads whatever is kept."""
    _, token = claimed
    assert ask("PUT", "/api/files/results%2Frun%2Fa", token).status == HTTPStatus.OK
    assert ask("GET", "/api/files/results%2Frun%2Fa", token).status == HTTPStatus.OK
    for key in ("results%2Fother%2Fa", "code%2Fa", "results%2Frun%2F..%2Fother"):
        assert ask("PUT", f"/api/files/{key}", token).status != HTTPStatus.OK, key
        assert ask("DELETE", f"/api/files/{key}", token).status != HTTPStatus.OK, key


def _all(client: OpenClient) -> list[Any]:
    pages = (
        client.read_flow_runs(FlowRunFilter(), Page()),
        client.read_task_runs(TaskRunFilter(), Page()),
        client.read_logs(LogFilter(), Page()),
        client.read_limits(),
    )
    return [*pages, client.read_last_event()]


def test_one_key_for_all_servers(house: Instance) -> None:
    """Servers of one store know each other's runs."""
    store = house.client.store  # type: ignore[attr-defined]
    run = flow_run("run", epoch=3)
    token = Tokens(store, house.clock).of_runs([run])["run"]
    assert Tokens(store, house.clock).run_of(token) == ("run", 3)
    assert urlsplit(f"http://x/{token}").path == f"/{token}"
