"""Strays: processes that no run has any business with any more, and that do not end by themselves.

A supervisor stops its run when it hears that this has ended, was taken by somebody else, or is being cancelled. One that hangs, was stopped, or cannot
reach the orchestration hears nothing. Who sees such a process from outside, and goes on seeing it for longer than all that takes, stops it. A run that is
presumed lost may come back as long as runs wait for an orchestration that is away.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from threading import Thread

from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import AWAITING_RETRY, StateType
from headrace.ports.flow_runner import Process

AT_ONCE = 100
"""How many runs are asked for in one question."""

LAST_SECONDS = 2.0
"""How long the stopping of strays is waited for by an agent that leaves."""

logger = logging.getLogger("headrace.agent")


class Strays:
    """Looks at processes again and again, and stops the strays among them; that is done beside, since it may take a while."""

    def __init__(self, house: Instance) -> None:
        self._house = house
        self._since: dict[str, float] = {}
        self._stopping: dict[str, Thread] = {}

    def look(self, processes: Mapping[str, Callable[[], Process | None]], grace: Mapping[str, float]) -> None:
        """Looks at what lives, by identity, and how to find it. `grace` is the time that a run has to end, where that is not the one in the settings.

        A run that is not known is not judged: it may be of another orchestration that uses this machine.
        """
        settings, now = self._house.settings, self._house.clock.monotonic()
        found = {identity: run for identity, run in self._runs(processes) if _why_stray(run, identity)}
        self._since = {identity: self._since.get(identity, now) for identity in found}
        for identity, since in self._since.items():
            run = found[identity]
            patience = settings.lease_seconds + grace.get(identity, settings.grace_seconds)
            if run.state.is_lost():
                patience = max(patience, settings.outage_seconds)
            if now >= since + patience and not self._is_stopping(identity):
                logger.warning("The process of flow run %s does not end by itself, and is stopped: %s", identity, _why_stray(run, identity))
                self.stop(identity, processes[identity])

    def stop(self, identity: str, find: Callable[[], Process | None], *, grace: float = 0.0) -> None:
        """Stops it beside, unless that is being done."""
        self._stopping = {stopped: thread for stopped, thread in self._stopping.items() if thread.is_alive()}
        if identity in self._stopping:
            return
        thread = Thread(target=_stop, args=(identity, find, grace), name=f"headrace-stopping-{identity}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.warning("It is stopped later: %s", error)
            return
        self._stopping[identity] = thread

    def leave(self) -> None:
        """Waits a moment for what is being stopped."""
        until = self._house.clock.monotonic() + LAST_SECONDS
        for thread in self._stopping.values():
            thread.join(max(0.0, until - self._house.clock.monotonic()))

    def _is_stopping(self, identity: str) -> bool:
        return identity in self._stopping and self._stopping[identity].is_alive()

    def _runs(self, identities: Iterable[str]) -> Iterable[tuple[str, FlowRun]]:
        by_run: dict[str, list[str]] = {}
        for identity in identities:
            by_run.setdefault(identity.rpartition(".")[0], []).append(identity)
        ids = tuple(by_run)
        for start in range(0, len(ids), AT_ONCE):
            for run in self._house.client.read_flow_runs(FlowRunFilter(ids=ids[start : start + AT_ONCE]), Page()):
                yield from ((identity, run) for identity in by_run[run.id])


def _stop(identity: str, find: Callable[[], Process | None], grace: float) -> None:
    try:
        process = find()
        if process is not None:
            process.stop(grace)
    except Exception as error:
        logger.warning("The process of flow run %s could not be stopped, which is tried again: %s", identity, error)


def _why_stray(run: FlowRun, identity: str) -> str:
    """Why a process is not to be there; empty where it may be."""
    if identity.rpartition(".")[2] != str(run.epoch):
        return f"somebody else has taken the run, in epoch {run.epoch}"
    state = run.state
    if state.awaits_restart() or state.name == AWAITING_RETRY:  # it is taken by somebody else soon, or is only waiting
        return ""
    is_over = state.is_terminal() or state.is_paused() or state.is_scheduled() or state.type is StateType.CANCELLING
    return f"the run is {state.name}" if is_over else ""
