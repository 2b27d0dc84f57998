"""Everything that can be done on the pages, done in a real browser: what is clicked and typed, and what is there then."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import expect

from headrace.errors import NotFound
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType

AHEAD = timedelta(hours=5)
TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "rows": {"type": "integer", "default": 3}, "where": {"type": "object", "default": {}}},
    "required": ["title"],
}


@pytest.fixture
def site(shared_site: Any) -> Any:
    """One dashboard for all."""
    return shared_site


@pytest.fixture
def hesitant(opened: Any, site: Any) -> Iterator[Any]:
    """Somebody at a browser who says no to whatever is asked."""
    with opened(site.address) as page:
        page.on("dialog", lambda dialog: dialog.dismiss())
        yield page


@pytest.fixture
def browser(opened: Any, site: Any) -> Iterator[Any]:
    """Somebody at a browser who says yes to whatever is asked."""
    with opened(site.address) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        yield page


def heading(browser: Any) -> Any:
    """What the page is about."""
    return browser.get_by_role("heading", level=1)


def note(browser: Any) -> Any:
    """What is said of what was done."""
    return browser.locator(".note.good")


def press(browser: Any, name: str) -> None:
    """Clicks the button, or what looks like one."""
    browser.get_by_role("button", name=name, exact=True).or_(browser.get_by_role("link", name=name, exact=True)).first.click()


def taken(site: Any, name: str, flow: str, *states: State) -> FlowRun:
    """A run of a deployment that an agent has taken, and that went through these states."""
    site.deployment(flow=flow, tags=("taken",))
    if not site.house.client.read_work_queues(WorkQueueFilter(names=("taken",)), Page()):
        site.queue("taken", criteria={"tags": ["taken"]})
    run: FlowRun = site.run(name, of=f"{flow}-daily")
    site.claim()
    for state in states:
        site.move(run.id, state)
    return now(site, run)


def now(site: Any, run: FlowRun) -> FlowRun:
    """The run as it is."""
    found: FlowRun = site.house.client.read_flow_run(run.id)
    return found


# Flow runs


def test_cancel_a_run(site: Any, browser: Any) -> None:
    """It is told to stop, and nothing else can be done with it until it has."""
    run = site.script_run("cancelled", State.running(), flow="cancels")
    browser.goto(f"flow-runs/{run.id}")
    press(browser, "Cancel")
    expect(heading(browser)).to_have_text("cancelled Cancelling")
    expect(note(browser)).to_have_text("cancelled is being cancelled.")
    expect(browser.locator("#summary button")).to_have_count(0)
    assert now(site, run).state.type is StateType.CANCELLING


def test_retry_a_run(site: Any, browser: Any) -> None:
    """It is due again; what ended well or was started by nobody's agent is not offered that."""
    run = taken(site, "retried", "retries", State.running(), State.failed(message="no room"))
    browser.goto(f"flow-runs/{run.id}")
    expect(browser.locator("#summary .why").first).to_have_text("no room")
    press(browser, "Retry")
    expect(note(browser)).to_have_text("retried is tried again.")
    assert now(site, run).state.is_scheduled()
    for other in (
        taken(site, "well", "retries", State.running(), State.completed()),
        site.script_run("script", State.failed(message="bad")),
    ):
        browser.goto(f"flow-runs/{other.id}")
        expect(browser.locator("#summary button")).to_have_text("Delete")


def test_resume_a_run(site: Any, browser: Any) -> None:
    """One that is paused goes on."""
    run = taken(site, "resumed", "resumes", State.running(), State.paused())
    browser.goto(f"flow-runs/{run.id}")
    expect(heading(browser)).to_have_text("resumed Paused")
    press(browser, "Resume")
    expect(note(browser)).to_have_text("resumed goes on.")
    assert not now(site, run).state.is_paused()


