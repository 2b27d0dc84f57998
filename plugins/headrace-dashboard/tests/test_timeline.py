"""The timeline of a flow run: its task runs, and in the place of one that called a flow, the run of that with what it called."""

from re import findall
from typing import Any

import attrs
from playwright.sync_api import expect

from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State


def call(site: Any, run: FlowRun, name: str, root: FlowRun | None = None) -> tuple[TaskRun, FlowRun]:
    """A run calls a flow, which runs; the root run writes down what all of them do."""
    task = attrs.evolve(site.task(run, f"call-of-{name}", state=State.running()), child_flow_run_id=site.house.ids.new(), end_time=None)
    site.journal(root or run, tasks=(task,))
    return task, site.subflow(run, task, name)


def rows(html: str) -> list[tuple[str, float, str]]:
    """What the timeline has: which kind of run, how far it is set in, and its name."""
    timeline = html.partition('id="timeline"')[2].partition("</svg>")[0]
    found = findall(
        r'<a href="\.\./(task-runs|flow-runs)/[^"]*">.*?<text class="name[^"]*" x="(\d+)" [^>]*>([^<]*)<', timeline.replace("\n", "")
    )
    return [(kind, float(x), name) for kind, x, name in found]


def test_subflows(site: Any) -> None:
    """Those within each other are below each other, each in the place of its call; what was called in one is below it."""
    run = site.script_run("root", State.running())
    first = site.task(run, "first")
    site.journal(run, tasks=(first,))
    _, part = call(site, run, "part")
    site.journal(run, tasks=(site.task(part, "inner"),))
    _, deep = call(site, part, "deep", run)
    site.journal(run, tasks=(site.task(deep, "innermost"),))
    site.journal(run, tasks=(site.task(run, "last"),))
    html = site.page(f"flow-runs/{run.id}")
    assert rows(html) == [
        ("task-runs", 0.0, "first"),
        ("flow-runs", 0.0, "part"),
        ("task-runs", 14.0, "inner"),
        ("flow-runs", 14.0, "deep"),
        ("task-runs", 28.0, "innermost"),
        ("task-runs", 0.0, "last"),
    ]
    assert f'href="../flow-runs/{deep.id}"' in html
    assert "6 task runs and subflows in" in html
    assert [name for _, _, name in rows(site.page(f"flow-runs/{part.id}"))] == ["inner", "deep", "innermost"]


def test_a_subflow_that_is_not_there(site: Any) -> None:
    """In its place is the task run that called it."""
    run = site.script_run("root", State.running())
    site.journal(run, tasks=(attrs.evolve(site.task(run, "calls"), child_flow_run_id="gone"),))
    assert rows(site.page(f"flow-runs/{run.id}")) == [("task-runs", 0.0, "calls")]


def test_live(site: Any, browser: Any) -> None:
    """What a subflow does that began after the page was opened is shown as it happens."""
    run = site.script_run("root", State.running())
    browser.goto(f"flow-runs/{run.id}")
    browser.wait_for_load_state("networkidle")
    _, part = call(site, run, "part")
    timeline = browser.locator("#timeline")
    expect(timeline.locator("a").filter(has_text="part")).to_be_visible()
    site.journal(run, tasks=(site.task(part, "inner"),))
    expect(timeline.locator("a").filter(has_text="inner")).to_be_visible()
    site.move(part.id, State.completed())
    site.journal(run, "the call has ended")
    expect(timeline.locator("rect.completed")).to_have_count(2)
    timeline.locator("a").filter(has_text="part").click()
    expect(browser.get_by_role("heading", level=1)).to_contain_text("part")
