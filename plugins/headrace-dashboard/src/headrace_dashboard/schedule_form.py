"""A schedule as a form has it: which kind it is, the options of that kind, and what becomes of its times."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

import attrs

from headrace.errors import HeadraceError, InvalidOption
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.durations import duration, written_duration
from headrace.model.schedules import MOST_MISSED, DeploymentSchedule, OnMissed, Overlap
from headrace.rules.ticks import MOST_COUNTED
from headrace.storing.fields import Field, fields_of
from headrace.wire.parameters import plain_parameters
from headrace_dashboard.forms import Form
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.storage_form import written

SCHEDULE = "schedule"
FIRST = "cron"
"""The kind that is offered first."""

ON_MISSED: Mapping[str, str] = {
    OnMissed.RUN_LATEST: "only the latest",
    OnMissed.RUN_ALL: "all, up to a number",
    OnMissed.SKIP: "none",
}
OVERLAP: Mapping[str, str] = {
    Overlap.QUEUE: "the new run waits",
    Overlap.SKIP: "the new run is skipped",
    Overlap.ALLOW: "both run",
    Overlap.CANCEL_PREVIOUS: "the earlier run is cancelled",
}


@attrs.frozen(kw_only=True)
class Asked:
    """An option of a kind, and what stands in its field."""

    field: Field
    key: str
    text: str

    @property
    def is_zone(self) -> bool:
        """Whether it is the name of a time zone."""
        return self.field.name == "timezone"

    @property
    def is_long(self) -> bool:
        """Whether it may have several lines."""
        return self.field.is_object or self.field.is_list or self.field.name == "rrule"


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of schedule, with its options."""

    name: str
    summary: str
    asked: Sequence[Asked]


@attrs.frozen(kw_only=True)
class ScheduleForm:
    """What was typed, or what the schedule is; `options` are texts by kind and name, as `cron.timezone`."""

    kind: str = FIRST
    options: Mapping[str, str] = attrs.field(factory=dict)
    on_missed: str = OnMissed.RUN_LATEST
    most_missed: str = str(MOST_MISSED)
    max_lateness: str = ""
    overlap: str = Overlap.QUEUE
    version: str = ""

    @classmethod
    def of(cls, schedule: DeploymentSchedule) -> Self:
        """That of a schedule as it is."""
        name, late = schedule.kind.name, schedule.max_lateness
        return cls(
            kind=name,
            options={f"{name}.{option}": written(value) for option, value in schedule.kind.options.items() if value is not None},
            on_missed=schedule.on_missed,
            most_missed=str(schedule.most_missed),
            max_lateness="" if late is None else written_duration(timedelta(seconds=late)),
            overlap=schedule.overlap,
            version=str(schedule.version),
        )

    @classmethod
    def typed(cls, form: Form) -> Self:
        """As it was typed."""
        return cls(
            kind=form.text("kind"),
            options={name: text.strip() for name, text in form if "." in name},
            on_missed=form.text("on_missed"),
            most_missed=form.text("most_missed"),
            max_lateness=form.text("max_lateness"),
            overlap=form.text("overlap"),
            version=form.text("version"),
        )

    def kinds(self, registry: Registry) -> list[Kind]:
        """Those that can be used here, with what was typed for each."""
        names = sorted(registry.offers(SCHEDULE), key=lambda name: (name != FIRST, name))
        return [kind for name in names if (kind := self._kind(registry, name)) is not None]

    def _kind(self, registry: Registry, name: str) -> Kind | None:
        try:
            fields = fields_of(registry, name, SCHEDULE)
        except HeadraceError:  # `headrace plugins` says what is wrong with it
            return None
        asked = [Asked(field=field, key=f"{name}.{field.name}", text=self.options.get(f"{name}.{field.name}", "")) for field in fields]
        return Kind(name=name, summary=registry.offer(SCHEDULE, name).provider.summary, asked=asked)

    def schedule(self, registry: Registry) -> DeploymentSchedule:
        """The schedule that was typed. Raises InvalidOption, NotInstalled, OptionsDoNotFit."""
        return DeploymentSchedule(
            kind=self._choice(registry),
            on_missed=OnMissed(self._one_of("on_missed", self.on_missed, ON_MISSED)),
            most_missed=self._most_missed(),
            max_lateness=self._lateness(),
            overlap=Overlap(self._one_of("overlap", self.overlap, OVERLAP)),
        )

    def _choice(self, registry: Registry) -> Choice:
        """The kind, with its options as its class keeps them."""
        options: dict[str, Any] = {}
        for field in fields_of(registry, self.kind, SCHEDULE):
            text = self.options.get(f"{self.kind}.{field.name}", "")
            if text:
                options[field.name] = field.read(text)
            elif field.is_needed:
                raise InvalidOption(where=f"schedule {self.kind!r}", option=field.name, value="", why="it is needed")
        value = registry.make(SCHEDULE, Choice(self.kind, options))
        kept = registry.choice_of(SCHEDULE, value).options if attrs.has(type(value)) else options
        return Choice(self.kind, plain_parameters(kept))

    def _most_missed(self) -> int:
        if self.on_missed != OnMissed.RUN_ALL:
            return MOST_MISSED
        count = whole_number(self.most_missed, len(str(MOST_COUNTED)))
        if count is None or not 1 <= count <= MOST_COUNTED:
            raise _wrong("most_missed", self.most_missed, f"it is a whole number from 1 to {MOST_COUNTED:,}")
        return count

    def _lateness(self) -> float | None:
        if not self.max_lateness:
            return None
        try:
            found = duration(self.max_lateness)
        except ValueError as error:
            raise _wrong("max_lateness", self.max_lateness, str(error)) from None
        if not found:
            raise _wrong("max_lateness", self.max_lateness, "it must be longer than nothing")
        return found.total_seconds()

    def _one_of(self, name: str, text: str, known: Mapping[str, str]) -> str:
        if text not in known:
            raise _wrong(name, text, f"it is one of {', '.join(known)}")
        return text

    def key_of(self, option: str) -> str:
        """What the field of an option is called in the form."""
        return option if option in ("on_missed", "most_missed", "max_lateness", "overlap") else f"{self.kind}.{option}"


def _wrong(option: str, value: str, why: str) -> InvalidOption:
    return InvalidOption(where=SCHEDULE, option=option, value=value, why=why)