def test_delete_a_run(site: Any, browser: Any) -> None:
    """It is gone, and so is its address."""
    run = site.script_run("deleted", State.running(), State.completed(), flow="deletes")
    browser.goto(f"flow-runs/{run.id}")
    press(browser, "Delete")
    expect(heading(browser)).to_have_text("Flow runs")
    expect(note(browser)).to_have_text("deleted was deleted.")
    with pytest.raises(NotFound):
        now(site, run)
    assert site.http.get(f"flow-runs/{run.id}").status_code == 404


def test_no_is_no(site: Any, hesitant: Any) -> None:
    """What is asked first, and not said yes to, is not done."""
    run = site.script_run("kept", State.running(), State.completed(), flow="keeps")
    hesitant.goto(f"flow-runs/{run.id}")
    press(hesitant, "Delete")
    expect(heading(hesitant)).to_have_text("kept Completed")
    assert now(site, run) == run


def test_lines_of_a_log(site: Any, browser: Any) -> None:
    """They are narrowed by level and text; the address says so."""
    run = site.script_run("talks", State.running(), flow="talks")
    site.journal(run, "one", "two")
    site.journal(run, "three", level=40)
    browser.goto(f"flow-runs/{run.id}")
    expect(browser.locator(".log li")).to_have_count(3)
    browser.get_by_label("From level").select_option("error")
    press(browser, "Show")
    expect(browser.locator(".log li")).to_have_count(1)
    browser.get_by_label("From level").select_option("all")
    browser.get_by_label("With text").fill("tw")
    browser.keyboard.press("Enter")
    expect(browser.locator(".log li .text")).to_have_text("two")
    browser.go_back()
    expect(browser.locator(".log li .text")).to_have_text("three")
    with browser.expect_download() as download:
        press(browser, "Download")
    assert Path(download.value.path()).read_text().count("\n") == 3


# Many runs at once


def three_runs(site: Any, flow: str, *states: State) -> list[FlowRun]:
    """Three runs of a flow."""
    return [site.script_run(f"{flow}-{number}", State.running(), *states, flow=flow) for number in range(3)]


def test_cancel_those_that_are_ticked(site: Any, browser: Any) -> None:
    """How many they are is told before; the others stay as they are."""
    runs = three_runs(site, "many-cancelled")
    ended = site.script_run("ended", State.running(), State.completed(), flow="many-cancelled")
    browser.goto("flow-runs?flow=many-cancelled")
    for name in ("many-cancelled-0", "many-cancelled-2", "ended"):
        browser.get_by_label(f"Choose {name}", exact=True).check()
    press(browser, "Cancel…")
    expect(browser.get_by_role("heading", name="Cancel 2 runs?")).to_be_visible()
    expect(browser.get_by_text("3 were chosen; of the others it cannot be done in the state that they are in.")).to_be_visible()
    press(browser, "Yes, cancel 2")
    expect(note(browser)).to_have_text("2 runs were cancelled.")
    kinds = [now(site, run).state.type for run in (*runs, ended)]
    assert kinds == [StateType.CANCELLING, StateType.RUNNING, StateType.CANCELLING, StateType.COMPLETED]


def test_retry_all_that_fit(site: Any, browser: Any) -> None:
    """Without any that is ticked, it is done with all that are asked for, and with no other."""
    runs = [taken(site, f"many-{number}", "many-retried", State.running(), State.failed(message="bad")) for number in range(3)]
    other = taken(site, "other", "not-many-retried", State.running(), State.failed(message="bad"))
    site.script_run("script", State.running(), State.failed(message="bad"), flow="many-retried")
    browser.goto("flow-runs?flow=many-retried&state=FAILED")
    press(browser, "Retry…")
    press(browser, "Yes, retry 3")
    expect(note(browser)).to_have_text("3 runs were tried again.")
    expect(browser.locator("#runs tbody tr")).to_have_count(1)
    assert all(now(site, run).state.is_scheduled() for run in runs)
    assert now(site, other).state.is_failed()


