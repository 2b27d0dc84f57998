"""Concurrency limits: how much of them is in use and by whom, setting and deleting them."""

from html import unescape
from re import sub
from typing import Any

import pytest

from headrace.model.moves import Move
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.rules.facts import Retry


def words(html: str) -> str:
    """What a page says."""
    return " ".join(unescape(sub(r"<[^>]+>", " ", html)).split())


def limits(site: Any) -> dict[str, int]:
    """All limits, by tag."""
    return {each.tag: each.limit for each in site.house.client.read_limits()}


def task_run(site: Any, name: str, tag: str) -> None:
    """A task run with a tag that runs, of a run that does."""
    run = site.script_run(f"flow of {name}", State.running())
    now = site.house.clock.now()
    task = TaskRun(
        id=site.house.ids.new(),
        name=name,
        state=State.pending(),
        created=now,
        tags=(tag,),
        flow_run_id=run.id,
        task_name="load",
        task_key="m.load",
        call=0,
    )
    move = Move(id=site.house.ids.new(), run_id=task.id, state=State.running(), epoch=1)
    verdict = site.house.client.move_task_run(move, task, Retry(limit=0, delay=0.0))
    assert verdict.state is not None, verdict


def test_there_is_none(site: Any) -> None:
    """The empty list tells what to type."""
    assert "headrace concurrency-limit create TAG N" in site.text("concurrency-limits")


def test_set(site: Any) -> None:
    """A tag is limited, and its limit changed."""
    assert site.said("concurrency-limits", "set", tag="db load", limit="2") == "The limit of db load is 2."
    assert site.said("concurrency-limits", "set", tag="db load", limit="1200") == "The limit of db load is 1,200; it was 2."
    assert limits(site) == {"db load": 1200}
    assert "db load 0 of 1,200 nobody" in site.text("concurrency-limits")


@pytest.mark.parametrize(
    ("tag", "limit", "why"),
    [
        ("", "1", "a text of at least one character"),
        ("a\nb", "1", "without line ends"),
        ("db", "-1", "a whole number from 0 to 1,000,000"),
        ("db", "", "a whole number from 0 to 1,000,000"),
        ("db", "many", "a whole number from 0 to 1,000,000"),
        ("db", "1000001", "a whole number from 0 to 1,000,000"),
    ],
)
def test_what_is_wrong_is_told(site: Any, tag: str, limit: str, why: str) -> None:
    """And what was typed stands there still."""
    answer = site.post("concurrency-limits", "set", tag=tag, limit=limit)
    assert answer.status_code == 422
    assert why in words(answer.text)
    assert f'name="limit" value="{limit}"' in answer.text
    assert limits(site) == {}


def test_who_holds_slots(site: Any) -> None:
    """Task runs are named with their flow runs, and a limit that is used up is told."""
    site.house.client.set_limit("db", 2)
    site.house.client.set_limit("nothing", 0)
    task_run(site, "load-0", "db")
    assert "db 1 of 2 load-0 of flow of load-0 since" in site.text("concurrency-limits")
    task_run(site, "load-1", "db")
    said = site.text("concurrency-limits")
    assert "db 2 of 2 full" in said
    assert "load-1 of flow of load-1" in said
    assert "nothing 0 of 0 refuses all" in said
    run = site.runs[0]
    assert f'href="./flow-runs/{run.id}"' in site.page("concurrency-limits")


def test_delete(site: Any) -> None:
    """It is asked for once more."""
    site.house.client.set_limit("db", 2)
    asked = site.post("concurrency-limits", "ask", tag="db")
    assert "Delete the limit of db?" in asked.text
    assert limits(site) == {"db": 2}
    assert site.said("concurrency-limits", "delete", tag="db") == "The limit of db was deleted."
    assert limits(site) == {}
    assert site.post("concurrency-limits", "delete", tag="db").status_code == 404
