"""A schedule that tests can foresee."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from headrace.errors import NotInstalled
from headrace.model.choices import Choice
from headrace.ports.schedule import Schedule
from headrace.rules.ticks import EVER
from headrace.testing.clock import START


@attrs.frozen(kw_only=True)
class EverySchedule:
    """At whole steps of some seconds from `START`, up to some moment."""

    seconds: float
    end: datetime = EVER

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Without walking through what lies before."""
        step = timedelta(seconds=self.seconds)
        at = START + ((moment - START) // step + 1) * step
        while at <= self.end:
            yield at
            at += step


def every(choice: Choice) -> Schedule:
    """The one kind of schedule that is installed, called `every`. Raises NotInstalled."""
    if choice.name != "every":
        raise NotInstalled(port="schedule", name=choice.name, installed=("every",))
    return EverySchedule(**choice.options)
