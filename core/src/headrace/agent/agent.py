"""An agent at work, a step at a time: it says that it is there, sees which processes have ended, claims what is due, and starts it."""

import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import attrs

from headrace import __version__
from headrace.agent.ahead import Ahead
from headrace.agent.runners import MOST_OPEN, Runners
from headrace.agent.showing import Showing
from headrace.agent.starting import Beside, Outcome, Starts, in_a_thread, outcome_of
from headrace.agent.strays import Strays
from headrace.engine.working_folders import sweep
from headrace.errors import FlowRunnerFailed, HeadraceError, MayPass, NotFound
from headrace.instance import Instance
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.journals import JournalBatch
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.orders import CREDENTIALS, ExitStatus, Order, OrderedRun
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.orchestration.undelivered import deliver
from headrace.packaging.statements import checked
from headrace.ports.flow_runner import Arrives, OpenFlowRunner, Process
from headrace.settings import variable

MOST_AT_ONCE = 20
"""How many runs are claimed at once: as many as are started well before their leases end; and how many starts of a flow runner are under way at most."""

WAKING = (
    "flow-run.created",
    "work-queue.changed",
    "deployment.changed",
    *(f"flow-run.{kind}" for kind in StateType if kind not in ("PENDING", "RUNNING")),
)
"""The kinds of event that may make a run claimable, or give it room."""

logger = logging.getLogger("headrace.agent")


@attrs.frozen(kw_only=True)
class Underway:
    """A run that this agent has started, or adopted, through a flow runner."""

    run: FlowRun
    process: Process
    choice: Choice

    @property
    def has_begun(self) -> bool:
        """Whether its process is there, which renews the lease from then on."""
        return not isinstance(self.process, Arrives) or self.process.has_begun


