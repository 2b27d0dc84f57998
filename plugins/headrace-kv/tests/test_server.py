"""`headrace kv-server` in a process of its own: it says where it is and what it keeps, lets in who may, and ends as it is told."""

import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from servers.kv import COMMAND, TOKEN

from headrace.errors import StorageAway
from headrace.testing.conformance.storage import CHUNK, read
from headrace_kv.storage import KVServerStorage

SECONDS = 60


class Shell:
    """A home, and the command that starts a KV server."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = {**kept, "HEADRACE_HOME": str(home), "TOKEN": TOKEN, "WORSE": "two words, and more"}

    def refused(self, *arguments: str, code: int = 1, command: tuple[str, ...] = COMMAND) -> str:
        """What it says where it does not start."""
        done = subprocess.run([*command, *arguments], env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple["Popen[str]", str, list[str]]]:
        """A server on a free port: its process, its address, and what it said when it began."""
        command = [*COMMAND, "--port", "0", *arguments]
        with Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
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


def test_what_an_earlier_one_left_is_removed(shell: Shell, tmp_path: Path) -> None:
    """What it was writing when it was killed goes with the next start, once it is a day old."""
    folder = tmp_path / "values"
    (folder / "a").mkdir(parents=True)
    old, new = folder / "a" / ".writing-1", folder / "a" / ".writing-2"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    with shell.serving("--folder", str(folder)):
        assert [old.exists(), new.exists()] == [False, True]


def asked(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    try:
        with urlopen(Request(url, method=method, headers=headers), timeout=SECONDS) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


# Beginning and ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_ends(shell: Shell, tmp_path: Path, number: int) -> None:
    """It says where it listens and what it keeps, keeps it, and ends well when it is told."""
    with shell.serving() as (process, url, said):
        assert said == [
            f"The KV server listens at {url}, which is the api_address of storages of the kind kv. Ctrl+C ends it.\n",
            f"It keeps 0 values in {tmp_path / 'home' / 'kv'}, 10 GiB at most; whoever is on this machine may use it.\n",
        ]
        with KVServerStorage(api_address=url).open() as storage:
            storage.write("folder/key", [b"value"])
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "KV server stopped.\n"
    with shell.serving() as (_, url, said), KVServerStorage(api_address=url).open() as storage:
        assert said[1].startswith(f"It keeps 1 value in {tmp_path / 'home' / 'kv'}, ")
        assert read(storage, "folder/key") == b"value"


def test_what_was_answered_is_kept(shell: Shell) -> None:
    """A server that is killed at any moment has every value that it answered for, and no other but the one that was on its way."""
    answered: list[int] = []
    with shell.serving() as (process, url, _), KVServerStorage(api_address=url).open() as storage:

        def write_on() -> None:
            for number in range(10_000):
                storage.write(f"key/{number}", [b"%d " % number, CHUNK])
                answered.append(number)
                if number == 20:
                    process.kill()

        with pytest.raises(StorageAway):
            write_on()
    with shell.serving() as (_, url, _), KVServerStorage(api_address=url).open() as storage:
        found = list(storage.keys())
        assert {f"key/{number}" for number in answered} <= set(found)
        for key in found:
            assert read(storage, key) == b"%d " % int(key.rpartition("/")[2]) + CHUNK


def test_two_servers_share_a_folder(shell: Shell) -> None:
    """What one keeps the other has."""
    with shell.serving() as (_, one, _), shell.serving() as (_, other, _):
        with KVServerStorage(api_address=one).open() as mine, KVServerStorage(api_address=other).open() as theirs:
            mine.write("key", [b"one"])
            theirs.write("key", [b"other"])
            assert read(mine, "key") == b"other"


def test_each_request_is_told_if_wanted(shell: Shell) -> None:
    """With DEBUG the log has a line for each request."""
    with shell.serving("--log-level", "DEBUG") as (process, url, _):
        assert asked(f"{url}/files")[0] == 200
        process.terminate()
        assert process.stderr is not None
        assert '"GET /api/files HTTP/1.1" 200' in process.stderr.read()


# Who is let in


def test_who_has_a_token_is_let_in(shell: Shell, tmp_path: Path) -> None:
    """Each of its tokens is good; without one nothing is told but that it is there, and no token is in what it says."""
    (tmp_path / "token").write_text("another-token-that-nobody-guesses\n")
    with shell.serving("--token", "secret://env/TOKEN", "--token", f"secret://file/{tmp_path}/token") as (process, url, said):
        assert said[1].endswith("; who asks must have a token.\n")
        for token in (TOKEN, "another-token-that-nobody-guesses"):
            assert asked(f"{url}/files", Authorization=f"Bearer {token}") == (200, b'{"result":[]}')
        for method, path in (("GET", "/files"), ("GET", "/files/x"), ("HEAD", "/files/x"), ("PUT", "/files/x"), ("DELETE", "/files/x")):
            assert asked(url + path, method)[0] == 401
            assert asked(url + path, method, Authorization=f"Bearer {TOKEN}x")[0] == 401
            assert asked(url + path, method, Authorization=f"Basic {TOKEN}")[0] == 401
        assert asked(url.removesuffix("/api") + "/health") == (200, b'{"result":"ok"}')
        process.terminate()
        assert process.stderr is not None
        told = process.stderr.read()
        assert told.count("A token that is not known here was sent from 127.0.0.1, and refused") == 1
        assert TOKEN not in told


def test_a_token_is_refused_where_none_is_known(shell: Shell) -> None:
    """Who sends one believes to be known, and is told."""
    with shell.serving() as (_, url, _):
        assert asked(f"{url}/files")[0] == 200
        assert asked(f"{url}/files", Authorization="Bearer x")[0] == 401


def test_pages_are_not_let_in(shell: Shell) -> None:
    """It answers to names that it is known by, and to no page of another address."""
    with shell.serving("--allowed-host", "kv.example") as (_, url, _):
        for headers, code in (
            ({"Host": "evil.example"}, 403),
            ({"Host": "kv.example"}, 200),
            ({"Origin": "http://evil.example"}, 403),
            ({"Host": "kv.example", "Origin": "https://kv.example"}, 200),
        ):
            assert asked(f"{url}/files", **headers)[0] == code, headers


def test_where_values_lie_is_told_to_nobody(shell: Shell) -> None:
    """No answer names the folder, whatever is wrong with it."""
    with shell.serving() as (_, url, _):
        for method in ("GET", "PUT"):
            code, body = asked(f"{url}/files/{'k' * 300}", method)
            assert code == 503
            assert b"the storage at the server cannot be used: File name too long" in body
            assert shell.environment["HEADRACE_HOME"].encode() not in body


def test_there_is_nothing_else(shell: Shell) -> None:
    """It is no orchestration, and says what it is."""
    with shell.serving() as (_, url, _):
        for path in ("/agents", "/capabilities", "/openapi.json", "", "/"):
            code, body = asked(url + path)
            assert code == 404
            assert b"this is a KV server of headrace, which has /api/files and no more" in body
        assert asked(f"{url}/files", "POST")[0] == 405


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_it_speaks_tls(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a certificate it is reached over TLS, by who trusts it."""
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run([*make, *names], check=True, capture_output=True)
    with shell.serving("--ssl-certfile", certificate, "--ssl-keyfile", key) as (_, url, _):
        assert url.startswith("https://")
        monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, certificate)
        with KVServerStorage(api_address=url).open() as storage:
            storage.write("key", [b"value"])
            assert read(storage, "key") == b"value"


