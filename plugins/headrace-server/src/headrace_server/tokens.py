"""Tokens as they are written, and who they belong to.

A person's, a machine's: `hrt_<id>_<secret>`; the store keeps a digest of the secret. A run's: `hrr_<run>_<epoch>_<proof>`; nothing is kept of it, since the
proof is made with a key that all servers of a store share, and is made anew to be held against. A run's id is quoted in it, since it may be any text.
"""

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote, unquote

from headrace.clock import Clock
from headrace.model.runs import FlowRun
from headrace.model.tokens import Token, digest_of, parted
from headrace.ports.run_store import OpenRunStore

RUN_PREFIX = "hrr"
KEY = "key of run tokens"
"""The mark under which the store has it."""


def new_secret() -> str:
    """A secret that cannot be guessed."""
    return secrets.token_urlsafe(32)


class Tokens:
    """Tokens of a store."""

    def __init__(self, store: OpenRunStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def found(self, text: str) -> Token | None:
        """The token, if there is such a one, its secret is right, and it has not expired."""
        parts = parted(text)
        if parts is None:
            return None
        token_id, secret = parts
        with self.store.reading() as reading:
            token = reading.token(token_id)
        if token is None or not hmac.compare_digest(token.digest, digest_of(secret)):
            return None
        return None if token.expires is not None and token.expires <= self.clock.now() else token

    def is_any_valid(self) -> bool:
        """Whether anybody could be let in."""
        now = self.clock.now()
        with self.store.reading() as reading:
            return any(token.expires is None or token.expires > now for token in reading.tokens())

    # Tokens of runs

    def of_runs(self, runs: Iterable[FlowRun]) -> dict[str, str]:
        """A token for each run, in the epoch that it is in."""
        key = self._key()
        return {run.id: f"{RUN_PREFIX}_{quote(run.id, safe='')}_{run.epoch}_{_proof(key, run.id, run.epoch)}" for run in runs}

    def run_of(self, text: str) -> tuple[str, int] | None:
        """The run and the epoch that a token is of, if it is one of a run."""
        prefix, _, rest = text.partition("_")
        quoted, _, said = rest.rpartition("_")
        quoted, _, epoch = quoted.rpartition("_")
        if prefix != RUN_PREFIX or not (epoch.isascii() and epoch.isdigit() and len(epoch) < 10 and said.isascii()):
            return None
        run_id = unquote(quoted)
        return (run_id, int(epoch)) if hmac.compare_digest(said, _proof(self._key(), run_id, int(epoch))) else None

    def _key(self) -> str:
        with self.store.reading() as reading:
            known = reading.mark(KEY)
        if known is not None:
            return known
        with self.store.writing() as writing:
            known = writing.mark(KEY)
            if known is None:
                known = secrets.token_hex(32)
                writing.put_mark(KEY, known)
        return known


def _proof(key: str, run_id: str, epoch: int) -> str:
    return hmac.new(bytes.fromhex(key), f"{run_id} {epoch}".encode(), sha256).hexdigest()
