"""An event loop in a thread of its own, for coroutines that are called from code without a loop, and for timers."""

import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class _Exit(BaseException):
    """What would end the event loop, and all that runs on it with it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def not_exiting(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine, for a loop that is to go on though it calls `sys.exit`; `result_of` then raises what it raised."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise _Exit(error) from None


def result_of(future: "Future[Any]") -> Any:
    """The result of a future, or of a coroutine that does not exit."""
    try:
        return future.result()
    except _Exit as exiting:
        raise exiting.error from None


class LoopThread:
    """Starts with the first use, ends with `close`; asyncio is imported only then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> "AbstractEventLoop":
        """The loop, running."""
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="headrace-loop", daemon=True)
                self._thread.start()
            return self._loop

    @property
    def is_here(self) -> bool:
        """Whether this is its thread."""
        return self._thread is threading.current_thread()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        """Starts the coroutine in a copy of the caller's context."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def after(self, seconds: float) -> "Future[None]":
        """A future that ends after so many seconds."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        self.soon(self.loop.call_later, seconds, future.set_result, None)
        return future

    def soon(self, call: Callable[..., object], *args: Any) -> None:
        """Calls it on the loop."""
        self.loop.call_soon_threadsafe(call, *args)

    def close(self) -> None:
        """Cancels what still runs and ends the thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        import asyncio

        asyncio.run_coroutine_threadsafe(_end_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_all() -> None:
    import asyncio

    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
