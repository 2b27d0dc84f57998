"""A storage that is set up wrongly says what is wrong, in one sentence, and never the key."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from servers.gcs import GcsServer
from servers.process import free_ports

from headrace.errors import InvalidOption, StorageAway, StorageUnusable
from headrace.ports.storage import OpenStorage
from headrace_gcs.storage import GcsStorage

StorageOn = Callable[[GcsServer], GcsStorage]
USES: list[Callable[[OpenStorage], Any]] = [
    lambda storage: storage.open("key"),
    lambda storage: storage.write("key", [b"value"]),
    lambda storage: storage.write("key", [b"value" * 4_000_000]),
    lambda storage: storage.exists("key"),
    lambda storage: storage.delete("key"),
    lambda storage: list(storage.keys()),
]
ACCOUNT = {"type": "service_account", "client_email": "flows@team.example", "token_uri": "https://tokens.example", "private_key": "hunter2"}
BROKEN = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"


@pytest.fixture(scope="session")
def account() -> dict[str, str]:
    """A service account whose key is one."""
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return ACCOUNT | {"private_key": key}


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_told(gcs_server: GcsServer, storage_on: StorageOn, use: Callable[[OpenStorage], Any]) -> None:
    """Whatever is asked of it first: no missing bucket is taken for an absent value, though gcsfs has one error for both."""
    with attrs.evolve(storage_on(gcs_server), bucket="absent").open() as opened:
        with pytest.raises(StorageUnusable, match="there is no bucket 'absent'; make it, or correct its name") as raised:
            use(opened)
    assert not isinstance(raised.value, StorageAway), "nothing that waiting helps"


def test_nobody_at_the_address_is_told() -> None:
    """An address at which nobody listens may be one of a server that comes back; that is said in seconds, and nothing else is printed."""
    (port,) = free_ports(1)
    program = """
import sys, time
from headrace.errors import StorageAway
from headrace_gcs.storage import GcsStorage

uses = [lambda: opened.open("key"), lambda: opened.write("key", [b"value"])]
with GcsStorage(bucket="flows", endpoint_url=sys.argv[1]).open() as opened:
    for use in uses:
        start = time.monotonic()
        try:
            use()
        except StorageAway as error:
            print(error.why, time.monotonic() - start < 20)
"""
    command = [sys.executable, "-c", program, f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    told = done.stdout.splitlines()
    assert len(told) == 2
    assert all(line.startswith("it does not answer: Cannot connect") and line.endswith("True") for line in told)


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (
            401,
            {"error": "invalid_grant", "error_description": "Invalid JWT Signature."},
            "the credentials are refused: .*Invalid JWT Signature",
        ),
        (404, "<html>\n<p>not here</p>\n</html>", "the credentials are refused: <html> <p>not here</p> </html>"),
    ],
)
def test_refused_credentials_are_told(gcs_server: GcsServer, account: dict[str, str], status: int, answer: Any, why: str) -> None:
    """What the server of tokens says is told in one line, without the key."""
    with _tokens(status, answer) as url, _as(account, url, gcs_server).open() as opened:
        with pytest.raises(StorageUnusable, match=why) as raised:
            opened.exists("key")
    assert not isinstance(raised.value, StorageAway)
    assert "\n" not in str(raised.value)
    assert "PRIVATE" not in str(raised.value)


def test_a_server_of_tokens_that_is_gone_is_told(gcs_server: GcsServer, account: dict[str, str]) -> None:
    """It may come back."""
    (port,) = free_ports(1)
    with _as(account, f"http://127.0.0.1:{port}", gcs_server).open() as opened:
        with pytest.raises(StorageAway, match="the server that credentials are shown to does not answer"):
            opened.exists("key")


@pytest.mark.parametrize("given", ["info", "text", "file"])
def test_a_service_account_is_used(
    gcs_server: GcsServer, storage_on: StorageOn, account: dict[str, str], tmp_path: Path, given: str
) -> None:
    """Given in any way, it is shown to its server of tokens."""
    with _tokens(200, {"access_token": "a-token", "expires_in": 3600}) as url:
        info = account | {"token_uri": url}
        (tmp_path / "account.json").write_text(json.dumps(info))
        ways: dict[str, Any] = {
            "info": {"service_account_info": info},
            "text": {"service_account_info": json.dumps(info)},
            "file": {"service_account_file": str(tmp_path / "account.json")},
        }
        with attrs.evolve(storage_on(gcs_server), **ways[given]).open() as opened:
            opened.write("key", [b"value"])
            assert opened.open("key").read() == b"value"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (None, r"account.json' cannot be used: it cannot be read here \(No such file or directory\)"),
        ("hunter2", "account.json' cannot be used: it is no JSON"),
        ("[]", "account.json' cannot be used: it must be a mapping"),
        (json.dumps({"client_email": "hunter2"}), "account.json' cannot be used: it lacks private_key, token_uri"),
        (json.dumps(ACCOUNT | {"private_key": BROKEN}), "account.json' cannot be used: its private_key is none that can be read"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, written: str | None, why: str) -> None:
    """A file that is missing where the storage is opened, or holds something else, is named, and what is wrong with it."""
    if written is not None:
        (tmp_path / "account.json").write_text(written)
    with (
        pytest.raises(StorageUnusable, match=why) as raised,
        GcsStorage(bucket="flows", service_account_file=str(tmp_path / "account.json")).open(),
    ):
        pass
    assert "hunter2" not in str(raised.value)


def test_a_broken_key_is_told() -> None:
    """A key that looks like one and is none is refused at the opening, and not shown."""
    storage = GcsStorage(bucket="flows", service_account_info=ACCOUNT | {"private_key": BROKEN})
    with (
        pytest.raises(StorageUnusable, match="service_account_info cannot be used: its private_key is none that can be read") as raised,
        storage.open(),
    ):
        pass
    assert "hunter2" not in str(raised.value)


def test_missing_credentials_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no account is given and nothing is found on this machine, that is what is said."""
    _without_credentials(monkeypatch, tmp_path)
    with pytest.raises(StorageUnusable, match="no credentials are found: give service_account_info"), GcsStorage(bucket="flows").open():
        pass
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(StorageUnusable, match="no credentials are found: .*absent.json was not found"), GcsStorage(bucket="flows").open():
        pass


