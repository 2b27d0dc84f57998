"""`headrace work-queue` on queues, deployments and runs in SQLite, each command in a process of its own."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import attrs
import pytest

from headrace.cli.invocation import Invocation
from headrace.cli.work_queue import changed_queue
from headrace.instance import Instance
from headrace.model.queues import WorkQueue

Headrace = Callable[..., CompletedProcess[str]]
Row = dict[str, Any]

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))

DEPLOYMENTS = """
import json
from datetime import timedelta

import headrace
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.queues import ClaimRequest
from headrace.testing.clock import FixedClock

with headrace.open() as house:
    now = house.clock.now()

    def deployment(flow, name, **more):
        code = Code(entrypoint="flows:hello")
        return Deployment(id=house.ids.new(), name=name, flow_name=flow, code=code, created=now, updated=now, **more)

    put = house.client.put_deployments(
        (
            deployment("hello", "nightly", tags=("nightly", "eu"), flow_runner=Choice("subprocess")),
            deployment("hello", "hourly", tags=("hourly",)),
            deployment("bye", "nightly", tags=("nightly",)),
        )
    )
    ids = {found.full_name: found.id for found in put}

    def request(deployment, name, minutes, asking=house):
        at = now + timedelta(minutes=minutes)
        return asking.client.request_run(RunRequest(id=house.ids.new(), deployment_id=ids[deployment], name=name, at=at))
"""
RUNS = """
    request("hello/nightly", "soon", 30)
    with headrace.open(clock=FixedClock(now - timedelta(minutes=100))) as earlier:
        request("hello/nightly", "late", -90, earlier)
    request("hello/nightly", "later", 150)
    request("bye/nightly", "bye", 10)
    request("hello/hourly", "hourly", 20)
"""
CLAIM = """
    (queue,) = house.client.read_work_queues(WorkQueueFilter(names=("nightly",)), Page())
    claimed = house.client.claim_runs(ClaimRequest(id=house.ids.new(), agent_id="agent", queue_ids=(queue.id,), limit=1))
    assert [run.name for run in claimed.runs] == ["late"]
"""


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a user with this home, who gives leases that outlast a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "COLUMNS")}
    return {**kept, "HEADRACE_HOME": str(home), "HEADRACE_LEASE_SECONDS": "600", "TZ": "UTC"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of one's own."""
    return tmp_path / "home"


@pytest.fixture
def headrace(home: Path) -> Headrace:
    """Runs `headrace` with this home."""

    def run(*arguments: str, more: Mapping[str, str] | None = None) -> CompletedProcess[str]:
        environment = {**environment_of(home), **(more or {})}
        return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


def run_script(home: Path, source: str) -> str:
    """Runs a script with this home, and gives what it prints."""
    script = [sys.executable, "-c", source]
    return subprocess.run(script, env=environment_of(home), stdout=subprocess.PIPE, check=True, timeout=120, text=True).stdout


@pytest.fixture
def deployments(home: Path) -> dict[str, str]:
    """The ids of three deployments, by their names; no run waits."""
    found: dict[str, str] = json.loads(run_script(home, f"{DEPLOYMENTS}\nprint(json.dumps(ids))"))
    return found


