"""Statements are signed by keys of this machine, and believed where their public halves are trusted."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from headrace.errors import AlreadyThere, CannotSign, KeysUnusable, NoneTrusted, NotFound, SignatureRefused, WrongData
from headrace.hooks.registry import Registry
from headrace.model.deployments import Signature
from headrace_keys.signing_keys import PublicKey, created, deleted, names, public_half, public_key
from headrace_keys.trusted_keys import distrust, trust, trusted_keys

STATEMENT = b"this is run"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys"


@pytest.fixture
def ann(folder: Path) -> PublicKey:
    """The key of somebody who signs here, and is trusted here."""
    key = created(folder, "ann")
    trust(folder, "ann", key)
    return key


@pytest.fixture
def registry(folder: Path) -> Registry:
    return Registry(keys=folder)


def test_who_signed_it(registry: Registry, folder: Path, ann: PublicKey) -> None:
    """The signature names the key, and the key is known by its name; signed again, it is the same."""
    signature = registry.signed(STATEMENT, "ann")
    assert signature.key == ann.fingerprint
    assert registry.signer(STATEMENT, signature) == "ann"
    assert registry.signed(STATEMENT, "ann") == signature


def test_a_signature_is_of_one_statement(registry: Registry, ann: PublicKey) -> None:
    """Of another it is none, and neither is one that was changed, cut or made up."""
    signature = registry.signed(STATEMENT, "ann")
    spoilt = [signature.text[:-4] + "AAA=", signature.text[:20], "", "é", "A" * 88]
    for statement, text in [(STATEMENT + b".", signature.text), (b"", signature.text), *((STATEMENT, text) for text in spoilt)]:
        with pytest.raises(SignatureRefused, match="by 'ann' is of something else"):
            registry.signer(statement, attrs.evolve(signature, text=text))


def test_a_key_that_is_not_trusted(registry: Registry, folder: Path, ann: PublicKey) -> None:
    """It counts for nothing, whatever it signed; once it is distrusted, neither does what was signed before."""
    created(folder, "eve")
    with pytest.raises(SignatureRefused, match=f"key {public_half(folder, 'eve').fingerprint} is not trusted here"):
        registry.signer(STATEMENT, registry.signed(STATEMENT, "eve"))
    with pytest.raises(SignatureRefused):  # eve's word under ann's name
        registry.signer(STATEMENT, Signature(key=ann.fingerprint, text=registry.signed(STATEMENT, "eve").text))
    signature = registry.signed(STATEMENT, "ann")
    trust(folder, "other", public_half(folder, "eve"))
    distrust(folder, "ann")
    with pytest.raises(SignatureRefused):
        registry.signer(STATEMENT, signature)


def test_nobody_is_trusted(registry: Registry, folder: Path) -> None:
    """Where no key is trusted, it is said that nothing will do, and how to trust one."""
    created(folder, "ann")
    with pytest.raises(NoneTrusted, match="no key is trusted in .*keys; trust one with `headrace keys trust NAME PUBLIC`"):
        registry.signer(STATEMENT, registry.signed(STATEMENT, "ann"))


def test_the_private_half_is_its_owners_alone(folder: Path) -> None:
    """Its file and folders are closed from the beginning."""
    before = os.umask(0)
    try:
        created(folder, "ann")
        trust(folder, "ann", public_half(folder, "ann"))
    finally:
        os.umask(before)
    modes = {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    files = ["keys.lock", "trusted.json", "signing/keys.lock", "signing/ann.pem"]
    assert modes == {".": 0o700, "signing": 0o700, **dict.fromkeys(files, 0o600)}


def test_names_are_taken_once(folder: Path, ann: PublicKey) -> None:
    """A pair is not made over another, and a name is not given to another key; the same once more is nothing new."""
    for call in (lambda: created(folder, "ann"), lambda: trust(folder, "ann", created(folder, "eve"))):
        with pytest.raises(AlreadyThere):
            call()
    trust(folder, "ann", ann)
    assert trusted_keys(folder) == {"ann": ann}
    assert public_half(folder, "ann") == ann


def test_what_is_not_there(registry: Registry, folder: Path) -> None:
    """Keys that nobody made or trusted are told as such."""
    for call in (lambda: deleted(folder, "ann"), lambda: public_half(folder, "ann"), lambda: distrust(folder, "ann")):
        with pytest.raises(NotFound, match="keys ls"):
            call()
    with pytest.raises(CannotSign, match="make one with `headrace keys create NAME`"):
        registry.signed(STATEMENT, "ann")
    assert names(folder) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../ann", "a/b", ".ann", "-ann", "ann\n", "ann ", "é", "a" * 65, "a\0"])
def test_names_that_none_can_have(registry: Registry, folder: Path, name: str) -> None:
    """A name becomes that of a file, and leads nowhere else."""
    calls: list[Callable[[], object]] = [
        lambda: created(folder, name),
        lambda: deleted(folder, name),
        lambda: public_half(folder, name),
        lambda: trust(folder, name, PublicKey("A" * 43 + "=")),
        lambda: registry.signed(STATEMENT, name),
    ]
    for call in calls:
        with pytest.raises((WrongData, CannotSign), match="a key is named by 1 to 64 letters"):
            call()
    assert not [path for path in folder.rglob("*") if path.name != "keys.lock" and path.is_file()]


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 44, "é" * 44, "A" * 42 + "==", "-" * 44, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"])
def test_what_is_no_public_key(text: str) -> None:
    """It is told what one looks like."""
    with pytest.raises(WrongData, match="PUBLIC: it is no public key as `headrace keys show` prints one"):
        public_key(text, where="PUBLIC")


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"version": 2, "keys": {}}', b'{"version": 1, "keys": {"ann": "x"}}', b"[" * 99_999]
)
def test_the_file_of_trusted_keys_is_damaged(registry: Registry, folder: Path, ann: PublicKey, content: bytes) -> None:
    """Nothing is believed by it, and nothing is written over it."""
    signature = registry.signed(STATEMENT, "ann")
    (folder / "trusted.json").write_bytes(content)
    for call in (lambda: registry.signer(STATEMENT, signature), lambda: trust(folder, "bob", ann), lambda: distrust(folder, "ann")):
        with pytest.raises(KeysUnusable, match="trusted.json cannot be used: it is damaged"):
            call()
    assert (folder / "trusted.json").read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"\xff", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_private_half_is_damaged(registry: Registry, folder: Path, ann: PublicKey, content: bytes) -> None:
    """It is told in a sentence that shows nothing of it."""
    (folder / "signing" / "ann.pem").write_bytes(content)
    with pytest.raises(KeysUnusable, match="ann.pem cannot be used: it is no private key that") as raised:
        registry.signed(STATEMENT, "ann")
    assert "AAAA" not in str(raised.value)


@pytest.mark.parametrize("file", ["trusted.json", "signing/ann.pem"])
def test_files_that_others_may_read_or_write(registry: Registry, folder: Path, ann: PublicKey, file: str) -> None:
    """They are used by nobody: who could write the one may have trusted himself, who could read the other may sign."""
    signature = registry.signed(STATEMENT, "ann")
    (folder / file).chmod(0o664)
    used = {"trusted.json": lambda: registry.signer(STATEMENT, signature), "signing/ann.pem": lambda: registry.signed(STATEMENT, "ann")}
    with pytest.raises(KeysUnusable, match="chmod 600") as raised:
        used[file]()
    assert str(folder / file) in str(raised.value)
