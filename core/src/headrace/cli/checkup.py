"""A look at everything that headrace needs here: what is installed, where things are, what is broken. It changes nothing.

Whatever is broken may be what a look goes through, so each look is on its own: one that fails is a finding, and the others go on.
"""

import os
import platform
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import attrs

from headrace import __version__, instance
from headrace.cli.hidden_secrets import HiddenSecrets
from headrace.cli.invocation import Invocation
from headrace.cli.setting_rows import setting_row
from headrace.errors import CodeNotAllowedHere, DoubleProvider, HeadraceError, ProviderUnusable
from headrace.hooks.known import KNOWN
from headrace.hooks.plugins import Status
from headrace.hooks.registry import PORTS
from headrace.instance import provider_choices
from headrace.model.choices import Choice
from headrace.model.storages import MEMORY, name_in
from headrace.places import own_storage, storage_of
from headrace.ports.diagnosis import Diagnosable, Diagnosis
from headrace.ports.storage import Storage
from headrace.processes import ProcessFile, folder_of
from headrace.settings import SETTINGS

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that something beyond this machine has to answer."""

LEAST_FREE, LEAST_SHARE = 1024**3, 0.05
"""A disk with less than both is nearly full."""

AHEAD = timedelta(minutes=1)
"""So much may clocks of different machines differ."""


@attrs.frozen(kw_only=True)
class Finding:
    """Something to be mended, or only to be known; `sentence` says what to do."""

    about: str
    sentence: str
    is_broken: bool


class NoAnswer(Exception):
    """Somebody did not answer in time."""


class Checkup:
    """All looks, one after the other. `findings` grow with each."""

    def __init__(self, invocation: Invocation, now: datetime) -> None:
        self._invocation = invocation
        self._settings = invocation.untold_settings
        self._registry = invocation.registry
        self._home = self._settings.home
        self._now = now
        self.findings: list[Finding] = []

    def report(self) -> dict[str, Any]:
        """Everything, as plain data without secrets."""
        looks: dict[str, Callable[[], Any]] = {
            "installed": self._installed,
            "plugins": self._plugins,
            "settings": self._set,
            "places": self._places,
            "run_store": self._run_store,
            "storage": self._storage,
        }
        found = {name: self._looked(name.replace("_", " "), look) for name, look in looks.items()}
        by_sentence = {each.sentence: each for each in reversed(self.findings)}
        findings = [each for each in self.findings if each is by_sentence[each.sentence]]
        findings.sort(key=lambda each: not each.is_broken)
        whole = {
            "is_broken": any(each.is_broken for each in findings),
            "findings": [attrs.asdict(each) for each in findings],
            **found,
        }
        plain: dict[str, Any] = HiddenSecrets.of(self._settings, self._invocation.environment).gone(whole)
        return plain

    def _looked(self, about: str, look: Callable[[], Any]) -> Any:
        with self._contained(about):
            return look()
        return None

    @contextmanager
    def _contained(self, about: str) -> Iterator[None]:
        """What fails is a finding."""
        try:
            yield
        except (HeadraceError, NoAnswer) as error:
            self._broken(about, str(error))
        except OSError as error:
            self._broken(about, f"{error.filename or about}: {error.strerror or error}; see to it that it can be read")
        except Exception as error:  # a plugin's, or a bug: the other looks are made all the same
            self._broken(about, f"{about} cannot be looked at: {type(error).__name__}: {error}; report this")

    def _broken(self, about: str, sentence: str) -> None:
        self.findings.append(Finding(about=about, sentence=sentence, is_broken=True))

    def _remark(self, about: str, sentence: str) -> None:
        self.findings.append(Finding(about=about, sentence=sentence, is_broken=False))

    # What is installed

    def _installed(self) -> dict[str, Any]:
        dists = dict(sorted((row.dist, row.version) for row in self._registry.rows()))
        own = {dist for dist in KNOWN.values() if dist in dists}
        for dist in sorted(own):
            if dists[dist] != __version__:
                why = f"{dist} {dists[dist]} is installed beside headrace-core {__version__}, and they belong together"
                self._remark("installed", f"{why}; pip install --upgrade headrace-core {dist}")
        return {
            "headrace": __version__,
            "python": f"{platform.python_version()} ({platform.python_implementation()})",
            "platform": platform.platform(),
            "sqlite": _sqlite_version(),
            "dists": dists,
        }

    def _plugins(self) -> list[dict[str, str]]:
        for row in self._registry.rows():
            if row.status is Status.FAILED:
                what = f"{row.kind} {row.name!r} of {row.dist}"
                self._broken("plugins", f"{what} cannot be used: {row.reason}; mend, upgrade or uninstall {row.dist}")
        for port in PORTS:
            for name in self._registry.offers(port):
                self._load(port, name)
        names = {name for row in self._registry.rows() for name in (row.name, row.dist)}
        for blocked in self._settings.plugins_blocked:
            if blocked not in names:
                self._remark(
                    "plugins", f"plugins_blocked names {blocked!r}, which is not installed; take it out, or see `headrace plugins`"
                )
        return [
            {"name": row.name, "kind": row.kind, "dist": row.dist, "status": str(row.status), "reason": row.reason}
            for row in self._registry.rows()
            if row.status is not Status.OK
        ]

    def _load(self, port: str, name: str) -> None:
        try:
            self._registry.load(port, name)
        except (CodeNotAllowedHere, DoubleProvider):
            pass  # it may be used where it belongs; it was told already
        except ProviderUnusable as error:
            self._broken("plugins", f"{error}; mend, upgrade or uninstall {error.dist}")

    # Settings

    def _set(self) -> list[dict[str, Any]]:
        settings = self._settings
        for sentence in settings.faults:
            self._broken("settings", sentence)
        for sentence in settings.warnings:
            if not any(sentence.startswith(fault) for fault in settings.faults):
                self._remark("settings", sentence)
        for name, field in SETTINGS.items():
            port, value = field.metadata["port"], getattr(settings, name)
            if port and value and not self._registry.has(port, value):
                with self._contained("settings"):
                    self._registry.offer(port, value)
        return [setting_row(settings, name) for name in SETTINGS if settings.origin(name).layer != "default"]

    # Places

    def _places(self) -> dict[str, Any]:
        found: dict[str, Any] = {"home": str(self._home), "profiles": str(self._settings.profiles_path), "profile": self._settings.profile}
        with self._contained("home"):
            self._look_at_home()
        with self._contained("disk"):
            found["free_bytes"] = self._free()
        with self._contained("code cache"):
            found["code_cache"] = _size(self._home / "code")
        with self._contained("working folders"):
            found["working_folders"] = {**_size(self._home / "running"), **self._runs_here()}
        return found

    def _look_at_home(self) -> None:
        advice = "choose another with HEADRACE_HOME, or change its permissions"
        there = _nearest(self._home)
        if there != self._home and not os.path.isdir(there):
            self._broken("home", f"the home {self._home} cannot be made, since {there} is no folder; {advice}")
        elif not os.path.isdir(there):
            self._broken("home", f"the home {self._home} is no folder; move it away, or choose another with HEADRACE_HOME")
        elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            what = "used" if there == self._home else "made"
            self._broken("home", f"the home {self._home} cannot be {what}, since {there} may not be written; {advice}")
        elif there == self._home and os.stat(there).st_mode & stat.S_IWOTH:
            self._remark(
                "home", f"everybody on this machine may write into the home {self._home}, and so run code as you; chmod o-w {self._home}"
            )

    def _free(self) -> int:
        there = _nearest(self._home)
        total, _, free = shutil.disk_usage(there)
        if free < LEAST_FREE and free < total * LEAST_SHARE:
            self._broken("disk", f"the disk of {there} is nearly full: {amount(free)} of {amount(total)} are free; make room")
        nodes = os.statvfs(there)
        if nodes.f_files and nodes.f_favail < nodes.f_files * LEAST_SHARE / 5:
            self._broken("disk", f"the disk of {there} has room for only {nodes.f_favail} more files; delete some")
        return free

    def _runs_here(self) -> dict[str, int]:
        """Folders of runs, by whether somebody works in them."""
        folder = self._home / "running"
        identities = os.listdir(folder) if folder.is_dir() else []
        left = [identity for identity in identities if not ProcessFile(folder_of(self._home), identity).is_held()]
        if left:
            why = f"runs that were killed have left in {folder}: {len(left)} folder{'s' if len(left) > 1 else ''}"
            self._remark("working folders", f"{why}; an agent that is started removes what they left")
        return {"in_use": len(identities) - len(left), "left_behind": len(left)}

    # The run store, or what stands before it

    def _run_store(self) -> dict[str, Any]:
        port, choice = provider_choices(self._settings, self._registry)[0]
        if port == "client":
            return self._client(choice)
        store = self._registry.make(port, choice)
        found = {"name": choice.name}
        if choice.name == MEMORY and not self._settings.run_store:
            why = "no run store is installed that lasts, so runs are forgotten when their process ends"
            self._remark("run store", f"{why}; pip install headrace-sqlite")
        if not isinstance(store, Diagnosable):
            with store.open():
                return {**found, "tells": "nothing but that it can be opened"}
        diagnosis = store.diagnose(self._now)
        for sentence in diagnosis.faults:
            self._broken("run store", sentence)
        for sentence in diagnosis.remarks:
            self._remark("run store", sentence)
        self._look_at_clock(diagnosis)
        kept = {"runs": self._settings.keep_runs_days, "details": self._settings.keep_details_days}
        return {**found, **_told(diagnosis), "kept_days": kept}

    def _look_at_clock(self, diagnosis: Diagnosis) -> None:
        newest = diagnosis.newest_run
        if newest is not None and newest > self._now + AHEAD:
            why = (
                f"the newest run was made at {newest:%Y-%m-%d %H:%M:%S} UTC, which is still to come: this machine's clock is, or was, wrong"
            )
            self._remark("clock", f"{why}; see to it that it is set by a time server")

    def _client(self, choice: Choice) -> dict[str, Any]:
        def ask() -> int:
            with self._registry.make("client", choice).open() as client:
                last: int = client.read_last_event()
                return last

        with self._contained("client"):
            self._answer(f"client {choice.name!r}", ask)
        return {"client": choice.name}

    # Storage

    def _storage(self) -> dict[str, Any]:
        choice = own_storage(self._settings, self._registry)
        name = name_in(choice) or choice.name
        found: dict[str, Any] = {"name": name}

        def ask() -> bool:
            with self._storage_of(choice).open() as opened:
                return bool(opened.exists("doctor/is-it-there"))

        with self._contained("storage"):
            self._answer(f"storage {name!r}", ask)
        path = choice.options.get("path")
        if isinstance(path, str):
            with self._contained("storage"):
                there = _nearest(Path(path))
                if not (os.path.isdir(there) and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
                    self._broken(
                        "storage", f"storage {choice.name!r} cannot be used, since {there} may not be written; change its permissions"
                    )
                found |= _size(Path(path))
        return found

    def _storage_of(self, choice: Choice) -> Storage:
        """What is meant by a choice; for one that goes by a name, the orchestration is asked."""
        if name_in(choice) is None:
            return storage_of(self._settings, self._registry, choice)
        with instance.open(self._settings, registry=self._registry, lasting=True) as house:
            return house.storage(choice)

    def _answer(self, who: str, ask: Callable[[], T]) -> T:
        """What somebody says who may be far away. Raises what they raise, and NoAnswer."""
        said: list[T] = []
        failed: list[BaseException] = []

        def listen() -> None:
            try:
                said.append(ask())
            except BaseException as error:
                failed.append(error)

        listener = threading.Thread(target=listen, daemon=True)  # it may wait for ever, and the process ends all the same
        try:
            listener.start()
        except RuntimeError as error:
            raise NoAnswer(f"{who} was not asked, since no thread can be started ({error}); let this user have more processes") from error
        listener.join(PATIENCE)
        if failed:
            raise failed[0]
        if not said:
            raise NoAnswer(f"{who} did not answer within {PATIENCE:g} seconds; see whether it can be reached from here")
        return said[0]


def _told(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain data."""
    return {
        "where": diagnosis.where,
        **diagnosis.facts,
        "files": dict(diagnosis.files),
        "rows": dict(diagnosis.rows),
        "oldest_run": diagnosis.oldest_run,
        "newest_run": diagnosis.newest_run,
        "runs_of_last_day": diagnosis.runs_of_last_day,
    }


def _sqlite_version() -> str:
    try:
        import sqlite3  # loading it is a look, too: some Pythons are built without
    except ImportError:
        return "this Python has none"
    return sqlite3.sqlite_version


def _nearest(path: Path) -> Path:
    """The path, or what is there of it."""
    return next(each for each in (path, *path.parents) if os.path.lexists(each) or each == each.parent)


def _size(folder: Path) -> dict[str, Any]:
    """How much is in a folder; what goes away meanwhile is not counted, nor what links lead to."""
    files = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
                files += 1
            except OSError:
                continue
    return {"path": str(folder), "files": files, "bytes": size}


def amount(size: int) -> str:
    """A number of bytes, as exactly as people care for."""
    left = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if left < 1024:
            return f"{left:.1f} {unit}" if unit != "bytes" and left < 10 else f"{left:.0f} {unit}"
        left /= 1024
    return f"{left:.1f} TiB"
