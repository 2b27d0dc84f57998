"""Over the wire: many wait at once, are answered at once, and cost nobody anything."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from headrace.instance import Instance
from headrace.model.queues import WorkQueue
from headrace_server.in_process import in_process
from headrace_server.serving import Address, Serving, in_a_thread
from headrace_server.threads import MOST_THREADS

LONG = 30.0
MANY = 300


def put_queue(house: Instance, name: str) -> None:
    """Something that an event tells of."""
    now = house.clock.now()
    house.client.put_work_queue(WorkQueue(id=house.ids.new(), name=name, created=now, updated=now))


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    """A connection."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=LONG) as connection:
        yield connection


def send_wait(connection: socket.socket, after: int, seconds: float = LONG) -> None:
    """Asks to wait, and does not read the answer."""
    body = json.dumps({"wanted": {"after": after}, "seconds": seconds}).encode()
    head = f"POST /api/events/wait HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


def answer_of(connection: socket.socket) -> list[dict[str, object]]:
    """What came back at last."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    size = int(next(line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length")))
    while len(body) < size:
        body += connection.recv(65536)
    found: list[dict[str, object]] = json.loads(body)["result"]
    return found


def until_waiting(serving: Serving, number: int) -> None:
    """Returns when so many wait."""
    pause = threading.Event()
    for _ in range(3000):
        if serving.waiters == number:
            return
        pause.wait(0.01)
    pytest.fail(f"{serving.waiters} wait, not {number}")


@pytest.fixture
def serving(house: Instance) -> Iterator[Serving]:
    """A server in a thread."""
    with in_a_thread(Serving(house, Address())) as found:
        yield found


def test_many_wait_without_threads(house: Instance, serving: Serving) -> None:
    """Several hundred who wait take no thread each, and one commit answers all of them."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(serving.url)) for _ in range(MANY)]
        after = house.client.read_last_event()
        for connection in connections:
            send_wait(connection, after)
        until_waiting(serving, MANY)
        assert sum(thread.name.startswith("headrace-api") for thread in threading.enumerate()) <= MOST_THREADS
        put_queue(house, "q")
        assert [[event["kind"] for event in answer_of(connection)] for connection in connections] == [["work-queue.changed"]] * MANY
    until_waiting(serving, 0)


def test_who_asks_something_else_does_not_wait(house: Instance, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that has nothing to do with those who wait looks into the store as often as if nobody waited: nothing is done for each of them."""
    with ExitStack() as stack:
        for _ in range(MANY):
            send_wait(stack.enter_context(connected(serving.url)), house.client.read_last_event())
        until_waiting(serving, MANY)
        looks, kind = [], type(in_process(house.client).store)
        look = kind.reading
        monkeypatch.setattr(kind, "reading", lambda store: [looks.append(store), look(store)][1])
        with connected(serving.url) as connection:
            for _ in range(10):
                connection.sendall(b"GET /api/agents HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert answer_of(connection) == []
        assert len(looks) == 10


def test_who_hangs_up_is_forgotten(house: Instance, serving: Serving) -> None:
    """Nobody waits for somebody who has hung up."""
    with connected(serving.url) as connection:
        send_wait(connection, 0)
        until_waiting(serving, 1)
    until_waiting(serving, 0)


def test_the_end_answers_all_who_wait(house: Instance) -> None:
    """A server that is told to end answers those who wait, and closes their connections."""
    with ExitStack() as stack:
        with in_a_thread(Serving(house, Address())) as serving:
            connections = [stack.enter_context(connected(serving.url)) for _ in range(3)]
            for connection in connections:
                send_wait(connection, 0)
            until_waiting(serving, 3)
        assert [answer_of(connection) for connection in connections] == [[], [], []]
        assert [connection.recv(1) for connection in connections] == [b"", b"", b""]
