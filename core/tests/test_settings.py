"""Settings: four layers, one source, and every value knows where it came from."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from headrace.errors import HeadraceError, UnknownProfile, UnknownSetting, WrongSetting, WrongSettingsFile
from headrace.settings import (
    SETTINGS,
    TEXT,
    Origin,
    Settings,
    about,
    faults_of,
    hide_secrets,
    load,
    read_profiles,
    read_value,
    setting_name,
    shown,
    variable,
)

Write = Callable[[str], Path]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose home is this test's."""
    return {"HOME": str(tmp_path), "PATH": "/bin"}


@pytest.fixture
def profiles(tmp_path: Path) -> Write:
    """Writes the file of profiles where it lies by default."""

    def write(text: str) -> Path:
        path = tmp_path / ".headrace" / "profiles.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


# Layers


def test_defaults(environment: dict[str, str], tmp_path: Path) -> None:
    """With nothing written anywhere every value is its default and says so."""
    settings = load(environment)
    assert settings.home == tmp_path / ".headrace"
    assert settings.profiles_path == tmp_path / ".headrace" / "profiles.toml"
    assert (settings.profile, settings.run_store, settings.client, settings.log_level) == ("default", "", "", "INFO")
    assert (settings.lease_seconds, settings.renew_seconds, settings.journal_interval, settings.store_busy_seconds) == (20, 5, 0.5, 30)
    assert (settings.extra_loggers, settings.plugins_blocked, settings.trace_hooks) == ((), (), False)
    assert {str(settings.origin(name)) for name in SETTINGS} == {"default"}
    assert settings.warnings == ()


def test_reading_makes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    """Reading settings makes neither a folder nor a file."""
    load(environment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", [None, "ERROR"])
@pytest.mark.parametrize("variable_", [None, "WARNING"])
@pytest.mark.parametrize("profile", [None, "DEBUG"])
def test_precedence(environment: dict[str, str], profiles: Write, profile: str | None, variable_: str | None, flag: str | None) -> None:
    """The last layer that says something wins: default, profile, environment, flag."""
    path = profiles(f'[profiles.default]\nlog_level = "{profile}"' if profile else "")
    if variable_:
        environment["HEADRACE_LOG_LEVEL"] = variable_
    layers = [
        ("INFO", "default"),
        (profile, f"profile default in {path}"),
        (variable_, "environment HEADRACE_LOG_LEVEL"),
        (flag, "flag"),
    ]
    settings = load(environment, {"log_level": flag})
    assert (settings.log_level, str(settings.origin("log_level"))) == [layer for layer in layers if layer[0]][-1]


def test_origin_is_data(environment: dict[str, str], profiles: Write) -> None:
    """An origin has a layer and names, so that a program need not read the sentence."""
    path = profiles('active = "ci"\n[profiles.ci]\nclient = "http"')
    settings = load({**environment, "HEADRACE_RUN_STORE": "memory"}, {"trace_hooks": True})
    assert settings.origin("client") == Origin(layer="profile", name="ci", path=str(path))
    assert settings.origin("run_store") == Origin(layer="environment", name="HEADRACE_RUN_STORE")
    assert settings.origin("trace_hooks") == Origin(layer="flag")
    assert settings.origin("log_level") == Origin(layer="default")
    assert settings.origin("profile") == Origin(layer="active", path=str(path))
    assert str(settings.origin("profile")) == f"active in {path}"


def test_settings_are_values(environment: dict[str, str]) -> None:
    """Settings with the same values are equal wherever these came from; they hash, and survive a pickle with their origins."""
    by_flag, by_variable = load(environment, {"client": "http"}), load({**environment, "HEADRACE_CLIENT": "http"})
    assert by_flag == by_variable
    assert hash(by_flag) == hash(by_variable)
    assert by_flag != load(environment)
    assert pickle.loads(pickle.dumps(by_flag)).origin("client") == Origin(layer="flag")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        by_flag.client = ""  # type: ignore[misc]


# Values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("log_level", " debug ", "DEBUG"),
        ("extra_loggers", "a, b.c,,", ("a", "b.c")),
        ("extra_loggers", "", ()),
        ("plugins_blocked", "s3", ("s3",)),
        ("journal_interval", "0.25", 0.25),
        ("lease_seconds", "60", 60.0),
        ("run_store", " sqlite ", "sqlite"),
        ("client", "", ""),
        *[("trace_hooks", text, True) for text in ("true", "Yes", "ON", "1")],
        *[("trace_hooks", text, False) for text in ("FALSE", "no", "Off", "0")],
    ],
)
def test_text_is_read(environment: dict[str, str], name: str, text: str, value: object) -> None:
    """Environment text becomes a value of the field's type."""
    settings = load({**environment, variable(name): text})
    assert getattr(settings, name) == value
    assert type(getattr(settings, name)) is type(value)


