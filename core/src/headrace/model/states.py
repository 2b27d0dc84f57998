"""States: what a run is, at one moment."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from headrace.errors import ResultNotKept, ResultNotLoaded, RunFailed, RunNotFinished
from headrace.model.results import ResultReference
from headrace.model.storages import storage_name


class StateType(StrEnum):
    """The nine kinds of state that rules speak of; a state's name may say more."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"


TERMINAL = frozenset({StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED})
NOT_ENDED = tuple(kind for kind in StateType if kind not in TERMINAL)

LOST = "Lost"
AWAITING_RESTART = "AwaitingRestart"
AWAITING_RETRY = "AwaitingRetry"
AWAITING_RESUME = "AwaitingResume"
SKIPPED = "Skipped"


class _Missing:
    """Says that a state carries no live data; None is data."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"  # there is one in each process


MISSING = _Missing()


@attrs.frozen(kw_only=True)
class State:
    """What a run is at one moment. Make one with a class method: `State.completed(data=3)`, `State.failed(message="no rows")`.

    `data` is the live value (or exception, or list of states) and never leaves the process; `reference` says where it was kept.
    `timestamp` is None until a rule accepts the state.
    """

    type: StateType
    name: str = attrs.field(default=attrs.Factory(lambda self: self.type.value.capitalize(), takes_self=True))
    message: str | None = None
    timestamp: datetime | None = None
    scheduled_time: datetime | None = None
    cache_key: str | None = None
    cache_expiration: datetime | None = None
    child_flow_run_id: str | None = None
    reference: ResultReference | None = None
    data: Any = attrs.field(default=MISSING, eq=False, repr=False)

    @classmethod
    def scheduled(cls, at: datetime, *, name: str = "Scheduled", message: str | None = None) -> "State":
        """Due at a moment (aware)."""
        return cls(type=StateType.SCHEDULED, name=name, message=message, scheduled_time=at)

    @classmethod
    def pending(cls, message: str | None = None) -> "State":
        """Taken, not started."""
        return cls(type=StateType.PENDING, message=message)

    @classmethod
    def running(cls, name: str = "Running") -> "State":
        """User code runs."""
        return cls(type=StateType.RUNNING, name=name)

    @classmethod
    def completed(cls, data: Any = None, *, name: str = "Completed", message: str | None = None) -> "State":
        """Ended well."""
        return cls(type=StateType.COMPLETED, name=name, message=message, data=data)

    @classmethod
    def failed(cls, data: Any = MISSING, *, name: str = "Failed", message: str | None = None) -> "State":
        """Ended by a failure of user code; `data` is the exception, or the states that made it fail."""
        return cls(type=StateType.FAILED, name=name, message=message, data=data)

    @classmethod
    def crashed(cls, message: str, data: Any = MISSING) -> "State":
        """Ended by something outside user code."""
        return cls(type=StateType.CRASHED, message=message, data=data)

    @classmethod
    def lost(cls, message: str) -> "State":
        """Presumed to have ended, since nobody renewed its lease. Who holds that lease knows better, and may come back."""
        return cls(type=StateType.CRASHED, name=LOST, message=message)

    @classmethod
    def awaiting_restart(cls, at: datetime, message: str | None = None) -> "State":
        """To be started again, by a new process; who held its lease may come back as long as nobody else has taken it."""
        return cls.scheduled(at, name=AWAITING_RESTART, message=message)

    @classmethod
    def paused(cls, message: str | None = None) -> "State":
        """Held by somebody, without a process, until it is resumed."""
        return cls(type=StateType.PAUSED, message=message)

    @classmethod
    def awaiting_resume(cls, message: str | None = None) -> "State":
        """Paused by its own flow, which goes on from there when it is resumed."""
        return cls(type=StateType.PAUSED, name=AWAITING_RESUME, message=message)

    @classmethod
    def cancelled(cls, message: str | None = None) -> "State":
        """Ended because somebody said so."""
        return cls(type=StateType.CANCELLED, message=message)

    @classmethod
    def skipped(cls, message: str) -> "State":
        """Never started: the time that it was made for had passed, or came too soon."""
        return cls(type=StateType.CANCELLED, name=SKIPPED, message=message)

    def is_terminal(self) -> bool:
        return self.type in TERMINAL

    def is_scheduled(self) -> bool:
        return self.type is StateType.SCHEDULED

    def is_pending(self) -> bool:
        return self.type is StateType.PENDING

    def is_running(self) -> bool:
        return self.type is StateType.RUNNING

    def is_completed(self) -> bool:
        return self.type is StateType.COMPLETED

    def is_failed(self) -> bool:
        return self.type is StateType.FAILED

    def is_crashed(self) -> bool:
        return self.type is StateType.CRASHED

    def is_cancelled(self) -> bool:
        return self.type is StateType.CANCELLED

    def is_paused(self) -> bool:
        return self.type is StateType.PAUSED

    def is_at_rest(self) -> bool:
        """Whether no process is at work on the run, or is to be: it has ended, is paused, or waits to be started again."""
        return self.is_terminal() or self.is_paused() or self.awaits_restart()

    def is_lost(self) -> bool:
        return self.is_crashed() and self.name == LOST

    def awaits_restart(self) -> bool:
        return self.is_scheduled() and self.name == AWAITING_RESTART

    def result(self, *, raise_on_failure: bool = True) -> Any:
        """The value of a run that completed; a failure is raised, or returned where `raise_on_failure` is False.

        Nested states (of a flow that returned states) are searched for the first failure. Raises RunNotFinished, RunFailed,
        ResultNotKept, ResultNotLoaded, and whatever user code raised.
        """
        if not self.is_terminal():
            raise RunNotFinished(state=self.type)
        if not self.is_completed():
            failure = self._failure()
            if raise_on_failure:
                raise failure
            return failure
        if self.data is not MISSING:
            return self.data
        if self.reference is None:
            raise ResultNotKept(what="this run")
        raise ResultNotLoaded(storage=storage_name(self.reference.storage))

    def _failure(self) -> BaseException:
        if isinstance(self.data, BaseException):
            return self.data
        if isinstance(self.data, (list, tuple, set, frozenset)):
            nested = (state._failure() for state in self.data if isinstance(state, State) and not state.is_completed())
            return next(nested, RunFailed(state=self.type, message=self.message or self.name))
        return RunFailed(state=self.type, message=self.message or self.name)

    def __str__(self) -> str:
        kind = "" if self.name.upper() == self.type else f", type={self.type}"
        return f"{self.name}({repr(self.message) if self.message else ''}{kind})"
