"""A schedule of a deployment: where one is added or changed, with a look at its next times before it is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice

import attrs

from headrace.errors import HeadraceError, InvalidOption, NotFound
from headrace.model.schedules import DeploymentSchedule
from headrace.wire.schedule_words import in_words
from headrace_dashboard.ahead import coming_runs
from headrace_dashboard.forms import Form
from headrace_dashboard.pages.deployment import OfDeployment
from headrace_dashboard.schedule_form import ON_MISSED, OVERLAP, Kind, ScheduleForm
from headrace_dashboard.schedules import Seen, add, change
from headrace_dashboard.view import Done
from headrace_dashboard.zones import zone_names

TIMES = 10


@attrs.frozen
class Preview:
    """What a schedule is in words, and its next times with what is to be said of them."""

    words: str
    times: Sequence[tuple[datetime, DeploymentSchedule, tuple[str, ...]]]


class _WithForm(OfDeployment):
    """A page on which a schedule is typed."""

    template = "schedule.html"
    on_missed: Mapping[str, str] = ON_MISSED
    overlap: Mapping[str, str] = OVERLAP

    @property
    def schedule(self) -> DeploymentSchedule | None:
        """The one that is changed."""
        return None

    @property
    def is_typed(self) -> bool:
        """Whether the form was filled in."""
        return self.typed.text("do") in ("preview", "save")

    @property
    def form(self) -> ScheduleForm:
        """What was typed, or what the schedule is."""
        if self.is_typed:
            return ScheduleForm.typed(self.typed)
        return ScheduleForm.of(self.schedule) if self.schedule is not None else ScheduleForm()

    @cached_property
    def kinds(self) -> Sequence[Kind]:
        return self.form.kinds(self.house.registry)

    @property
    def zones(self) -> Sequence[str]:
        """Those that are proposed."""
        return zone_names()

    @property
    def own_zone(self) -> str:
        """The zone of who looks."""
        return self.visit.zone.key

    @property
    def now_words(self) -> str:
        """What the schedule is by now, where somebody else has changed it while this was typed."""
        there = self.schedule
        return in_words(there) if self.is_typed and there is not None and str(there.version) != self.form.version else ""

    @property
    def faults(self) -> Mapping[str, str]:
        """Why what was typed into a field cannot be used, by the field."""
        return {self.form.key_of(self.trouble.option): self.trouble.why} if isinstance(self.trouble, InvalidOption) else {}

    @cached_property
    def preview(self) -> Preview | str:
        """When it would run; or why that cannot be told."""
        try:
            wanted = self.form.schedule(self.house.registry)
            if self.schedule is not None:
                wanted = attrs.evolve(wanted, id=self.schedule.id)
            as_it_would_be = attrs.evolve(self.deployment, schedules=(wanted,))
            return Preview(in_words(wanted), [*islice(coming_runs(self.house, as_it_would_be, self.now), TIMES)])
        except HeadraceError as error:
            return str(error)

    def do_preview(self, _: Form) -> None:
        """Shows when it would run."""


class NewSchedulePage(_WithForm):
    """Where one is added."""

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"New schedule of {self.deployment.full_name}"

    def do_save(self, _: Form) -> Done:
        """Adds it. Raises what is wrong with it."""
        add(self.client, self.deployment.id, self.form.schedule(self.house.registry))
        return Done(f"{self.deployment.full_name} has one more schedule.", to=self.link(self.path))


class SchedulePage(_WithForm):
    """Where one is changed."""

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"Schedule of {self.deployment.full_name}"

    @cached_property
    def schedule(self) -> DeploymentSchedule:
        wanted = self.place("schedule_id")
        found = next((each for each in self.deployment.schedules if each.id == wanted), None)
        if found is None:
            raise NotFound(what=f"schedule of {self.deployment.full_name}", name=wanted, command="deployment inspect")
        return found

    def do_save(self, _: Form) -> Done:
        """Puts what was typed in its place. Raises what is wrong with it, and ChangedMeanwhile."""
        wanted = self.form.schedule(self.house.registry)
        change(self.client, self.deployment.id, Seen(self.place("schedule_id"), self.form.version), wanted)
        return Done("The schedule was changed; runs that were made ahead for it as it was are gone.", to=self.link(self.path))