def test_typed_values_are_read(environment: dict[str, str], profiles: Write) -> None:
    """A profile and flags may hold numbers, truths and lists as such."""
    profiles('[profiles.default]\nlease_seconds = 60\ntrace_hooks = true\nextra_loggers = ["a", "b"]')
    settings = load(environment, {"renew_seconds": 2, "plugins_blocked": ("s3",)})
    assert (settings.lease_seconds, settings.trace_hooks, settings.extra_loggers) == (60.0, True, ("a", "b"))
    assert (settings.renew_seconds, settings.plugins_blocked) == (2.0, ("s3",))
    assert load(environment, {"home": Path("/somewhere")}).home == Path("/somewhere")


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        ("log_level", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("trace_hooks", "perhaps", "one of true, yes, on, 1, false, no, off, 0"),
        ("lease_seconds", "soon", "a number of seconds"),
        ("lease_seconds", "nan", "a number of seconds"),
        ("lease_seconds", "inf", "a number of seconds"),
        ("lease_seconds", "-1", "a number of seconds"),
        ("journal_interval", "0", "a number of seconds"),
        ("store_busy_seconds", "1e300", "a number of seconds"),
        ("home", "", "a path"),
        ("home", "~no-such-user-at-all/x", "a path"),
        ("profile", " ", "text that is not empty"),
        ("client", "http\udcff", "text in one line, in UTF-8"),
        ("client", "ht\ntp", "text in one line, in UTF-8"),
        ("extra_loggers", "a,b\udcff", "names in UTF-8"),
    ],
)
def test_a_bad_value_says_what_where_and_what_is_accepted(environment: dict[str, str], name: str, text: str, accepted: str) -> None:
    """A bad value is named with its origin and what would be accepted; leniently the default stands in."""
    environment[variable(name)] = text
    with pytest.raises(WrongSetting) as caught:
        load(environment)
    assert str(caught.value).startswith(f"{name}={text!r} from environment {variable(name)} cannot be used: it must be {accepted}")
    settings = load(environment, lenient=True)
    assert settings.warnings == (f"{caught.value} (the default is used)",)
    assert settings.origin(name) == Origin(layer="default")
    assert getattr(settings, name) == getattr(load({"HOME": environment["HOME"]}), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease_seconds", True),
        ("lease_seconds", 10**400),
        ("trace_hooks", 2),
        pytest.param("trace_hooks", 10**5000, id="too long to show"),
        ("client", 5),
        ("extra_loggers", [1]),
        ("log_level", 10),
        ("home", 1),
    ],
)
def test_a_value_of_another_type(environment: dict[str, str], name: str, value: object) -> None:
    """A number, truth or list where another type belongs is refused, not bent."""
    with pytest.raises(WrongSetting, match="from flag cannot be used"):
        load(environment, {name: value})


def test_renewal_must_be_shorter_than_the_lease(environment: dict[str, str]) -> None:
    """A lease that would end before its renewal is refused; the one that somebody wrote is blamed, and leniently both fall back."""
    with pytest.raises(WrongSetting) as caught:
        load({**environment, "HEADRACE_LEASE_SECONDS": "4"})
    assert str(caught.value) == (
        "lease_seconds='4' from environment HEADRACE_LEASE_SECONDS cannot be used: "
        "renew_seconds (5, default) must be less than lease_seconds (4, environment HEADRACE_LEASE_SECONDS)"
    )
    with pytest.raises(WrongSetting, match="renew_seconds='20' from flag"):
        load(environment, {"renew_seconds": 20})
    settings = load({**environment, "HEADRACE_LEASE_SECONDS": "4"}, {"renew_seconds": 4.5}, lenient=True)
    assert (settings.lease_seconds, settings.renew_seconds) == (20, 5)
    assert settings.origin("lease_seconds") == settings.origin("renew_seconds") == Origin(layer="default")
    assert len(settings.warnings) == 1


