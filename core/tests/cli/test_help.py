"""`headrace --help` and its like."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import click
import pytest

from headrace.cli.invocation import Invocation
from headrace.cli.main import headrace as headrace_command
from headrace.hooks.registry import discovered

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]

COMMANDS = {
    "concurrency-limit": "Say how many task runs with a tag may run at once",
    "config": "Look at settings, and change them",
    "doctor": "Tell what is installed, and what is broken",
    "flow-run": "Look at flow runs, their states and their logs",
    "plugins": "List what is installed, and what cannot be used",
    "profile": "Look after profiles: settings under a name",
    "task-run": "Look at the task runs of flow runs",
    "version": "Show versions, the home, and the store or API in use",
    "work-queue": "Look after the work queues that agents take runs from",
}
WIDTH = max(map(len, COMMANDS))


def test_help_lists_every_command_with_its_summary(headrace: Headrace) -> None:
    """Each command of core stands in the help with the line its provider gives."""
    shown = headrace("--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    for name, summary in COMMANDS.items():
        assert f"  {name:<{WIDTH}}  {summary}\n" in shown.stdout
    assert headrace("-h").stdout == shown.stdout


def test_help_imports_little(environment: dict[str, str]) -> None:
    """Help imports no command's module, and nothing that is slow to import."""
    program = "import json, sys; from headrace.cli.main import run; run(['--help']); print('\\n' + json.dumps(sorted(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60)
    modules = set(json.loads(shown.stdout.splitlines()[-1]))
    assert "headrace.cli.plugin" in modules
    slow = {"asyncio", "cattrs", "sqlite3", "fsspec", "cloudpickle", "headrace.instance", "headrace.wire.plain"}
    assert not modules & (slow | {f"headrace.cli.{name.replace('-', '_')}" for name in COMMANDS})


def test_help_lists_the_commands_of_plugins(headrace: Headrace, plugin: Plugin) -> None:
    """A plugin's command is listed though its module cannot even be imported."""
    plugin(
        acme_plugin="""
            from headrace.hooks import Provider, hookimpl

            @hookimpl
            def headrace_commands():
                yield Provider("vault", "acme_not_there:vault", "Look after the vault")
        """
    )
    shown = headrace("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"  {'vault':<{WIDTH}}  Look after the vault\n" in shown.stdout


def test_a_plugin_command_gets_the_settings(headrace: Headrace, acme: Callable[[str], None]) -> None:
    """A plugin's command runs like any other, with the settings of the call."""
    acme("click.echo(invocation.settings.log_level)")
    assert headrace("vault", more={"HEADRACE_LOG_LEVEL": "error"}).stdout == "ERROR\n"


def test_without_arguments_help_is_shown(headrace: Headrace) -> None:
    """`headrace` alone says what there is, as a mistake: nothing was asked."""
    shown = headrace()
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "Commands:" in shown.stderr


def test_help_needs_no_usable_settings(headrace: Headrace) -> None:
    """Help, of the whole and of a command, works though a setting cannot be used."""
    for arguments in (("--help",), ("flow-run", "--help"), ("flow-run", "ls", "--help")):
        shown = headrace(*arguments, more={"HEADRACE_LEASE_SECONDS": "soon"})
        assert (shown.returncode, shown.stderr) == (0, ""), arguments


@pytest.mark.parametrize("blocked", ["headrace-core", "commands", "headrace-core,commands"])
def test_help_without_commands(headrace: Headrace, blocked: str) -> None:
    """Where everything is blocked, help still works, and what mends settings is there."""
    others = sorted({plugin.dist for plugin in discovered()} - {"headrace-core"})
    more = {"HEADRACE_PLUGINS_BLOCKED": ",".join([blocked, *others])}
    listed = headrace("--help", more=more).stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == ["config", "doctor", "plugins", "profile", "version"]
    assert headrace("flow-run", "ls", more=more).returncode == 2
    for arguments in (("config", "view"), ("config", "unset", "--help"), ("profile", "ls"), ("version", "--json")):
        shown = headrace(*arguments, more=more)
        assert (shown.returncode, shown.stderr) == (0, ""), arguments


def test_json_everywhere() -> None:
    """Every command that shows something shows it as JSON too; those that only change something need not."""
    root = click.Context(headrace_command, info_name="headrace", obj=Invocation({}), **headrace_command.context_settings)
    silent = {"agent start", "kv-server start", "server start", "services start", "config set", "config unset", "plugins new"} | {
        f"profile {do}" for do in ("create", "delete", "rename", "use")
    }
    silent |= {"docker build", "kubernetes manifest agent", "kubernetes manifest server"}  # an image is made, and YAML is what is asked for
    with root:
        without = {path for path, command in commands(root) if not any(each.name == "as_json" for each in command.params)}
    assert without <= silent


def commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """The commands below one, by what is typed for each."""
    assert isinstance(context.command, click.Group)
    for name in context.command.list_commands(context):
        found = context.command.get_command(context, name)
        assert found is not None
        below = click.Context(found, parent=context, info_name=name)
        if isinstance(found, click.Group):
            yield from commands(below)
        else:
            yield below.command_path.removeprefix("headrace "), found


def test_short_version(headrace: Headrace) -> None:
    """`-v` and `--version` give the version on one line."""
    from headrace import __version__

    assert headrace("-v").stdout == headrace("--version").stdout == f"headrace {__version__}\n"


def test_shells_can_complete_commands(headrace: Headrace, plugin: Plugin) -> None:
    """A shell that asks is given the commands that fit, with their summaries, and no module is imported for it."""
    plugin(
        acme_plugin="""
            from headrace.hooks import Provider, hookimpl

            @hookimpl
            def headrace_commands():
                yield Provider("flow-chart", "acme_not_there:chart", "Draw a flow")
        """
    )
    asked = {"_HEADRACE_COMPLETE": "zsh_complete", "COMP_WORDS": "headrace flow", "COMP_CWORD": "1"}
    shown = headrace(more=asked)
    assert shown.stdout.split("\n") == ["plain", "flow-chart", "Draw a flow", "plain", "flow-run", COMMANDS["flow-run"], ""]
