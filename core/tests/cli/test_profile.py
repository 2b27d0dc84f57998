"""`headrace profile`, each call in a process of its own, with a file of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from headrace.settings import Profiles, read_profiles

Headrace = Callable[..., CompletedProcess[str]]

TWO = '# ours\nactive = "eu"\n[profiles.eu] # near\nlog_level = "DEBUG"\nlease_seconds = 60\n[profiles.us]\n'


@pytest.fixture
def file(environment: dict[str, str]) -> Path:
    """The file of profiles, with two of them, one of which it chooses."""
    path = Path(environment["HEADRACE_HOME"]) / "profiles.toml"
    path.parent.mkdir()
    path.write_text(TWO)
    return path


def in_force(headrace: Headrace, **more: str) -> str:
    """The profile that a command has."""
    found: str = json.loads(headrace("version", "--json", more=more).stdout)["profile"]
    return found


# ls


def test_ls(headrace: Headrace, file: Path) -> None:
    """All are listed, `default` among them, with what they set, and which is in force and why."""
    shown = headrace("profile", "ls")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line.split(maxsplit=2) for line in shown.stdout.splitlines()] == [
        ["NAME", "IN", "FORCE  SETS"],
        ["default", "-", "-"],
        ["eu", "yes", "lease_seconds, log_level"],
        ["us", "-", "-"],
    ]
    assert "us       yes, environment HEADRACE_PROFILE" in headrace("profile", "ls", more={"HEADRACE_PROFILE": "us"}).stdout
    assert "us       yes, flag" in headrace("-p", "us", "profile", "ls").stdout
    assert json.loads(headrace("profile", "ls", "--json").stdout) == [
        {"name": "default", "is_in_force": False, "sets": []},
        {"name": "eu", "is_in_force": True, "sets": ["lease_seconds", "log_level"]},
        {"name": "us", "is_in_force": False, "sets": []},
    ]


def test_ls_without_a_file(headrace: Headrace) -> None:
    """There is always `default`, and it is in force."""
    assert json.loads(headrace("profile", "ls", "--json").stdout) == [{"name": "default", "is_in_force": True, "sets": []}]


# create


def test_create(headrace: Headrace, file: Path) -> None:
    """A profile is made empty or as another is, and is not in force; the next commands are named."""
    shown = headrace("profile", "create", "asia", "--from", "eu")
    assert (shown.returncode, shown.stdout) == (0, f"created profile 'asia' in {file}\n")
    assert "headrace profile use asia" in shown.stderr
    assert headrace("profile", "create", "empty").returncode == 0
    found = read_profiles(file)
    assert (found.active, found.tables["asia"], found.tables["empty"]) == ("eu", {"log_level": "DEBUG", "lease_seconds": 60}, {})
    assert file.read_text().startswith(TWO)


def test_create_where_there_is_no_file(headrace: Headrace, environment: dict[str, str]) -> None:
    """The file is made."""
    assert headrace("profile", "create", "eu").returncode == 0
    assert read_profiles(Path(environment["HEADRACE_HOME"]) / "profiles.toml") == Profiles(tables={"eu": {}})


def test_create_what_a_variable_names_already(headrace: Headrace, file: Path) -> None:
    """A profile that is chosen before it is there can be made."""
    shown = headrace("profile", "create", "new", more={"HEADRACE_PROFILE": "new"})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert in_force(headrace, HEADRACE_PROFILE="new") == "new"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["eu"], "there is a profile 'eu' already; choose another name, or change it with `headrace config set`"),
        (["default"], "there is a profile 'default' already; "),
        (["new", "--from", "gone"], "no profile named 'gone' in {file}; it has: default, eu, us"),
        (["a/b"], "profile name 'a/b' cannot be used: "),
        ([""], "profile name '' cannot be used: "),
        (["a\nb"], "profile name 'a\\nb' cannot be used: "),
    ],
)
def test_what_cannot_be_created(headrace: Headrace, file: Path, typed: list[str], sentence: str) -> None:
    """It is a sentence, and the file stays as it was."""
    shown = headrace("profile", "create", *typed)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith(f"error: {sentence.format(file=file)}")
    assert file.read_text() == TWO


# use


def test_use(headrace: Headrace, file: Path) -> None:
    """The file chooses another, and keeps what people wrote; `default` can be chosen though it is not written."""
    for name in ("us", "default", "eu"):
        assert headrace("profile", "use", name).stdout == f"chose profile '{name}' in {file}\n"
        assert in_force(headrace) == name
    assert file.read_text() == TWO
    shown = headrace("profile", "use", "gone")
    assert (shown.returncode, shown.stderr) == (1, f"error: no profile named 'gone' in {file}; it has: default, eu, us\n")


def test_use_where_a_variable_wins(headrace: Headrace, file: Path) -> None:
    """It is told that another profile stays in force."""
    shown = headrace("profile", "use", "us", more={"HEADRACE_PROFILE": "eu"})
    assert shown.returncode == 0
    assert shown.stderr == "warning: HEADRACE_PROFILE is set in the environment here, and wins: it chooses 'eu'\n"


def test_use_of_a_broken_profile(headrace: Headrace, file: Path) -> None:
    """What cannot be used in it is told at once."""
    file.write_text('[profiles.eu]\nlog_level = "LOUD"\n')
    shown = headrace("profile", "use", "eu")
    assert shown.returncode == 0
    assert shown.stderr.startswith("warning: log_level='LOUD' from profile eu in ")
    assert headrace("profile", "use", "default").stderr == ""


# rename


def test_rename(headrace: Headrace, file: Path) -> None:
    """A profile keeps what it sets, and stays in force."""
    shown = headrace("profile", "rename", "eu", "europe")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "renamed profile 'eu' to 'europe'\n", "")
    assert read_profiles(file).tables == {"us": {}, "europe": {"log_level": "DEBUG", "lease_seconds": 60}}
    assert in_force(headrace) == "europe"
    assert headrace("profile", "rename", "us", "america").returncode == 0
    assert in_force(headrace) == "europe"


def test_rename_of_default(headrace: Headrace, environment: dict[str, str]) -> None:
    """What `default` sets goes with the name, which is in force then; `default` is there still."""
    assert headrace("config", "set", "lease_seconds=60").returncode == 0
    shown = headrace("profile", "rename", "default", "mine")
    assert (shown.returncode, shown.stderr) == (0, "profile 'default' is there still, and sets nothing\n")
    assert in_force(headrace) == "mine"
    assert read_profiles(Path(environment["HEADRACE_HOME"]) / "profiles.toml").tables == {"mine": {"lease_seconds": 60}}


def test_what_cannot_be_renamed(headrace: Headrace, file: Path) -> None:
    """An unknown one, a name that is taken, and a name that cannot be one are sentences."""
    for typed in (["gone", "new"], ["eu", "us"], ["eu", "default"], ["eu", "a/b"]):
        shown = headrace("profile", "rename", *typed)
        assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (1, "", 1)
    assert file.read_text() == TWO


@pytest.mark.parametrize("arguments", [("rename", "eu", "europe"), ("delete", "eu")])
def test_a_variable_that_names_what_is_gone(headrace: Headrace, file: Path, arguments: tuple[str, ...]) -> None:
    """It is told, since commands that need settings refuse from then on."""
    shown = headrace("profile", *arguments, more={"HEADRACE_PROFILE": "eu"})
    assert shown.returncode == 0
    assert "warning: HEADRACE_PROFILE names profile 'eu', which is gone; unset it, or set it to another\n" in shown.stderr


# delete


def test_delete(headrace: Headrace, file: Path) -> None:
    """The one in force can be deleted: `default` is in force then, nothing asks and nothing is locked out."""
    shown = headrace("profile", "delete", "eu")
    assert (shown.returncode, shown.stdout) == (0, "deleted profile 'eu'\n")
    assert shown.stderr == "gone with it: lease_seconds, log_level\nprofile 'default' is in force now\n"
    assert read_profiles(file) == Profiles(tables={"us": {}})
    again = headrace("config", "view")
    assert (again.returncode, again.stderr, in_force(headrace)) == (0, "", "default")
    assert headrace("profile", "delete", "eu").returncode == 1


def test_delete_of_default(headrace: Headrace, file: Path) -> None:
    """What it sets is gone; it is there still."""
    assert headrace("-p", "default", "config", "set", "debug=yes").returncode == 0
    shown = headrace("profile", "delete", "default")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "profile 'default' sets nothing now\n", "gone with it: debug\n")
    assert headrace("profile", "delete", "default").returncode == 0
    assert in_force(headrace) == "eu"


def test_a_choice_that_is_gone_is_mended(headrace: Headrace, file: Path) -> None:
    """Where the file chooses one that is gone, every command works with a warning, and `use` mends it."""
    file.write_text('active = "gone"\n[profiles.eu]\n')
    assert headrace("profile", "ls").stderr.startswith("warning: no profile named 'gone' in ")
    assert headrace("profile", "use", "eu").stderr == ""
    assert headrace("profile", "ls").stderr == ""


# inspect


def test_inspect(headrace: Headrace, file: Path) -> None:
    """A profile is shown as it is by itself, whatever wins over it here; without a name it is the one in force."""
    more = {"HEADRACE_LOG_LEVEL": "ERROR"}
    for name in ([], ["eu"]):
        shown = headrace("profile", "inspect", *name, more=more)
        assert [line.split(maxsplit=2) for line in shown.stdout.splitlines()[1:]] == [
            ["log_level", "DEBUG", f"profile eu in {file}"],
            ["lease_seconds", "60", f"profile eu in {file}"],
        ]
    rows = json.loads(headrace("profile", "inspect", "us", "--show-defaults", "--json").stdout)
    assert {row["layer"] for row in rows} == {"default"}
    assert not {row["name"] for row in rows} & {"profile", "profiles_path"}
    assert headrace("profile", "inspect", "us").stderr == "profile 'us' sets nothing\n"
    assert headrace("profile", "inspect", "gone").returncode == 1


def test_inspect_of_a_broken_profile(headrace: Headrace, file: Path) -> None:
    """What cannot be used is told, with the way out; another profile is in force meanwhile."""
    file.write_text('[profiles.eu]\nlog_level = "LOUD"\ndebug = true\n')
    shown = headrace("profile", "inspect", "eu", "--json")
    assert [row["name"] for row in json.loads(shown.stdout)] == ["debug"]
    assert "take it away with: headrace -p eu config unset log_level" in shown.stderr


def test_a_broken_file(headrace: Headrace, file: Path) -> None:
    """What cannot be read is not written anew; `ls` shows what is certain."""
    file.write_text("[profiles.eu\n")
    for arguments in (["create", "new"], ["use", "eu"], ["rename", "eu", "x"], ["delete", "eu"], ["inspect", "eu"]):
        shown = headrace("profile", *arguments)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr.startswith(f"error: the settings file {file} cannot be read: ")
    assert headrace("profile", "ls").stdout.splitlines()[1:] == ["default  yes       -"]
    assert file.read_text() == "[profiles.eu\n"


def test_profiles_are_completed(headrace: Headrace, file: Path) -> None:
    """A shell that asks is given the profiles that there are."""
    asked = {"_HEADRACE_COMPLETE": "bash_complete", "COMP_WORDS": "headrace profile use ", "COMP_CWORD": "3"}
    assert headrace(more=asked).stdout.splitlines() == ["plain,default", "plain,eu", "plain,us"]
