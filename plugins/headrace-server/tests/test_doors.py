"""Who is let in: what every route asks of everybody, and what a run may ask for."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
import urllib3
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import headrace.instance
from headrace.errors import NotAllowed
from headrace.hooks import hookimpl
from headrace.hooks.registry import Registry, discovered, inline
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.model.tokens import Scope, Token, digest_of, written
from headrace.ports.client import Kind, OpenClient, Operation, operations
from headrace.rules.facts import Retry
from headrace.settings import load
from headrace.testing.clock import START, FixedClock
from headrace.testing.conformance.client import flow_run, log_line, task_run
from headrace.wire.endpoints import endpoints
from headrace_server import own_run, streams
from headrace_server.app import App
from headrace_server.attempts import Attempts
from headrace_server.doors import Asker, Doors
from headrace_server.files import DELETE, LIST, READ, WRITE
from headrace_server.own import Own
from headrace_server.own_run import OwnRun
from headrace_server.seldom import SECONDS
from headrace_server.serving import Address, Serving, in_a_thread
from headrace_server.tokens import KEY, Tokens

Asking = Callable[..., Any]
SECRET = "hush-hush-hush"


@contextmanager
def asking(house: Instance, **address: Any) -> Iterator[Asking]:
    """Asks a server that needs a token; `token` is sent, if there is one."""
    with (
        in_a_thread(Serving(house, Address(needs_token=True, **address))) as serving,
        urllib3.PoolManager(retries=False, timeout=30) as pool,
    ):
        base = serving.url.removesuffix("/api")

        def ask(method: str, path: str, token: str = "", data: Any = None, **options: Any) -> Any:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return pool.request(method, base + path, headers=headers, **({} if data is None else {"json": data}), **options)

        yield ask


def given(house: Instance, scope: Scope, **fields: Any) -> str:
    """A token, as somebody has it."""
    token = Token(id=house.ids.new(), name=scope, scope=scope, created=START, digest=digest_of(SECRET))
    house.client.create_token(attrs.evolve(token, **fields))
    return written(token.id, SECRET)


@pytest.fixture
def ask(house: Instance) -> Iterator[Asking]:
    with asking(house) as found:
        yield found


class Acme:
    """A plugin that has a page, and knows some by a header."""

    @hookimpl(optionalhook=True)
    def headrace_routes(self, client: OpenClient) -> Any:
        return [Route("/acme/{name}", lambda request: PlainTextResponse("page"), methods=["GET", "POST"])]

    @hookimpl(optionalhook=True)
    def headrace_authenticate(self, request: Any) -> Any:
        known = {"a run": Asker(name="a run", scope=Scope.RUN), "nonsense": "ann"}
        return known.get(request.headers.get("x-acme"))


@pytest.fixture
def acme(tmp_path: Path, clock: FixedClock) -> Iterator[Instance]:
    """An orchestration with that plugin, without a dashboard, whose own tests ask the same of its pages, and a clock that stands still."""
    settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
    others = [plugin for plugin in discovered() if plugin.dist != "headrace-dashboard"]
    with headrace.instance.open(settings, registry=Registry([*others, inline(Acme())]), clock=clock) as opened:
        yield opened


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def routes(house: Instance) -> list[tuple[str, str, Scope]]:
    """Every route of the application, by its own list: method, path, and the scope that it takes."""
    app = App(house, Doors.of(house, "127.0.0.1"), Own.of(house, ()))
    app.close()
    declared = [(each.operation, each.path) for port in (OpenClient, Own) for each in endpoints(port).values()]
    of_files = [(each, each.path) for each in (READ, WRITE, DELETE, LIST, attrs.evolve(READ, method="HEAD"))]
    scopes = {(each.method, path): each.scope for each, path in (*declared, *of_files)}
    found = []
    for base, rows in app.routes.items():
        for route in rows:
            path = getattr(route, "path", None) or route._route.path  # type: ignore[attr-defined]
            for method in getattr(route, "methods", None) or ():
                asked = "GET" if method == "HEAD" and (method, path) not in scopes else method
                fallback = Scope.VIEWER if asked == "GET" else Scope.OPERATOR
                found.append((method, base + path, scopes.get((asked, path), fallback)))
    assert {(method, f"/api{path}") for method, path in scopes} <= {(method, path) for method, path, _ in found}
    return found


def test_every_route_asks_who_it_is(acme: Instance) -> None:
    """None answers without a token, and none to a token whose scope is too small; that is found out before anything else is."""
    viewer, agent = given(acme, Scope.VIEWER), given(acme, Scope.AGENT)
    acme.client.create_flow_run(flow_run("run"), "me")
    run = Tokens(acme.client.store, acme.clock).of_runs([flow_run("run", epoch=1)])["run"]  # type: ignore[attr-defined]
    found = [each for each in routes(acme) if each[1] != "/health"]
    assert {"/api/openapi.json", "/problems/{name}", "/acme/{name}", "/api/files/{key}", "/api/flow-runs/{run_id}/news/stream"} <= {
        path for _, path, _ in found
    }
    with asking(acme) as ask:
        for method, path, scope in found:
            place = re.sub(r"\{[^}]*\}", "x", path)
            refused = ask(method, place)
            assert (refused.status, refused.headers["www-authenticate"]) == (HTTPStatus.UNAUTHORIZED, "Bearer"), (method, path)
            for name, token in ((Scope.VIEWER, viewer), (Scope.RUN, run), (Scope.AGENT, agent)):
                if name.includes(scope):
                    continue
                refused = ask(method, place, token)
                assert refused.status == HTTPStatus.FORBIDDEN, (method, path, name)
                assert method == "HEAD" or f"it takes the scope {scope}, not {name}" in refused.json()["detail"]


def test_what_needs_no_token(ask: Asking) -> None:
    """Only that it is there."""
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
    assert not any(secret in said for secret in (SECRET, digest_of(SECRET), *wrong[:4]))


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
        as_run("reserve_results", run_id="run", storage=Choice("local")),
        as_run("read_place"),
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
        as_run("reserve_results", run_id="other", storage=Choice("local")),
        as_run("reserve_keys", storage=Choice("local"), keys=("results/run/",)),
        as_run("begin_removing", keys=()),
        as_run("set_default_storage", storage_id="s"),
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
    assert ask("PUT", "/api/files/store%2Fresults%2Frun%2Fa", token).status == HTTPStatus.OK
    assert ask("GET", "/api/files/store%2Fresults%2Frun%2Fa", token).status == HTTPStatus.OK
    for key in ("store%2Fresults%2Fother%2Fa", "store%2Fcode%2Fa", "store%2Fresults%2Frun%2F..%2Fother", "results%2Frun%2Fa"):
        assert ask("PUT", f"/api/files/{key}", token).status != HTTPStatus.OK, key
        assert ask("DELETE", f"/api/files/{key}", token).status != HTTPStatus.OK, key


def test_task_runs_of_others_are_not_touched(house: Instance, ask: Asking, claimed: tuple[FlowRun, str]) -> None:
    """Who names another run's task run as one of its own is refused: nothing is added to it, and nothing said in its name."""
    run, token = claimed
    as_run, epoch = AsRun(ask, token), run.epoch
    house.client.create_flow_run(flow_run("other"), "somebody")
    theirs = task_run("theirs", flow_run_id="other")
    house.client.write_journal(JournalBatch(flow_run_id="other", epoch=1, task_runs=(theirs,)))
    mine = JournalBatch(flow_run_id="run", epoch=epoch)
    taken = attrs.evolve(theirs, flow_run_id="run", revision=9)
    before = (_all(house.client), house.client.read_states("theirs"))
    refused = [
        as_run("write_journal", batch=attrs.evolve(mine, task_runs=(taken,))),
        as_run(
            "write_journal",
            batch=attrs.evolve(mine, task_runs=(taken,), states=(RunState(run_id="theirs", revision=9, state=State.completed()),)),
        ),
        as_run("write_journal", batch=attrs.evolve(mine, logs=(log_line("1", flow_run_id="run", task_run_id="theirs"),))),
        as_run("move_task_run", move=move("theirs", epoch), run=taken, retry=Retry()),
        as_run("create_flow_run", run=flow_run("inner", root_id="run", epoch=epoch, parent_task_run_id="theirs")),
    ]
    assert refused == [HTTPStatus.FORBIDDEN] * len(refused)
    assert (_all(house.client), house.client.read_states("theirs")) == before


