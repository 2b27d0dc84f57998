"""What a server needs of the client without a wire, beside what clients may ask."""

from typing import Protocol, cast

from headrace.ports.client import OpenClient
from headrace.ports.run_store import OpenRunStore


class Mark(Protocol):
    """Says in the store that it is served."""

    def keep(self) -> None: ...


class InProcess(Protocol):
    """The client without a wire, as far as a server looks into it."""

    @property
    def store(self) -> OpenRunStore: ...

    @property
    def serving(self) -> Mark: ...


def in_process(client: OpenClient) -> InProcess:
    """The client of an orchestration in this process, which is what a server serves."""
    assert hasattr(client, "store"), "a server is opened over an orchestration in its own process"
    return cast(InProcess, client)
