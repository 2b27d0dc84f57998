"""The port of flow runners: where the process of a flow run lives."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from headrace.model.orders import ExitStatus, Order


class Process(Protocol):
    """A run's process, container or whatever it is. It owns itself: whoever started it may go away."""

    @property
    def identity(self) -> str:
        """That of the order it was started for."""
        ...

    @property
    def remark(self) -> str:
        """Something about its start that the run's log is to tell; empty where there is nothing."""
        ...

    @property
    def last_words(self) -> str:
        """What it said when it could not even begin, which stands in no run's log; empty where there is nothing, or as long as it lives."""
        ...

    def wait(self, timeout: float) -> ExitStatus | None:
        """How it ended; None if it has not after so many seconds. 0 looks and does not wait."""
        ...

    def stop(self, grace: float) -> None:
        """Asks it to end, and ends it with all that it started when it has not after so many seconds. Returns when it has ended."""
        ...


@runtime_checkable
class Arrives(Protocol):
    """A process may be on its way for long after it was started: a pod waits for a node. Until it has begun, whoever started it renews the run's lease."""

    @property
    def has_begun(self) -> bool:
        """Whether what runs the code is there. It need not be asked anew: `wait` looks."""
        ...


class OpenFlowRunner(Protocol):
    """A flow runner in use by one agent. Leaving its context ends what it keeps ready, and no run."""

    def start(self, order: Order) -> Process:
        """Starts `python -m headrace.engine` with the order's variables in its environment, never in its arguments.

        Starting an identity that was started before gives the same process. What lives elsewhere is started in threads, several at once, and may take
        its time. Raises FlowRunnerFailed; then nothing runs.
        """
        ...

    def find(self, identity: str) -> Process | None:
        """The process of that identity if it still lives, whoever started it."""
        ...

    def running(self) -> Iterable[str]:
        """The identities of all processes that live, whoever started them."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """An open flow runner may be asked to get ready for a first run, by an agent that looks ahead: to pull an image, say."""

    def prepare(self) -> None:
        """Returns when it is ready. It is called beside, from another thread, and may raise anything: the run tries it again."""
        ...


class FlowRunner(Protocol):
    """A flow runner as a value: its fields are its options. It starts and stops, and knows no states.

    With an option `stream_output` that is true, the agent shows what its runs say, wherever they live.
    """

    @property
    def interpreter(self) -> str | None:
        """The Python of this machine that runs the code, for which a deployment is verified; None where it lives elsewhere."""
        ...

    def open(self) -> AbstractContextManager[OpenFlowRunner]: ...
