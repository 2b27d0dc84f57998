"""docs/command_line.md shows what `--help` shows. Run this file as a program to write the page's second half anew."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from headrace.cli.invocation import Invocation
from headrace.cli.main import headrace
from headrace.hooks.registry import discovered

PAGE = Path(__file__).parents[2] / "docs" / "command_line.md"
START = "<!-- the commands, from their help -->\n"
CORE = "headrace-core"


def sections() -> str:
    """The help of `headrace` and of every command of core, each under its heading."""
    others = sorted({plugin.dist for plugin in discovered()} - {CORE})
    root = click.Context(headrace, info_name="headrace", terminal_width=80, help_option_names=["-h", "--help"])
    root.obj = Invocation({"HEADRACE_PLUGINS_BLOCKED": ",".join(others)})
    with root:
        return "".join(f"\n## `{context.command_path}`\n\n```text\n{context.get_help()}\n```\n" for context in contexts(root))


def contexts(context: click.Context) -> Iterator[click.Context]:
    """This command and those below it."""
    yield context
    command = context.command
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from contexts(click.Context(found, parent=context, info_name=name))


def test_the_page_shows_every_command() -> None:
    """The page has the help text of each command, as a terminal of 80 columns shows it."""
    found = PAGE.read_text().partition(START)[2]
    assert found == sections(), f"python {Path(__file__).name} writes it anew"


def test_help_fits_a_terminal() -> None:
    """No line of any help is longer than 80 characters, and no summary in it is cut short."""
    lines = sections().splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if line.startswith("  ") and line.endswith("...")] == []


if __name__ == "__main__":
    before, _, _ = PAGE.read_text().partition(START)
    PAGE.with_suffix(".new").write_text(before + START + sections())
    os.replace(PAGE.with_suffix(".new"), PAGE)
