"""Work queues: the list, making and changing one, and what would match before it is kept."""

from datetime import timedelta
from html import unescape
from re import findall, search, sub
from typing import Any

import attrs
import pytest

from headrace.model.agents import Agent
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.queues import ClaimRequest, WorkQueue


def queues(site: Any) -> dict[str, WorkQueue]:
    """All work queues, by name."""
    return {each.name: each for each in site.house.client.read_work_queues(WorkQueueFilter(), Page())}


def words(html: str) -> str:
    """What a page, or a piece of it, says."""
    return " ".join(unescape(sub(r"<[^>]+>", " ", html)).split())


def agent(site: Any, *names: str, **more: Any) -> Agent:
    """An agent that is there."""
    now = site.house.clock.now()
    ids = tuple(each.id for each in queues(site).values() if each.name in names)
    made = Agent(id=site.house.ids.new(), name="anna", host="h", process=7, version="0.1.0", queues=ids, started=now, **more)
    site.house.client.keep_agent(made)
    return made


def preview(site: Any, path: str = "work-queues/new", **typed: Any) -> str:
    """What would match, as a page asks for it while somebody types."""
    answer = site.http.post(
        path,
        content="&".join(f"{name}={value}" for name, value in {"do": "preview", **typed}.items()),
        headers={"Content-Type": "application/x-www-form-urlencoded", "HX-Target": "div#preview"},
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text, "a piece of a page"
    return words(answer.text)


# The list


def test_there_is_none(site: Any) -> None:
    """The empty list tells what to type."""
    assert "headrace work-queue create default" in site.text("work-queues")


def test_the_list(site: Any) -> None:
    """It says what each queue wants, and how it is."""
    made = site.deployment(tags=("prod",))
    site.queue("all")
    site.queue("prod", criteria={"tags": ["prod"]}, is_paused=True, concurrency_limit=1, description="for the shop")
    site.queue("daily", criteria={"deployments": [made.id]})
    for number in range(3):
        site.run(f"run-{number}")
    agent(site, "prod")
    said = site.text("work-queues")
    assert "prod Paused wants tags: prod; for the shop 0 of 1 3" in said
    assert "daily Active wants deployments: etl/daily" in said
    assert "all Active wants every run of every deployment" in said
    assert "anna" in said


def test_lag(site: Any) -> None:
    """How late the first one is, and which of them are late; one that is due now is on time."""
    site.deployment()
    queue = site.queue()
    late, _ = site.run("slow"), site.run("quick")
    assert "on time" in site.text("work-queues")
    earlier = attrs.evolve(late.state, scheduled_time=site.house.clock.now() - timedelta(hours=2))
    with site.house.client.store.writing() as writing:
        writing.update_flow_run(attrs.evolve(late, state=earlier, revision=late.revision + 1), was=late.revision)
    assert "0 2 2h 0m" in site.text("work-queues")
    said = site.text(f"work-queues/{queue.id}")
    assert "Lag of the first one 2h 0m" in said
    assert "Late slow etl / daily 2h ago Scheduled quick" in said


def test_pages(site: Any) -> None:
    """Twenty-five are shown, and the next ones beyond them."""
    for number in range(27):
        site.queue(f"q-{number:02}")
    first = site.page("work-queues")
    assert first.count("Active") == 25
    after = search(r'href="(work-queues\?after=[^"]+)"', first)
    assert after is not None
    assert site.page(after[1]).count("Active") == 2


def test_pause_in_the_list(site: Any) -> None:
    """A queue is paused and goes on again where all are seen."""
    queue = site.queue()
    assert site.said("work-queues", "pause", queue=queue.id) == "prod is paused."
    assert queues(site)["prod"].is_paused
    assert site.said("work-queues", "resume", queue=queue.id) == "prod goes on."
    assert not queues(site)["prod"].is_paused


# Making one


def test_create(site: Any) -> None:
    """All that is typed is kept, each criterion as its matcher keeps it."""
    made = site.deployment()
    said = site.said(
        "work-queues/new",
        "save",
        name="new one",
        description="d",
        limit="3",
        is_paused="yes",
        tags="prod\r\n eu \r\n",
        deployment=[made.id],
        flow_runner=["universal"],
        other_flow_runners="far",
        **{"match.flows": '["etl"]'},
    )
    assert said == "new one was created."
    kept = queues(site)["new one"]
    assert (kept.description, kept.concurrency_limit, kept.is_paused) == ("d", 3, True)
    assert kept.criteria == {"tags": ["eu", "prod"], "deployments": [made.id], "flow_runners": ["far", "universal"], "flows": ["etl"]}


def test_create_leads_to_it(site: Any) -> None:
    """The page of the queue follows."""
    answer = site.post("work-queues/new", "save", name="q")
    assert answer.headers["location"] == f"../work-queues/{queues(site)['q'].id}"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"name": "a/b"}, "cannot be used: it must be one line"),
        ({"name": "q", "limit": "-1"}, "it is a whole number from 0 to 1,000,000"),
        ({"name": "q", "limit": "²"}, "it is a whole number from 0 to 1,000,000"),
        ({"name": "q", "match.flows": "etl"}, "is no JSON"),
        ({"name": "q", "match.flows": "3"}, "one text is needed, or a list"),
        ({"name": "q", "match.owners": '["me"]'}, "no queue matcher named 'owners'"),
        ({"name": "q", "other_deployments": "a/b"}, "no deployment 'a/b'"),
        ({"name": "taken"}, "there is a work queue 'taken' already"),
    ],
)
def test_what_is_wrong_is_told(site: Any, typed: dict[str, str], why: str) -> None:
    """And all that was typed stands in the form still."""
    site.queue("taken")
    answer = site.post("work-queues/new", "save", description="my <words>", tags="one\ntwo", **typed)
    assert 400 <= answer.status_code < 500
    assert why in words(answer.text)
    assert 'value="my &lt;words&gt;"' in answer.text
    assert ">one\ntwo</textarea>" in answer.text
    for name, value in typed.items():
        assert f'name="{name}"' in answer.text
        assert value.replace('"', "&#34;") in answer.text
    assert list(queues(site)) == ["taken"]


