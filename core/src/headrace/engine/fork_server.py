"""The fork-server: a process that has imported what runs need, and forks the supervisors of runs so that they need not.

It is `python -m headrace.engine.fork_server FD`, started by a flow runner that holds the other end of a socket. A request is one line of JSON,
`{"environment": {…}, "folder": "…", "errors": "…"}`: the whole environment, the working folder and the file for standard error of the process to come;
the answer is `{"pid": …}` or `{"error": "…"}`. Before the first request it says `{"ready": true}`. It has one thread, opens nothing, and never sees
user code. When the other end is closed it ends; what it has forked goes on.
"""

import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from headrace.errors import HeadraceError
from headrace.model.orders import VARIABLE, ordered_run

if TYPE_CHECKING:
    from headrace.engine.ready import Ready


def main() -> int:
    """The process: its exit code."""
    try:
        (given,) = sys.argv[1:]
        connection = socket.socket(fileno=int(given))
    except (OSError, OverflowError, ValueError):
        print("error: a fork-server is started by a flow runner, which gives it a socket; it is of no use by hand", file=sys.stderr)
        return 2
    with connection:
        try:
            run = partial(run_forked, preload())
        except Exception as error:
            what = "" if isinstance(error, HeadraceError) else f"{type(error).__name__}: "
            say(connection, {"error": f"{what}{error}"})
            return 1
        serve(connection, run)
    return 0


def preload() -> "Ready":
    """What a run needs that can be had before it is known which one."""
    # inside, so that what goes wrong is told to who asks
    import headrace.engine.supervisor  # noqa: F401
    from headrace.engine.ready import imported_ahead, made_ready

    return imported_ahead(made_ready(os.environ))


def run_forked(ready: "Ready") -> int:
    """What a forked process does, in the environment of its own: its exit code."""
    from headrace.engine.supervisor import supervise

    try:
        return supervise(ordered_run(os.environ.pop(VARIABLE, "")), ready.fitting(os.environ))
    except HeadraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def serve(connection: socket.socket, run: Callable[[], int]) -> None:
    """Forks a process that does `run` for each request, until nobody is there to ask."""
    connection.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so the kernel buries the forked itself, without a race
    gc.collect()
    gc.freeze()  # memory that is shared stays shared
    with suppress(BrokenPipeError, ConnectionResetError), connection.makefile("rb") as requests:
        say(connection, {"ready": True})
        for line in requests:
            say(connection, _answer(line, connection, run))


def say(connection: socket.socket, content: Mapping[str, object]) -> None:
    """Sends one line of JSON."""
    connection.sendall(json.dumps(content).encode() + b"\n")


def _answer(line: bytes, connection: socket.socket, run: Callable[[], int]) -> dict[str, object]:
    try:
        request = json.loads(line)
        pid = os.fork()
    except (OSError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if pid == 0:
        _become(request, connection, run)
    return {"pid": pid}


def _become(request: Mapping[str, Any], connection: socket.socket, run: Callable[[], int]) -> NoReturn:
    """The forked process."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(connection, request.get("errors"))
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()  # the one thing that reads the environment once and can be told to read it again
        os.chdir(request.get("folder") or "/")
        code = run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code & 0xFF)


def _redirect(connection: socket.socket, errors: str | None) -> None:
    """Standard streams of its own; and its share of the socket is replaced, so that the server's end is known at once."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.dup2(null, connection.fileno(), inheritable=False)
    os.close(null)
    if errors is not None:
        file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, 2)
        os.close(file)


if __name__ == "__main__":
    sys.exit(main())
