"""Schedules of a deployment: added, changed and removed in a form, with a look at their next times."""

from html import unescape
from re import search, sub
from typing import Any

import attrs
import pytest
from playwright.sync_api import expect

from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap

PAGE = "deployments/etl-daily"
NEW = f"{PAGE}/schedules/new"
DAILY = DeploymentSchedule(kind=Choice("cron", {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "day_or": True}))
HOURLY = DeploymentSchedule(kind=Choice("interval", {"interval": "1h", "anchor_date": None, "timezone": None}))
POLICIES = {"on_missed": "run_latest", "most_missed": "10", "max_lateness": "", "overlap": "queue"}


def schedules(site: Any) -> tuple[DeploymentSchedule, ...]:
    """Those of the deployment now."""
    found: tuple[DeploymentSchedule, ...] = site.house.client.read_deployment("etl-daily").schedules
    return found


def typed(kind: str = "cron", **more: str) -> dict[str, str]:
    """What somebody types who leaves the rest as it is; `__` stands for the dot between a kind and its option."""
    return {"kind": kind, **POLICIES, **{name.replace("__", "."): text for name, text in more.items()}}


def preview(site: Any, path: str = NEW, **fields: str) -> str:
    """When it would run, as a page asks for it while somebody types."""
    answer = site.http.post(path, data={"do": "preview", **typed(**fields)}, headers={"HX-Target": "div#preview"})
    assert answer.status_code == 200
    assert "<html" not in answer.text, "a piece of a page"
    return " ".join(unescape(sub(r"<[^>]+>", " ", answer.text)).split())


def refused(site: Any, path: str = NEW, **fields: str) -> tuple[str, str]:
    """The field that is marked as wrong, with why; where it is none, the sentence above all. What was typed stays."""
    answer = site.post(path, "save", **typed(**fields))
    assert answer.status_code in (400, 409, 422), answer.status_code
    for name, text in typed(**fields).items():
        if name.startswith(f"{fields.get('kind', 'cron')}."):
            assert text in unescape(answer.text), name
    at = search(r'name="([^"]*)"[^>]*aria-invalid="true"', answer.text)
    why = search(r'role="alert">(.*?)</', answer.text)
    assert why is not None
    assert answer.text.count('role="alert"') == 1, "it is told once"
    return at[1] if at else "", unescape(why[1])


# Adding one


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (typed(cron__cron="0 3  * * *", cron__timezone="Europe/Berlin"), DAILY),
        (typed("interval", interval__interval="60m"), HOURLY),
        (
            typed("rrule", rrule__rrule="FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", rrule__timezone="Asia/Tokyo"),
            DeploymentSchedule(kind=Choice("rrule", {"rrule": "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", "timezone": "Asia/Tokyo"})),
        ),
        (
            typed(cron__cron="@daily", cron__day_or="no")
            | {"on_missed": "run_all", "most_missed": "50", "max_lateness": "90", "overlap": "cancel_previous"},
            DeploymentSchedule(
                kind=Choice("cron", {"cron": "@daily", "timezone": None, "day_or": False}),
                on_missed=OnMissed.RUN_ALL,
                most_missed=50,
                max_lateness=90.0,
                overlap=Overlap.CANCEL_PREVIOUS,
            ),
        ),
    ],
)
def test_add(site: Any, fields: dict[str, str], kept: DeploymentSchedule) -> None:
    """All that is typed is kept as its kind keeps it; the same form sent twice adds one."""
    site.deployment()
    for _ in range(2):
        assert site.said(NEW, "save", **fields) == "etl/daily has one more schedule."
        assert [each.wanted for each in schedules(site)] == [kept]


def test_add_beside_others(site: Any) -> None:
    """Those that are there stay as they are, and the one that is there already is not added in other words."""
    site.deployment(schedules=(DAILY,))
    site.said(NEW, "save", **typed("interval", interval__interval="1h"))
    assert [each.wanted for each in schedules(site)] == [DAILY, HOURLY]
    assert [each.version for each in schedules(site)] == [1, 1]
    assert site.text(PAGE).count("interval 1h") > 1, "of each of the next times, whose it is"
    where, why = refused(site, cron__cron="0 3 * * *", cron__timezone="Europe/Berlin", overlap="skip")
    assert (where, "it has this schedule already: cron 0 3 * * *" in why) == ("", True)