# Paths


def test_tilde_is_the_home_of_the_given_environment(environment: dict[str, str], tmp_path: Path) -> None:
    """`~` is the home of the environment that was passed in."""
    assert load({**environment, "HEADRACE_HOME": "~/x"}).home == tmp_path / "x"
    assert load({**environment, "HEADRACE_HOME": "~"}).home == tmp_path


def test_tilde_without_home_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without HOME in the given environment `~` is what the process takes for it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load({}).home == tmp_path / ".headrace"


def test_a_user_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any home folder the error names the variable to set, and leniently a path is still found."""
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(WrongSetting, match=r"home='~/\.headrace' from default .*; set HEADRACE_HOME"):
        load({})
    settings = load({}, lenient=True)
    assert settings.home == Path("/.headrace")
    assert len(settings.warnings) == 1


def test_relative_paths(environment: dict[str, str], profiles: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts from the current folder; in a profile from the folder of its file, wherever the command runs."""
    monkeypatch.chdir(tmp_path)
    assert load({**environment, "HEADRACE_HOME": "here/../there"}).home == tmp_path / "there"
    path = profiles('[profiles.default]\nhome = "data"')
    settings = load(environment)
    assert settings.home == path.parent / "data"
    assert settings.profiles_path == path


def test_the_folder_of_keys_lies_in_the_home(environment: dict[str, str], profiles: Write, tmp_path: Path) -> None:
    """Unless it is said where it is: in the home that is in force, whoever chose that; and it is handed on where it was said."""
    assert load(environment).keys_path == tmp_path / ".headrace" / "keys"
    path = profiles('[profiles.default]\nhome = "data"\n[profiles.far]\nkeys_path = "apart"')
    assert load(environment).keys_path == path.parent / "data" / "keys"
    far = load(environment, {"profile": "far"})
    assert (far.home, far.keys_path) == (tmp_path / ".headrace", path.parent / "apart")
    assert far.as_environment()["HEADRACE_KEYS_PATH"] == str(path.parent / "apart")
    assert load({**environment, "HEADRACE_KEYS_PATH": "~/k"}).keys_path == Path(environment["HOME"], "k")


