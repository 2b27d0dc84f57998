"""What is special about asking over HTTP: servers that are away, half answers, and what is no server of headrace at all."""

import logging
import os
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trustme

import headrace
from headrace.errors import (
    ApiAway,
    ApiRefused,
    HeadraceError,
    InvalidOption,
    NotAllowed,
    NotAnApi,
    NotAuthenticated,
    NotFound,
    NotOffered,
    NotTrusted,
    SecretNotSent,
    StoreBusy,
    StoreUnusable,
    WrongData,
)
from headrace.model.choices import Choice
from headrace.model.filters import EventFilter, LogFilter, Page
from headrace.model.journals import JournalBatch
from headrace.model.storages import SEALED, NamedStorage
from headrace.ports.client import OpenClient
from headrace.testing.clock import START
from headrace.testing.conformance.client import deployment, flow_run, log_line, queue
from headrace.wire.problems import MEDIA_TYPE, problem, problem_of
from headrace_client.client import HttpClient
from headrace_client.open_client import WAIT_SECONDS

SECONDS = 30
Opening = Callable[..., OpenClient]


def unused_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def first(then: Callable[[Any], None], broken: Callable[[Any], None]) -> Callable[[Any], None]:
    """Answers the first request in one way, and all others in the other."""
    left = [broken]
    return lambda exchange: (left.pop() if left else then)(exchange)


def hanging_up(exchange: Any) -> None:
    exchange.hang_up()


def half(exchange: Any) -> None:
    """An answer that breaks off."""
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    exchange.wfile.write(b'{"result": ')
    exchange.hang_up()


# How it asks


@pytest.mark.parametrize(
    ("options", "secrets"),
    [
        ({}, {"key": "hush"}),
        ({}, {"options": {"user": "hush"}}),
        ({}, {"keys": ["secret://env/KEY", "hush"]}),
        ({"token": "hush"}, {}),
    ],
)
def test_a_secret_is_not_sent_in_clear(options: dict[str, Any], secrets: dict[str, Any]) -> None:
    """One that is written out does not leave this machine but over TLS: it is refused before anybody is asked, in a sentence without it."""
    storage = NamedStorage(id="s", name="s", choice=Choice("acme", options), created=START, updated=START)
    for url, kind in (
        ("http://nobody.invalid/api", SecretNotSent),
        ("https://nobody.invalid/api", ApiAway),
        (f"http://127.0.0.1:{unused_port()}/api", ApiAway),
        (f"http://localhost:{unused_port()}/api", ApiAway),
    ):
        with HttpClient(url=url).open() as client, pytest.raises(kind, match=url) as caught:
            client.put_storage(storage, secrets)
        assert "hush" not in str(caught.value)


def test_a_reference_is_sent() -> None:
    """What says only where a secret is found, or means one that the server has, may be read by anybody; so may all else of a storage."""
    storage = NamedStorage(id="s", name="key", choice=Choice("acme", {"bucket": "b"}), created=START, updated=START)
    secrets = {"key": "secret://env/KEY", "sealed": SEALED, "options": {"password": "secret://file/x", "port": 22}, "token": ""}
    with HttpClient(url="http://nobody.invalid/api").open() as client, pytest.raises(ApiAway):
        client.put_storage(storage, secrets)


def test_what_goes_with_a_question(answerer: Any, opened: Opening) -> None:
    """Who asks, with which version, and the token, which is shown nowhere."""
    value = HttpClient(url=f"{answerer.url}/", token="hrt_a_b")
    with value.open() as client:
        client.read_last_event()
    asked = answerer.asked[-1]
    assert (asked.method, asked.path) == ("GET", "/api/events/last")
    assert asked.headers["user-agent"] == f"headrace/{headrace.__version__}"
    assert asked.headers["authorization"] == "Bearer hrt_a_b"
    assert "hrt_a_b" not in repr(value)
    opened(url=answerer.url).read_last_event()
    assert "authorization" not in answerer.asked[-1].headers


