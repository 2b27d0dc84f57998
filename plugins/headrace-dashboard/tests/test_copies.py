"""Copies of pages: what is in them, how they look in a real browser that has no server, and what is refused."""

import json
import os
import re
import resource
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from servers.own import COMMAND, environment, headrace_server

import headrace
from headrace.errors import CopyNotWritten
from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule
from headrace.model.states import State
from headrace.model.storages import NamedStorage
from headrace.model.tokens import Scope
from headrace.ports.client import Kind, operations
from headrace.testing.privileges import giving_up
from headrace_dashboard.copies.looking import looked_at
from headrace_dashboard.copies.writing import MARK, checked, written

MENU = (
    "index.html",
    "flow-runs.html",
    "flows.html",
    "deployments.html",
    "calendar.html",
    "work-queues.html",
    "agents.html",
    "storages.html",
    "concurrency-limits.html",
    "plugins.html",
    "settings.html",
)

PLUGIN = """
from headrace.hooks import hookimpl


@hookimpl(optionalhook=True)
def headrace_panels(place, page):
    from markupsafe import Markup

    from headrace_server.pages import Panel

    if place == "menu":
        yield Panel(title="ACME costs", link="acme")
    if place == "flow-run" and page.tasks:
        links = Markup('<a href="../task-runs/{}">first</a> <a href="../flows?name=x">asked</a>').format(page.tasks[0].id)
        yield Panel(title="ACME", content=links + Markup(' <a href="https://acme.example/x">acme</a> <a href="#log">log</a>'), link="acme")
"""

Export = Callable[..., CompletedProcess[str]]