def test_delete_all_on_the_page(site: Any, browser: Any) -> None:
    """One tick for all ticks each; who says no has changed nothing."""
    runs = three_runs(site, "many-deleted", State.completed())
    browser.goto("flow-runs?flow=many-deleted")
    browser.get_by_label("Choose all on this page").check()
    expect(browser.locator("input[name=run]:checked")).to_have_count(3)
    press(browser, "Delete…")
    press(browser, "No")
    expect(browser.get_by_role("link", name="many-deleted-1", exact=True)).to_be_visible()
    assert len([now(site, run) for run in runs]) == 3
    browser.get_by_label("Choose all on this page").check()
    press(browser, "Delete…")
    press(browser, "Yes, delete 3")
    expect(note(browser)).to_have_text("3 runs were deleted.")
    assert site.house.client.read_flow_runs(FlowRunFilter(flow_names=("many-deleted",)), Page()) == []


def test_views(site: Any, browser: Any) -> None:
    """What is asked for is kept under a name, asked for again by one click, and forgotten."""
    site.script_run("seen", State.running(), flow="views")
    site.script_run("unseen", State.running(), flow="not-views")
    browser.goto("flow-runs")
    browser.get_by_label("Flow", exact=True).fill("views")
    browser.get_by_label("Running").check()
    press(browser, "Show")
    browser.get_by_label("Name of the view").fill("My view")
    press(browser, "Save view")
    expect(note(browser)).to_have_text("The view 'My view' is saved.")
    press(browser, "Show all")
    expect(browser.get_by_role("link", name="unseen")).to_be_visible()
    press(browser, "My view")
    expect(browser.get_by_role("link", name="unseen")).to_have_count(0)
    expect(browser.get_by_role("link", name="seen", exact=True)).to_be_visible()
    expect(browser.get_by_label("Running")).to_be_checked()
    press(browser, "Delete this view")
    expect(browser.get_by_role("link", name="My view")).to_have_count(0)


# Deployments


def only_run(site: Any, deployment: str) -> FlowRun:
    """The one run of a deployment."""
    (run,) = site.house.client.read_flow_runs(FlowRunFilter(deployment_ids=(deployment,)), Page())
    found: FlowRun = run
    return found


def test_quick_run(site: Any, browser: Any) -> None:
    """One click in the list makes a run and leads to it; going back and reloading makes no other."""
    site.deployment(flow="quick")
    browser.goto("deployments?flow=quick")
    press(browser, "Quick run of quick/daily")
    expect(heading(browser)).to_contain_text("Scheduled")
    run = only_run(site, "quick-daily")
    assert run.id in browser.url
    browser.reload()
    browser.go_back()
    browser.reload()
    browser.go_forward()
    expect(heading(browser)).to_contain_text(run.name)
    assert only_run(site, "quick-daily") == run


def test_custom_run(site: Any, browser: Any) -> None:
    """What is missing or wrong is told, all that was typed stays, and the run has what was typed."""
    site.deployment(flow="custom", parameter_schema=TITLE)
    browser.goto("deployments?flow=custom")
    press(browser, "Run…")
    press(browser, "Run")
    expect(heading(browser)).to_have_text("Run custom/daily")
    title, where = browser.locator('[name="parameter title"]'), browser.locator('[name="parameter where"]')
    expect(title).to_be_focused()
    title.fill("Sales")
    where.fill("{city: Rome}")
    press(browser, "Run")
    expect(browser.get_by_role("alert")).to_contain_text("parameter 'where'")
    expect(title).to_have_value("Sales")
    expect(where).to_have_value("{city: Rome}")
    where.fill('{"city": "Rome"}')
    browser.locator('[name="tags"]').fill("eu, prod")
    browser.locator('[name="parameter rows"]').fill("7")
    browser.locator('[name="name"]').fill("by hand")
    press(browser, "Run")
    expect(heading(browser)).to_contain_text("by hand")
    run = only_run(site, "custom-daily")
    assert run.parameters == {"title": "Sales", "rows": 7, "where": {"city": "Rome"}}
    assert (set(run.tags), run.name) == ({"eu", "prod"}, "by hand")


