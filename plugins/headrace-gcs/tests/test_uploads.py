"""A server may keep less of a part than it was sent, as Google's may; fake-gcs-server never does."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from headrace.errors import StorageAway
from headrace_gcs.storage import GcsStorage

STEP = 256 * 1024
VALUE = bytes(range(256)) * 4096 * 40
"""Two parts, of 32 MiB and of 8."""


@contextmanager
def forgetful(kept_bytes: int) -> Iterator[tuple[str, bytearray]]:
    """A server of resumable uploads that keeps so much, at most, of what it is sent at once; and what it has."""
    has = bytearray()

    class Forgetful(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if place := re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", self.headers.get("Content-Range") or ""):
                assert int(place[1]) == len(has)
                has.extend(sent[:kept_bytes])
                status, headers = (200, {}) if str(len(has)) == place[2] else (308, {"Range": f"bytes=0-{len(has) - 1}"} if has else {})
            else:
                status, headers = 200, {"Location": f"http://{self.headers['Host']}/upload?uploadType=resumable&upload_id=1"}
            answer = json.dumps({}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", has
        finally:
            server.shutdown()


def test_what_did_not_arrive_is_sent_again() -> None:
    """From there on, until all has arrived."""
    with forgetful(20 * STEP) as (url, has), GcsStorage(bucket="bucket", endpoint_url=url).open() as opened:
        written = opened.write("key", [VALUE])
        assert written.size == len(VALUE)
        assert has == VALUE


def test_a_server_that_keeps_nothing_is_told() -> None:
    """Who sends again and again what never arrives would do so for ever."""
    with forgetful(0) as (url, _), GcsStorage(bucket="bucket", endpoint_url=url).open() as opened:
        with pytest.raises(StorageAway, match="of bytes 0 to 33554431 none arrived"):
            opened.write("key", [VALUE])
