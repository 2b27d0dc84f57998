"""Something between a client and its server that sees what goes there, and acts in the middle of it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PIECE = 65_536


@contextmanager
def between(port: int, *, is_time: Callable[[int, bytes], bool], act: Callable[[], object]) -> Iterator[int]:
    """A port of its own that leads to the server's. `act` is called once, before the piece goes on that `is_time` says yes to, of how much went before it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        lead = _Lead(listening, port, is_time, act)
        accepting = threading.Thread(target=lead.accept)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            lead.close()
            accepting.join()


class _Lead:
    """Every connection, in two threads: one for each direction."""

    def __init__(self, listening: socket.socket, port: int, is_time: Callable[[int, bytes], bool], act: Callable[[], object]) -> None:
        self._listening = listening
        self._port = port
        self._is_time = is_time
        self._act = act
        self._lock = threading.Lock()
        self._went = 0
        self._has_acted = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._sockets.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                _end(client)
                continue
            self._sockets.append(server)
            for source, to, passed in ((client, server, self._seen), (server, client, lambda piece: None)):
                thread = threading.Thread(target=_pass_on, args=(source, to, passed))
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        for each in tuple(self._sockets):
            _end(each)
        for thread in tuple(self._threads):
            thread.join()
        for each in tuple(self._sockets):
            each.close()

    def _seen(self, piece: bytes) -> None:
        with self._lock:
            if not self._has_acted and self._is_time(self._went, piece):
                self._has_acted = True
                self._act()
            self._went += len(piece)


def _pass_on(source: socket.socket, to: socket.socket, passed: Callable[[bytes], object]) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            passed(piece)
            to.sendall(piece)
    _end(source)
    _end(to)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