# What would match


def test_no_criteria_warns(site: Any) -> None:
    """All runs match where nothing is asked."""
    site.deployment()
    assert "Without criteria it wants every run of every deployment" in preview(site)
    assert "Without criteria" not in preview(site, tags="x")
    assert "Without criteria" in site.text("work-queues/new")


def test_preview(site: Any) -> None:
    """Deployments and runs that wait are judged as matching does, with the reason of what does not fit."""
    site.deployment(tags=("prod",))
    site.deployment("idle")
    site.run("fits")
    site.run("also", tags=("eu",))
    site.run("other", of="etl-idle")
    site.script_run("of no deployment")
    said = preview(site, tags="prod")
    assert "1 deployment would match etl/daily 1 would not etl/idle: it lacks the tag 'prod' (it has none)" in said
    assert "2 runs wait that would match, 0 are under way" in said
    assert "fits" in said
    assert "also" in said
    assert "other" not in said
    assert "1 run waits that would match" in preview(site, tags="prod%0Aeu")
    assert "1 run waits that would match" in preview(site, deployment="etl-idle")
    assert "0 deployments would match" in preview(site, flow_runner="docker")
    assert "of no deployment" not in preview(site)


def test_preview_agrees_with_the_queue(site: Any) -> None:
    """What would match does, once the queue is kept."""
    site.deployment(tags=("prod",))
    site.deployment("idle")
    for number in range(3):
        site.run(f"run-{number}")
    site.run("other", of="etl-idle")
    assert "3 runs wait that would match" in preview(site, tags="prod")
    site.said("work-queues/new", "save", name="q", tags="prod")
    now = site.house.clock.now()
    assert [run.name for run in site.house.client.read_due(queues(site)["q"].id, now, 10)] == ["run-0", "run-1", "run-2"]


def test_what_is_paused_waits_in_no_queue(site: Any) -> None:
    """A run of a paused deployment is not among those that would match, as it is in no queue."""
    made = site.deployment()
    site.run("waits")
    site.house.client.pause_deployment(made.id)
    assert "0 runs wait that would match" in preview(site)


