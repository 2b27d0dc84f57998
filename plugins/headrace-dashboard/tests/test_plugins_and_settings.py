"""Plugins and settings of the server, as it tells them."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from servers.own import headrace_server

import headrace
from headrace.settings import SETTINGS


@pytest.fixture
def another(home: Path) -> Iterator[httpx.Client]:
    """The dashboard of a server with settings of its own, some of them secret, some of them wrong."""
    home.mkdir(parents=True)
    (home / "profiles.toml").write_text(
        'active = "shop"\n[profiles.shop]\nlog_level = "DEBUG"\nplugins_blocked = ["headrace-pickle"]\napi_token = "hunter-two"\n'
    )
    with headrace_server(home, "--no-services") as api, httpx.Client(base_url=api.removesuffix("api")) as http:
        yield http


def test_plugins(site: Any) -> None:
    """Each distribution with its version and what it offers, by port."""
    said = site.text("plugins")
    assert f"headrace-core {headrace.__version__} Kind Name About command agent" in said
    assert "queue matcher deployments Runs of one of these deployments flow_runners" in said
    assert "run store sqlite Runs in an SQLite file" in said
    assert "Cannot be used" not in said


def test_what_is_blocked(another: httpx.Client) -> None:
    """It is told, with why."""
    html = another.get("plugins").text
    assert "Blocked" in html
    assert "blocked by the setting plugins_blocked" in html
    assert "Almost any Python value" not in html


def test_settings(site: Any, home: Path) -> None:
    """All of them, with what they mean and where their values are from; and what the server is."""
    said = site.text("settings")
    for name, field in SETTINGS.items():
        assert f"{name} {field.metadata['meaning']}" in said
    assert f"home the folder of runs, results and profiles {home} environment HEADRACE_HOME" in said
    assert f"headrace {headrace.__version__} Python {platform.python_version()}" in said
    assert f"sqlite path {home / 'headrace.db'}" in said


def test_where_settings_are_from(another: httpx.Client, home: Path) -> None:
    """A profile is named with its file; a secret is not shown, wherever it is from."""
    html = another.get("settings").text
    assert "hunter-two" not in html
    assert "*** hidden" in html
    assert f"profile shop in {home / 'profiles.toml'}" in html
    assert "<dt>Profiles</dt><dd>default, shop</dd>" in html
    assert "<code>DEBUG</code>" in html
