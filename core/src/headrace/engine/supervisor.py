"""The supervisor of a run: a process with one thread that forks the process of the user's code, and outlives nothing of it.

It opens nothing before it has forked. Then it renews the lease, keeps what is printed, obeys the order to stop, and in the end says how it ended, where
the run could not say so itself. If it is killed, the kernel kills the run's process with it. Signals that come while it forks are held back until
both processes hear them.
"""

import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from logging import ERROR, WARNING
from types import FrameType
from typing import TypeVar

from headrace import instance
from headrace.clock import SystemClock
from headrace.engine.deployed_run import ENDING, run_deployed
from headrace.engine.drive import drive
from headrace.engine.handshake import Keep, Over, ToRun, ToSupervisor, joined
from headrace.engine.journal import Journal
from headrace.engine.loop_thread import LoopThread
from headrace.engine.memory_shortage import ended_for_memory
from headrace.engine.output import Output
from headrace.engine.patience import Patience
from headrace.engine.printed_lines import print_by_lines
from headrace.engine.process_tree import adopt_orphans, die_with, kill_descendants, reap_orphans, signal_group
from headrace.engine.ready import Ready, made_ready
from headrace.engine.voice import Voice
from headrace.engine.working_folders import remove_working_folder
from headrace.errors import HeadraceError, MayPass
from headrace.instance import Instance
from headrace.model.filters import EventFilter
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.orders import MARK, VARIABLE, ExitStatus, OrderedRun, ordered_run
from headrace.model.states import State, StateType
from headrace.orchestration.undelivered import Undelivered, deliver, put_away
from headrace.processes import ProcessFile, folder_of

TICK = 0.5
"""Seconds between two looks at what is to be done, while nothing happens by itself."""

DRAIN = 0.2
"""Seconds in which what was printed last is still read, when others may hold the pipe open."""

_UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
"""The states that only a run has whose process is there."""

logger = logging.getLogger("headrace.supervisor")

T = TypeVar("T")


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
        to_run, to_supervisor = joined()
        me = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        os.environ[MARK] = run.identity
        process = os.fork()
        if process == 0:
            os.close(printed)
            to_run.close()
            file.release()
            _become_the_run(run, ready, output, to_supervisor, me)
        file.write_child(process)
        os.close(output)
        to_supervisor.close()
        code = _watched(run, ready, process, printed, to_run)
        remove_working_folder(ready.settings.home, run.identity)
        file.write_exit(code)
        return code
    finally:
        file.release()


def _become_the_run(run: OrderedRun, ready: Ready, output: int, to_supervisor: ToSupervisor, supervisor: int) -> None:
    """The forked process: it never returns."""
    code = 1
    try:
        os.setsid()
        die_with(supervisor)
        if run.memory is not None or run.cpu_seconds is not None:
            from headrace.engine.resource_limits import limit  # what few need

            limit(run)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        printed = print_by_lines()
        try:
            code = run_deployed(run, ready, to_supervisor, printed)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        printed.flush()
    finally:
        os._exit(code & 0xFF)


def _watched(run: OrderedRun, ready: Ready, process: int, printed: int, line: ToRun) -> int:
    adopt_orphans()
    with _Bell() as bell:
        try:
            with instance.open(ready.settings, registry=ready.registry, clock=SystemClock()) as house:
                return Watch(house, run, process, printed, line, bell).code()
        except HeadraceError as error:
            print(f"error: {error}", file=sys.stderr)
            line.close()
            return _merely_waited(run, process, printed, bell)