@pytest.mark.parametrize(
    ("fields", "where", "why"),
    [
        ({}, "cron.cron", "it is needed"),
        ({"cron__cron": "0 3 * *"}, "cron.cron", "it has 4 fields, and takes 5"),
        ({"cron__cron": "61 * * * *"}, "cron.cron", "its field 1 (minute) has '61'"),
        ({"cron__cron": "@daily", "cron__timezone": "Europe/Berlim"}, "cron.timezone", "did you mean 'Europe/Berlin'"),
        ({"kind": "interval", "interval__interval": "soon"}, "interval.interval", "is no length of time"),
        ({"kind": "interval", "interval__interval": "1h", "interval__anchor_date": "then"}, "interval.anchor_date", "it is no moment"),
        ({"kind": "rrule", "rrule__rrule": "FREQ=NEVER"}, "rrule.rrule", "FREQ"),
        ({"cron__cron": "@daily", "on_missed": "run_all", "most_missed": "0"}, "most_missed", "it is a whole number from 1 to 1,000"),
        ({"cron__cron": "@daily", "max_lateness": "later"}, "max_lateness", "is no length of time"),
        ({"cron__cron": "@daily", "max_lateness": "0"}, "max_lateness", "it must be longer than nothing"),
        ({"cron__cron": "@daily", "overlap": "both"}, "overlap", "it is one of queue, skip, allow, cancel_previous"),
        ({"kind": "moon"}, "", "no schedule named 'moon'"),
        ({"kind": "rrule", "rrule__rrule": "DTSTART:20200101T000000Z\r\nRRULE:FREQ=DAILY;COUNT=2"}, "", "it would never make a run"),
    ],
)
def test_what_cannot_be(site: Any, fields: dict[str, str], where: str, why: str) -> None:
    """It is told in one sentence, at the field where there is one, and what was typed stays."""
    site.deployment()
    found, said = refused(site, **fields)
    assert (found, why in said) == (where, True), (found, said)
    assert schedules(site) == ()


def test_parameters_that_are_missing(site: Any) -> None:
    """Nobody would give them to a run that is made by itself."""
    site.deployment(parameter_schema={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]})
    assert "needs a value for parameter 'title'" in refused(site, cron__cron="@daily")[1]


# Changing and removing one


def test_change(site: Any) -> None:
    """The form has the schedule as it is; the one that was changed stays itself, and the others stay as they are."""
    site.deployment(schedules=(DAILY, HOURLY))
    daily, hourly = schedules(site)
    path = f"{PAGE}/schedules/{daily.id}"
    html = site.page(path)
    assert 'name="cron.cron" value="0 3 * * *"' in html
    assert 'name="cron.timezone" value="Europe/Berlin"' in html
    said = site.said(path, "save", version="1", **typed(cron__cron="0 4 * * *", cron__timezone="Europe/Berlin"))
    assert said == "The schedule was changed; runs that were made ahead for it as it was are gone."
    changed, same = schedules(site)
    assert (changed.id, changed.version, changed.kind.options["cron"]) == (daily.id, 2, "0 4 * * *")
    assert same == hourly


def test_remove(site: Any) -> None:
    """One goes, and the others stay as they are; removing it again changes nothing."""
    site.deployment(schedules=(DAILY, HOURLY))
    daily, hourly = schedules(site)
    for _ in range(2):
        said = site.said(PAGE, "unschedule", schedule=daily.id, version="1")
        assert said == "The schedule was removed; runs that were made ahead for it are gone."
        assert schedules(site) == (hourly,)
    assert site.http.get(f"{PAGE}/schedules/{daily.id}").status_code == 404


def test_two_people_at_once(site: Any) -> None:
    """What each of them adds, changes and removes of different schedules holds; of the same one, the second is told and nothing is lost."""
    site.deployment(schedules=(DAILY, HOURLY))
    daily, hourly = schedules(site)
    site.said(f"{PAGE}/schedules/{daily.id}", "save", version="1", **typed(cron__cron="0 4 * * *"))
    site.said(NEW, "save", **typed(cron__cron="@weekly"))
    assert site.said(f"{PAGE}/schedules/{hourly.id}", "save", version="1", **typed("interval", interval__interval="2h"))
    kept = schedules(site)
    assert [each.kind.options[each.kind.name] for each in kept] == ["0 4 * * *", "2h", "@weekly"]
    late = site.post(f"{PAGE}/schedules/{daily.id}", "save", version="1", **typed(cron__cron="0 5 * * *"))
    assert late.status_code == 409
    assert "was changed by somebody else meanwhile" in late.text
    assert 'value="0 5 * * *"' in late.text
    assert "It is cron 0 4 * * *; on missed run_latest, overlap queue by now." in late.text
    assert site.post(PAGE, "unschedule", schedule=daily.id, version="1").status_code == 409
    site.said(PAGE, "unschedule", schedule=daily.id, version="2")
    gone = site.post(f"{PAGE}/schedules/{daily.id}", "save", version="2", **typed(cron__cron="0 6 * * *"))
    assert gone.status_code in (404, 409)
    assert [each.kind.options[each.kind.name] for each in schedules(site)] == ["2h", "@weekly"]


