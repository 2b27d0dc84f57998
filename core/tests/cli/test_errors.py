"""The edge: every error becomes a line and an exit code."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]
Acme = Callable[[str], None]


def test_an_unknown_command_suggests_the_near_one(headrace: Headrace) -> None:
    """What was meant is named, and the exit code says that it was typed wrong."""
    shown = headrace("flow-rum", "ls")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == "error: no command named 'flow-rum'; did you mean 'flow-run'?\ntry: headrace --help\n"


def test_an_unknown_command_without_a_near_one(headrace: Headrace) -> None:
    """Where nothing is near, all commands are named."""
    shown = headrace("xyz")
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: no command named 'xyz'; there are: agent, concurrency-limit, config, ")
    assert ", deployment, " in shown.stderr
    assert ", flow-run, " in shown.stderr


@pytest.mark.parametrize("arguments", [("flow-run", "ls", "--limt", "3"), ("flow-run", "ls", "--limit", "many"), ("flow-run", "inspect")])
def test_what_is_typed_wrong_is_a_line(headrace: Headrace, arguments: tuple[str, ...]) -> None:
    """A wrong option or a missing argument gives a line, the way to help, and exit code 2."""
    shown = headrace(*arguments)
    error, hint = shown.stderr.splitlines()
    assert shown.returncode == 2
    assert error.startswith("error: ")
    assert hint == f"try: headrace {arguments[0]} {arguments[1]} --help"


def test_without_a_lasting_run_store(headrace: Headrace) -> None:
    """A command that needs runs refuses a store that ends with the process, and says what to install."""
    for arguments in (("flow-run", "ls"), ("flow-run", "logs", "x"), ("task-run", "ls", "--json"), ("flow-run", "delete", "x")):
        shown = headrace(*arguments)
        assert (shown.returncode, shown.stdout) == (1, ""), arguments
        assert shown.stderr.startswith("error: the run store in use is gone when its process ends")
        assert shown.stderr.count("\n") == 1


def test_an_error_of_headrace_is_one_line(headrace: Headrace, acme: Acme) -> None:
    """However its sentence is broken, it is one line, and control characters in it do nothing."""
    acme("from headrace.errors import WrongData; raise WrongData(where='here', why='a\\nb \\x1b[31mc')")
    shown = headrace("vault")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: here: a b \\x1b[31mc\n"


def test_a_bug_is_one_line(headrace: Headrace, acme: Acme) -> None:
    """An exception that nobody foresaw is called a bug, in a line; the traceback is there for who asks."""
    acme("{}['key']")
    shown = headrace("vault")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: this is a bug in headrace, please report it: KeyError: 'key' (HEADRACE_DEBUG=1 shows where)\n"
    debugged = headrace("vault", more={"HEADRACE_DEBUG": "1"})
    assert debugged.returncode == 1
    assert "Traceback" in debugged.stderr
    assert debugged.stderr.endswith("error: this is a bug in headrace, please report it: KeyError: 'key'\n")


def test_debug_is_no_unknown_setting(headrace: Headrace) -> None:
    """HEADRACE_DEBUG is not warned about."""
    assert headrace("version", more={"HEADRACE_DEBUG": "1"}).stderr == ""


def test_interrupted(headrace: Headrace, acme: Acme) -> None:
    """Ctrl+C ends a command with exit code 130 and no traceback."""
    acme("os.kill(os.getpid(), signal.SIGINT); signal.pause()")
    shown = headrace("vault")
    assert (shown.returncode, shown.stdout, shown.stderr.strip()) == (130, "", "")


def test_a_question_without_an_answer(headrace: Headrace, acme: Acme) -> None:
    """A command that asks where nobody can answer ends with a line."""
    acme("click.prompt('who', err=True)")
    shown = headrace("vault")
    assert shown.returncode == 1
    assert shown.stderr.endswith("error: aborted\n")


def test_the_exit_code_of_a_command(headrace: Headrace, acme: Acme) -> None:
    """A command may choose its exit code."""
    acme("click.get_current_context().exit(7)")
    assert headrace("vault").returncode == 7


def test_a_reader_that_goes_away(acme: Acme, command: tuple[str, ...], environment: dict[str, str]) -> None:
    """A pipe whose reader has had enough ends the command quietly."""
    acme("while True: click.echo('line')")
    with subprocess.Popen([*command, "vault"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(command: tuple[str, ...], environment: dict[str, str]) -> None:
    """What the system refuses is said in its words; it is no bug."""
    with Path("/dev/full").open("w") as full:
        shown = subprocess.run(
            [*command, "version"], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert (shown.returncode, shown.stderr) == (1, "error: No space left on device\n")


def test_names_that_the_terminal_cannot_show(headrace: Headrace, acme: Acme) -> None:
    """A character that the output cannot hold is shown by its number."""
    acme("click.echo('hoehe \\u6c34 \\udc80')")
    assert headrace("vault", more={"PYTHONIOENCODING": "latin-1"}).stdout == "hoehe \\u6c34 \\udc80\n"


# Plugins


def test_a_broken_plugin_is_a_warning(headrace: Headrace, plugin: Plugin) -> None:
    """A plugin that cannot be imported is warned of once, and everything else works."""
    plugin(acme_plugin="import not_there_at_all\n")
    for arguments in (("--help",), ("version",), ("flow-run", "ls")):
        shown = headrace(*arguments)
        warnings = [line for line in shown.stderr.splitlines() if line.startswith("warning: ")]
        expected = "warning: Plugin 'acme' of acme cannot be used: ModuleNotFoundError: No module named 'not_there_at_all'"
        assert warnings == [expected], arguments
    assert headrace("version").returncode == 0


def test_a_command_that_cannot_be_imported(headrace: Headrace, plugin: Plugin) -> None:
    """A plugin's command whose module is broken is an error in a line that names the plugin."""
    plugin(
        acme_plugin="""
            from headrace.hooks import Provider, hookimpl

            @hookimpl
            def headrace_commands():
                yield Provider("vault", "acme_not_there:vault", "Look after the vault")
        """
    )
    shown = headrace("vault")
    assert shown.returncode == 1
    assert shown.stderr == "error: command 'vault' of acme cannot be loaded: ModuleNotFoundError: No module named 'acme_not_there'\n"


