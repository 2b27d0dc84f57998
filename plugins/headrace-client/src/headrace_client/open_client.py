"""The open client: every operation of the port's table, asked over a connection; nothing is written here for one of them alone."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from math import isfinite
from typing import Any, get_args

from headrace.clock import Clock
from headrace.errors import ApiAway, NotAnApi, NotFound, NotOffered, SecretNotSent, WrongData
from headrace.hooks.secrets import writes_out
from headrace.model.tokens import Scope
from headrace.ports.client import Kind
from headrace.wire.endpoints import Endpoint, endpoints
from headrace.wire.plain import from_plain
from headrace_client.answers import is_unknown_place, result_in
from headrace_client.connection import Answer, Asking, Connection
from headrace_client.streams import MEDIA_TYPE, ServerEvent, ServerEvents

WAIT_SECONDS = 20.0
"""How long one request waits at most for what may come; what stands between here and there hangs up on longer ones."""

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
DELETE = "DELETE"

logger = logging.getLogger("headrace.client")


class OpenHttpClient:
    """Asks a server. Its methods are the operations of the port."""

    def __init__(self, connection: Connection, *, clock: Clock, read_seconds: float) -> None:
        self._connection = connection
        self._clock = clock
        self._read_seconds = read_seconds
        self._told: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        endpoint = endpoints().get(name)
        if endpoint is None:
            raise AttributeError(f"there is no operation {name!r}", name=name, obj=self)
        ask = {Kind.WAIT: self._waited, Kind.STREAM: self._streamed}.get(endpoint.operation.kind, self._asked)

        def operation(*values: Any, **named: Any) -> Any:
            return ask(endpoint, _by_name(endpoint, values, named))

        vars(self)[name] = operation  # found at once the next time
        return operation

    # The kinds of operation

    def _asked(self, endpoint: Endpoint, arguments: Mapping[str, Any], *, seconds: float = 0.0) -> Any:
        if endpoint.operation.secrets is not None:
            self._check_way(endpoint, endpoint.operation.secrets, arguments)
        answer = self._connection.asked(_asking(endpoint, arguments, JSON, seconds=seconds + self._read_seconds))
        try:
            data = self._result(endpoint, answer)
        except NotFound:
            if answer.was_repeated and endpoint.operation.method == DELETE:  # it was there, and was forgotten the first time
                return None
            raise
        return endpoint.result_of(data)

    def _waited(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Any:
        """What there is, as soon as there is some; several questions, where it is waited for longer than one may last."""
        end = self._clock.monotonic() + arguments["seconds"]
        while True:
            left = max(0.0, end - self._clock.monotonic())
            seconds = min(left, WAIT_SECONDS)
            found = self._asked(endpoint, {**arguments, "seconds": seconds}, seconds=seconds)
            if found or self._clock.monotonic() >= end:
                return found

    def _streamed(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Iterator[Any]:
        """What comes, for as long as somebody asks for more; where it breaks off, it goes on after what came last. Raises ApiAway when that fails."""
        (kind,) = get_args(endpoint.result)
        headers = {"Accept": MEDIA_TYPE}
        while True:
            last = None
            for event in self._events(endpoint, arguments, headers):
                last = event
                yield from_plain(kind, json.loads(event.data))
            if last is None:
                raise ApiAway(where=self._connection.url, why="it had nothing to tell, and should go on telling")
            headers["Last-Event-ID"] = last.id

    def _events(self, endpoint: Endpoint, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[ServerEvent]:
        """Events until it breaks off; where nothing has come by then, that is an error."""
        events = ServerEvents()
        has_come = False
        asking = _asking(endpoint, arguments, headers, seconds=arguments.get("every", 0.0) + self._read_seconds)
        try:
            with closing(self._connection.pieces(asking)) as pieces:
                for piece in pieces:
                    if isinstance(piece, Answer):
                        self._check_stream(endpoint, piece)
                        continue
                    for event in events.completed_by(piece):
                        has_come = True
                        yield event
        except ApiAway:
            if not has_come:
                raise

    def _check_stream(self, endpoint: Endpoint, answer: Answer) -> None:
        if answer.status != HTTPStatus.OK:
            self._result(endpoint, answer)
        if answer.media_type != MEDIA_TYPE:
            raise NotAnApi(
                where=self._connection.url, why=f"it answered with {answer.media_type or 'nothing'} where {MEDIA_TYPE} was asked for"
            )

    def _check_way(self, endpoint: Endpoint, name: str, arguments: Mapping[str, Any]) -> None:
        """Raises SecretNotSent for a secret that is written out, where others could read it before a server refuses it."""
        if self._connection.is_private:
            return
        body = endpoint.call(arguments).body or {}
        if writes_out(body.get(name)) or writes_out(body, is_secret=False):
            raise SecretNotSent(where=self._connection.url)

    # Answers

    def _result(self, endpoint: Endpoint, answer: Answer) -> Mapping[str, Any]:
        if is_unknown_place(answer):
            self._check_offered(endpoint)
        data = result_in(answer, where=self._connection.url)
        for warning in data.get("warnings", ()):
            if warning not in self._told:
                self._told.add(warning)
                logger.warning("The web API at %s: %s", self._connection.url, warning)
        return data

    def _check_offered(self, endpoint: Endpoint) -> None:
        """Raises NotOffered where it is a server of headrace that has no such operation, and NotAnApi where it is none."""
        asking = Asking(method="GET", path="/capabilities", headers=JSON, seconds=self._read_seconds)
        able = result_in(self._connection.asked(asking), where=self._connection.url, is_first=True)["result"]
        if not isinstance(able, Mapping) or "operations" not in able:
            raise NotAnApi(where=self._connection.url, why="what answers does not say what it can do")
        if endpoint.operation.name not in able["operations"]:
            raise NotOffered(operation=endpoint.operation.name, where=self._connection.url, version=str(able.get("version")))


def _by_name(endpoint: Endpoint, values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call as a function of these names has them. Raises TypeError."""
    names = tuple(endpoint.arguments)
    arguments = {**dict(zip(names, values, strict=False)), **named}
    missing = [name for name in names if name not in arguments and name not in endpoint.defaults]
    if len(values) > len(names) or len(arguments) < len(values) + len(named) or missing or not arguments.keys() <= set(names):
        raise TypeError(f"{endpoint.operation.name} takes {', '.join(names) or 'nothing'}")
    return arguments


