"""Ticks: which times of a schedule get a run, which are skipped, and until when a run may begin. Pure: the schedule says when, and nothing is kept here."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, repeat, takewhile

import attrs

from headrace.errors import WrongData
from headrace.model.durations import LONGEST
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap, Tick

ON_TIME = timedelta(minutes=1)
"""How late a run may begin where missed times are to be skipped, and nothing else is said."""

MOST_SKIPPED = 10
"""How many skipped times are recorded one by one; the first of them tells how many there were before it."""

MOST_COUNTED = 1000
"""How many missed times are looked at; of more, only the latest are told apart."""

Times = Callable[[datetime], Iterator[datetime]]
"""Gives the times of a schedule after a moment, in their order."""

FIRST_WINDOW = timedelta(minutes=1)
EVER = datetime.max.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Horizon:
    """How far ahead runs are made: for `span`, at most `most` for each schedule, and always one."""

    span: timedelta = timedelta(hours=1)
    most: int = 20


@attrs.frozen(kw_only=True)
class Planned:
    """What a look at a schedule gives: `ticks` that get a run, `skipped` ones that get a record, how many were `untold` before those (at least), up to
    which time all is decided, and when to look again, if ever."""

    ticks: tuple[Tick, ...] = ()
    skipped: tuple[Tick, ...] = ()
    untold: int = 0
    decided: datetime
    look_at: datetime | None


def planned(schedule: DeploymentSchedule, times: Times, *, decided: datetime, now: datetime, horizon: Horizon) -> Planned:
    """The times after `decided`: those that have come were missed, and those ahead get their runs. Raises what asking for times raises."""
    missed, untold = latest(times, decided, now) if decided < now else ([], 0)
    standing = 0 if decided <= now else len(list(islice(_until(times(now), decided), horizon.most)))
    room, least = horizon.most - standing, 0 if standing else 1
    coming_times = times(max(decided, now))
    ahead = list(_ahead(coming_times, now + horizon.span, least=least, most=room))
    made = [at for at in ahead[:room] if at <= now + horizon.span] or ahead[:least]
    ticks = _ticks(schedule, [*missed, *made], [*ahead[len(made) :], *islice(coming_times, most_waiting(schedule))])
    tried, coming = ticks[: len(missed)], ticks[len(missed) : len(missed) + len(made)]
    made_up, skipped = _made_up(schedule, tried, now)
    told = skipped[-MOST_SKIPPED:]
    decided = max(decided, made[-1] if made else now)
    look_at = _look_at(decided, ahead[len(made) :], now, horizon)
    if look_at is not None and schedule.overlap in (
        Overlap.SKIP,
        Overlap.CANCEL_PREVIOUS,
    ):  # what is due is to be judged, whoever could take it
        look_at = min(look_at, next(times(now), look_at))
    return Planned(
        ticks=(*made_up, *coming),
        skipped=tuple(told),
        untold=untold + len(skipped) - len(told),
        decided=decided.astimezone(UTC),
        look_at=None if look_at is None else look_at.astimezone(UTC),
    )


def _ahead(moments: Iterator[datetime], until: datetime, *, least: int, most: int) -> Iterator[datetime]:
    """Times up to a moment, from some on up to so many, and the one that follows."""
    for number, moment in enumerate(moments):
        yield moment
        if number >= most or (number >= least and moment > until):
            return


def latest(times: Times, after: datetime, until: datetime, most: int = MOST_COUNTED) -> tuple[list[datetime], int]:
    """The latest times after one moment and up to another, and how many more there are at least. Of many, those between are not walked through."""
    found = list(islice(_until(times(after), until), most + 1))
    if len(found) <= most:
        return found, 0
    window = FIRST_WINDOW
    while len(found := list(islice(_until(times(until - window), until), most + 1))) <= most and until - window > after:
        window *= 2
    return _last_of(_until(times(max(after, until - window)), until), most)


def _last_of(moments: Iterable[datetime], most: int) -> tuple[list[datetime], int]:
    every = list(moments)
    return every[-most:], len(every) - most


def _until(moments: Iterable[datetime], until: datetime) -> Iterator[datetime]:
    return takewhile(lambda moment: moment <= until, moments)


def check_policies(schedule: DeploymentSchedule, where: str) -> None:
    """Raises WrongData for policies that mean nothing."""
    if not 1 <= schedule.most_missed <= MOST_COUNTED:
        raise WrongData(where=where, why=f"on_missed makes up for 1 to {MOST_COUNTED} times, not {schedule.most_missed}")
    lateness = schedule.max_lateness
    if lateness is not None and not 0 < lateness <= LONGEST.total_seconds():
        raise WrongData(where=where, why=f"max_lateness must be longer than nothing and at most a hundred years, not {lateness} seconds")


def most_waiting(schedule: DeploymentSchedule) -> int:
    """How many runs of a schedule may wait for their start at once: when so many later times have come, a run is not made up for any more. 0: it is not
    said so, but by how late it may be."""
    if schedule.on_missed is OnMissed.SKIP and schedule.max_lateness is not None:
        return 0
    return schedule.most_missed if schedule.on_missed is OnMissed.RUN_ALL else 1


def start_by(schedule: DeploymentSchedule, at: datetime, following: datetime | None) -> datetime | None:
    """Until when a run of a time may begin, where `following` is the time with which it is not made up for any more; None: for ever."""
    lateness = None if schedule.max_lateness is None else timedelta(seconds=schedule.max_lateness)
    if schedule.on_missed is OnMissed.SKIP and lateness is None:
        lateness = ON_TIME
    bounds = [] if lateness is None else [at + min(lateness, EVER - at)]
    return min([*bounds, *([] if following is None else [following])], default=None)


def _ticks(schedule: DeploymentSchedule, wanted: list[datetime], beyond: list[datetime]) -> list[Tick]:
    """The times with what becomes of them; `beyond` are as many of the following ones as count for the last."""
    most, every = most_waiting(schedule), [*wanted, *beyond]
    following = every[most:] if most else []
    return [_tick(schedule, at, after) for at, after in zip(wanted, chain(following, repeat(None)), strict=False)]


def _tick(schedule: DeploymentSchedule, at: datetime, following: datetime | None) -> Tick:
    return Tick(
        schedule_id=schedule.id,
        version=schedule.version,
        at=at.astimezone(UTC),
        start_by=start_by(schedule, at, following),
        overlap=schedule.overlap,
    )


def _made_up(schedule: DeploymentSchedule, missed: list[Tick], now: datetime) -> tuple[list[Tick], list[Tick]]:
    """Of those that were missed: those that are made up for, and those that are not. The latest is none of many, if it is still in time."""
    in_time = [tick for tick in missed if tick.start_by is None or now < tick.start_by]
    made_up = in_time[-schedule.most_missed if schedule.on_missed is OnMissed.RUN_ALL else -1 :]
    return made_up, [tick for tick in missed if tick not in made_up]


def _look_at(decided: datetime, rest: list[datetime], now: datetime, horizon: Horizon) -> datetime | None:
    """When the next time has to be decided: once it comes within the horizon and there is room, and before the last run that was made is due."""
    if not rest:
        return None
    if decided <= now:
        return rest[0]
    return min(decided, max(rest[0] - horizon.span, now + (decided - now) / 2)).astimezone(UTC)
