"""`headrace concurrency-limit` on runs that are under way in other processes."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Headrace = Callable[..., CompletedProcess[str]]

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))

SCRIPT = """
import sys
from headrace import flow, task

@task(tags=["db", "eu"], task_run_name="query {number}")
def query(number):
    print("holds", flush=True)
    sys.stdin.readline()

@flow(flow_run_name="nightly")
def report():
    query(1)

report()
"""

REFUSED = """
from headrace import flow, task

@task(tags=["db"])
def query(): ...

@flow
def report():
    query()

report()
"""


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a user with this home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "COLUMNS")}
    return {**kept, "HEADRACE_HOME": str(home)}


@pytest.fixture
def headrace(tmp_path: Path) -> Headrace:
    """Runs `headrace` with the home of this test."""

    def run(*arguments: str) -> CompletedProcess[str]:
        return subprocess.run([COMMAND, *arguments], env=environment_of(tmp_path), capture_output=True, text=True, check=False, timeout=120)

    return run


@contextmanager
def holding(home: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A script whose task holds its slots until a line is written to it."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment_of(home) | more, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert any(line == "holds\n" for line in process.stdout)
            yield process
        finally:
            process.stdin.close()


def rows(headrace: Headrace, *arguments: str) -> Any:
    """What a command says as JSON."""
    shown = headrace("concurrency-limit", *arguments, "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    return json.loads(shown.stdout)


def test_limits_are_made_changed_and_deleted(headrace: Headrace) -> None:
    """A limit of a tag is made, changed by making it once more, listed by tag, and deleted."""
    assert headrace("concurrency-limit", "ls").stderr == "no tag has a limit; limit one with: headrace concurrency-limit create TAG N\n"
    assert headrace("concurrency-limit", "create", "eu", "2").stdout == "set the limit of tag 'eu' to 2\n"
    assert rows(headrace, "create", "db server", "1") == {"tag": "db server", "limit": 1, "holders": []}
    assert headrace("concurrency-limit", "create", "eu", "5").stdout == "set the limit of tag 'eu' to 5; it was 2\n"
    assert [(row["tag"], row["limit"]) for row in rows(headrace, "ls")] == [("db server", 1), ("eu", 5)]
    assert headrace("concurrency-limit", "delete", "eu").stdout == "deleted the limit of tag 'eu'\n"
    assert rows(headrace, "delete", "db server")["tag"] == "db server"
    assert rows(headrace, "ls") == []


def test_a_limit_that_is_not_there(headrace: Headrace) -> None:
    """It is an error that says where to look."""
    for command in ("inspect", "delete"):
        shown = headrace("concurrency-limit", command, "eu")
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr == "error: no concurrency limit of tag 'eu'; list what is there with `headrace concurrency-limit ls`\n"


@pytest.mark.parametrize("typed", [["eu", "-1"], ["eu", "many"], ["eu", "1.5"], ["eu"], ["", "1"], ["a\nb", "1"]])
def test_what_is_typed_wrong(headrace: Headrace, typed: list[str]) -> None:
    """It is said before anything is opened."""
    shown = headrace("concurrency-limit", "create", *typed)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.endswith("try: headrace concurrency-limit create --help\n")


def test_who_holds_a_slot(headrace: Headrace, tmp_path: Path) -> None:
    """Each holder is told with its name and that of its flow run, as long as it runs."""
    headrace("concurrency-limit", "create", "db", "1")
    with holding(tmp_path) as process:
        (limit,) = rows(headrace, "ls")
        (held,) = limit["holders"]
        assert (held["task_run"], held["flow_run"]) == ("query 1", "nightly")
        assert rows(headrace, "inspect", "db") == limit
        assert headrace("concurrency-limit", "ls").stdout.splitlines()[1].split(maxsplit=3) == ["db", "1", "1", "query 1 of nightly"]
        shown = headrace("concurrency-limit", "inspect", "db").stdout
        assert held["task_run_id"] in shown
        assert held["flow_run_id"] in shown
        process.communicate("\n")
    assert process.returncode == 0
    assert rows(headrace, "inspect", "db")["holders"] == []


def test_a_holder_that_was_killed(headrace: Headrace, tmp_path: Path) -> None:
    """Its slot is free when its lease has run out, with nobody to free it."""
    headrace("concurrency-limit", "create", "db", "1")
    short = {"HEADRACE_LEASE_SECONDS": "3", "HEADRACE_RENEW_SECONDS": "0.1"}
    with holding(tmp_path, **short) as process:
        assert len(rows(headrace, "inspect", "db")["holders"]) == 1
        process.kill()
        process.wait()
        while rows(headrace, "inspect", "db")["holders"]:
            pass  # each look starts a process, which takes its time


def test_a_limit_of_nothing(headrace: Headrace, tmp_path: Path) -> None:
    """With 0 no task run with the tag starts; it fails with a sentence instead of waiting for ever."""
    headrace("concurrency-limit", "create", "db", "0")
    shown = subprocess.run(
        [sys.executable, "-c", REFUSED], env=environment_of(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert shown.returncode == 1
    assert "the concurrency limit of tag 'db' is 0, so nothing with it may start" in shown.stderr