def done(headrace: Headrace, *arguments: str) -> str:
    """What a command prints that does what it was asked, and has nothing to remark."""
    shown = headrace("work-queue", *arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    return shown.stdout


def found(headrace: Headrace, *arguments: str) -> Any:
    """What a command says as JSON."""
    return json.loads(done(headrace, *arguments, "--json"))


def refused(headrace: Headrace, *arguments: str, more: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit code and the line of a command that does nothing."""
    shown = headrace("work-queue", *arguments, more=more)
    assert shown.stdout == ""
    line, *hint = shown.stderr.splitlines()
    assert hint == ([] if shown.returncode == 1 else [f"try: headrace work-queue {arguments[0]} --help"])
    return shown.returncode, line


# create


def test_create_prints_the_id(headrace: Headrace) -> None:
    """The id stands alone on the standard output, so that a script can keep it."""
    queue_id = done(headrace, "create", "nightly", "--tag", "nightly").removesuffix("\n")
    (queue,) = found(headrace, "ls")
    assert queue["id"] == queue_id
    assert queue["criteria"] == {"tags": ["nightly"]}
    assert (queue["description"], queue["is_paused"], queue["concurrency_limit"]) == ("", False, None)


def test_create_with_everything(headrace: Headrace, deployments: dict[str, str]) -> None:
    """All options go into the queue; criteria are sorted, each once, and deployments are kept by their ids."""
    typed = "create all --tag b --tag a --tag b --flow-runner subprocess --flow-runner universal --limit 3 --paused".split()
    typed += ["--deployment", "hello/nightly", "--deployment", "bye/nightly", "--description", "All of it", "--match", 'flows=["hello"]']
    queue = found(headrace, *typed)
    assert queue == found(headrace, "ls")[0]
    assert (queue["name"], queue["description"], queue["is_paused"], queue["concurrency_limit"]) == ("all", "All of it", True, 3)
    assert queue["created"] == queue["updated"]
    assert queue["criteria"] == {
        "tags": ["a", "b"],
        "deployments": sorted([deployments["hello/nightly"], deployments["bye/nightly"]]),
        "flow_runners": ["subprocess", "universal"],
        "flows": ["hello"],
    }


def test_a_deployment_is_named_in_any_way(headrace: Headrace, deployments: dict[str, str]) -> None:
    """A deployment is meant by its full name, its id, the start of its id, or its own name where no other has that."""
    hourly = deployments["hello/hourly"]
    for number, given in enumerate(("hello/hourly", hourly, hourly[:-1], "hourly")):
        queue = found(headrace, "create", f"queue {number}", "--deployment", given)
        assert queue["criteria"] == {"deployments": [hourly]}


def test_a_queue_without_criteria_is_remarked_on(headrace: Headrace) -> None:
    """That a queue wants every run may not have been meant, so it is said, beside the output."""
    shown = headrace("work-queue", "create", "all", "--limit", "0")
    assert (shown.returncode, shown.stdout.count("\n")) == (0, 1)
    assert shown.stderr.splitlines() == [
        "work queue 'all' has no criteria, so it wants every run of every deployment",
        "nothing of work queue 'all' starts while its limit is 0",
    ]


def test_a_name_is_given_once(headrace: Headrace) -> None:
    """A name that is taken is refused, and the queue that has it stays as it was."""
    queue = found(headrace, "create", "nightly", "--tag", "a")
    sentence = "error: there is a work queue 'nightly' already; choose another name, or change it with `headrace work-queue update`"
    assert refused(headrace, "create", "nightly", "--tag", "b") == (1, sentence)
    assert found(headrace, "ls") == [queue]


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        ([], 2, "error: Missing argument 'NAME'."),
        (["q", "--limit", "-1"], 2, "error: Invalid value for '--limit': -1 is not in the range 0<=x<=1000000."),
        (["q", "--limit", "many"], 2, "error: Invalid value for '--limit': 'many' is not a valid whole number."),
        (
            ["q", "--match", "tags"],
            2,
            "error: Invalid value for '--match': 'tags' has no name; write NAME=JSON, such as flows='[\"nightly\"]'",
        ),
        (["q", "--match", "=1"], 2, "error: Invalid value for '--match': '=1' has no name; "),
        (["q", "--match", "flows=hello"], 2, "error: Invalid value for '--match': what follows flows= is no JSON ("),
        (["q", "--match", "flows=" + "[" * 100_000], 2, "error: Invalid value for '--match': what follows flows= is no JSON ("),
        (["q", "--match", "a=1", "--match", "a=2"], 2, "error: Invalid value for '--match': 'a' is given twice; write both in one list"),
        (["q", "--tag", "a", "--match", 'tags="b"'], 2, "error: tags is asked for by --match and by an option of its own; use one of them"),
        (["q", "--match", "x=1"], 1, "error: no queue matcher named 'x'; installed: deployments, flow_runners, flows, tags"),
        (["q", "--match", "flows=3"], 1, "error: queue matcher 'flows': one text is needed, or a list of one text or more"),
        (["q", "--match", "flows=[]"], 1, "error: queue matcher 'flows': one text is needed, or a list of one text or more"),
        (["q", "--match", "flows=NaN"], 2, "error: Invalid value for '--match': what follows flows= is no JSON (NaN is no number in JSON)"),
        (
            ["q", "--match", 'x={"a": 1, "a": 2}'],
            2,
            "error: Invalid value for '--match': x: the key 'a' stands twice in an object; write it once",
        ),
        (["q", "--match", 'deployments="a/b"'], 1, "error: queue matcher 'deployments': 'a/b' is a deployment's name; its id is needed"),
        (["q", "--tag", ""], 1, "error: queue matcher 'tags': every item is a text of at least one character, not ''"),
        (["q", "--tag", "\udcff"], 1, "error: queue matcher 'tags': '\\udcff' is no text that UTF-8 can hold"),
        (["q", "--deployment", "no/body"], 1, "error: no deployment 'no/body'; list what is there with `headrace deployment ls`"),
        (
            ["q", "--deployment", "nightly"],
            1,
            "error: 'nightly' fits several deployments: bye/nightly, hello/nightly; write one of them whole",
        ),
        (["a/b"], 1, "error: work queue name 'a/b' cannot be used: "),
        (["", "--tag", "a"], 1, "error: work queue name '' cannot be used: "),
    ],
)
def test_create_refuses(headrace: Headrace, deployments: dict[str, str], typed: list[str], code: int, sentence: str) -> None:
    """What cannot be done is a line that says what is accepted, and leaves no queue behind."""
    assert deployments
    exit_code, line = refused(headrace, "create", *typed)
    assert (exit_code, line[: len(sentence)]) == (code, sentence)
    assert found(headrace, "ls") == []


def test_a_matcher_that_is_not_installed(headrace: Headrace) -> None:
    """Where the plugin with the matcher is not in use, it is named."""
    code, line = refused(headrace, "create", "q", "--tag", "a", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-queues"})
    assert (code, line) == (1, "error: no queue matcher named 'tags'; installed: flows — pip install headrace-queues")


# ls, inspect


def test_the_list(headrace: Headrace, deployments: dict[str, str]) -> None:
    """Queues are listed with what they want in words, the last one first, at most as many as asked for."""
    assert deployments
    done(headrace, "create", "first", "--deployment", "hello/nightly", "--deployment", "bye/nightly", "--tag", "eu")
    done(headrace, "create", "second", "--match", 'flows=["hello"]', "--limit", "2", "--paused")
    assert headrace("work-queue", "create", "third").returncode == 0
    heading, *lines = done(headrace, "ls").splitlines()
    assert heading.split() == ["ID", "NAME", "PAUSED", "LIMIT", "WANTS"]
    assert [line[38:] for line in lines] == [
        "third   no      -      every run of every deployment",
        "second  yes     2      flows: hello",
        "first   no      -      tags: eu; deployments: hello/nightly, bye/nightly",
    ]
    assert [queue["name"] for queue in found(headrace, "ls", "--limit", "2")] == ["third", "second"]


def test_an_empty_list_says_what_to_type(headrace: Headrace) -> None:
    """Without queues nothing is on the standard output, and a sentence beside it."""
    shown = headrace("work-queue", "ls")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == "there is no work queue yet; make one with: headrace work-queue create NAME\n"


def test_inspect(headrace: Headrace, deployments: dict[str, str]) -> None:
    """A queue is shown whole, found by its name, its id or the start of its id."""
    assert deployments
    typed = ["--tag", "b", "--tag", "a", "--deployment", "hello/nightly", "--limit", "0", "--description", "All of it"]
    shown = headrace("work-queue", "create", "nightly", *typed)
    queue_id = shown.stdout.strip()
    for given in ("nightly", queue_id, queue_id.upper(), queue_id[:-2]):
        assert found(headrace, "inspect", given) == {**found(headrace, "ls")[0], "under_way": 0}
    lines = dict(line.split("  ", 1) for line in done(headrace, "inspect", "nightly").splitlines())
    said = {name: value.strip() for name, value in lines.items()}
    assert said["created"].endswith(" UTC (now)") or " ago)" in said["created"]
    assert {name: said[name] for name in said if name not in ("created", "updated")} == {
        "id": queue_id,
        "name": "nightly",
        "description": "All of it",
        "wants tags": "a, b",
        "wants deployments": "hello/nightly",
        "paused": "no",
        "limit": "0",
        "under way": "0",
    }


def test_a_deployment_that_was_deleted(headrace: Headrace, home: Path, deployments: dict[str, str]) -> None:
    """A queue keeps asking for a deployment that is gone, and shows its id."""
    hourly = deployments["hello/hourly"]
    done(headrace, "create", "q", "--deployment", "hello/hourly")
    run_script(home, f"import headrace\nwith headrace.open() as house: house.client.delete_deployment({hourly!r})")
    assert f"wants deployments  {hourly}\n" in done(headrace, "inspect", "q")


def test_a_criterion_whose_matcher_is_gone(headrace: Headrace) -> None:
    """A queue whose matcher is no longer installed can be looked at, and that nothing fits it is said."""
    done(headrace, "create", "q", "--tag", "a")
    for command in ("inspect", "preview"):
        shown = headrace("work-queue", command, "q", "--json", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-queues"})
        assert shown.returncode == 0
        assert json.loads(shown.stdout)["criteria"] == {"tags": ["a"]}
        assert shown.stderr.startswith(
            "warning: nothing fits what work queue 'q' asks by 'tags': no queue matcher named 'tags'; installed:"
        )


@pytest.mark.parametrize(
    "typed",
    [
        ["inspect", "nobody"],
        ["preview", "nobody"],
        ["update", "nobody", "--name", "x"],
        ["pause", "nobody"],
        ["resume", "nobody"],
        ["set-concurrency-limit", "nobody", "1"],
        ["clear-concurrency-limit", "nobody"],
        ["delete", "nobody"],
    ],
    ids=lambda typed: typed[0],
)
def test_a_queue_that_is_not_there(headrace: Headrace, typed: list[str]) -> None:
    """Whoever is not found is an error that says where to look, for every command."""
    sentence = "error: no work queue 'nobody'; list what is there with `headrace work-queue ls`"
    assert refused(headrace, *typed) == (1, sentence)
    assert refused(headrace, *typed, "--json") == (1, sentence)


def test_a_start_that_several_ids_have(headrace: Headrace) -> None:
    """Where several queues fit, none is chosen and their ids are named."""
    ids = [done(headrace, "create", name, "--tag", "a").strip() for name in ("one", "two")]
    code, line = refused(headrace, "delete", ids[0][:6])
    assert (code, line) == (1, f"error: {ids[0][:6]!r} fits several work queues: {ids[1]}, {ids[0]}; write one of them whole")
    assert len(found(headrace, "ls")) == 2


# update


@pytest.fixture
def queue(headrace: Headrace) -> Row:
    """A queue with criteria, a description and a limit."""
    typed = "create q --tag a --flow-runner universal --limit 2 --description what --paused".split()
    made: Row = found(headrace, *typed)
    return made


@pytest.mark.parametrize(
    ("typed", "changes"),
    [
        (["--name", "other"], {"name": "other"}),
        (["--name", "q"], {}),
        (["--description", "new"], {"description": "new"}),
        (["--description", ""], {"description": ""}),
        (["--tag", "c", "--tag", "b"], {"criteria": {"tags": ["b", "c"], "flow_runners": ["universal"]}}),
        (["--match", 'flows="f"'], {"criteria": {"tags": ["a"], "flow_runners": ["universal"], "flows": ["f"]}}),
        (["--clear", "tags"], {"criteria": {"flow_runners": ["universal"]}}),
        (["--clear", "tags", "--flow-runner", "subprocess", "--name", "r"], {"criteria": {"flow_runners": ["subprocess"]}, "name": "r"}),
    ],
)
def test_what_is_not_given_stays(headrace: Headrace, queue: Row, typed: list[str], changes: Row) -> None:
    """Only what is given is changed, and the moment of the change."""
    changed = found(headrace, "update", "q", *typed)
    assert changed["updated"] > queue["updated"]
    assert changed == {**queue, **changes, "updated": changed["updated"], "revision": queue["revision"] + 1}
    assert found(headrace, "ls") == [changed]


def test_update_says_what_it_did(headrace: Headrace, queue: Row) -> None:
    """People are told the queue's name, as it is then, and its id."""
    assert done(headrace, "update", "q", "--name", "r") == f"changed work queue 'r' ({queue['id']})\n"


def test_an_update_that_leaves_no_criteria(headrace: Headrace, queue: Row) -> None:
    """That a queue then wants every run is said."""
    shown = headrace("work-queue", "update", "q", "--clear", "tags", "--clear", "flow_runners")
    assert (shown.returncode, shown.stdout) == (0, f"changed work queue 'q' ({queue['id']})\n")
    assert shown.stderr == "work queue 'q' has no criteria, so it wants every run of every deployment\n"
    assert found(headrace, "ls")[0]["criteria"] == {}


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        ([], 2, "error: nothing to change is given"),
        (["--name", "taken"], 1, "error: there is a work queue 'taken' already; "),
        (["--name", "a/b"], 1, "error: work queue name 'a/b' cannot be used: "),
        (["--clear", "x"], 1, "error: work queue 'q': it has no criterion 'x' to clear; there are: flow_runners, tags"),
        (["--clear", "tags", "--tag", "b"], 2, "error: tags is given and cleared; do one of them"),
        (["--match", "x=1"], 1, "error: no queue matcher named 'x'; installed: "),
        (["--tag", "b", "--tag", ""], 1, "error: queue matcher 'tags': every item is a text of at least one character, not ''"),
    ],
)
def test_update_refuses(headrace: Headrace, queue: Row, typed: list[str], code: int, sentence: str) -> None:
    """What cannot be done changes nothing."""
    done(headrace, "create", "taken", "--tag", "a")
    exit_code, line = refused(headrace, "update", "q", *typed)
    assert (exit_code, line[: len(sentence)]) == (code, sentence)
    assert found(headrace, "ls")[1] == queue


