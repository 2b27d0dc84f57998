"""`headrace plugins`."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]

VAULT = """
    from headrace.hooks import Provider, hookimpl

    @hookimpl
    def headrace_storages():
        yield Provider("acme", "acme_storage:Vault", "Keeps results in the ACME vault")
"""


def rows(headrace: Headrace, *arguments: str, **more: str) -> list[dict[str, Any]]:
    """The rows as JSON."""
    shown = headrace("plugins", *arguments, "--json", more=more)
    assert shown.returncode == 0
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


def test_what_core_offers(headrace: Headrace) -> None:
    """Everything that core offers is a row, found like that of any plugin."""
    found = {(row["kind"], row["name"]): row for row in rows(headrace)}
    for what in (
        ("run store", "memory"),
        ("storage", "memory"),
        ("serializer", "json"),
        ("task runner", "sequential"),
        ("command", "plugins"),
    ):
        row = found[what]
        assert (row["dist"], row["status"], row["reason"]) == ("headrace-core", "ok", "")


def test_a_plugin_is_a_row_for_each_offer(headrace: Headrace, plugin: Plugin) -> None:
    """A provider's row says what it is, who brings it, and in which version."""
    plugin(acme_plugin=VAULT)
    (row,) = [row for row in rows(headrace) if row["dist"] == "acme"]
    expected = {"name": "acme", "kind": "storage", "version": "1.0", "status": "ok", "reason": ""}
    assert {name: row[name] for name in expected} == expected
    assert "acme" in headrace("plugins").stdout


def test_a_blocked_plugin(headrace: Headrace, plugin: Plugin) -> None:
    """A blocked plugin is a row that says so, and offers nothing."""
    plugin(acme_plugin=VAULT)
    (row,) = [row for row in rows(headrace, HEADRACE_PLUGINS_BLOCKED="acme") if row["dist"] == "acme"]
    assert (row["name"], row["kind"], row["status"]) == ("acme", "plugin", "blocked")
    assert "plugins_blocked" in row["reason"]


def test_a_failed_plugin(headrace: Headrace, plugin: Plugin) -> None:
    """A plugin that cannot be imported is a row with the reason; the list is no failure."""
    plugin(acme_plugin="raise RuntimeError('the vault is shut')")
    (row,) = [row for row in rows(headrace) if row["dist"] == "acme"]
    assert (row["status"], row["reason"]) == ("failed", "RuntimeError: the vault is shut")
    shown = headrace("plugins")
    assert shown.returncode == 0
    assert "the vault is shut" in shown.stdout


def test_show(headrace: Headrace, plugin: Plugin) -> None:
    """A name shows all that goes by it: provider, plugin or distribution."""
    plugin(acme_plugin=VAULT)
    assert [row["kind"] for row in rows(headrace, "show", "memory")] == ["run store", "storage"]
    assert {row["dist"] for row in rows(headrace, "show", "headrace-core")} == {"headrace-core"}
    shown = headrace("plugins", "show", "acme").stdout
    assert "summary  Keeps results in the ACME vault\n" in shown
    assert json.loads(headrace("plugins", "--json", "show", "acme").stdout)[0]["name"] == "acme"


def test_show_of_what_is_not_there(headrace: Headrace) -> None:
    """An unknown name is an error that says where to look."""
    shown = headrace("plugins", "show", "nowhere")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: no plugin 'nowhere'; list what is there with `headrace plugins`\n"
