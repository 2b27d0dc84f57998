"""What headrace-kv offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("kv", "headrace_kv.storage:KVServerStorage", "A KV server, or any server of headrace, at an address of its own")


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("kv-server", "headrace_kv.command:kv_server", "Serve a storage that other machines reach")