def test_a_current_folder_that_is_gone(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a deleted folder absolute settings still load, and a relative one is refused in a sentence."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load(environment).warnings == ()
    with pytest.raises(WrongSetting, match="HEADRACE_HOME cannot be used"):
        load({**environment, "HEADRACE_HOME": "here"})


# Profiles


FILE = """
active = "two"
[profiles.one]
log_level = "DEBUG"
[profiles.two]
HEADRACE_LOG_LEVEL = "ERROR"
"""


@pytest.mark.parametrize(
    ("flag", "variable_", "active", "level", "layer"),
    [
        ("one", "default", True, "DEBUG", "flag"),
        (None, "one", True, "DEBUG", "environment"),
        (None, None, True, "ERROR", "active"),
        (None, None, False, "INFO", "default"),
        ("default", None, True, "INFO", "flag"),
    ],
)
def test_the_choice_of_the_profile(
    environment: dict[str, str], profiles: Write, flag: str | None, variable_: str | None, active: bool, level: str, layer: str
) -> None:
    """Flag, then HEADRACE_PROFILE, then the file's own `active`, then `default`, which exists without being written."""
    profiles(FILE if active else FILE.replace("active", "# active"))
    if variable_:
        environment["HEADRACE_PROFILE"] = variable_
    settings = load(environment, {"profile": flag})
    assert settings.log_level == level
    assert settings.origin("profile").layer == layer


def test_a_deleted_active_profile_locks_nothing(environment: dict[str, str], profiles: Write) -> None:
    """Where the file's own choice is gone, `default` is used, and a warning says so."""
    path = profiles('active = "gone"\n[profiles.one]')
    settings = load(environment)
    assert (settings.profile, settings.origin("profile")) == ("default", Origin(layer="default"))
    assert settings.warnings == (f"no profile named 'gone' in {path}; it has: default, one (profile default is used)",)


@pytest.mark.parametrize("text", [None, "[profiles.one]"])
def test_an_unknown_profile(environment: dict[str, str], profiles: Write, text: str | None) -> None:
    """A profile that a person names must exist; leniently `default` is used."""
    if text is not None:
        profiles(text)
    for settings in ({"profile": "gone"}, {}):
        with pytest.raises(UnknownProfile) as caught:
            load({**environment, "HEADRACE_PROFILE": "gone"}, settings)
        assert caught.value.known == (("default", "one") if text else ("default",))
    lenient = load({**environment, "HEADRACE_PROFILE": "gone"}, lenient=True)
    assert lenient.profile == "default"
    assert "no profile named 'gone'" in lenient.warnings[0]


def test_another_file_of_profiles(environment: dict[str, str], tmp_path: Path) -> None:
    """HEADRACE_PROFILES_PATH names another file; one that is not there is told."""
    path = tmp_path / "mine.toml"
    environment["HEADRACE_PROFILES_PATH"] = "~/mine.toml"
    assert load(environment).warnings == (
        f"profiles_path={str(path)!r} from environment HEADRACE_PROFILES_PATH names no file, so there are no profiles but default",
    )
    path.write_text('[profiles.default]\nclient = "http"')
    settings = load(environment)
    assert (settings.client, settings.warnings) == ("http", ())


@pytest.mark.parametrize("name", ["profile", "profiles_path", "HEADRACE_PROFILE"])
def test_a_profile_does_not_choose_profiles(environment: dict[str, str], profiles: Write, name: str) -> None:
    """A profile may name neither the profile nor the file; the sentence says where to do it."""
    profiles(f'[profiles.default]\n{name} = "x"')
    with pytest.raises(WrongSetting, match="a profile cannot set it; the environment variable HEADRACE_PROFILE"):
        load(environment)
    settings = load(environment, lenient=True)
    assert settings.profile == "default"
    assert len(settings.warnings) == 1


def test_only_the_profile_in_force_is_looked_at(environment: dict[str, str], profiles: Write) -> None:
    """A fault in another profile harms nobody."""
    profiles("[profiles.broken]\nlog_level = 5\nnonsense = 1")
    assert load(environment).warnings == ()


def test_one_setting_in_two_spellings(environment: dict[str, str], profiles: Write) -> None:
    """A profile that says one thing twice is refused."""
    profiles('[profiles.default]\nlog_level = "INFO"\nHEADRACE_LOG_LEVEL = "DEBUG"')
    with pytest.raises(WrongSetting, match="set twice, in two spellings"):
        load(environment)
    assert load(environment, lenient=True).log_level == "INFO"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[profiles.x]\nlog_level = INFO\n", "at line 2, column"),
        ("[profiles.x]\nlog_level =", "at line 2, the end"),
        ('log_level = "INFO"', "'log_level' stands at its top"),
        ("[profile.x]", "'profile' stands at its top"),
        ("active = 5", "active must be the name of a profile"),
        ("profiles = 5", "a profile must be a table"),
        ("[profiles]\nx = 5", "a profile must be a table"),
        ("active = " + "9" * 5000, "a number too long"),
        ("active = " + "[" * 100_000, "too deep"),
    ],
)
def test_a_broken_file(environment: dict[str, str], profiles: Write, text: str, why: str) -> None:
    """A file that cannot be read is named with the line or the reason; leniently the settings do without it."""
    path = profiles(text)
    with pytest.raises(WrongSettingsFile) as caught:
        load(environment)
    assert (caught.value.path, why in caught.value.why) == (str(path), True)
    settings = load(environment, {"log_level": "ERROR"}, lenient=True)
    assert (settings.log_level, settings.warnings) == ("ERROR", (f"{caught.value} (it is left out)",))


def test_a_file_that_is_not_text(environment: dict[str, str], profiles: Write) -> None:
    """Bytes that are not UTF-8 are refused with their line; a byte order mark does no harm; a folder is no file."""
    path = profiles("")
    path.write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(WrongSettingsFile, match=r"not UTF-8 text \(at line 2\)"):
        load(environment)
    path.write_bytes(b'\xef\xbb\xbfactive = "default"\r\n')
    assert load(environment).origin("profile").layer == "active"
    path.unlink()
    path.mkdir()
    with pytest.raises(WrongSettingsFile, match="Is a directory"):
        load(environment)


