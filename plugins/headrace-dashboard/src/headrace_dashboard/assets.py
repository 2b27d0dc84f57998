"""How pages look and what moves on them: files that browsers keep, and what browsers are told that they may do with a page."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing from elsewhere, and nothing that stands in a page itself runs."""

COPY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' file:",
        "style-src 'self' file:",
        "img-src 'self' file: data:",
        "connect-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
    )
)
"""Of a copy of pages, which may be opened as a file: such a file is no site, so that there `'self'` may mean nothing."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every page."""

_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")


@cache
def _mark() -> str:
    digest = sha256()
    for file in sorted(files("headrace_dashboard").joinpath("static").iterdir(), key=lambda file: file.name):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def sprite() -> Markup:
    """All icons, to stand in a page: browsers take none out of another file that is on no server."""
    drawn = files("headrace_dashboard").joinpath("static", "icons.svg").read_text(encoding="utf-8")
    drawn = drawn.replace("<svg ", '<svg class="sprite" aria-hidden="true" ', 1).replace('<symbol id="', f'<symbol id="{ICON}')
    return Markup(drawn)


ICON = "icon-"
"""How ids of icons begin that stand in a page."""

MARK = _mark()
"""What the files are known by; with other contents they have another address, so that browsers may keep them for ever."""


class Kept:
    """Files whose address is only theirs as long as they are as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                kept = [pair for pair in message["headers"] if pair[0] != b"cache-control"]
                message = {**message, "headers": [*kept, _FOR_EVER, (b"x-content-type-options", b"nosniff")]}
            await send(message)

        await self._app(scope, receive, send_kept)