def test_a_change_between_reading_and_writing_is_kept(headrace: Headrace, queue: Row, home: Path) -> None:
    """Whoever changes a queue that somebody else has changed meanwhile changes what that one made of it."""

    def described(house: Instance, queue: WorkQueue) -> WorkQueue:
        if len(seen) < 3:
            house.client.put_work_queue(attrs.evolve(queue, concurrency_limit=len(seen)))
        seen.append(queue.concurrency_limit)
        return attrs.evolve(queue, description="new")

    seen: list[int | None] = []
    changed = changed_queue(Invocation({"HEADRACE_HOME": str(home)}), "q", described)
    assert seen == [2, 0, 1, 2]
    assert (changed.description, changed.concurrency_limit) == ("new", 2)
    assert found(headrace, "ls")[0]["description"] == "new"


def test_changes_at_the_same_time(home: Path, headrace: Headrace, queue: Row) -> None:
    """None of those that several processes make at once is lost."""
    typed = ("update q --description all", "update q --tag b", "update q --flow-runner universal", "set-concurrency-limit q 7", "resume q")
    commands = [[COMMAND, "work-queue", *line.split()] for line in typed]
    processes = [subprocess.Popen(command, env=environment_of(home), stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait(120) for process in processes] == [0] * len(typed)
    row = found(headrace, "ls")[0]
    assert (row["description"], row["criteria"], row["concurrency_limit"], row["is_paused"]) == (
        "all",
        {"flow_runners": ["universal"], "tags": ["b"]},
        7,
        False,
    )
    assert row["revision"] == queue["revision"] + len(typed)


# pause, resume, limits, delete


def test_pause_and_resume(headrace: Headrace) -> None:
    """A queue is paused and resumed; doing it twice is no error."""
    queue_id = done(headrace, "create", "q", "--tag", "a").strip()
    for _ in range(2):
        assert done(headrace, "pause", "q") == f"paused work queue 'q' ({queue_id})\n"
        assert found(headrace, "inspect", "q")["is_paused"] is True
    for _ in range(2):
        assert done(headrace, "resume", "q") == f"resumed work queue 'q' ({queue_id})\n"
        assert found(headrace, "inspect", "q")["is_paused"] is False
    assert found(headrace, "pause", "q")["is_paused"] is True
    assert found(headrace, "resume", "q")["is_paused"] is False


def test_limits(headrace: Headrace) -> None:
    """A limit is set, 0 among them, and cleared."""
    queue_id = done(headrace, "create", "q", "--tag", "a").strip()
    said = done(headrace, "set-concurrency-limit", "q", "3")
    assert said == f"set the concurrency limit of work queue 'q' to 3 ({queue_id})\n"
    assert found(headrace, "inspect", "q")["concurrency_limit"] == 3
    shown = headrace("work-queue", "set-concurrency-limit", "q", "0", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["concurrency_limit"]) == (0, 0)
    assert shown.stderr == "nothing of work queue 'q' starts while its limit is 0\n"
    assert done(headrace, "clear-concurrency-limit", "q") == f"cleared the concurrency limit of work queue 'q' ({queue_id})\n"
    assert found(headrace, "clear-concurrency-limit", "q")["concurrency_limit"] is None


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("-1", "-1 is negative; write a whole number, 0 or more"),
        ("-1.5", "-1.5 is negative; write a whole number, 0 or more"),
        ("many", "'many' is not a valid whole number."),
        ("1.5", "'1.5' is not a valid whole number."),
        ("1000001", "1000001 is not in the range 0<=x<=1000000."),
    ],
)
def test_wrong_limits(headrace: Headrace, number: str, why: str) -> None:
    """A limit is a whole number that is not negative; one that is is not taken for an option."""
    done(headrace, "create", "q", "--tag", "a", "--limit", "2")
    assert refused(headrace, "set-concurrency-limit", "q", number) == (2, f"error: Invalid value for 'N': {why}")
    assert found(headrace, "inspect", "q")["concurrency_limit"] == 2


