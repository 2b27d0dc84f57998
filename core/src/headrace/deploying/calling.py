"""Running a deployment from a flow, or from any program."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from headrace.engine.calls import call_task
from headrace.engine.run_context import AMBIENT_TAGS, CURRENT, FlowRunContext
from headrace.errors import Ambiguous, InvalidOption, NotFound, ResultNotKept, TimedOut, WrongData, WrongParameterType
from headrace.instance import Instance, current
from headrace.model.coercion import shown
from headrace.model.definitions import TaskDefinition
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, EventFilter, Page
from headrace.model.parameters import Signature
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.states import TERMINAL, State
from headrace.model.tags import Tags, as_tags
from headrace.packaging.loading import is_skipped
from headrace.wire.parameters import is_whole, plain_parameters

LONGEST_WAIT = 30.0
"""After so many seconds the run is looked at, though nothing was said of it."""

SHORT_WAIT = 1.0
"""How long a thread that waits for an event loop may outlive a cancellation."""

ENDS = tuple(f"flow-run.{kind}" for kind in sorted(TERMINAL))


def run_deployment(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    tags: Iterable[str] = (),
    at: datetime | None = None,
    flow_run_name: str | None = None,
    wait: bool = True,
    timeout: float | None = None,
) -> State:
    """Asks for a run of the deployment `flow/deployment`, and gives its final state: `state.result()` is what the flow returned, or raises RunFailed.

    With `wait=False` it gives the state that the run is in then, SCHEDULED. `state.child_flow_run_id` tells which run it is. An agent must serve a
    work queue that wants the run. In a flow this is a task run, named after the deployment. `at` is local time if it has no zone.
    Raises NotFound, Ambiguous, what is wrong with what is given, and TimedOut after `timeout` seconds; the run goes on then.
    """
    if is_skipped(name):
        return None  # type: ignore[return-value]  # as for a flow that is called while code is loaded
    wish = _wish(name, tags=tags, at=at, flow_run_name=flow_run_name, timeout=timeout)
    function = wish.ended if wait else wish.asked
    if not isinstance(CURRENT.get(), FlowRunContext):
        return _state(function(parameters or {}))
    return _outcome(call_task(wish.as_task(function), (parameters or {},), {}, wait_for=(), return_state=True), wait=wait)


async def run_deployment_async(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    tags: Iterable[str] = (),
    at: datetime | None = None,
    flow_run_name: str | None = None,
    wait: bool = True,
    timeout: float | None = None,  # noqa: ASYNC109 - it is told by TimedOut, as by the other one
) -> State:
    """The same for async code: nothing blocks the event loop meanwhile. A cancellation ends the waiting, not the run."""
    import asyncio

    if is_skipped(name):
        return None  # type: ignore[return-value]
    wish = await asyncio.to_thread(lambda: _wish(name, tags=tags, at=at, flow_run_name=flow_run_name, timeout=timeout))
    function = wish.ended_async if wait else wish.asked_async
    if not isinstance(CURRENT.get(), FlowRunContext):
        return await asyncio.to_thread(_state, await function(parameters or {}))
    state = call_task(wish.as_task(function), (parameters or {},), {}, wait_for=(), return_state=True)
    state = await state if inspect.isawaitable(state) else state
    return await asyncio.to_thread(lambda: _outcome(state, wait=wait))


@attrs.frozen(kw_only=True)
class _Wish:
    """What is asked for, without the parameters, which may be futures until the task that asks begins."""

    house: Instance
    deployment: Deployment
    tags: Tags
    at: datetime | None
    flow_run_name: str | None
    timeout: float | None

    def as_task(self, function: Callable[..., Any]) -> TaskDefinition:
        """The task that does it, in a flow; its result, kept where the flow may be retried, is the run's."""
        name = f"{self.deployment.flow_name} {self.deployment.name}"
        return TaskDefinition(function=function, name=name, signature=Signature.of(function))

    def asked(self, parameters: Mapping[str, Any]) -> str:
        """The id of the run, once it is made."""
        return self._request(parameters).id

    def ended(self, parameters: Mapping[str, Any]) -> State:
        """The final state of the run, with its value."""
        run, end = self._request(parameters), self._end()
        while not run.state.is_terminal():
            run = self._seen(run, end, LONGEST_WAIT)
        return self._final(run)

    async def asked_async(self, parameters: Mapping[str, Any]) -> str:
        """As `asked`, on an event loop."""
        import asyncio

        return await asyncio.to_thread(self.asked, parameters)

    async def ended_async(self, parameters: Mapping[str, Any]) -> State:
        """As `ended`, on an event loop."""
        import asyncio

        run, end = await asyncio.to_thread(self._request, parameters), self._end()
        while not run.state.is_terminal():
            run = await asyncio.to_thread(self._seen, run, end, SHORT_WAIT)
        return await asyncio.to_thread(self._final, run)

    def _request(self, parameters: Mapping[str, Any]) -> FlowRun:
        house, deployment = self.house, self.deployment
        return house.client.request_run(
            RunRequest(
                id=house.ids.new(),
                deployment_id=deployment.id,
                name=run_name(house.ids.random) if self.flow_run_name is None else self.flow_run_name,
                parameters=_plain(f"deployment {deployment.full_name!r}", parameters),
                tags=self.tags,
                is_named=self.flow_run_name is not None,
                at=self.at,
                keeps_result=True,
            )
        )

    def _end(self) -> float | None:
        return None if self.timeout is None else self.house.clock.monotonic() + self.timeout

    def _seen(self, run: FlowRun, end: float | None, longest: float) -> FlowRun:
        """The run as it is when it ends, or after a while. Raises TimedOut."""
        client, clock = self.house.client, self.house.clock
        cursor = client.read_last_event()
        run = client.read_flow_run(run.id)
        if run.state.is_terminal():
            return run
        left = longest if end is None else end - clock.monotonic()
        if left <= 0:
            raise TimedOut(what=f"waiting for flow run {run.name!r} ({run.id}) of {self.deployment.full_name}", seconds=self.timeout or 0)
        client.wait_for_events(EventFilter(after=cursor, kinds=ENDS, subjects=(run.id,)), min(left, longest))
        return client.read_flow_run(run.id)

    def _final(self, run: FlowRun) -> State:
        state = attrs.evolve(run.state, child_flow_run_id=run.id)
        if not state.is_completed():
            return state
        try:
            return attrs.evolve(state, data=self.house.results.of(state, what=f"flow run {run.name!r}"))
        except ResultNotKept:
            return state


