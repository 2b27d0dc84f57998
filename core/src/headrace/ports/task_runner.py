"""The port of task runners: how submitted task calls run inside a flow run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class OpenTaskRunner(Protocol):
    """A task runner at work for one flow run. Leaving its context ends it: what runs is waited for, what waits is cancelled."""

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Runs the call, now or when there is room, and answers at once with its future.

        The call is self-contained and its inputs are there: it never waits for another. Its exception becomes the future's. Called from
        any thread; after the end it raises TaskRunnerClosed. States and retries are the engine's: nothing is run twice.
        """
        ...


class TaskRunner(Protocol):
    """A task runner as a value: its fields are its options.

    `in_process`: calls run in this process, so they see its memory and the engine may run coroutines on its own loop; otherwise calls and
    what they return travel through cloudpickle. `in_order`: a call starts only after the one submitted before it has ended.
    """

    in_process: ClassVar[bool]
    in_order: ClassVar[bool]

    def open(self) -> AbstractContextManager[OpenTaskRunner]: ...
