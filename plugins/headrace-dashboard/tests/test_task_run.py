"""The page of one task run."""

from collections.abc import Mapping
from typing import Any

import attrs

from headrace.model.choices import Choice
from headrace.model.journals import JournalBatch
from headrace.model.logs import LogLine
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State


def reference(**more: Any) -> ResultReference:
    """A result in a storage."""
    return ResultReference(serializer="json", size=1234, sha256="ab" * 32, storage=Choice("s3", {"secret_key": "hunter2"}), **more)


def task(site: Any, run: FlowRun, name: str, *, state: State | None = None, inputs: Mapping[str, tuple[str, ...]] | None = None) -> TaskRun:
    """A task run that has begun and ended."""
    now = site.house.clock.now()
    ended = attrs.evolve(state or State.completed(), timestamp=now)
    return TaskRun(
        id=site.house.ids.new(),
        name=name,
        state=ended,
        revision=2,
        created=now,
        start_time=now,
        end_time=now,
        flow_run_id=run.id,
        task_name=name,
        task_key=f"key-of-{name}",
        call=0,
        inputs=inputs or {},
        tags=("slow",),
    )


def says(site: Any, run: FlowRun, task_run: TaskRun, *messages: str, level: int = 20) -> None:
    """A task run has this in the log."""
    now = site.house.clock.now()
    lines = tuple(
        LogLine(
            id=site.house.ids.new(), flow_run_id=run.id, task_run_id=task_run.id, timestamp=now, level=level, logger="task", message=message
        )
        for message in messages
    )
    site.house.client.write_journal(JournalBatch(flow_run_id=run.id, epoch=1, logs=lines))


def test_what_there_is(site: Any) -> None:
    """Facts, history and its own lines are there, and where its values came from, with links; what others wrote is text."""
    run = site.script_run("otter", State.running())
    first = task(site, run, "extract")
    second = task(site, run, "load", state=State.failed(message="no <room>"), inputs={"rows": (first.id,), "others": (first.id, "gone")})
    site.journal(run, "of the flow", tasks=(first, second))
    says(site, run, second, "line <one>")
    html, said = site.page(f"task-runs/{second.id}"), site.text(f"task-runs/{second.id}")
    for words in ("load Failed", "otter of etl", "no <room>", "line <one>", "key-of-load", "slow", "and 1 more", "It was not kept."):
        assert words in said, words
    assert "of the flow" not in said
    assert html.count(f'href="../task-runs/{first.id}"') == 2
    assert f'href="../flow-runs/{run.id}"' in html


def test_the_run_of_the_flow_leads_to_it(site: Any) -> None:
    """From its table of task runs, its timeline and its graph."""
    run = site.script_run("otter", State.running())
    first = task(site, run, "extract")
    site.journal(run, tasks=(first, task(site, run, "load", inputs={"rows": (first.id,)})))
    assert site.page(f"flow-runs/{run.id}").count(f'href="../task-runs/{first.id}"') == 3


def test_a_result(site: Any) -> None:
    """It is told where it is, how big, and as what it was written; never what it is, nor by which secrets one gets there."""
    run = site.script_run("otter", State.running())
    kept = task(site, run, "kept", state=attrs.evolve(State.completed(), reference=reference(key="store/results/a/b")))
    inline = task(site, run, "inline", state=attrs.evolve(State.completed(), reference=reference(inline='"the value"')))
    site.journal(run, tasks=(kept, inline))
    said = site.text(f"task-runs/{kept.id}")
    assert "Kept in s3 Size 1.2 kB Written as json Under store/results/a/b SHA-256 abababababababab…" in said
    assert "hunter2" not in site.page(f"task-runs/{kept.id}")
    assert "Kept in the run store" in site.text(f"task-runs/{inline.id}")
    assert "the value" not in site.page(f"task-runs/{inline.id}")


def test_a_cached_one(site: Any) -> None:
    """It leads to the task run whose result it has, as long as that one is there, and tells the key."""
    earlier = site.script_run("bear", State.running())
    source = task(site, earlier, "source")
    site.journal(earlier, tasks=(source,))
    run = site.script_run("otter", State.running())
    state = attrs.evolve(
        State.completed(name="Cached"), cache_key="answer-42", reference=reference(key=f"x/results/{earlier.id}/{source.id}")
    )
    taken = task(site, run, "taken", state=state)
    site.journal(run, tasks=(taken,))
    assert "the result of task run source was taken. Cache key answer-42" in site.text(f"task-runs/{taken.id}")
    assert f'href="../task-runs/{source.id}"' in site.page(f"task-runs/{taken.id}")
    site.house.client.delete_flow_run(earlier.id)
    assert "the result of an earlier task run was taken" in site.text(f"task-runs/{taken.id}")


def test_lines(site: Any) -> None:
    """The last 200 are shown, by level and text if that is asked for."""
    run = site.script_run("otter", State.running())
    made = task(site, run, "load")
    site.journal(run, tasks=(made,))
    says(site, run, made, *(f"line {number}" for number in range(250)))
    says(site, run, made, "rather bad", level=40)
    said = site.text(f"task-runs/{made.id}")
    assert "The last 200 lines." in said
    assert "line 50 " not in said
    assert "line 249" not in site.text(f"task-runs/{made.id}", level=40)
    assert "rather bad" in site.text(f"task-runs/{made.id}", level=40)
    assert "line 7 " in site.text(f"task-runs/{made.id}", text="line 7") + " "
    assert "No line fits." in site.text(f"task-runs/{made.id}", text="nothing of that")


def test_a_subflow(site: Any) -> None:
    """A task run that called a flow leads to the run of it."""
    run, child = site.script_run("otter", State.running()), site.script_run("cub", State.running())
    made = attrs.evolve(task(site, run, "calls"), child_flow_run_id=child.id)
    site.journal(run, tasks=(made,))
    assert "Flow run that it called cub Running" in site.text(f"task-runs/{made.id}")


def test_one_that_is_not_there(site: Any) -> None:
    """That is said, with a command."""
    answer = site.http.get("task-runs/nothing")
    assert answer.status_code == 404
    assert "headrace task-run ls" in answer.text


def test_live(site: Any, browser: Any) -> None:
    """A new state is shown as soon as it is written."""
    from playwright.sync_api import expect

    run = site.script_run("otter", State.running())
    made = attrs.evolve(task(site, run, "load", state=State.running()), end_time=None, revision=1)
    site.journal(run, tasks=(made,))
    browser.goto(f"task-runs/{made.id}")
    browser.wait_for_load_state("networkidle")
    now = site.house.clock.now()
    site.journal(run, tasks=(attrs.evolve(made, state=attrs.evolve(State.completed(), timestamp=now), revision=2, end_time=now),))
    expect(browser.locator("#states .completed")).to_have_count(1)
    expect(browser.locator("h1 .state")).to_have_text("Completed")
