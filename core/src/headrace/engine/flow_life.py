"""The life of a flow run: parameters, start, tries, end. Every move of a flow run is asked."""

import inspect
import logging
from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import attrs

from headrace.engine import outcome
from headrace.engine.journal import Journal
from headrace.engine.live_run import LiveRun
from headrace.engine.loop_thread import LoopThread
from headrace.engine.perform import raised_by_user
from headrace.engine.pulse import Pulse
from headrace.engine.run_context import AMBIENT_TAGS, FlowRunContext
from headrace.engine.run_logs import FLOW_RUNS, RunLogger, install
from headrace.engine.run_titles import titled
from headrace.engine.steps import Ask, Invoke, Life, Settle, Sleep, Step
from headrace.engine.terminated import Terminated
from headrace.errors import HeadraceError, NotSerializable, RunStopped, TimedOut
from headrace.instance import Instance
from headrace.model.definitions import FlowDefinition
from headrace.model.moves import Move
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.model.tags import as_tags
from headrace.rules.verdicts import Answer, Verdict
from headrace.wire.parameters import plain_parameters

T = TypeVar("T")
Steps = Generator[Step, Any, T]


class FlowLife:
    """One run of a flow, from its call. `parent` is the flow run that called it as a subflow, `parent_task_run_id` its place there."""

    speaks_on_console = True
    first_words = "Created flow run %r for flow %r"
    renews_lease = True

    def __init__(
        self,
        house: Instance,
        definition: FlowDefinition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        parent: LiveRun | None = None,
        parent_task_run_id: str | None = None,
        user_loop: Any = None,
    ) -> None:
        self._house = house
        self._definition = definition
        self._parent = parent
        self._user_loop = user_loop
        self._problem: HeadraceError | None = None
        self._parameters = self._bound(args, kwargs)
        self.run = self._new_run(parent_task_run_id)
        self._live: LiveRun | None = None
        self.loop = parent.loop if parent is not None else LoopThread()

    # Beginnings

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        definition = self._definition
        where = f"flow {definition.name!r}"
        try:
            parameters = definition.signature.bind(where, args, kwargs)
            return definition.signature.validated(where, parameters) if definition.validate_parameters else parameters
        except HeadraceError as error:
            self._problem = error
            return {}

    def _new_run(self, parent_task_run_id: str | None) -> FlowRun:
        house, definition, parent = self._house, self._definition, self._parent
        now, run_id = house.clock.now(), house.ids.new()
        name = run_name(house.ids.random)
        try:
            name = titled(definition, self._parameters, name) if self._problem is None else name
        except HeadraceError as error:
            self._problem = error
        return FlowRun(
            id=run_id,
            name=name,
            state=attrs.evolve(State.pending(), timestamp=now),
            created=now,
            expected_start_time=now,
            tags=as_tags(AMBIENT_TAGS.get()),
            flow_name=definition.name,
            flow_version=definition.version,
            parameters=plain_parameters(self._parameters),
            parent_task_run_id=parent_task_run_id,
            root_id=parent.run.root_id if parent else run_id,
            epoch=parent.epoch if parent else 0,
            retries=definition.retries,
            retry_delay=definition.retry_delay_seconds,
        )

    @property
    def _logger(self) -> RunLogger:
        assert self._live is not None, "a run speaks once it is live"
        return RunLogger(logging.getLogger(FLOW_RUNS), self._live.voice)

    # The life

    def life(self) -> Life:
        """From its creation to its final state."""
        settings = self._house.settings
        if self._parent is None:  # a subflow is heard where its root run is
            install(settings.log_level, settings.extra_loggers, console=self.speaks_on_console)
        self.run = yield from self._made()
        live = self._live = self._made_live()
        self._logger.info(self.first_words, self.run.name, self._definition.name)
        pulse = self._pulse(live.journal) if self._parent is None else None
        if pulse is not None:
            pulse.start()
        try:
            return (yield from self._lived(live))
        except RunStopped as stop:
            self._logger.error("%s", stop)
            yield from self._stopped(stop)
            raise
        except BaseException as error:
            yield from self._crashed(error)
            raise
        finally:
            yield Ask(live.close)
            if pulse is not None:
                yield Ask(pulse.stop)
                yield Ask(live.journal.try_flush)
                yield Ask(self.loop.close)

    def _made(self) -> Steps[FlowRun]:
        """The run, known to the orchestration and owned by this process."""
        holder = self._house.ids.new() if self._parent is None else None
        run: FlowRun = yield Ask(lambda: self._house.client.create_flow_run(self.run, holder))
        return run

    def _made_live(self) -> LiveRun:
        parent = self._parent
        journal = parent.journal if parent else Journal(self._house.client.write_journal, flow_run_id=self.run.id, epoch=self.run.epoch)
        may_retry = self._definition.retries > 0 or (parent is not None and parent.may_retry)
        live = LiveRun(self._house, self._definition, self.run, journal=journal, loop=self.loop, may_retry=may_retry)
        live.user_loop = self._user_loop
        return live

    def _pulse(self, journal: Journal) -> Pulse:
        settings, run = self._house.settings, self.run
        return Pulse(
            journal,
            self._house.client,
            self._house.clock,
            run_id=run.id,
            epoch=run.epoch,
            interval=settings.journal_interval,
            renew=settings.renew_seconds if self.renews_lease else None,
        )

    def _lived(self, live: LiveRun) -> Life:
        if self._problem is not None:
            message = f"Flow run received invalid parameters. {self._problem}"
            return (yield from self._finished(State.failed(self._problem, message=message)))
        while True:
            yield from self._started(live)
            state = yield from self._tried(live)
            state = yield from self._kept(live, state)
            yield Ask(live.journal.flush)
            verdict = yield from self._moved(state)
            if verdict.answer is not Answer.REPLACED or verdict.state is None or verdict.state.scheduled_time is None:
                return (yield from self._ended(state))
            delay = max(0.0, (verdict.state.scheduled_time - self._house.clock.now()).total_seconds())
            self._logger.warning("Failed, %s, in %g seconds: %s", verdict.reason, round(delay, 3), state.message)
            yield Sleep(delay)
            live.begin_again()

    def _started(self, live: LiveRun) -> Steps[None]:
        while True:
            verdict = yield from self._moved(State.running())
            if verdict.answer is Answer.REFUSED:
                raise RunStopped(run=live.title, reason=verdict.reason)
            if verdict.until is None:
                return
            yield Sleep(max(0.0, (verdict.until - self._house.clock.now()).total_seconds()))

    # Tries

    def _tried(self, live: LiveRun) -> Steps[State]:
        definition = self._definition
        args, kwargs = definition.signature.call_arguments(self._parameters)
        call = Invoke(
            function=definition.function,
            args=args,
            kwargs=kwargs,
            context=self._context(live),
            is_async=definition.is_async,
            timeout=definition.timeout_seconds,
            what=f"flow run {self.run.name!r}",
            log_prints=definition.log_prints,
        )
        try:
            value = yield call
        except RunStopped:
            raise
        except TimedOut as error:
            return State.failed(error, name="TimedOut", message=str(error))
        except Exception as error:
            self._logger.error("Encountered an exception", exc_info=raised_by_user(error))
            yield from self._settled(live)
            return State.failed(error, message=f"Flow run encountered an exception. {type(error).__name__}: {error}")
        yield from self._settled(live)
        live.journal.check(live.title)
        return outcome.of_flow(value, live.futures, tasks_completed=live.completed_tasks)

    def _settled(self, live: LiveRun) -> Steps[None]:
        yield Settle(tuple(future.ended for future in live.futures))

    def _context(self, live: LiveRun) -> FlowRunContext:
        return FlowRunContext(
            flow=self._definition,
            flow_run=self.run,
            parameters=self._parameters,
            start_time=self.run.start_time or self.run.created,
            epoch=self.run.epoch,
            voice=live.voice,
            live=live,
        )

    def _kept(self, live: LiveRun, state: State) -> Steps[State]:
        wanted = self._definition.persist_result
        if not state.is_completed() or not (self.run.keeps_result or (live.may_retry if wanted is None else wanted)):
            return state
        try:
            key = f"results/{self.run.root_id}/{self.run.id}"
            reference = yield Ask(lambda: self._house.results.keep(state.data, key=key, what=f"flow run {self.run.name!r}"))
        except NotSerializable as error:
            if wanted:
                return State.failed(error, message=str(error))
            self._logger.warning("The result is not kept: %s", error)
            return state
        return attrs.evolve(state, reference=reference)

    # Moves

    def _moved(self, state: State) -> Steps[Verdict]:
        """What came of proposing a state; the run is in it if it was written."""
        run = self.run
        move = Move(id=f"{run.id}:{run.epoch}:{run.revision}", run_id=run.id, state=state, epoch=run.epoch)
        verdict: Verdict = yield Ask(lambda: self._house.client.move_flow_run(move))
        if verdict.stop:
            raise RunStopped(run=f"flow run {run.name!r}", reason=verdict.reason)
        if verdict.state is not None:
            self.run = run.entering(verdict.state)
            if self._live is not None:
                self._live.run = self.run
        return verdict

    # Ends

    def _finished(self, state: State) -> Life:
        """Ends a run that did not run."""
        yield from self._moved(state)
        return (yield from self._ended(state))

    def _ended(self, proposed: State) -> Life:
        """The final state, with live data; hooks have heard of it."""
        state = attrs.evolve(self.run.state, data=proposed.data)
        yield from self._told(state)
        self._logger.log(logging.INFO if state.is_completed() else logging.ERROR, "Finished in state %s", state)
        return state

    def _crashed(self, error: BaseException) -> Steps[None]:
        """Says so, if that can still be done; the error itself goes on to the caller."""
        if self.run.state.is_terminal():
            return
        state = State.crashed(_what_interrupted(error), error)
        try:
            assert self._live is not None, "a run that crashed was live"
            yield Ask(self._live.journal.try_flush)
            yield from self._moved(state)
            yield from self._ended(state)
        except Exception as trouble:
            self._logger.error("The crash could not be reported: %s", trouble)

    def _stopped(self, stop: RunStopped) -> Steps[None]:
        """Says that it is cancelled, if that is why it stops; where somebody else owns the run now, this is refused."""
        try:
            state = State.cancelled(stop.reason)
            verdict = yield from self._moved(state)
            if verdict.is_written:
                yield from self._ended(state)
        except HeadraceError:
            return

    def _told(self, state: State) -> Steps[None]:
        definition = self._definition
        if state.is_completed():
            hooks = definition.on_completion
        elif state.is_crashed():
            hooks = definition.on_crash
        elif state.is_cancelled():
            hooks = definition.on_cancellation
        else:
            hooks = definition.on_failure
        assert self._live is not None, "hooks hear of live runs"
        for hook in hooks:
            is_async = inspect.iscoroutinefunction(hook)
            try:
                yield Invoke(function=hook, args=(definition, self.run, state), context=self._context(self._live), is_async=is_async)
            except Exception:
                self._logger.exception("The hook %r failed", getattr(hook, "__name__", hook))


def _what_interrupted(error: BaseException) -> str:
    if isinstance(error, Terminated):
        return "Execution was stopped by a signal to end."
    if isinstance(error, KeyboardInterrupt):
        return "Execution was aborted by an interrupt signal."
    if isinstance(error, SystemExit):
        return "Execution was aborted by Python system exit call."
    if type(error).__name__ == "CancelledError":
        return "Execution was cancelled by the runtime environment."
    return f"Execution was interrupted by an unexpected exception. {type(error).__name__}: {error}"
