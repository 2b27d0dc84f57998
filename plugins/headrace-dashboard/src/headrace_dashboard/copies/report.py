"""The report of a support bundle: what commands say of this installation."""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout

import click

COMMANDS = (("version",), ("doctor",), ("config", "view"))


def report(ctx: click.Context) -> Iterator[str]:
    """What each of the commands says, as if somebody had typed it."""
    for words in COMMANDS:
        yield f"$ headrace {' '.join(words)}\n{_said(ctx.find_root(), words)}\n"


def _said(root: click.Context, words: Sequence[str]) -> str:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            with root.command.make_context(root.info_name, list(words), parent=None, obj=root.obj, color=False) as ctx:
                root.command.invoke(ctx)
        except click.exceptions.Exit:  # something is broken, as it says
            pass
        except Exception as error:
            said.write(f"{type(error).__name__}: {error}\n")
    return said.getvalue()
