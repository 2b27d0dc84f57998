"""A run of a deployment as a child of the command that asks for it: shown while it runs, cancelled when the command is."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.cli import show
from headrace.cli.watching import Watching
from headrace.errors import NotFound
from headrace.instance import Instance
from headrace.model.deployments import RunRequest
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus, Order
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.processes.refusal import why_refused
from headrace.settings import variable

ENGINE = ("-P", "-m", "headrace.engine")
LIVELY = {variable("journal_interval"): "0.1"}
"""Lines of a run that somebody watches come soon, unless the setting says something else."""


class Execution:
    """Runs what is asked for by a request with a holder, so that no agent gets it; `statement` is the sha256 of what may be run, if not anything may."""

    def __init__(self, house: Instance, request: RunRequest, *, of: str, tell: Callable[[str], None], statement: str | None = None) -> None:
        self._house = house
        self._statement = statement
        self._request = request
        self._of = of
        self._tell = tell
        self._watching: Watching | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def ended(self) -> FlowRun:
        """The run, when it has ended. Raises what is wrong with the request."""
        run = self._house.client.request_run(self._request)
        self._tell(f"Created flow run {run.name!r} ({run.id}) of {self._of}")
        self._watching = Watching(self._house, run, goes_on=self._lives)
        try:
            self._process = self._started(run)
        except OSError as error:
            return self._crashed(run, f"The process of the run could not be started: {why_refused(error)}")
        return self._watched(run)

    def cancelled(self) -> FlowRun | None:
        """The run, when it has ended after it was told to; None where it had not even been made."""
        client = self._house.client
        state = State(type=StateType.CANCELLING, message="Cancelled where it was executed.")
        try:
            client.move_flow_run(Move(id=self._house.ids.new(), run_id=self._request.id, state=state))
        except NotFound:
            return None
        show.remark("Cancelling: the run's process is asked to end.")
        return self._watched(client.read_flow_run(self._request.id))

    def _started(self, run: FlowRun) -> "subprocess.Popen[bytes]":
        """The process is in a session of its own, so that Ctrl+C comes to this one alone, which knows what it means."""
        environment = self._house.settings.as_environment()
        order = Order(run_id=run.id, run_name=run.name, epoch=run.epoch, statement=self._statement, environment=environment)
        environment = {**os.environ, **LIVELY, **order.variables}
        return subprocess.Popen([sys.executable, *ENGINE], env=environment, stdin=subprocess.DEVNULL, start_new_session=True)

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _watched(self, run: FlowRun) -> FlowRun:
        if self._watching is not None:
            run = self._watching.until_end()
        if run.state.is_terminal():
            return run
        how = ExitStatus(self._process.returncode) if self._process is not None else "no start"
        return self._crashed(run, f"The process of the run ended with {how} and could not say why.")

    def _crashed(self, run: FlowRun, message: str) -> FlowRun:
        """The run, whose end nobody else can tell."""
        state = State.crashed(message)
        self._house.client.move_flow_run(Move(id=self._house.ids.new(), run_id=run.id, state=state, epoch=run.epoch))
        return self._house.client.read_flow_run(run.id)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside, the signal to end interrupts as Ctrl+C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
