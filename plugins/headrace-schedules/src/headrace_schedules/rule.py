"""A rule of RFC 5545, walked on wall times; zones are no business of it.

dateutil knows the calendar, and says which days fit. Steps, and times of day, are arithmetic: dateutil would go through all that the parts of a rule
leave out, and on to the year 9999 where they leave out everything.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import cached_property
from itertools import groupby, product
from typing import Any

import attrs

from headrace_schedules.fitting_days import FittingDays
from headrace_schedules.frequencies import DAILY, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY
from headrace_schedules.wall_clock import LAST, Passes

OF_DAYS = ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYEASTER")

_SECOND = timedelta(seconds=1)
_DAY = 86_400
_LENGTHS = {DAILY: _DAY, HOURLY: 3_600, MINUTELY: 60, SECONDLY: 1}
_OF_TIMES = {"BYHOUR": HOURLY, "BYMINUTE": MINUTELY, "BYSECOND": SECONDLY}


def _none(_: date) -> bool:
    return False


@attrs.frozen(kw_only=True)
class Rule:
    """A rule that is whole in itself: `first` is where it begins, `until` its last wall time, `until_moment` its last moment where that is given in UTC."""

    frequency: int
    interval: int
    week_start: int
    by: Mapping[str, Any]
    first: datetime
    until: datetime | None = None
    until_moment: datetime | None = None

    @property
    def passes(self) -> Passes:
        if self.frequency < HOURLY or "BYHOUR" in self.by:
            return Passes.ONCE
        return Passes.EVERY if self._step <= _LENGTHS[HOURLY] else Passes.EVERY_NTH

    @property
    def chooses(self) -> bool:
        """Whether it chooses from all that a week, a month or a year of it has."""
        return self.frequency < DAILY and "BYSETPOS" in self.by

    def walls(self, start: datetime, without: Callable[[date], bool] = _none) -> Iterator[datetime]:
        """The wall times from one on, but for days that are left out, and perhaps some of those."""
        start, until = max(start, self.first), LAST if self.until is None else self.until
        if start > until:
            return
        for wall in self._chosen(start, until) if self.chooses else self._all(start, until, without):
            if wall > until:
                return
            if wall >= start:
                yield wall

    def step_of(self, day: date) -> int | None:
        """The seconds from midnight to its first step of a day, by which all days have the same times; None if it has none, or only a part of them."""
        until = LAST if self.until is None else self.until
        if self.chooses or not self.first.date() < day < until.date() or day not in self._fitting:
            return None
        wait = self._wait(day.toordinal())
        return wait if wait < _DAY and self._is_numbered(day.toordinal()) else None

    def has(self, wall: datetime) -> bool:
        """Whether a wall time is one of its times. It must not be one that chooses."""
        until = LAST if self.until is None else self.until
        day = wall.toordinal()
        if not self.first <= wall <= until or wall not in self._fitting or not self._is_numbered(day):
            return False
        within = (wall - datetime.fromordinal(day)) // _SECOND
        begins = within // self._length * self._length
        wait = self._wait(day)
        if wait > begins or (begins - wait) % self._step or any(begins // length % 60 not in numbers for length, numbers in self._coarser):
            return False
        place = bisect_left(self._within, within - begins)
        return place < len(self._within) and self._within[place] == within - begins

    def _all(self, start: datetime, until: datetime, without: Callable[[date], bool]) -> Iterator[datetime]:
        comes: dict[int, bool] = {}
        for day, wait in self._days(start.date(), until.date()):
            if wait not in comes:
                comes[wait] = next(self._periods(wait), None) is not None
            if comes[wait] and not without(date.fromordinal(day)):
                yield from self._of_day(datetime.fromordinal(day), wait, start)

    def _chosen(self, start: datetime, until: datetime) -> Iterator[datetime]:
        """What BYSETPOS chooses from all that is in a week, a month or a year; in the first week, from what comes after its beginning."""
        begins, ends = self._begins(self._period(start)), self._begins(self._period(until) + 1)
        if self.frequency == WEEKLY:
            begins = max(begins, self.first.date())
        for _, found in groupby(self._days(begins, ends), lambda found: self._period(date.fromordinal(found[0]))):
            days = [day for day, _ in found]
            for place in _places(self.by["BYSETPOS"], len(days) * len(self._within)):
                day, second = divmod(place, len(self._within))
                yield datetime.fromordinal(days[day]) + timedelta(seconds=self._within[second])

    def _of_day(self, midnight: datetime, wait: int, start: datetime) -> Iterator[datetime]:
        asked = (start - midnight) // _SECOND
        within = self._within
        for begins in self._periods(wait, asked - self._length + 1):
            for second in within[bisect_left(within, asked - begins) :]:
                yield midnight + timedelta(seconds=begins + second)

    @cached_property
    def _within(self) -> Sequence[int]:
        """When it comes in each of its periods, in seconds; those that are longer than a day are taken by days."""
        finer = [[number * _LENGTHS[unit] for number in self.by[name]] for name, unit in _OF_TIMES.items() if unit > self.frequency]
        seconds = sorted(map(sum, product(*finer)))
        if self.frequency < DAILY or "BYSETPOS" not in self.by:
            return seconds
        return [seconds[place] for place in _places(self.by["BYSETPOS"], len(seconds))]

    def _periods(self, wait: int, asked: int = 0) -> Iterator[int]:
        """When the periods of a day begin that fit, in seconds, from `asked` on; `wait` is the first of all."""
        second = wait if asked <= wait else asked + (wait - asked) % self._step
        if not self._within:
            return
        if not self._coarser:
            yield from range(second, _DAY, self._step)
            return
        while second < _DAY:
            ends = second + 1
            for length, numbers in self._coarser:
                if second // length % 60 not in numbers:
                    ends = (second // length + 1) * length
                    break
            else:
                yield second
            second = ends + (second - ends) % self._step

    @cached_property
    def _coarser(self) -> list[tuple[int, Collection[int]]]:
        """What the hour, the minute and the second must be in which a period begins, by their lengths."""
        return [
            (_LENGTHS[unit], frozenset(self.by[name])) for name, unit in _OF_TIMES.items() if unit <= self.frequency and name in self.by
        ]

    def _days(self, start: date, until: date) -> Iterator[tuple[int, int]]:
        """The days that fit and have a step of it, and the seconds from midnight to the first one."""
        due = start.toordinal()
        for year in range(start.year, until.year + 1):
            before = date(year, 1, 1).toordinal()
            if due > before + 365:
                continue
            fitting = self._fitting.of_year(year)
            for number in fitting[bisect_left(fitting, due - before) :]:
                day = before + number
                if day < due:
                    continue
                wait = self._wait(day)
                if wait >= _DAY:
                    due = day + wait // _DAY
                elif self._is_numbered(day):
                    yield day, wait
                else:
                    due = day + 7 - (day - 1 - self.week_start) % 7

    def _is_numbered(self, day: int) -> bool:
        """Whether BYWEEKNO says the week of a day: one that lies in two years has the number that its first day has, or the first day of the rule."""
        if self._numbered is None:
            return True
        return max(date.fromordinal(day - (day - 1 - self.week_start) % 7), self.first.date()) in self._numbered

    def _wait(self, day: int) -> int:
        """The seconds from a midnight to the next step: none in the midst of a week, a month or a year that has its turn."""
        if self.frequency >= DAILY:
            return (self._phase - day * _DAY) % self._step
        if self.interval == 1:
            return 0
        period = self._period(date.fromordinal(day))
        late = -period % self.interval
        return max(self._begins(period + late).toordinal() - day, 1) * _DAY if late else 0

    def _period(self, day: date) -> int:
        """How many weeks, months or years after the first one a day lies."""
        if self.frequency == WEEKLY:
            return (day.toordinal() - self._first_period.toordinal()) // 7
        return (_month(day) - _month(self._first_period)) // self._months

    def _begins(self, period: int) -> date:
        """The first day of a week, a month or a year; the last of the calendar if that comes before."""
        if self.frequency == WEEKLY:
            return date.fromordinal(min(self._first_period.toordinal() + 7 * period, date.max.toordinal()))
        year, month = divmod(_month(self._first_period) + period * self._months, 12)
        return date(year, month + 1, 1) if year <= MAXYEAR else date.max

    @cached_property
    def _first_period(self) -> datetime:
        first = self.first
        if self.frequency > DAILY:
            return first.replace(second=first.second * (self.frequency == SECONDLY), minute=first.minute * (self.frequency > HOURLY))
        if self.frequency < WEEKLY:
            first = first.replace(day=1, month=1 if self.frequency == YEARLY else first.month)
        back = (first.weekday() - self.week_start) % 7 if self.frequency == WEEKLY else 0
        return datetime.combine(first, time()) - timedelta(days=back)

    @cached_property
    def _phase(self) -> int:
        begins = self._first_period
        return begins.toordinal() * _DAY + (begins - datetime.combine(begins, time())) // _SECOND

    @property
    def _length(self) -> int:
        """The seconds of a period, or of each day of a longer one."""
        return _LENGTHS.get(self.frequency, _DAY)

    @cached_property
    def _step(self) -> int:
        return self.interval * self._length if self.frequency >= DAILY else _DAY

    @property
    def _months(self) -> int:
        return 12 if self.frequency == YEARLY else 1

    @cached_property
    def _fitting(self) -> FittingDays:
        every = {"BYMONTH": range(1, 13)} if self.frequency == MONTHLY else {}  # numbered days of the week are those of a month
        by = {name: value for name, value in self.by.items() if name != "BYWEEKNO" or self.frequency != WEEKLY}
        return FittingDays(by=every | by, week_start=self.week_start)

    @cached_property
    def _numbered(self) -> FittingDays | None:
        """The days by which weeks fit, where it is they that are numbered."""
        if self.frequency != WEEKLY or "BYWEEKNO" not in self.by:
            return None
        return FittingDays(by={"BYWEEKNO": self.by["BYWEEKNO"]}, week_start=self.week_start)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _places(chosen: Iterable[int], size: int) -> list[int]:
    """Places in a list of that size, counted from nought, of those that are counted from one, or from the end if negative."""
    counted = {place - 1 if place > 0 else place for place in chosen}
    return sorted({place % size for place in counted if -size <= place < size})
