"""Flows: what is known of each, its deployments, how its runs of late went, and the newest of them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property

from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, FlowFilter, Page
from headrace.model.flows import Flow
from headrace.model.states import StateType
from headrace_dashboard.view import View

ROWS = 25
MOST_DEPLOYMENTS = 200
DEPLOYMENTS_SHOWN = 5
WINDOWS = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class FlowsPage(View):
    """A list of them."""

    template = "flows.html"
    title = "Flows"
    section = "flows"
    variants = tuple({"window": name} for name in WINDOWS)
    live = ("flow-run.", "deployment.")

    # What is asked for

    @cached_property
    def window(self) -> str:
        """How far back runs are counted."""
        return self.asked("window") if self.asked("window") in WINDOWS else "1d"

    @property
    def windows(self) -> Sequence[str]:
        return tuple(WINDOWS)

    @property
    def is_filtered(self) -> bool:
        return bool(self.asked("name"))

    # What is shown

    @cached_property
    def _rows(self) -> Sequence[Flow]:
        wanted = FlowFilter(after=self.asked("after"), text=self.asked("name") or None)
        return self.client.read_flows(wanted, ROWS + 1, self.now - WINDOWS[self.window])

    @property
    def flows(self) -> Sequence[Flow]:
        return self._rows[:ROWS]

    @property
    def next_after(self) -> str | None:
        """After which one the next page begins."""
        return self._rows[ROWS - 1].name if len(self._rows) > ROWS else None

    @property
    def since(self) -> str:
        """From when on runs are counted, for a list of them."""
        return (self.now - WINDOWS[self.window]).replace(minute=0, second=0, microsecond=0).isoformat()

    def counts(self, flow: Flow) -> Mapping[StateType, int]:
        """How many of its runs of the window are in states of which type."""
        found: dict[StateType, int] = {}
        for each in flow.states:
            found[each.type] = found.get(each.type, 0) + each.count
        return {kind: found[kind] for kind in StateType if kind in found}

    @cached_property
    def _deployments(self) -> Mapping[str, Sequence[Deployment]]:
        names = tuple(flow.name for flow in self.flows)
        found: dict[str, list[Deployment]] = {name: [] for name in names}
        for each in self.client.read_deployments(DeploymentFilter(flow_names=names), Page(limit=MOST_DEPLOYMENTS)) if names else ():
            found[each.flow_name].append(each)
        return found

    def deployments(self, flow: Flow) -> Sequence[Deployment]:
        """The newest of its deployments."""
        return self._deployments[flow.name][:DEPLOYMENTS_SHOWN]

    def has_more(self, flow: Flow) -> bool:
        """Whether it has more deployments than are shown, or may have."""
        is_cut = sum(map(len, self._deployments.values())) >= MOST_DEPLOYMENTS
        return is_cut or len(self._deployments[flow.name]) > DEPLOYMENTS_SHOWN
