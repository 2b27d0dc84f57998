"""What errors of file protocols mean, in a sentence each.

Every protocol's library has errors of its own, and none of them need be installed here; so they are told by their names and by what they carry.
"""

import errno
import socket
import ssl
from typing import Any

from headrace_files.fsspec_storage import Trouble

_REFUSED = "the user name or the password is refused; correct them in the options"
_FORBIDDEN = "this user may not do this here; give the rights for it, or take another folder"
_FULL = "there is no room left; make room and try again"
_NO_HOST = "there is no host of this name; correct the address, or see to the network"
_CERTIFICATE = "its certificate is not one that is trusted here"

_LOST = frozenset({"DisconnectError", "SFTPConnectionLost", "SFTPNoConnection", "TransportError"})
"""Errors of asyncssh (sftp) and httpx (webdav, http) that say that nobody answers, or does not any more."""

_OTHERS = frozenset({"KeyExchangeFailed", "ProtocolNotSupported", "UnsupportedProtocol"})
"""Those among them that no waiting helps."""

_CAUSES = 10
"""How far back the causes of an error are looked through: they may go round."""

_WORDY = frozenset({"SFTPFailure", "error_temp", "error_perm"})
_REFUSALS = ("permission", "denied", "read only", "read-only")

_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_FULL_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_NAMES = frozenset({"SFTPNoSpaceOnFilesystem", "SFTPQuotaExceeded", "InsufficientStorage"})
_FORBIDDEN_NAMES = frozenset({"SFTPPermissionDenied", "SFTPWriteProtect", "ForbiddenOperation"})


def understood(error: Exception) -> Trouble | None:
    """What an error means; None where nobody knows more than it says itself."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"UnknownHost", "NotTold"}:
        return Trouble(why=str(error))
    found = _by_answer(error, names) or _by_cause(error)
    if found is not None:
        return found
    if isinstance(error, (ConnectionError, TimeoutError, EOFError)) or _is_unreachable(error) or (names & _LOST and not names & _OTHERS):
        return Trouble(why=f"it does not answer: {_words(error)}", passes=True, is_lost=True)
    return None


def _by_answer(error: Exception, names: set[str]) -> Trouble | None:
    """What a server that answered means."""
    answer = _answered(error)
    if "PermissionDenied" in names or answer in (401, 530):
        return Trouble(why=f"{_REFUSED} ({_words(error)})")
    if names & _FULL_NAMES or answer in (507, 452, 552) or (isinstance(error, OSError) and error.errno in _FULL_NUMBERS):
        return Trouble(why=f"{_FULL} ({_words(error)})", passes=True)
    if names & _FORBIDDEN_NAMES or isinstance(error, PermissionError) or answer in (403, 532, 550, 553) or _is_refusal(error, names):
        return Trouble(why=f"{_FORBIDDEN} ({_words(error)})")
    if "SFTPFailure" in names:
        return Trouble(why=f"the server could not do it, and says no more than {str(error)!r}")
    if answer == 421:
        return Trouble(why=f"it does not answer: {_words(error)}", passes=True, is_lost=True)
    if answer is not None and (
        answer in (408, 429) or (400 <= answer < 500 and "error_temp" in names) or (500 <= answer < 600 and "error_perm" not in names)
    ):
        return Trouble(why=f"it cannot serve now ({_words(error)})", passes=True)
    return None


def _is_refusal(error: Exception, names: set[str]) -> bool:
    """Whether the words are of rights, where the protocol has no number for them that all servers use."""
    return bool(names & _WORDY) and any(words in str(error).lower() for words in _REFUSALS)


def _by_cause(error: Exception) -> Trouble | None:
    """What came before an answer: libraries raise errors of their own from those of the system."""
    cause: BaseException | None = error
    for _ in range(_CAUSES):
        if isinstance(cause, socket.gaierror):
            return Trouble(why=f"{_NO_HOST} ({cause})", passes=True)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Trouble(why=f"{_CERTIFICATE} ({getattr(cause, 'verify_message', cause)})")
        cause = (cause.__cause__ or cause.__context__) if cause else None
    return None


def _is_unreachable(error: Exception) -> bool:
    """Whether no way leads there; asyncio has one error without a number for several addresses that all failed."""
    return isinstance(error, OSError) and (error.errno in _UNREACHABLE or "Connect call failed" in str(error))


def _answered(error: Exception) -> int | None:
    """The status that a server answered with, where the protocol has such: HTTP by a number, FTP by how its words begin."""
    response = getattr(error, "response", None)
    for status in (getattr(response, "status_code", None), getattr(error, "status_code", None), getattr(error, "status", None)):
        if isinstance(status, int):
            return status
    start = str(error)[:3]
    return int(start) if type(error).__module__ == "ftplib" and start.isdigit() else None


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "nothing came in time"
    response: Any = getattr(error, "response", None)
    if hasattr(response, "reason_phrase"):
        return f"{response.status_code} {response.reason_phrase}"
    return str(error) or type(error).__name__