def test_a_kind_that_is_not_installed(site: Any) -> None:
    """A schedule whose kind is not where the server is can be seen and removed."""
    site.deployment(schedules=(DAILY,))
    with site.house.client.store.writing() as writing:
        known = writing.deployment("etl-daily")
        strange = attrs.evolve(known.schedules[0], kind=Choice("moon", {"phase": "full"}))
        writing.put_deployment(attrs.evolve(known, schedules=(strange,)))
    assert "no schedule named 'moon'" in site.text(PAGE)
    assert "moon, which is not installed where the server is" in site.text(f"{PAGE}/schedules/{strange.id}")
    site.said(PAGE, "unschedule", schedule=strange.id, version="1")
    assert schedules(site) == ()


# A look ahead


def test_preview(site: Any) -> None:
    """The next times are told before anything is kept, with what clocks do then."""
    site.deployment()
    said = preview(site, cron__cron="30 2 * 3 0L", cron__timezone="Europe/Berlin")
    assert "cron 30 2 * 3 0L, timezone Europe/Berlin; on missed run_latest, overlap queue" in said
    assert "the first moment after clocks skip 02:00 to 03:00" in said
    assert "CEST" in said
    assert schedules(site) == ()
    assert "it has 4 fields, and takes 5" in preview(site, cron__cron="0 3 * *")
    assert "No time of it is to come." in preview(site, kind="rrule", rrule__rrule="DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=2")


def test_preview_of_a_change(site: Any) -> None:
    """The form begins with the times of the schedule as it is."""
    site.deployment(schedules=(DAILY,))
    site.house.client.pause_deployment("etl-daily")
    (found,) = schedules(site)
    path = f"{PAGE}/schedules/{found.id}"
    said = site.text(path)
    assert "cron 0 3 * * *, timezone Europe/Berlin" in said
    assert "No runs are made while the deployment is paused." in said
    assert "03:00" in said
    assert "cron 0 4 * * *; on missed" in preview(site, path, cron__cron="0 4 * * *")


# In a browser


def test_in_a_browser(site: Any, browser: Any) -> None:
    """One is added with a look at its times, changed, and removed; only the fields of its kind are shown."""
    site.deployment()
    browser.on("dialog", lambda dialog: dialog.accept())
    browser.goto(PAGE)
    browser.get_by_role("link", name="Add…").click()
    kind = browser.get_by_label("Kind")
    expect(browser.locator('[name="interval.interval"]')).to_be_hidden()
    kind.select_option("interval")
    expect(browser.locator('[name="cron.cron"]')).to_be_hidden()
    browser.locator('[name="interval.interval"]').fill("soon")
    expect(browser.locator("#preview")).to_contain_text("is no length of time")
    browser.get_by_role("button", name="Save").click()
    expect(browser.locator("[aria-invalid]")).to_have_value("soon")
    expect(browser.locator("#fault")).to_contain_text("is no length of time")
    kind.select_option("cron")
    browser.locator('[name="cron.cron"]').fill("30 2 * 3 0L")
    browser.locator('[name="cron.timezone"]').fill("Europe/Berlin")
    expect(browser.locator("#preview")).to_contain_text("the first moment after clocks skip 02:00 to 03:00")
    browser.get_by_role("button", name="Save").click()
    expect(browser.locator("#coming")).to_contain_text("cron 30 2 * 3 0L")
    browser.get_by_role("link", name="Change cron").click()
    expect(browser.locator('[name="cron.cron"]')).to_have_value("30 2 * 3 0L")
    browser.locator('[name="cron.cron"]').fill("0 9 * * *")
    browser.get_by_role("button", name="Save").click()
    expect(browser.locator("#coming")).to_contain_text("cron 0 9 * * *")
    browser.get_by_role("button", name="Remove cron").click()
    expect(browser.locator("#coming")).to_contain_text("It runs when somebody asks.")
