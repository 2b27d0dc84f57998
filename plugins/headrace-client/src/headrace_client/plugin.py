"""What headrace-client offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_clients() -> Iterator[Provider[Any]]:
    yield Provider("http", "headrace_client.client:HttpClient", "Asks the web API of a server")


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("server", "headrace_client.storage:ServerStorage", "The storage of the server that the orchestration is reached by")
