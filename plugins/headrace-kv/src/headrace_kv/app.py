"""The application of a KV server: a storage for others, as any server of headrace has one, and nothing else."""

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from headrace.ports.storage import Storage
from headrace_kv.door import Door
from headrace_server.bodies import json_answer
from headrace_server.files import Bound, Files
from headrace_server.routing import API, AsSent, Exactly, guarded, sent_path
from headrace_server.threads import Threads

WHAT_THERE_IS = f"this is a KV server of headrace, which has {API}/files and no more"
ADVICE = "delete what nobody needs, or raise --storage-limit"


class KvApp:
    """A storage whose values lie in a folder, for others. `number` gives each bug one, by which the log tells of it."""

    def __init__(self, storage: Storage, door: Door, number: Callable[[], str], *, folder: Path, most_bytes: int) -> None:
        self._threads = Threads()
        files = Files(storage.open, self._threads.run, Bound(folder, most_bytes, advice=ADVICE))
        routes = files.routes(door.admitted, lambda handle: guarded(handle, number))
        self._api = AsSent(API, Exactly(routes, WHAT_THERE_IS))
        self._others = AsSent("", Exactly([Route("/health", guarded(_health, number))], WHAT_THERE_IS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        routes = self._api if sent_path(scope).startswith(f"{API}/") else self._others
        await routes(scope, receive, send)

    def end(self) -> None:
        """Nobody waits here."""

    def close(self, *, wait: bool = True) -> None:
        """Lets go of the threads, once what is being asked is answered; unless told to `wait`, at once."""
        self._threads.close(wait=wait)


async def _health(_: Request) -> Response:
    return json_answer({"result": "ok"})
