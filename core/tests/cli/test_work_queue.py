"""`headrace work-queue` where no run store lasts; with one: tests/end_to_end/test_work_queues.py."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Headrace = Callable[..., CompletedProcess[str]]

COMMANDS = {
    "create": ["q"],
    "ls": [],
    "inspect": ["q"],
    "preview": ["q"],
    "update": ["q", "--name", "r"],
    "pause": ["q"],
    "resume": ["q"],
    "set-concurrency-limit": ["q", "1"],
    "clear-concurrency-limit": ["q"],
    "delete": ["q"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_lasting_run_store(headrace: Headrace, name: str) -> None:
    """Every command refuses a store that ends with the process, and says what to install."""
    for more in ([], ["--json"]):
        shown = headrace("work-queue", name, *COMMANDS[name], *more)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr.startswith("error: the run store in use is gone when its process ends")
        assert shown.stderr.count("\n") == 1


def test_all_commands(headrace: Headrace) -> None:
    """The help lists these commands, each with its whole sentence."""
    shown = headrace("work-queue", "--help")
    assert shown.returncode == 0
    listed = shown.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == sorted(COMMANDS)
    assert all(line.endswith(".") and not line.endswith("..") for line in listed)


@pytest.mark.parametrize(
    "typed",
    [
        ["create", "q", "--match", "flows=["],
        ["create", "q", "--limit", "-1"],
        ["preview", "q", "--hours", "-1"],
        ["update", "q"],
        ["set-concurrency-limit", "q", "-1"],
        ["set-concurrency-limit", "q"],
    ],
)
def test_what_is_typed_wrong(headrace: Headrace, typed: list[str]) -> None:
    """It is said before anything is opened."""
    shown = headrace("work-queue", *typed)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: ")
    assert shown.stderr.endswith(f"try: headrace work-queue {typed[0]} --help\n")