def test_pause_and_resume_a_deployment(site: Any, browser: Any) -> None:
    """In the list, and on its page."""
    site.deployment(flow="pauses")
    browser.goto("deployments?flow=pauses")
    press(browser, "Pause pauses/daily")
    expect(note(browser)).to_have_text("pauses/daily is paused.")
    assert "flow=pauses" in browser.url, "what was asked for stays"
    press(browser, "Resume pauses/daily")
    expect(note(browser)).to_have_text("pauses/daily goes on.")
    browser.get_by_role("link", name="pauses/daily").click()
    press(browser, "Pause")
    expect(heading(browser)).to_have_text("pauses/daily Paused")
    assert site.house.client.read_deployment("pauses-daily").is_paused
    press(browser, "Resume")
    expect(heading(browser)).to_have_text("pauses/daily")


def test_roll_back(site: Any, browser: Any) -> None:
    """What changed is looked at, and the earlier version is the newest then."""
    first = site.deployment(flow="rolls", description="first words")
    site.house.client.put_deployments((attrs.evolve(first, description="second words"),))
    browser.goto("deployments/rolls-daily")
    press(browser, "Changes in version 2")
    expect(browser.locator(".difference del")).to_have_text("- first words")
    expect(browser.locator(".difference ins")).to_have_text("+ second words")
    press(browser, "Roll back to version 1")
    expect(note(browser)).to_have_text("It was rolled back to version 1, and is version 3 now.")
    expect(browser.locator("#summary")).to_contain_text("first words")


def test_delete_a_deployment(site: Any, browser: Any) -> None:
    """It is gone from the list, and its runs that wait with it."""
    site.deployment(flow="goes")
    site.run("waits", of="goes-daily")
    browser.goto("deployments/goes-daily")
    press(browser, "Delete")
    expect(note(browser)).to_have_text("goes/daily was deleted.")
    assert site.house.client.read_deployments(DeploymentFilter(flow_names=("goes",)), Page()) == []
    assert site.house.client.read_flow_runs(FlowRunFilter(flow_names=("goes",)), Page()) == []


def test_what_is_gone_meanwhile(site: Any, browser: Any) -> None:
    """Where somebody else has deleted what a page shows, it says so, stays as it was, and can be loaded anew."""
    site.deployment(flow="gone")
    browser.goto("deployments/gone-daily")
    browser.wait_for_load_state("networkidle")
    site.house.client.delete_deployment("gone-daily")
    expect(browser.get_by_text("What is shown here is gone by now")).to_be_visible()
    expect(browser.get_by_role("navigation", name="Pages")).to_have_count(1)
    expect(heading(browser)).to_have_text("gone/daily")
    press(browser, "Load it anew")
    expect(browser.get_by_role("alert")).to_contain_text("no deployment 'gone-daily'")


# Work queues


def test_a_work_queue_from_the_first_click_to_the_last(site: Any, browser: Any) -> None:
    """It is made with a look at what would match, changed, limited, paused, resumed and deleted."""
    site.deployment(flow="queued", tags=("queue-tag",))
    site.run("waits-in-queue", of="queued-daily")
    browser.goto("work-queues")
    press(browser, "New work queue")
    browser.get_by_label("Name").fill("a/b")
    browser.get_by_label("Tags").fill("queue-tag")
    preview = browser.locator("#preview")
    expect(preview).to_contain_text("1 run waits that would match")
    press(browser, "Create")
    expect(browser.get_by_role("alert")).to_contain_text("'a/b' cannot be used")
    expect(browser.get_by_label("Tags")).to_have_value("queue-tag")
    browser.get_by_label("Name").fill("from-browser")
    expect(preview).to_contain_text("queued/daily")
    press(browser, "Create")
    expect(note(browser)).to_have_text("from-browser was created.")
    expect(browser.locator("#due")).to_contain_text("waits-in-queue")

    browser.get_by_text("Change it").click()
    browser.get_by_label("Limit").fill("many")
    expect(preview).to_contain_text("whole number")
    press(browser, "Save")
    expect(browser.get_by_role("alert")).to_contain_text("it is a whole number")
    browser.get_by_label("Limit").fill("0")
    press(browser, "Save")
    expect(note(browser)).to_have_text("from-browser was changed.")
    expect(browser.locator("#summary")).to_contain_text("Nothing of it starts while its limit is 0.")

    press(browser, "Pause")
    expect(heading(browser)).to_have_text("from-browser Paused")
    press(browser, "Resume")
    expect(heading(browser)).to_have_text("from-browser Active")
    browser.goto("work-queues")
    press(browser, "Pause from-browser")
    expect(note(browser)).to_have_text("from-browser is paused.")
    press(browser, "Resume from-browser")
    expect(note(browser)).to_have_text("from-browser goes on.")

    browser.get_by_role("link", name="from-browser").click()
    press(browser, "Delete…")
    expect(browser.get_by_text("1 wait in it")).to_be_visible()
    press(browser, "No")
    expect(heading(browser)).to_have_text("from-browser Active")
    press(browser, "Delete…")
    press(browser, "Yes, delete")
    expect(note(browser)).to_have_text("from-browser was deleted; its runs are still there.")
    assert site.house.client.read_work_queues(WorkQueueFilter(names=("from-browser",)), Page()) == []


