"""The table of legal moves.

A row says what a run in one state may be asked to enter. Rules may answer a legal move with a different state, or with waiting; a move
that is not in the table is refused before any rule is asked. Terminal states have no way out here. Going again after the end is a
retry, which is its own operation, and a holder that was presumed lost comes back through the rule on leases.
"""

from headrace.model.states import TERMINAL, StateType

SCHEDULED, PENDING, RUNNING = StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING
PAUSED, CANCELLING = StateType.PAUSED, StateType.CANCELLING
COMPLETED, FAILED = StateType.COMPLETED, StateType.FAILED
CRASHED, CANCELLED = StateType.CRASHED, StateType.CANCELLED

LEGAL: dict[StateType, frozenset[StateType]] = {
    SCHEDULED: frozenset({SCHEDULED, PENDING, RUNNING, PAUSED, CANCELLING, COMPLETED, FAILED, CRASHED, CANCELLED}),
    PENDING: frozenset({SCHEDULED, RUNNING, PAUSED, CANCELLING, COMPLETED, FAILED, CRASHED, CANCELLED}),
    RUNNING: frozenset({SCHEDULED, PAUSED, CANCELLING, COMPLETED, FAILED, CRASHED, CANCELLED}),
    PAUSED: frozenset({SCHEDULED, PENDING, RUNNING, CANCELLING, COMPLETED, FAILED, CRASHED, CANCELLED}),
    CANCELLING: frozenset({COMPLETED, FAILED, CRASHED, CANCELLED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CRASHED: frozenset(),
    CANCELLED: frozenset(),
}


def is_legal(current: StateType, wanted: StateType) -> bool:
    """Whether the table has the move."""
    return wanted in LEGAL[current]


def why_not(current: StateType, wanted: StateType) -> str:
    """The sentence for a move that the table does not have."""
    if current in TERMINAL:
        return f"the run has already ended ({current})"
    if current is wanted:
        return f"the run is already {current}"
    return f"a run that is {current} cannot become {wanted}"
