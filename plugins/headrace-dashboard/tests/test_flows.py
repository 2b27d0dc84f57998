"""The list of flows."""

from re import findall
from typing import Any

from headrace.model.states import State


def names(html: str) -> list[str]:
    """The flows that a page lists."""
    return findall(r'<td class="grow"><a href="[^"]*">([^<]*)</a>', html)


def test_nothing_yet(site: Any) -> None:
    """It tells how one begins."""
    assert "python my_flow.py" in site.text("flows")


def test_what_is_known_of_each(site: Any) -> None:
    """Its deployments with links, its runs of the window by state, and the newest that does not wait for its time."""
    site.deployment("daily")
    site.deployment("weekly")
    site.deployment("only", flow="report")
    site.script_run("good", State.running(), State.completed())
    site.script_run("bad", State.running(), State.failed(), flow="scripts")
    site.run("waits")
    html, said = site.page("flows"), site.text("flows")
    assert names(html) == ["etl", "report", "scripts"]
    assert "etl weekly , daily 1 scheduled 1 completed Completed good" in said
    assert "report only none –" in said
    assert "scripts not deployed 1 failed Failed bad" in said
    assert 'href="./deployments/etl-weekly"' in html
    assert "flow-runs?flow=etl&amp;state=COMPLETED&amp;from=" in html


def test_a_part_of_a_name(site: Any) -> None:
    """It is enough to find a flow, whatever the case of its letters."""
    for name in ("nightly-report", "Report", "etl"):
        site.script_run("run", flow=name)
    assert names(site.page("flows", name="REPO")) == ["Report", "nightly-report"]
    assert "No flow has that in its name." in site.text("flows", name="nothing")


def test_pages(site: Any) -> None:
    """25 are shown, and the next ones beyond them; what else is asked for stays."""
    for number in range(27):
        site.script_run("run", flow=f"flow-{number:02}")
    (link,) = findall(r'<a class="button" href="([^"]*)">More flows', site.page("flows", window="7d"))
    assert "window=7d" in link
    assert names(site.page(link.replace("&amp;", "&"))) == ["flow-25", "flow-26"]


def test_many_deployments(site: Any) -> None:
    """Some are named, and the rest is a click away."""
    for number in range(7):
        site.deployment(f"d{number}")
    assert site.page("flows").count('href="./deployments/etl-d') == 5
    assert 'href="./deployments?flow=etl">all deployments' in site.page("flows")
