"""Pictures of all pages of the dashboard, for docs: `nox -s screenshots`."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from a_day import BEGIN, Day  # beside this file

import headrace
from headrace.ids import Ids
from headrace.instance import Instance
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.states import StateType
from headrace.settings import load
from headrace.testing.clock import FixedClock
from headrace_server.serving import served

SIZE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}


@attrs.frozen
class Picture:
    """A page to be taken: the name of its file, its address below the first page, and from which heading on, where what is above is of this machine."""

    name: str
    path: str
    begin: str = ""
    is_dark: bool = False
    size: dict[str, int] = attrs.field(factory=lambda: SIZE)


def pictures(house: Instance) -> Iterator[Picture]:
    """Every page, and the first ones in the dark and on a phone as well."""
    client = house.client
    (failed,) = client.read_flow_runs(FlowRunFilter(flow_names=("sales",), state_types=(StateType.FAILED,)), Page(limit=1))
    task = client.read_task_runs(TaskRunFilter(flow_run_ids=(failed.id,)), Page())[0]
    (deployment,) = client.read_deployments(DeploymentFilter(flow_names=("sales",), names=("eu",)), Page())
    (queue,) = client.read_work_queues(WorkQueueFilter(names=("prod",)), Page())
    run, queue_page = f"flow-runs/{failed.id}", f"work-queues/{queue.id}"
    yield Picture("overview", "")
    yield Picture("overview-dark", "", is_dark=True)
    yield Picture("overview-phone", "", size=PHONE)
    yield Picture("flow-runs", "flow-runs?state=FAILED&state=CRASHED&state=RUNNING")
    yield Picture("flow-run", run)
    yield Picture("flow-run-phone", run, size=PHONE)
    yield Picture("task-run", f"task-runs/{task.id}")
    yield Picture("flows", "flows")
    yield Picture("deployments", "deployments")
    yield Picture("deployment", f"deployments/{deployment.id}")
    yield Picture("custom-run", f"deployments/{deployment.id}/run")
    yield Picture("calendar", "calendar?view=week")
    yield Picture("work-queues", "work-queues")
    yield Picture("work-queue", queue_page)
    yield Picture("new-work-queue", "work-queues/new")
    yield Picture("agents", "agents")
    yield Picture("storages", "storages")
    yield Picture("new-storage", "storages/new/s3")
    yield Picture("storage", "storages/flows")
    yield Picture("concurrency-limits", "concurrency-limits")
    yield Picture("plugins", "plugins")
    yield Picture("settings", "settings", begin="Set")


def take(folder: Path, home: Path) -> None:
    """Takes all of them."""
    from playwright.sync_api import sync_playwright

    clock = FixedClock(BEGIN)
    settings = load({"HEADRACE_HOME": str(home), "ACME_KEY": "shown nowhere"})
    with headrace.open(settings, lasting=True, clock=clock, ids=Ids(clock, seed=8)) as house, sync_playwright() as playwright:
        Day(house, clock).live()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        with served(house) as api:
            for picture in pictures(house):
                _take(browser, api.removesuffix("api"), picture, folder)
        browser.close()


def _take(browser: Any, address: str, picture: Picture, folder: Path) -> None:
    scheme = "dark" if picture.is_dark else "light"
    context = browser.new_context(
        viewport=picture.size, color_scheme=scheme, timezone_id="Europe/Berlin", locale="en-GB", reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address)  # which tells the server the zone of the browser
    answer = page.goto(f"{address}{picture.path}")
    assert answer.status == 200, (picture.path, answer.status)
    if picture.begin:
        page.get_by_role("heading", name=picture.begin, exact=True).evaluate("heading => heading.parentElement.scrollIntoView()")
    page.screenshot(path=folder / f"{picture.name}.png")
    print(picture.name)
    context.close()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.gettempdir(), "headrace-home")  # which pictures show
    shutil.rmtree(home, ignore_errors=True)
    try:
        take(folder, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
