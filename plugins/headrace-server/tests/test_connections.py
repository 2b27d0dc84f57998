"""Connections that hold a place without doing their part; each byte goes over a real socket."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from urllib.parse import urlsplit

import pytest

from headrace_server import bodies, bounds, connections
from headrace_server.bodies import time_left
from headrace_server.bounds import most_connections

Connect = Callable[[], socket.socket]
SECONDS = 30
SHORT = 0.3
HEAD = b"POST /api/flow-runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
ASK = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connect(address: str) -> Iterator[Connect]:
    """Connects to a server."""
    opened = []

    def connect() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), SECONDS)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def drip(connection: socket.socket, byte: bytes = b"x") -> bytes:
    """Sends byte by byte until the other side has ended the connection; what it said."""
    said = b""
    connection.settimeout(0.01)
    for _ in range(int(SECONDS / 0.01)):
        try:
            connection.sendall(byte)
            if not (came := connection.recv(1 << 16)):
                return said
            said += came
        except TimeoutError:
            continue
        except OSError:
            return said
    raise AssertionError("it goes on for ever")


def answer(connection: socket.socket) -> bytes:
    """The next answer with a JSON object as its body."""
    said = b""
    while not said.endswith(b"}"):
        came = connection.recv(1 << 16)
        assert came, said
        said += came
    return said


def is_ended(connection: socket.socket) -> bool:
    with suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["nothing", "half"])
def test_a_head_that_does_not_end(connect: Connect, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """It is waited for, for as long as all of it may take."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
    quiet, dripping = connect(), connect()
    quiet.sendall(begun)
    dripping.sendall(begun or b"G")
    assert drip(dripping) == b""
    assert is_ended(quiet)


def test_a_second_head_that_does_not_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was used well may be held no longer than another one."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
    connection = connect()
    connection.sendall(ASK)
    assert b"200 OK" in answer(connection)
    connection.sendall(b"G")
    assert drip(connection, b"E") == b""


def test_a_body_that_does_not_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with what to do, and the connection ends."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", SHORT)
    connection = connect()
    connection.sendall(HEAD)
    head, _, body = drip(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["detail"].startswith("the body came too slowly: for 0.3 seconds it was less than 8192 bytes a second")


def test_a_file_that_does_not_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for what is no JSON."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", SHORT)
    connection = connect()
    connection.sendall(b"PUT /api/files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
    assert drip(connection).startswith(b"HTTP/1.1 408 Request Timeout")


def test_a_body_that_comes_steadily() -> None:
    """It may take long; who was fast may not be slow for longer."""
    assert time_left(30, 10, 0) == 20
    assert time_left(20, 10, 5 * bodies.LEAST_RATE) == 15
    assert time_left(20, 1, bodies.MOST_BYTES) == bodies.BODY_SECONDS


def test_a_body_that_nobody_reads(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused before is not listened to for ever."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
    connection = connect()
    connection.sendall(HEAD.replace(b"/flow-runs", b"/nothing"))
    assert b"404 Not Found" in answer(connection)
    assert drip(connection) == b""


def test_who_is_quiet_between_two_questions_is_not_ended(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor who waits for an answer that takes long."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
    connection = connect()
    connection.sendall(ASK)
    assert b"200 OK" in answer(connection)
    Event().wait(2 * SHORT)
    body = json.dumps({"wanted": {}, "seconds": 2 * SHORT}).encode()
    wait = f"POST /api/events/wait HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(wait.encode() + body)
    assert b"200 OK" in answer(connection)


def test_an_answer_that_is_not_taken(connect: Connect, ask: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept for ever."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", SHORT)
    size = 32 << 20
    ask("PUT", "/files/large", raw=bytes(size), headers={"Content-Type": "application/octet-stream"})
    connection = connect()
    connection.sendall(b"GET /api/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    taken = len(connection.recv(1))
    Event().wait(4 * SHORT)
    with suppress(ConnectionError):
        while came := connection.recv(1 << 20):
            taken += len(came)
    assert taken < size


def test_more_connections_than_there_may_be(connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """They are ended at once, which is said once; those that are there go on, and when one has gone, another one may come."""
    monkeypatch.setattr(connections, "most_connections", lambda: 2)
    first, second = connect(), connect()
    for connection in (first, second):
        connection.sendall(ASK)
        answer(connection)
    with caplog.at_level(logging.WARNING, "headrace.server"):
        assert is_ended(connect())
        assert is_ended(connect())
    assert [record.getMessage() for record in caplog.records if "connections" in record.getMessage()] == [
        "There are 2 connections, and more are refused: that many files may be open in a process (ulimit -n)"
    ]
    first.sendall(ASK)
    answer(first)
    second.close()
    third = connect()
    third.sendall(ASK)
    while True:  # until it has seen that the second one is gone
        with suppress(ConnectionError):
            if third.recv(1):
                break
        third = connect()
        third.sendall(ASK)


@pytest.mark.skipif(os.name != "posix", reason="it is the limit of such systems")
def test_there_may_be_as_many_as_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that a server opens beside; never so few that nobody can ask, nor so many that they fill the machine."""
    import resource

    for limit, most in ((1024, 1024 - bounds.FILES), (100, bounds.LEAST_CONNECTED), (resource.RLIM_INFINITY, bounds.MOST_CONNECTED)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert most_connections() == most
