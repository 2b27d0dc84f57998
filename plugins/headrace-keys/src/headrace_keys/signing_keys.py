"""The keys that code is signed by: each a pair of Ed25519, whose private half lies in a file of its own."""

import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from headrace.errors import AlreadyThere, KeysUnusable, NotFound, WrongData
from headrace_keys.private_files import locked, read_private, remove_private, write_private

FOLDER, SUFFIX = "signing", ".pem"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PUBLIC_BYTES = 32


@attrs.frozen
class PublicKey:
    """The half that is given to others, as text: base64 of its 32 bytes."""

    text: str

    @property
    def fingerprint(self) -> str:
        """What two people compare to know that they mean the same key."""
        return sha256(b64decode(self.text)).hexdigest()[:32]

    @property
    def key(self) -> Ed25519PublicKey:
        """What checks signatures."""
        return Ed25519PublicKey.from_public_bytes(b64decode(self.text))


def public_key(text: str, *, where: str) -> PublicKey:
    """The key that somebody wrote. Raises WrongData."""
    try:
        content = b64decode("".join(text.split()), validate=True)
    except ValueError:
        content = b""
    if len(content) != PUBLIC_BYTES:
        raise WrongData(where=where, why="it is no public key as `headrace keys show` prints one: 44 characters, the last of them '='")
    return PublicKey(b64encode(content).decode())


def checked_key_name(name: str) -> str:
    """The name, if a key can be called so: it becomes the name of a file. Raises WrongData."""
    if not NAME.fullmatch(name):
        why = "a key is named by 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or a digit"
        raise WrongData(where=f"key name {name!r}", why=why)
    return name


def created(folder: Path, name: str) -> PublicKey:
    """A new pair of that name. Raises AlreadyThere, KeysUnusable, WrongData."""
    path = _file(folder, name)
    private = Ed25519PrivateKey.generate()
    with locked(folder), locked(path.parent):
        if read_private(path) is not None:
            raise AlreadyThere(what="signing key", name=name, command=f"keys delete {name}")
        write_private(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return _public(private)


def deleted(folder: Path, name: str) -> None:
    """Forgets a pair. Raises NotFound, KeysUnusable."""
    path = _file(folder, name)
    with locked(folder), locked(path.parent):
        if not path.exists():
            raise _unknown(name)
        remove_private(path)


def names(folder: Path) -> list[str]:
    """Of the pairs that are here."""
    found = (path.name.removesuffix(SUFFIX) for path in (folder / FOLDER).glob(f"*{SUFFIX}"))
    return sorted(name for name in found if NAME.fullmatch(name))


def public_half(folder: Path, name: str) -> PublicKey:
    """Raises NotFound, KeysUnusable."""
    return _public(private_half(folder, name))


def private_half(folder: Path, name: str) -> Ed25519PrivateKey:
    """What signs. Raises NotFound, KeysUnusable."""
    path = _file(folder, name)
    content = read_private(path)
    if content is None:
        raise _unknown(name)
    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        why = f"it is no private key that `headrace keys create` has made; restore it, or make another: headrace keys delete {name}"
        raise KeysUnusable(where=str(path), why=why)
    return private


def _file(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{checked_key_name(name)}{SUFFIX}"


def _public(private: Ed25519PrivateKey) -> PublicKey:
    return PublicKey(b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode())


def _unknown(name: str) -> NotFound:
    return NotFound(what="signing key", name=name, command="keys ls")
