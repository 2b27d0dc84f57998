"""Answers: what there is in one, or what is wrong, told so that one can do something about it."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from headrace.errors import ApiAway, ApiRefused, HeadraceError, NotAllowed, NotAnApi, NotAuthenticated
from headrace.wire.problems import MEDIA_TYPE, error_of
from headrace_client.connection import Answer

AWAY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""What may pass by itself: a server that begins or ends, or something before it that cannot reach it."""

_PROBLEM = {"type", "title", "status", "detail"}


def result_in(answer: Answer, *, where: str, is_first: bool = False) -> Mapping[str, Any]:
    """The answer's object, with a result in it. Raises the error that it tells of; `is_first`: a place that is none says that there is no API at all."""
    data = _data(answer)
    if _is_success(answer) and isinstance(data, Mapping) and "result" in data:
        return data
    if is_first and is_unknown_place(answer):
        raise NotAnApi(where=where, why=f"what answers there does not know it ({answer.title})")
    raise _error(answer, data, where)


def is_unknown_place(answer: Answer) -> bool:
    """Whether whoever answered knows no such path, or not to ask it like this; what an operation does not find is something else."""
    data = _data(answer)
    return answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED) and not (isinstance(data, Mapping) and "error" in data)


def _error(answer: Answer, data: Any, where: str) -> HeadraceError:
    if 300 <= answer.status < 400:
        return NotAnApi(where=where, why=_moved(answer, where))
    is_problem = answer.media_type == MEDIA_TYPE and isinstance(data, Mapping) and data.keys() >= _PROBLEM
    told = error_of(data, status=answer.status) if is_problem else None
    if told is not None and not isinstance(told, ApiRefused):
        return told
    if answer.status in AWAY:
        return ApiAway(where=where, why=told.detail if isinstance(told, ApiRefused) else f"it is answered for with {answer.title}")
    if told is not None:
        return told
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return NotAuthenticated(why=f"what stands before {where} wants to know it ({answer.title})")
    if answer.status == HTTPStatus.FORBIDDEN:
        return NotAllowed(who="whoever asks from here", what=where, why=f"what stands before it refuses that ({answer.title})")
    return NotAnApi(where=where, why=f"it answered {answer.title} with {_kind(answer, data)}")


def _data(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _kind(answer: Answer, data: Any) -> str:
    if data is not None:
        return "JSON that is none of headrace's"
    return f"{answer.media_type}, and not JSON" if answer.body else "nothing in it"


def _moved(answer: Answer, where: str) -> str:
    """Where it says that it is; it is not followed, as a token and what is asked would go to whoever is named there."""
    target = urljoin(f"{where}/", answer.headers.get("location", ""))
    here, there = urlsplit(where), urlsplit(target)
    if (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname:
        address = f"https://{there.netloc}{here.path}"
        return f"it is served over TLS alone, at {address}"
    return f"it says that it has moved to {target}, which is not followed ({answer.title})"
