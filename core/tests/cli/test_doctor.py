"""`headrace doctor` where runs are in memory; with a real store: tests/end_to_end/test_doctor.py."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from headrace import __version__
from headrace.cli.checkup import amount

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]

SECTIONS = ["is_broken", "findings", "installed", "plugins", "settings", "places", "run_store", "storage"]


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    return Path(environment["HEADRACE_HOME"])


def report(shown: CompletedProcess[str]) -> dict[str, Any]:
    """What the doctor says as JSON; its exit code says whether anything is broken."""
    found: dict[str, Any] = json.loads(shown.stdout)
    assert list(found) == SECTIONS
    assert shown.returncode == (1 if found["is_broken"] else 0)
    assert found["is_broken"] == any(each["is_broken"] for each in found["findings"])
    return found


def sentences(found: dict[str, Any], *, broken: bool = True) -> list[str]:
    """What is broken, or only to be known."""
    return [each["sentence"] for each in found["findings"] if each["is_broken"] == broken]


def test_nothing_is_broken(headrace: Headrace, home: Path) -> None:
    """A fresh home is sound; what is installed and where things are is told, and nothing is made."""
    found = report(headrace("doctor", "--json"))
    assert found["findings"] == []
    assert found["installed"]["headrace"] == __version__
    assert found["installed"]["python"].startswith(platform.python_version())
    assert "headrace-core" in found["installed"]["dists"]
    assert (found["places"]["home"], found["places"]["profile"]) == (str(home), "default")
    assert found["places"]["code_cache"] == {"path": str(home / "code"), "files": 0, "bytes": 0}
    assert (found["run_store"]["name"], found["run_store"]["where"]) == ("memory", "the memory of each process")
    assert {row["name"] for row in found["settings"]} == {"home", "run_store"}
    assert not home.exists()


def test_people_see_the_same(headrace: Headrace, home: Path) -> None:
    """Sections for people, all of them on the standard output, and the last line says how it is."""
    shown = headrace("doctor")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert [line for line in lines if line in ("installed", "places", "run store", "storage", "settings", "findings")] == [
        "installed",
        "places",
        "run store",
        "storage",
        "settings",
        "findings",
    ]
    assert lines[-1] == "nothing is broken"
    assert f"home             {home}" in lines
    assert "\x1b" not in shown.stdout


def test_settings_that_are_wrong_or_ignored(headrace: Headrace, home: Path) -> None:
    """What is wrong is broken, and says how to mend it; what is ignored is to be known."""
    home.mkdir()
    (home / "profiles.toml").write_text('[profiles.default]\nlog_level = "LOUD"\nlease_secnds = 3\nplugins_blocked = ["nobody"]\n')
    found = report(headrace("doctor", "--json", more={"HEADRACE_GRACE_SECONDS": "soon", "HEADRACE_LEASE": "1", "HEADRACE_CLIENT": "gone"}))
    broken = sentences(found)
    assert len(broken) == 4
    assert any(sentence.endswith("take it away with: headrace config unset log_level") for sentence in broken)
    assert any(
        sentence.endswith("did you mean lease_seconds? take it away with: headrace config unset lease_secnds") for sentence in broken
    )
    assert any(sentence.startswith("grace_seconds='soon' from environment HEADRACE_GRACE_SECONDS") for sentence in broken)
    assert any(sentence.startswith("no client named 'gone'; installed: ") for sentence in broken)
    known = sentences(found, broken=False)
    assert any(sentence.startswith("the environment sets 'HEADRACE_LEASE', which is no setting") for sentence in known)
    assert any(sentence.startswith("plugins_blocked names 'nobody', which is not installed") for sentence in known)


@pytest.mark.parametrize("text", ["[profiles.default", "\udcff", "active = 1"])
def test_a_corrupt_file_of_profiles(headrace: Headrace, home: Path, text: str) -> None:
    """It is one finding, and all else is looked at."""
    home.mkdir()
    (home / "profiles.toml").write_bytes(os.fsencode(text))
    found = report(headrace("doctor", "--json"))
    (sentence,) = sentences(found)
    assert sentence.startswith(f"the settings file {home / 'profiles.toml'} cannot be read: ")
    assert all(found[section] is not None for section in SECTIONS)


def test_plugins_that_cannot_be_used(headrace: Headrace, plugin: Plugin) -> None:
    """A plugin that fails, and one whose class cannot be imported, are named with their reasons and what to do."""
    plugin("acme", acme_plugin="raise RuntimeError('no valve')")
    plugin(
        "bolt",
        bolt_plugin="""
            from headrace.hooks import Provider, hookimpl

            @hookimpl
            def headrace_storages():
                yield Provider("shelf", "bolt_not_there:Shelf", "On a shelf")
        """,
    )
    found = report(headrace("doctor", "--json"))
    assert sentences(found) == [
        "plugin 'acme' of acme cannot be used: RuntimeError: no valve; mend, upgrade or uninstall acme",
        "storage 'shelf' of bolt cannot be loaded: ModuleNotFoundError: No module named 'bolt_not_there'; mend, upgrade or uninstall bolt",
    ]
    assert [row for row in found["plugins"] if row["dist"] == "acme"] == [
        {"name": "acme", "kind": "plugin", "dist": "acme", "status": "failed", "reason": "RuntimeError: no valve"}
    ]


STORAGE = """
    import contextlib, time
    from headrace.hooks import Provider, hookimpl

    class Shelf:
        outlives_process = reaches_others = True

        @contextlib.contextmanager
        def open(self):
            {body}
            yield self

        def exists(self, key):
            return False

    @hookimpl
    def headrace_storages():
        yield Provider("shelf", Shelf, "On a shelf")
