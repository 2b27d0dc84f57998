"""The reference queue matcher: runs of flows, by the flow's name."""

from typing import Any

import attrs

from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.model.texts import as_texts, quoted


@attrs.frozen(kw_only=True)
class FlowsMatcher:
    """Wants the runs of one of these flows. `wanted` is a list of their names."""

    def checked(self, wanted: Any) -> list[str]:
        return as_texts(wanted, where="queue matcher 'flows'")

    def matches(self, wanted: Any, run: FlowRun) -> Reason:
        if run.flow_name in wanted:
            return Reason(fits=True, why=f"it is a run of flow {run.flow_name!r}")
        return Reason(fits=False, why=f"it is a run of flow {run.flow_name!r}, and those of {quoted(wanted)} are wanted")
