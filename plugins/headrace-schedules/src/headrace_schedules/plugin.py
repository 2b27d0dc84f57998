"""What headrace-schedules offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_schedules() -> Iterator[Provider[Any]]:
    yield Provider("interval", "headrace_schedules.interval:IntervalSchedule", "Every so often, from an anchor on")
    yield Provider("cron", "headrace_schedules.cron:CronSchedule", "When the clock shows what a cron expression says")
    yield Provider("rrule", "headrace_schedules.rrule:RRuleSchedule", "By the recurrence rules of RFC 5545")


@hookimpl
def headrace_services() -> Iterator[Provider[Any]]:
    yield Provider("scheduler", "headrace_schedules.scheduler:Scheduler", "Has the runs made that schedules ask for")
