"""Moves: a proposal that a run enter a state."""

import attrs

from headrace.model.states import State


@attrs.frozen(kw_only=True)
class Move:
    """Asks that a run enter a state. `id` is made by who asks, and asking again with it gets the first answer.

    `epoch` is of the root run's lease; who holds none (a person, a scheduler) leaves it out.
    """

    id: str
    run_id: str
    state: State
    epoch: int | None = None
