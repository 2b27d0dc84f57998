"""What grows works from the first minute."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli.main import run
from headrace.errors import InvalidOption, WrongData
from headrace.hooks.registry import PORTS
from headrace_plugin_template.growing import KINDS, Seed, grow, grown

NAME = "my-vault2"
SECONDS = 300


def installed(folder: Path, seed: Seed) -> dict[str, str]:
    """The environment in which a grown distribution is found as an installed one is, without installing it."""
    about = folder / "src" / f"{seed.package}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {seed.dist}\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text(f"[headrace]\n{seed.name} = {seed.package}.plugin\n")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTEST_"))}
    return {**plain, "PYTHONPATH": str(folder / "src"), "HEADRACE_HOME": str(folder / "home"), "HEADRACE_RUN_STORE": "memory"}


def test_there_is_a_kind_for_every_port() -> None:
    """By the port's own word."""
    assert sorted(KINDS) == sorted(port.replace(" ", "-") for port in PORTS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_passes_its_tests(kind: str, tmp_path: Path) -> None:
    """Its tests, those of its port among them, find nothing; and it is listed as what it is."""
    seed = Seed(kind=kind, name=NAME)
    folder = grow(seed, tmp_path)
    environment = installed(folder, seed)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shown = subprocess.run(
        [sys.executable, "-c", "from headrace.cli.main import main; main()", "plugins", "show", NAME],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert f"kind     {kind.replace('-', ' ')}\n" in shown.stdout, shown.stderr
    assert "status   ok\n" in shown.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left(kind: str) -> None:
    """Every name is that of the plugin, and no file ends as data of the template does."""
    for path, text in grown(Seed(kind=kind, name=NAME)).items():
        assert "acme" not in f"{path} {text}".lower()
        assert not path.endswith(".txt")


def test_a_storage_is_short() -> None:
    """Thirty lines of its own, beside imports and what is said about them, make a storage."""
    code = ast.parse(grown(Seed(kind="storage", name=NAME))["src/headrace_my_vault2/storage.py"])
    said = {
        node.body[0] for node in ast.walk(code) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
    }
    kept = [node for node in code.body if node not in said and not isinstance(node, ast.Import | ast.ImportFrom)]
    lines = {line for top in kept for node in ast.walk(top) if isinstance(node, ast.stmt) and node not in said for line in (node.lineno,)}
    assert len(lines) <= 30


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what grew, and what to do next; a second time it refuses, and leaves what is there."""
    arguments = ["plugins", "new", "storage", "vault", "--into", str(tmp_path)]
    assert run(arguments) == 0
    shown = capsys.readouterr()
    paths = [Path(line) for line in shown.out.splitlines()]
    assert sorted(path.relative_to(tmp_path / "headrace-vault") for path in paths) == sorted(
        map(Path, grown(Seed(kind="storage", name="vault")))
    )
    assert all(path.is_file() for path in paths)
    assert "pip install --editable" in shown.err
    (tmp_path / "headrace-vault" / "README.md").write_text("mine")
    assert run(arguments) == 1
    assert f"{tmp_path}/headrace-vault: it is there already" in capsys.readouterr().err
    assert (tmp_path / "headrace-vault" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "Vault", "my_vault", "-vault", "vault-", "a--b", "../x", "2fast", "väult", "a b"])
def test_a_name_that_cannot_be(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but small letters, digits and single dashes is refused with what is accepted, and nothing grows."""
    with pytest.raises(InvalidOption, match="small letters and digits"):
        Seed(kind="storage", name=name)
    assert run(["plugins", "new", "--into", str(tmp_path), "storage", "--", name]) == 1
    assert "small letters and digits" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken(tmp_path: Path) -> None:
    """A file of the folder's name is in the way as a folder is."""
    (tmp_path / "headrace-vault").write_text("")
    with pytest.raises(WrongData, match="it is there already"):
        grow(Seed(kind="rule", name="vault"), tmp_path)