def test_how_far_ahead(site: Any, browser: Any) -> None:
    """What is due later is shown when that is asked for."""
    site.deployment(flow="ahead", tags=("ahead-tag",))
    site.queue("ahead", criteria={"tags": ["ahead-tag"]})
    site.run("in-some-hours", of="ahead-daily", at=site.house.clock.now() + AHEAD)
    browser.goto("work-queues/queue-ahead")
    expect(browser.locator("#due")).to_contain_text("Nothing that is due by then")
    press(browser, "1d")
    expect(browser.locator("#due")).to_contain_text("in-some-hours")


# Storages and limits


def test_a_storage_from_the_first_click_to_the_last(site: Any, browser: Any, tmp_path: Path) -> None:
    """It is tried and made, checked, made the default and not, changed, and deleted."""
    (tmp_path / "file").write_text("no folder")
    browser.goto("storages")
    press(browser, "New storage of type local")
    browser.get_by_label("Name").fill("kept-here")
    path = browser.locator('[name="option.path"]')
    path.fill(str(tmp_path / "file"))
    press(browser, "Create")
    expect(browser.get_by_role("alert")).to_be_visible()
    expect(browser.get_by_label("Name")).to_have_value("kept-here")
    path.fill(str(tmp_path / "one"))
    press(browser, "Create")
    expect(note(browser)).to_have_text("Storage kept-here was created, and it works.")

    press(browser, "Check")
    expect(browser.get_by_text("It can be used from the server.")).to_be_visible()
    press(browser, "Make it the default")
    expect(heading(browser)).to_have_text("kept-here Default")
    press(browser, "Not the default")
    expect(heading(browser)).to_have_text("kept-here")

    browser.get_by_text("Change it", exact=True).click()
    path.fill(str(tmp_path / "two"))
    press(browser, "Save")
    expect(note(browser)).to_have_text("Storage kept-here was changed.")
    expect(browser.locator("#summary")).to_contain_text(str(tmp_path / "two"))

    press(browser, "Delete…")
    press(browser, "No")
    expect(heading(browser)).to_have_text("kept-here")
    press(browser, "Delete…")
    press(browser, "Yes, delete")
    expect(note(browser)).to_have_text("Storage kept-here was deleted; what lies in it is still there.")


def test_a_limit_from_the_first_click_to_the_last(site: Any, browser: Any) -> None:
    """It is set, changed and deleted; what is no number is told, and stays."""
    browser.goto("concurrency-limits")
    tag, limit = browser.get_by_label("Tag", exact=True), browser.get_by_label("Limit", exact=True)
    tag.fill("limited")
    limit.fill("two")
    press(browser, "Set")
    expect(browser.get_by_role("alert")).to_contain_text("it is a whole number")
    expect(tag).to_have_value("limited")
    limit.fill("2")
    press(browser, "Set")
    expect(note(browser)).to_have_text("The limit of limited is 2.")
    tag.fill("limited")
    limit.fill("5")
    press(browser, "Set")
    expect(note(browser)).to_have_text("The limit of limited is 5; it was 2.")
    expect(browser.locator("#limits")).to_contain_text("0 of 5")
    press(browser, "Delete the limit of limited")
    press(browser, "Yes, delete")
    expect(note(browser)).to_have_text("The limit of limited was deleted.")
    assert site.house.client.read_limits() == []


