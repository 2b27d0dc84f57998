"""A server with its dashboard, over a real store, asked over HTTP."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import unescape
from pathlib import Path
from re import DOTALL, findall, search, sub
from typing import Any
from urllib.parse import urlencode

import attrs
import httpx2 as httpx
import pytest
from servers.own import headrace_server

import headrace
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import FlowRunFilter, Page, WorkQueueFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.packaging.packing import write_archive
from headrace.packaging.tree import tree_of_folder
from headrace.settings import load

BROWSER = shutil.which("chromium") or "chromium"


@attrs.frozen
class Site:
    """A dashboard in its own process, and the house that it shows."""

    address: str
    house: Instance
    http: httpx.Client

    def page(self, path: str = "", **query: object) -> str:
        """A page as HTML; it is there."""
        answer = self.http.get(path, params=query or None)
        assert answer.status_code == 200, (answer.status_code, shown(answer.text))
        return answer.text

    def text(self, path: str = "", **query: object) -> str:
        """What a page says, without what it is made of."""
        return shown(self.page(path, **query))

    def post(self, path: str, do: str, **fields: object) -> httpx.Response:
        """Does something on a page, as its form would; the redirect is not followed."""
        content = urlencode({"do": do, **fields}, doseq=True)
        return self.http.post(path, content=content, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def said(self, path: str, do: str, **fields: object) -> str:
        """What the next page says when something was done."""
        answer = self.post(path, do, **fields)
        assert answer.status_code == 303, (answer.status_code, shown(answer.text))
        following = self.http.get(str(httpx.URL(str(answer.url)).join(answer.headers["location"])))
        notes: list[str] = findall(r'<p class="note (?:good|bad)" role="status">(.*?)</p>', following.text, DOTALL)
        return unescape(notes[0]) if notes else ""

    # What there is

    @property
    def runs(self) -> list[FlowRun]:
        """All flow runs, newest first."""
        return self.house.client.read_flow_runs(FlowRunFilter(), Page())

    def deployment(self, name: str = "daily", flow: str = "etl", **more: Any) -> Deployment:
        """A deployment of a flow."""
        now = self.house.clock.now()
        made = Deployment(
            id=f"{flow}-{name}", name=name, flow_name=flow, code=Code(entrypoint="flows:etl"), created=now, updated=now, **more
        )
        return self.house.client.put_deployments((made,))[0]

    def packed(self, folder: Path, text: str) -> Code:
        """Code of one file, which lies in the orchestration's own storage."""
        folder.mkdir(exist_ok=True)
        (folder / "flows.py").write_text(text)
        tree = tree_of_folder(folder)
        with self.house.code_storage() as storage:
            write_archive(tree, tree.archive().key, storage)
        return Code(entrypoint="flows:etl", archive=tree.archive())

    def queue(self, name: str = "prod", **more: Any) -> WorkQueue:
        """A work queue."""
        now = self.house.clock.now()
        return self.house.client.put_work_queue(WorkQueue(id=f"queue-{name}", name=name, created=now, updated=now, **more))

    def run(self, name: str, of: str = "etl-daily", **more: Any) -> FlowRun:
        """A run of a deployment, due now."""
        return self.house.client.request_run(RunRequest(id=self.house.ids.new(), deployment_id=of, name=name, is_named=True, **more))

    def claim(self) -> list[FlowRun]:
        """An agent takes what is due in the queues."""
        queues = self.house.client.read_work_queues(WorkQueueFilter(), Page())
        asked = ClaimRequest(id=self.house.ids.new(), agent_id="agent", queue_ids=tuple(queue.id for queue in queues), limit=100)
        return list(self.house.client.claim_runs(asked).runs)

    def move(self, run_id: str, state: State, epoch: int = 1) -> None:
        """A run enters a state."""
        self.house.client.move_flow_run(Move(id=self.house.ids.new(), run_id=run_id, state=state, epoch=epoch))

    def script_run(self, name: str, *states: State, flow: str = "etl", **more: Any) -> FlowRun:
        """A run that was started from a script, and went through these states."""
        run_id = self.house.ids.new()
        first = State.pending()
        made = FlowRun(id=run_id, name=name, state=first, created=self.house.clock.now(), flow_name=flow, root_id=run_id, epoch=1, **more)
        self.house.client.create_flow_run(made, holder="script")
        for state in states:
            self.house.client.move_flow_run(Move(id=self.house.ids.new(), run_id=run_id, state=state, epoch=1))
        return self.house.client.read_flow_run(run_id)

    def task(self, run: FlowRun, name: str, *, takes: tuple[str, ...] = (), state: State | None = None) -> TaskRun:
        """A task run that has begun, and ended unless a state says otherwise."""
        now = self.house.clock.now()
        made = TaskRun(
            id=self.house.ids.new(),
            name=name,
            state=attrs.evolve(State.running(), timestamp=now),
            created=now,
            start_time=now,
            flow_run_id=run.id,
            task_name=name,
            task_key=name,
            call=0,
            inputs={"x": takes} if takes else {},
        )
        ended = attrs.evolve(state or State.completed(), timestamp=now)
        return attrs.evolve(made, state=ended, revision=2, end_time=now)

    def subflow(self, run: FlowRun, call: TaskRun, name: str) -> FlowRun:
        """The run of a flow that a task run of a run called; it runs."""
        made = FlowRun(
            id=call.child_flow_run_id or self.house.ids.new(),
            name=name,
            state=State.pending(),
            created=self.house.clock.now(),
            flow_name="part",
            root_id=run.root_id,
            parent_task_run_id=call.id,
            epoch=1,
        )
        self.house.client.create_flow_run(made)
        self.move(made.id, State.running())
        return self.house.client.read_flow_run(made.id)

    def journal(self, run: FlowRun, *messages: str, level: int = 20, tasks: tuple[TaskRun, ...] = ()) -> None:
        """The run says something, and its tasks are as given."""
        now = self.house.clock.now()
        lines = tuple(
            LogLine(id=self.house.ids.new(), flow_run_id=run.id, timestamp=now, level=level, logger="flow", message=message)
            for message in messages
        )
        states = tuple(RunState(run_id=task.id, revision=task.revision, state=task.state) for task in tasks)
        self.house.client.write_journal(JournalBatch(flow_run_id=run.id, epoch=1, logs=lines, task_runs=tasks, states=states))