def _merely_waited(run: OrderedRun, process: int, printed: int, bell: "_Bell") -> int:
    """Without an orchestration to speak to, the run is on its own, and will hardly do better; what it prints is shown with this process's own words."""

    def show(line: LogLine) -> None:
        print(line.message, file=sys.stderr)

    output = Output(printed, flow_run_id=run.run_id, clock=SystemClock(), new_id=str, say=show)
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
        select.select([bell.descriptor, *output.descriptors], [], [], TICK)
        bell.hush()
        output.read()
        if bell.is_to_end:
            signal_group(process, signal.SIGTERM)
    signal_group(process, signal.SIGKILL)
    kill_descendants()
    output.drain(DRAIN)
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
        for number in ENDING:
            signal.signal(number, self._ends)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
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

    def __init__(self, house: Instance, run: OrderedRun, process: int, printed: int, line: ToRun, bell: _Bell) -> None:
        self._house = house
        self._run = run
        self._process = process
        self._line = line
        self._bell = bell
        self._clock = house.clock
        self._journal = Journal(house.client.write_journal, flow_run_id=run.run_id, epoch=run.epoch)
        self._output = Output(printed, flow_run_id=run.run_id, clock=house.clock, new_id=house.ids.new, say=self._journal.say)
        self._cursor: int | None = None
        self._stopping: str | None = None
        self._over: int | None = None
        self._unsaid: Move | None = None
        self._used = 0.0
        self._ended_before = ended_for_memory()
        self._kill_at: float | None = None
        self._flush_at = 0.0
        self._is_to_write = False
        self._patience = Patience(
            seconds=house.settings.outage_seconds,
            clock=house.clock,
            share=house.ids.random.random,
            tell_trouble=self._tell_trouble,
            tell_end=lambda seconds: logger.info("What the supervisor waited for is there again, after %.1f seconds", seconds),
            check=lambda: None,
        )

    def code(self) -> int:
        """Waits for the end, and answers with the exit code."""
        settings = self._house.settings
        began = self._clock.monotonic()
        self._flush_at, renew_at = began + settings.journal_interval, began + settings.renew_seconds
        while (code := self._exit_code()) is None:
            select.select([self._bell.descriptor, *self._output.descriptors, *self._line.descriptors], [], [], self._wait())
            self._bell.hush()
            self._is_to_write = self._output.read() > 0 or self._is_to_write
            self._listen()
            now = self._clock.monotonic()
            if now >= self._flush_at:
                self._flush_at, self._is_to_write = now + settings.journal_interval, False
                reap_orphans(self._process)
                self._guarded(self._journal.try_flush)
                self._guarded(self._hear)
            if now >= renew_at and (self._over is None or self._stopping is not None):
                renew_at = now + settings.renew_seconds
                self._guarded(self._renew)
            self._stop_if_told()
        self._listen()
        signal_group(self._process, signal.SIGKILL)
        kill_descendants()
        self._output.drain(DRAIN)
        code = code if self._over is None else self._over
        self._guarded(lambda: self._report(code))
        self._guarded(lambda: self._asked(self._journal.flush))
        self._guarded(self._put_away)
        return code

    def _exit_code(self) -> int | None:
        process, status, usage = os.wait4(self._process, os.WNOHANG)
        if not process:
            return None
        self._used = usage.ru_utime + usage.ru_stime
        return os.waitstatus_to_exitcode(status)

    def _wait(self) -> float:
        waits, now = [TICK], self._clock.monotonic()
        if self._kill_at is not None:
            waits.append(self._kill_at - now)
        if self._is_to_write:
            waits.append(self._flush_at - now)
        return max(0.0, min(waits))

    def _guarded(self, action: Callable[[], object]) -> None:
        """A store that is away, or busy, is asked again later; the run goes on."""
        try:
            action()
        except HeadraceError as error:
            logger.warning("The supervisor could not do its work yet: %s", error)

    # What the run's process says

    def _listen(self) -> None:
        for said in self._line.heard():
            match said:
                case Keep():
                    self._output.catch_up()
                    self._guarded(self._journal.try_flush)
                    self._line.answer(said)
                case Over():
                    self._over = said.code
                    self._kill_at = self._kill_at or self._clock.monotonic() + self._house.settings.grace_seconds

    def _say(self, level: int, message: str) -> None:
        """Says something in the run's log."""
        house = self._house
        voice = Voice(title=self._run.run_id, flow_run_id=self._run.run_id, new_id=house.ids.new, say=self._journal.say)
        voice.line(house.clock.now(), level, logger.name, message)

    # Stopping

    def _renew(self) -> None:
        self._journal.obey(self._house.client.renew_lease(self._run.run_id, self._run.epoch))

    def _hear(self) -> None:
        """Asks whether to go on as soon as something is said of the run, and not only when the lease is to be renewed."""
        client = self._house.client
        if self._over is not None:
            return
        if self._cursor is None:
            self._cursor = client.read_last_event()
            self._renew()
        kinds = ("flow-run.CANCELLING", "flow-run.CANCELLED", "flow-run.PENDING", "flow-run.PAUSED", "flow-run.SCHEDULED")
        events = client.wait_for_events(EventFilter(after=self._cursor, kinds=kinds, subjects=(self._run.run_id,)), 0)
        if events:
            self._cursor = events[-1].sequence
            self._renew()

    def _stop_if_told(self) -> None:
        told = self._journal.stopped if self._over is None else None
        reason = told or ("its supervisor was asked to end" if self._bell.is_to_end else None)
        now = self._clock.monotonic()
        if reason is not None and self._stopping is None:
            self._stopping = reason
            self._kill_at = now + self._house.settings.grace_seconds
            self._signal(signal.SIGTERM)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill()

    def _signal(self, number: signal.Signals) -> None:
        """To all processes of the run; to its own alone, as long as that leads no group."""
        with suppress(PermissionError):
            try:
                os.killpg(self._process, number)
            except ProcessLookupError:
                os.kill(self._process, number)

    def _kill(self) -> None:
        if self._over is not None and self._stopping is None:
            self._say(
                WARNING,
                f"The process of the run had not ended {self._house.settings.grace_seconds:g} seconds after the run, and was killed.",
            )
        self._kill_at = None
        self._signal(signal.SIGKILL)

    # The end

    def _report(self, code: int) -> None:
        """Says how the run ended, if it did not say so itself, nor put away what it could not say. What cannot be said is put away here, too."""
        client, run = self._house.client, self._run
        how = f"The process of the run ended with {ExitStatus(code)} before the run did"
        reason = self._stopping or self._said_of_limits(code)
        message = f"{how}: {reason}." if reason else f"{how}."
        self._unsaid = Move(id=f"{run.identity}:end", run_id=run.run_id, state=State.crashed(message), epoch=run.epoch)
        self._asked(self._journal.flush)
        self._asked(lambda: deliver(self._house.settings.home, client, self._clock.now(), identity=run.identity))
        known = self._asked(lambda: client.read_flow_run(run.run_id))
        if known.state.type in _UNDER_WAY and known.epoch == run.epoch:
            if code < 0 or known.state.type is not StateType.CANCELLING:  # else it ended as it was told to
                self._say(ERROR, message)
            # now, since what comes of the move may be another process, and nothing of this one is heard then
            self._asked(self._journal.flush)
            self._asked(partial(client.move_flow_run, self._unsaid))
        self._unsaid = None

    def _said_of_limits(self, code: int) -> str:
        if code == -signal.SIGKILL and ended_for_memory() > self._ended_before:
            return "the memory of its container or machine was used up"
        if self._run.memory is None and self._run.cpu_seconds is None:
            return ""
        from headrace.engine.resource_limits import said_of_limits  # what few need

        return said_of_limits(self._run, code, self._used)

    def _asked(self, question: Callable[[], T]) -> T:
        """The answer to a question that is asked again while what can answer it is away; one signal to end is enough to give that up."""
        return drive(self._patience.asked(question), LoopThread(), sleep=self._rest)

    def _rest(self, seconds: float) -> None:
        if not self._bell.is_to_end:
            select.select([self._bell.descriptor], [], [], seconds)
            self._bell.hush()
        if self._bell.is_to_end:
            self._patience.lose()

    def _tell_trouble(self, error: MayPass, seconds: float) -> None:
        logger.warning("The supervisor waits, for %g seconds at most: %s", round(seconds), error)

    def _put_away(self) -> None:
        """Keeps what could not be told for the next process of this machine that can."""
        if self._unsaid is None and self._journal.is_empty:
            return
        house, run = self._house, self._run
        undelivered = Undelivered(run_id=run.run_id, put_away=self._clock.now(), journal=self._journal.rest(), move=self._unsaid)
        try:
            put_away(house.settings.home, f"{run.identity}.{house.ids.new()}", undelivered)
        except OSError as error:
            logger.error("What could not be told is lost, as it cannot be kept in the home either: %s", error)
