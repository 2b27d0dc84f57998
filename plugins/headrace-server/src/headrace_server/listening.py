"""Listening: an application at an address, until it is told to end."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import attrs
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from headrace.errors import CannotServe
from headrace_server.connections import bounded
from headrace_server.routing import API

KEEP_ALIVE_SECONDS = 75
END_SECONDS = 10
"""How long what is being asked when the server is told to end may still take."""

_MOST_WAITING = 2048


class Application(Protocol):
    """What is served."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def end(self) -> None:
        """Answers those who wait; called on the loop, before connections are waited for."""

    def close(self, *, wait: bool = True) -> None:
        """Lets go of what it holds, once what is being asked is answered; unless told to `wait`, at once."""


A = TypeVar("A", bound=Application)
L = TypeVar("L", bound="Listening[Any]")


@attrs.frozen(kw_only=True)
class Address:
    """Where a server listens: port 0 is any that is free. With a certificate it speaks TLS. `names`: what else it is called, as by a proxy. `needs_token`:
    also who is on this machine must say who they are. `dashboard`: whether pages that plugins bring are served."""

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str | None = None
    key: str | None = None
    names: tuple[str, ...] = ()
    needs_token: bool = False
    dashboard: bool = True

    def url(self, port: int) -> str:
        """The address of the API, as clients write it; who listens at all addresses of a machine goes by its name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.host in ("0.0.0.0", "::", ""):
            host = socket.gethostname()
        return f"{'https' if self.certificate else 'http'}://{host}:{port}{API}"


class Listening(Generic[A]):
    """An application at an address that is already listened at; `url` says which. `serve` returns when it has been told to `end`."""

    def __init__(self, address: Address, application: Callable[[], A]) -> None:
        self._socket = _listening(address)
        self.url = address.url(self._socket.getsockname()[1])
        with contextlib.ExitStack() as unless_it_can_serve:
            unless_it_can_serve.callback(self._socket.close)
            self._app = application()
            unless_it_can_serve.callback(self._app.close)
            self._server = _Server(_loaded(self._app, address, self.url), self._app.end)
            unless_it_can_serve.pop_all()

    @property
    def is_forced(self) -> bool:
        """Whether it was told to end at once."""
        return self._server.force_exit

    def serve(self) -> None:
        """Answers until it is told to end, and until what was asked before is answered."""
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()
            self._app.close(wait=not self.is_forced)

    def end(self) -> None:
        """Tells it to end, from any thread or from a signal; the second time it does not wait for what is being asked."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True


class _Server(Server):
    """Leaves signals to who started it, and lets those go first who would wait longer than its end may take."""

    def __init__(self, config: Config, release: Callable[[], None]) -> None:
        super().__init__(config)
        self._release = release

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._release()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _listening(address: Address) -> socket.socket:
    """A socket that listens. Raises CannotServe."""
    with contextlib.ExitStack() as unless_it_listens:
        try:
            found = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, where = found[0]
            listening = unless_it_listens.enter_context(
                socket.socket(family, kind, protocol)
            )  # asyncio sends at once where it is told that this is TCP
            if os.name == "posix":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(_MOST_WAITING)
        except (OSError, UnicodeError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise CannotServe(where=f"{address.host}:{address.port}", why=why) from None
        unless_it_listens.pop_all()
        return listening


def _loaded(app: Application, address: Address, url: str) -> Config:
    """Raises CannotServe for a certificate that cannot be used."""
    config = _config(app, address)
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise CannotServe(where=url, why=f"{address.certificate} is no certificate in PEM with its key: {error}") from None
    return config


def _config(app: Application, address: Address) -> Config:
    return Config(
        app,
        lifespan="off",
        loop="asyncio",
        http=bounded(),
        ws="none",
        log_config=None,
        access_log=logging.getLogger("headrace.server").isEnabledFor(logging.DEBUG),
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
        backlog=_MOST_WAITING,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )


@contextmanager
def in_a_thread(listening: L) -> Iterator[L]:
    """Serves for as long as the context lasts."""
    thread = threading.Thread(target=listening.serve, name="headrace-server")
    thread.start()
    try:
        yield listening
    finally:
        listening.end()
        thread.join()
