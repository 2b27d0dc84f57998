"""An API server of Kubernetes for what no real one can be made to say: it answers from a table, and tells what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs


@attrs.frozen(kw_only=True)
class Asked:
    """A question: `watch` is whether it is one for what happens from now on."""

    method: str
    kind: str
    name: str
    query: Mapping[str, str]
    body: Any

    @property
    def watch(self) -> bool:
        return self.query.get("watch") == "true"


@attrs.frozen
class Answer:
    """What is answered: an object with a status; or lines, the last of which may break off."""

    body: Any
    status: int = 200
    kind: str = "application/json"
    is_cut: bool = False


def refusal(code: int, reason: str, message: str, **details: str) -> Answer:
    """As Kubernetes refuses."""
    return Answer({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message, "details": details}, code)


def listing(*things: Any, version: str = "1") -> Answer:
    """As Kubernetes lists."""
    return Answer({"kind": "List", "metadata": {"resourceVersion": version}, "items": list(things)})


class ApiServer:
    """Listens on loopback; `kubeconfig` leads to it."""

    def __init__(self, folder: Path, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None: ...

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer._serve(self, json.loads(self.rfile.read(length)) if length else None)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - so they are called there

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.port = self._server.server_address[1]
        self.kubeconfig = write_kubeconfig(folder, f"http://127.0.0.1:{self.port}")

    def _serve(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        parts = urlsplit(handler.path)
        words = parts.path.strip("/").split("/")
        rest = words[words.index("namespaces") + 2 :] if "namespaces" in words else words[-1:]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked = Asked(method=handler.command, kind="/".join([rest[0], *rest[2:]]), name=(rest[1:] or [""])[0], query=query, body=body)
        self.asked.append(asked)
        answer = self._answer(asked)
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.kind)
        lines = answer.body if isinstance(answer.body, Iterator) else [answer.body]
        if not isinstance(answer.body, Iterator):
            said = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            handler.send_header("Content-Length", str(len(said.encode())))
            handler.end_headers()
            handler.wfile.write(said.encode())
            return
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for line in lines:
            said = line if isinstance(line, str) else json.dumps(line) + "\n"
            handler.wfile.write(f"{len(said.encode()):x}\r\n{said}\r\n".encode())
            handler.wfile.flush()
        if not answer.is_cut:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    @contextmanager
    def serving(self) -> Iterator["ApiServer"]:
        """While it answers."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def write_kubeconfig(folder: Path, address: str, *, user: Any = None, cluster: Any = None, name: str = "kubeconfig") -> str:
    """The path of a kubeconfig with one context, called test."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": address, **(cluster or {})}}],
        "users": [{"name": "test", "user": {"token": "open-sesame"} if user is None else user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "flows"}}],
        "current-context": "test",
    }
    path = folder / name
    path.write_text(json.dumps(config))
    return str(path)
