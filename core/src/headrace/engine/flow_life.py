"""The life of a flow run: parameters, start, tries, end. Every move of a flow run is asked."""

import inspect
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from headrace.engine import outcome
from headrace.engine.inputs import begun, gathered
from headrace.engine.interruption import crashed, ended_by, is_interruption, overdue
from headrace.engine.journal import Journal
from headrace.engine.live_run import LiveRun, check_task_runner
from headrace.engine.loop_thread import LoopThread
from headrace.engine.patience import Patience
from headrace.engine.pausing import FlowPaused
from headrace.engine.perform import raised_by_user
from headrace.engine.performers import Performers
from headrace.engine.pulse import Pulse
from headrace.engine.run_context import AMBIENT_TAGS, FlowRunContext
from headrace.engine.run_logs import FLOW_RUNS, RunLogger, install
from headrace.engine.run_titles import titled
from headrace.engine.slots import Slots
from headrace.engine.steps import Ask, Invoke, Life, Settle, Sleep, Steps
from headrace.engine.terminated import Terminated
from headrace.errors import HeadraceError, MayPass, RunStopped, TimedOut
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.definitions import FlowDefinition
from headrace.model.moves import Move
from headrace.model.orders import OrderedRun
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.model.tags import as_tags
from headrace.model.texts import said_by
from headrace.orchestration.undelivered import Undelivered, put_away
from headrace.places import chosen_storage, client_choice
from headrace.results import NOT_KEPT
from headrace.rules.verdicts import Answer, Verdict
from headrace.wire.parameters import plain_parameters


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
        self._lacks = "received invalid parameters"
        self._parameters = self._bound(args, kwargs)
        self._result_storage: Choice | None = None
        self._check_choices()
        if definition.retries:  # generators among them are to last for every try
            self._parameters = dict(gathered(self._parameters, again=True).arguments)
        self.run = self._new_run(parent_task_run_id)
        self._live: LiveRun | None = None
        self._patience = parent.patience if parent is not None else self._new_patience()
        self._undelivered: Move | None = None
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

    def _check_choices(self) -> None:
        """What the flow chooses must be there before it begins."""
        house, definition, parent = self._house, self._definition, self._parent
        self._result_storage = parent.result_storage if parent is not None else None
        lacks = "has no task runner"
        try:
            check_task_runner(house, definition.task_runner)
            lacks = "has no storage for its results"
            if definition.result_storage is not None:
                self._result_storage = chosen_storage(house.registry, definition.result_storage, where=f"flow {definition.name!r}")
        except HeadraceError as error:
            self._problem = self._problem or error
            self._lacks = lacks if self._problem is error else self._lacks

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

    def _new_patience(self) -> Patience:
        house = self._house
        return Patience(
            seconds=house.settings.outage_seconds,
            clock=house.clock,
            share=lambda: house.ids.random.random(),
            tell_trouble=self._tell_trouble,
            tell_end=self._tell_end_of_trouble,
            check=self._check,
        )

    def _tell_trouble(self, error: MayPass, seconds: float) -> None:
        way_out = " (Ctrl+C ends the waiting)" if self.speaks_on_console else ""
        if self._live is not None:
            self._logger.warning("The run waits, for %g seconds at most%s: %s", round(seconds), way_out, error)
        elif self.speaks_on_console:
            what = f"Flow run {self.run.name!r} for flow {self._definition.name!r}"
            logging.getLogger(FLOW_RUNS).warning("%s waits to begin, for %g seconds at most%s: %s", what, round(seconds), way_out, error)

    def _tell_end_of_trouble(self, seconds: float) -> None:
        if self._live is not None:
            self._logger.info("What the run waited for is there again, after %.1f seconds", seconds)

    def _check(self) -> None:
        if self._live is not None:
            self._live.journal.check(self._live.title)

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
        pulse = self._pulse(live.journal) if self._parent is None else None
        if pulse is not None:
            pulse.start()
        try:
            self._logger.info(
                self.first_words, self.run.name, self._definition.name
            )  # where nobody reads what is said, this may take for ever
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
                yield from self._last_words(live)
                yield Ask(self.loop.close)

    def _made(self) -> Steps[FlowRun]:
        """The run, known to the orchestration and owned by this process."""
        if self._parent is not None:
            return (yield from self._patience.asked(lambda: self._house.client.create_flow_run(self.run)))
        holder = self._house.ids.new()

        def made() -> FlowRun:
            return self._house.client.create_flow_run(self.run, holder)

        if client_choice(self._house.settings) is not None:  # a server that is away comes back, as in the middle of the run
            return (yield from self._patience.asked(made))
        run: FlowRun = yield Ask(made)  # once: nothing is lost by a run that was not made, and a store has waited by itself
        return run

    def _made_live(self) -> LiveRun:
        parent = self._parent
        journal = parent.journal if parent else Journal(self._house.client.write_journal, flow_run_id=self.run.id, epoch=self.run.epoch)
        may_retry = self._definition.retries > 0 or bool(self.run.max_restarts) or (parent is not None and parent.may_retry)
        live = LiveRun(
            self._house,
            self._definition,
            self.run,
            journal=journal,
            patience=self._patience,
            loop=self.loop,
            slots=parent.slots if parent else Slots(self.loop),
            performers=parent.performers if parent else Performers(),
            may_retry=may_retry,
            result_storage=self._result_storage,
        )
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
            message = f"Flow run {self._lacks}. {self._problem}"
            return (yield from self._finished(State.failed(self._problem, message=message)))
        while True:
            yield from self._started(live)
            state = yield from self._tried(live)
            state = yield from self._kept(live, state)
            verdict = yield from self._concluded(live, state)
            if verdict is None or verdict.answer is not Answer.REPLACED or verdict.state is None or verdict.state.scheduled_time is None:
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
        parameters = begun(self._parameters) if definition.retries else self._parameters
        args, kwargs = definition.signature.call_arguments(parameters)
        until = None if definition.timeout_seconds is None else self._house.clock.monotonic() + definition.timeout_seconds
        live.deadline = self._deadline(until)
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
        except FlowPaused as pause:
            yield from self._settled(live)
            return State.awaiting_resume(pause.message or None)
        except TimedOut as error:
            yield from self._settled(live, until)
            live.end_overdue(self._overdue())
            return State.failed(error, name="TimedOut", message=str(error))
        except Exception as error:
            self._logger.error("Encountered an exception", exc_info=raised_by_user(error))
            yield from self._settled(live, until)
            return State.failed(error, message=f"Flow run encountered an exception. {self._said_of(error)}")
        if definition.timeout_seconds is not None and not (yield from self._settled(live, until)):
            live.end_overdue(self._overdue())
            late = TimedOut(what=call.what, seconds=definition.timeout_seconds)
            return State.failed(late, name="TimedOut", message=str(late))
        yield from self._settled(live)
        live.journal.check(live.title)
        return outcome.of_flow(value, live.futures, tasks_completed=live.completed_tasks)

    def _said_of(self, error: Exception) -> str:
        return said_by(error)

    def _deadline(self, until: float | None) -> float | None:
        """When all that was submitted is to have ended: with the flow run, or with one around it."""
        around = None if self._parent is None else self._parent.deadline
        return min((moment for moment in (until, around) if moment is not None), default=None)

    def _settled(self, live: LiveRun, until: float | None = None) -> Steps[bool]:
        """Waits for all that was submitted; whether it has ended by then. What has not is being ended, and that is waited for, too."""
        futures = tuple(future.ended for future in live.futures)
        yield Settle(futures, None if until is None else max(0.0, until - self._house.clock.monotonic()))
        in_time = all(future.done() for future in futures) and (until is None or self._house.clock.monotonic() < until)
        if not in_time:
            yield Settle(futures, self._house.settings.grace_seconds)
        return in_time

    def _overdue(self) -> State:
        """What all ends in that is under way when the time is over."""
        return attrs.evolve(crashed(overdue()), timestamp=self._house.clock.now())

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
            what = f"flow run {self.run.name!r}"
            reference = yield from self._patience.asked(
                lambda: self._house.results.keep(
                    state.data, root_id=self.run.root_id, run_id=self.run.id, what=what, storage=self._result_storage
                )
            )
        except NOT_KEPT as error:
            if wanted:
                return State.failed(error, message=str(error))
            self._logger.warning("The result is not kept: %s", error)
            return state
        return attrs.evolve(state, reference=reference)

    # Moves

    def _moved(self, state: State) -> Steps[Verdict]:
        """What came of proposing a state; the run is in it if it was written."""
        run, move = self.run, self._move(state)
        verdict = yield from self._patience.asked(lambda: self._house.client.move_flow_run(move))
        if verdict.stop:
            raise RunStopped(run=f"flow run {run.name!r}", reason=verdict.reason)
        if verdict.state is not None:
            self.run = run.entering(verdict.state)
            if self._live is not None:
                self._live.run = self.run
        return verdict

    def _move(self, state: State) -> Move:
        run = self.run
        return Move(id=f"{run.id}:{run.epoch}:{run.revision}", run_id=run.id, state=state, epoch=run.epoch)

    # Ends

    def _concluded(self, live: LiveRun, state: State) -> Steps[Verdict | None]:
        """What came of the end of a try, when all that led there is written. None if that could not be told; then it is put away."""
        try:
            yield from self._patience.asked(live.journal.flush)
            return (yield from self._moved(state))
        except MayPass as error:
            if not self._puts_by(state):
                raise
            self._logger.error("The end of the run could not be told: %s", error)
            return None
        except BaseException as error:
            if is_interruption(error):
                self._puts_by(state)
            raise

    def _puts_by(self, state: State) -> bool:
        """Keeps for the end what the run ended in, unless it is for the orchestration to say what comes then, or for the run around this one."""
        if self._parent is not None or (state.is_failed() and self.run.retries > 0):
            return False
        state = attrs.evolve(state, timestamp=self._house.clock.now())
        self._undelivered = self._move(state)
        self.run = self.run.entering(state)
        return True

    def _last_words(self, live: LiveRun) -> Steps[None]:
        """Tells what is left to be told; what cannot be told by now is put away."""
        try:
            if not self._patience.is_over:
                yield from self._patience.asked(live.journal.flush)
            if self._undelivered is not None and not self._patience.is_over:
                yield from self._patience.asked(partial(self._house.client.move_flow_run, self._undelivered))
                self._undelivered = None
            if not live.journal.is_empty and not self._patience.is_over:  # what was said while that was waited for
                yield Ask(live.journal.try_flush)
        except HeadraceError as error:
            self._logger.error("The last of the run could not be told: %s", error)
        finally:
            self._put_away(live)

    def _put_away(self, live: LiveRun) -> None:
        """Keeps what could not be told for the next process of this machine that can."""
        house, run, journal = self._house, self.run, live.journal
        if self._undelivered is None and journal.is_empty:
            return
        self._logger.error("What could not be told of this run is kept in the home; the next headrace command on this machine tells it.")
        undelivered = Undelivered(run_id=run.id, put_away=house.clock.now(), journal=journal.rest(), move=self._undelivered)
        self._undelivered = None
        try:
            put_away(house.settings.home, f"{OrderedRun(run_id=run.id, epoch=run.epoch).identity}.{house.ids.new()}", undelivered)
        except OSError as error:
            self._logger.error("It is lost, as it cannot be kept there either: %s", error)

    def _finished(self, state: State) -> Life:
        """Ends a run that did not run."""
        yield from self._moved(state)
        return (yield from self._ended(state))

    def _ended(self, proposed: State) -> Life:
        """The final state, with live data; hooks have heard of it."""
        state = attrs.evolve(self.run.state, data=proposed.data)
        if state.is_paused():
            said = f", {state.message}" if state.message else ""
            self._logger.info("Paused%s; it goes on with: headrace flow-run resume %s", said, self.run.id)
            return state
        yield from self._told(state)
        self._logger.log(logging.INFO if state.is_completed() else logging.ERROR, "Finished in state %s", state)
        return state

    def _crashed(self, error: BaseException) -> Steps[None]:
        """Says so, if that can still be done; the error itself goes on to the caller."""
        if is_interruption(error) and (self._parent is None or isinstance(error, (Terminated, KeyboardInterrupt))):
            self._patience.lose()
        if self.run.state.is_terminal():
            return
        try:
            state = crashed(error) if self._parent is None else (yield Ask(lambda: self._cut_short(error)))
            assert self._live is not None, "a run that crashed was live"
            yield from self._concluded(self._live, state)
            if self.run.state.is_terminal():  # else it has been ended by somebody else, who says so
                yield from self._ended(state)
        except Exception as trouble:
            self._logger.error("The crash could not be reported: %s", trouble)

    def _cut_short(self, error: BaseException) -> State:
        """The end of a subflow that an exception went through: its root knows whether it is being cancelled."""
        return ended_by(error, self._house, self.run.root_id) or crashed(error)

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
        assert self._live is not None, "hooks hear of live runs"
        for hook in definition.hooks(state):
            is_async = inspect.iscoroutinefunction(hook)
            try:
                yield Invoke(function=hook, args=(definition, self.run, state), context=self._context(self._live), is_async=is_async)
            except Exception as error:
                self._logger.error("The hook %r failed", getattr(hook, "__name__", hook), exc_info=raised_by_user(error))