def _wish(name: str, *, tags: Iterable[str], at: datetime | None, flow_run_name: str | None, timeout: float | None) -> _Wish:
    for option, given, fits, why in (
        ("name", name, isinstance(name, str), "it must be a text: flow/deployment, the deployment's own name, or its id"),
        ("flow_run_name", flow_run_name, flow_run_name is None or isinstance(flow_run_name, str), "it must be a text"),
        ("at", at, at is None or isinstance(at, datetime), "it must be a datetime"),
        ("timeout", timeout, timeout is None or _is_length(timeout), "it must be a number of seconds that is not negative"),
    ):
        if not fits:
            raise InvalidOption(where="run_deployment", option=option, value=given, why=why)
    house = current()
    return _Wish(
        house=house,
        deployment=_named(house, name),
        tags=as_tags((*as_tags(tags), *AMBIENT_TAGS.get())),
        at=at.astimezone(UTC) if at is not None else None,
        flow_run_name=flow_run_name,
        timeout=timeout,
    )


def _is_length(seconds: object) -> bool:
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0


def _named(house: Instance, name: str) -> Deployment:
    """The deployment of that name, as `flow/deployment` or its own if it is the only one, or of that id."""
    flow, slash, own = name.partition("/")
    named = DeploymentFilter(flow_names=(flow,), names=(own,)) if slash else DeploymentFilter(names=(name,))
    found = house.client.read_deployments(named, Page()) or house.client.read_deployments(DeploymentFilter(ids=(name,)), Page(limit=1))
    if not found:
        raise NotFound(what="deployment", name=name, command="deployment ls")
    if len(found) > 1:
        raise Ambiguous(what="deployments", name=name, candidates=tuple(deployment.full_name for deployment in found))
    return found[0]


def _plain(where: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they travel. Raises WrongParameterType for what has no plain form."""
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        raise WrongData(where=where, why=f"parameters must be values by name, not {shown(parameters)}")
    plain = plain_parameters(parameters)
    for name, value in plain.items():
        if not is_whole(value):
            given = type(parameters[name]).__name__
            raise WrongParameterType(where=where, name=name, expected="something that JSON can hold", given=given)
    return plain


def _outcome(state: State, *, wait: bool) -> State:
    """The state of the run, from that of the task; what went wrong with asking and waiting is raised, as it is outside of a flow."""
    if not state.is_completed() and isinstance(state.data, BaseException):
        raise state.data
    return state if wait else _state(state.data)


def _state(found: State | str) -> State:
    """The final state, or of a run that was asked for, the state that it is in now."""
    if isinstance(found, State):
        return found
    return attrs.evolve(current().client.read_flow_run(found).state, child_flow_run_id=found)
