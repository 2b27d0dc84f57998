"""Signing: a statement is signed by the private half of a key, and believed where the public half is trusted."""

from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from headrace.errors import CannotSign, NoneTrusted, NotFound, SignatureRefused, WrongData
from headrace.model.deployments import Signature
from headrace_keys.signing_keys import private_half, public_half
from headrace_keys.trusted_keys import trusted_keys


def signed(statement: bytes, key: str, folder: Path) -> Signature:
    """The signature by the key of that name. Raises CannotSign, KeysUnusable."""
    try:
        private, public = private_half(folder, key), public_half(folder, key)
    except (NotFound, WrongData) as error:
        raise CannotSign(key=key, why=f"{error}; make one with `headrace keys create NAME`") from error
    return Signature(key=public.fingerprint, text=b64encode(private.sign(statement)).decode())


def signer(statement: bytes, signature: Signature, folder: Path) -> str | None:
    """By which name the key is trusted; None where it is not. Raises NoneTrusted, SignatureRefused, KeysUnusable."""
    trusted = trusted_keys(folder)
    if not trusted:
        raise NoneTrusted(why=f"no key is trusted in {folder}; trust one with `headrace keys trust NAME PUBLIC`")
    name = next((name for name, key in trusted.items() if key.fingerprint == signature.key), None)
    if name is None:
        return None
    try:
        trusted[name].key.verify(b64decode(signature.text, validate=True), statement)
    except (InvalidSignature, ValueError):
        why = f"its signature by {name!r} is of something else: what is run, or how it is started, was changed since; let {name!r} sign it anew"
        raise SignatureRefused(why=why) from None
    return name