def test_a_connection_is_used_again(answerer: Any, client: OpenClient) -> None:
    """Questions one after the other go over one connection, those of threads at once over several."""
    for _ in range(5):
        client.read_last_event()
    assert len(set(answerer.peers)) == 1
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.read_last_event(), range(100))) == [0] * 100
    assert len(set(answerer.peers)) <= 9


def test_a_forked_child_has_a_connection_of_its_own(answerer: Any, client: OpenClient) -> None:
    """What parent and child say is never mixed on one connection."""
    client.read_last_event()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = client.read_last_event()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    client.read_last_event()
    assert status == 0
    assert len(set(answerer.peers)) == 2
    assert answerer.peers[0] == answerer.peers[2] != answerer.peers[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", "b"), {}), (("a",), {"run_id": "a"}), ((), {"colour": "red"})],
    ids=["none", "many", "twice", "unknown"],
)
def test_a_call_that_is_none(client: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """It is a TypeError with the names of the arguments, as for any function; what is no operation is no attribute."""
    with pytest.raises(TypeError, match="read_flow_run takes run_id"):
        client.read_flow_run(*values, **named)
    assert not hasattr(client, "read_colours")


def test_a_long_wait_is_several_questions(answerer: Any, client: OpenClient) -> None:
    """None lasts longer than what stands between here and there allows; the first thing that comes ends it."""
    answers = iter([[], [], [{"sequence": 7, "moment": "2026-01-01T00:00:00Z", "kind": "k", "subject": "s"}]])
    answerer.answering = lambda exchange: exchange.give({"result": next(answers)})
    (event,) = client.wait_for_events(EventFilter(), 1000)
    assert event.sequence == 7
    assert [f'"seconds":{WAIT_SECONDS}'.encode() in asked.body for asked in answerer.asked] == [True] * 3


def test_what_a_run_tells_is_told_whatever_is_in_it(client: OpenClient) -> None:
    """Half characters, as in names of files, and numbers that JSON has not are written out: no run fails for them, or loses what else it says."""
    made = client.create_flow_run(flow_run(parameters={"x": [float("nan"), float("-inf")], "\udc80": "\udcff"}), "me")
    assert made.parameters == {"x": ["nan", "-inf"], "\\udc80": "\\udcff"}
    lines = (log_line("1", message="no file \udcff"), log_line("2", message="ümläut"))
    assert not client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=lines)).stop
    assert [line.message for line in client.read_logs(LogFilter(), Page(newest_first=False))] == ["no file \\udcff", "ümläut"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\udcff"])
def test_what_json_cannot_say_is_not_sent(answerer: Any, client: OpenClient, value: Any) -> None:
    """Where somebody asks for something, it is refused here, with the name of what was asked."""
    with pytest.raises(WrongData, match="put_deployments: there is a number in it that is infinite or none"):
        client.put_deployments((deployment(parameters={"x": value}),))
    assert answerer.asked == []


def test_warnings_are_told_once(answerer: Any, client: OpenClient, caplog: pytest.LogCaptureFixture) -> None:
    """What a server does not know of what was asked is logged, each thing the first time."""
    answerer.answering = lambda exchange: exchange.give({"result": 1, "warnings": ["colour is not known here and was ignored"]})
    for _ in range(3):
        client.read_last_event()
    (said,) = [record for record in caplog.records if record.name == "headrace.client"]
    assert said.getMessage() == f"The web API at {answerer.url}: colour is not known here and was ignored"
    assert said.levelno == logging.WARNING


# Servers that are away


def test_nobody_is_there(opened: Opening) -> None:
    """It may pass, and says where and why in one line."""
    url = f"http://127.0.0.1:{unused_port()}/api"
    with pytest.raises(ApiAway) as caught:
        opened(url=url).read_last_event()
    advice = "start its server (`headrace server start`), or set HEADRACE_API_URL to where it is (`headrace config view` shows what is set)"
    assert str(caught.value) == f"the web API at {url} does not answer: Connection refused; {advice}"


def test_a_name_that_is_none(opened: Opening) -> None:
    """Names are resolved by what may be away too."""
    with pytest.raises(ApiAway, match="its name cannot be resolved"):
        opened(url="http://nowhere.invalid/api").read_last_event()


def test_nothing_comes(answerer: Any, opened: Opening) -> None:
    """It is waited for as long as the options say."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with pytest.raises(ApiAway, match="nothing came within 0.05 seconds"):
            opened(url=url, read_seconds=0.05).read_last_event()


@pytest.mark.parametrize("broken", [hanging_up, half], ids=["nothing", "half"])
def test_what_broke_off_is_asked_once_more(answerer: Any, client: OpenClient, broken: Callable[[Any], None]) -> None:
    """Nobody hears of it when it works the second time; else it is an outage."""
    answerer.answering = first(answerer.answering, broken)
    assert client.read_last_event() == 0
    assert len(answerer.asked) == 2
    answerer.answering = broken
    with pytest.raises(ApiAway, match="the connection broke off"):
        client.read_last_event()
    assert len(answerer.asked) == 4


def test_a_stream_that_breaks_off_goes_on(answerer: Any, client: OpenClient) -> None:
    """Before it begins and in the middle: what follows comes after what came last. That nothing comes at all is an outage."""
    client.create_flow_run(flow_run(), "me")
    doing = answerer.answering
    answerer.answering = first(doing, hanging_up)
    with closing(client.follow_flow_run("flow", every=0.01)) as following:
        client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=tuple(log_line(f"{number}") for number in range(1000, 1500))))
        seen = [line.id for news in islice(following, 4) for line in news.lines]
        assert seen == [f"{number}" for number in range(1000, 1500)]
        assert "last-event-id" in answerer.asked[-1].headers
        answerer.answering = hanging_up
        with pytest.raises(ApiAway, match="the connection broke off"):
            list(following)


@pytest.mark.parametrize(
    ("body", "media_type"), [(b"", "text/event-stream"), (b"<html>", "text/html"), (b'{"result": 1}', "application/json")]
)
def test_what_is_no_stream(answerer: Any, client: OpenClient, body: bytes, media_type: str) -> None:
    """It is told at once, and not asked for again and again."""
    answerer.answering = lambda exchange: exchange.give(body, 200, media_type)
    with pytest.raises((ApiAway, NotAnApi)):
        next(client.follow_flow_run("flow"))
    assert len(answerer.asked) == 1


def test_what_was_done_before_it_broke_off_is_done_once(answerer: Any, client: OpenClient) -> None:
    """A queue that is made, and one that is forgotten, are so, though the answer was lost."""
    doing = answerer.answering

    def losing(exchange: Any) -> None:
        exchange.give = lambda *_, **__: exchange.hang_up()
        doing(exchange)

    answerer.answering = first(doing, losing)
    made = client.put_work_queue(queue())
    assert (made.revision, client.read_work_queue("queue")) == (1, made)
    answerer.answering = first(doing, losing)
    client.delete_work_queue("queue")
    with pytest.raises(NotFound):
        client.delete_work_queue("queue")


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_what_stands_before_it_cannot_reach_it(answerer: Any, client: OpenClient, status: int) -> None:
    """That may pass, as if nobody were there."""
    answerer.answering = lambda exchange: exchange.give(b"<html>", status, "text/html")
    with pytest.raises(ApiAway, match=f"it is answered for with {status} {HTTPStatus(status).phrase}"):
        client.read_last_event()


# What is wrong


@pytest.mark.parametrize(
    "error",
    [
        NotFound(what="flow run", name="a", command="flow-run ls"),
        StoreBusy(where="there", seconds=3),
        StoreUnusable(where="there", why="no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_orchestration_is_the_same_here(answerer: Any, client: OpenClient, error: HeadraceError) -> None:
    """Its class says whether it may pass, whatever its status."""
    told = problem_of(error)
    answerer.answering = lambda exchange: exchange.give(told, told["status"], MEDIA_TYPE)
    with pytest.raises(type(error)) as caught:
        client.read_flow_run("a")
    assert str(caught.value) == str(error)


def test_a_refusal_without_a_class_has_its_sentence(answerer: Any, client: OpenClient) -> None:
    """As what is too large, or a bug there."""
    told = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
    answerer.answering = lambda exchange: exchange.give(told, 413, MEDIA_TYPE)
    with pytest.raises(ApiRefused, match="the web API refused this \\(status 413\\): the body is too large"):
        client.read_last_event()
    told = problem(HTTPStatus.SERVICE_UNAVAILABLE, "it is about to end")
    answerer.answering = lambda exchange: exchange.give(told, 503, MEDIA_TYPE)
    with pytest.raises(ApiAway, match="it is about to end"):
        client.read_last_event()


@pytest.mark.parametrize(("status", "kind"), [(401, NotAuthenticated), (403, NotAllowed)])
def test_who_may_not_ask(answerer: Any, client: OpenClient, status: int, kind: type[HeadraceError]) -> None:
    """What stands before the server may refuse in its own way."""
    answerer.answering = lambda exchange: exchange.give(b"no", status, "text/plain")
    with pytest.raises(kind, match=f"{status}"):
        client.read_last_event()


@pytest.mark.parametrize(
    ("status", "body", "media_type"),
    [
        (200, b"<html>", "text/html"),
        (200, b"", "text/plain"),
        (200, b"[1]", "application/json"),
        (200, b'{"data": 1}', "application/json"),
        (404, b"<html>", "text/html"),
        (404, b'{"detail": "Not Found"}', "application/json"),
        (405, b"no", "text/plain"),
        (500, b'{"error": "NotFound"}', "application/json"),
    ],
)
def test_what_is_no_api_of_headrace(answerer: Any, client: OpenClient, status: int, body: bytes, media_type: str) -> None:
    """It says so, and what to look at."""
    answerer.answering = lambda exchange: exchange.give(body, status, media_type)
    with pytest.raises(NotAnApi) as caught:
        client.read_last_event()
    assert str(caught.value).startswith(f"there is no web API of headrace at {answerer.url}: ")
    assert "HEADRACE_API_URL" in str(caught.value)


def test_an_older_server_says_what_it_cannot(answerer: Any, client: OpenClient) -> None:
    """An operation that it does not have is named, with its version; what it has and does not find is something else."""
    able = {"version": "0.0.9", "api_version": 1, "operations": ["read_flow_run"]}
    told = problem(HTTPStatus.NOT_FOUND, "there is nothing at /x")

    def answer(exchange: Any) -> None:
        if exchange.path == "/api/capabilities":
            exchange.give({"result": able})
        else:
            exchange.give(told, 404, MEDIA_TYPE)

    answerer.answering = answer
    with pytest.raises(NotOffered, match="is headrace 0.0.9, which does not know 'read_last_event'; upgrade it"):
        client.read_last_event()
    with pytest.raises(ApiRefused, match="there is nothing at /x"):
        client.read_flow_run("a")


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://127.0.0.1:444/api/events/last", "it is served over TLS alone, at https://127.0.0.1:444/api; look at HEADRACE_API_URL"),
        ("http://elsewhere.invalid/api", "it says that it has moved to http://elsewhere.invalid/api, which is not followed"),
        ("/login", "/login, which is not followed"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(answerer: Any, opened: Opening, status: int, location: str, says: str) -> None:
    """A token would go to whoever is named there; it is told where that is."""
    answerer.answering = lambda exchange: exchange.give(b"", status, "text/html", Location=location)
    with pytest.raises(NotAnApi) as caught:
        opened(url=answerer.url, token="secret").read_last_event()
    assert says in str(caught.value)
    assert len(answerer.asked) == 1


# TLS


@pytest.fixture
def authority(answerer: Any) -> trustme.CA:
    """Who signed the certificate of the server, which speaks TLS."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    answerer.use_tls(context)
    return authority


def over_tls(answerer: Any) -> str:
    address: str = answerer.url
    return address.replace("http:", "https:")


def test_an_authority_that_the_system_trusts(
    answerer: Any, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opening
) -> None:
    """What it signed is believed; it may stand in a file that SSL_CERT_FILE names."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    client, by_another_name = (opened(url=over_tls(answerer).replace("127.0.0.1", host)) for host in ("127.0.0.1", "localhost"))
    monkeypatch.undo()
    assert [client.read_last_event() for _ in range(3)] == [0, 0, 0]
    assert len(set(answerer.peers)) == 1
    with pytest.raises(NotTrusted, match="mismatch"):
        by_another_name.read_last_event()


def test_an_authority_that_nobody_trusts(answerer: Any, authority: trustme.CA, opened: Opening) -> None:
    """What it signed is not believed, nothing is asked, and that does not pass by waiting."""
    url = over_tls(answerer)
    with pytest.raises(NotTrusted) as caught:
        opened(url=url, token="secret").read_last_event()
    assert str(caught.value).startswith(f"who answers at {url} cannot be trusted: ")
    assert "SSL_CERT_FILE" in str(caught.value)
    assert answerer.asked == []


def test_a_server_with_tls_alone(answerer: Any, authority: trustme.CA, opened: Opening) -> None:
    """Who does not speak it is told to, though such a server only hangs up."""
    url = over_tls(answerer).replace("https://", "http://")
    with pytest.raises(NotAnApi, match="what answers there speaks TLS alone; its address may begin with https://"):
        opened(url=url).read_last_event()


def test_a_server_without_tls(answerer: Any, opened: Opening) -> None:
    """Who is asked over TLS and speaks none is not believed."""
    with pytest.raises(NotAnApi, match="does not speak TLS; its address may begin with http://"):
        opened(url=over_tls(answerer)).read_last_event()


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"url": "127.0.0.1:4200"},
        {"url": "ftp://a/api"},
        {"url": "http://"},
        {"url": "http://a:0/api"},
        {"url": "http://ä/api"},
        {"url": 7},
        {"url": "http://a/api", "token": "two words"},
        {"url": "http://a/api", "token": "ä"},
        {"url": "http://a/api", "connect_seconds": 0},
        {"url": "http://a/api", "read_seconds": True},
    ],
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    """They are refused by name before anything is asked, and a token is not shown."""
    with pytest.raises(InvalidOption) as caught:
        HttpClient(**options)
    assert f"{list(options)[-1]}=" in str(caught.value)
    assert "two words" not in str(caught.value)


# Proxies


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ""),
        ({"http_proxy": "{proxy}"}, "proxy"),
        ({"HTTP_PROXY": "{proxy}"}, "proxy"),
        ({"all_proxy": "{proxy}"}, "proxy"),
        ({"https_proxy": "{proxy}"}, ""),
        ({"http_proxy": "{proxy}", "no_proxy": "headrace.invalid"}, ""),
        ({"http_proxy": "{proxy}", "NO_PROXY": ".invalid,other"}, ""),
    ],
)
def test_a_proxy_of_the_environment(
    answerer: Any, monkeypatch: pytest.MonkeyPatch, opened: Opening, variables: dict[str, str], expected: str
) -> None:
    """It is asked for what lies elsewhere, with what it wants to know, unless the environment excepts that host."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    proxy = f"http://us%40er:pass@127.0.0.1:{answerer.server_port}"
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(proxy=proxy))
    answerer.answering = lambda exchange: exchange.give({"result": 5})
    client = opened(url="http://headrace.invalid/api")
    if not expected:
        with pytest.raises(ApiAway, match="cannot be resolved"):
            client.read_last_event()
        return
    assert client.read_last_event() == 5
    asked = answerer.asked[-1]
    assert asked.path == "http://headrace.invalid/api/events/last"
    assert asked.headers["proxy-authorization"] == "Basic dXNAZXI6cGFzcw=="
    monkeypatch.undo()


def test_this_machine_is_asked_without_a_proxy(answerer: Any, monkeypatch: pytest.MonkeyPatch, opened: Opening) -> None:
    """No proxy could reach it."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    assert opened(url=answerer.url).read_last_event() == 0
    monkeypatch.undo()


@pytest.mark.parametrize("proxy", ["socks5://user:secret@a:1", "http://user:secret@:1", "http://user:secret@a:x"])
def test_a_proxy_that_cannot_be(monkeypatch: pytest.MonkeyPatch, opened: Opening, proxy: str) -> None:
    """It is refused by the name of its variable, and its password is not shown."""
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(InvalidOption, match="http_proxy") as caught:
        opened(url="http://headrace.invalid/api")
    assert "secret" not in str(caught.value)
    monkeypatch.undo()