def shown(html: str) -> str:
    """The text of a page."""
    return " ".join(unescape(sub(r"<[^>]+>", " ", sub(r"<(script|style|head).*?</\1>", " ", html, flags=DOTALL))).split())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of one's own."""
    return tmp_path / "home"


@contextmanager
def served(home: Path, *options: str) -> Iterator[Site]:
    """The dashboard of a home, without services beside it."""
    with headrace_server(home, "--no-services", *options) as api:
        address = api.removesuffix("api")
        with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house, httpx.Client(base_url=address) as http:
            yield Site(address, house, http)


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """The dashboard of a home of one's own."""
    with served(home) as site:
        yield site


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One dashboard for all tests of a file, each of which has deployments and names of its own there."""
    with served(tmp_path_factory.mktemp("shared") / "home") as site:
        yield site


@pytest.fixture
def kept(home: Path) -> Iterator[Site]:
    """A home whose dashboard nobody serves."""
    with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house, httpx.Client() as http:
        yield Site("", house, http)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        quiet = (
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
        )
        browser = playwright.chromium.launch(executable_path=BROWSER, args=quiet)
        yield browser
        browser.close()


def _is_wrong(message: Any) -> bool:
    """Whether something on the console is a fault; that what was typed was refused or is gone is none, and browsers say it there too."""
    is_told = search(r"responded with a status of (400|401|404|409|422) ", message.text) and "/static/" not in message.location["url"]
    return message.type in ("error", "warning") and not is_told


@contextmanager
def page_of(chromium: Any, address: str, **more: Any) -> Iterator[Any]:
    """A page of a browser, whose every error fails the test, and which asks nobody but the site."""
    options = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "Europe/Berlin", "base_url": address, **more}
    context = chromium.new_context(**options)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on("request", lambda request: None if request.url.startswith((address, "data:")) else wrong.append(f"asks {request.url}"))
    yield page
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def opened(chromium: Any) -> Callable[..., Any]:
    """Opens pages of a browser before some address, with options of its own."""
    return partial(page_of, chromium)


@pytest.fixture
def browser(opened: Callable[..., Any], site: Site) -> Iterator[Any]:
    """A page of a browser, before the dashboard."""
    with opened(site.address) as page:
        yield page
