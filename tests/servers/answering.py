"""A server that gives every question the same answer."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

import attrs


@attrs.frozen(kw_only=True)
class Answer:
    """What it answers with; by itself, as the API of headrace does to who asks for something that is not there."""

    status: int = 404
    kind: str = "application/problem+json"
    body: str = '{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is none", "error": {}}'


class Answering:
    """The server, at an address of this machine; `asked` are the paths that it was asked for."""

    def __init__(self, host: str = "127.0.0.1", answer: Answer | None = None) -> None:
        told, asked = answer or Answer(), list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(told.status)
                self.send_header("Content-Type", told.kind)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body.encode())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.asked = asked
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}/api"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
