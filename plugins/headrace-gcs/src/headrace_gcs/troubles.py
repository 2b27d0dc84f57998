"""What errors of Google Cloud Storage mean, in a sentence each.

gcsfs has one error for a missing object and a missing bucket. So where something is missing, the bucket is asked for besides.
"""

from typing import Any

from aiohttp import ClientError
from gcsfs.retry import HttpError, is_retriable  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from headrace_files.fsspec_storage import Trouble
from headrace_gcs.files import Rewritten

_NOT_ALLOWED = "the credentials may not do this here: give them the role roles/storage.objectUser on the bucket"
_REFUSED = "the credentials are refused"
_FORBIDDEN = "Forbidden"
_LONGEST = 300


class Troubles:
    """What errors mean where one bucket is used."""

    def __init__(self, files: Any, bucket: str) -> None:
        self._files = files
        self._bucket = bucket

    def __call__(self, error: Exception) -> Trouble | None:
        """None where gcsfs has said it with an error of the system's own, or nobody knows."""
        return self._missing() if isinstance(error, FileNotFoundError) else _meant(error)

    def _missing(self) -> Trouble | None:
        try:
            self._files.call("GET", "b/{}/o", self._bucket, maxResults=1)
        except FileNotFoundError:
            return Trouble(why=f"there is no bucket {self._bucket!r}; make it, or correct its name")
        except Exception as error:
            return None if _is_forbidden(error) else _meant(error)  # who may not list it may still read what is in it
        return None


def _meant(error: Exception) -> Trouble | None:
    if isinstance(error, Rewritten):
        return Trouble(why="the object was written anew while it was read; read it again", passes=True)
    if _is_forbidden(error):
        return Trouble(why=f"{_NOT_ALLOWED} ({_line(str(error).partition(chr(10))[2])})")
    if isinstance(error, GoogleAuthError) or isinstance(error.__cause__, RefreshError):
        return _unknown(error if isinstance(error, GoogleAuthError) else error.__cause__)
    if isinstance(error, HttpError):
        said = f"({error.code}: {_line(error.message)})"
        if error.code in (401, "401"):
            return Trouble(why=f"{_REFUSED} {said}")
        return Trouble(why=f"it cannot serve now {said}", passes=True) if is_retriable(error) else None
    if isinstance(error, (ClientError, ConnectionError, TimeoutError)):
        return Trouble(why=f"it does not answer: {_line(error) or type(error).__name__}", passes=True)
    if is_retriable(error):
        return Trouble(why=f"it cannot serve now: {type(error).__name__} {_line(error)}".rstrip(), passes=True)
    return None


def _unknown(error: Any) -> Trouble:
    """What Google's server of tokens says, or that it says nothing."""
    if isinstance(error, TransportError):
        return Trouble(why=f"the server that credentials are shown to does not answer: {_line(error)}", passes=True)
    return Trouble(why=f"{_REFUSED}: {_line(error.args[0] if error.args else error)}", passes=error.retryable)


def _is_forbidden(error: Exception) -> bool:
    return isinstance(error, OSError) and str(error).startswith(_FORBIDDEN)


def _line(said: object) -> str:
    """What was said, in one line that is not too long."""
    text = " ".join((said.decode(errors="replace") if isinstance(said, bytes) else str(said)).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
