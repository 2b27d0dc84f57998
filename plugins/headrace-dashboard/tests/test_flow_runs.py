"""The list of flow runs."""

from html import unescape
from re import findall
from typing import Any

import pytest

from headrace.model.states import State, StateType


def names(html: str) -> list[str]:
    """The runs that a page lists."""
    return findall(r'<td class="grow"><a href="[^"]*">([^<]*)</a>', html)


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
        ({"state": "NONSENSE", "since": "nonsense", "from": "nonsense"}, ["waits", "bad", "good"]),
    ],
)
def test_filters(site: Any, some: None, query: dict[str, Any], found: list[str]) -> None:
    """The address says which runs are shown; what it says that is nothing is passed over."""
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
    assert site.said("flow-runs", "change", change="cancel") == "1 run was cancelled."
    assert {found.name: found.state.type for found in site.runs}["waits"] is StateType.CANCELLED


def test_those_that_are_ticked(site: Any, some: None) -> None:
    """What is ticked is changed, and nothing else."""
    ticked = [found.id for found in site.runs if found.name == "bad"]
    assert site.said("flow-runs", "change", change="delete", run=ticked) == "1 run was deleted."
    assert [found.name for found in site.runs] == ["waits", "good"]


def test_what_fits_the_filter(site: Any, some: None) -> None:
    """Where none is ticked, all that the address asks for are changed."""
    assert site.said("flow-runs?flow=other", "change", change="delete") == "1 run was deleted."
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
