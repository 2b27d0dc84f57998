"""The calendar of schedules."""

from datetime import UTC, datetime, timedelta
from html import unescape
from re import DOTALL, findall, sub
from typing import Any

import attrs
from playwright.sync_api import expect

from headrace.model.choices import Choice
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, Tick
from headrace.model.states import State

NIGHTLY = DeploymentSchedule(kind=Choice("cron", {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}))
EACH_MINUTE = DeploymentSchedule(kind=Choice("interval", {"interval": 60}))


def days(html: str) -> dict[str, str]:
    """What each day says, by its name."""
    cells = findall(r"<td class=.*?</td>", html, DOTALL)
    named = [(findall(r'class="date"[^>]*aria-label="([^"]*)"', cell)[0], cell.partition("</a>")[2]) for cell in cells]
    return {name: " ".join(unescape(sub(r"<[^>]+>", " ", cell)).split()) for name, cell in named}


def ran(site: Any, at: datetime, state: State, deployment: str = "etl-daily") -> FlowRun:
    """A run that a schedule made for a time."""
    (schedule, *_) = site.house.client.read_deployment(deployment).schedules
    run_id = site.house.ids.new()
    tick = Tick(schedule_id=schedule.id, version=schedule.version, at=at)
    made = FlowRun(
        id=run_id,
        name="ran",
        state=attrs.evolve(state, timestamp=at),
        created=at,
        flow_name="etl",
        deployment_id=deployment,
        root_id=run_id,
        tick=tick,
    )
    return site.house.client.create_flow_run(made)


def test_nothing_yet(site: Any) -> None:
    """It tells how one begins."""
    site.deployment()
    assert "headrace deployment set-schedule FLOW/NAME" in site.text("calendar")
    assert "No deployment with a schedule fits." in site.text("calendar", name="x")


def test_what_is_to_come(site: Any) -> None:
    """Each day has its runs, by the clocks that are asked for; where clocks change, they change with them."""
    site.deployment(schedules=(NIGHTLY,))
    berlin = days(site.page("calendar", day="2031-03-15", zone="Europe/Berlin"))
    assert len(berlin) == 42
    assert berlin["Saturday 29 March"] == berlin["Monday 31 March"] == "03:00 etl/daily"
    utc = days(site.page("calendar", day="2031-03-15"))
    assert (utc["Saturday 29 March"], utc["Monday 31 March"]) == ("02:00 etl/daily", "01:00 etl/daily")
    york = days(site.page("calendar", day="2031-03-15", zone="America/New_York"))
    assert york["Saturday 1 March"] == "21:00 etl/daily"
    assert days(site.page("calendar", day="2031-03-15", zone="No/Where")) == utc


def test_a_week(site: Any) -> None:
    """It has seven days, and leads to those before and after."""
    site.deployment(schedules=(NIGHTLY,))
    html = site.page("calendar", day="2031-03-15", view="week", zone="Europe/Berlin")
    assert list(days(html)) == [f"{datetime(2031, 3, day):%A} {day} March" for day in range(10, 17)]
    assert "10 March – 16 March 2031" in html
    links = [unescape(link) for link in findall(r'<a class="button" href="([^"]*)"', html)]
    assert [next(iter(days(site.page(link)))) for link in (links[0], links[2])] == ["Monday 3 March", "Monday 17 March"]


def test_what_became_of_times(site: Any) -> None:
    """Days that are past tell what became of the runs, and lead to them; runs of other schedules and by hand are not there."""
    site.deployment(schedules=(NIGHTLY,))
    at = datetime(2026, 3, 10, 2, tzinfo=UTC)
    good = ran(site, at, State.completed())
    ran(site, at + timedelta(days=1), State.failed(message="no rows"))
    ran(site, at + timedelta(days=2), State.skipped("missed"))
    ran(site, at + timedelta(days=3), State.completed())
    ran(site, at + timedelta(days=3, minutes=1), State.completed())
    ran(site, at + timedelta(days=3, minutes=2), State.crashed("killed"))
    site.script_run("by hand")
    html = site.page("calendar", day="2026-03-01", zone="Europe/Berlin")
    found = days(html)
    assert [found[f"{day} March"] for day in ("Tuesday 10", "Wednesday 11", "Thursday 12", "Friday 13", "Saturday 14")] == [
        "03:00 etl/daily completed",
        "03:00 etl/daily failed",
        "03:00 etl/daily skipped",
        "03:00 etl/daily 3× 2 completed 1 crashed",
        "",
    ]
    assert f'href="./flow-runs/{good.id}"' in html


def test_late_and_made_ahead(site: Any) -> None:
    """A run that was made ahead is told once, and leads to it; one that is late is called so."""
    site.deployment(schedules=(NIGHTLY,))
    (made,) = site.runs
    html = site.page("calendar", day=made.tick.at.date(), zone="Europe/Berlin")
    assert f'<li class="ahead"><a href="./flow-runs/{made.id}"' in html
    assert html.count(f"flow-runs/{made.id}") == 1
    late = site.house.clock.now() - timedelta(hours=1)
    ran(site, late, attrs.evolve(State.scheduled(late)))
    assert "etl/daily late" in site.text("calendar", day=late.date(), view="week")


