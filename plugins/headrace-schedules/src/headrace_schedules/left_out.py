"""The days on which nothing of a rule is left, so that they need not be gone through."""

from datetime import date, datetime, time

import attrs

from headrace_schedules.rule import Rule


@attrs.frozen(kw_only=True)
class LeftOut:
    """Those that are left out as days, and those of which other rules have every time that the rule has. Days that are alike are looked at once."""

    rule: Rule
    exceptions: tuple[Rule, ...]
    days: frozenset[date]
    _known: dict[tuple[int | None, ...], bool] = attrs.field(init=False, factory=dict)

    def has(self, day: date) -> bool:
        if day in self.days:
            return True
        steps = [exception.step_of(day) for exception in self.exceptions]
        step = self.rule.step_of(day) if any(each is not None for each in steps) else None
        if step is None:
            return False
        alike = step, *steps
        if alike not in self._known:
            self._known[alike] = self._is_left_out(
                day, [rule for rule, each in zip(self.exceptions, steps, strict=True) if each is not None]
            )
        return self._known[alike]

    def _is_left_out(self, day: date, exceptions: list[Rule]) -> bool:
        times = attrs.evolve(self.rule, until=datetime.combine(day, time.max)).walls(datetime.combine(day, time()))
        return all(any(exception.has(wall) for exception in exceptions) for wall in times)
