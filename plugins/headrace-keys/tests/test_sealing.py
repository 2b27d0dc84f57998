"""Secrets are sealed with a key that lies apart from them, and opened with it alone."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.errors import HeadraceError, KeysUnusable, NothingSeals, SecretUnresolved
from headrace.hooks.registry import Registry
from headrace.testing.privileges import giving_up
from headrace_keys.sealing_keys import known_keys, rotated

SECRET = "open sesame, ünd nöthing else"

SEAL = """
import sys
from pathlib import Path
from headrace.hooks.registry import Registry
sys.stdin.readline()
print(Registry(keys=Path(sys.argv[1])).sealed("of process " + sys.argv[2]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the keys are to be; it is not there yet."""
    return tmp_path / "home" / "keys"


@pytest.fixture
def registry(folder: Path) -> Registry:
    return Registry(keys=folder)


def refused(call: Callable[[], object]) -> HeadraceError:
    """The error that a call raises, which shows neither the secret nor what became of it."""
    with pytest.raises(HeadraceError) as raised:
        call()
    assert "sesame" not in str(raised.value)
    assert "gAAAA" not in str(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


def test_a_secret_is_a_reference_and_itself_again(registry: Registry, folder: Path) -> None:
    """What is written down names the key and holds no letter of the secret; who has the key gets it back, and options are resolved with it."""
    reference = registry.sealed(SECRET)
    (key,) = known_keys(folder)
    assert reference.startswith(f"secret://sealed/{key.id}/gAAAA")
    assert "sesame" not in reference
    assert reference != registry.sealed(SECRET)
    assert registry.secret(reference) == SECRET
    assert repr(registry.secret(reference)) == "***"
    assert registry.resolved({"token": [reference]}) == {"token": [SECRET]}
    assert registry.secret(registry.sealed("")) == ""


def test_the_key_is_its_owners_alone(registry: Registry, folder: Path) -> None:
    """Its file and its folder are closed to others from the beginning, whatever else new files are; nothing else is left there."""
    before = os.umask(0)
    try:
        registry.sealed(SECRET)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"keys": 0o700, "sealing.json": 0o600, "keys.lock": 0o600}
    assert SECRET.encode() not in (folder / "sealing.json").read_bytes()


def test_processes_that_begin_at_once_have_one_key(folder: Path) -> None:
    """Each of them finds no key, one of them makes it, and all seal with that."""
    command = [sys.executable, "-c", SEAL, str(folder)]
    processes = [subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(6)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    sealed = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert len(known_keys(folder)) == 1
    assert [str(Registry(keys=folder).secret(reference)) for reference in sealed] == [f"of process {number}" for number in range(6)]


def test_a_home_has_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder is given it is the one that the environment chooses: in the home, or where HEADRACE_KEYS_PATH says."""
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "h"))
    reference = Registry().sealed(SECRET)
    assert (tmp_path / "h" / "keys" / "sealing.json").is_file()
    monkeypatch.setenv("HEADRACE_KEYS_PATH", str(tmp_path / "elsewhere"))
    assert "is not in the file" in str(refused(lambda: Registry().secret(reference)))
    os.rename(tmp_path / "h" / "keys", tmp_path / "elsewhere")
    assert Registry().secret(reference) == SECRET


# Keys that are renewed, lost, or somebody else's


def test_old_keys_open_and_the_new_one_seals(registry: Registry, folder: Path) -> None:
    """After a rotation what was sealed before is opened still, and what is sealed then needs the new key alone."""
    old = registry.sealed(SECRET)
    first, second = rotated(folder)
    new = registry.sealed(registry.secret(old))
    assert [registry.secret(each) for each in (old, new)] == [SECRET, SECRET]
    assert old.split("/")[3] == second.id
    assert new.split("/")[3] == first.id
    assert stat.S_IMODE((folder / "sealing.json").stat().st_mode) == 0o600


def test_a_key_that_is_lost(registry: Registry, folder: Path) -> None:
    """The sentence says which key is not in which file, and what can be done; another key does not help."""
    reference = registry.sealed(SECRET)
    file = folder / "sealing.json"
    file.unlink()
    error = refused(lambda: registry.secret(reference))
    (key_id,) = {reference.split("/")[3]}
    assert isinstance(error, SecretUnresolved)
    assert str(error) == (
        f"the value of 'secret://sealed/{key_id}/…' cannot be found: the key {key_id!r} that it was sealed with is not in the file {file}; "
        "restore that file, or write the secret anew with `headrace storage update NAME`"
    )
    registry.sealed("other")
    assert str(refused(lambda: registry.secret(reference))) == str(error)


@pytest.mark.parametrize("spoil", [lambda text: text[:-8] + "AAAAAAA=", lambda text: text[:60], lambda text: f"{text}é", str.swapcase])
def test_what_was_sealed_is_changed(registry: Registry, spoil: Callable[[str], str]) -> None:
    """It is refused, whatever is different in it."""
    head, _, text = registry.sealed(SECRET).rpartition("/")
    assert "has been changed or cut since" in str(refused(lambda: registry.secret(f"{head}/{spoil(text)}")))