# What it does not start with


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ["--host", "0.0.0.0"],
            1,
            "nothing can be served at 0.0.0.0:4201: others reach this address, so who asks must have a token; make one",
        ),
        (["--token", TOKEN], 2, "a token on the command line is seen by all who see the processes of this machine"),
        (["--token", "secret://env/ABSENT"], 1, "the environment variable ABSENT is not set here"),
        (
            ["--token", "secret://env/WORSE"],
            1,
            "token='secret://env/WORSE' cannot be used: a token is one word of letters, digits and signs",
        ),
        (["--storage-limit", "0"], 2, "0.0 is not in the range x>0"),
        (["--port", "65536"], 2, "65536"),
        (["--folder", __file__], 2, "is a file"),
        (["--folder", f"{__file__}/below"], 1, "Not a directory"),
        (["--ssl-keyfile", __file__], 2, "--ssl-keyfile needs --ssl-certfile"),
        (["--ssl-certfile", __file__], 1, "is no certificate in PEM with its key"),
        (["--log-level", "LOUD"], 2, "LOUD"),
        (["--host", "nowhere.invalid", "--token", "secret://env/TOKEN"], 1, "nothing can be served at nowhere.invalid:4201: "),
    ],
)
def test_what_it_cannot_start_with(shell: Shell, arguments: list[str], code: int, says: str) -> None:
    """What is wrong is told in a sentence, and no token with it."""
    said = shell.refused(*arguments, code=code)
    assert says in said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == code
    assert TOKEN not in said
    assert shell.environment["WORSE"] not in said


def test_a_port_in_use(shell: Shell) -> None:
    """Two cannot listen at one port; the second one says so in a sentence."""
    with shell.serving() as (_, url, _):
        host = url.split("/")[2]
        assert shell.refused("--port", host.partition(":")[2]) == f"error: nothing can be served at {host}: Address already in use\n"


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (
            "headrace_server",
            "error: nothing can be served at 127.0.0.1:4201: headrace-server is not installed; pip install 'headrace-kv[server]'\n",
        ),
        ("headrace_files", "no storage named 'local'; "),
    ],
)
def test_what_serving_takes(shell: Shell, missing: str, says: str) -> None:
    """Who only uses such a storage needs less; where something is missing, it is named."""
    hide = f"import sys; sys.modules['{missing}'] = None; from headrace.cli.main import main; main()"
    shell.environment["HEADRACE_PLUGINS_BLOCKED"] = missing.replace("_", "-")
    assert says in shell.refused(command=(sys.executable, "-c", hide, "kv-server", "start"))


def test_the_help_has_examples(shell: Shell) -> None:
    """Whoever asks for help sees how it is called."""
    done: Any = subprocess.run([*COMMAND, "--help"], env=shell.environment, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert "headrace kv-server start --host 0.0.0.0 --token secret://env/KV_TOKEN" in done.stdout
