"""Problems as responses: what headrace says of an error, and what HTTP says of a request that is none."""

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headrace.errors import HeadraceError
from headrace.wire.problems import MEDIA_TYPE, problem, problem_of
from headrace_server.bodies import json_answer

DESCRIBED_AT = "/api/openapi.json"

logger = logging.getLogger("headrace.server")


def of_error(error: HeadraceError) -> Response:
    """What the error says; 401 names the way in that there is."""
    told = problem_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if told["status"] == HTTPStatus.UNAUTHORIZED else None
    return json_answer(told, code=told["status"], media_type=MEDIA_TYPE, headers=headers)


def of_refusal(error: HTTPException) -> Response:
    """What is wrong with a request before anything is asked."""
    told = problem(HTTPStatus(error.status_code), error.detail)
    return json_answer(told, code=error.status_code, media_type=MEDIA_TYPE, headers=error.headers)


def of_bug(error: Exception, request: Request, number: str) -> Response:
    """What nobody foresaw: the log has it under the number, and who asked learns no more than that."""
    logger.error("%s %s failed (%s), please report it", request.method, request.url.path, number, exc_info=error)
    told = problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"this is a bug in headrace; the server's log tells more under {number}")
    return json_answer(told | {"id": number}, code=500, media_type=MEDIA_TYPE)
