"""Explanations: why a run is not running, or what happened to it."""

from datetime import datetime
from enum import StrEnum

import attrs


class Kind(StrEnum):
    """What keeps a run from being started."""

    DUE_LATER = "due_later"
    DEPLOYMENT_PAUSED = "deployment_paused"
    HELD_BACK = "held_back"
    NO_QUEUE = "no_queue"
    NOT_WANTED = "not_wanted"
    PAUSED = "paused"
    FULL = "full"
    SHUT = "shut"
    NO_AGENT = "no_agent"
    NO_FLOW_RUNNER = "no_flow_runner"
    NO_STORAGE = "no_storage"
    BUSY_AGENTS = "busy_agents"


PASSING = frozenset({Kind.DUE_LATER, Kind.HELD_BACK, Kind.FULL, Kind.BUSY_AGENTS})
"""What goes away by itself."""


@attrs.frozen(kw_only=True)
class Obstacle:
    """One thing that is in the way, as a sentence; `advice` is a command that would help. `queue` is the name of the work queue where it stands."""

    kind: Kind
    sentence: str
    queue: str | None = None
    advice: str = ""


@attrs.frozen(kw_only=True)
class Wait:
    """What kept a run waiting that was due, from a moment to another; None: it still does. Moments are those at which somebody looked."""

    run_id: str
    since: datetime
    until: datetime | None = None
    obstacles: tuple[Obstacle, ...] = ()


@attrs.frozen(kw_only=True)
class Explanation:
    """The answer to the question: `summary` in one sentence, `obstacles` that stand now (`queues` are those that want the run), and earlier `waits`."""

    summary: str
    obstacles: tuple[Obstacle, ...] = ()
    queues: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def hindrance(self) -> Obstacle | None:
        """What somebody must do something about, or it is never started; None where it is only a matter of time, or nothing is in the way."""
        lasting = [obstacle for obstacle in self.obstacles if obstacle.kind not in PASSING]
        stuck = {obstacle.queue for obstacle in lasting}
        if not lasting or (lasting[0].queue is not None and any(queue not in stuck for queue in self.queues)):
            return None
        return lasting[0]
