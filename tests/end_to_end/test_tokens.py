"""`headrace server token`, from one process to another: a token is shown once, and nothing else tells a secret."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

COMMAND = (sys.executable, "-c", "from headrace.cli.main import main; main()")
SECONDS = 60


class Shell:
    """A home, and the command line."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = {**kept, "HEADRACE_HOME": str(home)}

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        done = subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple["Popen[str]", str]]:
        """A server on a free port, and its address."""
        command = [*COMMAND, "server", "start", "--port", "0", *arguments]
        with Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                found = re.search(r"https?://\S+/api", process.stderr.readline())
                assert found is not None, process.stderr.read()
                process.stderr.readline()
                yield process, found[0]
            finally:
                process.kill()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def test_a_token_is_shown_once(shell: Shell) -> None:
    """It alone is printed; what is kept of it is never shown."""
    made = shell("server", "token", "create", "ci", "--scope", "operator", "--expires-in", "90d")
    assert re.fullmatch(r"hrt_[0-9a-f-]{36}_[\w-]{43}\n", made.stdout)
    token = made.stdout.strip()
    secret = token.split("_", 2)[2]
    other = json.loads(shell("server", "token", "create", "agents", "--scope", "agent", "--json").stdout)
    assert (other["name"], other["scope"], other["expires"]) == ("agents", "agent", None)
    rows = json.loads(shell("server", "token", "ls", "--json").stdout)
    assert [set(row) for row in rows] == [{"id", "name", "scope", "created", "expires"}] * 2
    assert rows[0]["id"] == token.split("_")[1]
    said = made.stderr + json.dumps(rows) + shell("server", "token", "ls").stdout
    doctor = shell("doctor", "--json", HEADRACE_API_TOKEN=token).stdout + shell("doctor", HEADRACE_API_TOKEN=token).stdout
    settings = shell("config", "view", HEADRACE_API_TOKEN=token).stdout
    assert "api_token" in settings.lower()
    assert secret not in said + doctor + settings
    stored = b"".join(path.read_bytes() for path in Path(shell.environment["HEADRACE_HOME"]).rglob("*") if path.is_file())
    assert rows[0]["id"].encode() in stored
    assert secret.encode() not in stored


@pytest.mark.parametrize("text", ["", "d", "-1d", "0d", "0", "²d", "1h1d", "9" * 5000 + "d", "90y"])
def test_a_time_that_is_none(shell: Shell, text: str) -> None:
    """It is told in a sentence, and no token is made."""
    said = shell("server", "token", "create", "ci", "--scope", "viewer", f"--expires-in={text}", code=1)
    assert said.stderr.startswith("error: --expires-in")
    assert said.stdout == ""
    assert json.loads(shell("server", "token", "ls", "--json").stdout) == []


def test_a_name_or_an_id_that_is_none(shell: Shell) -> None:
    """A name must be one, a scope one of those for people, and what is not known cannot be revoked."""
    assert "error: " in shell("server", "token", "create", "a/b", "--scope", "viewer", code=1).stderr
    assert "'run' is not one of" in shell("server", "token", "create", "a", "--scope", "run", code=2).stderr
    assert "no token 'nobody'" in shell("server", "token", "revoke", "nobody", code=1).stderr


def test_a_token_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """A token that was made before is kept once, however often that is said, and printed never; it lets in whoever has it."""
    token = f"hrt_first_{'s' * 43}"
    create = ("server", "token", "--here", "create", "cluster", "--scope", "admin", "--known", "secret://env/FIRST")
    said = [shell(*create, FIRST=token) for _ in range(2)]
    assert [each.stdout for each in said] == ["", ""]
    assert token not in said[0].stderr
    assert [row["id"] for row in json.loads(shell("server", "token", "--here", "ls", "--json").stdout)] == ["first"]
    with shell.serving("--require-token") as (_, address):
        Shell(tmp_path / "other")("server", "token", "ls", HEADRACE_API_URL=address, HEADRACE_API_TOKEN=token)


