"""Deployments and the runs that are asked for of them."""

import logging
import reprlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import attrs

from headrace.clock import Clock
from headrace.errors import ChangedMeanwhile, HeadraceError, NotFound, NotResumable, NotRetryable, WrongData
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page
from headrace.model.names import checked_name
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, Overlap, Tick
from headrace.model.states import AWAITING_RETRY, State, StateType
from headrace.model.tags import as_tags
from headrace.orchestration.matching import Matching
from headrace.orchestration.new_runs import new_run
from headrace.orchestration.orchestrator import FIRST_EPOCH, created, moved
from headrace.orchestration.scheduling import Scheduling, identified
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.ports.schedule import Schedule
from headrace.rules.ticks import check_policies
from headrace.rules.verdicts import accepted
from headrace.wire.checking import checked_parameters

MOST_SCHEDULES = 100

logger = logging.getLogger("headrace.scheduling")


@attrs.frozen(kw_only=True)
class Deployments:
    """Keeps deployments, and makes their runs."""

    store: OpenRunStore
    clock: Clock
    lease_seconds: float
    matching: Matching
    scheduling: Scheduling
    tell: Callable[[Event], None]

    def put(self, deployments: tuple[Deployment, ...]) -> list[Deployment]:
        """Makes or changes them, all or none."""
        for deployment in deployments:
            checked_name("flow", deployment.flow_name)
            checked_name("deployment", deployment.name)
            if deployment.schedules:
                with self.store.reading() as reading:
                    known = _named(reading, deployment.flow_name, deployment.name)
                self._check_schedules(deployment, () if known is None else known.schedules)
        with self.store.writing() as writing:
            kept = [self._put(writing, deployment) for deployment in deployments]
            events = [writing.append_event(self._changed(deployment, "deployment.changed")) for deployment in kept]
        for event in events:
            self.tell(event)
        if any(deployment.schedules for deployment in kept):
            self._make_runs()
        return kept

    def put_schedules(self, deployment_id: str, version: int, schedules: tuple[DeploymentSchedule, ...]) -> Deployment:
        """Changes when a deployment runs, and nothing else of it; asked again, it gives what it gave before."""
        wanted = [each.wanted for each in schedules]
        with self.store.reading() as reading:
            before = _known(reading, deployment_id)
        self._check_schedules(attrs.evolve(before, schedules=schedules), before.schedules)
        with self.store.writing() as writing:
            known = _known(writing, deployment_id)
            if [each.wanted for each in known.schedules] == wanted:
                return known
            if known.version != version:
                raise ChangedMeanwhile(what="deployment", name=known.full_name)
            kept = self._put(writing, attrs.evolve(known, schedules=schedules, updated=self.clock.now()))
            event = writing.append_event(self._changed(kept, "deployment.changed"))
        self.tell(event)
        self._make_runs()
        return kept

    def _check_schedules(self, deployment: Deployment, known: Sequence[DeploymentSchedule]) -> None:
        """Raises what its schedules' kinds raise, WrongData for a new one that is wholly past, since it would never make a run, and, since nobody will
        give any when a run is made, the errors of parameters that are missing."""
        where = f"deployment {deployment.full_name!r}"
        if len(deployment.schedules) > MOST_SCHEDULES:
            raise WrongData(where=where, why=f"it has {len(deployment.schedules)} schedules, and may have {MOST_SCHEDULES}")
        for schedule in deployment.schedules:
            check_policies(schedule, where)
            kind = self.scheduling.kind(schedule.kind)
            if schedule.wanted not in [each.wanted for each in known] and _is_past(kind, self.clock.now()):
                options = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in schedule.kind.options.items() if value is not None)
                why = f"its schedule {schedule.kind.name!r} ({options}) has no time from now on, so that it would never make a run; leave it out"
                raise WrongData(where=where, why=why)
        if deployment.schedules:
            checked_parameters(where, deployment.parameter_schema, deployment.parameters)

    def _put(self, writing: Writing, deployment: Deployment) -> Deployment:
        known, now = _named(writing, deployment.flow_name, deployment.name), self.clock.now()
        schedules = identified(deployment.schedules, known.schedules if known is not None else (), self.scheduling.ids, now)
        deployment = attrs.evolve(deployment, schedules=schedules)
        if known is not None:
            same = attrs.evolve(deployment, id=known.id, created=known.created, is_paused=known.is_paused, version=known.version)
            if attrs.evolve(same, updated=known.updated) == known:
                return known
            writing.add_deployment_version(known)
            deployment = attrs.evolve(same, version=known.version + 1)
        assert writing.put_deployment(deployment), "its names are its own or were known by its id"
        writing.add_deployment_version(deployment)
        self.scheduling.keep(writing, known, deployment)
        return deployment

    def _make_runs(self) -> None:
        """At once, so that nobody waits for the scheduler; should it fail, that will make them."""
        try:
            self.scheduling.make_runs()
        except HeadraceError as error:
            logger.debug("Runs are made by the scheduler later: %s", error)

    def versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        """What a deployment is and was, the newest first."""
        with self.store.reading() as reading:
            deployment = _known(reading, deployment_id)
            return reading.deployment_versions(deployment_id, limit) or [deployment][: max(limit, 0)]

    def pause(self, deployment_id: str) -> Deployment:
        """Lets nothing of it be started; what is under way goes on."""
        return self._set_paused(deployment_id, lambda deployment: attrs.evolve(deployment, is_paused=True))

    def resume(self, deployment_id: str) -> Deployment:
        """Lets its runs be started again, those that waited meanwhile too."""
        return self._set_paused(deployment_id, lambda deployment: attrs.evolve(deployment, is_paused=False))

    def _set_paused(self, deployment_id: str, change: Callable[[Deployment], Deployment]) -> Deployment:
        with self.store.writing() as writing:
            known = _known(writing, deployment_id)
            deployment = change(known)
            writing.put_deployment(deployment)
            if deployment != known:
                self.scheduling.keep(writing, known, deployment)
            event = writing.append_event(self._changed(deployment, "deployment.changed"))
        after: str | None = None
        while True:
            with self.store.writing() as writing:
                portion = writing.flow_runs(_waiting_of(deployment_id), Page(after=after, newest_first=False))
                self.matching.assign(writing, portion)
            if not portion:
                break
            after = portion[-1].id
        self.tell(event)
        if deployment.schedules and not deployment.is_paused:
            self._make_runs()
        return deployment

    def retry_run(self, run_id: str, move_id: str) -> FlowRun:
        """Lets a run that has ended otherwise than well be started once more; asked again, it gives the run as it is."""
        state = State.scheduled(self.clock.now(), name=AWAITING_RETRY, message="Somebody asked for another try.")
        return self._start_again(run_id, move_id, _check_retryable, lambda run: state, _at_once)

    def resume_run(self, run_id: str, move_id: str) -> FlowRun:
        """Lets a paused run go on, not before it is due; asked again, it gives the run as it is."""

        def due(run: FlowRun) -> State:
            now = self.clock.now()
            waits = run.start_time is None and run.expected_start_time is not None
            return State.scheduled(max(now, run.expected_start_time or now) if waits else now, message="It was resumed.")

        return self._start_again(run_id, move_id, _check_resumable, due, _however_late)

    def _start_again(
        self,
        run_id: str,
        move_id: str,
        check: Callable[[Reading, FlowRun], None],
        due: Callable[[FlowRun], State],
        wanted: Callable[[Tick], Tick],
    ) -> FlowRun:
        with self.store.writing() as writing:
            run = writing.flow_run(run_id)
            if run is None:
                raise NotFound(what="flow run", name=run_id, command="flow-run ls")
            if writing.verdict(move_id) is not None:
                return run
            check(writing, run)
            state = attrs.evolve(due(run), timestamp=self.clock.now())
            again = attrs.evolve(run.entering(state), restarts=0, lost_starts=0, tick=run.tick and wanted(run.tick))
            _fence(writing, run.id)
            writing.update_flow_run(again, was=run.revision)
            writing.remember(move_id, run.id, accepted(state))
            self.matching.assign(writing, [again])
            event = writing.append_event(moved(again, state))
        self.tell(event)
        return again

    def delete(self, deployment_id: str) -> None:
        """Forgets a deployment with those of its runs that have not started; in portions, so that a long backlog keeps nobody waiting."""
        after: str | None = None
        while portion := self._forget_waiting(deployment_id, after):
            after = portion[-1].id
        with self.store.writing() as writing:
            deployment = _known(writing, deployment_id)
            for run_id in list(_waiting(writing, deployment_id)):  # what was asked for meanwhile
                writing.delete_flow_run(run_id)
            writing.delete_deployment(deployment_id)
            event = writing.append_event(self._changed(deployment, "deployment.deleted"))
        self.tell(event)

    def _forget_waiting(self, deployment_id: str, after: str | None) -> list[FlowRun]:
        """Forgets those of a portion of runs that have not started; the portion."""
        with self.store.writing() as writing:
            portion = writing.flow_runs(_waiting_of(deployment_id), Page(after=after, newest_first=False))
            for run in portion:
                if run.run_count == 0:
                    writing.delete_flow_run(run.id)
            return portion

    def request_run(self, request: RunRequest) -> FlowRun:
        """Makes a run; one that is known is answered as it is."""
        while True:
            with self.store.reading() as reading:
                deployment = _known(reading, request.deployment_id)
            # outside of the transaction, since the library that checks takes long to import
            parameters = {**deployment.parameters, **request.parameters}
            checked_parameters(f"deployment {deployment.full_name!r}", deployment.parameter_schema, parameters)
            with self.store.writing() as writing:
                if _known(writing, request.deployment_id) != deployment:
                    continue
                known = writing.flow_run(request.id)
                if known is not None:
                    return known
                run = self._new_run(request, deployment)
                event = self._add(writing, run, request.holder)
            self.tell(event)
            return run

    def _new_run(self, request: RunRequest, deployment: Deployment) -> FlowRun:
        now = self.clock.now()
        due = request.at or now
        state = State.scheduled(max(due, now)) if request.holder is None else State.pending()  # nobody could have begun it before
        run = new_run(deployment, run_id=request.id, name=checked_name("flow run", request.name), state=state, due=due, now=now)
        return attrs.evolve(
            run,
            tags=as_tags((*deployment.tags, *request.tags)),
            parameters={**deployment.parameters, **request.parameters},
            epoch=0 if request.holder is None else FIRST_EPOCH,
            max_restarts=deployment.max_restarts if request.holder is None else None,
            is_named=request.is_named,
            keeps_result=request.keeps_result,
        )

    def _add(self, writing: Writing, run: FlowRun, holder: str | None) -> Event:
        writing.add_flow_run(run)
        if holder is not None:
            writing.grant_lease(run.id, epoch=run.epoch, holder=holder, seconds=self.lease_seconds)
        self.matching.assign(writing, [run])
        return writing.append_event(created(run))

    def _changed(self, deployment: Deployment, kind: str) -> Event:
        return Event(moment=self.clock.now(), kind=kind, subject=deployment.id, details={"name": deployment.full_name})


