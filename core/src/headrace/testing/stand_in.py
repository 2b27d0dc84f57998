"""A stand-in for `python -m headrace.engine`: it keeps what a supervisor promises, and runs a few lines that a test wrote, without any run.

With the number of a socket as its argument it is a fork-server of such processes.
"""

import os
import signal
import socket
import sys

from headrace.engine.fork_server import serve
from headrace.engine.process_tree import adopt_orphans, die_with, kill_descendants, signal_group
from headrace.engine.resource_limits import limit
from headrace.model.orders import MARK, VARIABLE, ExitStatus, OrderedRun, ordered_run
from headrace.processes import ProcessFile, folder_of
from headrace.settings import load

MODULE = ("-m", "headrace.testing.stand_in")
LINES = "STAND_IN_LINES"
"""The variable with the lines."""


def main() -> int:
    """The process: its exit code."""
    if sys.argv[1:]:
        with socket.socket(fileno=int(sys.argv[1])) as connection:
            serve(connection, _supervise)
        return 0
    return _supervise()


def _supervise() -> int:
    settings = load(os.environ, lenient=True)
    run = ordered_run(os.environ.pop(VARIABLE))
    file = ProcessFile(folder_of(settings.home), run.identity)
    if not file.hold():
        return 0
    adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    me = os.getpid()
    os.environ[MARK] = file.identity
    process = os.fork()
    if process == 0:
        file.release()
        _run_lines(run, me)
    file.write_child(process)
    code = _watched(process, settings.grace_seconds)
    kill_descendants()
    file.write_exit(code)
    file.release()
    return code


def _run_lines(run: OrderedRun, supervisor: int) -> None:
    code = 1
    try:
        os.setsid()
        die_with(supervisor)
        limit(run)
        if run.folder is not None:
            os.chdir(run.folder)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        exec(os.environ[LINES], {"__name__": "__main__"})
        code = 0
    finally:
        os._exit(code)


def _watched(process: int, grace: float) -> int:
    """Waits for its end; once told to end, ends it."""

    def ask(*_: object) -> None:
        signal_group(process, signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, grace)

    signal.signal(signal.SIGALRM, lambda *_: signal_group(process, signal.SIGKILL))
    signal.signal(signal.SIGTERM, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(ExitStatus(main()).to_tell)