"""


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise OSError(113, 'No route to host', 'shelf:22')", "shelf:22: No route to host; see to it that it can be read"),
        ("raise ValueError('password=hunter2')", "storage cannot be looked at: ValueError: password=***; report this"),
        ("time.sleep(1000)", "storage 'shelf' did not answer within 0.1 seconds; see whether it can be reached from here"),
    ],
)
def test_a_storage_that_cannot_be_reached(environment: dict[str, str], plugin: Plugin, body: str, sentence: str) -> None:
    """The storage in use is asked for something; one that fails, or says nothing for long, is a finding."""
    import subprocess
    import sys

    plugin(acme_plugin=STORAGE.format(body=body))
    program = "from headrace.cli import checkup; checkup.PATIENCE = 0.1; from headrace.cli.main import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", program, "doctor", "--json"],
        env={**environment, "HEADRACE_RESULT_STORAGE": "shelf"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (found,) = sentences(report(shown))
    assert found.startswith(sentence)


def test_secrets_are_left_out(headrace: Headrace, plugin: Plugin) -> None:
    """What looks like a secret is in no part of the report, whoever said it."""
    plugin("acme", acme_plugin="raise RuntimeError('https://me:hunter2@host refused hunter2hunter2')")
    more = {"ACME_TOKEN": "hunter2hunter2", "HEADRACE_CLIENT": "hunter2hunter2"}
    for arguments in (("doctor",), ("doctor", "--json")):
        shown = headrace(*arguments, more=more)
        assert shown.returncode == 1
        assert "hunter2" not in shown.stdout
        assert "***" in shown.stdout


def test_folders_left_behind(headrace: Headrace, home: Path) -> None:
    """Working folders that nobody works in are counted; this is to be known, and nothing is removed."""
    (home / "running" / "some-run.1").mkdir(parents=True)
    (home / "running" / "some-run.1" / "data").write_bytes(b"x" * 1000)
    found = report(headrace("doctor", "--json"))
    assert not found["is_broken"]
    (sentence,) = sentences(found, broken=False)
    assert sentence == f"runs that were killed have left in {home / 'running'}: 1 folder; an agent that is started removes what they left"
    assert found["places"]["working_folders"] == {"path": str(home / "running"), "files": 1, "bytes": 1000, "in_use": 0, "left_behind": 1}
    assert (home / "running" / "some-run.1" / "data").exists()


def test_a_home_that_is_no_folder(headrace: Headrace, home: Path) -> None:
    """It is named, and so is one below a file."""
    home.touch()
    assert f"the home {home} is no folder; move it away, or choose another with HEADRACE_HOME" in sentences(
        report(headrace("doctor", "--json"))
    )
    below = home / "a" / "b"
    assert any(
        sentence.startswith(f"the home {below} cannot be made, since {home} is no folder")
        for sentence in sentences(report(headrace("doctor", "--json", more={"HEADRACE_HOME": str(below)})))
    )


def test_a_home_that_cannot_be_written(headrace_unprivileged: Headrace, home: Path) -> None:
    """Read-only, unreadable, or in a folder where it cannot be made: it is named, with what to do."""
    home.mkdir()
    for mode in (0o500, 0):
        home.chmod(mode)
        found = sentences(report(headrace_unprivileged("doctor", "--json")))
        home.chmod(0o700)
        assert (
            f"the home {home} cannot be used, since {home} may not be written; choose another with HEADRACE_HOME, or change its permissions"
            in found
        )
    home.chmod(0o500)
    below = {"HEADRACE_HOME": str(home / "below")}
    found = sentences(report(headrace_unprivileged("doctor", "--json", more=below)))
    home.chmod(0o700)
    assert any(sentence.startswith(f"the home {home / 'below'} cannot be made, since {home} may not be written") for sentence in found)


def test_a_home_that_everybody_may_write(headrace: Headrace, home: Path) -> None:
    """Whoever may write there runs code as its owner; that is to be known."""
    home.mkdir()
    home.chmod(0o777)
    (sentence,) = sentences(report(headrace("doctor", "--json")), broken=False)
    assert sentence.endswith(f"; chmod o-w {home}")


def test_bytes_that_are_no_text(headrace: Headrace, tmp_path: Path) -> None:
    """Names of the environment and of files may be any bytes."""
    strange = os.fsdecode(b"\xff\xfe")
    found = report(headrace("doctor", "--json", more={"HEADRACE_HOME": str(tmp_path / strange), "HEADRACE_LOG_LEVEL": strange}))
    assert len(sentences(found)) == 1
    assert headrace("doctor", more={"HEADRACE_HOME": str(tmp_path / strange), f"HEADRACE_{strange}": "1"}).returncode == 0


def test_it_is_there_whatever_is_blocked(headrace: Headrace) -> None:
    """Where settings block core itself, that is what is broken."""
    found = report(headrace("doctor", "--json", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-core"}))
    assert found["is_broken"]
    assert {(row["name"], row["status"]) for row in found["plugins"]} >= {("commands", "blocked"), ("core", "blocked")}


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (20_480, "20 KiB"), (3 * 1024**3, "3.0 GiB"), (5 * 1024**4, "5.0 TiB")],
)
def test_amounts(size: int, words: str) -> None:
    """Bytes are told in the unit that fits, with a digit more where there are few."""
    assert amount(size) == words