def test_many_runs_and_deployments(site: Any) -> None:
    """So many are looked at as are looked at soon, and the page says so."""
    made = [site.deployment(f"d-{number}", tags=("prod",)) for number in range(201)]
    run = site.run("first", of=made[0].id)
    with site.house.client.store.writing() as writing:
        ids = [site.house.ids.new() for _ in range(1100)]
        writing.add_flow_runs([attrs.evolve(run, id=each, root_id=each) for each in ids])
    said = preview(site, tags="prod")
    assert "200+ deployments would match" in said
    assert "and 190 more" in said
    assert "1,000+ runs wait that would match" in said
    assert "The 1,000 oldest runs that have not ended were looked at." in said
    assert len(site.page("work-queues/new").encode()) < 150_000


def test_preview_tells_what_is_wrong(site: Any) -> None:
    """What is half typed is told, and keeps nobody from going on."""
    assert "is no JSON" in preview(site, **{"match.flows": "["})
    assert queues(site) == {}


def test_preview_without_scripts(site: Any) -> None:
    """The button shows the whole page again, with all that was typed."""
    site.deployment(tags=("prod",))
    answer = site.post("work-queues/new", "preview", name="q", tags="prod")
    assert answer.status_code == 200
    assert 'value="q"' in answer.text
    assert "1 deployment would match" in answer.text
    assert queues(site) == {}


# One queue


def test_the_page_of_one(site: Any) -> None:
    """It shows what is due, what is under way, and who serves it."""
    made = site.deployment(tags=("prod",))
    queue = site.queue(criteria={"tags": ["prod"], "deployments": [made.id]}, concurrency_limit=5)
    taken = site.run("taken")
    there = agent(site, "prod", limit=4, underway=1)
    site.house.client.claim_runs(ClaimRequest(id=site.house.ids.new(), agent_id=there.id, queue_ids=(queue.id,), limit=1))
    site.run("waits")
    said = site.text(f"work-queues/{queue.id}")
    assert "Wants tags prod" in said
    assert "Wants deployments etl/daily" in said
    assert "Under way 1 of 5" in said
    due, under_way = said.split("Under way State Run")
    assert "Scheduled waits" in due.partition("Due 1h")[2]
    assert f"Pending {taken.name}" in under_way
    assert "anna on h 1 of 4" in said
    assert "headrace agent start prod" in said


def test_a_strange_name_is_quoted(site: Any) -> None:
    """The command can be copied as it is."""
    site.queue("it's mine")
    assert """headrace agent start 'it'"'"'s mine'""" in site.text("work-queues/queue-it's mine")


def test_it_is_found_by_its_name(site: Any) -> None:
    """Since runs remember the name of their queue."""
    site.queue("prod")
    assert "<h1>prod" in site.page("work-queues/prod")


def test_nobody_knows_it(site: Any) -> None:
    """A queue that is not there is told so."""
    answer = site.http.get("work-queues/nothing")
    assert answer.status_code == 404
    assert "no work queue" in answer.text


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"is_paused": True}, "It is paused: nothing of it starts."),
        ({"concurrency_limit": 0}, "Nothing of it starts while its limit is 0."),
        ({}, "It has no criteria"),
    ],
)
def test_why_nothing_starts(site: Any, fields: dict[str, Any], why: str) -> None:
    """What keeps all of its runs waiting is said."""
    assert why in site.text(f"work-queues/{site.queue(**fields).id}")


def test_change(site: Any) -> None:
    """What is typed takes the place of what was; the id stays."""
    queue = site.queue(criteria={"tags": ["prod"], "flows": ["etl"]}, concurrency_limit=2, description="old")
    html = site.page(f"work-queues/{queue.id}")
    assert ">prod</textarea>" in html
    assert "[&#34;etl&#34;]</textarea>" in html
    typed = {"name": "other", "description": "", "limit": "", "tags": "eu", "revision": queue.revision}
    assert site.said(f"work-queues/{queue.id}", "save", **typed) == "other was changed."
    kept = queues(site)["other"]
    assert (kept.id, kept.criteria, kept.concurrency_limit, kept.description) == (queue.id, {"tags": ["eu"]}, None, "")


