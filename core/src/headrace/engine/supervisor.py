"""The supervisor of a run: a process with one thread that forks the process of the user's code, and outlives nothing of it.

It opens nothing before it has forked. Then it renews the lease, keeps what is printed, obeys the order to stop, and in the end says how it ended, where
the run could not say so itself. If it is killed, the kernel kills the run's process with it.
"""

import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from headrace import instance
from headrace.clock import SystemClock
from headrace.engine.deployed_run import run_deployed
from headrace.engine.journal import Journal
from headrace.engine.output import Output
from headrace.engine.process_tree import adopt_orphans, die_with, kill_descendants, signal_group
from headrace.engine.ready import Ready, made_ready
from headrace.engine.working_folders import remove_working_folder
from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.filters import EventFilter
from headrace.model.moves import Move
from headrace.model.orders import VARIABLE, ExitStatus, OrderedRun, ordered_run
from headrace.model.states import State
from headrace.processes import ProcessFile, folder_of

TICK = 0.5
"""Seconds between two looks at what is to be done, while nothing happens by itself."""

DRAIN = 0.2
"""Seconds in which what was printed last is still read, when others may hold the pipe open."""

logger = logging.getLogger("headrace.supervisor")


def main() -> int:
    """The process `python -m headrace.engine`: its exit code."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        print(f"this process is started by a flow runner, with an order in {VARIABLE}; to run a deployment, use headrace", file=sys.stderr)
        return 2
    try:
        return supervise(ordered_run(text), made_ready(os.environ))
    except HeadraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def supervise(run: OrderedRun, ready: Ready) -> int:
    """Runs a claimed run, unless another process does; the exit code is that of the process of its code."""
    file = ProcessFile(folder_of(ready.settings.home), run.identity)
    if not file.hold():
        return 0
    try:
        printed, output = os.pipe()
        me = os.getpid()
        process = os.fork()
        if process == 0:
            os.close(printed)
            file.release()
            _become_the_run(run, ready, output, me)
        os.close(output)
        code = _watched(run, ready, process, printed)
        remove_working_folder(ready.settings.home, run.identity)
        file.write_exit(code)
        return code
    finally:
        file.release()


def _become_the_run(run: OrderedRun, ready: Ready, output: int, supervisor: int) -> None:
    """The forked process: it never returns."""
    code = 1
    try:
        os.setsid()
        die_with(supervisor)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        code = run_deployed(run, ready)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _watched(run: OrderedRun, ready: Ready, process: int, printed: int) -> int:
    adopt_orphans()
    with _Bell() as bell:
        try:
            with instance.open(ready.settings, registry=ready.registry, clock=SystemClock()) as house:
                return Watch(house, run, process, printed, bell).code()
        except HeadraceError as error:
            print(f"error: {error}", file=sys.stderr)
            return _merely_waited(process, printed)


def _merely_waited(process: int, printed: int) -> int:
    """Without an orchestration to speak to, the run is on its own; it will hardly do better."""
    os.close(printed)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


class _Bell:
    """Rings when a signal comes, so that waiting for anything else ends: a child has ended, or this process is to end."""

    def __init__(self) -> None:
        self.is_to_end = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "_Bell":
        self.descriptor, self._end = os.pipe()
        os.set_blocking(self._end, False)
        os.set_blocking(self.descriptor, False)
        signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._heard)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ends)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self.descriptor)
        os.close(self._end)

    def _heard(self, _number: int, _frame: FrameType | None) -> None: ...

    def _ends(self, _number: int, _frame: FrameType | None) -> None:
        self.is_to_end = True

    def hush(self) -> None:
        """Forgets what rang."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 4096):
                pass


class Watch:
    """Looks after one run's process until it has ended."""

    def __init__(self, house: Instance, run: OrderedRun, process: int, printed: int, bell: _Bell) -> None:
        self._house = house
        self._run = run
        self._process = process
        self._bell = bell
        self._clock = house.clock
        self._journal = Journal(house.client.write_journal, flow_run_id=run.run_id, epoch=run.epoch)
        self._output = Output(printed, flow_run_id=run.run_id, clock=house.clock, new_id=house.ids.new, say=self._journal.say)
        self._cursor: int | None = None
        self._stopping: str | None = None
        self._kill_at: float | None = None

    def code(self) -> int:
        """Waits for the end, and answers with the exit code."""
        renew_at = flush_at = self._clock.monotonic()
        while (code := self._exit_code()) is None:
            select.select([self._bell.descriptor, *self._output.descriptors], [], [], self._patience())
            self._bell.hush()
            self._output.read()
            now = self._clock.monotonic()
            if now >= flush_at:
                flush_at = now + self._house.settings.journal_interval
                self._guarded(self._journal.try_flush)
                self._guarded(self._hear)
            if now >= renew_at:
                renew_at = now + self._house.settings.renew_seconds
                self._guarded(self._renew)
            self._stop_if_told()
        signal_group(self._process, signal.SIGKILL)
        kill_descendants()
        self._output.drain(DRAIN)
        self._guarded(lambda: self._report(code))
        self._guarded(self._journal.try_flush)
        return code

    def _exit_code(self) -> int | None:
        process, status = os.waitpid(self._process, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if process else None

    def _patience(self) -> float:
        if self._kill_at is None:
            return TICK
        return max(0.0, min(TICK, self._kill_at - self._clock.monotonic()))

    def _guarded(self, action: Callable[[], object]) -> None:
        """A store that is away, or busy, is asked again later; the run goes on."""
        try:
            action()
        except HeadraceError as error:
            logger.warning("The supervisor could not do its work yet: %s", error)

    # Stopping

    def _renew(self) -> None:
        self._journal.obey(self._house.client.renew_lease(self._run.run_id, self._run.epoch))

    def _hear(self) -> None:
        """Asks whether to go on as soon as something is said of the run, and not only when the lease is to be renewed."""
        client = self._house.client
        if self._cursor is None:
            self._cursor = client.read_last_event()
            self._renew()
        kinds = ("flow-run.CANCELLING", "flow-run.CANCELLED", "flow-run.PENDING")
        events = client.wait_for_events(EventFilter(after=self._cursor, kinds=kinds, subjects=(self._run.run_id,)), 0)
        if events:
            self._cursor = events[-1].sequence
            self._renew()

    def _stop_if_told(self) -> None:
        reason = self._journal.stopped or ("its supervisor was asked to end" if self._bell.is_to_end else None)
        now = self._clock.monotonic()
        if reason is not None and self._stopping is None:
            self._stopping = reason
            self._kill_at = now + self._house.settings.grace_seconds
            signal_group(self._process, signal.SIGTERM)
        if self._kill_at is not None and now >= self._kill_at:
            signal_group(self._process, signal.SIGKILL)

    # The end

    def _report(self, code: int) -> None:
        """Says how the run ended, if it did not say so itself."""
        client, run = self._house.client, self._run
        if client.read_flow_run(run.run_id).state.is_terminal():
            return
        how = f"The process of the run ended with {ExitStatus(code)} before the run did"
        state = State.crashed(f"{how}: {self._stopping}." if self._stopping else f"{how}.")
        client.move_flow_run(Move(id=f"{run.identity}:end", run_id=run.run_id, state=state, epoch=run.epoch))
