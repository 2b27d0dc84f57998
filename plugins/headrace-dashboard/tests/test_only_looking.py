"""Who may only look sees all pages that look after things, and nothing on them that would change any."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from re import findall

import httpx2 as httpx
import pytest
from servers.own import COMMAND, environment, headrace_server

PAGES = (
    "work-queues",
    "work-queues/new",
    "work-queues/prod",
    "agents",
    "storages",
    "storages/new/local",
    "storages/here",
    "concurrency-limits",
    "plugins",
    "settings",
)


def command(home: Path, *words: str) -> str:
    """What a command says."""
    return subprocess.run([COMMAND, *words], env=environment(home), capture_output=True, text=True, check=True).stdout


@pytest.fixture
def http(home: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """A browser in which somebody has signed in who may only look; there is one of everything."""
    command(home, "work-queue", "create", "prod", "--tag", "prod")
    command(home, "storage", "create", "local", "--name", "here", "--path", str(tmp_path / "kept"))
    command(home, "concurrency-limit", "create", "db", "1")
    token = json.loads(command(home, "server", "token", "--here", "create", "me", "--scope", "viewer", "--json"))["token"]
    with headrace_server(home, "--no-services", "--require-token") as api:
        with httpx.Client(base_url=api.removesuffix("api"), headers={"Accept": "text/html"}) as client:
            client.post("login", data={"do": "login", "token": token})
            yield client


def test_nothing_can_be_done(http: httpx.Client) -> None:
    """No page has a form that does anything but sign out, and what is asked for all the same is refused."""
    for page in PAGES:
        answer = http.get(page)
        assert answer.status_code == 200, page
        assert set(findall(r'name="do" value="([a-z]+)"', answer.text)) == {"logout"}, page
        assert "New work queue</a>" not in answer.text
        assert "New…" not in answer.text
        for what in ("save", "pause", "delete", "check", "default", "set", "create", "preview", "unschedule"):
            assert http.post(page, data={"do": what, "name": "x", "tag": "db", "limit": "1"}).status_code == 403, (page, what)