def test_delete(headrace: Headrace, home: Path) -> None:
    """A queue is deleted, its runs are not, and its name is free again."""
    run_script(home, DEPLOYMENTS + RUNS)
    queue_id = done(headrace, "create", "nightly", "--tag", "nightly").strip()
    assert done(headrace, "delete", "nightly") == f"deleted work queue 'nightly' ({queue_id})\n"
    assert found(headrace, "ls") == []
    assert len(json.loads(headrace("flow-run", "ls", "--json").stdout)) == 5
    made = found(headrace, "create", "nightly", "--tag", "nightly")
    assert found(headrace, "delete", made["id"])["name"] == "nightly"


# preview


def waiting(headrace: Headrace, *arguments: str) -> list[str]:
    """The names of the runs that wait."""
    return [run["name"] for run in found(headrace, "preview", *arguments)["runs"]]


def test_preview(headrace: Headrace, home: Path) -> None:
    """Runs that wait are shown in the order in which they are due, within the hours asked for, late ones marked."""
    run_script(home, DEPLOYMENTS + RUNS)
    done(headrace, "create", "nightly", "--tag", "nightly")
    assert waiting(headrace, "nightly") == ["late", "bye", "soon"]
    assert waiting(headrace, "nightly", "--hours", "0") == ["late"]
    assert waiting(headrace, "nightly", "--hours", "3") == ["late", "bye", "soon", "later"]
    assert waiting(headrace, "nightly", "--hours", "3", "--limit", "2") == ["late", "bye"]
    shown = found(headrace, "preview", "nightly")
    assert [(run["deployment_name"], run["is_late"]) for run in shown["runs"]] == [
        ("hello/nightly", True),
        ("bye/nightly", False),
        ("hello/nightly", False),
    ]
    assert [run["due"] for run in shown["runs"]] == sorted(run["due"] for run in shown["runs"])
    assert (shown["name"], shown["is_paused"], shown["is_full"], shown["under_way"]) == ("nightly", False, False, 0)
    heading, *lines = done(headrace, "preview", "nightly").splitlines()
    assert heading.split() == ["DUE", "ID", "NAME", "DEPLOYMENT"]
    assert [line.split()[-2:] for line in lines] == [["late", "hello/nightly"], ["bye", "bye/nightly"], ["soon", "hello/nightly"]]
    assert "UTC Late (1h)  " in lines[0]
    assert "UTC (in 9m)  " in lines[1]
    assert shown["runs"][0]["id"] in lines[0]


