"""The console command `headrace`: commands are looked up by name and imported only when one is called.

This is the edge where every error becomes a line and an exit code: 1 for what could not be done, 2 for what was typed wrong, 130 after
Ctrl+C, 141 when the reader of a pipe went away.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

import click
from click.exceptions import NoArgsIsHelpError

from headrace import __version__
from headrace.cli import show
from headrace.cli.invocation import DEBUG, Invocation
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETE = "_HEADRACE_COMPLETE"
FAILED, MISTYPED, INTERRUPTED, READER_GONE = 1, 2, 130, 141


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command and tells its exit code."""
    try:
        return _run(arguments)
    finally:
        _leave_standard_error()


def _run(arguments: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold what this terminal cannot show
    try:
        with _plugin_warnings_shown(), _settings_warnings_told_once():
            if COMPLETE in os.environ:
                return _complete(os.environ[COMPLETE])
            with headrace.make_context("headrace", list(arguments), color=show.colour()) as ctx:
                headrace.invoke(ctx)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        _silence(sys.stdout)
        return READER_GONE
    except Exception as error:
        if os.environ.get(DEBUG) and not isinstance(error, (click.ClickException, click.Abort)):
            sys.excepthook(type(error), error, error.__traceback__)
        return _told(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _complete(instruction: str) -> int:
    """Answers a shell that asks what may be typed next."""
    from click.shell_completion import shell_complete

    return shell_complete(headrace, {}, "headrace", COMPLETE, instruction)


def _told(error: Exception) -> int:
    """Says what went wrong in a line."""
    if isinstance(error, NoArgsIsHelpError):
        error.show()
        return MISTYPED
    if isinstance(error, click.ClickException):
        show.error(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            show.remark(f"try: {error.ctx.command_path} --help")
        return error.exit_code
    if isinstance(error, click.Abort):
        if isinstance(error.__context__, KeyboardInterrupt):
            return INTERRUPTED
        show.error("aborted")
        return FAILED
    if isinstance(error, HeadraceError):
        show.error(str(error))
    elif isinstance(error, OSError) and error.strerror:
        show.error(_why_not(error))
        _silence(sys.stdout)
    else:
        sentence = f"this is a bug in headrace, please report it: {type(error).__name__}: {error}"
        show.error(sentence if os.environ.get(DEBUG) else f"{sentence} ({DEBUG}=1 shows where)")
    return FAILED


def _why_not(error: OSError) -> str:
    """What the system refused."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return f"{error.strerror}: the current folder was deleted; change to one that is there"
    return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"


def _leave_standard_error() -> None:
    """What could not be said by now never will be, and is no reason for another exit code."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Lets Python end without complaining about what it could not write: a pipe that nobody reads, a disk that is full."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _WarningLines(logging.Handler):
    """Shows each warning once, though plugins may be looked for twice."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage()
        if sentence not in self._seen:
            self._seen.add(sentence)
            show.warning(sentence)


@contextmanager
def _plugin_warnings_shown() -> Iterator[None]:
    logger, handler = logging.getLogger("headrace.plugins"), _WarningLines()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _settings_warnings_told_once() -> Iterator[None]:
    """Inside, what is wrong with settings is told by the invocation alone; who opens them would log it once more."""
    logger, handler = logging.getLogger("headrace.settings"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Commands(click.Group):
    """The commands of all plugins; lists are made of what their providers say, so that no command is imported to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _invocation(ctx).registry.offers("command") if _is_first(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        registry = _invocation(ctx).registry
        is_there = _is_first(cmd_name) and registry.has("command", cmd_name)
        command: click.Command | None = registry.load("command", cmd_name) if is_there else None
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.list_commands(ctx) and not ctx.resilient_parsing:
            raise click.UsageError(f"no command named {args[0]!r}{show.near(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        offers = _invocation(ctx).registry.offers("command")
        with formatter.section("Commands"):
            rows = [(name, found[0].provider.summary) for name, found in offers.items() if _is_first(name)]
            formatter.write_dl(rows or [("none", "all are blocked")])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        offers = _invocation(ctx).registry.offers("command")
        found = [
            CompletionItem(name, help=offers[name][0].provider.summary) for name in self.list_commands(ctx) if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _is_first(name: str) -> bool:
    """Whether a command comes first; one of two words belongs to the group that is named by its first."""
    return " " not in name


def _invocation(ctx: click.Context) -> Invocation:
    root = ctx.find_root()
    if root.obj is None:
        root.obj = Invocation(os.environ, profile=root.params.get("profile"))
    invocation: Invocation = root.obj
    return invocation


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    click.echo(f"headrace {__version__}")
    ctx.exit()


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-p", "--profile", metavar="NAME", is_eager=True, help="Use the settings of this profile.")
@click.option("-v", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version and exit.")
def headrace(**_options: Any) -> None:
    """Leads flows to where they run."""