@pytest.fixture
def export(home: Path, tmp_path: Path) -> Export:
    """Runs the command, in the folder of the test; it works unless it is said that it does not."""

    def run(*words: str, fails: bool = False, preexec: Callable[[], None] | None = None, **more: str) -> CompletedProcess[str]:
        done = subprocess.run(
            [COMMAND, "dashboard", "export", *words],
            env=environment(home, **more),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=preexec,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def ids(kept: Any) -> dict[str, str]:
    """What is there: one of everything; the ids of it."""
    kept.deployment(tags=("eu",), schedules=(DeploymentSchedule(kind=Choice("cron", {"cron": "0 3 * * *"})),))
    kept.queue()
    made = kept.house.clock.now()
    storage = NamedStorage(id="storage-1", name="here", choice=Choice("local", {"path": "/srv/flows"}), created=made, updated=made)
    kept.house.client.put_storage(storage, {})
    kept.house.client.set_limit("db", 2)
    bad = kept.script_run("bad", State.running(), parameters={"rows": 3})
    first = kept.task(bad, "extract")
    second = kept.task(bad, "load", takes=(first.id,), state=State.failed(message="no room"))
    kept.journal(bad, "it is <b>bad</b>", level=40, tasks=(first, second))
    kept.move(bad.id, State.failed(message="no room"))
    good = kept.script_run("good", State.running(), State.completed())
    kept.script_run("under-way", State.running())
    waits = kept.run("waits")
    return {"bad": bad.id, "good": good.id, "waits": waits.id, "first": first.id, "second": second.id}


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """A browser page in which nothing is asked for but files, and nothing is said on the console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(f"asks {request.url}"))
    yield page
    context.close()
    assert wrong == []


def pages(folder: Path) -> list[Path]:
    """All pages of a copy."""
    return sorted(folder.rglob("*.html"))


def names(folder: Path) -> set[str]:
    """All files of a copy."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def links(page: Path) -> list[Path]:
    """Where all links and files of a page lead."""
    found = re.findall(r'\b(?:href|src)="([^"#]+)', page.read_text())
    assert not [link for link in found if urlsplit(unescape(link)).scheme or link.startswith("/")], page
    return [Path(os.path.normpath(page.parent / unquote(urlsplit(unescape(link)).path))) for link in found]


# What is in it


def test_a_copy_of_everything(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """All pages of the menu are there, each deployment, queue and storage, and runs with their task runs and logs; it is said where it lies."""
    done = export("copy")
    copy = tmp_path / "copy"
    there = names(copy)
    logs = [name for name in there if name.endswith("/log.txt")]
    assert done.stdout == f"copied {len(pages(copy)) - 1 + len(logs)} pages to {copy}\n"  # all but the one on what was not copied
    assert {*MENU, "not-copied.html", MARK, "deployments/etl-daily.html", "work-queues/queue-prod.html", "storages/storage-1.html"} <= there
    assert {f"flow-runs/{ids[name]}.html" for name in ("bad", "good", "waits")} <= there
    assert {f"task-runs/{ids[name]}.html" for name in ("first", "second")} <= there
    assert "it is <b>bad</b>" in (copy / "flow-runs" / ids["bad"] / "log.txt").read_text()
    assert json.loads((copy / MARK).read_text())["headrace"] == headrace.__version__


def test_every_link_leads_somewhere(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """Each is to a file of the copy; what was not copied leads to a page that says so."""
    export("copy", "--flow-runs", "1")
    copy = tmp_path / "copy"
    for page in pages(copy):
        for goal in links(page):
            assert goal.is_file(), (page, goal)
            assert copy in goal.parents
    runs = links(copy / "flow-runs.html")
    assert copy / "flow-runs" / f"{ids['bad']}.html" not in runs
    assert copy / "not-copied.html" in runs


def test_nothing_can_be_done(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """No page has a form, a button but those for keys and for light and dark, or anything that would ask a server."""
    export("copy")
    for page in pages(tmp_path / "copy"):
        text = page.read_text()
        assert "<form" not in text
        assert text.count("<button") == text.count("-switch") == 2
        for what in ("data-live", "data-every", "hx-", "htmx", "Sign out", "http-equiv=refresh"):
            assert what not in text, (page, what)
        assert "A copy, made <time" in text
        assert "Content-Security-Policy" in text


def test_some_pages(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """Those that are chosen are there, with those that hang on them; where the overview is not, the first page says what is."""
    export("copy", "--page", "work-queues", "--page", "storage")
    copy = tmp_path / "copy"
    found = {name for name in names(copy) if name.endswith(".html") and ".ahead" not in name}
    assert found == {
        "index.html",
        "not-copied.html",
        "work-queues.html",
        "work-queues/queue-prod.html",
        "storages.html",
        "storages/storage-1.html",
    }
    assert copy / "work-queues.html" in links(copy / "index.html")
    assert "Deployments</a>" not in (copy / "storages.html").read_text()


def test_one_run(export: Export, kept: Any, tmp_path: Path, ids: dict[str, str]) -> None:
    """It comes with its task runs, the flows that they called, and its deployment, and without any other."""
    parent = kept.script_run("parent", State.running(), deployment_id="etl-daily")
    task = kept.task(parent, "calls")
    kept.journal(parent, tasks=(task,))
    child = attrs.evolve(parent, id=kept.house.ids.new(), name="child", deployment_id=None, parent_task_run_id=task.id)
    kept.house.client.create_flow_run(attrs.evolve(child, state=State.pending(), revision=1, run_count=0, start_time=None))
    export("copy", "--flow-run", "parent")
    there = names(tmp_path / "copy")
    assert {f"flow-runs/{run.id}.html" for run in (parent, child)} <= there
    assert {f"task-runs/{task.id}.html", "deployments/etl-daily.html"} <= there
    assert not {"flows.html", f"flow-runs/{ids['bad']}.html"} & there


def test_without_logs_and_parameters(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """They are nowhere, and it is said that they were left out."""
    export("copy", "--without-logs", "--without-parameters")
    copy = tmp_path / "copy"
    assert not [name for name in names(copy) if name.endswith("log.txt")]
    run = (copy / "flow-runs" / f"{ids['bad']}.html").read_text()
    assert run.count("Left out of this copy.") == 2
    assert "it is" not in run
    assert "rows" not in run


def test_as_one_file(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """The same files are in it, in a folder of its name; nothing lies beside it."""
    export("copy")
    export("same.zip")
    with zipfile.ZipFile(tmp_path / "same.zip") as packed:
        assert packed.testzip() is None
        assert {name.removeprefix("same/") for name in packed.namelist()} == names(tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "copy", "same.zip"}


def test_an_empty_store(export: Export, tmp_path: Path) -> None:
    """There is a copy of nothing, which says so."""
    export("copy")
    assert "Nothing ran here yet" in (tmp_path / "copy" / "index.html").read_text()
    export("other", "--page", "flow-runs", "--json")
    assert "No run yet" in (tmp_path / "other" / "flow-runs.html").read_text()


def test_from_a_server(kept: Any, export: Export, tmp_path: Path, home: Path, ids: dict[str, str]) -> None:
    """A server is asked by its address, with a token that may only look; what it shows is the same."""
    made = subprocess.run(
        [COMMAND, "server", "token", "--here", "create", "me", "--scope", "viewer", "--json"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    token = json.loads(made.stdout)["token"]
    export("here")
    with headrace_server(home, "--no-services", "--require-token") as api:
        elsewhere = str(tmp_path / "elsewhere")
        export("there", HEADRACE_API_URL=api, HEADRACE_API_TOKEN=token, HEADRACE_HOME=elsewhere)
        refused = export("none", fails=True, HEADRACE_API_URL=api, HEADRACE_API_TOKEN="wrong", HEADRACE_HOME=elsewhere)
        assert "token" in refused.stderr
    assert names(tmp_path / "here") == names(tmp_path / "there")
    assert token.encode() not in b"".join((tmp_path / "there" / name).read_bytes() for name in names(tmp_path / "there"))
    assert not (tmp_path / "none").exists()


def test_boxes_of_plugins(kept: Any, export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """They are on the pages as on a server, and their links lead where they lead, or to what says that it was not copied; their pages are not in the menu."""
    (tmp_path / "headrace_plugin.py").write_text(PLUGIN)
    export("copy")
    run = (tmp_path / "copy" / "flow-runs" / f"{ids['bad']}.html").read_text()
    assert f'<a href="../task-runs/{ids["first"]}.html">first</a>' in run
    assert '<a href="../not-copied.html">asked</a> <a href="https://acme.example/x">acme</a> <a href="#log">log</a>' in run
    assert '<a href="../not-copied.html">More</a>' in run
    assert "ACME costs" not in run


# In a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_read_it(export: Export, tmp_path: Path, opened: Any, ids: dict[str, str], scheme: str, width: int) -> None:
    """Opened as files, no page has anything that axe finds or is wider than a screen; none says anything on the console or asks anybody."""
    export("copy")
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": width, "height": 900})
    for page in pages(tmp_path / "copy"):
        if page.stem.count("."):
            continue  # the same with another window of time
        opened.goto(page.as_uri())
        found = Axe().run(opened, options={"preload": False}).response["violations"]  # it would ask for the style once more
        assert not found, (page, [(each["id"], each["nodes"][0]["html"]) for each in found])
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page


def test_what_moves(export: Export, tmp_path: Path, opened: Any, ids: dict[str, str]) -> None:
    """Without a server one goes from page to page, by mouse and by keys; light and dark are chosen, times are those of who looks, icons are there."""
    export("copy")
    opened.emulate_media(color_scheme="light")
    opened.goto((tmp_path / "copy" / "index.html").as_uri())
    opened.keyboard.press("g")
    opened.keyboard.press("r")
    expect(opened.get_by_role("heading", level=1)).to_have_text("Flow runs")
    opened.get_by_role("link", name="bad").first.click()
    expect(opened.locator("#summary time").first).to_have_attribute("title", re.compile("Europe/Berlin"))
    opened.locator("svg.timeline .name").first.click()
    expect(opened.get_by_role("heading", level=1)).to_contain_text("extract")
    opened.get_by_role("button", name="Light or dark").click()
    assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 28)"
    icon = opened.locator(".brand .icon use")
    assert opened.evaluate("use => use.getBBox().width > 0", icon.element_handle())


# What is refused


def test_whoever_makes_a_copy_only_looks(kept: Any) -> None:
    """Nothing that a copy is made with can change anything, or open a storage."""
    client = looked_at(kept.house, lambda answer: answer).client
    assert client.read_agents() == []
    for operation in operations().values():
        assert hasattr(client, operation.name) == (operation.scope is Scope.VIEWER and operation.kind is Kind.ASK)


def test_what_is_there_already(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """A folder that is not empty stays as it is; an earlier copy is replaced if that is said, and only that."""
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("x")
    for more in ((), ("--overwrite",)):
        assert "it is not empty, and no copy of pages; choose another name" in export("full", *more, fails=True).stderr
    assert names(full) == {"mine"}
    (tmp_path / "empty").mkdir()
    export("empty", "--page", "agents")
    assert "an earlier copy is there; --overwrite" in export("empty", fails=True).stderr
    export("empty", "--page", "flows", "--overwrite")
    assert "flows.html" in names(tmp_path / "empty")
    assert "agents.html" not in names(tmp_path / "empty")
    (tmp_path / "mine.zip").write_text("x")
    assert "something else is there" in export("mine.zip", "--overwrite", fails=True).stderr
    export("a.zip", "--page", "agents")
    assert "an earlier copy" in export("a.zip", fails=True).stderr
    export("a.zip", "--page", "agents", "--overwrite")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "full", "empty", "mine.zip", "a.zip"}


def test_what_is_typed_wrong(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """An unknown page, run or folder is told with what there is instead, and nothing is written."""
    unknown = export("copy", "--page", "nonsense", fails=True)
    assert "'overview', 'flow-runs', 'flows'" in unknown.stderr
    assert "no flow run 'nobody'" in export("copy", "--flow-run", "nobody", fails=True).stderr
    assert "not both" in export("copy", "--flow-run", "bad", "--flow-runs", "3", fails=True).stderr
    assert "make it first" in export("a/b/copy", fails=True).stderr
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_where_nothing_may_be_written(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """It is said in one sentence."""
    (tmp_path / "closed").mkdir(mode=0o555)
    refused = export("closed/copy", fails=True, preexec=giving_up())
    assert "no copy of pages can be written to" in refused.stderr
    assert "Permission denied" in refused.stderr
    assert not list((tmp_path / "closed").iterdir())


def test_a_file_that_cannot_grow(export: Export, tmp_path: Path, ids: dict[str, str]) -> None:
    """Where there is no room, nothing is left, and the earlier copy is still there."""
    export("copy", "--page", "agents")
    before = names(tmp_path / "copy")
    with headrace_server(tmp_path / "home", "--no-services") as api:
        limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))  # noqa: E731
        refused = export("copy", "--overwrite", fails=True, preexec=limited, HEADRACE_API_URL=api)
    assert "nothing was written" in refused.stderr
    assert names(tmp_path / "copy") == before
    assert {path.name for path in tmp_path.iterdir()} == {"home", "copy"}


def test_who_is_told_to_end(tmp_path: Path) -> None:
    """Nothing is left behind by who is told to end while a copy grows, and nothing is different afterwards."""
    before = signal.getsignal(signal.SIGTERM)

    def is_told() -> Iterator[str]:
        yield "x"
        os.kill(os.getpid(), signal.SIGTERM)
        yield "y"

    def write() -> None:
        with written(checked(tmp_path / "copy", overwrites=False), made=datetime.now(UTC), facts={}) as growing:
            growing.write("a/b.html", is_told())

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_earlier_copy_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """What fails while it grows leaves the earlier one as it was."""

    def fails() -> Iterator[str]:
        yield "x"
        raise OSError(28, "No space left on device")

    target = checked(tmp_path / "copy", overwrites=False)
    with written(target, made=datetime.now(UTC), facts={}) as growing:
        growing.write("a.html", ["first"])
    with pytest.raises(CopyNotWritten, match="No space left on device; nothing was written"):
        with written(checked(target, overwrites=True), made=datetime.now(UTC), facts={}) as growing:
            growing.write("a.html", fails())
    assert (target / "a.html").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert attrs.asdict(CopyNotWritten(target="x", why="y")) == {"target": "x", "why": "y"}
