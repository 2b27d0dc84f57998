"""The list of flow runs."""

from html import unescape
from re import findall
from typing import Any

import pytest

from headrace.model.states import State, StateType


def names(html: str) -> list[str]:
    """The runs that a page lists."""
    return findall(r'<td class="grow"><a href="[^"]*">([^<]*)</a>', html)


def mark(html: str) -> str:
    """By what the runs are known that a page asks about."""
    (found,) = findall(r'name="mark" value="([0-9a-f]+)"', html)
    return str(found)


def confirmed(site: Any, path: str, **fields: Any) -> str:
    """What is said when something was asked for, and yes said to what the page then asked."""
    asked = site.post(path, "preview", **fields)
    assert asked.status_code == 200
    return str(site.said(path, "change", mark=mark(asked.text), **fields))


@pytest.fixture
def some(site: Any) -> None:
    """Runs in several states."""
    site.script_run("good", State.running(), State.completed())
    site.script_run("bad", State.running(), State.failed(message="no rows <in> it"), flow="other")
    site.deployment(tags=("eu", "prod"))
    site.queue("all")
    site.run("waits")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["waits", "bad", "good"]),
        ({"state": ["FAILED", "COMPLETED"]}, ["bad", "good"]),
        ({"flow": "other"}, ["bad"]),
        ({"deployment": "etl/daily"}, ["waits"]),
        ({"deployment": "etl/nothing"}, []),
        ({"tag": "eu"}, ["waits"]),
        ({"name": "good"}, ["good"]),
        ({"name": "OO"}, ["good"]),
        ({"queue": "all"}, ["waits"]),
        ({"queue": "nothing"}, []),
        ({"due-from": "2020-01-01T00:00:00+00:00"}, ["waits"]),
        ({"due-before": "2020-01-01T00:00:00+00:00"}, []),
        ({"since": "1h"}, ["waits", "bad", "good"]),
        ({"before": "2020-01-01T00:00:00+00:00"}, []),
        ({"from": "2020-01-01T00:00"}, ["waits", "bad", "good"]),
    ],
)
def test_filters(site: Any, some: None, query: dict[str, Any], found: list[str]) -> None:
    """The address says which runs are shown."""
    assert names(site.page("flow-runs", **query)) == found


def test_nothing_fits(site: Any) -> None:
    """An empty list tells what to do."""
    assert "headrace deployment run FLOW/NAME makes one" in site.text("flow-runs")
    assert "No run fits." in site.text("flow-runs", flow="nothing")


def test_what_others_wrote_is_text(site: Any, some: None) -> None:
    """A message of a run is shown as it is, and is no part of the page."""
    assert "no rows <in> it" in site.text("flow-runs")


def test_pages(site: Any) -> None:
    """Fifty are shown, and the next ones beyond them."""
    for number in range(53):
        site.script_run(f"run-{number}")
    first = site.page("flow-runs")
    assert names(first) == [f"run-{number}" for number in range(52, 2, -1)]
    (after,) = findall(r'class="button" href="(flow-runs\?after=[^"]*)"', first)
    assert names(site.page(after)) == ["run-2", "run-1", "run-0"]


def test_many_are_changed(site: Any, some: None) -> None:
    """First is told how many there are; then it is done, and said."""
    asked = site.http.post("flow-runs", data={"do": "preview", "change": "cancel"})
    assert asked.status_code == 200
    assert "Cancel 1 run?" in asked.text
    assert site.said("flow-runs", "change", change="cancel", mark=mark(asked.text)) == "1 run was cancelled."
    assert {found.name: found.state.type for found in site.runs}["waits"] is StateType.CANCELLED


def test_those_that_are_ticked(site: Any, some: None) -> None:
    """What is ticked is changed, and nothing else."""
    ticked = [found.id for found in site.runs if found.name == "bad"]
    assert confirmed(site, "flow-runs", change="delete", run=ticked) == "1 run was deleted."
    assert [found.name for found in site.runs] == ["waits", "good"]


def test_what_fits_the_filter(site: Any, some: None) -> None:
    """Where none is ticked, all that the address asks for are changed."""
    assert confirmed(site, "flow-runs?flow=other", change="delete") == "1 run was deleted."
    assert [found.name for found in site.runs] == ["waits", "good"]


def test_what_is_no_form(site: Any) -> None:
    """Is refused."""
    assert site.http.post("flow-runs", json={}).status_code == 415
    assert site.http.post("flow-runs", data={"do": "nothing"}).status_code == 400


def test_saved_views(site: Any, some: None) -> None:
    """What is asked for is kept under a name, for all who look, until it is deleted."""
    assert site.said("flow-runs?state=FAILED&flow=other", "save", view="broken ones") == "The view 'broken ones' is saved."
    (link,) = findall(r'<a class="button" href="(flow-runs[^"]*)">broken ones</a>', site.page("flow-runs"))
    assert names(site.page(unescape(link))) == ["bad"]
    refused = site.post("flow-runs?flow=other", "save", view="<broken>")
    assert refused.status_code == 422
    assert 'value="&lt;broken&gt;"' in refused.text
    assert site.said(unescape(link), "forget", view="broken ones") == "The view 'broken ones' is deleted."
    assert "broken" not in site.page("flow-runs")


@pytest.mark.parametrize(
    "query",
    [
        {"state": "NONSENSE"},
        {"since": "2h"},
        {"from": "nonsense"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"before": "9999-12-31T23:59:59-14:00"},
        {"due-from": "x" * 5000},
    ],
)
def test_what_cannot_be_read_is_told(site: Any, some: None, query: dict[str, str]) -> None:
    """Whoever asks for some runs is never taken to ask for all: nothing is shown, and nothing changed."""
    answer = site.http.get("flow-runs", params=query)
    assert answer.status_code == 422
    assert "cannot be used" in answer.text
    refused = site.http.post("flow-runs", params=query, data={"do": "preview", "change": "delete"})
    assert refused.status_code == 422
    assert 'name="mark"' not in refused.text
    assert site.http.get("", params=query).status_code in {200, 422}


def test_runs_of_a_deployment_that_is_gone(site: Any, some: None) -> None:
    """Are none, and not all."""
    asked = site.post("flow-runs?deployment=etl/gone", "preview", change="delete")
    assert "Delete 0 runs?" in asked.text
    site.post("flow-runs?deployment=etl/gone", "change", change="delete", mark=mark(asked.text))
    assert len(site.runs) == 3


def test_other_runs_than_yes_was_said_to(site: Any, some: None) -> None:
    """Where others fit meanwhile, nothing is done, and it is asked again."""
    asked = site.post("flow-runs?flow=other", "preview", change="delete")
    site.script_run("worse", State.running(), State.failed(), flow="other")
    again = site.post("flow-runs?flow=other", "change", change="delete", mark=mark(asked.text))
    assert again.status_code == 200
    assert "Nothing was done" in again.text
    assert "Delete 2 runs?" in again.text
    assert len(site.runs) == 4
    assert site.said("flow-runs?flow=other", "change", change="delete", mark=mark(again.text)) == "2 runs were deleted."


def test_some_cannot_be_changed(site: Any) -> None:
    """Each that was changed is counted, whatever the one before it came to."""
    site.deployment()
    site.deployment("other")
    site.queue("all")
    for name in ("first", "second"):
        site.run(name)
    site.run("third", of="etl-other")
    for run in site.claim():
        site.move(run.id, State.running())
        site.move(run.id, State.failed())
    site.house.client.delete_deployment("etl-other")
    said = confirmed(site, "flow-runs", change="retry")
    assert said.startswith("2 runs were tried again. 1 were not: ")