def _check_retryable(reading: Reading, run: FlowRun) -> None:
    """Raises NotRetryable with why."""
    if not run.state.is_terminal():
        raise NotRetryable(run=run.name, why=f"it has not ended: it is {run.state.name.upper()}")
    if run.state.is_completed():
        raise NotRetryable(run=run.name, why="it has completed; ask for another run of its deployment")
    if run.max_restarts is None or run.deployment_id is None:
        raise NotRetryable(run=run.name, why="no agent started it, so none can start it again; call its flow once more")
    if reading.deployment(run.deployment_id) is None:
        raise NotRetryable(run=run.name, why="its deployment was deleted, and its code with it")


def _is_past(schedule: Schedule, now: datetime) -> bool:
    """Whether it never comes again; of one that fails, the scheduler tells."""
    try:
        return next(schedule.after(now), None) is None
    except Exception:
        return False


def _named(reading: Reading, flow_name: str, name: str) -> Deployment | None:
    return next(iter(reading.deployments(DeploymentFilter(flow_names=(flow_name,), names=(name,)), Page(limit=1))), None)


def _known(reading: Reading, deployment_id: str) -> Deployment:
    deployment = reading.deployment(deployment_id)
    if deployment is None:
        raise unknown_deployment(deployment_id)
    return deployment


