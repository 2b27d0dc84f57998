"""The processes of a run: its supervisor, and that of its code, which ends with the supervisor."""

from collections.abc import Callable, Generator

from headrace.engine.journal import Journal
from headrace.engine.terminated import Terminated
from headrace.errors import HeadraceError
from headrace.model.events import Event
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus, OrderedRun
from headrace.model.states import State
from headrace.ports.client import OpenClient
from headrace.testing.sim import plan
from headrace.testing.sim.code import Code
from headrace.testing.sim.faults import NONE
from headrace.testing.sim.house import House
from headrace.testing.sim.world import Actor

TICK, RENEW, GRACE = 2.5, 5.0, 10.0
KILLED = ExitStatus(-9)
HEARD = ("flow-run.CANCELLING", "flow-run.CANCELLED", "flow-run.PENDING")


class Process:
    """Both processes of one run in one epoch, as a flow runner sees them."""

    remark = ""
    last_words = ""

    def __init__(self, house: House, ordered: OrderedRun) -> None:
        self._house = house
        self.ordered = ordered
        self.identity = ordered.identity
        self.status: ExitStatus | None = None
        self.code_status: int | None = None
        self.is_told_to_end = False
        self.supervisor = Actor(f"supervisor {self.identity}")
        self.code = Actor(f"code {self.identity}")
        self.has_news = False
        self._plan = plan.drawn(house.world.random, is_calm=house.world.faults is NONE)
        self._is_to_end = False
        self._was_asked_to_end = False
        self._turn = 0
        self._life: Generator[float, None, int] | None = None

    def begin(self) -> None:
        """Both processes are there."""
        house = self._house
        house.world.note(self.supervisor.label, "begins", f"{len(self._plan.calls)} calls, {self._plan.end}")
        self._life = Code(house, self.ordered, house.link(self.code, self.kill_code), self._plan).life()
        watch = Watch(house, self, house.link(self.supervisor, self.kill)).life()
        self._schedule_code(0.0)
        house.world.after(0.0, lambda: self._watch_on(watch), actor=self.supervisor)

    # As a flow runner sees them

    @property
    def is_alive(self) -> bool:
        return self.status is None

    @property
    def hangs(self) -> bool:
        """Whether it will not end by itself."""
        return self._plan.end == "hangs"

    def wait(self, timeout: float) -> ExitStatus | None:
        return self.status

    def stop(self, grace: float) -> None:
        """Asks it to end, and ends it when the grace is over."""
        self.is_told_to_end = True
        end = self._house.world.clock.monotonic() + grace + 5.0
        while self.status is None and self._house.world.clock.monotonic() < end:
            self._house.world.let_pass(1.0)
        if self.status is None:
            self.kill()

    # How they end

    def kill(self) -> None:
        """The supervisor dies, and with it the code."""
        if self.status is not None:
            return
        self._house.world.note(self.supervisor.label, "dies")
        self.supervisor.is_dead = True
        self.kill_code()
        self.status = self._house.world.random.choice((KILLED, ExitStatus(None)))

    def kill_code(self) -> None:
        """The code dies; its supervisor sees it."""
        if self.code.is_dead:
            return
        self._house.world.note(self.code.label, "dies")
        self.code.is_dead = True
        self._life = None
        self.code_status = -9

    def terminate(self) -> None:
        """Asks the code to end; a deaf one does not hear it."""
        if not self._plan.is_deaf and not self._was_asked_to_end:
            self._is_to_end = self._was_asked_to_end = True
            self._schedule_code(0.0)

    # What they do

    def _schedule_code(self, seconds: float) -> None:
        self._turn += 1
        turn = self._turn
        self._house.world.after(seconds, lambda: self._code_goes_on(turn), actor=self.code)

    def _code_goes_on(self, turn: int) -> None:
        if turn != self._turn or self._life is None:
            return
        life = self._life
        try:
            if self._is_to_end:
                self._is_to_end = False
                seconds = life.throw(Terminated())
            else:
                seconds = next(life)
        except (StopIteration, Terminated) as end:
            self._house.world.note(self.code.label, "ends", str(end))
            self.code.is_dead = True
            self.code_status = end.value if isinstance(end, StopIteration) else 1
            return
        if self._life is not None:
            self._schedule_code(0.0 if self._is_to_end else seconds)

    def _watch_on(self, watch: Generator[float, None, int]) -> None:
        try:
            seconds = next(watch)
        except StopIteration as end:
            self._house.world.note(self.supervisor.label, "ends", str(end.value))
            self.supervisor.is_dead = True
            self.status = ExitStatus(end.value)
            return
        self._house.world.after(seconds, lambda: self._watch_on(watch), actor=self.supervisor)

    def hear(self, event: Event) -> None:
        """The supervisor will ask how things stand when something has happened to its run."""
        self.has_news = self.has_news or (event.subject == self.ordered.run_id and event.kind in HEARD)


class Watch:
    """What a supervisor does."""

    def __init__(self, house: House, process: Process, client: OpenClient) -> None:
        self._house = house
        self._process = process
        self._client = client
        self._run = process.ordered
        self._journal = Journal(self._client.write_journal, flow_run_id=self._run.run_id, epoch=self._run.epoch)
        self._is_first = True
        self._stopping: str | None = None
        self._kill_at: float | None = None

    def life(self) -> Generator[float, None, int]:
        """Until the code has ended: its exit code."""
        clock = self._house.world.clock
        renew_at = clock.monotonic() + RENEW
        while self._process.code_status is None:
            yield TICK
            now = clock.monotonic()
            self._journal.try_flush()
            if now >= renew_at or self._is_first or self._process.has_news:
                renew_at = now + RENEW
                self._process.has_news = False
                self._guarded(self._renew)
                self._is_first = False
            self._stop_if_told(now)
        self._guarded(self._report)
        self._journal.try_flush()
        return self._process.code_status

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except HeadraceError as error:
            self._house.world.note(self._process.supervisor.label, f"will try again: {type(error).__name__}")

    def _renew(self) -> None:
        self._journal.obey(self._client.renew_lease(self._run.run_id, self._run.epoch))

    def _stop_if_told(self, now: float) -> None:
        reason = self._journal.stopped or ("its supervisor was asked to end" if self._process.is_told_to_end else None)
        if reason is not None and self._stopping is None:
            self._stopping = reason
            self._kill_at = now + GRACE
            self._process.terminate()
        if self._kill_at is not None and now >= self._kill_at:
            self._process.kill_code()

    def _report(self) -> None:
        known = self._client.read_flow_run(self._run.run_id)
        if known.state.is_terminal() or known.state.awaits_restart() or known.epoch != self._run.epoch:
            return
        message = f"The process of the run ended with {ExitStatus(self._process.code_status)} before the run did"
        self._journal.say(self._house.line(self._run.run_id, message))
        self._journal.try_flush()
        state = State.crashed(message)
        self._client.move_flow_run(Move(id=f"{self._run.identity}:end", run_id=self._run.run_id, state=state, epoch=self._run.epoch))