def test_somebody_else_was_first(site: Any) -> None:
    """A change of what is not any more is refused, and theirs stays."""
    queue = site.queue()
    site.house.client.put_work_queue(attrs.evolve(queue, description="theirs"))
    answer = site.post(f"work-queues/{queue.id}", "save", name="prod", description="mine", revision=queue.revision)
    assert answer.status_code == 409
    assert "changed by somebody else meanwhile" in answer.text
    assert 'value="mine"' in answer.text
    assert queues(site)["prod"].description == "theirs"


def test_a_missing_matcher_stays(site: Any) -> None:
    """A criterion that cannot be judged here is told, and stays as it is where something else is changed."""
    queue = site.queue(criteria={"flows": ["etl"]})
    with site.house.client.store.writing() as writing:
        writing.put_work_queue(attrs.evolve(queue, criteria={"owners": {"a": 1}}))
    html = site.page(f"work-queues/{queue.id}")
    assert "no queue matcher named &#39;owners&#39;" in html
    typed = {"name": "prod", "description": "new", "match.owners": '{"a": 1}', "revision": queue.revision}
    assert site.said(f"work-queues/{queue.id}", "save", **typed) == "prod was changed."
    assert queues(site)["prod"].criteria == {"owners": {"a": 1}}


def test_pause_and_resume(site: Any) -> None:
    """A button each."""
    queue = site.queue()
    assert site.said(f"work-queues/{queue.id}", "pause") == "prod is paused."
    assert queues(site)["prod"].is_paused
    assert site.said(f"work-queues/{queue.id}", "resume") == "prod goes on."
    assert not queues(site)["prod"].is_paused


def test_delete(site: Any) -> None:
    """It is asked for once more, and tells what it would mean; then the queue is gone, and its runs are not."""
    site.deployment()
    queue = site.queue()
    site.run("waits")
    agent(site, "prod")
    asked = site.post(f"work-queues/{queue.id}", "ask")
    assert "Delete prod?" in asked.text
    assert "1 wait in it" in asked.text
    assert "anna" in asked.text
    assert list(queues(site)) == ["prod"]
    assert site.said(f"work-queues/{queue.id}", "delete") == "prod was deleted; its runs are still there."
    assert queues(site) == {}
    assert [run.name for run in site.runs] == ["waits"]


def test_pieces(site: Any) -> None:
    """What may change while one looks is asked for piece by piece."""
    queue = site.queue()
    html = site.page(f"work-queues/{queue.id}")
    pieces = findall(r'id="([a-z-]+)" data-fresh', html)
    assert pieces == ["summary", "due", "under-way", "agents"]
    for piece in pieces:
        answer = site.http.get(f"work-queues/{queue.id}", headers={"HX-Target": f"div#{piece}"})
        assert answer.text.strip().startswith(f'<div id="{piece}"')


# In a browser


def test_preview_while_typing(site: Any, browser: Any) -> None:
    """What would match is shown as soon as something is typed or ticked, and nothing is lost by it."""
    site.deployment(tags=("prod",))
    site.deployment("idle")
    browser.goto("work-queues/new")
    browser.get_by_text("2 deployments would match").wait_for()
    browser.get_by_label("Name", exact=True).fill("mine")
    browser.get_by_label("Tags").press_sequentially("prod")
    browser.get_by_text("1 deployment would match").wait_for()
    browser.get_by_label("etl/idle").check()
    browser.get_by_text("0 deployments would match").wait_for()
    browser.get_by_label("etl/idle").uncheck()
    browser.get_by_label("flows").fill("[")
    browser.get_by_text("is no JSON").wait_for()
    browser.get_by_label("flows").fill("")
    browser.get_by_text("1 deployment would match").wait_for()
    browser.get_by_role("button", name="Create").click()
    browser.get_by_text("mine was created.").wait_for()
    assert queues(site)["mine"].criteria == {"tags": ["prod"]}


def test_a_queue_is_live(site: Any, browser: Any) -> None:
    """What is due is there as soon as it is."""
    site.deployment()
    queue = site.queue()
    browser.goto(f"work-queues/{queue.id}")
    browser.wait_for_load_state("networkidle")
    site.run("comes")
    browser.get_by_role("link", name="comes").wait_for()
    site.house.client.put_work_queue(attrs.evolve(queue, is_paused=True))
    browser.get_by_text("It is paused: nothing of it starts.").wait_for()
