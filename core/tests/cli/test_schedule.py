"""`headrace schedule` and `headrace services` without a run store, with a kind that a test makes up; with one: tests/end_to_end/test_schedules.py."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Headrace = Callable[..., CompletedProcess[str]]

KIND = '{"type": "thrice"}'


@pytest.fixture(autouse=True)
def thrice(plugin: Callable[..., None], environment: dict[str, str]) -> None:
    """A third-party schedule, which comes three times, and a service."""
    environment["TZ"] = "UTC"
    plugin(
        acme_plugin="""
            from headrace.hooks import Provider, hookimpl

            @hookimpl
            def headrace_schedules():
                yield Provider("thrice", "acme_times:Thrice", "At the beginning of the century")

            @hookimpl
            def headrace_services():
                yield Provider("reminder", "acme_times:Reminder", "Tells who waits for long")
        """,
        acme_times="""
            from datetime import UTC, datetime, timedelta

            import attrs

            @attrs.frozen
            class Thrice:
                timezone: str = "Europe/Berlin"
                first: str = "2000-03-25T23:30+00:00"

                def after(self, moment):
                    first = datetime.fromisoformat(self.first)
                    return (at for at in (first, first + timedelta(hours=1), first + timedelta(hours=2)) if at > moment)

            @attrs.frozen
            class Reminder:
                def step(self, client, now):
                    return now + timedelta(hours=1)
        """,
    )


def preview(headrace: Headrace, *arguments: str) -> CompletedProcess[str]:
    return headrace("schedule", "preview", *arguments)


def rows(headrace: Headrace, *arguments: str) -> list[dict[str, object]]:
    shown = preview(headrace, *arguments, "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    found: list[dict[str, object]] = json.loads(shown.stdout)
    return found


def test_a_schedule_that_is_typed(headrace: Headrace) -> None:
    """Its times are shown in its zone, with what clocks do, and no run store is needed for it."""
    found = rows(headrace, "--schedule", KIND, "--from", "2000-01-01")
    assert [row["at"] for row in found] == ["2000-03-26T00:30:00+01:00", "2000-03-26T01:30:00+01:00", "2000-03-26T03:30:00+02:00"]
    assert [row["marks"] for row in found] == [[], [], ["clocks go forward, +01:00 to +02:00"]]
    assert {row["schedule"] for row in found} == {"thrice Europe/Berlin first 2000-03-25T23:30+00:00"}
    lines = preview(headrace, "--schedule", KIND, "--from", "2000-01-01").stdout.splitlines()
    assert lines[0].split() == ["TIME", "DAY", "WHEN", "REMARKS"]
    assert lines[3].startswith("2000-03-26 03:30:00 CEST  Sun  ")
    assert lines[3].rpartition(" ago ")[2].strip() == "clocks go forward, +01:00 to +02:00"


def test_from_and_to(headrace: Headrace) -> None:
    """Both moments are included; without an offset they are meant in the zone in which times are shown."""
    assert len(rows(headrace, "--schedule", KIND, "--from", "2000-03-26T00:30", "--to", "2000-03-26T01:30")) == 2
    assert len(rows(headrace, "--schedule", KIND, "--from", "2000-03-26T00:30:01", "--to", "2000-03-26T01:29")) == 0
    assert len(rows(headrace, "--schedule", KIND, "--from", "2000-03-26T00:30Z")) == 2
    assert len(rows(headrace, "--schedule", KIND, "--from", "2000-03-26T00:30", "--timezone", "UTC")) == 2
    assert len(rows(headrace, "--schedule", KIND, "--from", "2000-01-01", "-n", "1")) == 1
    (first, *_) = rows(headrace, "--schedule", KIND, "--from", "2000-01-01", "--timezone", "Asia/Kathmandu")
    assert first["at"] == "2000-03-26T05:15:00+05:45"


def test_from_and_to_where_clocks_are_changed(headrace: Headrace) -> None:
    """What clocks skip means the first moment after it, and of what they show twice, both are between."""
    gap = ["--from", "2000-03-26T02:30", "--to", "2000-03-26T02:45", "--timezone", "Europe/Berlin"]
    skipped = '{"type": "thrice", "first": "2000-03-26T01:00+00:00"}'
    assert [row["at"] for row in rows(headrace, "--schedule", skipped, *gap)] == ["2000-03-26T03:00:00+02:00"]
    fold = ["--from", "2000-10-29T02:30", "--to", "2000-10-29T02:30", "--timezone", "Europe/Berlin"]
    twice = '{"type": "thrice", "first": "2000-10-29T00:30+00:00"}'
    assert [row["at"] for row in rows(headrace, "--schedule", twice, *fold)] == ["2000-10-29T02:30:00+02:00", "2000-10-29T02:30:00+01:00"]


def test_nothing_to_come(headrace: Headrace) -> None:
    """That is a sentence, and no row."""
    shown = preview(headrace, "--schedule", KIND)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "no time of it is to come\n")
    shown = preview(headrace, "--schedule", KIND, "--from", "2000-01-01", "--to", "2000-01-02")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "no time of it lies between these moments\n")
    assert rows(headrace, "--schedule", KIND) == []


def test_several_at_once(headrace: Headrace) -> None:
    """Schedules in a list are shown in the order of their times, each with which it is."""
    both = '[{"type": "thrice"}, {"type": "thrice", "timezone": "UTC"}]'
    lines = preview(headrace, "--schedule", both, "--from", "2000-01-01").stdout.splitlines()
    assert lines[0].split() == ["TIME", "DAY", "WHEN", "SCHEDULE", "REMARKS"]
    assert [line.split()[2] for line in lines[1:]] == ["CET", "UTC", "CET", "UTC", "CEST", "UTC"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "say whose times: NAME, or one of --cron"),
        (["x", "--cron", "@daily"], "give NAME or a schedule, not both"),
        (["x", "--anchor", "2026-01-01"], "belong to a schedule that is typed"),
        (["--cron", "@daily", "--interval", "1h"], "a schedule is of one kind, and --cron and --interval are given"),
        (["--rrule", "FREQ=DAILY", "--schedule", KIND], "a schedule is of one kind, and --rrule and --schedule are given"),
        (["--cron", "@daily", "--anchor", "2026-01-01"], "--anchor is where an interval is counted from"),
        (["--interval", "1h", "--no-day-or"], "--day-or and --no-day-or are of cron expressions"),
        (["--schedule", "{"], "it is no JSON"),
        (["--schedule", '"thrice"'], "it is a JSON object"),
        (["--schedule", '{"type": "thrice", "odd": 1}'], "it has no option 'odd'; it takes timezone, first"),
        (["--schedule", '{"type": "thrice", "type": "x"}'], "the key 'type' stands twice"),
        (["--schedule", KIND, "--timezone", "Europe/Berln"], "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        (["--schedule", KIND, "--timezone", "kathmandu"], "did you mean 'Asia/Kathmandu'?"),
        (["--schedule", KIND, "--timezone", "/etc/x"], "there is no time zone"),
        (["--schedule", KIND, "--from", "soon"], "write it as 2026-11-25T09:30"),
        (["--schedule", KIND, "--from", "0001-01-01"], "lies at the end of the calendar"),
        (["--schedule", KIND, "--from", "2001-01-01", "--to", "2000-01-01"], "--to lies before --from"),
        (["--schedule", KIND, "--to", "2000-01-01"], "--to lies before now"),
        (["--schedule", KIND, "-n", "0"], "0 is not in the range"),
    ],
)
def test_what_is_typed_wrong(headrace: Headrace, typed: list[str], told: str) -> None:
    """It is said in a sentence."""
    shown = preview(headrace, *typed)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert told in shown.stderr
    assert shown.stderr.endswith("try: headrace schedule preview --help\n")
    assert shown.stderr.count("\n") == 2


def test_a_kind_that_is_not_installed(headrace: Headrace) -> None:
    """It is said which distribution brings it, where that is known."""
    blocked = {"HEADRACE_PLUGINS_BLOCKED": "headrace-schedules"}
    for kind, value in (("cron", "@daily"), ("interval", "1h"), ("rrule", "FREQ=DAILY")):
        shown = headrace("schedule", "preview", f"--{kind}", value, more=blocked)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr.endswith("— pip install headrace-schedules\n")
    assert headrace("schedule", "preview", "--schedule", '{"type": "moon"}').returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["schedule", "preview", "x"],
        ["deployment", "set-schedule", "x", "--schedule", KIND],
        ["deployment", "clear-schedule", "x"],
        ["deployment", "backfill", "x", "--from", "2000-01-01"],
        ["services", "start", "reminder"],
    ],
)
def test_without_a_lasting_run_store(headrace: Headrace, arguments: list[str]) -> None:
    """What needs one refuses a store that ends with the process."""
    shown = headrace(*arguments)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("error: the run store in use is gone when its process ends")


def test_services(headrace: Headrace) -> None:
    """All that are installed are listed, those of plugins too; a name that none has is told with a near one."""
    shown = headrace("services", "ls", "--json")
    found = {row["name"]: row for row in json.loads(shown.stdout)}
    assert found["reminder"] == {"name": "reminder", "dist": "acme", "summary": "Tells who waits for long"}
    assert {"late_runs", "lost_leases", "retention"} <= found.keys()
    assert "reminder" in headrace("services", "ls").stdout
    for name, told in (("remindr", "did you mean 'reminder'?"), ("zzz", "there are: late_runs, lost_leases")):
        shown = headrace("services", "start", name)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert told in shown.stderr
    shown = headrace("services", "start", "scheduler", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-schedules"})
    assert shown.returncode == 1
    assert shown.stderr.endswith("— pip install headrace-schedules\n")
