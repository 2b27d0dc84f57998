"""Deployments: a list by what is asked for, from which one runs, pauses and resumes them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from urllib.parse import quote
from uuid import UUID

from headrace.errors import MissingParameter
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, Page
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace_dashboard.ahead import Next, next_of
from headrace_dashboard.forms import Form
from headrace_dashboard.view import Done, View

ROWS = 50


class DeploymentsPage(View):
    """A list of them."""

    template = "deployments.html"
    title = "Deployments"
    section = "deployments"
    live = ("deployment.",)

    # What is asked for

    @cached_property
    def wanted(self) -> DeploymentFilter:
        """The filter that the query says."""
        return DeploymentFilter(flow_names=self.all_asked("flow"), tags=self.all_asked("tag"), text=self.asked("name") or None)

    @property
    def is_filtered(self) -> bool:
        return self.wanted != DeploymentFilter()

    # What is shown

    @cached_property
    def _rows(self) -> Sequence[Deployment]:
        return self.client.read_deployments(self.wanted, Page(limit=ROWS + 1, after=self.asked("after") or None))

    @property
    def deployments(self) -> Sequence[Deployment]:
        return self._rows[:ROWS]

    @property
    def next_after(self) -> str | None:
        """After which one the next page begins."""
        return self._rows[ROWS - 1].id if len(self._rows) > ROWS else None

    @cached_property
    def next_runs(self) -> Mapping[str, Next]:
        """When those that are shown run next that have schedules, by id."""
        return {each.id: next_of(self.house, each, self.now) for each in self.deployments if each.schedules}

    def lacks(self, deployment: Deployment) -> Sequence[str]:
        """Parameters that a run of it must be given."""
        return lacking(deployment)

    @property
    def new_id(self) -> str:
        """For a run that may be asked for, so that asking twice makes one."""
        return self.house.ids.new()

    # What can be done

    def do_run(self, form: Form) -> Done:
        """Asks for a run, and leads to it; where parameters are missing, to where they are typed."""
        found = self.client.read_deployment(form.text("deployment"))
        try:
            run = quick_run(self, found, form)
        except MissingParameter as error:
            return Done(f"Type what it needs: {error}.", to=self.link(f"deployments/{quote(found.id, safe='')}/run"))
        return Done(f"Asked for a run of {found.full_name}.", to=self.link(f"flow-runs/{quote(run.id, safe='')}"))

    def do_pause(self, form: Form) -> Done:
        """Lets nothing of it be started."""
        return Done(f"{self.client.pause_deployment(form.text('deployment')).full_name} is paused.")

    def do_resume(self, form: Form) -> Done:
        """Lets its runs be started again."""
        return Done(f"{self.client.resume_deployment(form.text('deployment')).full_name} goes on.")


def lacking(deployment: Deployment) -> Sequence[str]:
    """Parameters that neither the deployment nor the flow has a value for."""
    required = deployment.parameter_schema.get("required", ())
    return [str(name) for name in required if name not in deployment.parameters] if isinstance(required, (list, tuple)) else []


def quick_run(view: View, deployment: Deployment, form: Form) -> FlowRun:
    """A run of it as it is, now. Raises MissingParameter, NotFound."""
    name = run_name(view.house.ids.random)
    return view.client.request_run(RunRequest(id=request_id(view, form), deployment_id=deployment.id, name=name))


def request_id(view: View, form: Form) -> str:
    """The id that the form has for the run; a new one where that is none."""
    try:
        return str(UUID(form.text("id")))
    except ValueError:
        return view.house.ids.new()
