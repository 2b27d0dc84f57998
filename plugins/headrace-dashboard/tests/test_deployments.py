"""Deployments: the list, the page of one, and the form for a run."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from re import DOTALL, findall
from typing import Any

import attrs
import httpx2 as httpx
import pytest
from playwright.sync_api import expect
from servers.own import COMMAND, environment, headrace_server

from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule
from headrace.model.states import StateType

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "rows": {"type": "integer", "default": 3}, "day": {"type": "string", "format": "date"}},
    "required": ["title"],
    "additionalProperties": False,
}
DAILY = DeploymentSchedule(kind=Choice("cron", {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}))


def names(html: str) -> list[str]:
    """The deployments that a page lists."""
    return findall(r'<td class="grow"><a href="[^"]*">([^<]*)</a>', html)


def only_run(site: Any) -> FlowRun:
    """The one run that was asked for."""
    (run,) = site.runs
    return run


# The list


def test_nothing_yet(site: Any) -> None:
    """It tells how one begins."""
    assert "headrace deployment create FILE" in site.text("deployments")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["report/full", "etl/weekly", "etl/daily"]),
        ({"flow": "etl"}, ["etl/weekly", "etl/daily"]),
        ({"tag": ["eu", "prod"]}, ["etl/weekly"]),
        ({"name": "TL/d"}, ["etl/daily"]),
        ({"name": "nothing"}, []),
    ],
)
def test_filters(site: Any, query: dict[str, Any], found: list[str]) -> None:
    """The address says which are shown; a part of the whole name is enough."""
    site.house.client.put_deployments(
        tuple(
            attrs.evolve(site.deployment(), id=f"{number}", name=name, flow_name=flow, tags=tags)
            for number, (flow, name, tags) in enumerate(
                (("etl", "daily", ()), ("etl", "weekly", ("eu", "prod")), ("report", "full", ("eu",)))
            )
        )
    )
    assert sorted(names(site.page("deployments", **query))) == sorted(found)


def test_pages(site: Any) -> None:
    """Fifty are shown, and the next ones beyond them."""
    for number in range(52):
        site.deployment(f"d-{number:02}")
    html = site.page("deployments", flow="etl")
    assert len(names(html)) == 50
    (link,) = findall(r'<a class="button" href="([^"]*)">Older ones', html)
    assert "flow=etl" in link
    assert len(names(site.page(unescape(link)))) == 2


def test_what_the_list_tells(site: Any) -> None:
    """Schedules, when the next run is, tags, and what is paused."""
    site.deployment(schedules=(DAILY,), tags=("prod",), description="\nLoads it.\nMore of that.")
    said = site.text("deployments")
    assert "etl/daily Loads it. prod cron 0 3 * * * Europe/Berlin in " in said
    assert site.said("deployments", "pause", deployment="etl-daily") == "etl/daily is paused."
    assert "none while it is paused" in site.text("deployments")
    assert site.said("deployments", "resume", deployment="etl-daily") == "etl/daily goes on."


def test_quick_run(site: Any) -> None:
    """One click makes a run, and leads to its page; the same click twice makes one."""
    site.deployment()
    (request,) = findall(r'name="id" value="([^"]*)"', site.page("deployments"))
    for _ in range(2):
        done = site.post("deployments", "run", deployment="etl-daily", id=request)
        assert (done.status_code, done.headers["location"]) == (303, f"./flow-runs/{request}")
    assert only_run(site).id == request
    assert "Asked for a run of etl/daily." in site.text(f"flow-runs/{request}")
    assert site.post("deployments", "run", deployment="etl-daily", id="no id").status_code == 303
    assert len(site.runs) == 2


def test_quick_run_where_something_is_missing(site: Any) -> None:
    """It leads to the form; no button promises what cannot be."""
    site.deployment(parameter_schema=SCHEMA)
    assert "Quick run" not in site.page("deployments")
    assert "Quick run" not in site.page("deployments/etl-daily")
    assert "each run must be given one" in site.text("deployments/etl-daily")
    assert site.post("deployments", "run", deployment="etl-daily").headers["location"] == "./deployments/etl-daily/run"
    assert "parameter 'title'" in site.said("deployments/etl-daily", "run")
    assert site.runs == []


# One of them


def test_what_there_is(site: Any) -> None:
    """All that is known of it is there, and no secret."""
    options = {"env": {"DB_PASSWORD": "hunter2", "MODE": "fast"}, "image": "x:1"}
    archive = Archive(sha256="ab" * 32, files=3, size=4567, storage=Choice("s3", {"key": "hunter3", "bucket": "code"}))
    site.house.client.put_deployments(
        (
            attrs.evolve(
                site.deployment(),
                description="Loads <it>.\nTwice.",
                tags=("prod",),
                parameters={"title": "Sales"},
                parameter_schema=SCHEMA,
                flow_runner=Choice("docker", options),
                code=Code(entrypoint="flows:etl", archive=archive),
                retries=2,
                retry_delay=5.0,
                flow_version="v7",
            ),
        )
    )
    html, said = site.page("deployments/etl-daily"), site.text("deployments/etl-daily")
    for words in (
        "Loads <it>. Twice.",
        "Flow version v7",
        "docker",
        "flows:etl in 3 files, 4.6 kB",
        "Storage s3",
        "2 at most, 5.00s apart",
        "prod",
    ):
        assert words in said, words
    for words in (
        'title a text (str) "Sales" of the deployment',
        "rows a whole number (int) 3 by default",
        '"MODE": "fast"',
        "It runs when somebody asks.",
    ):
        assert words in said, words
    assert "hunter" not in html


def test_next_runs(site: Any, home: Path) -> None:
    """They are those that `headrace schedule preview` shows, with its remarks."""
    kind = Choice("cron", {"cron": "30 2 29-31 3 *", "timezone": "Europe/Berlin"})
    site.deployment(schedules=(DeploymentSchedule(kind=kind), DAILY))
    command = [COMMAND, "schedule", "preview", "etl/daily", "-n", "10", "--json"]
    told = json.loads(subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True).stdout)
    html = site.page("deployments/etl-daily")
    (table,) = findall(r'<div id="coming".*?</table>', html, DOTALL)
    shown = [datetime.fromisoformat(at) for at in findall(r'<td class="grow"><time datetime="([^"]*)"', table)]
    assert shown == [datetime.fromisoformat(each["at"]).astimezone(UTC) for each in told]
    assert [mark for each in told for mark in each["marks"]] == [
        unescape(mark) for mark in findall(r'<span class="under">(.*?)</span></td>', table)
    ]


def test_paused(site: Any) -> None:
    """Its next times are told, and that no runs are made before it is resumed."""
    site.deployment(schedules=(DAILY,))
    assert site.said("deployments/etl-daily", "pause") == "etl/daily is paused."
    assert "No runs are made while it is paused. Next times" in site.text("deployments/etl-daily")
    assert site.said("deployments/etl-daily", "resume") == "etl/daily goes on."


def test_a_schedule_that_is_not_known_here(site: Any, home: Path) -> None:
    """That is told in place of times, with what to do, and the pages are there."""
    site.deployment(schedules=(DAILY,))
    with headrace_server(home, "--no-services", HEADRACE_PLUGINS_BLOCKED="schedules") as api:
        for path in ("deployments/etl-daily", "deployments", "calendar"):
            page = httpx.get(f"{api.removesuffix('api')}{path}")
            assert page.status_code == 200
            assert "etl/daily" in page.text
            assert path == "calendar" or "not known here: no schedule" in page.text


def test_versions(site: Any) -> None:
    """What changed is told in words, and line by line for one that is asked for; an earlier one is made the newest."""
    first = site.deployment(parameters={"title": "Sales", "rows": 1}, parameter_schema=SCHEMA)
    site.house.client.put_deployments((attrs.evolve(first, parameters={"title": "Sales <b>", "rows": 1}, tags=("eu",)),))
    said = site.text("deployments/etl-daily")
    assert "2 now parameters, tags" in said
    assert "1 created" in said
    html = site.page("deployments/etl-daily", version=2)
    assert [unescape(text) for text in findall(r"<(?:ins|del)>(.*?)</(?:ins|del)>", html)] == [
        '-   "title": "Sales",',
        '+   "title": "Sales <b>",',
        "+ eu",
    ]
    assert site.said("deployments/etl-daily", "rollback", version=1) == "It was rolled back to version 1, and is version 3 now."
    assert site.house.client.read_deployment("etl-daily").parameters == first.parameters
    assert site.said("deployments/etl-daily", "rollback", version=1) == "It is as it was in version 1 already."
    for unknown in ("9", "0", "x", ""):
        answer = site.post("deployments/etl-daily", "rollback", version=unknown)
        assert (answer.status_code, "no version of etl/daily" in unescape(answer.text)) == (404, True)
    for query in ({"version": 1}, {"version": 99}, {"version": "x"}, {"version": 2, "with": 2}):
        assert "has other than" not in site.text("deployments/etl-daily", **query)


def test_a_long_difference_is_cut(site: Any) -> None:
    """So that the page stays small, and is there at once."""
    first = site.deployment(parameters={"rows": list(range(20_000))})
    site.house.client.put_deployments((attrs.evolve(first, parameters={"rows": list(range(20_000, 40_000))}),))
    answer = site.http.get("deployments/etl-daily", params={"version": 2})
    assert "…" in answer.text
    assert len(answer.content) < 150_000


def test_a_difference_of_the_same_lines(site: Any) -> None:
    """It is there soon, however often the same stands in it."""
    first = site.deployment(parameters={"rows": [number % 5 for number in range(3_000)]})
    site.house.client.put_deployments((attrs.evolve(first, parameters={"rows": [number % 7 for number in range(3_000)]}),))
    began = time.monotonic()
    assert "…" in site.page("deployments/etl-daily", version=2)
    assert time.monotonic() - began < 5


def test_delete(site: Any) -> None:
    """It goes with its runs that have not started, and one is led to the list."""
    site.deployment()
    site.run("waits")
    assert site.said("deployments/etl-daily", "delete") == "etl/daily was deleted."
    assert site.runs == []
    assert site.http.get("deployments/etl-daily").status_code == 404


def test_ids_are_quoted(site: Any) -> None:
    """An id that somebody chose may have letters in it that an address has not."""
    known = site.deployment()
    site.house.client.put_deployments((attrs.evolve(known, id="a b?c", name="odd"),))
    (link,) = findall(r'href="([^"]*)">etl/odd<', site.page("deployments"))
    assert "etl/odd" in site.text(link)
    assert site.said(link, "pause") == "etl/odd is paused."


# A run with other parameters


@pytest.fixture
def form(site: Any) -> str:
    """Where the form for a run is."""
    site.deployment(parameter_schema=SCHEMA)
    return "deployments/etl-daily/run"


def test_custom_run(site: Any, form: str) -> None:
    """Parameters, name, tags and a time, by the clocks of who asks."""
    fields = {
        "parameter title": "Sales",
        "parameter rows": "7",
        "parameter day": "",
        "name": "otter",
        "tags": "eu, new,eu",
        "at": "2031-07-01T09:30",
    }
    done = site.http.post(form, data={"do": "run", **fields}, headers={"Cookie": "headrace_zone=Europe%2FBerlin"})
    run = only_run(site)
    assert done.headers["location"] == f"../../flow-runs/{run.id}"
    assert (run.name, run.is_named, run.parameters, run.tags) == ("otter", True, {"title": "Sales", "rows": 7}, ("eu", "new"))
    assert run.state.scheduled_time == datetime(2031, 7, 1, 7, 30, tzinfo=UTC)


def test_custom_run_as_it_is(site: Any, form: str) -> None:
    """What is left as it was is not given, so that the flow's defaults hold; it is due now, and has two words for a name."""
    site.post(form, "run", **{"parameter title": "Sales", "parameter rows": "3"})
    run = only_run(site)
    assert (run.parameters, run.is_named, run.name.count("-")) == ({"title": "Sales"}, False, 1)
    assert run.state.scheduled_time is not None
    assert abs(run.state.scheduled_time - site.house.clock.now()) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parameter title": "Sales", "parameter rows": "many"}, "parameter 'rows' must be a whole number (int), not 'many'"),
        ({"parameter title": "Sales", "parameter day": "someday"}, "parameter 'day' must be a day"),
        ({"parameter title": ""}, "needs a value for parameter 'title'"),
        ({"parameter title": "Sales", "at": "tomorrow"}, "'tomorrow' is no moment"),
        ({"parameter title": "Sales", "name": "a/b"}, "flow run name 'a/b' cannot be used"),
    ],
)
def test_wrong_values(site: Any, form: str, fields: dict[str, str], said: str) -> None:
    """One sentence at the top says what is wrong, all that was typed stays, and nothing is made."""
    whole = {"parameter title": "", "parameter rows": "3", "parameter day": "", "name": "otter", "tags": "eu", "at": "", **fields}
    answer = site.post(form, "run", id="01a21710-c601-74ac-93e6-2158d2e65a0e", **whole)
    assert 400 <= answer.status_code < 500
    (note,) = findall(r'<p class="note bad" role="alert">(.*?)</p>', answer.text)
    assert said in unescape(note)
    for name, value in {**whole, "id": "01a21710-c601-74ac-93e6-2158d2e65a0e"}.items():
        assert f'name="{name}" value="{value}"' in answer.text or f'name="{name}" value="{value}"' in unescape(answer.text), name
    assert site.runs == []


