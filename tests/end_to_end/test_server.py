"""`headrace server` in processes of its own: it starts, tells where it is, and ends as it is told."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import urllib3

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
    def serving(self, *arguments: str, **variables: str) -> Iterator[tuple["Popen[str]", str, list[str]]]:
        """A server on a free port: its process, its address, and what it said when it began."""
        command = [*COMMAND, "server", "start", "--port", "0", *arguments]
        with Popen(command, env={**self.environment, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                said = [process.stderr.readline(), process.stderr.readline()]
                found = re.search(r"https?://\S+/api", said[0])
                assert found is not None, [*said, process.stderr.read()]
                yield process, found[0], said
            finally:
                process.kill()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def get(address: str, **options: Any) -> Any:
    with urllib3.PoolManager(retries=False, timeout=SECONDS, **options) as pool:
        return pool.request("GET", address).json()["result"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_ends(shell: Shell, number: int) -> None:
    """It says where it is and how to use it, answers, steps the services, and ends well when it is told."""
    with shell.serving() as (process, address, said):
        assert said[1] == f"To use it: headrace config set HEADRACE_API_URL={address}\n"
        assert get(f"{address}/agents") == []
        told = json.loads(shell("server", "status", "--url", address, "--json").stdout)
        assert (told["url"], told["run_store"]) == (address, "sqlite")
        assert {"late_runs", "lost_leases", "retention"} <= set(told["services"])
        assert "late_runs" in shell("server", "status", HEADRACE_API_URL=address).stdout
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == f"To look at it: {address.removesuffix('api')}\nServer stopped.\n"
    away = shell("server", "status", "--url", address, code=1).stderr
    assert away.startswith(
        f"error: the web API at {address} does not answer: Connection refused; start its server (`headrace server start`)"
    )
    assert away.count("\n") == 1


def test_it_answers_those_who_wait_before_it_ends(shell: Shell) -> None:
    """When it is told to end, who waits is answered, and what was asked is not lost."""
    with shell.serving() as (process, address, _), urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
        host = address.split("/")[2]
        name, _, port = host.partition(":")
        body = json.dumps({"wanted": {}, "seconds": 50}).encode()
        with socket.create_connection((name, int(port)), timeout=SECONDS) as waiting:
            head = (
                f"POST /api/events/wait HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            waiting.sendall(head.encode() + body)
            pool.request("GET", f"{address}/agents")  # what came before has been taken
            process.send_signal(signal.SIGTERM)
            answer = b"".join(iter(lambda: waiting.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b'{"result":[]}')
        assert process.wait(SECONDS) == 0


def test_the_second_signal_ends_it_at_once(shell: Shell) -> None:
    """Who sends half a question cannot keep it from ending."""
    with shell.serving() as (process, address, _):
        name, _, port = address.split("/")[2].partition(":")
        with socket.create_connection((name, int(port)), timeout=SECONDS) as slow:
            slow.sendall(b"POST /api/flow-runs/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            get(f"{address}/agents")
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 1


def test_it_serves_this_machine(shell: Shell) -> None:
    """It serves the store of this machine, though settings name the address of a server, as they do where it is used too."""
    with shell.serving("--no-services", HEADRACE_API_URL="http://127.0.0.1:1/api") as (_, address, said):
        assert "no services step here" in said[0]
        assert get(f"{address}/server")["services"] == []


def test_two_servers_of_one_store(shell: Shell) -> None:
    """What one writes, the other has, and whoever waits there is told."""
    with shell.serving() as (_, one, _), shell.serving() as (_, other, _), urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
        after = get(f"{one}/events/last")
        now = "2026-01-01T00:00:00Z"
        queue = {"id": "q", "name": "nightly", "created": now, "updated": now}
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(
                lambda: pool.request("POST", f"{other}/events/wait", json={"wanted": {"after": after}, "seconds": 50}).json()
            )
            assert pool.request("POST", f"{one}/work-queues", json={"queue": queue}).status == 200
            assert waiting.result(SECONDS)["result"][0]["subject"] == "q"
        assert get(f"{other}/work-queues/q")["name"] == "nightly"


def test_each_request_is_told_if_wanted(shell: Shell) -> None:
    """With DEBUG the log has a line for each request."""
    with shell.serving("--log-level", "debug") as (process, address, _):
        get(f"{address}/agents")
        process.terminate()
        assert process.stderr is not None
        assert '"GET /api/agents HTTP/1.1" 200' in process.stderr.read()


def test_a_port_in_use(shell: Shell) -> None:
    """Two cannot listen at one port; the second one says so in a sentence."""
    with shell.serving() as (_, address, _):
        host = address.split("/")[2]
        said = shell("server", "start", "--port", host.partition(":")[2], code=1).stderr
        assert said == f"error: nothing can be served at {host}: Address already in use\n"


def test_others_need_a_token(shell: Shell) -> None:
    """An address that others reach is not served as long as no token says who they are."""
    said = shell("server", "start", "--host", "0.0.0.0", "--port", "0", code=1).stderr
    assert said.startswith("error: nothing can be served at 0.0.0.0:0: who asks must say who they are, and there is no token; ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--port", "65536"], 2, "65536"),
        (["--ssl-keyfile", __file__], 2, "--ssl-keyfile needs --ssl-certfile"),
        (["--ssl-certfile", "/nowhere.pem"], 2, "/nowhere.pem"),
        (["--ssl-certfile", __file__], 1, "is no certificate in PEM with its key"),
        (["--log-level", "LOUD"], 2, "LOUD"),
    ],
)
def test_what_it_cannot_start_with(shell: Shell, arguments: list[str], code: int, says: str) -> None:
    """What is wrong is told in a sentence."""
    said = shell("server", "start", *(arguments if "--port" in arguments else ["--port", "0", *arguments]), code=code).stderr
    assert says in said
    assert said.startswith("error: ")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_it_speaks_tls(shell: Shell, tmp_path: Path) -> None:
    """With a certificate it is reached over TLS alone."""
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run([*make, *names], check=True, capture_output=True)
    with shell.serving("--ssl-certfile", certificate, "--ssl-keyfile", key) as (_, address, _):
        assert address.startswith("https://")
        assert get(f"{address}/agents", ssl_context=ssl.create_default_context(cafile=certificate)) == []
        assert "certificate verify failed" in shell("server", "status", "--url", address, code=1).stderr


def test_status_of_what_is_no_server(shell: Shell) -> None:
    """Whatever else answers is told to be no API of headrace."""
    with shell.serving() as (_, address, _):
        assert "there is nothing at" in shell("server", "status", "--url", f"{address}/nothing", code=1).stderr


def test_its_store(shell: Shell, tmp_path: Path) -> None:
    """The commands of the store are those of `headrace store`, for the store of this machine whatever address settings name."""
    away = {"HEADRACE_API_URL": "http://127.0.0.1:1/api"}
    assert "as this release needs it" in shell("server", "database", "upgrade", **away).stdout
    assert "the run store is sound" in shell("server", "database", "check", **away).stdout
    shell("server", "database", "backup", str(tmp_path / "copy.db"), **away)
    assert "the run store is where the server is" in shell("store", "check", code=1, **away).stderr
    shell("concurrency-limit", "create", "database", "3")
    assert "aborted" in shell("server", "database", "reset", code=1).stderr
    assert json.loads(shell("concurrency-limit", "ls", "--json").stdout) != []
    assert "the run store is empty" in shell("server", "database", "reset", "--yes").stdout
    assert json.loads(shell("concurrency-limit", "ls", "--json").stdout) == []
    assert {"upgrade", "reset", "backup", "check", "gc"} <= set(shell("server", "database", "--help").stdout.split())


def test_a_team(shell: Shell, tmp_path: Path) -> None:
    """Each has a token for what they do: one deploys, an agent takes the run, and the run gets a token of its own, good for itself alone."""
    assert "there is no token; make one with" in shell("server", "start", "--port", "0", "--require-token", code=1).stderr
    tokens = {
        scope: shell("server", "token", "--here", "create", f"the {scope}", "--scope", scope).stdout.strip()
        for scope in ("operator", "agent", "viewer")
    }
    other = Shell(tmp_path / "other")
    (tmp_path / "flows.py").write_text(
        "import os\nfrom headrace import flow\n\n\n@flow(log_prints=True)\ndef tells():\n    print('token', os.environ['HEADRACE_API_TOKEN'])\n"
    )
    (tmp_path / "specs.yaml").write_text(f"name: d\nflow_location: {tmp_path}/flows.py\n")
    with shell.serving("--require-token") as (_, address, _):

        def asks(scope: str, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
            return other(*arguments, code=code, HEADRACE_API_URL=address, HEADRACE_API_TOKEN=tokens.get(scope, ""))

        assert "no token was sent" in asks("nobody", "flow-run", "ls", code=1).stderr
        assert "it takes the scope operator, not agent" in asks("agent", "work-queue", "create", "q", code=1).stderr
        asks("operator", "deployment", "create", str(tmp_path / "specs.yaml"))
        asks("operator", "work-queue", "create", "q")
        asks("operator", "deployment", "run", "tells/d", "--name", "first")
        asks("agent", "agent", "start", "q", "--run-once")
        said = asks("viewer", "flow-run", "logs", "first").stdout
        assert "Finished in state Completed" in said
        run_token = re.search(r"token (hrr_\S+)", said)
        assert run_token is not None
        assert run_token[1] not in tokens.values()
        listed = json.loads(asks("viewer", "flow-run", "ls", "--json").stdout)
        assert [row["state"] for row in listed] == ["Completed"]
        rows = json.loads(shell("server", "token", "--here", "ls", "--json").stdout)
        assert [(row["name"], row["scope"]) for row in rows] == [(f"the {scope}", scope) for scope in tokens]
        shell("server", "token", "--here", "revoke", rows[2]["id"])
        assert "is not known here, was revoked, or has expired" in asks("viewer", "flow-run", "ls", code=1).stderr
