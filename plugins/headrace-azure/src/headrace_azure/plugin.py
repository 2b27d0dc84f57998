"""What headrace-azure offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("azure", "headrace_azure.storage:AzureStorage", "A container of Azure Blob Storage")
