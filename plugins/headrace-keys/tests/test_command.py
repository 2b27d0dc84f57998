"""`headrace keys`: results are printed, what cannot be done is told in a sentence."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "from headrace.cli.main import main; main()", "keys")
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
FINGERPRINT = "21fe31dfa154a261626bf854046fd227"

Keys = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Runs `headrace keys` with these arguments, in a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}

    def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        environment = {**kept, "HEADRACE_HOME": str(tmp_path / "home")}
        done = subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_key_from_its_making_to_its_end(keys: Keys) -> None:
    """It is made, shown, trusted, listed, distrusted and deleted; its private half is never printed."""
    public = keys("create", "ann").stdout
    assert len(public.strip()) == 44
    assert keys("show", "ann").stdout == public
    made = json.loads(keys("show", "ann", "--json").stdout)
    assert made == {"name": "ann", "fingerprint": made["fingerprint"], "public": public.strip()}
    assert keys("trust", "ann").stdout == f"'ann' is trusted here: what key {made['fingerprint']} signs is run\n"
    assert json.loads(keys("trust", "bob", PUBLIC, "--json").stdout)["fingerprint"] == FINGERPRINT
    rows = json.loads(keys("ls", "--json").stdout)
    assert [(row["use"], row["name"]) for row in rows] == [("signs", "ann"), ("is trusted", "ann"), ("is trusted", "bob")]
    assert rows[0]["public"] == public.strip()
    assert keys("distrust", "ann").stdout == "'ann' is not trusted here any more\n"
    assert json.loads(keys("delete", "ann", "--json").stdout) == {"name": "ann", "is_deleted": True}
    assert keys("ls").stdout.splitlines()[1:] == [f"bob   is trusted  {FINGERPRINT}"]


def test_the_key_that_seals_is_renewed(keys: Keys) -> None:
    """The first is made, and a second goes before it; none is printed."""
    first = json.loads(keys("rotate", "--json").stdout)
    second = json.loads(keys("rotate", "--json").stdout)
    assert (first["older"], second["older"]) == ([], [first["fingerprint"]])
    rows = json.loads(keys("ls", "--json").stdout)
    assert [(row["use"], row["fingerprint"]) for row in rows] == [
        ("seals secrets", second["fingerprint"]),
        ("opens old secrets", first["fingerprint"]),
    ]
    kept = [row["key"] for row in json.loads(Path(first["file"]).read_text())["keys"]]
    said = keys("rotate")
    assert not [key for key in kept if key in json.dumps(rows) + said.stdout + said.stderr]
    assert "0 secrets were sealed anew" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["create"], 2, "error: Missing argument 'NAME'."),
        (["create", "a/b"], 1, "error: key name 'a/b': a key is named by 1 to 64 letters"),
        (["create", "ann"], 1, "error: there is a signing key 'ann' already; choose another name"),
        (["show", "joe"], 1, "error: no signing key 'joe'; list what is there with `headrace keys ls`"),
        (["delete", "joe"], 1, "error: no signing key 'joe'"),
        (["trust", "joe"], 1, "error: no signing key 'joe'"),
        (["trust", "joe", "x"], 1, "error: PUBLIC: it is no public key as `headrace keys show` prints one"),
        (["trust", "joe", "--file", "/nowhere"], 2, "error: Invalid value for '--file'"),
        (["trust", "joe", "--file", "/dev/null"], 1, "error: /dev/null: it is no public key"),
        (["trust", "joe", "--file", sys.executable], 1, f"error: {sys.executable}: it is no"),
        (["trust", "joe", PUBLIC, "--file", "/dev/null"], 2, "error: PUBLIC and --file cannot be given together"),
        (["trust", "ann", PUBLIC], 1, "error: there is a trusted key 'ann' already"),
        (["distrust", "joe"], 1, "error: no trusted key 'joe'"),
        (["turn"], 2, "error: No such command 'turn'"),
    ],
)
def test_what_cannot_be_done(keys: Keys, arguments: list[str], code: int, sentence: str) -> None:
    """It is told in one sentence, and nothing is printed."""
    keys("create", "ann")
    keys("trust", "ann")
    done = keys(*arguments, code=code)
    first, *others = done.stderr.splitlines()
    assert first.startswith(sentence)
    assert len(others) <= 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["ls"], ["rotate"], ["create", "ann"], ["trust", "bob", PUBLIC]], ids=" ".join)
def test_a_folder_that_is_none(keys: Keys, tmp_path: Path, command: list[str]) -> None:
    """Where a file is in its place, every command that writes says so."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "keys").write_text("")
    if command == ["ls"]:
        assert "no keys yet" in keys(*command).stderr
        return
    assert f"error: the keys in {tmp_path / 'home' / 'keys'} cannot be used: it cannot be written" in keys(*command, code=1).stderr
