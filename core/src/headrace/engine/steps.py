"""The steps of a run's life.

A life (of a flow run, of a task run) is a generator. It yields a step for everything that may take time, is sent what came of it, and returns the
final state. It never blocks, starts no thread and awaits nothing; so the same life is driven in the calling thread, on an event loop, or behind
the scenes, by the drivers in `drive`.
"""

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from headrace.engine.run_context import RunContext
from headrace.model.states import State

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


@attrs.frozen
class Ask:
    """A question to the orchestration or to a storage; short, but it may block."""

    question: Callable[[], Any]


@attrs.frozen(kw_only=True)
class Invoke:
    """User code, called in its run's context. `hand_over` lets the flow's task runner have it."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    context: RunContext
    is_async: bool = False
    timeout: float | None = None
    what: str = ""
    log_prints: bool = False
    hand_over: bool = False


@attrs.frozen
class Sleep:
    """Waiting, in seconds, or less if what may come before does."""

    seconds: float
    or_until: "Future[None] | None" = None


@attrs.frozen
class Settle:
    """Waiting until all of these have ended, well or not, or so many seconds have passed (None: however long it takes)."""

    futures: "tuple[Future[Any], ...]"
    seconds: float | None = None


Step = Ask | Invoke | Sleep | Settle
Steps = Generator[Step, Any, T]
Life = Steps[State]
