"""One deployment: what it is and was, when it runs, its runs, and what may be done with it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import quote

import attrs

from headrace.errors import HeadraceError, MissingParameter, NotFound, WrongData
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule
from headrace.wire.schema_words import words
from headrace_dashboard.ahead import coming_runs
from headrace_dashboard.differences import Difference, differences_of, summary_of
from headrace_dashboard.forms import Form
from headrace_dashboard.hiding import shown_options
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.pages.deployments import lacking, quick_run, request_id
from headrace_dashboard.parameter_form import Field, fields_of, parameters_of
from headrace_dashboard.schedules import remove, seen
from headrace_dashboard.view import Done, View, as_json
from headrace_dashboard.zones import typed_moment

RUNS = 10
COMING = 10
VERSIONS = 20


@attrs.frozen
class Taken:
    """A parameter: what it may be, and what it is if nobody says otherwise, as JSON, by whose word."""

    name: str
    takes: str
    value: str
    by: str


class OfDeployment(View):
    """A page of one deployment."""

    section = "deployments"

    @cached_property
    def deployment(self) -> Deployment:
        return self.client.read_deployment(self.place("deployment_id"))

    @property
    def path(self) -> str:
        """Where its own page is."""
        return f"deployments/{quote(self.deployment.id, safe='')}"

    @property
    def new_id(self) -> str:
        """For a run that may be asked for, so that asking twice makes one."""
        return self.house.ids.new()


class DeploymentPage(OfDeployment):
    """One of them."""

    template = "deployment.html"
    live = ("deployment.", "flow-run.")

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.deployment.full_name

    # What it is

    @property
    def lacks(self) -> Sequence[str]:
        """Parameters that a run of it must be given."""
        return lacking(self.deployment)

    @cached_property
    def parameters(self) -> Sequence[Taken]:
        """All that its flow takes, and what else it has a value for."""
        schema, own = self.deployment.parameter_schema, self.deployment.parameters
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        takes = {
            **{name: words(each, schema) for name, each in properties.items()},
            **{name: "anything" for name in own if name not in properties},
        }
        return [Taken(name, each, *self._value(name, properties.get(name))) for name, each in takes.items()]

    def _value(self, name: str, schema: Any) -> tuple[str, str]:
        if name in self.deployment.parameters:
            return json.dumps(self.deployment.parameters[name], ensure_ascii=False), "deployment"
        if isinstance(schema, Mapping) and "default" in schema:
            return json.dumps(schema["default"], ensure_ascii=False), "flow"
        return "", "nobody" if name in self.lacks else "flow"

    @property
    def flow_runner_options(self) -> str:
        """As JSON, without secrets; empty where there are none."""
        options = shown_options("flow runner", self.deployment.flow_runner, self.house.registry)
        return as_json(options) if options else ""

    # When it runs

    @property
    def coming(self) -> Sequence[tuple[datetime, DeploymentSchedule, tuple[str, ...]]]:
        """The next times of its schedules, with remarks."""
        return self._coming[0]

    @property
    def why_not(self) -> str:
        """Why its next times cannot be told here."""
        return self._coming[1]

    @cached_property
    def _coming(self) -> tuple[Sequence[tuple[datetime, DeploymentSchedule, tuple[str, ...]]], str]:
        if not self.deployment.schedules:
            return [], ""
        try:
            return [*islice(coming_runs(self.house, self.deployment, self.now), COMING)], ""
        except HeadraceError as error:
            return [], str(error)

    # What ran

    @cached_property
    def runs(self) -> Sequence[FlowRun]:
        return self.client.read_flow_runs(FlowRunFilter(deployment_ids=(self.deployment.id,)), Page(limit=RUNS))

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """Those of the runs."""
        return {self.deployment.id: self.deployment}

    # What it was

    @cached_property
    def _versions(self) -> Sequence[Deployment]:
        return self.client.read_deployment_versions(self.deployment.id, VERSIONS + 1)

    @cached_property
    def versions(self) -> Sequence[tuple[Deployment, str]]:
        """What it is and was, the newest first, and what each changed in the one before it."""
        befores = [*self._versions[1:], None]
        return [(each, summary_of(before, each)) for each, before in zip(self._versions, befores, strict=True)][:VERSIONS]

    @cached_property
    def compared(self) -> tuple[Deployment, Deployment] | None:
        """The versions that are compared, the earlier one first: the one that is asked for, and the one before it or another."""
        by_number = {each.version: each for each in self._versions}
        asked = whole_number(self.asked("version"), 9)
        other = whole_number(self.asked("with"), 9) or (asked - 1 if asked else None)
        if asked not in by_number or other not in by_number or asked == other:
            return None
        one, two = sorted((asked, other))
        return by_number[one], by_number[two]

    @cached_property
    def differences(self) -> Sequence[Difference]:
        return differences_of(*self.compared, self.house.registry) if self.compared else []

    # What can be done

    def do_run(self, form: Form) -> Done:
        """Asks for a run, and leads to it; where parameters are missing, to where they are typed."""
        try:
            run = quick_run(self, self.deployment, form)
        except MissingParameter as error:
            return Done(f"Type what it needs: {error}.", to=self.link(f"{self.path}/run"))
        return Done(f"Asked for a run of {self.deployment.full_name}.", to=self.link(f"flow-runs/{quote(run.id, safe='')}"))

    def do_pause(self, _: Form) -> Done:
        """Lets nothing of it be started."""
        self.client.pause_deployment(self.deployment.id)
        return Done(f"{self.deployment.full_name} is paused.")

    def do_resume(self, _: Form) -> Done:
        """Lets its runs be started again."""
        self.client.resume_deployment(self.deployment.id)
        return Done(f"{self.deployment.full_name} goes on.")

    def do_unschedule(self, form: Form) -> Done:
        """Takes one of its schedules away. Raises ChangedMeanwhile."""
        remove(self.client, self.deployment.id, seen(form))
        return Done("The schedule was removed; runs that were made ahead for it are gone.", to=self.link(self.path))

    def do_delete(self, _: Form) -> Done:
        """Forgets it."""
        self.client.delete_deployment(self.deployment.id)
        return Done(f"{self.deployment.full_name} was deleted.", to=self.link("deployments"))

    def do_rollback(self, form: Form) -> Done:
        """Makes an earlier version the newest; runs that were asked for before keep their parameters. Raises NotFound."""
        wanted = whole_number(form.text("version"), 9) or 0
        limit = max(self.deployment.version - wanted + 1, 1)
        known = self.client.read_deployment_versions(self.deployment.id, limit) if 0 < limit <= self.deployment.version else []
        earlier = next((each for each in known if each.version == wanted), None)
        if earlier is None:
            raise NotFound(what=f"version of {self.deployment.full_name}", name=form.text("version"), command="deployment history")
        (kept,) = self.client.put_deployments((attrs.evolve(earlier, updated=self.now),))
        if kept.version == self.deployment.version:
            return Done(f"It is as it was in version {wanted} already.", to=self.link(self.path))
        return Done(f"It was rolled back to version {wanted}, and is version {kept.version} now.", to=self.link(self.path))


class CustomRunPage(OfDeployment):
    """A form for a run with other parameters, a name, tags, or a time."""

    template = "custom_run.html"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"Run {self.deployment.full_name}"

    @cached_property
    def fields(self) -> Sequence[Field]:
        return fields_of(self.deployment, self.typed)

    @property
    def zone(self) -> str:
        """In which the time is meant."""
        return self.visit.zone.key

    @property
    def request_id(self) -> str:
        """The same as long as the form is the same, so that asking twice makes one run."""
        return request_id(self, self.typed)

    def do_run(self, form: Form) -> Done:
        """Asks for the run, and leads to it. Raises WrongParameterType, MissingParameter, WrongData, InvalidName."""
        try:
            at = typed_moment(form.text("at"), self.visit.zone)
        except ValueError as error:
            raise WrongData(where="when it is due", why=str(error)) from None
        name = form.text("name")
        request = RunRequest(
            id=request_id(self, form),
            deployment_id=self.deployment.id,
            name=name or run_name(self.house.ids.random),
            parameters=parameters_of(self.deployment, form),
            is_named=bool(name),
            tags=tuple(dict.fromkeys(tag for each in form.text("tags").split(",") if (tag := each.strip()))),
            at=at,
        )
        run = self.client.request_run(request)
        return Done(f"Asked for a run of {self.deployment.full_name}.", to=self.link(f"flow-runs/{quote(run.id, safe='')}"))
