"""Agents: which are there, and how they are."""

from datetime import timedelta
from typing import Any

from headrace.model.agents import Agent


def agent(site: Any, name: str, **more: Any) -> Agent:
    """An agent that is there."""
    fields = {"host": "machine", "process": 7, "version": "0.1.0", "queues": (), "started": site.house.clock.now()} | more
    made = Agent(id=site.house.ids.new(), name=name, **fields)
    site.house.client.keep_agent(made)
    return made


def test_nobody_is_there(site: Any) -> None:
    """The empty list tells what to type."""
    assert "No agent is there" in site.text("agents")
    assert "headrace agent start QUEUE" in site.text("agents")


def test_the_list(site: Any) -> None:
    """All that an agent says of itself."""
    queue = site.queue("prod")
    began = site.house.clock.now() - timedelta(hours=3)
    agent(
        site,
        "anna",
        queues=(queue.id, "gone"),
        limit=4,
        underway=4,
        full_runners=("docker",),
        flow_runners=("docker", "subprocess"),
        storages=("local", "s3"),
        started=began,
    )
    said = site.text("agents")
    assert "1 is there now" in said
    assert "At work anna serves prod , gone process 7 on machine flow runners: docker, subprocess takes no more of docker now" in said
    assert "storages: local, s3 4 of 4 full 3h ago 0.1.0" in said
    assert f'href="./work-queues/{queue.id}"' in site.page("agents")


def test_who_leaves(site: Any) -> None:
    """Who takes no more runs is told so, and comes after those that do."""
    agent(site, "leaving", is_draining=True)
    agent(site, "anna", started=site.house.clock.now() - timedelta(hours=1))
    said = site.text("agents")
    assert "2 are there now" in said
    assert said.index("At work anna") < said.index("Draining leaving")


def test_who_was_there(site: Any) -> None:
    """Who has not said for a while that it is there is gone."""
    made = agent(site, "anna")
    with site.house.client.store.writing() as writing:
        writing.keep_agent(made, seconds=-1.0)
    said = site.text("agents")
    assert "0 are there now" in said
    assert "Gone anna" in said


def test_many(site: Any) -> None:
    """As many are shown as fit on a page, and how many more there are."""
    with site.house.client.store.writing() as writing:
        for number in range(203):
            made = Agent(
                id=site.house.ids.new(),
                name=f"a-{number}",
                host="h",
                process=1,
                version="0",
                queues=("q",),
                flow_runners=("docker", "subprocess"),
                started=site.house.clock.now(),
            )
            writing.keep_agent(made, seconds=60.0)
    html = site.page("agents")
    assert html.count("At work") == 200
    assert "and 3 more" in html
    assert len(html.encode()) < 150_000
