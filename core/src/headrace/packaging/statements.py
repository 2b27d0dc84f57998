"""Statements: what a deployment runs, as the one text that a signature is of, and that an agent which requires signatures lets a run's process hold to.

It says what is in the archive, what of it is called and by which serializer it is read; how the flow runner starts the process, since whoever chooses
the environment or the Python of a process chooses what it runs, too; and through which storage the archive comes, since options make a storage do
much else before any byte is there to be held against an address. It says nothing of the deployment's name, parameters, tags or schedules.
"""

import json
from hashlib import sha256
from typing import Any

import attrs

from headrace.errors import CodeNotSigned, HeadraceError, NoneTrusted, SignatureRefused
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment, Signature
from headrace.wire.plain import to_plain

TITLE = b"headrace statement of what a deployment runs, version 1\n"
"""No signature of anything else, made by the same key, is one of a statement."""


def statement_of(deployment: Deployment) -> bytes:
    """The same text for whatever runs the same, byte by byte."""
    code = deployment.code
    said = {
        "archive": code.archive.sha256 if code.archive is not None else None,
        "storage": _said(code.archive.storage) if code.archive is not None else None,
        "entrypoint": code.entrypoint,
        "serializer": code.serializer,
        "flow_runner": _said(deployment.flow_runner),
    }
    return TITLE + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _said(choice: Choice | None) -> dict[str, Any] | None:
    return None if choice is None else {"name": choice.name, "options": to_plain(choice.options)}


def digest_of(deployment: Deployment) -> str:
    """The sha256 of its statement, which an order holds a process to."""
    return sha256(statement_of(deployment)).hexdigest()


def signed(deployment: Deployment, key: str, registry: Registry) -> Deployment:
    """The same, signed by the key of that name. Raises CannotSign, KeysUnusable."""
    signature = registry.signed(statement_of(deployment), key)
    return attrs.evolve(deployment, code=attrs.evolve(deployment.code, signature=signature))


def checked(deployment: Deployment, flow_runner: Choice, registry: Registry) -> str:
    """The digest of a deployment that somebody has signed who is trusted here; a run of it has this flow runner. Raises CodeNotSigned, KeysUnusable."""
    what = f"deployment {deployment.full_name!r}"
    if deployment.code.signature is None:
        why = "nobody has signed it; sign it with `headrace deployment create FILE --sign-with NAME`"
        raise CodeNotSigned(what=what, why=why)
    try:
        registry.signer(statement_of(deployment), deployment.code.signature)
    except SignatureRefused as error:
        raise CodeNotSigned(what=what, why=error.why) from error
    if statement_of(attrs.evolve(deployment, flow_runner=flow_runner)) != statement_of(deployment):
        why = "the run was asked for with another flow runner than the one that was signed; ask for another run of it"
        raise CodeNotSigned(what=what, why=why)
    return digest_of(deployment)


def signed_by(deployment: Deployment, registry: Registry) -> str | None:
    """Who signed it, in words for people; None where nobody has."""
    signature = deployment.code.signature
    if signature is None:
        return None
    try:
        return f"{registry.signer(statement_of(deployment), signature)} ({signature.key})"
    except HeadraceError as error:
        return f"{signature.key}, but {error}"


def must_be_able_to_check(registry: Registry) -> None:
    """Raises NoneTrusted where no signature would do, and KeysUnusable."""
    try:
        registry.signer(TITLE, Signature(key="", text=""))
    except NoneTrusted:
        raise
    except SignatureRefused:
        pass
