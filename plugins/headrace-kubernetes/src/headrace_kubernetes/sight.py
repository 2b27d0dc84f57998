"""Jobs and pods kept in sight: who waits for one is called when there is something to look at.

What a watch delivers is not kept. It may break off at any moment, and be too old to go on with; then everybody is called, looks for himself, and it begins
anew. So nothing is lost, and whoever looks always sees the whole of what is so. Only a pod is handed on as it was just now: that it has begun is no reason
to ask, and one that was removed cannot be looked at any more. One thread does it for all, on an event loop of its own, which can be left at once.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary

import attrs
from lightkube import AsyncClient

from headrace_kubernetes.cluster import TIMES, Cluster, Thing
from headrace_kubernetes.kinds import Job, Pod
from headrace_kubernetes.names import IDENTITY
from headrace_kubernetes.pods import is_news
from headrace_kubernetes.troubles import FAILURES, understood

if TYPE_CHECKING:
    from headrace_kubernetes.pod_process import PodProcess

ROUND_SECONDS = 60
"""How long a watch lasts; the server ends it then."""

QUIET_SECONDS = 90
"""When nothing has come for so long, not even the end of a watch, nobody is there any more."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_AGAIN_SECONDS = 0.2

logger = logging.getLogger("headrace.kubernetes")


class Sight:
    """Watches what has certain labels, from the first process that is kept in sight until it is closed."""

    def __init__(self, cluster: Cluster, labels: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._labels: dict[str, Any] = dict(labels)
        self._lock = threading.Lock()
        self._seen: WeakValueDictionary[str, PodProcess] = WeakValueDictionary()
        self._loop: _Loop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether anybody is called."""
        return not self._is_closed

    def kept(self, process: "PodProcess") -> "PodProcess":
        """The process, called from now on as long as somebody has it; or the one of that identity that is called already, which is to be used instead."""
        with self._lock:
            if self._is_closed:
                return process
            found = self._seen.setdefault(process.identity, process)
            if self._thread is None:
                self._loop = _Loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="headrace-kubernetes", daemon=True)
                self._thread.start()
            return found

    def known(self, identity: str) -> "PodProcess | None":
        """The process of that identity that is kept in sight."""
        with self._lock:
            return self._seen.get(identity)

    def show_output(self, pod: str, container: str, title: str) -> None:
        """Tells what a pod prints, from its beginning to its end."""
        with self._lock:
            if self._loop is not None and not self._is_closed:
                self._loop.call_soon_threadsafe(self._begin, _show(self._cluster, pod, container, title))

    def close(self) -> None:
        """Calls nobody any more; the thread has ended."""
        with self._lock:
            self._is_closed = True
            thread, loop = self._thread, self._loop
        if thread is not None and loop is not None:
            with suppress(RuntimeError):  # it may have ended already
                loop.call_soon_threadsafe(self._ended.set)
            thread.join()
        self.ring_all()

    def ring_all(self) -> None:
        """Everybody looks."""
        with self._lock:
            everybody = list(self._seen.values())
        for process in everybody:
            process.ring()

    # In the thread

    def _run(self, loop: "_Loop") -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._watched())
            loop.run_until_complete(loop.break_off())
        finally:
            loop.close()

    def _begin(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self) -> None:
        self._begin(self._follow(Job))
        self._begin(self._follow(Pod))
        await self._ended.wait()
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.wait(tuple(self._tasks), timeout=_AGAIN_SECONDS)  # one that is just answered may not hear it

    async def _follow(self, kind: Any) -> None:
        pause, has_told = _SHORTEST_PAUSE, False
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._watch_once(kind)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                trouble = understood(error, self._cluster.asked(kind)) if isinstance(error, FAILURES) else error
                lasted = asyncio.get_running_loop().time() - began
                pause = _SHORTEST_PAUSE if lasted > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
                if not has_told and lasted < _LONGEST_PAUSE:
                    logger.info("The watch on the cluster broke off, and begins anew: %s", trouble)
                has_told = lasted < _LONGEST_PAUSE
            self.ring_all()
            await asyncio.sleep(pause)

    async def _watch_once(self, kind: Any) -> None:
        """From what is there now, until it breaks off."""
        async with _asking(self._cluster) as client:
            listed = client.list(kind, namespace=self._cluster.namespace, labels=self._labels, chunk_size=500)
            async for _ in listed:
                pass
            self.ring_all()  # what happened before it began
            events = client.watch(
                kind,
                namespace=self._cluster.namespace,
                labels=self._labels,
                resource_version=listed.resourceVersion,
                server_timeout=ROUND_SECONDS,
            )
            async for operation, thing in _never_quiet(events):
                self._tell(kind._api_info.resource.kind, operation, thing)

    def _tell(self, kind: str, operation: str, thing: Thing) -> None:
        identity = (thing["metadata"].get("annotations") or {}).get(IDENTITY)
        process = self.known(identity) if identity is not None else None
        if process is None:
            return
        if kind == "Pod":
            process.see(thing)
        if is_news(kind, operation, thing):
            process.ring()


class _Loop(asyncio.SelectorEventLoop):
    """Knows its connections: one whose handshake is under way when its task is cancelled is closed by nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: WeakSet[asyncio.BaseTransport] = WeakSet()

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        transport, protocol = await super().create_connection(*arguments, **options)
        self._connections.add(transport)
        return transport, protocol

    async def break_off(self) -> None:
        """Closes those that are left."""
        for transport in tuple(self._connections):
            transport.close()
        await asyncio.sleep(0)  # they are closed by the loop, in its next round


def _asking(cluster: Cluster) -> "_Asking":
    return _Asking(AsyncClient(cluster.config, timeout=TIMES))


@attrs.frozen
class _Asking:
    """A client within a block."""

    client: AsyncClient

    async def __aenter__(self) -> AsyncClient:
        return self.client

    async def __aexit__(self, *error: object) -> None:
        await self.client.close()


async def _never_quiet(events: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """The events, as long as any come, or the rounds end in time."""
    following = aiter(events)
    while True:
        try:
            yield await asyncio.wait_for(anext(following), QUIET_SECONDS)
        except StopAsyncIteration:
            return


async def _show(cluster: Cluster, pod: str, container: str, title: str) -> None:
    with suppress(*FAILURES):  # how the run ended is told elsewhere
        async with _asking(cluster) as client:
            async for line in client.log(pod, namespace=cluster.namespace, container=container, follow=True, newlines=False):
                logger.info("Flow run %r printed: %s", title, printable(line))


def printable(line: str) -> str:
    """A line of somebody else's, fit for a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line.rstrip("\r\n"))