def test_choices_and_json_stay(site: Any) -> None:
    """What was chosen, and what was typed as JSON, is there again where something else is wrong."""
    properties = {"kind": {"enum": ["daily", "weekly"], "default": "daily"}, "tags": {"type": "array"}, "rows": {"type": "integer"}}
    site.deployment(parameter_schema={"type": "object", "properties": properties, "additionalProperties": False})
    typed = {"parameter kind": '"weekly"', "parameter tags": '["<a>",\n "b"]', "parameter rows": "many"}
    answer = site.post("deployments/etl-daily/run", "run", **typed)
    assert answer.status_code == 422
    assert '<option value="&#34;weekly&#34;" selected>weekly</option>' in answer.text
    assert unescape(findall(r"<textarea [^>]*>\n(.*?)</textarea>", answer.text, DOTALL)[0]) == '["<a>",\n "b"]'


def test_who_may_only_look(home: Path, site: Any) -> None:
    """There are no buttons for who cannot use them, and using them is refused."""
    site.deployment(schedules=(DAILY,))
    command = [COMMAND, "server", "token", "--here", "create", "viewer", "--scope", "viewer", "--json"]
    token = json.loads(subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True).stdout)["token"]
    with headrace_server(home, "--no-services", "--require-token") as api, httpx.Client(base_url=api.removesuffix("api")) as http:
        http.post("login", data={"do": "login", "token": token})
        for path in ("deployments", "deployments/etl-daily", "deployments/etl-daily/run"):
            page = http.get(path)
            assert page.status_code == 200
            assert not findall(r'<button name="do" value="(?!logout)', page.text), path
        assert http.post("deployments/etl-daily", data={"do": "pause"}).status_code == 403


