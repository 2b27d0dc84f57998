"""What becomes of a run whose process was interrupted while it was under way."""

from headrace.engine.terminated import Terminated
from headrace.errors import HeadraceError, RunStopped
from headrace.instance import Instance
from headrace.model.states import State, StateType
from headrace.model.texts import said_by


def ended_by(error: BaseException, house: Instance, root_id: str) -> State | None:
    """The state that a run ends in which an exception went through: cancelled if its root run is being cancelled, else crashed.

    None if it is not for this process to say, since the run was taken from it.
    """
    cancelled = being_cancelled(house, root_id)
    if cancelled is not None:
        return cancelled
    return None if isinstance(error, RunStopped) else crashed(error)


def crashed(error: BaseException) -> State:
    """The state of what an exception from outside of user code went through."""
    return State.crashed(_what_interrupted(error), error)


def overdue() -> BaseException:
    """What goes through a run when the time of the flow run is over that it is part of."""
    from headrace.engine.deadline import Overdue  # what it needs costs time that most runs need not pay

    return Overdue()


def is_overdue(error: BaseException) -> bool:
    """Whether it is what goes through a run whose time is over."""
    return type(error).__name__ == "Overdue"


def is_interruption(error: BaseException) -> bool:
    """Whether somebody wants this to end, and soon."""
    return isinstance(error, (Terminated, KeyboardInterrupt)) or type(error).__name__ == "CancelledError"


def being_cancelled(house: Instance, root_id: str) -> State | None:
    """The state that a root run is to end in which somebody cancels; None where nobody does, or nobody can be asked."""
    try:
        root = house.client.read_flow_run(root_id)
    except HeadraceError:  # it is gone, or out of reach
        return None
    is_cancelled = root.state.type in (StateType.CANCELLING, StateType.CANCELLED)
    return State.cancelled(root.state.message) if is_cancelled else None


def _what_interrupted(error: BaseException) -> str:
    if type(error).__name__ == "OutOfTime":  # what few need is not imported for it
        return "Execution was stopped: it had used the seconds of processors that it may use (cpu_seconds)."
    if isinstance(error, Terminated):
        return "Execution was stopped by a signal to end."
    if isinstance(error, KeyboardInterrupt):
        return "Execution was aborted by an interrupt signal."
    if isinstance(error, SystemExit):
        return "Execution was aborted by Python system exit call."
    if type(error).__name__ == "CancelledError":
        return "Execution was cancelled by the runtime environment."
    if is_overdue(error):
        return "Execution was ended, since the run that it is part of exceeded its timeout."
    return f"Execution was interrupted by an unexpected exception. {said_by(error)}"