class AgentAtWork:
    """Serves some queues. It owns nothing that a run needs, so it may end at any time.

    `limits` are by flow runner. `prefers` names the flow runner of runs that leave it to the agent; the one in the settings if it is None. With
    `looks_ahead` it fetches what the next runs need before they are due. `requires_signature`: it starts nothing but what somebody has signed who is
    trusted here. What lives elsewhere is started by `beside`.
    """

    def __init__(
        self,
        house: Instance,
        queues: Sequence[WorkQueue],
        *,
        limit: int | None = None,
        limits: Mapping[str, int] | None = None,
        prefers: str | None = None,
        looks_ahead: bool = False,
        requires_signature: bool | None = None,
        beside: Beside = in_a_thread,
    ) -> None:
        self._house = house
        self._queues = {queue.id: queue for queue in queues}
        self._requires_signature = house.settings.require_signature if requires_signature is None else requires_signature
        self._runners = Runners(house.registry, prefers or _preferred(house), house.clock)
        self._limits = dict(limits or {})
        self._showing = Showing(house)
        self._strays = Strays(house)
        self._starts = Starts(beside, house.clock)
        self._renewed_at: float | None = None
        self._given_up: set[str] = set()
        self._ahead = Ahead(house, self._runners) if looks_ahead else None
        self._has_looked_back = False
        # a run gets a token of its own, where one is needed
        self._environment = {name: value for name, value in house.settings.as_environment().items() if name not in CREDENTIALS}
        self._underway: dict[str, Underway] = {}
        self._said_at: float | None = None
        self._claim_id = house.ids.new()
        host = socket.gethostname()
        self.agent = Agent(
            id=house.ids.new(),
            name=f"{host}-{os.getpid()}",
            host=host,
            process=os.getpid(),
            version=__version__,
            queues=tuple(self._queues),
            limit=limit,
            flow_runners=tuple(house.registry.offers("flow runner")),
            storages=tuple(house.registry.offers("storage")),
            started=house.clock.now(),
        )

    # What it is asked

    @property
    def is_busy(self) -> bool:
        """Whether a run that it started has not ended."""
        return self.underway > 0

    @property
    def underway(self) -> int:
        """How many of its runs have not ended."""
        return len(self._underway) + len(self._starts)

    @property
    def has_queues(self) -> bool:
        """Whether a queue is left to serve."""
        return bool(self._queues)

    # What it is told

    def drain(self) -> None:
        """From now on it takes no more runs."""
        self.agent = attrs.evolve(self.agent, is_draining=True)
        self._said_at = None

    def stop_all(self) -> None:
        """Ends what it started, and what it is starting as soon as that is there."""
        for start in self._starts:
            start.is_unwanted = True
        self._starts.wait()
        self._look_at_starts()
        for underway in self._underway.values():
            underway.process.stop(self._house.settings.grace_seconds)
        self._reap()

    def leave(self) -> None:
        """Says that it is gone; its runs go on."""
        self._starts.wait()
        self._look_at_starts()
        if self._ahead is not None:
            self._ahead.leave()
        self._strays.leave()
        self._runners.close()
        self._house.client.drop_agent(self.agent.id)

    # A step

    def step(self) -> datetime | None:
        """One round; the moment at which the next run is due, if it knows one."""
        self._say_here()
        self._showing.look()
        self._look_at_starts()
        self._renew()
        self._reap()
        if self.agent.is_draining:
            return None
        return self._take()

    def _say_here(self) -> None:
        now = self._house.clock.monotonic()
        if self._said_at is None or now >= self._said_at + self._house.settings.renew_seconds:
            self._house.client.keep_agent(attrs.evolve(self.agent, underway=self.underway, full_runners=self._full(self._left())))
            self._look_back()
            self._reconcile()
            self._close_unused()
            sweep(self._house.settings.home)
            if self._ahead is not None and not self.agent.is_draining:
                self._ahead.look(tuple(self._queues))
            self._said_at = now

    def _close_unused(self) -> None:
        self._runners.close_unused([each.choice for each in (*self._underway.values(), *self._starts)])

    # What is there and what is to be there

    def _look_back(self) -> None:
        """Opens, once, the flow runners of runs under way that were taken from these queues: an agent that was here before may have started them."""
        if self._has_looked_back:
            return
        names = {queue.name for queue in self._queues.values()}
        wanted = FlowRunFilter(state_types=(StateType.PENDING, StateType.RUNNING, StateType.CANCELLING), root_only=True)
        choices: dict[str, Choice] = {}
        after: str | None = None
        while len(choices) < MOST_OPEN and (page := self._house.client.read_flow_runs(wanted, Page(after=after))):
            after = page[-1].id
            of_these = [run for run in page if run.work_queue in names and run.flow_runner is not None]
            choices |= {repr(choice): choice for choice in map(self._runners.choice, (run.flow_runner for run in of_these))}
        for choice in tuple(choices.values())[: MOST_OPEN - 1]:
            try:
                self._runners.opened(choice)
            except HeadraceError as error:
                logger.warning("Runs that flow runner %r may have started are not seen: %s", choice.name, error)
        self._has_looked_back = True

    def _reconcile(self) -> None:
        """Looks after runs whose own agent is gone, where a flow runner of this one sees their processes; and stops processes that have no run any more."""
        seen: dict[str, Callable[[], Process | None]] = {identity: _itself(each.process) for identity, each in self._underway.items()}
        for choice, runner in self._runners.all_open():
            try:
                alive = tuple(identity for identity in runner.running() if identity not in seen)
            except Exception as error:  # what one cannot tell is in no other's way
                logger.warning("Flow runner %r cannot say what runs: %s", choice.name, error)
                continue
            for run in self._house.client.adopt_runs(self.agent.id, alive) if alive else ():
                self._adopt(run, choice, runner)
            seen |= {identity: partial(runner.find, identity) for identity in alive}
        self._strays.look(
            seen, {identity: grace for identity, each in self._underway.items() if (grace := _grace(each.choice)) is not None}
        )

    def _adopt(self, run: FlowRun, choice: Choice, runner: OpenFlowRunner) -> None:
        try:
            process = runner.find(OrderedRun(run_id=run.id, epoch=run.epoch).identity)
        except Exception as error:  # it is given the run again, and asks again
            logger.warning("Flow runner %r cannot say whether flow run %r runs: %s", choice.name, run.name, error)
            return
        if process is None:
            self._tell_end(run, ExitStatus(None), "")
            return
        logger.info("Adopted flow run %r, whose agent is gone", run.name)
        self._begin(run, process, choice)

    def _begin(self, run: FlowRun, process: Process, choice: Choice) -> None:
        """From now on this agent sees to it that the end of the run is known."""
        self._underway[process.identity] = Underway(run=run, process=process, choice=choice)
        if self._runners.streams(choice):
            self._showing.begin(run)

    # Claiming

    def _take(self) -> datetime | None:
        while (room := self._room()) > 0 and self._queues:
            request = self._request(room)
            try:
                claimed = self._house.client.claim_runs(request)
            except NotFound as error:
                self._lose_queues(error)
                continue
            if claimed.runs or claimed.is_over:  # until then the same claim is asked again, whether nothing was due or the answer was lost
                self._claim_id = self._house.ids.new()
            for run in claimed.runs:
                self._start_or_leave(run, claimed.tokens.get(run.id, ""))
            self._close_unused()
            if len(claimed.runs) < request.limit:
                return claimed.next_due
        return None

    def _room(self) -> int:
        return MOST_AT_ONCE if self.agent.limit is None else self.agent.limit - self.underway

    def _request(self, room: int) -> ClaimRequest:
        """Asks for no more than there is room for, and for nothing of a flow runner that has its limit; where one has, as few as may all be of it."""
        left = self._left()
        most = min([room, MOST_AT_ONCE, *(more for more in left.values() if more > 0)])
        return ClaimRequest(
            id=self._claim_id, agent_id=self.agent.id, queue_ids=tuple(self._queues), limit=most, full_runners=self._full(left)
        )

    def _left(self) -> dict[str, int]:
        """How many more runs may be of a flow runner, of those for which there is a limit."""
        starting = self._starts.by_runner()
        under_way = Counter(each.choice.name for each in self._underway.values()) + starting
        left = {name: MOST_AT_ONCE - number for name, number in starting.items()}
        return left | {name: min(left.get(name, limit), limit - under_way[name]) for name, limit in self._limits.items()}

    def _full(self, left: Mapping[str, int]) -> tuple[str, ...]:
        full = tuple(name for name, more in left.items() if more <= 0)
        return (*full, UNIVERSAL) if self._runners.preferred in full else full

    def _lose_queues(self, error: NotFound) -> None:
        """Goes on without the queues that are gone."""
        for queue in tuple(self._queues.values()):
            try:
                self._house.client.read_work_queue(queue.id)
            except NotFound:
                del self._queues[queue.id]
                logger.warning("Work queue %r is gone: %s", queue.name, error)
        self.agent = attrs.evolve(self.agent, queues=tuple(self._queues))
        self._said_at = None

    # Starting

    def _start_or_leave(self, run: FlowRun, token: str) -> None:
        """One whose start cannot even be told is in no other's way; its lease runs out, and it is started again."""
        try:
            self._start(run, token)
        except HeadraceError as error:
            logger.error("What became of the start of flow run %r could not be told: %s", run.name, error)

    def _start(self, run: FlowRun, token: str) -> None:
        """The run gets a token of its own, where it needs one, in place of the agent's."""
        choice = self._runners.choice(run.flow_runner)
        environment = {**self._environment, **({variable("api_token"): token} if token else {})}
        try:
            statement = self._statement(run)
        except MayPass:
            raise
        except HeadraceError as error:
            self._refuse_code(run, error)
            return
        logger.info("Submitting flow run %r (%s) to flow runner %r", run.name, run.id, choice.name)
        order = Order(run_id=run.id, run_name=run.name, epoch=run.epoch, statement=statement, environment=environment)
        try:
            start = partial(self._runners.opened(choice).start, order)
            if self._runners.is_here(choice):
                self._started(run, choice, outcome_of(start))
            else:
                self._starts.begin(run, choice, start)
        except Exception as error:
            self._started(run, choice, Outcome(error=error))

    def _started(self, run: FlowRun, choice: Choice, outcome: Outcome) -> None:
        error, process = outcome.error, outcome.process
        if process is not None:
            self._begin(run, process, choice)
            if process.remark:
                self._note(run, process.remark)
        elif isinstance(error, HeadraceError):
            self._refuse(run, choice, error.why if isinstance(error, FlowRunnerFailed) else str(error))
        else:
            logger.error("Flow runner %r failed", choice.name, exc_info=error)
            self._refuse(run, choice, f"{type(error).__name__}: {error}")

    def _look_at_starts(self) -> None:
        """Goes on with those that are over."""
        for start in self._starts.over():
            try:
                self._started(start.run, start.choice, start.outcome)
            except HeadraceError as error:
                logger.error("What became of the start of flow run %r could not be told: %s", start.run.name, error)
            if start.is_unwanted and (process := start.outcome.process) is not None:
                self._strays.stop(process.identity, _itself(process), grace=self._house.settings.grace_seconds)

    # Waiting until they have begun

    def hear(self, events: Iterable[Event]) -> None:
        """Whether a run that has not begun is to go on is asked as soon as something is said of it."""
        told = {event.subject for event in events}
        if any(run.id in told for run in self._not_begun()):
            self._renewed_at = None

    def _not_begun(self) -> list[FlowRun]:
        return [start.run for start in self._starts if not start.is_unwanted] + [
            each.run for each in self._underway.values() if not each.has_begun
        ]

    def _renew(self) -> None:
        """Keeps the leases of runs that have no process yet which would."""
        now = self._house.clock.monotonic()
        if self._renewed_at is not None and now < self._renewed_at + self._house.settings.renew_seconds:
            return
        for run in self._not_begun():
            order = self._house.client.renew_lease(run.id, run.epoch)
            if order.stop:
                self._give_up(run, order.reason)
        self._renewed_at = now

    def _give_up(self, run: FlowRun, reason: str) -> None:
        """Nothing of its code has begun. Should it begin all the same, it stops at once, since it is not its run any more."""
        if run.id not in self._given_up:
            logger.info("Flow run %r is not to begin any more: %s", run.name, reason)
        self._given_up = {each.id for each in self._not_begun() if each.id in self._given_up} | {run.id}
        for start in self._starts:
            if start.run.id == run.id:
                start.is_unwanted = True
                self._say_cancelled(run)
        for identity, each in self._underway.items():
            if each.run.id == run.id:
                self._strays.stop(identity, _itself(each.process), grace=self._house.settings.grace_seconds)

    def _say_cancelled(self, run: FlowRun) -> None:
        """Says so of a run that is being cancelled before it has a process."""
        with suppress(NotFound):
            if self._house.client.read_flow_run(run.id).state.type is StateType.CANCELLING:
                self._move(run, "unwanted", State.crashed("It was cancelled before its process was there."))

    def _statement(self, run: FlowRun) -> str | None:
        """What the run's process is held to; None where that is nothing. Before it begins, since its environment could be anything too."""
        if not self._requires_signature:
            return None
        assert run.deployment_id is not None, "a claimed run is of a deployment"
        deployment = self._house.client.read_deployment(run.deployment_id)
        return checked(deployment, run.flow_runner or Choice(UNIVERSAL), self._house.registry)

    def _refuse_code(self, run: FlowRun, error: HeadraceError) -> None:
        logger.error("Flow run %r was not started: %s", run.name, error)
        message = f"The run was not started: {error}"
        self._note(run, message, level=logging.ERROR)
        self._move(run, "code", State.failed(message=message))

    def _refuse(self, run: FlowRun, choice: Choice, why: str) -> None:
        logger.error("Flow run %r could not be started: %s", run.name, why)
        message = f"The run could not be started by flow runner {choice.name!r}: {why}"
        self._note(run, message, level=logging.ERROR)
        self._move(run, "start", State.crashed(message))

    def _note(self, run: FlowRun, message: str, *, level: int = logging.INFO) -> None:
        """Says something in the run's own log."""
        house = self._house
        line = LogLine(
            id=house.ids.new(),
            flow_run_id=run.id,
            timestamp=house.clock.now(),
            level=level,
            logger=logger.name,
            message=message,
        )
        house.client.write_journal(JournalBatch(flow_run_id=run.id, epoch=run.epoch, logs=(line,)))

    # Ending

    def _reap(self) -> None:
        for identity, underway in tuple(self._underway.items()):
            try:
                status = underway.process.wait(0)
            except Exception as error:
                logger.warning("Flow runner %r cannot say whether flow run %r runs: %s", underway.choice.name, underway.run.name, error)
                continue
            if status is not None:
                self._tell_end(underway.run, status, underway.process.last_words)
                del self._underway[identity]
                self._end_showing(underway.run)

    def _tell_end(self, run: FlowRun, status: ExitStatus, words: str) -> None:
        """Says how a run ended; one whose processes are gone and said nothing, or put away nothing to be said, has crashed."""
        identity = OrderedRun(run_id=run.id, epoch=run.epoch).identity
        deliver(self._house.settings.home, self._house.client, self._house.clock.now(), identity=identity)
        try:
            state = self._house.client.read_flow_run(run.id).state
            if not state.is_at_rest():
                self._move(run, "gone", State.crashed(f"The process of the run ended with {status} and {_why(words)}"))
                state = self._house.client.read_flow_run(run.id).state
        except NotFound:
            logger.info("Flow run %r was deleted", run.name)
            return
        level = logging.INFO if state.is_completed() or not state.is_terminal() else logging.ERROR
        logger.log(level, "Flow run %r ended in state %s", run.name, state)

    def _end_showing(self, run: FlowRun) -> None:
        with suppress(NotFound):
            self._showing.end(run.id)

    def _move(self, run: FlowRun, what: str, state: State) -> None:
        move = Move(id=f"{run.id}:{run.epoch}:agent:{what}", run_id=run.id, state=state, epoch=run.epoch)
        self._house.client.move_flow_run(move)


def _why(words: str) -> str:
    return f"said: {words}" if words else "could not say why."


def _itself(process: Process) -> Callable[[], Process]:
    return lambda: process


def _grace(choice: Choice) -> float | None:
    """The time that runs of a choice have to end, where its own variables say it."""
    own = choice.options.get("env")
    text = own.get(variable("grace_seconds")) if isinstance(own, Mapping) else None
    with suppress(TypeError, ValueError):
        return float(text)  # type: ignore[arg-type]
    return None


def _preferred(house: Instance) -> str:
    """The flow runner of runs that leave it to the agent."""
    return house.settings.flow_runner or "subprocess"