# In a browser


def test_due_by_ones_own_clocks(site: Any, browser: Any) -> None:
    """The browser tells its zone, and the form says in which one the time is meant."""
    site.deployment(parameter_schema=SCHEMA)
    browser.goto("deployments")
    browser.get_by_role("link", name="Run…").click()
    browser.get_by_label("title").fill("Sales")
    browser.get_by_label("rows").fill("12")
    browser.get_by_label("day").fill("2026-02-03")
    browser.get_by_label("Due, by clocks in Europe/Berlin").fill("2031-07-01T09:30:00")
    browser.get_by_role("button", name="Run").click()
    expect(browser.get_by_text("Asked for a run of etl/daily.")).to_be_visible()
    run = only_run(site)
    assert browser.url.endswith(f"/flow-runs/{run.id}")
    assert run.parameters == {"title": "Sales", "rows": 12, "day": "2026-02-03"}
    assert run.state.scheduled_time == datetime(2031, 7, 1, 7, 30, tzinfo=UTC)


def test_quick_run_in_a_browser(site: Any, browser: Any) -> None:
    """One click leads to the run; going back and clicking again makes another one."""
    site.deployment()
    browser.goto("deployments/etl-daily")
    browser.get_by_role("button", name="Quick run").click()
    expect(browser.get_by_text("Asked for a run of etl/daily.")).to_be_visible()
    browser.go_back()
    browser.get_by_role("button", name="Quick run").click()
    expect(browser.get_by_text("Asked for a run of etl/daily.")).to_be_visible()
    assert len(site.house.client.read_flow_runs(FlowRunFilter(state_types=(StateType.SCHEDULED,)), Page())) == 2


def test_delete_asks_first(site: Any, browser: Any) -> None:
    """It is not deleted unless somebody says yes."""
    site.deployment()
    browser.goto("deployments/etl-daily")
    browser.once("dialog", lambda dialog: dialog.dismiss())
    browser.get_by_role("button", name="Delete").click()
    assert site.house.client.read_deployment("etl-daily")
    browser.once("dialog", lambda dialog: dialog.accept())
    browser.get_by_role("button", name="Delete").click()
    expect(browser.get_by_text("etl/daily was deleted.")).to_be_visible()
