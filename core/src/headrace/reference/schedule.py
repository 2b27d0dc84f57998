"""The reference schedule: moments that somebody wrote down."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import attrs

from headrace.errors import InvalidOption


def _sorted(moments: Iterable[datetime | str]) -> tuple[datetime, ...]:
    return tuple(sorted({_aware(moment) for moment in moments}))


def _aware(written: datetime | str) -> datetime:
    """The moment in UTC; one without a zone could be anywhere."""
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else written
        zone = moment.tzinfo
    except (ValueError, AttributeError) as error:
        raise InvalidOption(where="schedule 'moments'", option="moments", value=written, why=f"it is no moment: {error}") from error
    if zone is None:
        raise InvalidOption(
            where="schedule 'moments'", option="moments", value=written, why="it lacks its zone; write it as 2026-01-31T12:00:00Z"
        )
    return moment.astimezone(UTC)


@attrs.frozen(kw_only=True)
class MomentsSchedule:
    """At each of these moments, once."""

    moments: tuple[datetime, ...] = attrs.field(converter=_sorted, metadata={"meaning": "when, as ISO 8601 texts with their zones"})

    def after(self, moment: datetime) -> Iterator[datetime]:
        return (each for each in self.moments if each > moment)
