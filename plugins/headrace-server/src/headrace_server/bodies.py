"""Bodies of requests and answers: JSON, strictly as its standard has it, and never more than a machine can hold."""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MOST_BYTES = 16 << 20
MOST_DEPTH = 100
MOST_IN_QUERY = 50

BODY_SECONDS = 30.0
LEAST_RATE = 8192
"""For how long a body may come by fewer bytes a second: who sends byte by byte does not hold a place for ever."""

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_json_bytes(request: Request, *, most: int = MOST_BYTES) -> bytes:
    """The body of a request that is said to be JSON; nothing at all is an empty object. Raises HTTPException."""
    raw = await read_bytes(request, most=most)
    if not raw:
        return b"{}"
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json" or ("charset" in parameters.lower() and "utf-8" not in parameters.lower()):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be JSON in UTF-8, with the header Content-Type: application/json"
        )
    return raw


async def read_bytes(request: Request, *, most: int) -> bytes:
    """The body, which is refused as soon as it is known to be too large. Raises HTTPException."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > most:
        _refuse_size(most)
    raw = bytearray()
    async for part in parts(request):
        raw += part
        if len(raw) > most:
            _refuse_size(most)
    return bytes(raw)


async def parts(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises HTTPException where it comes too slowly; then the connection ends, with what would still come."""
    monotonic, stream, left = asyncio.get_running_loop().time, request.stream(), BODY_SECONDS
    while True:
        begun = monotonic()
        try:
            async with asyncio.timeout(left):
                part = await anext(stream, None)
        except TimeoutError:
            why = f"the body came too slowly: for {BODY_SECONDS:g} seconds it was less than {LEAST_RATE} bytes a second; send it faster, or less at once"
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, why, headers={"Connection": "close"}) from None
        if part is None:
            return
        left = time_left(left, monotonic() - begun, len(part))
        yield part


def time_left(left: float, seconds: float, size: int) -> float:
    """For how long the next part of a body may be waited for, of which so many bytes came after so many seconds, when there was so much time left."""
    return min(BODY_SECONDS, left - seconds + size / LEAST_RATE)


def _refuse_size(most: int) -> NoReturn:
    raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is too large: at most {most} bytes are taken; send less at once")


def parsed(raw: bytes) -> Any:
    """JSON as data. Raises HTTPException for what is none, and for numbers, texts and depths that no store could keep."""
    try:
        data = json.loads(raw.decode(), parse_constant=_no_number, parse_float=_finite)
        if _HALF_CHARACTER.search(raw):
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        _refuse(f"it is nested deeper than {MOST_DEPTH} times")
    except UnicodeEncodeError:
        _refuse("it has half a character (a lone surrogate)")
    except (json.JSONDecodeError, UnicodeDecodeError, _NoNumber) as error:
        _refuse(str(error))
    except ValueError:
        _refuse("a number in it is too long")
    if raw.count(b"[") + raw.count(b"{") > MOST_DEPTH and _is_deep(data):
        _refuse(f"it is nested deeper than {MOST_DEPTH} times")
    return data


def _refuse(why: str) -> NoReturn:
    raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is no JSON that can be read here: {why}")


class _NoNumber(ValueError):
    """What JSON has no such number for, or this machine none."""


def _no_number(text: str) -> NoReturn:
    raise _NoNumber(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NoNumber(f"the number {text[:20]} is too large")
    return number


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MOST_DEPTH + 1):
        level = [
            item
            for value in level
            if isinstance(value, (list, dict))
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, (list, dict))
        ]
        if not level:
            return False
    return True


def read_query(request: Request) -> dict[str, str]:
    """What stands in the query. Raises HTTPException."""
    raw = request.scope["query_string"].decode("ascii", "replace")
    try:
        return dict(parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MOST_IN_QUERY))
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the query cannot be read: {error}") from None


def json_answer(data: Any, *, code: int = 200, media_type: str = "application/json", headers: Mapping[str, str] | None = None) -> Response:
    """Plain data as a response."""
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:  # what user code gave: JSON has no such numbers
        text = json.dumps(_without_nan(data), separators=(",", ":"))
    return Response(text, status_code=code, media_type=media_type, headers={**_ALWAYS, **(headers or {})})


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
