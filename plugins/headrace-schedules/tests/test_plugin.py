"""What headrace-schedules offers is found and loads."""

import subprocess
import sys

import pytest

from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_schedules.cron import CronSchedule
from headrace_schedules.interval import IntervalSchedule
from headrace_schedules.rrule import RRuleSchedule


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"interval": {"interval": 3600}, "cron": {"cron": "@daily"}, "rrule": {"rrule": "FREQ=DAILY"}}


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("interval", IntervalSchedule, {"interval": "1h"}),
        ("cron", CronSchedule, {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}),
        ("rrule", RRuleSchedule, {"rrule": "FREQ=DAILY;BYHOUR=9"}),
    ],
)
def test_schedules_are_found(name: str, kind: type, options: dict[str, str]) -> None:
    """Each schedule is found through the installed entry point, and its options make it."""
    registry = Registry()
    assert registry.offer("schedule", name).plugin.dist == "headrace-schedules"
    assert registry.load("schedule", name) is kind
    assert registry.make("schedule", Choice(name, options)) == kind(**options)


def test_classes_load_no_library() -> None:
    """The classes alone load neither cronsim nor dateutil; who makes a schedule of one kind does not pay for another."""
    program = (
        "from headrace.schedules import CronSchedule, IntervalSchedule, RRuleSchedule; import sys\n"
        "IntervalSchedule('1d', timezone='Europe/Berlin')\n"
        "print({'cronsim', 'dateutil'} & set(sys.modules) or '-')\n"
        "CronSchedule('@daily')\n"
        "print({'cronsim', 'dateutil'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-", "{'cronsim'}"]
