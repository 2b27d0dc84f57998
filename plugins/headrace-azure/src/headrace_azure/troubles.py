"""What errors of Azure Blob Storage mean, in a sentence each. Which is which is told by the codes that Azure answers with."""

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import StorageErrorCode

from headrace_files.fsspec_storage import Trouble

_LONGEST = 300
_FORBIDDEN = 403
_NO_TROUBLE = frozenset({404, 416})
"""What is asked for is not there, and that may be so."""

_NO_CONTAINER = "there is no container {container!r}; make it, or correct its name"
_NOT_ALLOWED = (
    "the credentials may not do this here: give them the role Storage Blob Data Contributor, or a token with read, write, delete and list"
)
_REFUSED = "the credentials are refused: the key or token is none of this account"
_NONE = "no credentials are found: give account_key, sas_token or connection_string, or sign in on this machine with Azure's own tools"
_CODES = {
    "ContainerNotFound": _NO_CONTAINER,
    "ContainerDisabled": "the container {container!r} is disabled",
    "InvalidResourceName": "{container!r} cannot be the name of a container, or the key that of a blob",
    "AuthenticationFailed": _REFUSED,
    "InvalidAuthenticationInfo": _REFUSED,
    "NoAuthenticationInformation": "the credentials are refused: the account lets nobody in without",
    "AuthorizationFailure": _NOT_ALLOWED,
    "AuthorizationPermissionMismatch": _NOT_ALLOWED,
    "AuthorizationProtocolMismatch": "the sas_token is for https alone",
    "AuthorizationSourceIPMismatch": "the sas_token is not for the address of this machine",
    "AccountIsDisabled": "the account is disabled",
}
_PASSING = {
    "ContainerBeingDeleted": "the container {container!r} is being deleted; make it anew when that is done",
    "InvalidBlockList": "another writer has written this key meanwhile; write it again",
    "ConditionNotMet": "the blob was written anew while it was read; read it again",
    "ServerBusy": "it cannot serve now",
    "InternalError": "it cannot serve now",
    "OperationTimedOut": "it cannot serve now",
}


def understood(error: Exception, container: str) -> Trouble | None:
    """What an error means; None where adlfs has said it with an error of the system's own, or nobody knows."""
    cause = _azure_error(error)
    if cause is None:
        return (
            Trouble(why=f"it does not answer: {_line(error)}", passes=True) if isinstance(error, (ConnectionError, TimeoutError)) else None
        )
    if isinstance(cause, HttpResponseError):
        return _answered(cause, container)
    if isinstance(cause, (ServiceRequestError, ServiceResponseError)):
        return Trouble(why=f"it does not answer: {_line(cause)}", passes=True)
    return None if isinstance(error, FileNotFoundError) else Trouble(why=_line(cause))


def _azure_error(error: BaseException | None) -> AzureError | None:
    """The error of Azure that adlfs made another one of."""
    while error is not None and not isinstance(error, AzureError):
        error = error.__cause__ or error.__context__
    return error


def _answered(error: HttpResponseError, container: str) -> Trouble | None:
    code, said = _code(error), _line(error.message)
    if error.response is None and isinstance(error, ClientAuthenticationError):
        return Trouble(why=f"{_NONE} ({said})")
    if error.status_code == _FORBIDDEN and "authenticate" in said:  # not every server has a code of its own for it
        return Trouble(why=f"{_REFUSED} ({code}: {said})")
    if code in _CODES:
        return Trouble(why=f"{_CODES[code].format(container=container)} ({code}: {said})")
    if code in _PASSING or (error.status_code or 0) >= 500:
        return Trouble(why=f"{_PASSING.get(code, 'it cannot serve now').format(container=container)} ({code}: {said})", passes=True)
    if isinstance(error, ClientAuthenticationError) or error.status_code in (401, 403):
        return Trouble(why=f"the credentials are refused ({said})")
    return None if error.status_code in _NO_TROUBLE else Trouble(why=f"{code or type(error).__name__}: {said}")


def _code(error: HttpResponseError) -> str:
    found = getattr(error, "error_code", None) or ""
    return found.value if isinstance(found, StorageErrorCode) else str(found)


def _line(said: object) -> str:
    """What was said, in one line that is not too long; Azure goes on with numbers of the request."""
    text = " ".join(str(said).partition("\nRequestId:")[0].partition("\nErrorCode:")[0].split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
