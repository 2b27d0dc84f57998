"""Problems: errors as they travel, in the shape of RFC 9457, and back again.

A problem has the sentence (`detail`), the name of the error's class (`error`) and what the sentence is made of (`fields`). Who knows the class makes
the same error of it; who does not, as where the other side is newer, still has the sentence.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, get_type_hints

from headrace import errors
from headrace.errors import ApiRefused, HeadraceError
from headrace.wire.plain import from_plain, to_plain

MEDIA_TYPE = "application/problem+json"

_STATUS: Mapping[type[HeadraceError], HTTPStatus] = MappingProxyType(
    {
        errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
        errors.NotAllowed: HTTPStatus.FORBIDDEN,
        errors.NotFound: HTTPStatus.NOT_FOUND,
        errors.NotStored: HTTPStatus.NOT_FOUND,
        errors.AlreadyThere: HTTPStatus.CONFLICT,
        errors.ChangedMeanwhile: HTTPStatus.CONFLICT,
        errors.StillNeeded: HTTPStatus.CONFLICT,
        errors.NotRetryable: HTTPStatus.CONFLICT,
        errors.NotResumable: HTTPStatus.CONFLICT,
        errors.RunStopped: HTTPStatus.CONFLICT,
        errors.MayPass: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.StoreUnusable: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.StoreTooNew: HTTPStatus.SERVICE_UNAVAILABLE,
        errors.StorageUnusable: HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Of these and the classes under them; every other error is about what was asked."""


def status_of(kind: type[HeadraceError]) -> HTTPStatus:
    """The status that an error of this class is answered with."""
    found = (_STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in _STATUS)
    return next(found, HTTPStatus.UNPROCESSABLE_ENTITY)


def problem_of(error: HeadraceError) -> dict[str, Any]:
    """The error as it travels."""
    kind = type(error)
    status = status_of(kind)
    fields = {name: _plain(value) for name, value in error.fields().items()}
    return problem(status, str(error)) | {"type": f"/problems/{kind.__name__}", "error": kind.__name__, "fields": fields}


def problem(status: HTTPStatus, detail: str) -> dict[str, Any]:
    """A problem that is no error of headrace, such as a path that is none."""
    return {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}


def error_of(answer: Any, *, status: int) -> HeadraceError:
    """The error that a problem tells of; ApiRefused where it cannot be made here."""
    if not isinstance(answer, Mapping):
        return ApiRefused(status=status, detail="no reason was given")
    kind = getattr(errors, str(answer.get("error")), None)
    fields = answer.get("fields")
    if isinstance(kind, type) and issubclass(kind, HeadraceError) and isinstance(fields, Mapping):
        types = get_type_hints(kind)
        try:
            return kind(
                **{
                    name: value if types[name] is object else from_plain(types[name], value)
                    for name, value in fields.items()
                    if name in types
                }
            )
        except Exception:  # it has other fields there
            pass
    return ApiRefused(status=status, detail=str(answer.get("detail") or answer.get("title") or "no reason was given"))


def _plain(value: Any) -> Any:
    plain = to_plain(value)
    return plain if isinstance(plain, (str, int, float, bool, list, dict, type(None))) else repr(plain)
