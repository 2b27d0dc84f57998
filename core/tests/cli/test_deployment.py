"""`headrace deployment` where no run store lasts; with one: tests/end_to_end/test_deployments.py and test_execute.py."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Headrace = Callable[..., CompletedProcess[str]]

COMMANDS = {
    "backfill": ["d", "--from", "2026-01-01"],
    "clear-schedule": ["d"],
    "create": ["specs.py"],
    "delete": ["d"],
    "execute": ["d"],
    "history": ["d"],
    "inspect": ["d"],
    "ls": [],
    "pause": ["d"],
    "plan": ["specs.py"],
    "resume": ["d"],
    "rollback": ["d"],
    "run": ["d"],
    "set-schedule": ["d", "--schedule", '{"type": "moments", "moments": ["2100-01-01T00:00Z"]}'],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_lasting_run_store(headrace: Headrace, name: str) -> None:
    """Every command refuses a store that ends with the process, and says what to install."""
    shown = headrace("deployment", name, *COMMANDS[name])
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("error: the run store in use is gone when its process ends")
    assert shown.stderr.count("\n") == 1


def test_all_commands(headrace: Headrace) -> None:
    """The help lists these commands, each with its whole sentence."""
    shown = headrace("deployment", "--help")
    assert shown.returncode == 0
    listed = shown.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == sorted(COMMANDS)
    assert all(line.endswith(".") and not line.endswith("..") for line in listed)


@pytest.mark.parametrize(
    "typed",
    [
        ["run"],
        ["run", "d", "--at", "soon"],
        ["run", "d", "--in", "soon"],
        ["run", "d", "--in", "-5m"],
        ["run", "d", "--in", "5m", "--at", "2100-01-01"],
        ["execute"],
        ["execute", "d", "--watch"],
        ["ls", "--limit", "0"],
        ["delete"],
    ],
)
def test_what_is_typed_wrong(headrace: Headrace, typed: list[str]) -> None:
    """It is said before anything is opened."""
    shown = headrace("deployment", *typed)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: ")
    assert shown.stderr.endswith(f"try: headrace deployment {typed[0]} --help\n")