def test_two_commands_of_one_name(headrace: Headrace, plugin: Plugin) -> None:
    """Two plugins with one command: it is refused with both named, and the other commands work."""
    source = """
        from headrace.hooks import Provider, hookimpl

        @hookimpl
        def headrace_commands():
            yield Provider("vault", "json:dumps", "Look after the vault")
    """
    plugin("acme", acme_plugin=source)
    plugin("bolt", bolt_plugin=source)
    shown = headrace("vault")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: two plugins offer a command named 'vault': acme and bolt;")
    assert headrace("--help").returncode == 0


# Settings


def test_warnings_of_settings(headrace: Headrace) -> None:
    """A misspelt variable is a warning line, and the command goes on."""
    shown = headrace("version", more={"HEADRACE_LOG_LEVL": "INFO"})
    assert shown.returncode == 0
    assert shown.stderr == ("warning: the environment sets 'HEADRACE_LOG_LEVL', which is no setting; did you mean HEADRACE_LOG_LEVEL?\n")


def test_settings_that_cannot_be_used(headrace: Headrace) -> None:
    """A command that needs a setting refuses it in one line; those that only look at the installation warn and go on."""
    more = {"HEADRACE_LEASE_SECONDS": "soon"}
    refused = headrace("flow-run", "ls", more=more)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert refused.stderr.startswith("error: lease_seconds='soon' from environment HEADRACE_LEASE_SECONDS cannot be used")
    for name in ("version", "plugins"):
        forgiven = headrace(name, more=more)
        assert forgiven.returncode == 0
        assert forgiven.stderr.startswith("warning: lease_seconds='soon'")


def test_a_profile_is_chosen(headrace: Headrace, tmp_path: Path, acme: Acme) -> None:
    """`-p NAME` and `--profile NAME` put a profile in force; an unknown one is an error."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "profiles.toml").write_text('[profiles.other]\nplugins_blocked = "acme"\n')
    acme("pass")
    assert headrace("vault").returncode == 0
    for option in ("-p", "--profile"):
        shown = headrace(option, "other", "version")
        assert "profile    other\n" in shown.stdout
        assert headrace(option, "other", "vault").returncode == 2
    unknown = headrace("-p", "nowhere", "flow-run", "ls")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: no profile named 'nowhere'")


# Colours


def shown_on_a_terminal(command: Sequence[str], environment: dict[str, str]) -> bytes:
    """What a terminal is sent."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        sent = b""
        try:
            while piece := os.read(ours, 65536):
                sent += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(ours)
    return sent


def test_errors_are_red_on_a_terminal(command: tuple[str, ...], environment: dict[str, str]) -> None:
    """The line of an error is red on a terminal, unless NO_COLOR is set."""
    assert b"\x1b[31merror: no command" in shown_on_a_terminal([*command, "x"], environment)
    assert b"\x1b[33mwarning: " in shown_on_a_terminal([*command, "version"], {**environment, "HEADRACE_X": "1"})
    plain = shown_on_a_terminal([*command, "x"], {**environment, "NO_COLOR": "1"})
    assert plain.startswith(b"error: no command")
    assert b"\x1b" not in plain
    assert b"\x1b[32mok" in shown_on_a_terminal([*command, "plugins"], environment)
    assert b"\x1b" not in shown_on_a_terminal([*command, "plugins"], {**environment, "NO_COLOR": "1"})
