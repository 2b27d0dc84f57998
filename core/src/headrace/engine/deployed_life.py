"""The life of a run that was asked for before its process began: it is known and owned, and its parameters are plain data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from headrace.engine.flow_life import FlowLife
from headrace.engine.interruption import being_cancelled, is_interruption
from headrace.engine.live_run import LiveRun
from headrace.engine.run_titles import titled
from headrace.engine.steps import Ask, Life, Steps
from headrace.errors import HeadraceError, RunStopped
from headrace.instance import Instance
from headrace.model.definitions import FlowDefinition
from headrace.model.filters import Page, TaskRunFilter
from headrace.model.leases import LeaseOrder
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType


class DeployedLife(FlowLife):
    """A claimed run of a deployment; `remarks` are told when it begins. Its supervisor renews the lease, and keeps what is printed.

    `keep_printed` returns when it has kept all: it is asked before the run ends, so that nobody sees the end first.
    `say_over` tells the supervisor that the run has ended, and what goes on is to be ended after a while.
    """

    speaks_on_console = False
    first_words = "Began flow run %r of flow %r"
    renews_lease = False

    def __init__(
        self,
        house: Instance,
        definition: FlowDefinition,
        run: FlowRun,
        *,
        remarks: Iterable[str] = (),
        keep_printed: Callable[[], object] = lambda: None,
        say_over: Callable[[], object] = lambda: None,
    ) -> None:
        self._claimed = run
        self._remarks = list(remarks)
        self._keep_printed = keep_printed
        self._say_over = say_over
        super().__init__(house, definition, (), run.parameters)

    def on_loop(self, loop: Any) -> Life:
        """The life of a run whose flow is async, on the loop that runs."""
        self._user_loop = loop
        return self.life()

    def keep_lines(self) -> None:
        """Keeps what was said after the end."""
        if self._live is not None:
            self._live.journal.try_flush()
            self._put_away(self._live)

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        definition = self._definition
        where = f"flow {definition.name!r}"
        try:
            parameters = definition.signature.filled(where, kwargs)
            return definition.signature.validated(where, parameters) if definition.validate_parameters else parameters
        except HeadraceError as error:
            self._problem = error
            return {}

    def _new_run(self, parent_task_run_id: str | None) -> FlowRun:
        return self._claimed

    def _made(self) -> Steps[FlowRun]:
        name = self._own_name()
        if name is None:
            return self._claimed
        return (yield from self._patience.asked(lambda: self._house.client.name_flow_run(self._claimed.id, self._claimed.epoch, name)))

    def _own_name(self) -> str | None:
        """What the flow calls its run, unless somebody has chosen a name; None if that is nothing new."""
        if self._claimed.is_named or self._problem is not None:
            return None
        try:
            name = titled(self._definition, self._parameters, self._claimed.name)
        except HeadraceError as error:
            self._problem = error
            return None
        return None if name == self._claimed.name else name

    def _started(self, live: LiveRun) -> Steps[None]:
        while self._remarks:
            self._logger.warning("%s", self._remarks.pop(0))
        if self.run.epoch > 1 and not live.earlier:
            live.earlier = yield from self._patience.asked(self._finished_before)
        yield from super()._started(live)

    def _finished_before(self) -> dict[tuple[str, int], TaskRun]:
        """What an earlier owner of the run has finished; it is not computed again."""
        wanted = TaskRunFilter(flow_run_ids=(self.run.id,), state_types=(StateType.COMPLETED,))
        found: dict[tuple[str, int], TaskRun] = {}
        after: str | None = None
        while page := self._house.client.read_task_runs(wanted, Page(after=after, newest_first=False)):
            found |= {(run.task_key, run.call): run for run in page}
            after = page[-1].id
        return found

    def _ended(self, proposed: State) -> Life:
        """What was not stopped by the end of its time may go on for long, and is not waited for."""
        state = yield from super()._ended(proposed)
        if state.name == "TimedOut":
            yield Ask(self._say_over)
        return state

    def _said_of(self, error: Exception) -> str:
        """Where memory is limited, that too."""
        said = super()._said_of(error)
        if not isinstance(error, MemoryError):
            return said
        from headrace.engine.resource_limits import in_megabytes, memory_limit  # what few need

        most = memory_limit()
        return said if most is None else f"{said.rstrip(': ')}: each of its processes may have {in_megabytes(most)} of memory (memory)"

    # Cancelled: it is so when its process is gone, which its supervisor sees and says. Until then code may go on, in threads and programs

    def _crashed(self, error: BaseException) -> Steps[None]:
        state = (yield Ask(self._being_cancelled)) if is_interruption(error) else None
        if state is None:
            yield from super()._crashed(error)
        else:
            yield from self._left(state)

    def _stopped(self, stop: RunStopped) -> Steps[None]:
        state = yield Ask(self._being_cancelled)
        if state is None:
            yield from super()._stopped(stop)
        else:
            yield from self._left(state)

    def _being_cancelled(self) -> State | None:
        return being_cancelled(self._house, self._claimed.id)

    def _left(self, state: State) -> Steps[None]:
        """What is to be told and called is, as if it was cancelled already."""
        self._patience.lose()
        assert self._live is not None, "a run that is cancelled here was live"
        self._live.journal.obey(LeaseOrder(stop=True, reason=state.message or "the run was cancelled"))
        self._live.performers.interrupt()
        if self.run.state.is_terminal():
            return
        self.run = self.run.entering(attrs.evolve(state, timestamp=self._house.clock.now()))
        try:
            yield from self._ended(state)
        except Exception as trouble:
            self._logger.error("The cancellation could not be told: %s", trouble)

    # What is printed stands before the end in the log, and is there when the end is seen

    def _tried(self, live: LiveRun) -> Steps[State]:
        try:
            return (yield from super()._tried(live))
        finally:
            yield Ask(self._keep_printed)

    def _told(self, state: State) -> Steps[None]:
        yield from super()._told(state)
        yield Ask(self._keep_printed)
