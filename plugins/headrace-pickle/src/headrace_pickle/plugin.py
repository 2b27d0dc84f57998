"""What headrace-pickle offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_serializers() -> Iterator[Provider[Any]]:
    yield Provider(
        "pickle",
        "headrace_pickle.serializer:PickleSerializer",
        "Almost any Python value; read in a flow run's process only",
        runs_code=True,
    )