@pytest.mark.parametrize("text", ["", "hrt", "hrt_first", "hrt_first_short", f"hrr_first_{'s' * 43}", f"hrt__{'s' * 43}"])
def test_a_token_from_elsewhere_that_is_none(shell: Shell, text: str) -> None:
    """What is no token, or could be guessed, is refused; and none is taken from the command line, where others see it."""
    create = ("server", "token", "create", "cluster", "--scope", "admin", "--known")
    assert "error: " in shell(*create, "secret://env/FIRST", code=1, FIRST=text).stderr
    assert "as secret://env/NAME" in re.sub(r"\s+", " ", shell(*create, f"hrt_first_{'s' * 43}", code=2).stderr)
    assert json.loads(shell("server", "token", "ls", "--json").stdout) == []


def test_an_admin_gives_tokens_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """Over the API as on the server's machine; nobody else may, and a revoked token is good for nothing from then on."""
    admin = shell("server", "token", "--here", "create", "boss", "--scope", "admin").stdout.strip()
    other = Shell(tmp_path / "other")
    with shell.serving("--require-token") as (_, address):

        def asks(token: str, *arguments: str, code: int = 0) -> Any:
            return other(*arguments, code=code, HEADRACE_API_URL=address, HEADRACE_API_TOKEN=token)

        made = asks(admin, "server", "token", "create", "ann", "--scope", "operator").stdout.strip()
        assert "it takes the scope admin, not operator" in asks(made, "server", "token", "ls", code=1).stderr
        assert [row["name"] for row in json.loads(asks(admin, "server", "token", "ls", "--json").stdout)] == ["boss", "ann"]
        asks(made, "flow-run", "ls")
        asks(admin, "server", "token", "revoke", made.split("_")[1])
        assert "was revoked" in asks(made, "flow-run", "ls", code=1).stderr


FLOWS = """
from headrace import flow, task

@task
def inner():
    return 1

@flow
def sub():
    return inner()

@flow
def outer():
    return sub()
"""


def test_nobody_tells_a_token(shell: Shell, tmp_path: Path) -> None:
    """Whatever agent, server and run say at their most talkative, and whatever they leave in their homes, neither the agent's token nor a run's is in it."""
    token = shell("server", "token", "create", "all", "--scope", "operator").stdout.strip()
    other = Shell(tmp_path / "other")
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "specs.yaml").write_text(f"name: d\nflow_location: {tmp_path}/flows.py\nflow_name: outer\n")
    with shell.serving("--require-token", "--log-level", "debug") as (server, address):
        far = {"HEADRACE_API_URL": address, "HEADRACE_API_TOKEN": token, "HEADRACE_LOG_LEVEL": "DEBUG"}
        other("deployment", "create", str(tmp_path / "specs.yaml"), **far)
        other("work-queue", "create", "q", **far)
        other("deployment", "run", "outer/d", "--name", "first", **far)
        said = other("agent", "start", "q", "--run-once", **far)
        lines = other("flow-run", "logs", "first", **far).stdout
        assert "Finished in state Completed" in lines
        wrong = other("flow-run", "ls", code=1, **far | {"HEADRACE_API_TOKEN": token + "x"})
        server.terminate()
        assert server.stderr is not None
        told = said.stdout + said.stderr + lines + wrong.stderr + server.stderr.read()
    left = b"".join(path.read_bytes() for home in ("home", "other") for path in (tmp_path / home).rglob("*") if path.is_file())
    for secret in (token.split("_", 2)[2], "hrr_"):
        assert secret not in told
        assert secret.encode() not in left


RACING = """
import sys
from headrace import instance
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load
from headrace.testing.clock import START
from headrace_server.tokens import Tokens

with instance.open(load({"HEADRACE_HOME": sys.argv[1]})) as house:
    tokens = Tokens(house.client.store, house.clock)
    print("ready", flush=True)
    sys.stdin.readline()
    run = FlowRun(id="run", name="n", state=State.pending(), created=START, flow_name="f", root_id="run", epoch=1)
    print(tokens.of_runs([run])["run"])
"""


def test_one_key_for_all_who_begin_at_once(tmp_path: Path) -> None:
    """Processes that make the key of a store at the same time all have the same one."""
    pipe = subprocess.PIPE
    begun = [Popen([sys.executable, "-c", RACING, str(tmp_path)], stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    try:
        for process in begun:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in begun:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert len({process.communicate(timeout=SECONDS)[0] for process in begun}) == 1
        assert all(process.returncode == 0 for process in begun)
    finally:
        for process in begun:
            process.kill()
            process.communicate(timeout=SECONDS)
