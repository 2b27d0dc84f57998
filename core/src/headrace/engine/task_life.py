"""The life of a task run: inputs, start, tries, end.

The engine decides a task run's moves itself, by the same rules as the orchestration, and notes them in the journal. Only what needs facts that other
runs have a part in (a cached result, a tag's limit, a plugin's rule) is asked.
"""

import inspect
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from headrace.engine import outcome
from headrace.engine.futures import TaskFuture
from headrace.engine.inputs import begun, filled, gathered
from headrace.engine.interruption import crashed, ended_by, is_interruption, overdue
from headrace.engine.live_run import LiveRun
from headrace.engine.perform import raised_by_user
from headrace.engine.run_context import AMBIENT_TAGS, TaskRunContext
from headrace.engine.run_logs import FLOW_RUNS, TASK_RUNS, RunLogger
from headrace.engine.run_titles import titled
from headrace.engine.steps import Ask, Invoke, Life, Settle, Sleep, Steps
from headrace.engine.voice import Voice
from headrace.errors import HeadraceError, RunFailed, RunStopped, TimedOut, UpstreamFailed
from headrace.model.definitions import TaskDefinition
from headrace.model.moves import Move
from headrace.model.runs import TaskRun
from headrace.model.states import MISSING, State, StateType
from headrace.model.tags import as_tags
from headrace.model.texts import said_by
from headrace.results import NOT_KEPT
from headrace.rules.facts import Facts, Retry
from headrace.rules.verdicts import Answer, Verdict

if TYPE_CHECKING:
    from concurrent.futures import Future

flow_logger, task_logger = logging.getLogger(FLOW_RUNS), logging.getLogger(TASK_RUNS)


