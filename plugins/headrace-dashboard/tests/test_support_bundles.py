"""Support bundles: copies in whose files no secret is, wherever it was."""

import json
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import attrs
import pytest
from servers.own import COMMAND, environment, headrace_server

from headrace.cli.hidden_secrets import HiddenSecrets
from headrace.model.choices import Choice
from headrace.model.logs import LogLine
from headrace.model.results import ResultReference
from headrace.model.states import State
from headrace.model.storages import NamedStorage
from headrace_dashboard.copies.sweeping import swept, without_keys

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"
KEY = ("-----BEGIN RSA PRIVATE KEY-----", "cGxhbnRlZC1rZXktYW5kLW1vcmUtb2YtaXQ", "c2hvcnQ=", "-----END RSA PRIVATE KEY-----")

PLANTED = {
    "a parameter": "planted-parameter-<1>",
    "a part of a parameter": "planted&nested-2",
    "a line": "planted-line-3",
    "a token in a line": "planted.bearer.4",
    "a variable": "planted-variable-5",
    "a setting": "planted-setting-6-long-enough-to-be-one",
    "an option of a storage": "planted-option-7",
    "what is referred to": "planted-reference-8",
    "an address": "planted-address-9",
    "a file": "planted-file-10",
    "a result": "planted-result-11",
    "a key of a cloud": "AKIAIOSFODNN7PLANTED",
    "a JWT": JWT,
    "a private key": KEY[1],
    "the last line of a key": KEY[2],
}


@pytest.fixture
def variables(tmp_path: Path) -> Mapping[str, str]:
    """Those of whoever makes the bundle."""
    (tmp_path / "secret").write_text(PLANTED["a file"])
    return {
        "DB_PASSWORD": PLANTED["a variable"],
        "HEADRACE_API_TOKEN": PLANTED["a setting"],
        "PLANTED_REFERENCE": PLANTED["what is referred to"],
    }


@pytest.fixture
def full(kept: Any, tmp_path: Path) -> Any:
    """A house in which secrets are wherever somebody may have left one."""
    client, now = kept.house.client, kept.house.clock.now()
    options = {"bucket": "flows", "endpoint_url": "http://127.0.0.1:1"}
    storage = NamedStorage(id="storage-1", name="prod", choice=Choice("s3", options), created=now, updated=now)
    client.put_storage(storage, {"aws_secret_access_key": PLANTED["an option of a storage"]})
    kept.deployment(
        description=f"See https://leo:{PLANTED['an address']}@host/x.",
        flow_runner=Choice("subprocess", {"env": {"SOME": "secret://env/PLANTED_REFERENCE", "OTHER": f"secret://file/{tmp_path}/secret"}}),
        parameter_schema={"type": "object", "properties": {"db_password": {"type": "string", "default": PLANTED["a parameter"]}}},
        parameters={"db_password": PLANTED["a parameter"]},
    )
    parameters = {"db_password": PLANTED["a parameter"], "rows": 3, "deep": [{"apiKey": [PLANTED["a part of a parameter"]]}]}
    bad = kept.script_run("bad", State.running(), deployment_id="etl-daily", parameters=parameters)
    task = kept.task(bad, "load", state=State.failed(message=f"no way to postgresql://leo:{PLANTED['an address']}@db/x"))
    lines = [
        f"connecting with {PLANTED['a parameter']} and {PLANTED['a part of a parameter']}",
        f"password={PLANTED['a line']}, sorry; and again {PLANTED['a line']}",
        f"Authorization: Bearer {PLANTED['a token in a line']}",
        *(f"it was {PLANTED[name]}!" for name in ("a variable", "a setting", "an option of a storage", "what is referred to", "a file")),
        f"{PLANTED['a key of a cloud']} {JWT}",
        *KEY,
        "the flow ends here",
    ]
    kept.journal(bad, *lines, tasks=(task,))
    kept.move(bad.id, State.failed(message=f"token: {PLANTED['a line']}"))
    value = json.dumps({"count": 3, "session_token": PLANTED["a result"]})
    result = ResultReference(serializer="json", size=len(value), sha256="0" * 64, storage=Choice("local"), inline=value)
    kept.script_run("with-result", State.running(), attrs.evolve(State.completed(), reference=result))
    for number in range(3):
        kept.script_run(f"good-{number}", State.running(), State.completed())
    return kept


