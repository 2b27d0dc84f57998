"""Flow runs: a list by what is asked for, newest first, on which many may be changed at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

import attrs

from headrace.errors import HeadraceError, InvalidOption
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, all_of
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import TERMINAL, State, StateType
from headrace_dashboard.forms import Form
from headrace_dashboard.view import Done, View
from headrace_dashboard.views import SavedView, Views

T = TypeVar("T")

ROWS = 50
MOST_CHANGED = 10_000
SINCE = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
CHANGES = {"cancel": "cancelled", "retry": "tried again", "delete": "deleted"}


@attrs.frozen
class Change:
    """What is to be done with many runs, before it is: how many there are, and with which of them it can be done, by which it is known as `mark`. `ids`:
    they were ticked."""

    name: str
    count: int
    fitting: Sequence[FlowRun]
    is_more: bool
    ids: tuple[str, ...]
    mark: str


class FlowRunsPage(View):
    """Many flow runs."""

    template = "flow_runs.html"
    at = "flow-runs"
    title = "Flow runs"
    section = "flow-runs"
    live = ("flow-run.",)

    # What is asked for

    @cached_property
    def states(self) -> tuple[StateType, ...]:
        """Raises InvalidOption for one that there is not, since nobody asks for all runs who asks for some."""
        return tuple(self._chosen_of("state", text, StateType.__members__) for text in self.all_asked("state"))

    @cached_property
    def wanted(self) -> FlowRunFilter:
        """The filter that the query says."""
        return FlowRunFilter(
            state_types=self.states,
            flow_names=self.all_asked("flow"),
            deployment_ids=tuple(each.id for each in self._deployments_asked),
            tags=self.all_asked("tag"),
            text=self.asked("name") or None,
            work_queues=self.all_asked("queue"),
            created_after=self._since,
            created_before=self.moment("before"),
            due_after=self.moment("due-from"),
            due_before=self.moment("due-before"),
        )

    @property
    def _since(self) -> datetime | None:
        text = self.asked("since")
        return self.now - self._chosen_of("since", text, SINCE) if text else self.moment("from")

    def _chosen_of(self, name: str, text: str, known: Mapping[str, T]) -> T:
        try:
            return known[text]
        except KeyError:
            raise InvalidOption(
                where="the address of this page", option=name, value=text[:100], why=f"there are {', '.join(known)}"
            ) from None

    def clock(self, name: str) -> str:
        """The same by the clocks of who looks, as a field holds it."""
        moment = self.moment(name)
        return "" if moment is None else moment.astimezone(self.visit.zone).strftime("%Y-%m-%dT%H:%M:%S")

    @cached_property
    def _deployments_asked(self) -> list[Deployment]:
        found = []
        for text in self.all_asked("deployment"):
            flow, _, name = text.partition("/")
            found += self.client.read_deployments(DeploymentFilter(names=(name,), flow_names=(flow,)), Page())
        return found

    @property
    def is_filtered(self) -> bool:
        return any(name != "after" and value for name, value in self.query)

    # What is shown

    def _read(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        """A page of those that are asked for; of deployments that are gone there are none."""
        if self.all_asked("deployment") and not self._deployments_asked:
            return []
        return self.client.read_flow_runs(wanted, page)

    @cached_property
    def _rows(self) -> list[FlowRun]:
        return self._read(self.wanted, Page(limit=ROWS + 1, after=self.asked("after") or None))

    @property
    def runs(self) -> Sequence[FlowRun]:
        return self._rows[:ROWS]

    @property
    def next_after(self) -> str | None:
        """After which run the next page begins."""
        return self._rows[ROWS - 1].id if len(self._rows) > ROWS else None

    @cached_property
    def deployments(self) -> Mapping[str, Deployment]:
        """Those of the runs shown."""
        return deployments_of(self, self.runs)

    @cached_property
    def views(self) -> Sequence[SavedView]:
        """What was asked for before, under a name."""
        return self._views.all() if self.visit.store is not None and self.copy is None else ()

    @property
    def saved(self) -> SavedView | None:
        """The view that asks for the same."""
        return next((view for view in self.views if view.query == self.wanted_query), None)

    @property
    def wanted_query(self) -> str:
        """What is asked for, without where in the list one is."""
        return urlencode([(name, value) for name, value in self.query if name != "after" and value])

    @property
    def _views(self) -> Views:
        assert self.visit.store is not None, "whoever may change anything is at a server"
        return Views(self.visit.store)

    # What can be done

    def do_save(self, form: Form) -> Done:
        """Keeps what is asked for under a name. Raises InvalidName."""
        name = form.text("view")
        self._views.save(name, self.wanted_query)
        return Done(f"The view {name!r} is saved.")

    def do_forget(self, form: Form) -> Done:
        """Forgets a view."""
        name = form.text("view")
        self._views.delete(name)
        return Done(f"The view {name!r} is deleted.")

    @cached_property
    def change(self) -> Change | None:
        """What was chosen to be done, and is to be said yes to."""
        name = self.typed.text("change")
        return self._change(name) if name in CHANGES else None

    @property
    def was_other(self) -> bool:
        """Whether yes was said to something else, since runs have changed meanwhile."""
        return self.typed.text("do") == "change"

    def do_preview(self, _: Form) -> None:
        """Shows how many runs would be changed."""

    def do_change(self, form: Form) -> Done | None:
        """Does it with those that yes was said to; asks again where there are others by now."""
        change = self.change
        if change is None or change.mark != form.text("mark"):
            return None
        done, refusals = 0, []
        for run in change.fitting:
            try:
                refused = changed(self, run, change.name)
            except HeadraceError as error:
                refused = str(error)
            if refused:
                refusals.append(refused)
            else:
                done += 1
        said = f"{done:,} {'run was' if done == 1 else 'runs were'} {CHANGES[change.name]}."
        return Done(f"{said} {len(refusals):,} were not: {refusals[-1]}" if refusals else said, is_good=not refusals)

    def _change(self, name: str) -> Change:
        runs = self._chosen()
        fitting = [run for run in runs if _is_fitting(name, run)]
        mark = sha256("".join(run.id for run in fitting).encode()).hexdigest()
        return Change(name, len(runs), fitting, len(runs) >= MOST_CHANGED, self.typed.texts("run"), mark)

    def _chosen(self) -> list[FlowRun]:
        """The runs that were ticked, or all that are asked for."""
        if ids := self.typed.texts("run"):
            return list(islice(all_of(self.client.read_flow_runs, FlowRunFilter(ids=ids)), MOST_CHANGED))
        return list(islice(all_of(self._read, self.wanted), MOST_CHANGED))


def deployments_of(view: View, runs: Sequence[FlowRun]) -> Mapping[str, Deployment]:
    """The deployments of some runs, by id."""
    ids = tuple({run.deployment_id for run in runs if run.deployment_id is not None})
    return {each.id: each for each in view.client.read_deployments(DeploymentFilter(ids=ids), Page(limit=len(ids)))} if ids else {}


def _is_fitting(change: str, run: FlowRun) -> bool:
    """Whether it can be done with the run."""
    if run.root_id != run.id:
        return False
    if change == "cancel":
        return not run.state.is_terminal() and run.state.type is not StateType.CANCELLING
    return is_retryable(run) if change == "retry" else run.state.type in TERMINAL


def is_retryable(run: FlowRun) -> bool:
    """Whether it has ended, not well, and an agent could start it again."""
    return run.state.is_terminal() and not run.state.is_completed() and run.max_restarts is not None and run.deployment_id is not None


def changed(view: View, run: FlowRun, change: str) -> str:
    """Why a run was not changed; empty if it was. Raises what the client raises."""
    if change == "delete":
        view.client.delete_flow_run(run.id)
    elif change == "retry":
        view.client.retry_flow_run(run.id, view.house.ids.new())
    else:
        state = State(type=StateType.CANCELLING, message="Cancelled from the dashboard.")
        verdict = view.client.move_flow_run(Move(id=view.house.ids.new(), run_id=run.id, state=state))
        return "" if verdict.state is not None else verdict.reason
    return ""
