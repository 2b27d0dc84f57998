"""What was typed into a form, or chosen."""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 1 << 20


class Form:
    """Texts by name; a name may stand several times."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def text(self, name: str, default: str = "") -> str:
        """The one that stands first, without the blanks around it."""
        return next((text.strip() for known, text in self._pairs if known == name), default)

    def texts(self, name: str) -> tuple[str, ...]:
        """All of a name that are not empty."""
        return tuple(stripped for known, text in self._pairs if known == name and (stripped := text.strip()))


async def read_form(request: Request) -> Form:
    """Reads one. Raises HTTPException for what is none, or too much."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a form is application/x-www-form-urlencoded, not {kind or 'nothing'}")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a form has at most {MOST_BYTES:,} bytes")
    try:
        return Form(parse_qsl(content.decode(), keep_blank_values=True, errors="strict", max_num_fields=5_000))
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"this is no form: {error}") from None
