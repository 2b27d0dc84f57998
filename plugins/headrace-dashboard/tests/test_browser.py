"""What people see and do, in a real browser."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from servers.own import headrace_server
from servers.process import free_ports

import headrace
from headrace.model.choices import Choice
from headrace.model.queues import WorkQueue
from headrace.model.schedules import DeploymentSchedule
from headrace.model.states import State
from headrace.settings import load

PAGES = (
    "./",
    "flow-runs",
    "flow-runs?state=FAILED",
    "flow-runs/{run}",
    "flow-runs/{good}",
    "flow-runs/{waits}",
    "task-runs/{task}",
    "flows",
    "deployments",
    "deployments/etl-daily",
    "deployments/etl-daily/run",
    "deployments/etl-daily/code",
    "deployments/etl-daily/schedules/new",
    "deployments/etl-daily/schedules/{schedule}",
    "calendar",
    "calendar?view=week",
    "work-queues",
    "work-queues/new",
    "work-queues/queue-prod",
    "agents",
    "storages",
    "storages/new/file",
    "concurrency-limits",
    "plugins",
    "settings",
    "login",
)

MOST_BYTES = 150_000


@pytest.fixture
def lived_in(site: Any, tmp_path: Path) -> dict[str, str]:
    """A house in which something has happened; the ids of what is there."""
    nightly = DeploymentSchedule(kind=Choice("cron", {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}))
    schema = {"type": "object", "properties": {"rows": {"type": "integer"}}}
    code = site.packed(tmp_path / "code", "# a flow\n\ndef etl():\n    pass\n")
    deployment = site.deployment(schedules=(nightly,), tags=("eu", "prod"), parameter_schema=schema)
    site.house.client.put_deployments((attrs.evolve(deployment, code=code),))
    site.queue()
    site.queue("paused", is_paused=True, concurrency_limit=3)
    waits = site.run("waits")
    run = site.script_run("bad", State.running(), parameters={"rows": 3})
    first = site.task(run, "extract")
    second = site.task(run, "load", takes=(first.id,), state=State.failed(message="no room"))
    call = attrs.evolve(site.task(run, "call"), child_flow_run_id=site.house.ids.new())
    site.journal(run, "first line", tasks=(first, second, call))
    site.journal(run, tasks=(site.task(site.subflow(run, call, "inner"), "transform"),))
    site.journal(run, "it is bad\nTraceback (most recent call last):\n  File x\nValueError: no room", level=40)
    site.move(run.id, State.failed(message="ValueError: no room"))
    good = site.script_run("good", State.running())
    kept = site.house.results.keep({"rows": [1, 2]}, root_id=good.id, run_id=good.id, what="good")
    site.move(good.id, attrs.evolve(State.completed(), reference=kept))
    schedule = deployment.schedules[0].id
    return {"run": run.id, "good": good.id, "waits": waits.id, "task": second.id, "schedule": schedule}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(site: Any, browser: Any, lived_in: dict[str, str], scheme: str, width: int) -> None:
    """No page has anything that axe finds, is wider than a screen, or is large; none says anything on the console, or asks for anything elsewhere."""
    browser.emulate_media(color_scheme=scheme)
    browser.set_viewport_size({"width": width, "height": 900})
    for path in PAGES:
        answer = browser.goto(path.format(**lived_in))
        assert answer.status == 200, path
        assert len(answer.body()) <= MOST_BYTES
        found = Axe().run(browser).response["violations"]
        assert not found, (path, [(each["id"], each["nodes"][0]["html"]) for each in found])
        assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_what_happens_while_a_page_loads(site: Any, browser: Any) -> None:
    """What happens between the making of a page and its listening is not missed."""

    def meanwhile(route: Any) -> None:
        site.script_run("meanwhile", State.running())
        route.continue_()

    browser.route("**/live*", meanwhile, times=1)
    browser.goto("flow-runs?flow=etl")
    browser.get_by_role("link", name="meanwhile").wait_for()


def test_live(site: Any, browser: Any) -> None:
    """What is shown is new as soon as it is, and what was ticked stays."""
    first = site.script_run("first", State.running())
    browser.goto("flow-runs")
    browser.wait_for_load_state("networkidle")
    browser.get_by_label("Choose first").check()
    site.move(first.id, State.completed())
    expect(browser.locator("#runs .state.completed")).to_have_count(1)
    site.script_run("second")
    expect(browser.get_by_role("link", name="second")).to_be_visible()
    expect(browser.get_by_label("Choose first")).to_be_checked()


def test_nothing_is_taken_from_who_types(site: Any, browser: Any) -> None:
    """What comes while somebody types is shown when they have done."""
    run = site.script_run("otter", State.running())
    browser.goto(f"flow-runs/{run.id}")
    browser.wait_for_load_state("networkidle")
    field = browser.get_by_label("With text")
    field.fill("li")
    site.journal(run, "a new line")
    expect(browser.get_by_text("a new line")).to_be_visible()
    expect(field).to_have_value("li")


def test_a_run_from_the_first_click_to_the_last(site: Any, browser: Any) -> None:
    """It is asked for, watched, cancelled and deleted; going back shows what was there before."""
    site.deployment()
    browser.on("dialog", lambda dialog: dialog.accept())
    browser.goto("deployments")
    browser.get_by_role("link", name=re.compile("daily")).first.click()
    browser.get_by_role("button", name="Quick run").first.click()
    expect(browser.get_by_role("heading", level=1)).to_contain_text("Scheduled")
    expect(browser.get_by_text("Why is it not running?")).to_be_visible()
    browser.get_by_role("button", name="Cancel").click()
    expect(browser.get_by_role("heading", level=1)).to_contain_text("Cancelled")
    browser.go_back()
    browser.reload()
    browser.get_by_role("button", name="Delete").click()
    expect(browser.get_by_role("heading", level=1)).to_have_text("Flow runs")
    expect(browser.get_by_text("No run yet")).to_be_visible()


def test_keys(site: Any, browser: Any) -> None:
    """Pages and the first field are reached without a mouse."""
    browser.goto("./")
    browser.keyboard.press("g")
    browser.keyboard.press("r")
    expect(browser.get_by_role("heading", level=1)).to_have_text("Flow runs")
    browser.keyboard.press("/")
    browser.keyboard.type("etl")
    browser.keyboard.press("Enter")
    browser.wait_for_url(re.compile("flow=etl"))


def test_keys_are_turned_off(site: Any, browser: Any) -> None:
    """Whose keys come by themselves turns them off, on every page, until they are turned on again."""
    browser.goto("flows")
    switch = browser.get_by_role("button", name="Keys")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    browser.keyboard.press("/")
    expect(browser.locator("[data-search]")).not_to_be_focused()
    browser.reload()
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    browser.keyboard.press("/")
    expect(browser.locator("[data-search]")).to_be_focused()


def test_light_and_dark(site: Any, browser: Any) -> None:
    """What was chosen stays."""
    browser.emulate_media(color_scheme="light")
    browser.goto("./")
    browser.get_by_role("button", name="Light or dark").click()
    browser.reload()
    assert browser.evaluate("document.documentElement.dataset.theme") == "dark"


def test_times_are_of_who_looks(site: Any, browser: Any) -> None:
    """They are in the zone of the browser, and the exact ones are told."""
    run = site.script_run("otter", State.running())
    browser.goto(f"flow-runs/{run.id}")
    expect(browser.locator("#summary time").first).to_have_attribute("title", re.compile("Europe/Berlin"))


def test_a_server_that_goes_away(home: Path, chromium: Any) -> None:
    """A page that is open says so, is new again when the server is back, without anybody's doing, and can be used as before."""
    port = str(free_ports(1)[0])
    page = chromium.new_context().new_page()
    with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house:
        with headrace_server(home, "--no-services", "--port", port) as api:
            page.goto(f"{api.removesuffix('api')}work-queues")
            page.wait_for_load_state("networkidle")
            expect(page.get_by_text("The server does not answer")).to_be_hidden()
        expect(page.get_by_text("The server does not answer")).to_be_visible()
        now = house.clock.now()
        house.client.put_work_queue(WorkQueue(id="q", name="made-meanwhile", created=now, updated=now))
        with headrace_server(home, "--no-services", "--port", port):
            expect(page.get_by_text("made-meanwhile").first).to_be_visible(timeout=30_000)
            expect(page.get_by_text("The server does not answer")).to_be_hidden()
            page.get_by_role("button", name="Pause made-meanwhile").click()
            expect(page.get_by_text("made-meanwhile is paused.")).to_be_visible()
    page.context.close()