def test_each_queue_shows_what_it_wants(headrace: Headrace, home: Path) -> None:
    """Queues overlap: a run waits in each that wants it. A change of criteria is a change of what waits."""
    run_script(home, DEPLOYMENTS + RUNS)
    done(headrace, "create", "eu", "--tag", "nightly", "--tag", "eu")
    done(headrace, "create", "docker", "--flow-runner", "subprocess")
    done(headrace, "create", "universal", "--flow-runner", "universal")
    done(headrace, "create", "hourly", "--deployment", "hello/hourly", "--deployment", "bye/nightly")
    assert waiting(headrace, "eu") == waiting(headrace, "docker") == ["late", "soon"]
    assert waiting(headrace, "universal") == waiting(headrace, "hourly") == ["bye", "hourly"]
    done(headrace, "update", "docker", "--tag", "hourly", "--clear", "flow_runners")
    assert waiting(headrace, "docker") == ["hourly"]


def test_preview_of_an_empty_queue(headrace: Headrace) -> None:
    """Where nothing waits, a sentence says so."""
    done(headrace, "create", "q", "--tag", "a")
    for hours, words in (("1", "1 hour"), ("48", "48 hours")):
        shown = headrace("work-queue", "preview", "q", "--hours", hours)
        assert (shown.returncode, shown.stdout) == (0, "")
        assert shown.stderr == f"nothing that is due within {words} waits in work queue 'q'\n"