def _waiting(reading: Reading, deployment_id: str) -> Iterator[str]:
    """Ids of runs that have not started; one that waits for its retry has."""
    wanted, after = _waiting_of(deployment_id), None
    while page := reading.flow_runs(wanted, Page(after=after)):
        yield from (run.id for run in page if run.run_count == 0)
        after = page[-1].id


def _check_resumable(reading: Reading, run: FlowRun) -> None:
    """Raises NotResumable with why."""
    if not run.state.is_paused():
        raise NotResumable(run=run.name, why=f"it is not paused: it is {run.state.name.upper()}")
    if reading.deployment(run.deployment_id or "") is None:
        raise NotResumable(run=run.name, why="its deployment was deleted, and its code with it")


def _however_late(tick: Tick) -> Tick:
    """Of a run that somebody let go on."""
    return attrs.evolve(tick, start_by=None)


def _at_once(tick: Tick) -> Tick:
    """Of a run that somebody wants once more: now, whatever else is under way."""
    return attrs.evolve(tick, start_by=None, overlap=Overlap.ALLOW)


def _fence(writing: Writing, run_id: str) -> None:
    """Whoever had the run has it no longer, also before somebody else does."""
    lease = writing.lease(run_id)
    if lease is not None:
        writing.grant_lease(run_id, epoch=lease.epoch + 1, holder="", seconds=0)
        writing.end_lease(run_id)


def _waiting_of(deployment_id: str) -> FlowRunFilter:
    return FlowRunFilter(deployment_ids=(deployment_id,), state_types=(StateType.SCHEDULED,))


def unknown_deployment(deployment_id: str) -> NotFound:
    """The error for a deployment that is not there."""
    return NotFound(what="deployment", name=deployment_id, command="deployment ls")