# Finding one's way


PLACES = {
    "o": "Overview", "r": "Flow runs", "f": "Flows", "d": "Deployments", "c": r"\w+ \d{4}", "w": "Work queues", "a": "Agents", "s": "Storage",
    "l": "Concurrency limits", "p": "Plugins", "e": "Settings",
}  # fmt: skip


def test_all_pages_by_keys(site: Any, browser: Any) -> None:
    """Each is two keys away from any other, and goes by its name."""
    browser.goto("./")
    for key, name in PLACES.items():
        browser.keyboard.press("g")
        browser.keyboard.press(key)
        expect(heading(browser)).to_contain_text(re.compile(name, re.IGNORECASE))


def test_by_tab_and_enter(site: Any, browser: Any) -> None:
    """The content is one key away, and what is done by clicks is done by keys."""
    site.deployment(flow="tabs")
    browser.goto("deployments/tabs-daily")
    browser.keyboard.press("Tab")
    expect(browser.get_by_role("link", name="To the content")).to_be_focused()
    browser.keyboard.press("Enter")
    browser.keyboard.press("Tab")
    expect(browser.get_by_role("navigation", name="Where this is").get_by_role("link")).to_be_focused()
    browser.get_by_role("button", name="Pause").focus()
    browser.keyboard.press("Enter")
    expect(heading(browser)).to_have_text("tabs/daily Paused")


def test_back_and_reload(site: Any, browser: Any) -> None:
    """What was asked for is in the address; going back shows what was there, and a reload says nothing twice."""
    site.deployment(flow="back")
    browser.goto("deployments")
    browser.get_by_label("Flow", exact=True).fill("back")
    press(browser, "Show")
    press(browser, "Pause back/daily")
    expect(note(browser)).to_be_visible()
    browser.reload()
    expect(note(browser)).to_have_count(0)
    expect(browser.get_by_label("Flow", exact=True)).to_have_value("back")
    browser.get_by_role("link", name="back/daily").click()
    expect(heading(browser)).to_have_text("back/daily Paused")
    browser.go_back()
    expect(heading(browser)).to_have_text("Deployments")
    expect(browser.get_by_label("Flow", exact=True)).to_have_value("back")


def test_on_a_narrow_screen(site: Any, opened: Any) -> None:
    """A phone has all buttons within reach, and the page is no wider than it."""
    site.deployment(flow="phone")
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    with opened(site.address, **phone) as page:
        page.goto("deployments?flow=phone")
        page.get_by_role("button", name="Quick run of phone/daily").tap()
        expect(heading(page)).to_contain_text("Scheduled")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Cancel").tap()
        expect(heading(page)).to_contain_text("Cancelled")
        page.get_by_role("link", name="Work queues").tap()
        expect(heading(page)).to_have_text("Work queues")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_scripts(site: Any, opened: Any) -> None:
    """All of it can be done by plain forms."""
    site.deployment(flow="plain")
    with opened(site.address, java_script_enabled=False) as page:
        page.goto("deployments/plain-daily")
        press(page, "Pause")
        expect(heading(page)).to_have_text("plain/daily Paused")
        press(page, "Add…")
        page.locator('[name="cron.cron"]').fill("0 9 * * *")
        press(page, "Preview")
        expect(page.locator("#preview")).to_contain_text("09:00")
        press(page, "Save")
        expect(note(page)).to_have_text("plain/daily has one more schedule.")
        press(page, "Remove cron 0 9 * * *")
        expect(page.locator("#coming")).to_contain_text("It runs when somebody asks.")