def test_paused(site: Any) -> None:
    """What is paused has no runs to come."""
    site.deployment(schedules=(NIGHTLY,))
    site.house.client.pause_deployment("etl-daily")
    assert "03:00" not in site.text("calendar", day="2031-03-15", zone="Europe/Berlin")


def test_many_deployments(site: Any) -> None:
    """A day of a month shows some, and leads to its week, which shows more. By name and tag there are fewer."""
    for number in range(8):
        site.deployment(f"d{number}", schedules=(NIGHTLY,), tags=("even",) if number % 2 == 0 else ())
    day = datetime(2026, 3, 10, 2, tzinfo=UTC)
    for number in range(8):
        ran(site, day, State.completed(), f"etl-d{number}")
    html = site.page("calendar", day="2031-03-15")
    assert days(html)["Saturday 15 March"] == "02:00 etl/d0 02:00 etl/d1 02:00 etl/d2 02:00 etl/d3 02:00 etl/d4 +3 more"
    links = {unescape(link) for link in findall(r'<a class="under" href="([^"]*)">\+3', html)}
    (week,) = [link for link in links if "day=2031-03-15" in link]
    assert days(site.page(week))["Saturday 15 March"].count("etl/d") == 8
    assert days(site.page("calendar", day="2026-03-10", view="week"))["Tuesday 10 March"].count("completed") == 8
    assert days(site.page("calendar", day="2031-03-15", tag="even"))["Saturday 15 March"].count("etl/") == 4
    assert days(site.page("calendar", day="2031-03-15", name="D7"))["Saturday 15 March"] == "02:00 etl/d7"


def test_very_many_deployments(site: Any) -> None:
    """A day of a week that is past leads to its runs, where it cannot show all deployments."""
    day = datetime(2026, 3, 10, 2, tzinfo=UTC)
    for number in range(32):
        site.deployment(f"d{number:02}", schedules=(NIGHTLY,))
        ran(site, day, State.completed(), f"etl-d{number:02}")
    (link,) = findall(r'<a class="under" href="([^"]*)">\+2 more', site.page("calendar", day="2026-03-10", view="week"))
    assert site.page(unescape(link)).count(">ran<") == 32


def test_very_often(site: Any) -> None:
    """What runs each minute is told without counting it all, and the page stays small; many such are bounded too."""
    for number in range(45):
        site.deployment(f"d{number}", schedules=(EACH_MINUTE,))
    html = site.page("calendar", day="2031-03-15")
    assert "many×" in html
    assert "There are more deployments than are shown" in html
    assert len(html.encode()) < 150_000
    alone = days(site.page("calendar", day="2031-03-15", name="d44", view="week"))
    assert (alone["Monday 10 March"], alone["Tuesday 11 March"], alone["Wednesday 12 March"]) == (
        "00:00 etl/d44 1,440×",
        "00:00 etl/d44 1,060+×",
        "etl/d44 many×",
    )


def test_many_runs(site: Any) -> None:
    """Of a schedule with very many runs the latest are told apart, and days before them are not said to be empty."""
    site.deployment(schedules=(EACH_MINUTE,))
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    for number in range(900):
        ran(site, begin + timedelta(minutes=number), State.completed())
    found = days(site.page("calendar", day="2026-03-10"))
    assert found["Tuesday 10 March"] == "01:40 etl/daily 800+× 800 completed"
    assert found["Monday 9 March"] == "etl/daily many×"
    assert found["Wednesday 11 March"] == ""


def test_days_that_cannot_be(site: Any) -> None:
    """What is no day is today; the ends of the calendar are there."""
    site.deployment(schedules=(NIGHTLY,))
    for day in ("nonsense", "0001-01-01", "9999-12-31", "1971-01-01", "2200-12-31"):
        for view in ("month", "week"):
            assert site.http.get("calendar", params={"day": day, "view": view, "zone": "Pacific/Kiritimati"}).status_code == 200


def test_the_zone_of_who_looks(site: Any, browser: Any) -> None:
    """The browser tells it once, and the calendar has its days from then on."""
    site.deployment(schedules=(NIGHTLY,))
    browser.goto("calendar?day=2031-03-15")
    browser.reload()
    expect(browser.get_by_text("Days and clocks are those of Europe/Berlin.")).to_be_visible()
    expect(browser.get_by_role("link", name="03:00 etl/daily").first).to_be_visible()
    browser.set_viewport_size({"width": 390, "height": 800})
    assert browser.evaluate("document.documentElement.scrollWidth") == 390
    expect(browser.get_by_text("Saturday 15")).to_be_visible()
    browser.get_by_role("link", name="Saturday 15 March").click()
    expect(browser.get_by_role("heading", name="10 March – 16 March 2031")).to_be_visible()
