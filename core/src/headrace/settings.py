"""Settings from one source: defaults < profile < environment < flags; every value knows where it came from.

A profile is a table of settings in one file, `profiles.toml`. Which file, and which of its profiles, must be known before the profile can be read:
so `home`, `profiles_path` and `profile` are settled first, from flags, environment and defaults alone. A profile may set another `home` (where
runs and results are kept); that moves neither the file nor the choice.

What people type is strict: a name or value that cannot be used is an error that says what, where from, and what is accepted. The commands that
mend settings read leniently: there a fault becomes a sentence in `warnings`, and nothing written anywhere can lock the command line.
"""

import math
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import attrs

from headrace.errors import HeadraceError, UnknownProfile, UnknownSetting, WrongSetting, WrongSettingsFile
from headrace.model.orders import MARK

PREFIX = "HEADRACE_"
DEFAULT_PROFILE = "default"
HIDDEN = "***"

_SHORTEST, _LONGEST = 0.001, 31_536_000.0
_MOST_COUNTED = 1000
_MOST_DAYS = 36_525.0
_TRUTHS = MappingProxyType({"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False})
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LARGEST = 1_000_000
"""As many bytes of the file of profiles are read."""

_NO_FLAGS: Mapping[str, object] = MappingProxyType({})


# How values are written


@attrs.frozen(kw_only=True)
class Kind:
    """A way to write values: what is accepted, in words, and how it is read (None: it is not accepted)."""

    accepts: str
    read: Callable[[object], object | None]


def _read_text(value: object) -> str | None:
    """Bytes of the environment that are no UTF-8 stand in it as halves of characters, and fit into no file and no other program."""
    text = value.strip() if isinstance(value, str) else None
    return text if text is not None and text.isprintable() else None


def _read_name(value: object) -> str | None:
    return _read_text(value) or None


def _read_level(value: object) -> str | None:
    level = value.strip().upper() if isinstance(value, str) else None
    return level if level in _LEVELS else None


def _read_address(value: object) -> str | None:
    if not isinstance(value, str) or not (text := value.strip().rstrip("/")):
        return "" if value == "" else None
    from urllib.parse import urlsplit  # costs a millisecond that who has no server need not pay

    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    is_bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return text if is_whole and is_bare and text.isascii() and text.isprintable() and " " not in text else None


def _read_names(value: object) -> tuple[str, ...] | None:
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        return None
    names = tuple(name.strip() for name in ",".join(parts).split(",") if name.strip())
    return names if all(name.isprintable() for name in names) else None


def _read_truth(value: object) -> bool | None:
    if isinstance(value, int):
        return bool(value) if value in (0, 1) else None
    return _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None


def _read_number(value: object, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and least <= number <= most else None


def _read_seconds(value: object) -> float | None:
    return _read_number(value, _SHORTEST, _LONGEST)


def _read_count(value: object) -> int | None:
    try:
        found = int(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else 0
    except ValueError:
        return None
    return found if 1 <= found <= _MOST_COUNTED else None


def _read_days(value: object) -> float | None:
    return _read_number(value, 0.0, _MOST_DAYS)


def _read_path(value: object) -> Path | None:
    """The path as written; `_absolute` makes it absolute."""
    if not isinstance(value, (str, Path)) or not str(value).strip() or "\0" in str(value):
        return None
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return None
    return Path(value)


TEXT = Kind(accepts="text in one line, in UTF-8", read=_read_text)
NAME = Kind(accepts="text that is not empty, in one line, in UTF-8", read=_read_name)
ADDRESS = Kind(accepts="an address such as http://127.0.0.1:4200/api, without a user, a query or a fragment", read=_read_address)
NAMES = Kind(accepts="names in UTF-8 with commas between them", read=_read_names)
LEVEL = Kind(accepts=f"one of {', '.join(_LEVELS)}", read=_read_level)
TRUTH = Kind(accepts=f"one of {', '.join(_TRUTHS)}", read=_read_truth)
SECONDS = Kind(accepts=f"a number of seconds from {_SHORTEST:g} to {_LONGEST:.0f} (a year)", read=_read_seconds)
COUNT = Kind(accepts=f"a whole number from 1 to {_MOST_COUNTED}", read=_read_count)
DAYS = Kind(accepts=f"a number of days from 0 (never) to {_MOST_DAYS:.0f} (a century)", read=_read_days)
PATH = Kind(accepts="a path that can be made absolute here: ~ needs a home folder, a relative one a current folder", read=_read_path)


def shown(value: object) -> str:
    """A setting's value as one writes it in the environment; reading it again gives the same value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


# The settings


@attrs.frozen(kw_only=True)
class Origin:
    """Where a value came from: `default`, `profile NAME in PATH`, `environment VARIABLE` or `flag`; a profile may also be `active in PATH`."""

    layer: Literal["default", "active", "profile", "environment", "flag"]
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        place = f"in {self.path}" if self.path else ""
        return " ".join(word for word in (self.layer, self.name, place) if word)

    def way_out(self, spelling: str) -> str:
        """Which command takes away what a profile says under this spelling; nothing for other layers."""
        if self.layer != "profile":
            return ""
        from shlex import quote  # needed after a fault only

        chosen = "" if self.name == DEFAULT_PROFILE else f"-p {quote(self.name)} "
        return f"; take it away with: headrace {chosen}config unset {quote(spelling)}"


_DEFAULT = Origin(layer="default")


def about(meaning: str, kind: Kind, *, secret: bool = False, in_profiles: bool = True, port: str = "") -> dict[str, Any]:
    """The metadata of a field that is a setting; a secret one is shown nowhere. `port`: it names something that plugins offer for this port."""
    return {"meaning": meaning, "kind": kind, "secret": secret, "in_profiles": in_profiles, "port": port}


def hide_secrets(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    """A field transformer: what is marked secret is hidden in `repr`."""
    return [field.evolve(repr=lambda value: HIDDEN) if field.metadata.get("secret") else field for field in fields]


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class Settings:
    """What the layers say together. Made by `load` alone, so that no value is without its origin; equal when the values are.

    `faults` are those of the `warnings` that are errors where settings are not read leniently.
    """

    home: Path = attrs.field(default=Path("~/.headrace"), metadata=about("the folder of runs, results and profiles", PATH))
    profiles_path: Path = attrs.field(
        default=Path("profiles.toml"),
        metadata=about("the file of profiles; a default one lies in the home that flag or environment name", PATH, in_profiles=False),
    )
    profile: str = attrs.field(
        default=DEFAULT_PROFILE,
        metadata=about("the profile in force; where flag and environment name none, `active` in the file does", NAME, in_profiles=False),
    )
    run_store: str = attrs.field(
        default="", metadata=about("where runs are remembered; empty: sqlite if installed, else memory", TEXT, port="run store")
    )
    api_url: str = attrs.field(
        default="", metadata=about("the address of the web API that the orchestration is reached by; empty: in this process", ADDRESS)
    )
    api_token: str = attrs.field(
        default="", metadata=about("the token that the web API knows this machine or person by", TEXT, secret=True)
    )
    client: str = attrs.field(
        default="",
        metadata=about("how the orchestration is reached; empty: http if there is an api_url, else in this process", TEXT, port="client"),
    )
    flow_runner: str = attrs.field(
        default="", metadata=about("where an agent starts runs that leave it the choice; empty: subprocess", TEXT, port="flow runner")
    )
    task_runner: str = attrs.field(
        default="", metadata=about("how task calls run; empty: concurrent if installed, else the reference one", TEXT, port="task runner")
    )
    result_storage: str = attrs.field(
        default="",
        metadata=about(
            "where results and code go if nothing else is said: the name of a storage, or a type that needs no options; empty: the default storage of the "
            "orchestration, else its own folder",
            TEXT,
        ),
    )
    serializer: str = attrs.field(
        default="",
        metadata=about(
            "how results become bytes; empty: json, and pickle where installed for what JSON cannot hold", TEXT, port="serializer"
        ),
    )
    log_level: str = attrs.field(
        default="INFO", metadata=about("the least severe log lines kept: DEBUG, INFO, WARNING, ERROR or CRITICAL", LEVEL)
    )
    extra_loggers: tuple[str, ...] = attrs.field(
        default=(), metadata=about("other loggers whose lines belong to the run, commas between them", NAMES)
    )
    journal_interval: float = attrs.field(
        default=0.5, metadata=about("seconds between two batches of task-run moves and log lines", SECONDS)
    )
    lease_seconds: float = attrs.field(
        default=20.0, metadata=about("seconds without a renewal after which a run may be taken from its owner", SECONDS)
    )
    renew_seconds: float = attrs.field(
        default=5.0, metadata=about("seconds between two renewals; must be less than lease_seconds", SECONDS)
    )
    grace_seconds: float = attrs.field(
        default=10.0, metadata=about("seconds that a run which is to stop has before its processes are killed", SECONDS)
    )
    store_busy_seconds: float = attrs.field(
        default=30.0, metadata=about("seconds to wait for a run store that another program has locked", SECONDS)
    )
    outage_seconds: float = attrs.field(
        default=600.0,
        metadata=about("seconds for which a run that is under way goes on asking for an orchestration that is away", SECONDS),
    )
    schedule_ahead_seconds: float = attrs.field(
        default=3600.0, metadata=about("seconds ahead of their times for which schedules' runs are made; the next one always is", SECONDS)
    )
    schedule_ahead_runs: int = attrs.field(
        default=20, metadata=about("how many runs of a schedule are made ahead of their times at most", COUNT)
    )
    keep_runs_days: float = attrs.field(
        default=90.0, metadata=about("days after which a run that has ended is forgotten, with its results; 0: never", DAYS)
    )
    keep_details_days: float = attrs.field(
        default=14.0, metadata=about("days after which log lines and the histories of task runs are forgotten; 0: never", DAYS)
    )
    keys_path: Path = attrs.field(
        default=Path("keys"), metadata=about("the folder of keys, which seal secrets and sign code; a default one lies in the home", PATH)
    )
    sign_with: str = attrs.field(default="", metadata=about("the key that signs what is deployed; empty: it is not signed", TEXT))
    require_signature: bool = attrs.field(
        default=False, metadata=about("run only deployments that a key has signed which is trusted here", TRUTH)
    )
    plugins_blocked: tuple[str, ...] = attrs.field(default=(), metadata=about("plugins that are not loaded, commas between them", NAMES))
    trace_hooks: bool = attrs.field(default=False, metadata=about("show every hook call", TRUTH))
    debug: bool = attrs.field(default=False, metadata=about("show where an error of headrace itself came from", TRUTH))

    warnings: tuple[str, ...] = attrs.field(eq=False, repr=False)
    faults: tuple[str, ...] = attrs.field(eq=False, repr=False)
    _origins: Mapping[str, Origin] = attrs.field(eq=False, repr=False)

    def origin(self, name: str) -> Origin:
        """Where this setting's value came from."""
        return self._origins[name]

    def as_environment(self) -> dict[str, str]:
        """The variables that another process of this machine needs, so that the same settings are in force there."""
        said = {name for name in SETTINGS if self.origin(name).layer != "default"} | {"home"}
        if self.profile != DEFAULT_PROFILE:
            said.add("profiles_path")  # a profile that moves the home does not move the file that it stands in
        return {variable(name): shown(getattr(self, name)) for name in sorted(said)}

    def shown(self, name: str) -> str:
        """This setting's value as one writes it in the environment, hidden if it is a secret."""
        return HIDDEN if SETTINGS[name].metadata["secret"] else shown(getattr(self, name))


SETTINGS: Mapping[str, "attrs.Attribute[Any]"] = MappingProxyType(
    {field.name: field for field in attrs.fields(Settings) if "meaning" in field.metadata}
)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def setting_name(written: str, *, where: str) -> str:
    """The setting meant by `log_level` or `HEADRACE_LOG_LEVEL`; raises UnknownSetting."""
    name = written.removeprefix(PREFIX).lower() if written.startswith(PREFIX) else written
    if name not in SETTINGS:
        raise UnknownSetting(where=where, name=written, advice=_advice(written))
    return name


def read_value(field: "attrs.Attribute[Any]", value: object, origin: Origin, *, environment: Mapping[str, str], folder: str = "") -> Any:
    """A setting's value from what somebody wrote; raises WrongSetting. Relative paths start from `folder` (else the current one)."""
    kind: Kind = field.metadata["kind"]
    misplaced = _misplaced(field, value, origin)
    if misplaced is not None:
        raise misplaced
    found = kind.read(value)
    if isinstance(found, Path):
        found = _absolute(found, environment=environment, folder=folder)
    if found is None:
        raise _wrong(field, value, origin, f"it must be {kind.accepts}")
    return found


def _misplaced(field: "attrs.Attribute[Any]", value: object, origin: Origin) -> WrongSetting | None:
    if origin.layer != "profile" or field.metadata["in_profiles"]:
        return None
    return _wrong(field, value, origin, f"a profile cannot set it; the environment variable {variable(field.name)} can")


def _wrong(field: "attrs.Attribute[Any]", value: object, origin: Origin, why: str) -> WrongSetting:
    try:
        text = HIDDEN if field.metadata["secret"] else str(value)
    except ValueError:  # the text of an integer is limited to some thousand digits
        text = "a number too long to show"
    return WrongSetting(name=field.name, value=text, origin=str(origin), why=why, way_out=origin.way_out(field.name))


def _absolute(path: Path, *, environment: Mapping[str, str], folder: str) -> Path | None:
    try:
        if path.parts[:1] == ("~",):  # the environment given here counts before that of the process
            own = environment.get("HOME", "")
            home = Path(own) if os.path.isabs(own) else Path.home()
            return home.joinpath(*path.parts[1:]) if home.is_absolute() else None
        return Path(os.path.abspath(os.path.join(folder, path.expanduser())))
    except (OSError, RuntimeError):  # no current folder any more; no such user
        return None


def _advice(written: str, spelled: Callable[[str], str] | None = None) -> str:
    """The near name, in the spelling that was used if nothing else is said, else all names."""
    from difflib import get_close_matches  # needed after a slip only

    near = get_close_matches(written.removeprefix(PREFIX).lower(), SETTINGS, n=1)
    spelled = spelled or (variable if written.startswith(PREFIX) else str)
    return f"; did you mean {spelled(near[0])}?" if near else f"; settings are: {', '.join(SETTINGS)}"


# The file of profiles


@attrs.frozen(kw_only=True)
class Profiles:
    """What the file of profiles holds; `active` is empty where it chooses none."""

    active: str = ""
    tables: Mapping[str, Mapping[str, object]] = attrs.field(factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All profiles; `default` always exists."""
        return tuple(sorted({DEFAULT_PROFILE, *self.tables}))


def read_profiles(path: Path) -> Profiles:
    """The profiles in this file, their settings not looked at yet; none where there is no file. Raises WrongSettingsFile."""
    return parsed_profiles(read_content(path), path)


def read_content(path: Path) -> bytes:
    """What is in the file; nothing where there is none, and in the null device. Raises WrongSettingsFile, also for what one might wait for."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            is_whole = stat.S_ISREG(os.fstat(file.fileno()).st_mode) or os.path.samefile(path, os.devnull)
            content = file.read(_LARGEST + 1) if is_whole else b""
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except (OSError, ValueError) as error:
        raise WrongSettingsFile(path=str(path), why=getattr(error, "strerror", None) or str(error)) from None
    if not is_whole:
        raise WrongSettingsFile(path=str(path), why="it is no ordinary file")
    if len(content) > _LARGEST:
        raise WrongSettingsFile(path=str(path), why=f"it has more than {_LARGEST} bytes, which no profiles need")
    return content


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a named pipe may have no writer for ever


def parsed_profiles(content: bytes, path: Path) -> Profiles:
    """The profiles that a file of this content holds. Raises WrongSettingsFile."""
    if not content:
        return Profiles()
    table = _parsed(content, path)
    misplaced = [name for name in table if name not in ("active", "profiles")]
    active, tables = table.get("active", ""), table.get("profiles", {})
    if misplaced:
        raise WrongSettingsFile(path=str(path), why=f"{misplaced[0]!r} stands at its top, where only active and [profiles.NAME] may stand")
    if not isinstance(active, str):
        raise WrongSettingsFile(path=str(path), why="active must be the name of a profile, in quotes")
    if not isinstance(tables, dict) or not all(isinstance(profile, dict) for profile in tables.values()):
        raise WrongSettingsFile(path=str(path), why="a profile must be a table, [profiles.NAME]")
    return Profiles(active=active, tables=tables)


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    import tomllib  # costs milliseconds that a machine without profiles need not pay

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise WrongSettingsFile(path=str(path), why=f"it is not UTF-8 text (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        last = content.count(b"\n") + 1
        raise WrongSettingsFile(path=str(path), why=str(error).replace("end of document", f"line {last}, the end")) from None
    except (ValueError, RecursionError):
        raise WrongSettingsFile(path=str(path), why="it holds a number too long or lists too deep to read") from None


# Putting the layers together


@attrs.frozen(kw_only=True)
class _Written:
    """A value as somebody wrote it; a relative path in it starts from `folder`."""

    value: object
    origin: Origin
    folder: str = ""


def load(environment: Mapping[str, str], flags: Mapping[str, object] = _NO_FLAGS, *, lenient: bool = False) -> Settings:
    """The settings in force. A flag that is None was not given. `lenient` never raises: what is wrong is left out, and told in `warnings`."""
    loading = _Loading(environment, lenient=lenient)
    outside = {**loading.from_environment(), **loading.from_flags(flags)}
    home, _ = loading.settle("home", outside)
    path, path_origin = loading.settle("profiles_path", outside, folder=str(home))
    profiles = loading.profiles(path, path_origin)
    profile, profile_origin = loading.choose(profiles, path, *loading.settle("profile", outside))
    written = {**loading.from_profile(profiles, profile, path), **outside}

    settled = {"profiles_path": (path, path_origin), "profile": (profile, profile_origin), "home": loading.settle("home", written)}
    settled["keys_path"] = loading.settle("keys_path", written, folder=str(settled["home"][0]))
    settled |= {name: loading.settle(name, written) for name in SETTINGS if name not in settled}
    loading.check_lease(settled)
    return Settings(
        **{name: value for name, (value, _) in settled.items()},
        origins={name: origin for name, (_, origin) in settled.items()},
        warnings=tuple(dict.fromkeys(loading.warnings)),
        faults=tuple(dict.fromkeys(map(str, loading.faults))),
    )


def faults_of(profiles: Profiles, name: str, path: Path, environment: Mapping[str, str]) -> list[HeadraceError]:
    """What is wrong with a profile by itself, whatever environment and flags say over it."""
    loading = _Loading(environment, lenient=True)
    written = loading.from_profile(profiles, name, path)
    loading.check_lease({setting: loading.settle(setting, written) for setting in SETTINGS})
    return loading.faults


class _Loading:
    """One reading of the settings: what it reads from, and the sentences it has to say."""

    def __init__(self, environment: Mapping[str, str], *, lenient: bool) -> None:
        self._environment = environment
        self._lenient = lenient
        self.warnings: list[str] = []
        self.faults: list[HeadraceError] = []

    def fault(self, error: HeadraceError, instead: str) -> None:
        """Raise, or where faults are forgiven, say what is done instead."""
        if not self._lenient:
            raise error
        self.faults.append(error)
        self.warnings.append(f"{error} ({instead})")

    def from_environment(self) -> dict[str, _Written]:
        written = {}
        for name, value in self._environment.items():
            if not name.startswith(PREFIX) or name == MARK:
                continue
            field = name.removeprefix(PREFIX).lower()
            if field in SETTINGS and name == variable(field):
                written[field] = _Written(value=value, origin=Origin(layer="environment", name=name))
            else:
                self.warnings.append(str(UnknownSetting(where="the environment", name=name, advice=_advice(name))))
        return written

    def from_flags(self, flags: Mapping[str, object]) -> dict[str, _Written]:
        return self._named({name: value for name, value in flags.items() if value is not None}, Origin(layer="flag"), where="a flag")

    def from_profile(self, profiles: Profiles, name: str, path: Path) -> dict[str, _Written]:
        origin = Origin(layer="profile", name=name, path=str(path))
        return self._named(profiles.tables.get(name, {}), origin, where=str(origin), folder=str(path.parent))

    def _named(self, values: Mapping[str, object], origin: Origin, *, where: str, folder: str = "") -> dict[str, _Written]:
        written: dict[str, _Written] = {}
        for spelling, value in values.items():
            try:
                name = setting_name(spelling, where=where)
            except UnknownSetting as error:
                way_out = origin.way_out(spelling).removeprefix(";" * error.advice.endswith("?"))
                self.fault(attrs.evolve(error, advice=f"{error.advice}{way_out}"), "it is left out")
                continue
            if name in written:
                self.fault(_wrong(SETTINGS[name], value, origin, "it is set twice, in two spellings"), "the first counts")
                continue
            misplaced = _misplaced(SETTINGS[name], value, origin)
            if misplaced is not None:
                self.fault(misplaced, "it is left out")
                continue
            written[name] = _Written(value=value, origin=origin, folder=folder)
        return written

    def settle(self, name: str, written: Mapping[str, _Written], *, folder: str = "") -> tuple[Any, Origin]:
        """The value of this setting and its origin; `folder` is where a default path starts."""
        field, found = SETTINGS[name], written.get(name)
        if found is not None:
            try:
                value = read_value(field, found.value, found.origin, environment=self._environment, folder=found.folder)
            except WrongSetting as error:
                self.fault(error, "the default is used")
            else:
                return value, found.origin
        try:
            return read_value(field, field.default, _DEFAULT, environment=self._environment, folder=folder), _DEFAULT
        except WrongSetting as error:
            # only a path can come here: a user without a home folder, as in some containers
            instead = Path(os.sep, Path(str(field.default)).name)
            self.fault(attrs.evolve(error, why=f"{error.why}; set {variable(name)}"), f"{instead} is used")
            return instead, _DEFAULT

    def profiles(self, path: Path, origin: Origin) -> Profiles:
        if origin != _DEFAULT and not os.path.exists(path):
            self.warnings.append(f"profiles_path={str(path)!r} from {origin} names no file, so there are no profiles but {DEFAULT_PROFILE}")
        try:
            return read_profiles(path)
        except WrongSettingsFile as error:
            self.fault(error, "it is left out")
            return Profiles()

    def choose(self, profiles: Profiles, path: Path, name: str, origin: Origin) -> tuple[str, Origin]:
        """The profile in force: what flag or environment say, else the file."""
        if origin == _DEFAULT and profiles.active:
            name, origin = profiles.active, Origin(layer="active", path=str(path))
        if name in profiles.names:
            return name, origin
        error = UnknownProfile(name=name, path=str(path), known=profiles.names)
        instead = f"profile {DEFAULT_PROFILE} is used"
        if origin.layer == "active":
            # whoever deletes the active profile must still be able to choose another
            self.warnings.append(f"{error} ({instead})")
        else:
            self.fault(error, instead)
        return DEFAULT_PROFILE, _DEFAULT

    def check_lease(self, settled: dict[str, tuple[Any, Origin]]) -> None:
        (renew, renew_origin), (lease, lease_origin) = settled["renew_seconds"], settled["lease_seconds"]
        if renew < lease:
            return
        both = f"renew_seconds ({shown(renew)}, {renew_origin}) must be less than lease_seconds ({shown(lease)}, {lease_origin})"
        # the one that somebody wrote is the one to mend
        name, value, origin = ("lease_seconds", lease, lease_origin) if renew_origin == _DEFAULT else ("renew_seconds", renew, renew_origin)
        self.fault(_wrong(SETTINGS[name], shown(value), origin, both), "the defaults of both are used")
        settled.update({name: (SETTINGS[name].default, _DEFAULT) for name in ("renew_seconds", "lease_seconds")})
