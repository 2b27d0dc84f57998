"""What everybody in a simulated world has to do with."""

from collections.abc import Callable

import attrs

from headrace.ids import Ids
from headrace.model.logs import LogLine
from headrace.ports.client import OpenClient
from headrace.ports.run_store import OpenRunStore
from headrace.rules.decide import RuleBook
from headrace.testing.sim.link import linked
from headrace.testing.sim.witness import Witness
from headrace.testing.sim.world import Actor, World


@attrs.frozen(kw_only=True)
class House:
    """A world with its orchestration, which is asked by `client`. `store` and `onlooker` are for those who look on: what they ask never fails."""

    world: World
    witness: Witness
    store: OpenRunStore
    client: OpenClient
    onlooker: OpenClient
    rules: RuleBook
    ids: Ids

    def link(self, caller: Actor, kill: Callable[[], None] | None = None) -> OpenClient:
        """A way to the orchestration for one caller."""
        return linked(self.world, self.witness, self.client, caller, kill)

    def line(self, run_id: str, message: str, *, task_run_id: str | None = None) -> LogLine:
        """Something that a run says."""
        return LogLine(
            id=self.ids.new(),
            flow_run_id=run_id,
            task_run_id=task_run_id,
            timestamp=self.world.clock.now(),
            level=20,
            logger="headrace.sim",
            message=message,
        )
