"""What headrace-gcs offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("gcs", "headrace_gcs.storage:GcsStorage", "A bucket of Google Cloud Storage")
