"""The command line in a process of its own, with plugins that a test makes up."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import dedent

import pytest

from headrace.testing.privileges import giving_up

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process with a home of its own, the folder of made-up plugins on its path, and runs in memory."""
    (tmp_path / "plugins").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "COLUMNS")}
    own = {"HEADRACE_HOME": str(tmp_path / "home"), "HEADRACE_RUN_STORE": "memory", "PYTHONPATH": str(tmp_path / "plugins")}
    return {**kept, **own}


@pytest.fixture
def command() -> tuple[str, ...]:
    """What starts the command line; the console script may not be installed."""
    return sys.executable, "-c", "from headrace.cli.main import main; main()"


@pytest.fixture
def headrace(command: tuple[str, ...], environment: dict[str, str]) -> Headrace:
    """Runs `headrace` with these arguments."""

    def run(*arguments: str, more: Mapping[str, str] | None = None) -> CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], env={**environment, **(more or {})}, capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture
def headrace_unprivileged(command: tuple[str, ...], environment: dict[str, str]) -> Headrace:
    """Runs `headrace` as somebody whom permissions bind, though it be root who tests."""

    def run(*arguments: str, more: Mapping[str, str] | None = None) -> CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            env={**environment, **(more or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            preexec_fn=giving_up(),
        )

    return run


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """Installs a distribution `acme` with these modules, of which `acme_plugin` has the hooks."""

    def install(dist: str = "acme", *, version: str = "1.0", **modules: str) -> None:
        folder = tmp_path / "plugins"
        about = folder / f"{dist}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (about / "entry_points.txt").write_text(f"[headrace]\n{dist} = {dist}_plugin\n")
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(dedent(source))

    return install


@pytest.fixture
def acme(plugin: Plugin) -> Callable[[str], None]:
    """Installs a plugin whose command `vault` has this body."""

    def install(body: str) -> None:
        plugin(
            acme_plugin="""
                from headrace.hooks import Provider, hookimpl

                @hookimpl
                def headrace_commands():
                    yield Provider("vault", "acme_commands:vault", "Look after the vault")
            """,
            acme_commands=f"import os\nimport signal\nimport click\n@click.command()\n@click.pass_obj\ndef vault(invocation):\n    {body}\n",
        )

    return install