def test_preview_says_why_nothing_starts(headrace: Headrace, home: Path) -> None:
    """That a queue is paused or full is said beside what waits; a run counts in every queue that wants it."""
    run_script(home, DEPLOYMENTS + RUNS)
    done(headrace, "create", "nightly", "--tag", "nightly")
    docker = found(headrace, "create", "docker", "--flow-runner", "subprocess", "--limit", "1", "--paused")
    run_script(home, DEPLOYMENTS + CLAIM)
    shown = found(headrace, "preview", "docker")
    assert [run["name"] for run in shown["runs"]] == ["soon"]
    assert (shown["is_paused"], shown["is_full"], shown["under_way"]) == (True, True, 1)
    assert headrace("work-queue", "preview", "docker").stderr.splitlines() == [
        f"work queue 'docker' is paused: nothing of it starts before: headrace work-queue resume {docker['id']}",
        "work queue 'docker' is full: it has 1 run under way, and its limit is 1",
    ]
    assert done(headrace, "set-concurrency-limit", "docker", "2")
    assert found(headrace, "preview", "docker")["is_full"] is False
    assert headrace("work-queue", "update", "docker", "--clear", "flow_runners", "--tag", "hourly").returncode == 0
    assert headrace("work-queue", "set-concurrency-limit", "docker", "0").returncode == 0
    assert headrace("work-queue", "preview", "docker").stderr.splitlines()[1:] == [
        "nothing of work queue 'docker' starts while its limit is 0"
    ]
    assert found(headrace, "update", "docker", "--clear", "tags", "--flow-runner", "subprocess")["concurrency_limit"] == 0
    assert found(headrace, "inspect", "docker")["under_way"] == 1


