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
    shown = headrace("plugins", "show", "acme").stdout
    assert "summary  Keeps results in the ACME vault\n" in shown
    assert headrace("plugins", "show", "memory").stdout.count("name     memory\n") == 2


def test_show_for_programs(headrace: Headrace, plugin: Plugin) -> None:
    """It is one object with what all that goes by the name shares, and the rows of these as in the list."""
    plugin(acme_plugin=VAULT)
    (row,) = [row for row in rows(headrace) if row["dist"] == "acme"]
    for arguments in (("--json", "show", "acme"), ("show", "acme", "--json")):
        assert json.loads(headrace("plugins", *arguments).stdout) == {**row, "rows": [row]}
    memory = json.loads(headrace("plugins", "show", "memory", "--json").stdout)
    assert (memory["name"], memory["kind"], memory["dist"], memory["status"]) == ("memory", None, "headrace-core", "ok")
    assert [row["kind"] for row in memory["rows"]] == ["run store", "storage"]
    core = json.loads(headrace("plugins", "show", "headrace-core", "--json").stdout)
    assert core["rows"] == [row for row in rows(headrace) if row["dist"] == "headrace-core"]


def test_show_of_what_is_partly_broken(headrace: Headrace, plugin: Plugin) -> None:
    """The gravest status counts, with its reason."""
    plugin("bolt", bolt_plugin=VAULT)
    plugin("acme", acme_plugin="raise RuntimeError('the vault is shut')")
    found = json.loads(headrace("plugins", "show", "acme", "--json").stdout)
    assert (found["status"], found["reason"], found["dist"]) == ("failed", "RuntimeError: the vault is shut", None)
    assert sorted(row["status"] for row in found["rows"]) == ["failed", "ok"]


def test_show_of_what_is_not_there(headrace: Headrace) -> None:
    """An unknown name is an error that says where to look."""
    shown = headrace("plugins", "show", "nowhere")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: no plugin 'nowhere'; list what is there with `headrace plugins`\n"


GROWING = """
    import click
    from headrace.hooks import Provider, hookimpl

    @hookimpl
    def headrace_commands():
        yield Provider("plugins new", "acme_plugin:new", "Grow a plugin")

    @click.command(help="Grow a plugin.")
    @click.argument("name")
    def new(name):
        click.echo(f"{name} has grown")
"""


def test_growing_comes_with_a_plugin(headrace: Headrace, plugin: Plugin) -> None:
    """`headrace plugins new` is there when something brings it, beside `show` and not among the first commands."""
    plugin(acme_plugin=GROWING)
    blocked = {"HEADRACE_PLUGINS_BLOCKED": "headrace-plugin-template"}
    assert headrace("plugins", "new", "vault", more=blocked).stdout == "vault has grown\n"
    assert "new   Grow a plugin" in headrace("plugins", "--help", more=blocked).stdout
    assert "plugins new" not in headrace("--help", more=blocked).stdout


def test_growing_that_nobody_brings(headrace: Headrace) -> None:
    """It says what to install, and is not listed."""
    blocked = {"HEADRACE_PLUGINS_BLOCKED": "headrace-plugin-template"}
    shown = headrace("plugins", "new", "storage", "vault", more=blocked)
    assert shown.returncode == 1
    assert shown.stderr.endswith("pip install headrace-plugin-template\n")
    assert " new " not in headrace("plugins", "--help", more=blocked).stdout
