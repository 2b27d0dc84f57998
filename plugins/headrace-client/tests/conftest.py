"""What the tests of this dist share: the plainest server of the table, made of `endpoints()`, and anything else that may answer in its place."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, islice
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import pytest

from headrace.errors import HeadraceError
from headrace.model.news import EventNews, News
from headrace.ports.client import Kind, OpenClient
from headrace.testing.clock import FixedClock
from headrace.testing.orchestration import in_memory
from headrace.wire.endpoints import Endpoint, endpoints
from headrace.wire.plain import to_plain
from headrace.wire.problems import MEDIA_TYPE, problem_of
from headrace_client.client import HttpClient

JSON = "application/json"
MOST_NEWS = 2
"""After so many a stream of the plain server breaks off."""


@attrs.frozen(kw_only=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """A request, and what answers it."""

    protocol_version = "HTTP/1.1"
    server: "Answerer"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked = Request(
            method=self.command, path=self.path, headers={key.lower(): value for key, value in self.headers.items()}, body=body
        )
        self.server.asked.append(self.asked)
        self.server.peers.append(self.client_address[1])
        self.server.answering(self)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def give(self, data: Any, status: int = 200, media_type: str = JSON, **headers: str) -> None:
        """Answers with data as JSON, or with bytes as they are."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Says no more."""
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Answerer(ThreadingHTTPServer):
    """Answers as it is told to; `asked` is what was asked, and `peers` over which connections."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, answering: Answering) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.answering = answering
        self.asked: list[Request] = []
        self.peers: list[int] = []
        self._connections: list[socket] = []

    def use_tls(self, context: SSLContext) -> None:
        """From now on who connects must speak TLS, and is believed or not."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, *_: Any) -> None:
        """Who asks has gone, or does not trust it."""

    def hang_up(self) -> None:
        """Ends all connections, those too that are kept for later."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


@contextmanager
def answered(answering: Answering) -> Iterator[Answerer]:
    """A server that answers like this."""
    with Answerer(answering) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


def plainly(client: OpenClient) -> Answering:
    """Answers what the table has."""

    def answer(exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        endpoint, in_path = _found(exchange.command, parts.path.removeprefix("/api"))
        try:
            body = json.loads(exchange.asked.body or b"{}")
            arguments, unknown = endpoint.arguments_of(in_path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)
            if "last-event-id" in exchange.asked.headers:
                _go_on(arguments, int(exchange.asked.headers["last-event-id"]))
            if endpoint.operation.name == "follow_events":
                arguments["every"] = 0.0  # the clock stands still: who has gone would be waited for until something happens
            result = getattr(client, endpoint.operation.name)(**arguments)
            if endpoint.operation.kind is Kind.STREAM:
                _stream(exchange, result)
            else:
                exchange.give(endpoint.answer(result, unknown))
        except HeadraceError as error:
            problem = problem_of(error)
            exchange.give(problem, problem["status"], MEDIA_TYPE)

    return answer


def _found(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    asked = path.split("/")
    for endpoint in endpoints().values():
        places = endpoint.path.split("/")
        if endpoint.operation.method == method and len(places) == len(asked):
            pairs = list(zip(places, asked, strict=True))
            if all(place.startswith("{") or place == text for place, text in pairs):
                return endpoint, {place[1:-1]: unquote(text) for place, text in pairs if place.startswith("{")}
    raise AssertionError(f"{method} {path} is not in the table")


def _go_on(arguments: dict[str, Any], after: int) -> None:
    if "wanted" in arguments:
        arguments["wanted"] = attrs.evolve(arguments["wanted"], after=after)
    else:
        arguments["after"] = after


def _stream(exchange: Exchange, news: Iterator[News | EventNews]) -> None:
    coming = chain([next(news)], news)  # what is not there is found before the answer begins
    exchange.send_response(200)
    exchange.send_header("Content-Type", "text/event-stream")
    exchange.send_header("Connection", "close")
    exchange.end_headers()
    for each in islice(coming, MOST_NEWS):
        exchange.wfile.write(f": a remark\nid: {each.cursor}\ndata: {json.dumps(to_plain(each))}\n\n".encode())


@pytest.fixture(autouse=True)
def tidy(nothing_left_behind: None) -> None:
    """Every test leaves things as it found them."""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def answerer(clock: FixedClock) -> Iterator[Answerer]:
    """The plain server over an orchestration in memory; what answers may be put in its place."""
    with in_memory(clock) as local, answered(plainly(local)) as server:
        yield server


@pytest.fixture
def client(answerer: Answerer) -> Iterator[OpenClient]:
    """Asks that server."""
    with HttpClient(url=answerer.url).open() as opened:
        yield opened


@pytest.fixture
def opened() -> Iterator[Callable[..., OpenClient]]:
    """Opens clients with these options."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(HttpClient(**options).open())
