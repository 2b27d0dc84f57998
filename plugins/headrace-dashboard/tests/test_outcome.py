"""What came of a flow run: its result, or what was raised; and the code that it ran."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun
from headrace.model.states import State

FLOW = "from headrace import flow\n\n\n@flow\ndef etl():\n    return '<b>'\n"


def returned(site: Any, value: Any) -> FlowRun:
    """A run that returned a value, which was kept."""
    run: FlowRun = site.script_run("otter", State.running())
    kept = site.house.results.keep(value, root_id=run.id, run_id=run.id, what="otter")
    site.move(run.id, attrs.evolve(State.completed(), reference=kept))
    return run


def completed(site: Any, **reference: Any) -> FlowRun:
    """A run whose result is somewhere."""
    run: FlowRun = site.script_run("otter", State.running())
    kept = ResultReference(**{"serializer": "json", "size": 3, "sha256": "ab" * 32, "storage": site.house.places.own, **reference})
    site.move(run.id, attrs.evolve(State.completed(), reference=kept))
    return run


# Results


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "None", "null"),
        (True, "bool", "true"),
        (3, "int", "3"),
        ("<i>", "str, 3 characters", '"<i>"'),
        ({"rows": 3}, "dict, 1 item", '"rows": 3'),
        ([1, 2], "list, 2 items", "[ 1, 2 ]"),
    ],
)
def test_a_small_result(site: Any, value: Any, kind: str, text: str) -> None:
    """It is shown with its type and size, and where it is kept."""
    run = returned(site, value)
    said = site.text(f"flow-runs/{run.id}")
    assert f"Type {kind} Size" in said
    assert "as json Kept in the run store" in said
    assert text in said
    assert "<i>" not in site.page(f"flow-runs/{run.id}")


def test_a_larger_result(site: Any) -> None:
    """It is read from where it is kept when somebody asks, and its beginning is shown."""
    run = returned(site, ["row"] * 2_000)
    said = site.text(f"flow-runs/{run.id}")
    assert "Kept in local" in said
    assert "Show what it is" in said
    assert '"row"' not in said
    said = site.text(f"flow-runs/{run.id}", result="shown")
    assert "Type list, 2,000 items" in said
    assert 100 < said.count('"row"') < 1_000
    assert said.count("…") >= 2


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"serializer": "pickle", "key": "results/a/b"}, "Only a run reads what is written as pickle, since to read it runs code."),
        ({"size": 10_000_000, "key": "results/a/b"}, "Only what has at most 256 kB is shown."),
        ({"key": "results/a/b"}, "it is gone"),
        ({"key": "results/a/b", "storage": Choice("s3", {"bucket": "b", "secret": "secret://env/HOME"})}, "is believed in runs only"),
    ],
)
def test_a_result_that_is_not_shown(site: Any, reference: dict[str, Any], why: str) -> None:
    """What is large, gone, or would run code is not loaded, and that is told."""
    run = completed(site, **reference)
    assert why in site.text(f"flow-runs/{run.id}", result="shown")
    assert site.text(f"flow-runs/{run.id}").count("SHA-256") == 1


def test_a_result_that_was_not_kept(site: Any) -> None:
    """That is told; of a run that goes on, nothing is."""
    run = site.script_run("otter", State.running())
    assert ' id="result" data-fresh hidden' in site.page(f"flow-runs/{run.id}")
    site.move(run.id, State.completed())
    assert "What it returned was not kept." in site.text(f"flow-runs/{run.id}")


def test_an_exception(site: Any) -> None:
    """Of a run that failed, what was raised is told from the end of its log, and not what a task raised."""
    run = site.script_run("otter", State.running())
    trace = 'Encountered an exception\nTraceback (most recent call last):\n  File "flows.py", line 3\nValueError: no <room>'
    site.journal(run, trace, level=40)
    assert "What was raised" not in site.page(f"flow-runs/{run.id}").partition("<h2>Timeline")[0]
    site.move(run.id, State.failed(message="ValueError: no <room>"))
    said = site.text(f"flow-runs/{run.id}")
    assert (
        'What was raised Encountered an exception Traceback (most recent call last): File "flows.py", line 3 ValueError: no <room>' in said
    )
    other = site.script_run("badger", State.running(), State.failed(message="a task failed"))
    assert ' id="result" data-fresh hidden' in site.page(f"flow-runs/{other.id}")


# Code


def test_the_code_of_a_deployment(site: Any, tmp_path: Path) -> None:
    """The file of its entrypoint is shown with the line in which the flow begins, and so is that of an earlier version."""
    first = site.deployment()
    site.house.client.put_deployments((attrs.evolve(first, code=site.packed(tmp_path / "code", FLOW)),))
    site.house.client.put_deployments((attrs.evolve(first, code=site.packed(tmp_path / "code", "# new\n" + FLOW)),))
    html, said = site.page("deployments/etl-daily/code"), site.text("deployments/etl-daily/code")
    assert '<span class="line named" id="L6">def etl():</span>' in html
    assert "return &#39;&lt;b&gt;&#39;" in html
    assert "Version of the deployment 3, now" in said
    assert "To line 6, where the flow begins" in said
    earlier = site.page("deployments/etl-daily/code", version=2)
    assert "# new" not in earlier
    assert 'id="L5">def etl():' in earlier
    assert "Its code is not kept: flows:etl is installed where its runs are." in site.text("deployments/etl-daily/code", version=1)
    for version in ("4", "0", "x", "²"):
        assert site.http.get("deployments/etl-daily/code", params={"version": version}).status_code == 404


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (Code(entrypoint="flow.pickle", serializer="pickle", archive=Archive(sha256="ab" * 32, files=1, size=9)), "only a run reads"),
        (Code(entrypoint="flows:etl", archive=Archive(sha256="ab" * 32, files=1, size=9)), "it is not in its storage"),
        (
            Code(entrypoint="flows:etl", archive=Archive(sha256="ab" * 32, files=1, size=9, storage=Choice("s3", {"bucket": "b"}))),
            "give that storage a name",
        ),
    ],
)
def test_code_that_is_not_shown(site: Any, code: Code, why: str) -> None:
    """What cannot be read from the server is told in a sentence."""
    site.house.client.put_deployments((attrs.evolve(site.deployment(), code=code),))
    assert why in site.text("deployments/etl-daily/code")


def test_the_code_of_a_run(site: Any) -> None:
    """It leads to the version that its process began with, whatever was deployed since; one that waits, to the newest."""
    made = site.deployment()
    site.queue()
    run = site.run("otter")
    assert "Code, as it is now flows:etl , version 1 of the deployment" in site.text(f"flow-runs/{run.id}")
    site.claim()
    site.move(run.id, State.running())
    site.house.client.put_deployments((attrs.evolve(made, description="new", updated=site.house.clock.now()),))
    site.move(run.id, State.completed())
    assert "Code flows:etl , version 1 of the deployment" in site.text(f"flow-runs/{run.id}")
    assert 'href="../deployments/etl-daily/code?version=1"' in site.page(f"flow-runs/{run.id}")
    assert "Code, as it is now" in site.text(f"flow-runs/{site.run('badger').id}")
    assert "version 2 of the deployment" in site.text(f"flow-runs/{site.run('beaver').id}")
