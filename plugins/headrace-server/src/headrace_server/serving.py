"""Serving: an orchestration at an address, until it is told to end.

`serve` stays in the thread that calls it; `served` serves from a thread of its own for as long as its context lasts, which is what tests use::

    with headrace.open() as house, served(house) as address:
        ...  # address is like http://127.0.0.1:41873/api
"""

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.instance import Instance
from headrace_server.app import App
from headrace_server.doors import Doors
from headrace_server.files import MOST_BYTES
from headrace_server.listening import Address, Listening, in_a_thread
from headrace_server.own import Own
from headrace_server.routing import API


class Serving(Listening[App]):
    """The application over a house, listening. `services` are the names of those that step beside it."""

    def __init__(self, house: Instance, address: Address, *, services: tuple[str, ...] = (), storage_bytes: int = MOST_BYTES) -> None:
        doors = Doors.of(house, address.host, address.names, needs_token=address.needs_token)
        own = Own.of(house, services)
        super().__init__(address, lambda: App(house, doors, own, storage_bytes=storage_bytes, pages=address.dashboard))

    @property
    def page(self) -> str | None:
        """The address of its first page, where a plugin brings one."""
        return f"{self.url.removesuffix(API)}/" if any(getattr(route, "path", "") == "/" for route in self._app.routes[""]) else None

    @property
    def waiters(self) -> int:
        """How many wait for events."""
        return self._app.waiting.waiters


@contextmanager
def served(house: Instance, address: Address | None = None) -> Iterator[str]:
    """Serves a house from a thread; gives the address of its API. Raises CannotServe."""
    with in_a_thread(Serving(house, address or Address())) as serving:
        yield serving.url