@pytest.mark.parametrize("reference", ["secret://sealed/", "secret://sealed//", "secret://sealed/abc", "secret://sealed/abc/def"])
def test_what_was_never_sealed(registry: Registry, reference: str) -> None:
    """A reference of this kind that nobody made names no key that there is."""
    registry.sealed(SECRET)
    assert isinstance(refused(lambda: registry.secret(reference)), SecretUnresolved)


# Files that cannot be trusted


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_others_may_read_the_key(registry: Registry, folder: Path, mode: int) -> None:
    """Nothing is sealed and nothing is opened with it; the sentence says how to close it."""
    reference = registry.sealed(SECRET)
    (folder / "sealing.json").chmod(mode)
    for error in (refused(lambda: registry.sealed(SECRET)), refused(lambda: registry.secret(reference))):
        assert str(folder / "sealing.json") in str(error)
        assert f"other users may read it (mode {mode:04o})" in str(error)
        assert "chmod 600" in str(error)


def test_others_may_write_into_the_folder(registry: Registry, folder: Path) -> None:
    """No key is made where others could put theirs in its place."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert "other users may change it (mode 0777)" in str(refused(lambda: registry.sealed(SECRET)))
    assert not (folder / "sealing.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_key_belongs_to_somebody_else(registry: Registry, folder: Path) -> None:
    """A file of another user is not used, since that user knows what is in it."""
    registry.sealed(SECRET)
    os.chown(folder / "sealing.json", 65534, -1)
    assert "it belongs to another user" in str(refused(lambda: registry.sealed(SECRET)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[",
        b"[]",
        b"null",
        b'{"version": 1, "keys": []}',
        b'{"version": 2, "keys": [{"id": "a", "key": "b"}]}',
        b'{"version": 1, "keys": [{"id": "a", "key": 3}]}',
        b'{"version": 1, "keys": [{"id": "a", "key": "b"}]}',
        b"[" * 100_000,
    ],
)
def test_the_file_is_damaged(registry: Registry, folder: Path, content: bytes) -> None:
    """It is told in a sentence, and no key is written over what may be mended."""
    reference = registry.sealed(SECRET)
    file = folder / "sealing.json"
    file.write_bytes(content)
    for call in (lambda: registry.sealed(SECRET), lambda: registry.secret(reference), lambda: rotated(folder)):
        assert f"the keys in {file} cannot be used: it is damaged" in str(refused(call))
    assert file.read_bytes() == content


def test_a_key_that_was_changed_in_its_file(registry: Registry, folder: Path) -> None:
    """A key must be the one that its id is of."""
    registry.sealed(SECRET)
    file = folder / "sealing.json"
    said = json.loads(file.read_text())
    said["keys"][0]["id"] = "0" * 16
    file.write_text(json.dumps(said))
    assert "it is damaged" in str(refused(lambda: registry.sealed(SECRET)))


def test_no_ordinary_file(registry: Registry, folder: Path) -> None:
    """A folder, or a pipe that nobody writes into, is refused, and not waited for."""
    (folder / "sealing.json").mkdir(parents=True, mode=0o700)
    assert "it is no ordinary file" in str(refused(lambda: registry.sealed(SECRET))) or "Is a directory" in str(
        refused(lambda: registry.sealed(SECRET))
    )
    (folder / "sealing.json").rmdir()
    os.mkfifo(folder / "sealing.json", 0o600)
    assert "it is no ordinary file" in str(refused(lambda: registry.sealed(SECRET)))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The sentence says which, and why."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    script = (
        "import sys\nfrom pathlib import Path\nfrom headrace.errors import KeysUnusable\nfrom headrace.hooks.registry import Registry\n"
        "try:\n    Registry(keys=Path(sys.argv[1])).sealed('open sesame')\nexcept KeysUnusable as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(closed / "keys")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, preexec_fn=giving_up())
    assert done.stdout == f"the keys in {closed / 'keys'} cannot be used: it cannot be written: Permission denied\n"


def test_a_file_where_the_folder_is_to_be(tmp_path: Path) -> None:
    """It is told in a sentence."""
    (tmp_path / "keys").write_text("")
    assert isinstance(refused(lambda: Registry(keys=tmp_path / "keys").sealed(SECRET)), KeysUnusable)


# Without the plugin


def test_nobody_seals(registry: Registry, folder: Path) -> None:
    """Where this plugin is missing, the sentence says what to install, or how else to write a secret."""
    reference = registry.sealed(SECRET)
    without = Registry(blocked=["headrace-keys"], keys=folder)
    error = refused(lambda: without.sealed(SECRET))
    assert isinstance(error, NothingSeals)
    assert str(error).endswith("— pip install headrace-keys, or write secret://env/NAME instead")
    assert isinstance(refused(lambda: without.secret(reference)), SecretUnresolved)


def test_text_that_no_bytes_hold(registry: Registry) -> None:
    """What cannot be sealed is refused, and its characters are not told."""
    with pytest.raises(NothingSeals, match="failed with UnicodeEncodeError") as raised:
        registry.sealed("sesame\udc80")
    assert raised.value.__context__ is None


def test_the_trace_of_hooks_hides_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tracing shows that something is sealed, and not what."""
    Registry(keys=folder, trace=True).sealed(SECRET)
    shown = capsys.readouterr().err
    assert "hook headrace_seal(secret=***" in shown
    assert "sesame" not in shown