def test_credentials_of_the_machine_are_found(account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the environment names is taken."""
    _without_credentials(monkeypatch, tmp_path)
    (tmp_path / "account.json").write_text(json.dumps(account | {"project_id": "team"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    with GcsStorage(bucket="flows", project="another").open():
        pass


def test_secrets_are_not_shown(account: dict[str, str]) -> None:
    """The account is not in the repr."""
    shown = repr(GcsStorage(bucket="flows", service_account_info=account))
    assert "PRIVATE" not in shown
    assert "flows@" not in shown


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bucket": ""}, "bucket='' cannot be used"),
        ({"bucket": "flows/team"}, "what lies in it is the prefix"),
        ({"bucket": "gs://flows"}, "what lies in it is the prefix"),
        ({"bucket": "flows", "prefix": "a/../b"}, "prefix='a/../b' cannot be used"),
        ({"bucket": "flows", "endpoint_url": "127.0.0.1:9000"}, "it must be an address"),
        ({"bucket": "flows", "endpoint_url": "http://me:hunter2@host"}, "it must hold no user and no password"),
        ({"bucket": "flows", "service_account_info": "hunter2"}, "it must be a mapping"),
        ({"bucket": "flows", "service_account_info": {}}, "it lacks client_email, private_key, token_uri"),
        ({"bucket": "flows", "service_account_info": ACCOUNT | {"client_email": 7}}, "it lacks client_email;"),
        ({"bucket": "flows", "service_account_info": ACCOUNT}, "its private_key must be a key in PEM"),
        (
            {"bucket": "flows", "service_account_info": ACCOUNT | {"private_key": BROKEN}, "service_account_file": "account.json"},
            "service_account_info or service_account_file is given, not both",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], why: str) -> None:
    """What cannot be meant is refused when it is written, and no secret is shown."""
    with pytest.raises(InvalidOption, match=why) as raised:
        GcsStorage(**options)
    assert "hunter2" not in str(raised.value)


def _as(account: dict[str, str], tokens: str, server: GcsServer) -> GcsStorage:
    return GcsStorage(bucket="flows", service_account_info=account | {"token_uri": tokens}, endpoint_url=server.url)


@contextmanager
def _tokens(status: int, answer: Any) -> Iterator[str]:
    """The address of a server that answers everybody who asks for a token in the same way."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write((answer if isinstance(answer, str) else json.dumps(answer)).encode())

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def _without_credentials(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(home / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "True")
