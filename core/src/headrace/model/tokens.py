"""Tokens: who may ask a web API for what. What is kept of one says who has it, and never the secret that is in it."""

import hashlib
from datetime import datetime
from enum import StrEnum

import attrs

DIGEST_LENGTH = 64
PREFIX = "hrt"
"""How tokens of people and machines begin."""


class Scope(StrEnum):
    """Who may ask; each may also what those before it may, a run for itself alone."""

    VIEWER = "viewer"
    RUN = "run"
    AGENT = "agent"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether who has this one may what the other may."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@attrs.frozen(kw_only=True)
class Token:
    """A token that was given to somebody. `digest` is that of its secret; where tokens are listed it is empty. `expires` None: never."""

    id: str
    name: str
    scope: Scope
    created: datetime
    expires: datetime | None = None
    digest: str = attrs.field(default="", repr=False)


def written(token_id: str, secret: str) -> str:
    """The token as it is given to somebody."""
    return f"{PREFIX}_{token_id}_{secret}"


def parted(text: str) -> tuple[str, str] | None:
    """The id of a token and its secret, if that is one."""
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX and token_id and secret else None


def digest_of(secret: str) -> str:
    """What is kept of a secret. It is long and random, so no slow hash is needed against guessing."""
    return hashlib.sha256(secret.encode()).hexdigest()