class TaskLife:
    """One call of a task in a flow run."""

    announces = True

    def __init__(
        self,
        live: LiveRun,
        definition: TaskDefinition,
        arguments: Mapping[str, Any],
        wait_for: Iterable[Any] = (),
        *,
        hand_over: bool = False,
        after: "Future[Any] | None" = None,
    ) -> None:
        live.journal.check(live.title)
        self._live = live
        self._house = live.house
        self._definition = definition
        self._inputs = gathered(arguments, wait_for, again=definition.retries > 0)
        self._arguments = self._inputs.arguments
        self._hand_over = hand_over
        self._after = after
        self._call_of = live.next_call(definition.key)
        self._parameters = self._arguments
        self._cache_key: str | None = None
        self._reads_cache = True
        self.future: TaskFuture[Any] | None = None
        earlier = live.earlier.get(self._call_of)
        self.earlier = earlier if earlier is not None and earlier.state.is_completed() else None
        self.run = self.earlier or self._new_run()
        self.loop = live.loop

    # Beginnings

    def _new_run(self) -> TaskRun:
        definition, (key, call), now = self._definition, self._call_of, self._house.clock.now()
        name = titled(definition, self._arguments, f"{definition.name}-{key}-{call}")
        self.run = TaskRun(
            id=self._house.ids.new(),
            name=name,
            state=State(type=StateType.PENDING, timestamp=now),
            created=now,
            expected_start_time=now,
            tags=as_tags((*definition.tags, *AMBIENT_TAGS.get())) if definition.tags or AMBIENT_TAGS.get() else (),
            flow_run_id=self._live.run.id,
            task_name=definition.name,
            task_key=key,
            call=call,
            task_version=definition.version,
            inputs=self._inputs.upstream,
        )
        self._live.note(self.run)
        if self.announces:
            flow_logger.info("Created task run %r for task %r", name, definition.name, extra={"voice": self._live.voice})
        return self.run

    @property
    def _voice(self) -> Voice:
        title = f"Task run {self.run.name!r}"
        live = self._live
        return Voice(title=title, flow_run_id=live.run.id, task_run_id=self.run.id, new_id=self._house.ids.new, say=live.journal.say)

    @property
    def _logger(self) -> RunLogger:
        return RunLogger(task_logger, self._voice)

    @property
    def loop_waited_for(self) -> Any:
        """The event loop that something upstream needs, or None."""
        return next((future.ended.loop for future in self._inputs.waits_for if future.ended.loop is not None), None)

    # The life

    def life(self) -> Life:
        """From its inputs to its final state."""
        try:
            return (yield from self._lived())
        except BaseException as error:
            yield from self._cut_short(error)
            raise

    def _lived(self) -> Life:
        failed = yield from self._settled()
        if failed is not None:
            return (yield from self._ended(failed))
        known = yield from self._known()
        if known is not None:
            return known
        while True:
            started = yield from self._started()
            if started.is_terminal():
                return started
            state = yield from self._tried()
            verdict = yield from self._moved(state, retry=self._retry(state))
            if verdict.answer is not Answer.REPLACED or verdict.state is None or verdict.state.scheduled_time is None:
                return (yield from self._finished(state))
            delay = max(0.0, (verdict.state.scheduled_time - self._house.clock.now()).total_seconds())
            self._logger.warning("Failed, %s, in %g seconds: %s", verdict.reason, round(delay, 3), state.message)
            yield from self._slept(delay)

    # Inputs

    def _settled(self) -> Steps[State | None]:
        """Waits for everything upstream, and puts the values in their places; the state that the run ends in if that cannot be done."""
        if self._after is not None:
            yield Settle((self._after,))
        if not self._inputs.futures:
            return None
        futures = self._inputs.waits_for
        yield Settle(tuple(future.ended for future in futures))
        for future in futures:
            future.asked = True
        for future in futures:
            if not future.ended.result().is_completed():
                return self._not_run(future)
        try:
            self._parameters = {name: filled(value) for name, value in self._arguments.items()}
        except Exception as error:  # a container may refuse what it is to hold, as a set does a list
            return State.failed(error, message=f"The arguments cannot hold what the futures in them gave. {said_by(error)}")
        return None

    def _not_run(self, failed: TaskFuture[Any]) -> State:
        end = failed.ended.result()
        error = UpstreamFailed(task_run=self.run.name, upstream=failed.name, state=end.name)
        error.__cause__ = end.result(raise_on_failure=False)
        return State.failed(error, name="UpstreamFailed", message=str(error))

    def _known(self) -> Steps[State | None]:
        """The state of an earlier try of the flow run, if this very call finished then, with the same inputs."""
        if not self._keeps_result and self.earlier is None:
            return None
        inputs_hash = yield Ask(lambda: self._house.results.fingerprint(dict(self._parameters)))
        if self.earlier is not None:
            state = self.earlier.state
            if inputs_hash is not None and inputs_hash == self.earlier.inputs_hash and self._can_be_read(state):
                data = yield from self._live.patience.asked(lambda: self._house.results.of(state, what=f"task run {self.run.name!r}"))
                self._live.note(self.earlier)
                self._logger.info("Finished in an earlier try; its result is used")
                return attrs.evolve(state, data=data)
            self._new_run()
            if self.future is not None:
                self.future.task_run_id = self.run.id
        if inputs_hash is None and self._keeps_result:
            self._logger.debug("The inputs cannot be compared, so a retry of the flow run computes this again")
        self.run = attrs.evolve(self.run, inputs_hash=inputs_hash)
        return None

    def _can_be_read(self, state: State) -> bool:
        return state.data is not MISSING or state.reference is not None

    @property
    def _keeps_result(self) -> bool:
        wanted = self._definition.persist_result
        if wanted is not None:
            return wanted
        return self._live.may_retry or self._definition.retries > 0 or self._definition.cache_key_fn is not None

    # Start

    def _started(self) -> Steps[State]:
        """RUNNING, or the state the run ended in instead: taken from the cache, refused, or failed before it began."""
        try:
            self._cache_key = self._key_of_cache()
        except Exception as error:
            return (yield from self._ended(State.failed(error, message=f"cache_key_fn failed: {said_by(error)}")))
        while True:
            verdict = yield from self._begun()
            if verdict is None:
                continue
            if verdict.answer is Answer.REFUSED:
                refusal = RunFailed(state="refused", message=verdict.reason)
                return (yield from self._ended(State.failed(refusal, message=verdict.reason)))
            if self.run.state.is_completed():
                cached = yield from self._from_cache(self.run.state)
                if cached is None:
                    continue
                return cached
            return self.run.state

    def _begun(self) -> Steps[Verdict | None]:
        """What came of proposing that it runs; None if it was to wait for that, and has waited."""
        slots, tags = self._live.slots, self.run.tags
        turn = slots.turn(tags) if tags else None  # before it asks, so that nothing is missed that is freed meanwhile
        running = State(type=StateType.RUNNING, cache_key=self._cache_key if self._reads_cache else None)
        has_waited = False
        try:
            verdict = yield from self._moved(running)
            if verdict.answer is not Answer.WAIT or verdict.until is None:
                return verdict
            self._logger.info("Waiting: %s", verdict.reason)
            yield from self._slept(max(0.0, (verdict.until - self._house.clock.now()).total_seconds()), or_until=turn)
            has_waited = True
            return None
        finally:
            if turn is not None and not (has_waited and turn.done()):
                slots.leave(turn, tags)

    def _key_of_cache(self) -> str | None:
        if self._definition.cache_key_fn is None:
            return None
        key = self._definition.cache_key_fn(self._context(), dict(self._parameters))
        return None if key is None else f"{self._definition.cache_namespace or self._definition.key}:{key}"

    def _from_cache(self, state: State) -> Steps[State | None]:
        try:
            data = yield from self._live.patience.asked(lambda: self._house.results.of(state, what="the cached run"))
        except HeadraceError as error:
            self._logger.warning("A cached result cannot be used, so it is computed again: %s", error)
            self._reads_cache = False
            self._new_run()
            return None
        final = attrs.evolve(state, data=data)
        self._log_end(final)
        return final

    # Tries

    def _tried(self) -> Steps[State]:
        definition = self._definition
        parameters = begun(self._parameters) if self._inputs.has_generators else self._parameters
        args, kwargs = definition.signature.call_arguments(parameters)
        what = f"task run {self.run.name!r}"
        try:
            value = yield Invoke(
                function=definition.function,
                args=args,
                kwargs=kwargs,
                context=self._context(),
                is_async=definition.is_async,
                timeout=definition.timeout_seconds,
                what=what,
                log_prints=definition.log_prints,
                hand_over=self._hand_over,
            )
            state = outcome.of_task(value)
        except RunStopped:
            raise
        except TimedOut as error:
            if error.what == what and error.seconds != definition.timeout_seconds:
                raise overdue() from error
            return State.failed(error, name="TimedOut", message=str(error))
        except Exception as error:
            if is_interruption(error) and self._live.journal.stopped is not None:  # a future says it of what was cancelled
                return State.cancelled(self._live.journal.stopped)
            self._logger.error("Encountered an exception", exc_info=raised_by_user(error))
            return State.failed(error, message=f"Task run encountered an exception. {said_by(error)}")
        return (yield from self._kept(state))

    def _slept(self, seconds: float, or_until: "Future[None] | None" = None) -> Steps[None]:
        """Waits, but not for longer than the flow run may run."""
        left = self._live.time_left
        yield Sleep(seconds if left is None else min(seconds, max(0.0, left)), or_until)
        if left is not None and left <= seconds and (or_until is None or not or_until.done()):
            raise overdue()

    def _context(self) -> TaskRunContext:
        return TaskRunContext(
            task=self._definition,
            task_run=self.run,
            flow_run=self._live.run,
            parameters=self._parameters,
            start_time=self.run.start_time or self.run.created,
            epoch=self._live.epoch,
            voice=self._voice,
        )

    def _kept(self, state: State) -> Steps[State]:
        """The state with its result kept, where it is to be kept, and its place in the cache."""
        if not state.is_completed() or not self._keeps_result:
            return state
        what = f"task run {self.run.name!r}"
        try:
            reference = yield from self._live.patience.asked(
                lambda: self._house.results.keep(
                    state.data, root_id=self._live.run.root_id, run_id=self.run.id, what=what, storage=self._live.result_storage
                )
            )
        except NOT_KEPT as error:
            if self._definition.persist_result:
                return State.failed(error, message=str(error))
            self._logger.warning("The result is not kept: %s", error)
            return state
        expiration = self._definition.cache_expiration
        expires = self._house.clock.now() + expiration if self._cache_key and expiration is not None else None
        return attrs.evolve(state, reference=reference, cache_key=self._cache_key, cache_expiration=expires)

    def _retry(self, state: State) -> Retry:
        if not state.is_failed() or self._definition.retries == 0:
            return Retry()
        delay = self._definition.retry_delay(self.run.run_count, self._house.ids.random.random())
        return Retry(limit=self._definition.retries, delay=delay, wanted=self._wants_retry(state))

    def _wants_retry(self, state: State) -> bool:
        condition = self._definition.retry_condition
        if condition is None:
            return True
        try:
            return bool(condition(self._definition, self.run, state))
        except Exception as error:
            self._logger.error("retry_condition failed, so there is no retry", exc_info=raised_by_user(error))
            return False

    # Moves

    def _moved(self, state: State, *, retry: Retry | None = None) -> Steps[Verdict]:
        """What came of proposing a state; the run is in it if it was written."""
        run, retry = self.run, retry or Retry()
        move = Move(id=f"{run.id}:{run.revision}", run_id=run.id, state=state, epoch=self._live.epoch)
        if run.tags or self._cache_key or self._house.rules.extra:
            verdict = yield from self._live.patience.asked(lambda: self._house.client.move_task_run(move, run, retry))
        else:
            verdict = self._house.rules.decide(move, Facts(now=self._house.clock.now(), run=run, retry=retry))
        if verdict.stop:
            raise RunStopped(run=f"task run {run.name!r}", reason=verdict.reason)
        if verdict.state is not None:
            self._enter(verdict.state)
        return verdict

    def _enter(self, state: State) -> None:
        if self.run.tags and self.run.state.is_running():
            self._live.slots.free(self.run.tags)
        if state.timestamp is None:
            state = attrs.evolve(state, timestamp=self._house.clock.now())
        self.run = self.run.entering(state)
        self._live.note(self.run)

    # Ends

    def _ended(self, state: State) -> Life:
        """Ends a run that did not run."""
        yield from self._moved(state)
        return (yield from self._finished(state))

    def _finished(self, proposed: State) -> Life:
        """The final state, with live data; hooks have heard of it."""
        state = attrs.evolve(self.run.state, data=proposed.data)
        for hook in self._definition.hooks(state):
            try:
                yield Invoke(function=hook, args=(self._definition, self.run, state), context=self._context(), is_async=_is_async(hook))
            except Exception as error:
                self._logger.error("The hook %r failed", getattr(hook, "__name__", hook), exc_info=raised_by_user(error))
        self._log_end(state)
        return state

    def _cut_short(self, error: BaseException) -> Steps[None]:
        """Ends a run that an exception goes through; hooks hear of it if code can still be run here."""
        if self.run.state.is_terminal():
            return
        if isinstance(error, GeneratorExit):  # nobody drives this life any more
            self._enter(crashed(error))
            return
        state = yield Ask(lambda: ended_by(error, self._house, self._live.run.root_id))
        if state is not None:
            self._enter(state)
            yield from self._finished(state)

    def _log_end(self, state: State) -> None:
        if self.announces:
            self._logger.log(logging.INFO if state.is_completed() else logging.ERROR, "Finished in state %s", state)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function)