def _asking(endpoint: Endpoint, arguments: Mapping[str, Any], headers: Mapping[str, str], *, seconds: float) -> Asking:
    call = endpoint.call(arguments)
    body = None if call.body is None else _body(endpoint, call.body)
    return Asking(method=call.method, path=call.path, query=call.query, body=body, headers=headers, seconds=seconds)


def _body(endpoint: Endpoint, arguments: Mapping[str, Any]) -> bytes:
    """The arguments as JSON. What a run tells of itself is told whatever is in it, so what JSON has not is written out there; else it is refused."""
    try:
        return _json(arguments)
    except ValueError:
        if endpoint.operation.scope is Scope.RUN:
            return _json(_written_out(arguments))
    why = "there is a number in it that is infinite or none (NaN), or a text with half a character, and neither can be sent"
    raise WrongData(where=endpoint.operation.name, why=why)


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def _written_out(data: Any) -> Any:
    """Plain data that can be JSON in UTF-8: halves of surrogate pairs (in names of files, say) and numbers that are none are texts that say so."""
    if isinstance(data, str):
        return data.encode(errors="backslashreplace").decode()
    if isinstance(data, float) and not isfinite(data):
        return str(data)
    if isinstance(data, Mapping):
        return {_written_out(key): _written_out(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_written_out(value) for value in data]
    return data
