"""The page of one flow run."""

from typing import Any

import pytest

from headrace.model.states import State, StateType


def test_what_there_is(site: Any) -> None:
    """State, times, parameters, history, what it said and did are there; what others wrote is text."""
    run = site.script_run("otter", State.running(), parameters={"rows": 3, "note": "<b>"})
    first = site.task(run, "extract")
    second = site.task(run, "load", takes=(first.id,), state=State.failed(message="no <room>"))
    site.journal(run, "line <one>", "line two", tasks=(first, second))
    html, said = site.page(f"flow-runs/{run.id}"), site.text(f"flow-runs/{run.id}")
    for words in ("otter", '"rows": 3', '"note": "<b>"', "line <one>", "line two", "extract", "load", "no <room>", "Running", "Pending"):
        assert words in said
    assert "<b>" not in html
    assert html.count('class="edge"') == 1
    assert html.count('class="node"') == 2


def test_a_run_that_is_not_there(site: Any) -> None:
    """That is said, with a command."""
    answer = site.http.get("flow-runs/nothing")
    assert answer.status_code == 404
    assert "no flow run &#39;nothing&#39;" in answer.text
    assert "headrace flow-run ls" in answer.text


def test_lines(site: Any) -> None:
    """The last 200 lines are shown, by level and text if that is asked for; all of them are in a file."""
    run = site.script_run("otter", State.running())
    site.journal(run, *(f"line {number}" for number in range(250)))
    site.journal(run, "rather bad", level=40)
    said = site.text(f"flow-runs/{run.id}")
    assert "The last 200 lines" in said
    assert "line 249" in said
    assert "line 50 " not in said
    assert "line 249" not in site.text(f"flow-runs/{run.id}", level=40)
    assert "rather bad" in site.text(f"flow-runs/{run.id}", level=40)
    assert "line 7 " in site.text(f"flow-runs/{run.id}", text="line 7") + " "
    assert "rather bad" in site.text(f"flow-runs/{run.id}", level="²")
    assert "No line fits." in site.text(f"flow-runs/{run.id}", text="nothing of that")
    file = site.http.get(f"flow-runs/{run.id}/log.txt")
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''otter.log.txt"
    assert [line.rpartition(": ")[2] for line in file.text.splitlines()] == [*(f"line {number}" for number in range(250)), "rather bad"]


def test_a_piece_alone(site: Any) -> None:
    """What is to be put in the place of an old piece is that piece, and nothing else."""
    run = site.script_run("otter", State.running())
    piece = site.http.get(f"flow-runs/{run.id}", headers={"HX-Target": "states"}).text
    assert piece.startswith('<ol class="states-list" id="states"')
    assert "<html" not in piece


def test_why_it_waits(site: Any) -> None:
    """What is in its way is told, with what would help."""
    site.deployment()
    run = site.run("waits")
    said = site.text(f"flow-runs/{run.id}")
    assert "Why is it not running?" in said
    assert "headrace work-queue create" in said


@pytest.mark.parametrize(
    ("do", "states", "said", "then"),
    [
        ("cancel", [State.running()], "otter is being cancelled.", StateType.CANCELLING),
        ("retry", [State.running(), State.failed(message="bad")], "otter is tried again.", StateType.SCHEDULED),
    ],
)
def test_what_is_done(site: Any, do: str, states: list[State], said: str, then: StateType) -> None:
    """What is done on the page is done to the run, and said."""
    site.deployment()
    if do == "retry":
        run = site.run("otter")
        site.queue()
        site.claim()
        for state in states:
            site.move(run.id, state)
    else:
        run = site.script_run("otter", *states)
    assert site.said(f"flow-runs/{run.id}", do) == said
    assert site.house.client.read_flow_run(run.id).state.type is then


def test_deleting(site: Any) -> None:
    """The run is gone, and the list is shown."""
    run = site.script_run("otter", State.running(), State.completed())
    assert site.said(f"flow-runs/{run.id}", "delete") == "otter was deleted."
    assert site.runs == []


def test_what_cannot_be_done(site: Any) -> None:
    """Is told on the page, which stays."""
    run = site.script_run("otter", State.running())
    answer = site.post(f"flow-runs/{run.id}", "retry")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert "otter" in answer.text


def test_a_log_of_a_run_with_any_name(site: Any) -> None:
    """It is a file whose name says whose it is, in whatever letters."""
    run = site.script_run("日本 run", State.running())
    site.journal(run, "a line")
    file = site.http.get(f"flow-runs/{run.id}/log.txt")
    assert (file.status_code, "a line" in file.text) == (200, True)
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20run.log.txt"


def test_more_tasks_than_are_shown(site: Any) -> None:
    """Of very many the first are shown, and those of the others that failed; that there are more is told."""
    run = site.script_run("otter", State.running())
    tasks = [site.task(run, f"task{number:03}") for number in range(260)]
    failed = site.task(run, "broken", state=State.failed(message="no room"))
    site.journal(run, tasks=(*tasks, failed))
    page = site.text(f"flow-runs/{run.id}")
    assert "There are more than are shown here" in page
    assert "task199" in page
    assert "task200" not in page
    assert "broken" in page


@pytest.mark.parametrize("query", [{"level": "4" * 5000}, {"level": "x"}, {"text": "x" * 5000}])
def test_what_is_asked_of_a_log_without_sense(site: Any, query: dict[str, str]) -> None:
    """Is passed over, or finds nothing."""
    run = site.script_run("otter", State.running())
    assert site.http.get(f"flow-runs/{run.id}", params=query).status_code == 200
