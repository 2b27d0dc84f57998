"""`headrace config`, each call in a process of its own, with a file of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from headrace.settings import SETTINGS, read_profiles

Headrace = Callable[..., CompletedProcess[str]]
Row = dict[str, object]


@pytest.fixture
def file(environment: dict[str, str]) -> Path:
    """Where the file of profiles lies, if there is one."""
    return Path(environment["HEADRACE_HOME"]) / "profiles.toml"


@pytest.fixture
def written(file: Path) -> Callable[[str], Path]:
    """Writes the file by hand."""

    def write(text: str) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    return write


def viewed(headrace: Headrace, *options: str) -> dict[str, tuple[object, object]]:
    """What `config view` says: values and layers, by name."""
    shown = headrace(*options, "config", "view", "--show-defaults", "--json")
    assert shown.returncode == 0
    return {row["name"]: (row["value"], row["layer"]) for row in json.loads(shown.stdout)}


# set


def test_set(headrace: Headrace, file: Path) -> None:
    """Settings are written in either spelling, each in its own type, and are in force from then on."""
    shown = headrace(
        "config", "set", "lease_seconds=60", "HEADRACE_LOG_LEVEL=debug", "extra_loggers=a, b", "trace_hooks=no", "grace_seconds=0.5"
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "set lease_seconds=60 in profile 'default'",
        "set log_level=DEBUG in profile 'default'",
        "set extra_loggers=a,b in profile 'default'",
        "set trace_hooks=false in profile 'default'",
        "set grace_seconds=0.5 in profile 'default'",
    ]
    assert read_profiles(file).tables["default"] == {
        "lease_seconds": 60,
        "log_level": "DEBUG",
        "extra_loggers": ["a", "b"],
        "trace_hooks": False,
        "grace_seconds": 0.5,
    }
    assert viewed(headrace)["lease_seconds"] == (60.0, "profile")


@pytest.mark.parametrize("text", ["", "a=b=c", "=", 'he said "no"', "水車 #1", "\\"])
def test_any_text_is_a_value(headrace: Headrace, text: str) -> None:
    """What stands behind the first `=` is the value, whatever it is."""
    assert headrace("config", "set", f"serializer={text}").returncode == 0
    assert viewed(headrace)["serializer"] == (text, "profile")


@pytest.mark.parametrize("name", [name for name, field in SETTINGS.items() if field.metadata["in_profiles"]])
def test_every_default_can_be_set(headrace: Headrace, name: str) -> None:
    """Whatever `view` shows as a default may be set as it is shown."""
    shown = headrace("config", "view", "--show-defaults", more={"HEADRACE_RUN_STORE": ""}).stdout.splitlines()
    value = next(line.split()[1] for line in shown if line.startswith(f"{name} "))
    assert headrace("config", "set", f"{name}={'' if value == '-' else value}").returncode == 0


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("lease_seconds=soon", "lease_seconds='soon' from the command line cannot be used: it must be a number of seconds from 0.001 to "),
        ("HEADRACE_LOG_LEVEL=LOUD", "log_level='LOUD' from the command line cannot be used: it must be one of DEBUG, INFO, "),
        ("log_levl=INFO", "the command line sets 'log_levl', which is no setting; did you mean log_level?"),
        ("HEADRACE_LOG_LEVL=INFO", "the command line sets 'HEADRACE_LOG_LEVL', which is no setting; did you mean HEADRACE_LOG_LEVEL?"),
        ("profile=x", "profile='x' from the command line cannot be used: a profile cannot set it; `headrace profile use x` can"),
        ("profiles_path=x", "profiles_path='x' from the command line cannot be used: a profile cannot set it; the environment variable "),
        ("lease_seconds=5", "lease_seconds='5' from the command line cannot be used: renew_seconds (5, default) must be less than lease_"),
        ("renew_seconds=20", "renew_seconds='20' from the command line cannot be used: renew_seconds (20, profile default in "),
        ("home=", "home='' from the command line cannot be used: it must be a path"),
        ("client=a\nb", "client='a\\nb' from the command line cannot be used: it must be text in one line"),
    ],
)
def test_what_cannot_be_used_is_refused(headrace: Headrace, file: Path, typed: str, sentence: str) -> None:
    """It is a sentence, and nothing is set, nor what is right beside it."""
    shown = headrace("config", "set", "debug=yes", typed)
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (1, "", 1)
    assert shown.stderr.startswith(f"error: {sentence}")
    assert not file.exists()


@pytest.mark.parametrize("typed", [["lease_seconds"], ["=60"], ["debug=1", "debug=2"], ["debug=1", "HEADRACE_DEBUG=1"], []])
def test_what_is_typed_wrong(headrace: Headrace, typed: list[str]) -> None:
    """What has not the form, or is said twice, is a mistake in typing."""
    shown = headrace("config", "set", *typed)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.endswith("try: headrace config set --help\n")


def test_what_fits_together_is_set_together(headrace: Headrace, file: Path) -> None:
    """Two settings that depend on each other are judged as they are when both are set."""
    assert headrace("config", "set", "lease_seconds=4", "renew_seconds=1").returncode == 0
    refused = headrace("config", "unset", "renew_seconds")
    assert refused.returncode == 1
    assert "must be less than lease_seconds (4, " in refused.stderr
    assert read_profiles(file).tables["default"] == {"lease_seconds": 4, "renew_seconds": 1}
    assert headrace("config", "unset", "renew_seconds", "lease_seconds").returncode == 0


def test_another_profile(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """`-p` and HEADRACE_PROFILE say which profile is changed; one that is not there is not made."""
    file = written("[profiles.eu]")
    assert headrace("-p", "eu", "config", "set", "debug=yes").stdout == "set debug=true in profile 'eu'\n"
    assert headrace("config", "set", "debug=no", more={"HEADRACE_PROFILE": "eu"}).returncode == 0
    assert read_profiles(file).tables == {"eu": {"debug": False}}
    for refused in (
        headrace("-p", "us", "config", "set", "debug=1"),
        headrace("config", "unset", "debug", more={"HEADRACE_PROFILE": "us"}),
    ):
        assert refused.stderr == f"error: no profile named 'us' in {file}; it has: default, eu\n"
        assert refused.returncode == 1


def test_a_spelling_stays(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """A setting is changed where it stands, in the spelling that it has there; of two spellings one is left."""
    file = written('[profiles.default]\nHEADRACE_DEBUG = true\nLOG = 1\nHEADRACE_LOG_LEVEL = "INFO"\nlog_level = "DEBUG"\n')
    shown = headrace("config", "set", "debug=no", "log_level=error")
    assert shown.returncode == 0
    assert read_profiles(file).tables["default"] == {"HEADRACE_DEBUG": False, "LOG": 1, "HEADRACE_LOG_LEVEL": "ERROR"}


def test_paths_mean_what_they_mean_here(
    headrace: Headrace, file: Path, tmp_path: Path, command: tuple[str, ...], environment: dict[str, str]
) -> None:
    """A relative path starts from where the command is typed; `~` stays, for it may be another's file too."""
    subprocess.run([*command, "config", "set", "home=data/../runs"], env=environment, cwd=tmp_path, check=True, capture_output=True)
    assert read_profiles(file).tables["default"]["home"] == str(tmp_path / "runs")
    assert headrace("config", "set", "home=~/runs").returncode == 0
    assert read_profiles(file).tables["default"]["home"] == "~/runs"


