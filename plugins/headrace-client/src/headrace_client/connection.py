"""The connection to a server: requests and their answers, over sockets that are kept and used again.

Threads share it. A forked child has its parent's sockets too, and what it said on one of them would be mixed into what the parent says; so it makes its
own, and leaves those of the parent as they are.
"""

import os
import socket
import ssl
from collections.abc import Generator, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, BinaryIO
from urllib.parse import urlencode, urlsplit

import attrs
from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

import headrace
from headrace.errors import ApiAway, HeadraceError, NotAnApi, NotTrusted
from headrace_client.proxies import Proxy, proxy_for

KEPT = 256
"""Sockets that are kept at most; more are opened for as long as so many threads ask at once."""

PROBE_SECONDS = 1.0
"""How long it may take to find out whether TLS is spoken where nothing else was."""

_PIECE = 1 << 16
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


@attrs.frozen(kw_only=True)
class Asking:
    """A request. `seconds` is how long it may last until something of the answer comes."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | BinaryIO | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    seconds: float


@attrs.frozen(kw_only=True)
class Answer:
    """What came back, whole. `was_repeated`: it had to be asked twice, and the first time may have been heard too."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    was_repeated: bool = False

    @property
    def media_type(self) -> str:
        """What it says it is, such as `application/json`."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def title(self) -> str:
        """The status with its name."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


def headers_with(token: str) -> dict[str, str]:
    """What goes with each request: which headrace asks, and who."""
    return {"User-Agent": f"headrace/{headrace.__version__}"} | ({"Authorization": f"Bearer {token}"} if token else {})


class Connection:
    """Asks the server at `url`; `headers` go with each request."""

    def __init__(self, url: str, headers: Mapping[str, str], *, connect_seconds: float) -> None:
        self.url = url
        self._headers = headers
        self._connect_seconds = connect_seconds
        self._sockets = self._made()
        self._process = os.getpid()
        self._of_parents: list[PoolManager] = []
        self._has_answered = False

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: over TLS, or within this machine."""
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            return True
        try:
            return ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return parts.hostname == "localhost"

    def close(self) -> None:
        """Closes the sockets of this process."""
        if self._process == os.getpid():
            self._sockets.clear()

    def asked(self, asking: Asking) -> Answer:
        """The answer. Raises ApiAway, NotAnApi, NotTrusted.

        A server closes what was quiet for long, sometimes just when something is said there again; so what broke off is asked once more.
        """
        try:
            return self._asked(asking)
        except ProtocolError:
            pass
        except HTTPError as error:
            raise self._away(error, asking) from error
        try:
            return attrs.evolve(self._asked(asking), was_repeated=True)
        except HTTPError as error:
            raise self._away(error, asking) from error

    def pieces(self, asking: Asking) -> Generator[Answer | bytes, None, None]:
        """The answer without its body, then its body as it comes. One that is no success is given whole. Raises ApiAway, NotAnApi, NotTrusted."""
        response = None
        try:
            try:
                response = self._sent(asking, whole=False)
            except ProtocolError:  # as in `asked`
                response = self._sent(asking, whole=False)
            answer = Answer(
                status=response.status, headers=response.headers, body=b"" if response.status == HTTPStatus.OK else response.data
            )
            yield answer
            while piece := response.read1(_PIECE):
                yield piece
        except HTTPError as error:
            raise self._away(error, asking) from error
        finally:
            if response is not None:
                response.close()

    def _asked(self, asking: Asking) -> Answer:
        response = self._sent(asking, whole=True)
        return Answer(status=response.status, headers=response.headers, body=response.data)

    def _sent(self, asking: Asking, *, whole: bool) -> BaseHTTPResponse:
        query = f"?{urlencode(asking.query)}" if asking.query else ""
        if asking.body is not None and not isinstance(asking.body, bytes):
            asking.body.seek(0)  # it may have been sent before
        response = self._own_sockets().urlopen(
            asking.method,
            f"{self.url}{asking.path}{query}",
            body=asking.body,
            headers={**self._headers, **asking.headers},
            timeout=Timeout(connect=self._connect_seconds, read=asking.seconds),
            retries=False,
            redirect=False,
            preload_content=whole,
        )
        self._has_answered = True
        return response

    def _own_sockets(self) -> PoolManager:
        if self._process != os.getpid():  # without a lock, which a thread of the parent might have held when this process was forked
            self._of_parents.append(self._sockets)
            self._sockets = self._made()
            self._process = os.getpid()
        return self._sockets

    def _made(self) -> PoolManager:
        options: dict[str, Any] = {"num_pools": 2, "maxsize": KEPT}
        if self.url.startswith("https:"):
            options["ssl_context"] = ssl.create_default_context()
        proxy = proxy_for(self.url)
        return PoolManager(**options) if proxy is None else _through(proxy, options)

    def _away(self, error: HTTPError, asking: Asking) -> HeadraceError:
        reason = error.args[0] if error.args else None
        if isinstance(error, SSLError) and isinstance(reason, ssl.SSLCertVerificationError):
            return NotTrusted(where=self.url, why=reason.verify_message)
        if isinstance(error, SSLError) and isinstance(reason, ssl.SSLError) and reason.reason in _NOT_TLS:
            return NotAnApi(where=self.url, why="what answers there does not speak TLS; its address may begin with http://")
        if isinstance(error, ProtocolError) and not self._has_answered and self._speaks_tls():
            return NotAnApi(where=self.url, why="what answers there speaks TLS alone; its address may begin with https://")
        return ApiAway(where=self.url, why=_why(error, seconds=asking.seconds, connect_seconds=self._connect_seconds))

    def _speaks_tls(self) -> bool:
        """Whether what breaks off does so because it was not spoken to in TLS. Nothing is told there, so anybody is believed."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or proxy_for(self.url) is not None:
            return False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 80), PROBE_SECONDS) as plain, context.wrap_socket(plain):
                return True
        except (OSError, ValueError):
            return False


def _through(proxy: Proxy, options: Mapping[str, Any]) -> PoolManager:
    headers = make_headers(proxy_basic_auth=proxy.credentials) if proxy.credentials else None
    return ProxyManager(proxy.address, proxy_headers=headers, **options)


def _why(error: HTTPError, *, seconds: float, connect_seconds: float) -> str:
    """What is wrong, in the words of the system where there are some."""
    if isinstance(error, ProxyError):
        return f"the proxy that the environment names cannot be used ({_system_words(error.original_error)})"
    if isinstance(error, NameResolutionError):
        return f"its name cannot be resolved ({_system_words(error.__cause__)})"
    if isinstance(error, NewConnectionError):  # which is a kind of the next
        return _system_words(error.__cause__)
    if isinstance(error, ConnectTimeoutError):
        return f"no connection was made within {connect_seconds:g} seconds"
    if isinstance(error, ReadTimeoutError):
        return f"nothing came within {seconds:g} seconds"
    if isinstance(error, ProtocolError):
        return f"the connection broke off ({_system_words(error.args[-1] if error.args else error)})"
    return _system_words(error.args[0] if error.args else error)


def _system_words(reason: object) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