def test_runs_of_a_queue(headrace: Headrace, home: Path) -> None:
    """The list of runs has those that wait in a queue, and those that were taken from it; a queue that there is not is told."""
    run_script(home, DEPLOYMENTS + RUNS)
    done(headrace, "create", "nightly", "--tag", "nightly")
    done(headrace, "create", "hourly", "--tag", "hourly")
    run_script(home, DEPLOYMENTS + CLAIM)
    listed = {
        queue: sorted(run["name"] for run in json.loads(headrace("flow-run", "ls", "--work-queue", queue, "--json").stdout))
        for queue in ("nightly", "hourly")
    }
    assert listed == {"nightly": ["bye", "late", "later", "soon"], "hourly": ["hourly"]}
    mistaken = headrace("flow-run", "ls", "--work-queue", "nightli")
    assert (mistaken.returncode, mistaken.stdout) == (1, "")
    assert "no work queue 'nightli'" in mistaken.stderr


@pytest.mark.parametrize("typed", [["--hours", "-1"], ["--hours", "many"], ["--hours", "99999999"], ["--limit", "0"], ["--limit", "201"]])
def test_preview_refuses(headrace: Headrace, typed: list[str]) -> None:
    """Hours and rows are numbers within bounds."""
    assert refused(headrace, "preview", "q", *typed)[0] == 2