def test_what_wins_is_told(headrace: Headrace) -> None:
    """Where a variable is set, the profile has no say, and whoever changes it is told."""
    more = {"HEADRACE_LOG_LEVEL": "ERROR"}
    for arguments in (("set", "log_level=INFO"), ("unset", "log_level")):
        shown = headrace("config", *arguments, more=more)
        assert shown.returncode == 0
        assert shown.stderr == "warning: HEADRACE_LOG_LEVEL is set in the environment here, and wins over profile 'default'\n"


def test_what_is_not_installed_is_told(headrace: Headrace) -> None:
    """A name that no plugin offers may be set, since the plugin may come later; it is a warning that says what to install."""
    shown = headrace("config", "set", "flow_runner=kubernetes", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-kubernetes"})
    assert shown.returncode == 0
    assert shown.stderr.startswith("warning: flow_runner=kubernetes: no flow runner named 'kubernetes'; installed: ")
    assert shown.stderr.endswith(" — pip install headrace-kubernetes\n")


# unset


def test_unset(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """Settings are taken out in either spelling, and then what is beneath them is in force."""
    file = written("[profiles.default]\nlease_seconds = 60\nHEADRACE_DEBUG = true\n# why\ngrace_seconds = 3\n")
    shown = headrace("config", "unset", "HEADRACE_LEASE_SECONDS", "debug")
    assert shown.stdout == "unset lease_seconds in profile 'default'\nunset HEADRACE_DEBUG in profile 'default'\n"
    assert file.read_text() == "[profiles.default]\n# why\ngrace_seconds = 3\n"
    assert viewed(headrace)["lease_seconds"] == (20.0, "default")


def test_unset_of_what_is_not_set(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """It is an error that says where the value comes from, and nothing is changed."""
    file = written("[profiles.default]\ndebug = true\n")
    here = f"profile 'default' in {file} does not set"
    for name, more, sentence in (
        ("grace_seconds", {}, "'grace_seconds'; its value is from default"),
        ("HEADRACE_LOG_LEVEL", {"HEADRACE_LOG_LEVEL": "INFO"}, "'HEADRACE_LOG_LEVEL'; its value is from environment HEADRACE_LOG_LEVEL"),
        ("log_levl", {}, "'log_levl', which is no setting; did you mean log_level?"),
    ):
        shown = headrace("config", "unset", "debug", name, more=more)
        assert (shown.returncode, shown.stdout, shown.stderr) == (1, "", f"error: {here} {sentence}\n")
    assert read_profiles(file).tables["default"] == {"debug": True}


# view


def test_view(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """Each setting is there once, with the layer that its value comes from; defaults are there when asked for."""
    file = written('active = "eu"\n[profiles.eu]\nlog_level = "DEBUG"\nclient = "http"\n')
    shown = headrace("config", "view", more={"HEADRACE_CLIENT": "grpc"})
    assert shown.stderr == ""
    rows = [line.split(maxsplit=2) for line in shown.stdout.splitlines()]
    assert rows == [
        ["SETTING", "VALUE", "FROM"],
        ["home", str(file.parent), "environment HEADRACE_HOME"],
        ["profile", "eu", f"active in {file}"],
        ["run_store", "memory", "environment HEADRACE_RUN_STORE"],
        ["client", "grpc", "environment HEADRACE_CLIENT"],
        ["log_level", "DEBUG", f"profile eu in {file}"],
    ]
    assert list(viewed(headrace)) == list(SETTINGS)


def test_view_as_json(headrace: Headrace) -> None:
    """A row says everything about its setting in plain data."""
    rows = json.loads(headrace("config", "view", "--json", more={"HEADRACE_EXTRA_LOGGERS": "a,b"}).stdout)
    (row,) = (row for row in rows if row["name"] == "extra_loggers")
    assert row == {
        "name": "extra_loggers",
        "variable": "HEADRACE_EXTRA_LOGGERS",
        "value": ["a", "b"],
        "default": [],
        "layer": "environment",
        "origin": "environment HEADRACE_EXTRA_LOGGERS",
        "is_secret": False,
        "meaning": "other loggers whose lines belong to the run, commas between them",
    }


# Nothing locks the command line out

BROKEN = [
    "[profiles.default",
    "[profiles.default]\nlease_seconds = 'soon'\nnothing = 1\nlog_level = 5\nhome = 1\nplugins_blocked = 3",
    "[profiles.default]\nplugins_blocked = ['headrace-core', 'commands']",
    "[profiles.default]\nlease_seconds = 1",
    "active = 'gone'",
    "active = 5",
    "profiles = 1",
]


LOOKS = [["config", "view"], ["profile", "ls"], ["version"], ["--version"], ["--help"], ["config", "set", "--help"], ["plugins"]]
ONE_AFTER_THE_OTHER = """
import json, sys
from headrace.cli.main import run

print([run(arguments) for arguments in json.loads(sys.argv[1])])
"""


def look(environment: dict[str, str]) -> CompletedProcess[str]:
    """Runs all of the looks, in one process to save time; the last line says how they ended."""
    command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(LOOKS)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("text", BROKEN)
def test_no_file_locks_anybody_out(environment: dict[str, str], written: Callable[[str], Path], text: str) -> None:
    """Whatever stands in the file, these work, and say what is wrong where that matters."""
    written(text)
    shown = look(environment)
    assert shown.stdout.splitlines()[-1] == str([0] * len(LOOKS))
    assert "Traceback" not in shown.stderr


HOSTILE = [
    {"HEADRACE_LEASE_SECONDS": "soon", "HEADRACE_LOG_LEVEL": "LOUD", "HEADRACE_DEBUG": "perhaps", "HEADRACE_NOTHING": "1"},
    {"HEADRACE_HOME": "", "HEADRACE_PROFILES_PATH": "", "HEADRACE_PROFILE": ""},
    {"HEADRACE_HOME": "~nobody-at-all/x"},
    {"HEADRACE_PROFILE": "gone"},
    {"HEADRACE_PROFILES_PATH": "/dev/zero"},
    {"HEADRACE_PROFILES_PATH": "/"},
    {"HEADRACE_HOME": "/dev/null"},
    {"HEADRACE_HOME": "/proc/nowhere"},
    {"HEADRACE_RUN_STORE": "gone", "HEADRACE_CLIENT": "gone"},
    {"HEADRACE_PLUGINS_BLOCKED": "headrace-core,commands"},
    {
        name: os.fsdecode(b"\xff\xfe")
        for name in ("HEADRACE_HOME", "HEADRACE_PROFILE", "HEADRACE_CLIENT", "HEADRACE_LOG_LEVEL", "HEADRACE_\udcff")
    },
    {
        name: os.fsdecode(b"\xff")
        for name in ("HEADRACE_PROFILES_PATH", "HEADRACE_LEASE_SECONDS", "HEADRACE_PLUGINS_BLOCKED", "HEADRACE_DEBUG")
    },
    {"HOME": "nowhere", "HEADRACE_HOME": "~/x"},
    {"HEADRACE_HOME": "x" * 5000},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "HEADRACE_CLIENT": "水車"},
]


@pytest.mark.parametrize("more", HOSTILE)
def test_no_variable_locks_anybody_out(environment: dict[str, str], more: dict[str, str]) -> None:
    """Whatever stands in the environment, bytes that are no text too, these work."""
    shown = look({**environment, **more})
    assert shown.stdout.splitlines()[-1] == str([0] * len(LOOKS))
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("text", BROKEN[1:5])
def test_what_is_wrong_can_be_mended(headrace: Headrace, written: Callable[[str], Path], text: str) -> None:
    """Each fault of a profile names the command that takes it out, and after those commands all is well."""
    written(text)
    for _ in range(10):
        faults = [line for line in headrace("config", "view").stderr.splitlines() if "take it away with: headrace " in line]
        if not faults:
            break
        way_out = faults[0].rpartition("take it away with: headrace ")[2].partition(" (")[0]
        assert headrace(*way_out.split()).returncode == 0
    assert headrace("config", "set", "debug=yes").returncode == 0
    assert headrace("profile", "use", "default").returncode == 0
    assert headrace("config", "unset", "debug", *(["plugins_blocked"] if "commands" in text else [])).returncode == 0
    assert headrace("config", "view").stderr == ""
    assert headrace("flow-run", "ls").stderr.startswith("error: the run store in use is gone")


def test_what_was_wrong_before_stops_nobody(headrace: Headrace, written: Callable[[str], Path]) -> None:
    """A setting is changed though others are wrong; what is still wrong is told once, after it."""
    written('[profiles.default]\nlog_level = "LOUD"\nlease_seconds = "soon"\n')
    shown = headrace("config", "set", "lease_seconds=60")
    assert (shown.returncode, shown.stdout) == (0, "set lease_seconds=60 in profile 'default'\n")
    assert shown.stderr.count("warning: ") == 1
    assert shown.stderr.startswith("warning: log_level='LOUD' from profile default in ")


@pytest.mark.parametrize(
    "more",
    [{"HEADRACE_HOME": ""}, {"HEADRACE_PROFILES_PATH": ""}, {"HEADRACE_PROFILE": ""}, {"HEADRACE_PROFILES_PATH": "/"}],
)
def test_where_it_would_be_written_is_in_doubt(headrace: Headrace, more: dict[str, str], tmp_path: Path) -> None:
    """If it cannot be known which file or profile is meant, nothing is written into another."""
    own = {"HOME": str(tmp_path / "user"), **more}
    shown = headrace("config", "set", "debug=yes", more=own)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("error: ")
    assert not (tmp_path / "user").exists()


def test_a_home_that_cannot_be_written(headrace_unprivileged: Headrace, written: Callable[[str], Path]) -> None:
    """Looking works; changing is refused with the place, and nothing is changed."""
    file = written("[profiles.default]\ndebug = true\n")
    file.parent.chmod(0o500)
    try:
        assert headrace_unprivileged("config", "view").returncode == 0
        shown = headrace_unprivileged("config", "set", "debug=no")
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr == f"error: the settings file {file} cannot be written: Permission denied ({file}.lock); nothing was changed\n"
        file.chmod(0)
        seen = headrace_unprivileged("config", "view")
        assert seen.returncode == 0
        assert seen.stderr == f"warning: the settings file {file} cannot be read: Permission denied; mend or move it (it is left out)\n"
    finally:
        file.parent.chmod(0o700)
    file.chmod(0o600)
    assert file.read_text() == "[profiles.default]\ndebug = true\n"


def test_a_home_that_cannot_be_made(headrace_unprivileged: Headrace, tmp_path: Path) -> None:
    """Where the folder itself cannot be made, the sentence says which."""
    (tmp_path / "closed").mkdir(mode=0o500)
    shown = headrace_unprivileged("config", "set", "debug=no", more={"HEADRACE_HOME": str(tmp_path / "closed" / "home")})
    assert shown.returncode == 1
    assert shown.stderr.endswith(f"Permission denied ({tmp_path / 'closed' / 'home'}); nothing was changed\n")


def test_many_at_once(command: tuple[str, ...], environment: dict[str, str], file: Path) -> None:
    """Commands that change the file at the same time lose nothing of each other."""
    names = ["grace_seconds", "journal_interval", "store_busy_seconds", "lease_seconds"]
    running = [
        subprocess.Popen([*command, "config", "set", f"{name}=33"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in names
    ]
    assert [process.communicate() and process.returncode for process in running] == [0] * len(names)
    assert read_profiles(file).tables["default"] == dict.fromkeys(names, 33)


def test_names_are_completed(headrace: Headrace) -> None:
    """A shell that asks is given the settings that a profile can set."""
    asked = {"_HEADRACE_COMPLETE": "bash_complete", "COMP_WORDS": "headrace config unset pro", "COMP_CWORD": "3"}
    assert headrace(more=asked).stdout.strip() == ""
    asked = {"_HEADRACE_COMPLETE": "bash_complete", "COMP_WORDS": "headrace config set lease", "COMP_CWORD": "3"}
    assert headrace(more=asked).stdout == "plain,lease_seconds=\n"