def test_what_a_run_may_is_named() -> None:
    """Every operation for runs is known to be one; what comes to the table without being named here is refused them."""
    for_runs = {name for name, each in operations().items() if each.scope is Scope.RUN}
    assert for_runs <= {*own_run._TOLD, *own_run._WHILE_ITS_OWN}


@pytest.mark.parametrize("name", ["write_secret", "claim_runs"])
def test_what_is_not_named_is_refused(acme: Instance, name: str) -> None:
    """An operation that nobody has thought of is not for runs."""
    acme.client.create_flow_run(flow_run("run"), "me")
    own = OwnRun(store=acme.client.store, run_id="run", epoch=1, now=START)  # type: ignore[attr-defined]
    new = Operation(name=name, method="POST", path="/new", scope=Scope.RUN, kind=Kind.ASK)
    with pytest.raises(NotAllowed):
        own.check(new, {"run_id": "run", "epoch": 1})


def test_a_token_ends_with_its_run(acme: Instance, clock: FixedClock) -> None:
    """The run is told to stop by the orchestration once somebody else has it, and may then change nothing; a day after its end it may not even look."""
    client = acme.client
    client.create_flow_run(flow_run("run"), "me")
    tokens = Tokens(client.store, clock).of_runs  # type: ignore[attr-defined]
    old, new = tokens([flow_run("run", epoch=0)])["run"], tokens([flow_run("run", epoch=1)])["run"]
    request = RunRequest(id="more", deployment_id="d", name="more")
    with asking(acme) as ask:
        as_old, as_new = AsRun(ask, old), AsRun(ask, new)
        assert ask("POST", "/api/flow-runs/run/lease", old, {"epoch": 0}).json()["result"]["stop"]
        assert as_old("read_flow_run", run_id="run") == HTTPStatus.OK
        assert as_old("request_run", request=request) == HTTPStatus.FORBIDDEN
        assert ask("PUT", "/api/files/store%2Fresults%2Frun%2Fa", old).status == HTTPStatus.FORBIDDEN
        assert ask("PUT", "/api/files/store%2Fresults%2Frun%2Fa", new).status == HTTPStatus.OK
        client.move_flow_run(move("run", 1))
        client.move_flow_run(Move(id="end", run_id="run", state=State.completed(), epoch=1))
        assert as_new("read_flow_run", run_id="run") == HTTPStatus.OK
        clock.advance(own_run.STILL_GOOD.total_seconds() + 1)
        later = [
            as_new("read_flow_run", run_id="run"),
            as_new("request_run", request=request),
            ask("GET", "/api/files/results%2Frun%2Fa", new).status,
            ask("GET", "/acme/page", new).status,
        ]
        assert later == [HTTPStatus.FORBIDDEN] * 4
        client.delete_flow_run("run")
        assert as_new("read_flow_runs", wanted=FlowRunFilter(), page=Page()) == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("run_id", ["a_b_1_c", "a b/ü%", "_", "x" * 300])
