"""Threads for what takes its time: so many and no more, so that the loop stays free and nothing waits for another one's transaction there."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

MOST_THREADS = 16

T = TypeVar("T")


class Threads:
    """The threads of a server."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="headrace-api")

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function gives that may take its time."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self, *, wait: bool = True) -> None:
        """Lets go of them, once what is being asked is answered; unless told to `wait`, at once."""
        self._pool.shutdown(wait=wait, cancel_futures=not wait)