def exported(home: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    command = [COMMAND, "dashboard", "export", *words]
    return subprocess.run(command, env=environment(home, **more), cwd=folder, capture_output=True, text=True, check=True)


def contents(path: Path) -> dict[str, bytes]:
    """All files of a copy, by name."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with zipfile.ZipFile(path) as packed:
        return {name.partition("/")[2]: packed.read(name) for name in packed.namelist()}


def told(content: bytes) -> str:
    """What is in a file, without how a page writes it."""
    return unescape(content.decode())


@pytest.mark.parametrize("target", ["bundle", "bundle.zip"])
def test_no_secret_is_in_it(full: Any, home: Path, tmp_path: Path, variables: Mapping[str, str], target: str) -> None:
    """None of what was planted is in any file, in whatever way it is written there; all else is, and it is said what was done."""
    done = exported(home, tmp_path, target, "--support", **variables)
    found = contents(tmp_path / target)
    for where, secret in PLANTED.items():
        assert [name for name, content in found.items() if secret.encode() in content or secret in told(content)] == [], where
    bad = next(told(content) for name, content in found.items() if name.endswith("log.txt") and b"the flow ends here" in content)
    assert "connecting with *** and ***" in bad
    assert "password=***, sorry; and again ***" in bad
    run = next(told(content) for name, content in found.items() if name.startswith("flow-runs/") and b"<h1>bad" in content)
    assert '"db_password": "***"' in run
    assert '"rows": 3' in run
    assert "postgresql://***@db/x" in run
    result = next(told(content) for name, content in found.items() if name.startswith("flow-runs/") and b"<h1>with-result" in content)
    assert '"session_token": "***"' in result
    assert "secrets were replaced by ***, in " in done.stderr
    assert "look through it before you send it" in done.stderr
    assert done.stdout.startswith("copied ")


def test_the_report(full: Any, home: Path, tmp_path: Path, variables: Mapping[str, str]) -> None:
    """What three commands say is in it, without secrets; the pages say that they are a support bundle's."""
    exported(home, tmp_path, "bundle", "--support", **variables)
    report = (tmp_path / "bundle" / "report.txt").read_text()
    for words in ("$ headrace version", "$ headrace doctor", "$ headrace config view", "run store", f"home       {home}"):
        assert words in report
    assert "without what looked like a secret" in (tmp_path / "bundle" / "index.html").read_text()
    exported(home, tmp_path, "copy", "--page", "agents", **variables)
    assert not (tmp_path / "copy" / "report.txt").exists()


def test_failed_runs_come_first(full: Any, home: Path, tmp_path: Path) -> None:
    """Where not all can be in it, they are, however old."""
    exported(home, tmp_path, "bundle", "--support", "--flow-runs", "1")
    exported(home, tmp_path, "copy", "--flow-runs", "1")
    (bundled,) = (tmp_path / "bundle" / "flow-runs").glob("*.html")
    (copied,) = (tmp_path / "copy" / "flow-runs").glob("*.html")
    assert "<h1>bad" in bundled.read_text()
    assert "<h1>good-2" in copied.read_text()


def test_without_logs_and_parameters(full: Any, home: Path, tmp_path: Path, variables: Mapping[str, str]) -> None:
    """They can be left out altogether."""
    exported(home, tmp_path, "bundle", "--support", "--without-logs", "--without-parameters", **variables)
    found = contents(tmp_path / "bundle")
    assert not [name for name in found if name.endswith("log.txt")]
    assert not [name for name, content in found.items() if b"connecting with" in content or b'"rows"' in content or b"rows&#34;" in content]


def test_from_a_server(full: Any, home: Path, tmp_path: Path, variables: Mapping[str, str]) -> None:
    """Whoever may only look is told of which storages the secrets cannot be known; the token is in no file."""
    made = subprocess.run(
        [COMMAND, "server", "token", "--here", "create", "me", "--scope", "viewer", "--json"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    token = json.loads(made.stdout)["token"]
    with headrace_server(home, "--no-services", "--require-token") as api:
        here = {**variables, "HEADRACE_API_URL": api, "HEADRACE_API_TOKEN": token}
        done = exported(tmp_path / "elsewhere", tmp_path, "bundle.zip", "--support", **here)
    assert "the secrets of storage 'prod' cannot be read from here" in done.stderr
    found = contents(tmp_path / "bundle.zip")
    assert not [name for name, content in found.items() if token.encode() in content]
    assert not [name for name, content in found.items() if PLANTED["a parameter"] in told(content)]


# Sweeping


def test_pages_stay_pages() -> None:
    """What people read is swept, also where it is written for a page; tags and links stay."""
    hidden = HiddenSecrets(("a<b",))
    page = '<a href="x?token=abc" title="token=abc">password=&#34;x&#34; and a&lt;b</a><meta content="secret: x">'
    assert swept(page, hidden, is_html=True) == '<a href="x?token=abc" title="token=***">password=*** and ***</a><meta content="secret: x">'
    assert hidden.replaced == {"abc", "x", "a<b"}


def test_a_key_that_was_printed_line_by_line() -> None:
    """Its lines are gone, those of other runs and those after it are not."""
    hidden, now = HiddenSecrets(()), datetime.now(UTC)
    texts = [("one", KEY[0]), ("other", "stays"), ("one", "abc"), ("one", KEY[3]), ("one", "after")]
    lines = [
        LogLine(id=f"{number}", flow_run_id=run, timestamp=now, level=20, logger="x", message=text)
        for number, (run, text) in enumerate(texts)
    ]
    shown = [line.message for line in without_keys(lines[::-1], hidden)][::-1]
    assert shown == [KEY[0], "stays", "***", "***", "after"]