def test_ids_of_any_kind(house: Instance, run_id: str) -> None:
    """A run whose id is an unusual text has a token too, which fits in a header."""
    tokens = Tokens(house.client.store, house.clock)  # type: ignore[attr-defined]
    token = tokens.of_runs([flow_run(run_id, epoch=3)])[run_id]
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token
    assert tokens.run_of(token) == (run_id, 3)


# Those who are in


def test_who_is_let_in_by_a_plugin_is_somebody(acme: Instance) -> None:
    """A plugin's answer that is no asker lets nobody in, and one that asks as a run does, and is none, may look."""
    with in_a_thread(Serving(acme, Address())) as serving, urllib3.PoolManager(retries=False) as pool:

        def ask(method: str, path: str, name: str, data: Any = None) -> int:
            body = {} if data is None else {"json": data}
            return int(pool.request(method, f"{serving.url}{path}", headers={"x-acme": name}, **body).status)

        assert ask("GET", "/agents", "nonsense") == HTTPStatus.UNAUTHORIZED
        assert ask("GET", "/agents", "a run") == HTTPStatus.OK
        assert ask("POST", "/flow-runs/a/lease", "a run", {"epoch": 1}) == HTTPStatus.FORBIDDEN


def test_a_stream_ends_when_its_token_is_revoked(house: Instance, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who listens hears no more once they may not."""
    monkeypatch.setattr(streams, "CHECKED_SECONDS", 0.0)
    house.client.create_flow_run(flow_run("run"), "me")
    token = given(house, Scope.VIEWER)
    came = ask("GET", "/api/flow-runs/run/news/stream?every=0.05", token, preload_content=False)
    assert came.status == HTTPStatus.OK
    assert came.read(10)
    house.client.revoke_token(token.split("_")[1])
    assert any(not came.read(1000) for _ in range(100))
    assert ask("GET", "/api/flow-runs/run/news/stream", token).status == HTTPStatus.UNAUTHORIZED


def test_an_empty_token_is_a_wrong_one(house: Instance) -> None:
    """Who sends one believes to be known, also where nobody need be."""
    with in_a_thread(Serving(house, Address())) as serving, urllib3.PoolManager(retries=False) as pool:
        for header in ("Bearer", "Bearer ", "bearer x"):
            assert pool.request("GET", f"{serving.url}/agents", headers={"Authorization": header}).status == HTTPStatus.UNAUTHORIZED


def test_attempts_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The first is told at once; then one line in a while says how many there were."""
    clock = FixedClock()
    attempts = Attempts(clock.monotonic)
    for _ in range(1000):
        attempts.note("10.0.0.1")
    clock.advance(SECONDS)
    attempts.note("10.0.0.2")
    assert [record.getMessage() for record in caplog.records] == [
        "A token that is not known here was sent from 10.0.0.1, and refused",
        "A token that is not known here was sent from 10.0.0.2, and refused; so were 999 more since the last such line",
    ]


def test_secrets_leave_by_no_other_way(
    house: Instance, ask: Asking, claimed: tuple[FlowRun, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a token's secret or digest, nor a run's token, nor the key that it is made with, stands in an event, a list, a refusal or the log."""
    caplog.set_level("DEBUG")
    _, token = claimed
    admin = given(house, Scope.ADMIN)
    with house.client.store.reading() as reading:  # type: ignore[attr-defined]
        key = reading.mark(KEY)
    assert key is not None
    said = [
        ask("DELETE", "/api/flow-runs/run", token).data,
        ask("GET", "/api/tokens", admin[:-1]).data,
        *(ask(method, path.replace("{run_id}", "run"), admin).data for method, path, _ in routes(house) if _is_plain(method, path)),
        ask("POST", "/api/flow-runs/query", admin, {"wanted": {}, "page": {}}).data,
        ask("POST", "/api/events/wait", admin, {"wanted": {}, "seconds": 0}).data,
    ]
    told = caplog.text + b"".join(said).decode() + repr(house.client.read_tokens()) + repr(house.client.wait_for_events(EventFilter(), 0))
    assert "flow-run.created" in told
    for secret in (SECRET, digest_of(SECRET), token, token.rsplit("_")[-1], key, admin):
        assert secret not in told


def _is_plain(method: str, path: str) -> bool:
    is_whole = "{" not in path.replace("{run_id}", "")
    return method == "GET" and is_whole and not path.endswith(("/stream", "/live", "openapi.json"))


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
