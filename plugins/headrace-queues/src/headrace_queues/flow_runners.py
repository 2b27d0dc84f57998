"""The queue matcher `flow_runners`."""

from typing import Any

import attrs

from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.model.texts import as_texts, quoted


@attrs.frozen(kw_only=True)
class FlowRunnersMatcher:
    """Wants runs whose own flow runner is one of these. A run that leaves the choice to the agent has 'universal', and is wanted by that name."""

    def checked(self, wanted: Any) -> list[str]:
        return as_texts(wanted, where="queue matcher 'flow_runners'")

    def matches(self, wanted: Any, run: FlowRun) -> Reason:
        if run.flow_runner is None:
            return Reason(fits=False, why="it has no flow runner")
        name = run.flow_runner.name
        if name in wanted:
            return Reason(fits=True, why=f"its flow runner is {name!r}")
        return Reason(
            fits=False, why=f"its flow runner is {name!r}, not {quoted(wanted) if len(wanted) == 1 else f'one of {quoted(wanted)}'}"
        )
