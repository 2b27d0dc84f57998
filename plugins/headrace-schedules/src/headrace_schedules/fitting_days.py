"""The days that fit what a rule says of days. dateutil finds them, a year at a time, and years that are alike are asked about once.

Two years are alike if they begin with the same weekday and are as long, as the years before them are, whose last week may reach into them: they have
the same days of months, weeks and years. Easter alone keeps to no such order.
"""

from bisect import bisect_left
from calendar import isleap
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, date, datetime
from functools import cached_property
from typing import Any, cast

import attrs

from headrace_schedules.frequencies import YEARLY

_PARTS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY")
_ANY_DAY = range(1, 32)


@attrs.frozen(kw_only=True)
class FittingDays:
    """Those that fit the parts of a rule which speak of days. Numbered days of the week are those of the year, or those of the months of BYMONTH."""

    by: Mapping[str, Any]
    week_start: int
    _known: dict[tuple[int, bool, bool], Sequence[int]] = attrs.field(init=False, factory=dict)

    @cached_property
    def are_all(self) -> bool:
        return not any(name in self.by for name in (*_PARTS, "BYEASTER"))

    def __contains__(self, day: date) -> bool:
        if self.are_all:
            return True
        days, sought = self.of_year(day.year), day.toordinal() - date(day.year, 1, 1).toordinal()
        place = bisect_left(days, sought)
        return place < len(days) and days[place] == sought

    def of_year(self, year: int) -> Sequence[int]:
        """Those of a year, in order and counted from nought."""
        if self.are_all:
            return range(365 + isleap(year))
        begins = date(year, 1, 1)
        alike = begins.weekday(), isleap(year), isleap(year - 1)
        if alike not in self._known:
            self._known[alike] = self._found(year)
        if "BYEASTER" not in self.by:
            return self._known[alike]
        from dateutil.easter import easter  # costs what those need not pay who do not ask for it

        sunday = (easter(year) - begins).days
        return [day for day in self._known[alike] if day - sunday in self.by["BYEASTER"]]

    def _found(self, year: int) -> Sequence[int]:
        by = {name.lower(): self.by[name] for name in _PARTS if name in self.by}
        if not by:
            return range(365 + isleap(year))
        from dateutil.rrule import rrule, weekday  # costs milliseconds that other schedules need not pay

        if by.keys() == {"bymonth"}:
            by["bymonthday"] = _ANY_DAY
        if "byday" in by:
            by["byweekday"] = [weekday(day, nth) for nth, day in by.pop("byday")]
        begins = datetime(year, 1, 1)
        only_it = rrule(cast(Any, YEARLY), dtstart=begins, interval=MAXYEAR, wkst=self.week_start, byhour=0, byminute=0, bysecond=0, **by)
        return [(day - begins).days for day in only_it]