def test_the_file_as_a_value(profiles: Write, tmp_path: Path) -> None:
    """What the file holds can be asked for without settling anything; no file has the one profile `default`."""
    found = read_profiles(profiles(FILE))
    assert (found.active, found.names) == ("two", ("default", "one", "two"))
    assert found.tables["two"] == {"HEADRACE_LOG_LEVEL": "ERROR"}
    assert read_profiles(tmp_path / "none.toml").names == ("default",)


@pytest.mark.parametrize("name", ["profiles.toml", "/dev/zero"])
def test_what_never_ends_is_not_read(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    """A pipe that nobody writes to, and a device that gives for ever, are no files of profiles; nobody waits for them."""
    path = tmp_path / name
    if name == "profiles.toml":
        os.mkfifo(path)
    environment["HEADRACE_PROFILES_PATH"] = str(path)
    with pytest.raises(WrongSettingsFile, match="it is no ordinary file"):
        load(environment)
    assert load(environment, lenient=True).faults


def test_a_file_too_large_to_be_meant(environment: dict[str, str], profiles: Write) -> None:
    """No more than a megabyte is read."""
    profiles("# " + "x" * 1_000_000)
    with pytest.raises(WrongSettingsFile, match="it has more than 1000000 bytes"):
        load(environment)


def test_the_null_device_has_no_profiles(environment: dict[str, str]) -> None:
    """It may be named by who wants none."""
    settings = load({**environment, "HEADRACE_PROFILES_PATH": os.devnull})
    assert (settings.profile, settings.warnings) == ("default", ())


def test_the_way_out(environment: dict[str, str], profiles: Write) -> None:
    """What is wrong in a profile names the command that takes it out, with the profile if it is not `default`."""
    profiles('[profiles.default]\nlease_seconds = "soon"\n[profiles."to day"]\nLOG = 1\nHEADRACE_DEBUG = 7')
    with pytest.raises(WrongSetting, match="; take it away with: headrace config unset lease_seconds$"):
        load(environment)
    other = load(environment, {"profile": "to day"}, lenient=True).faults
    assert [fault.partition("take it away with: ")[2] for fault in other] == [
        "headrace -p 'to day' config unset LOG",
        "headrace -p 'to day' config unset debug",
    ]


def test_faults_are_what_would_be_raised(environment: dict[str, str], profiles: Write) -> None:
    """Of the warnings those are faults that strict reading raises; the rest is no fault."""
    profiles("[profiles.default]\ngrace_seconds = 0\nnothing = 1")
    settings = load({**environment, "HEADRACE_X": "1", "HEADRACE_DEBUG": "perhaps"}, lenient=True)
    assert len(settings.warnings) == 4
    assert len(settings.faults) == 3
    assert all(any(warning.startswith(fault) for warning in settings.warnings) for fault in settings.faults)
    assert load({**environment, "HEADRACE_X": "1"}, {"profiles_path": os.devnull}).faults == ()


def test_the_faults_of_a_profile(environment: dict[str, str], profiles: Write) -> None:
    """A profile can be judged by itself, whatever stands over it, and one that is not in force too."""
    path = profiles("[profiles.a]\nlease_seconds = 3\n[profiles.b]\nclient = 5")
    found = read_profiles(path)
    environment |= {"HEADRACE_LEASE_SECONDS": "60"}
    assert [fault.fields()["name"] for fault in faults_of(found, "a", path, environment)] == ["lease_seconds"]
    assert [fault.fields()["name"] for fault in faults_of(found, "b", path, environment)] == ["client"]
    assert faults_of(found, "default", path, environment) == []


# As another process has them


@pytest.mark.parametrize("flags", [{}, {"profile": "eu"}, {"log_level": "ERROR"}])
@pytest.mark.parametrize(
    "text",
    [
        "",
        '[profiles.eu]\nlog_level = "DEBUG"',
        '[profiles.eu]\nhome = "elsewhere"\njournal_interval = 2',
        'active = "eu"\n[profiles.eu]\nhome = "elsewhere"\nplugins_blocked = ["a", "b"]\n[profiles.default]\ndebug = true',
        '[profiles.default]\nhome = "elsewhere"\nlease_seconds = 60\n[profiles.eu]',
    ],
)
@pytest.mark.parametrize("more", [{}, {"HEADRACE_TRACE_HOOKS": "yes", "HEADRACE_RENEW_SECONDS": "1.5"}])
def test_another_process_has_the_same(
    environment: dict[str, str], profiles: Write, text: str, flags: dict[str, str], more: dict[str, str]
) -> None:
    """What is in force here is in force where the variables are set, wherever it came from: the home, the profile, flags of a command."""
    profiles(text)
    if flags.get("profile") and "[profiles.eu]" not in text:
        flags = {}
    settings = load(environment | more, flags)
    there = load(environment | more | settings.as_environment())
    names = [name for name in SETTINGS if name != "profiles_path"]
    assert {name: getattr(there, name) for name in names} == {name: getattr(settings, name) for name in names}
    assert there.warnings == ()


def test_defaults_are_not_passed_on(environment: dict[str, str]) -> None:
    """What nobody has set may be set where it arrives; the home is always the same."""
    assert load(environment | {"HEADRACE_DEBUG": "on"}).as_environment().keys() == {"HEADRACE_HOME", "HEADRACE_DEBUG"}


# Unknown names


def test_an_unknown_variable_is_told(environment: dict[str, str]) -> None:
    """An unknown HEADRACE_ variable is a warning with the near name, never an error, and its value is not shown."""
    settings = load({**environment, "HEADRACE_LOG_LEVL": "hunter2", "HEADRACE_log_level": "DEBUG"})
    assert settings.warnings == (
        "the environment sets 'HEADRACE_LOG_LEVL', which is no setting; did you mean HEADRACE_LOG_LEVEL?",
        "the environment sets 'HEADRACE_log_level', which is no setting; did you mean HEADRACE_LOG_LEVEL?",
    )
    assert settings.log_level == "INFO"


def test_an_unknown_name_in_a_profile(environment: dict[str, str], profiles: Write) -> None:
    """An unknown name in the profile in force is an error with the near name; leniently it is left out and the rest counts."""
    path = profiles('[profiles.default]\nLOG_LEVL = "x"\nclient = "http"')
    with pytest.raises(UnknownSetting) as caught:
        load(environment)
    assert str(caught.value) == (
        f"profile default in {path} sets 'LOG_LEVL', which is no setting; did you mean log_level?"
        " take it away with: headrace config unset LOG_LEVL"
    )
    settings = load(environment, lenient=True)
    assert (settings.client, settings.warnings) == ("http", (f"{caught.value} (it is left out)",))


def test_an_unknown_flag(environment: dict[str, str]) -> None:
    """An unknown flag is an error; with no name near, all are listed."""
    with pytest.raises(UnknownSetting, match="a flag sets 'colour', which is no setting; settings are: home, profiles_path, "):
        load(environment, {"colour": "red"})
    assert load(environment, {"colour": "red"}, lenient=True).warnings


def test_both_spellings() -> None:
    """What a person types on the command line may be either spelling."""
    assert setting_name("HEADRACE_LOG_LEVEL", where="it") == setting_name("log_level", where="it") == "log_level"
    assert all(setting_name(variable(name), where="it") == name for name in SETTINGS)


# Secrets


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class WithSecret:
    """A class with a secret, as a later setting may be."""

    token: str = attrs.field(default="", metadata=about("a token", TEXT, secret=True))
    client: str = attrs.field(default="", metadata=about("a client", TEXT))


def test_secrets_are_hidden() -> None:
    """A secret is neither in repr nor in the error about it."""
    assert repr(WithSecret(token="hunter2", client="http")) == "WithSecret(token=***, client='http')"
    with pytest.raises(WrongSetting) as caught:
        read_value(attrs.fields(WithSecret).token, 12345, Origin(layer="flag"), environment={})
    assert "12345" not in f"{caught.value} {caught.value!r}"


def test_a_secret_setting_is_not_shown(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`shown` gives values as one writes them, and stars for a secret."""
    settings = load(environment, {"client": "http"})
    assert (settings.shown("client"), settings.shown("lease_seconds"), settings.shown("trace_hooks")) == ("http", "20", "false")
    monkeypatch.setattr("headrace.settings.SETTINGS", {"client": attrs.fields(WithSecret).token})
    assert settings.shown("client") == "***"


# Every setting


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_described(name: str) -> None:
    """Each field has a one-line meaning, and a default that it would itself accept."""
    field = SETTINGS[name]
    assert field.metadata["meaning"].strip()
    assert "\n" not in field.metadata["meaning"]
    assert field.metadata["kind"].read(field.default) == field.default


def test_no_setting_is_forgotten() -> None:
    """All public fields but `warnings` and `faults` are settings."""
    assert [field.name for field in attrs.fields(Settings) if field.name not in ("warnings", "faults", "_origins")] == list(SETTINGS)


# Anything at all


def outcome(environment: Mapping[str, str], flags: Mapping[str, object]) -> None:
    """Strictly there are settings or an error of ours; leniently there are settings, and warnings wherever there was an error."""
    lenient = load(environment, flags, lenient=True)
    assert set(SETTINGS) == {name for name in SETTINGS if lenient.origin(name)}
    try:
        strict = load(environment, flags)
    except HeadraceError as error:
        assert any(warning.startswith(str(error)) for warning in lenient.warnings)  # noqa: PT017  either outcome is right
    else:
        assert strict == lenient
        assert strict.warnings == lenient.warnings
        for name, field in SETTINGS.items():
            value = getattr(strict, name)
            written: Any = shown(value)
            assert read_value(field, written, strict.origin(name), environment=environment) == value


texts = st.one_of(
    st.text(),
    st.sampled_from(
        ["~", "~x", ".", "..", "/", "1", "0", "1e9", "-0", "٣", "1_0", "NaN", "true", "info", "a,b", "\0", "\ud800", "default", " "]
    ),
    st.floats().map(str),
)


@drawing(deadline=None)  # a busy machine is no fault
@given(name=st.sampled_from(sorted(SETTINGS)), text=texts)
def test_any_text_in_the_environment(tmp_path_factory: pytest.TempPathFactory, name: str, text: str) -> None:
    """Any text for any setting gives settings or an error of ours."""
    home = str(tmp_path_factory.getbasetemp())
    outcome({"HOME": home, variable(name): text}, {})


@drawing(deadline=None)  # a busy machine is no fault
@given(
    flags=st.dictionaries(
        st.sampled_from(sorted(SETTINGS)) | st.text(), texts | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.text())
    )
)
def test_any_value_as_a_flag(tmp_path_factory: pytest.TempPathFactory, flags: dict[str, object]) -> None:
    """Any values for any flags give settings or an error of ours."""
    outcome({"HOME": str(tmp_path_factory.getbasetemp())}, flags)


def toml(value: object) -> str:
    """A value as TOML."""
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08X}" for character in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower()


plain = st.text(st.characters(exclude_categories=["Cs"]))


@drawing(deadline=None)  # a busy machine is no fault
@given(
    values=st.dictionaries(st.sampled_from(sorted(SETTINGS)) | plain, plain | st.integers() | st.floats() | st.booleans() | st.lists(plain))
)
def test_any_value_in_a_profile(tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]) -> None:
    """Any values in a profile give settings or an error of ours."""
    path = tmp_path_factory.getbasetemp() / "values.toml"
    path.write_text("[profiles.default]\n" + "\n".join(f"{toml(name)} = {toml(value)}" for name, value in values.items()))
    outcome({"HOME": str(path.parent)}, {"profiles_path": path})


@drawing(deadline=None)  # a busy machine is no fault
@given(content=st.binary() | plain.map(str.encode) | st.text('[]{}.="\n#a1profilesactive').map(str.encode), profile=st.none() | plain)
def test_any_file(tmp_path_factory: pytest.TempPathFactory, content: bytes, profile: str | None) -> None:
    """Any bytes as the file of profiles give settings or an error of ours."""
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    outcome({"HOME": str(path.parent)}, {"profiles_path": path, "profile": profile})


# Cost


def test_what_is_loaded(tmp_path: Path) -> None:
    """Without a file of profiles and without a slip, neither tomllib nor difflib is loaded."""
    program = "import os, sys; from headrace.settings import load; before = set(sys.modules); load(os.environ); print(sorted(set(sys.modules) - before))"
    environment = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-B", "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
