"""What headrace-s3 offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("s3", "headrace_s3.storage:S3Storage", "A bucket of Amazon S3, or of a server that speaks as it does")
