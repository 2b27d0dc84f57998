"""What the dashboard costs where there are very many runs: every page, asked for in many ways, and how soon an open page shows what has happened.

The store is that of the lists; the clock stands at its end, so that its newest runs are of today.
"""

import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import attrs
import lists
import many_runs as made

import headrace
from headrace.instance import Instance
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load
from headrace.testing.clock import FixedClock
from headrace_server.serving import served

ROUNDS = 100

Asked = Callable[[random.Random, int], str]
"""The address of a page, below the first."""


@attrs.frozen(kw_only=True)
class Shown:
    """Milliseconds until a page was there, at the 99th percentile and the median; and its greatest size in bytes, as it was transferred."""

    page: str
    percentile: float
    median: float
    size: int


def _run(draw: random.Random, count: int) -> str:
    return made.run_id(lists._detailed(draw, count), count)


def _query(**fields: object) -> str:
    return f"flow-runs?{urlencode(fields, doseq=True)}"


PAGES: dict[str, Asked] = {
    "overview": lambda draw, count: "",
    "overview, a week": lambda draw, count: "?window=7d",
    "overview, a month": lambda draw, count: "?window=30d",
    "flow runs": lambda draw, count: "flow-runs",
    "flow runs, further down": lambda draw, count: _query(after=made.run_id(draw.randrange(count), count)),
    "flow runs by state": lambda draw, count: _query(state=draw.choice(("FAILED", "RUNNING", "SCHEDULED", "CRASHED"))),
    "flow runs by flow and state": lambda draw, count: _query(flow=made.flow_name(draw.randrange(made.FLOWS)), state="FAILED"),
    "flow runs by tag": lambda draw, count: _query(tag=lists._tag(draw)),
    "flow runs by a part of the name, which many have": lambda draw, count: _query(name=f"-{draw.randrange(10)}"),
    "flow runs by a part of the name, which few have": lambda draw, count: _query(name=f"{draw.randrange(made.NAMES):05}"),
    "flow runs by a part of the name, which none has": lambda draw, count: _query(name=f"nothing-{draw.randrange(made.NAMES)}"),
    "flow runs by queue": lambda draw, count: _query(queue=made.queue_name(draw.randrange(made.QUEUES))),
    "flow runs by queue and state": lambda draw, count: _query(queue=made.queue_name(draw.randrange(made.QUEUES)), state="FAILED"),
    "flow runs of a day": lambda draw, count: _query(since="1d", state="FAILED"),
    "a flow run": lambda draw, count: f"flow-runs/{_run(draw, count)}",
    "a task run": lambda draw, count: f"task-runs/{made.task_run_id(lists._detailed(draw, count), 0, count)}",
    "flows": lambda draw, count: "flows",
    "flows, a month": lambda draw, count: "flows?window=30d",
    "deployments": lambda draw, count: "deployments",
    "a deployment": lambda draw, count: f"deployments/{quote(lists._deployment(draw))}",
    "a custom run": lambda draw, count: f"deployments/{quote(lists._deployment(draw))}/run",
    "calendar, a month": lambda draw, count: "calendar",
    "calendar, a month of one deployment": lambda draw, count: f"calendar?name=deployment-{draw.randrange(100):02}",
    "calendar, the month after": lambda draw, count: "calendar?day=2026-02-15",
    "calendar, a week": lambda draw, count: f"calendar?view=week&day={(made.FIRST + timedelta(days=draw.randrange(made.DAYS))).date()}",
    "work queues": lambda draw, count: "work-queues",
    "a work queue": lambda draw, count: f"work-queues/{lists._queue(draw)}",
    "a new work queue": lambda draw, count: "work-queues/new",
    "agents": lambda draw, count: "agents",
    "storages": lambda draw, count: "storages",
    "limits": lambda draw, count: "concurrency-limits",
    "plugins": lambda draw, count: "plugins",
    "settings": lambda draw, count: "settings",
}


@contextmanager
def _opened(home: Path) -> Iterator[tuple[Instance, str]]:
    """A home whose clock stands where its runs end, and the address of its dashboard."""
    with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True, clock=FixedClock(made.LAST)) as house, served(house) as api:
        yield house, api.removesuffix("api")


def shown(home: Path, count: int, rounds: int = ROUNDS) -> Iterator[Shown]:
    """How long each page takes, over one connection; after a round that does not count."""
    with _opened(home) as (_, address):
        parts = urlsplit(address)
        with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
            for page, asked in PAGES.items():
                draw = random.Random(page)
                taken, sizes = zip(*(_fetched(connection, f"/{asked(draw, count)}") for _ in range(rounds + 1)), strict=True)
                yield Shown(
                    page=page,
                    percentile=statistics.quantiles(taken[1:], n=100)[98],
                    median=statistics.median(taken[1:]),
                    size=max(sizes),
                )


def _fetched(connection: HTTPConnection, path: str) -> tuple[float, int]:
    """Milliseconds, and bytes, that a page takes."""
    start = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    size = len(answer.read())
    taken = (time.perf_counter() - start) * 1000
    assert answer.status == 200, (path, answer.status)
    return taken, size


LIVE = {"overview": "", "flow runs": "flow-runs", "flow runs, failed ones": "flow-runs?state=FAILED"}

WATCH = """name => new Promise(resolve => {
    const look = () => { if (document.body.innerText.includes(name)) { watcher.disconnect(); resolve(performance.timeOrigin + performance.now()) } }
    const watcher = new MutationObserver(look)
    watcher.observe(document.body, {subtree: true, childList: true, characterData: true})
    look()
})"""
"""When the page shows a name, in milliseconds since 1970."""


def told(home: Path, folder: Path, rounds: int = ROUNDS) -> Iterator[Shown]:
    """How long after a run was written a browser shows it, on pages that are open; each is written when the one before is shown. The store is copied
    before, since it is written to."""
    from playwright.sync_api import sync_playwright

    copy = folder / "copy"
    shutil.copytree(home, copy)
    with _opened(copy) as (house, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for page, path in LIVE.items():
            tab = browser.new_page()
            tab.goto(f"{address}{path}")
            taken = [_seen(house, tab, f"live-{page}-{number}".replace(" ", "-")) for number in range(rounds + 1)]
            yield Shown(page=page, percentile=statistics.quantiles(taken[1:], n=100)[98], median=statistics.median(taken[1:]), size=0)
            tab.close()
        browser.close()


def _seen(house: Instance, tab: Any, name: str) -> float:
    """Milliseconds from a commit until a page shows it."""
    tab.evaluate(f"name => {{ window.shown = ({WATCH})(name) }}", name)
    run_id = house.ids.new()
    pending = State.pending()
    run = FlowRun(id=run_id, name=name, state=pending, created=house.clock.now(), flow_name="live", root_id=run_id, epoch=1)
    house.client.create_flow_run(run, holder="bench")
    house.client.move_flow_run(Move(id=house.ids.new(), run_id=run_id, state=State.failed(message="as it should"), epoch=1))
    written = time.time() * 1000
    return float(tab.evaluate("window.shown")) - written
