"""Schedules in a line."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.schedules import DeploymentSchedule, Overlap
from headrace.testing.clock import START
from headrace.wire.schedule_words import all_in_a_cell, in_a_cell, in_short, in_words

RULE = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=9,10,11,12,13,14,15,16,17"


def schedule(kind: str, **options: Any) -> DeploymentSchedule:
    return DeploymentSchedule(kind=Choice(kind, options))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("cron", {"cron": "0 9 * * *"}, "cron 0 9 * * *"),
        ("cron", {"cron": "0 9 * * *", "timezone": None, "day_or": True}, "cron 0 9 * * *"),
        ("cron", {"cron": "0 9 * * *", "timezone": "UTC"}, "cron 0 9 * * *"),
        ("cron", {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}, "cron 0 9 * * * Europe/Berlin"),
        ("cron", {"cron": "0 9 13 * 5", "day_or": False, "timezone": "Asia/Tokyo"}, "cron 0 9 13 * 5 day_or false Asia/Tokyo"),
        ("interval", {"interval": "1d"}, "interval 1d"),
        (
            "interval",
            {"interval": "1d", "anchor_date": "2026-01-01T09:00:00", "timezone": "Europe/Berlin"},
            "interval 1d anchor 2026-01-01T09:00:00 Europe/Berlin",
        ),
        ("rrule", {"rrule": "DTSTART:20260101T090000\nRRULE:FREQ=DAILY"}, "rrule DTSTART:20260101T090000 RRULE:FREQ=DAILY"),
        ("moments", {"moments": (datetime(2026, 1, 1, tzinfo=UTC),)}, "moments 2026-01-01T00:00:00+00:00"),
        ("thrice", {"first": 3}, "thrice first 3"),
        ("thrice", {}, "thrice"),
    ],
)
def test_in_short(kind: str, options: dict[str, Any], said: str) -> None:
    """What is not as by default is said, and nothing else."""
    assert in_short(schedule(kind, **options)) == said


def test_in_a_table() -> None:
    """A long value is cut, and its zone is not; elsewhere all is whole."""
    found = schedule("rrule", rrule=RULE, timezone="Europe/Berlin")
    assert in_a_cell(found) == "rrule FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSET… Europe/Berlin"
    assert RULE in in_short(found)
    assert in_words(found).startswith(f"rrule {RULE}, timezone Europe/Berlin; on missed run_latest")


def test_all_of_a_deployment() -> None:
    """Two are shown, and how many more there are."""
    found = Deployment(id="d", name="nightly", flow_name="errand", code=Code(entrypoint="errands:errand"), created=START, updated=START)
    assert all_in_a_cell(attrs.evolve(found, is_paused=True)) == ""
    several = attrs.evolve(found, schedules=tuple(schedule("interval", interval=f"{hours}h") for hours in (1, 2, 3, 4)))
    assert all_in_a_cell(several) == "interval 1h; interval 2h; 2 more"
    assert all_in_a_cell(attrs.evolve(several, schedules=several.schedules[:1], is_paused=True)) == "interval 1h (paused)"


def test_in_words() -> None:
    """All that was written is said, with what becomes of its times."""
    found = attrs.evolve(schedule("cron", cron="@daily", day_or=True), overlap=Overlap.SKIP, max_lateness=60.0)
    assert in_words(found) == "cron @daily; on missed run_latest, overlap skip, at most 1m 0s late"
