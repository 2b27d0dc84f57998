"""A calendar of schedules: which runs are to come on which day, and what became of those before, by deployment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import islice
from urllib.parse import quote
from zoneinfo import ZoneInfo

import attrs

from headrace.errors import HeadraceError
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, all_of
from headrace.model.schedules import TickRun
from headrace.model.states import StateType
from headrace.rules.coming_times import coming
from headrace_dashboard.ahead import opened_schedules
from headrace_dashboard.view import View
from headrace_dashboard.zones import UTC

MOST_LOOKED_AT = 600
"""How many deployments are looked at for schedules, the newest ones."""

MOST_SHOWN = 40
"""Of how many deployments with schedules runs are shown."""

MOST_TIMES = 2_500
"""How many times to come are told, since some kinds of schedule take long to say each; deployments share them."""

MOST_RUNS, MOST_RUNS_EACH = 5_000, 800
"""How many runs are looked at, and how many of each schedule at most."""

LEAST_EACH = 62
"""So many times and runs of each are always looked at: two for each day of a month."""

ENTRIES = {"month": 5, "week": 30}
"""How many deployments a day shows."""

EARLIEST, LATEST = date(1971, 1, 1), date(2200, 12, 31)


@attrs.frozen(kw_only=True)
class Entry:
    """A deployment on a day: how many of its times lie on it, the first of them, and what is known of their runs, by state; `is_more`: there are more,
    which nobody has counted. `is_ahead`: all of the times are to come; `path`: where one goes from here."""

    deployment: Deployment
    first: datetime | None
    count: int
    states: Mapping[str, int]
    is_more: bool
    is_ahead: bool
    path: str


@attrs.frozen(kw_only=True)
class Day:
    """A day, with the deployments that run on it; `left_out` is how many more do."""

    date: date
    entries: Sequence[Entry]
    left_out: int
    begin: datetime
    end: datetime


@attrs.define
class _Found:
    """What was found of a deployment on a day."""

    times: list[datetime] = attrs.field(factory=list)
    runs: list[TickRun] = attrs.field(factory=list)
    is_more: bool = False


class CalendarPage(View):
    """Schedules by months and weeks."""

    template = "calendar.html"
    title = "Calendar"
    section = "calendar"
    variants = ({"view": "month"}, {"view": "week"})
    live = ("flow-run.", "deployment.")

    # What is asked for

    @cached_property
    def zone(self) -> ZoneInfo:
        """In which days begin and end."""
        return self.visit.zone

    @property
    def view(self) -> str:
        return "week" if self.asked("view") == "week" else "month"

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @cached_property
    def day(self) -> date:
        """A day of what is shown."""
        try:
            asked = date.fromisoformat(self.asked("day"))
        except ValueError:
            return self.today
        return min(max(asked, EARLIEST), LATEST)

    @cached_property
    def dates(self) -> Sequence[date]:
        """The days that are shown: whole weeks."""
        if self.view == "week":
            first, last = self.day, self.day
        else:
            first = self.day.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        first -= timedelta(days=first.weekday())
        last += timedelta(days=6 - last.weekday())
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    @property
    def before(self) -> date:
        """A day of the month or week before."""
        return max(self.dates[0] - timedelta(days=1) if self.view == "week" else self.day.replace(day=1) - timedelta(days=1), EARLIEST)

    @property
    def after(self) -> date:
        """A day of the one after."""
        return min(
            self.dates[-1] + timedelta(days=1) if self.view == "week" else (self.day.replace(day=1) + timedelta(days=31)).replace(day=1),
            LATEST,
        )

    @property
    def name(self) -> str:
        """What is shown, in words."""
        if self.view == "month":
            return f"{self.day:%B %Y}"
        return f"{self.dates[0]:%d %B} – {self.dates[-1]:%d %B %Y}"

    def is_beside(self, day: date) -> bool:
        """Whether a day is of another month than the one that is shown."""
        return self.view == "month" and day.month != self.day.month

    # Deployments

    @cached_property
    def _looked_at(self) -> Sequence[Deployment]:
        wanted = DeploymentFilter(text=self.asked("name") or None, tags=(self.asked("tag"),) if self.asked("tag") else ())
        return list(islice(all_of(self.client.read_deployments, wanted), MOST_LOOKED_AT))

    @cached_property
    def _scheduled(self) -> Sequence[Deployment]:
        return [each for each in self._looked_at if each.schedules]

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Those that are shown."""
        return self._scheduled[:MOST_SHOWN]

    @property
    def is_cut(self) -> bool:
        """Whether there are, or may be, other deployments with schedules."""
        return len(self._scheduled) > MOST_SHOWN or len(self._looked_at) >= MOST_LOOKED_AT

    @property
    def is_filtered(self) -> bool:
        return bool(self.asked("name") or self.asked("tag"))

    # Days

    @cached_property
    def weeks(self) -> Sequence[Sequence[Day]]:
        days = [self._day(each) for each in self.dates]
        return [days[number : number + 7] for number in range(0, len(days), 7)]

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    @cached_property
    def _span(self) -> tuple[datetime, datetime]:
        """From the first moment of all days that are shown to the last."""
        return self._begin(self.dates[0]), self._begin(self.dates[-1] + timedelta(days=1)) - timedelta(microseconds=1)

    def _day(self, day: date) -> Day:
        found = [self._entry(each, held) for each in self.deployments if (held := self._found.get((day, each.id))) is not None]
        found.sort(key=lambda entry: (entry.first is None, entry.first, entry.deployment.full_name))
        shown = found[: ENTRIES[self.view]]
        begin, end = self._begin(day), self._begin(day + timedelta(days=1))
        return Day(date=day, entries=shown, left_out=len(found) - len(shown), begin=begin, end=end)

    def _entry(self, deployment: Deployment, found: _Found) -> Entry:
        states: dict[str, int] = {}
        for run in found.runs:
            name = "late" if self._is_late(run) else "skipped" if run.state_name == "Skipped" else run.state_type.lower()
            states[name] = states.get(name, 0) + 1
        moments = [*(run.at for run in found.runs), *found.times]
        path = f"deployments/{quote(deployment.id, safe='')}"
        if len(found.runs) == 1 and len(moments) == 1:
            path = f"flow-runs/{quote(found.runs[0].run_id, safe='')}"
        first = min(moments, default=None)
        return Entry(
            deployment=deployment,
            first=None if first is None else first.astimezone(self.zone),
            count=len(moments),
            states=states,
            is_more=found.is_more,
            is_ahead=all(moment > self.now for moment in moments),
            path=path,
        )

    def _is_late(self, run: TickRun) -> bool:
        return run.state_type is StateType.SCHEDULED and run.at < self.now - timedelta(seconds=5)

    @cached_property
    def _found(self) -> Mapping[tuple[date, str], _Found]:
        """What lies on each day, by deployment."""
        found: dict[tuple[date, str], _Found] = {}

        def on(day: date, deployment_id: str) -> _Found:
            return found.setdefault((day, deployment_id), _Found())

        first, last = self._span
        owners = {schedule.id: each.id for each in self.deployments for schedule in each.schedules}
        runs = self.client.read_ticks(tuple(owners), first, last, self._most_runs) if owners else []
        made: set[tuple[str, datetime]] = set()
        for run in runs:
            made.add((owners[run.schedule_id], run.at))
            on(run.at.astimezone(self.zone).date(), owners[run.schedule_id]).runs.append(run)
        for deployment_id, day in self._days_before(runs, owners):
            on(day, deployment_id).is_more = True
        for deployment in self.deployments:
            for at, is_more in self._ahead(deployment):
                if is_more:
                    on(at.astimezone(self.zone).date(), deployment.id).is_more = True
                elif (deployment.id, at) not in made:
                    on(at.astimezone(self.zone).date(), deployment.id).times.append(at)
        return found

    @property
    def _most_runs(self) -> int:
        """How many runs of each schedule are looked at, the latest ones."""
        number = sum(len(each.schedules) for each in self.deployments)
        return max(LEAST_EACH, min(MOST_RUNS_EACH, MOST_RUNS // max(number, 1)))

    def _days_before(self, runs: Iterable[TickRun], owners: Mapping[str, str]) -> Iterator[tuple[str, date]]:
        """Of schedules with more runs than are looked at, the days on which others lie."""
        counted: dict[str, list[datetime]] = {}
        for run in runs:
            counted.setdefault(run.schedule_id, []).append(run.at)
        for schedule_id, moments in counted.items():
            if len(moments) >= self._most_runs:
                until = min(moments).astimezone(self.zone).date()
                yield from ((owners[schedule_id], day) for day in self.dates if day <= until)

    def _ahead(self, deployment: Deployment) -> Iterator[tuple[datetime, bool]]:
        """The times of a deployment that are to come on the days shown; after too many, the days on which there may be others."""
        first, last = max(self._span[0], self.now), self._span[1]
        if deployment.is_paused or last < first:
            return
        most = max(LEAST_EACH, MOST_TIMES // len(self.deployments))
        try:
            times = [found.at.astimezone(UTC) for found in islice(coming(opened_schedules(self.house, deployment), first, last), most)]
        except HeadraceError:
            return
        yield from ((at, False) for at in times)
        if len(times) == most:
            until = times[-1].astimezone(self.zone).date()
            yield from ((self._begin(day), True) for day in self.dates if day >= until)
