"""Schedules as they are typed: a kind with its options, or one as in a spec, with what becomes of its times."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import attrs
import click

from headrace.cli.moments import ZONE
from headrace.errors import InvalidOption, OptionsDoNotFit, WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.schedules import DeploymentSchedule
from headrace.wire.typed_json import DoubleKey, parsed

C = TypeVar("C", bound=Callable[..., Any])

KINDS = ("cron", "interval", "rrule")
"""The kinds of schedule that have options of their own."""

_TOO_LONG = re.compile(r"(\S{50})\S{250,}(\S)")
"""What errors that repeat it need not repeat whole."""


@attrs.frozen(kw_only=True)
class TypedSchedule:
    """What was given on the command line."""

    cron: str | None
    interval: str | None
    rrule: str | None
    whole: Any
    anchor: str | None
    day_or: bool | None

    @property
    def is_given(self) -> bool:
        return self.whole is not None or any(getattr(self, kind) is not None for kind in KINDS)

    @property
    def is_whole(self) -> bool:
        """Whether it is one as in a spec, which says all about itself."""
        return self.whole is not None

    def written(self, timezone: ZoneInfo | None) -> Any:
        """As in a spec. Raises click.UsageError for options that contradict each other."""
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        options = [f"--{kind}" for kind in given] + (["--schedule"] if self.is_whole else [])
        if len(options) > 1:
            raise click.UsageError(f"a schedule is of one kind, and {' and '.join(options)} are given")
        if self.anchor is not None and given != ["interval"]:
            raise click.UsageError("--anchor is where an interval is counted from; give it with --interval")
        if self.day_or is not None and given != ["cron"]:
            raise click.UsageError("--day-or and --no-day-or are of cron expressions; give them with --cron")
        if self.is_whole:
            return self.whole
        (kind,) = given
        own = {"timezone": timezone.key if timezone is not None else None, "anchor_date": self.anchor, "day_or": self.day_or}
        return {"type": kind, kind: getattr(self, kind), **{name: value for name, value in own.items() if value is not None}}


def options(command: C) -> C:
    """Gives a command the options by which a schedule is typed, as its arguments `cron`, `interval`, `rrule`, `whole`, `anchor` and `day_or`, and
    `timezone`."""
    for option in (
        click.option("--anchor", metavar="ISO", help="Where an interval is counted from, both ways; 2020-01-01T00:00 if not given."),
        click.option(
            "--day-or/--no-day-or",
            "day_or",
            default=None,
            help="Whether one of day of month and day of week is enough in a cron expression, as cron has it, or both must hold.",
        ),
        click.option("--timezone", type=ZONE, metavar="ZONE", help="The zone whose clocks count, as Europe/Berlin; UTC if not given."),
        click.option(
            "--schedule",
            "whole",
            metavar="JSON",
            callback=_whole,
            help='Of any kind, as in a spec: \'{"type": "cron", "cron": "@daily"}\'.',
        ),
        click.option("--rrule", metavar="RULE", help="By a rule of RFC 5545: FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9."),
        click.option("--interval", metavar="TIME", help="Every so often: 30s, 5m, 1h30m, 1d."),
        click.option("--cron", metavar="EXPRESSION", help="When the clock shows this: '0 9 * * 1-5', '@daily'."),
    ):
        command = option(command)
    return command


def _whole(_ctx: click.Context, _parameter: click.Parameter, given: str | None) -> Any:
    if given is None:
        return None
    try:
        found = parsed(given)
    except DoubleKey as error:
        raise click.BadParameter(f"{error}; write it once") from None
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON ({error})") from None
    if not isinstance(found, (dict, list)) or not found:
        raise click.BadParameter('it is a JSON object, as {"type": "cron", "cron": "@daily"}, or a list of such')
    return found


def understood(written: Any, registry: Registry, *, where: str, **policies: Any) -> tuple[DeploymentSchedule, ...]:
    """Schedules from what was typed, tried out. Raises click.UsageError for what is wrong with it, and NotInstalled."""
    from headrace.deploying.schedules import understood_schedules  # what shows no schedule need not load what reads specs

    try:
        return understood_schedules(_with(written, policies), where, registry)
    except (InvalidOption, OptionsDoNotFit, WrongSpec) as error:
        raise click.UsageError(_TOO_LONG.sub(r"\1 …\2", str(error))) from error


def _with(written: Any, policies: Mapping[str, Any]) -> Any:
    given = {name: value for name, value in policies.items() if value is not None}
    if isinstance(written, list):
        if given:
            raise click.UsageError("what becomes of the times of several schedules is written in each of them")
        return written
    if twice := sorted(given.keys() & written.keys()):
        raise click.UsageError(f"{', '.join(twice)} is written in the schedule, and given by an option of its own; use one of them")
    return {**written, **given}
