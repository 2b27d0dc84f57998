"""What the process of a claimed run does: it gets the code, and lives the run."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from headrace import instance
from headrace.engine.deployed_life import DeployedLife
from headrace.engine.drive import drive, drive_async
from headrace.engine.handshake import ToSupervisor
from headrace.engine.journal import Journal
from headrace.engine.last_turn import last_turn
from headrace.engine.loop_thread import LoopThread
from headrace.engine.patience import Patience
from headrace.engine.printed_lines import Printed
from headrace.engine.ready import Ready
from headrace.engine.run_logs import FLOW_RUNS
from headrace.engine.terminated import Terminated, TerminatedOnLoop, terminate
from headrace.engine.voice import Voice
from headrace.engine.working_folders import working_folder
from headrace.errors import CodeNotSigned, HeadraceError, MayPass, RunStopped
from headrace.instance import Instance
from headrace.model.definitions import FlowDefinition
from headrace.model.deployments import Deployment
from headrace.model.moves import Move
from headrace.model.orders import OrderedRun
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.packaging.fetching import fetched_flow
from headrace.packaging.loading import LOADING
from headrace.packaging.statements import checked, digest_of

ENDED, STOPPED, CRASHED = 0, 3, 1

MOST_VERSIONS = 20
"""So often a deployment may be changed while the process of its run begins, and the run still finds the version that was meant."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that are held back in a run's processes until somebody there hears them."""

T = TypeVar("T")


def run_deployed(run: OrderedRun, ready: Ready, supervisor: ToSupervisor, printed: Printed) -> int:
    """Runs it to its end, whatever that is, and says so; the exit code is 0 unless the run could not be ended here."""
    try:
        signal.signal(signal.SIGTERM, terminate)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        with instance.open(ready.settings, registry=ready.registry, runs_code=True) as house:
            return DeployedRun(house, run, supervisor, printed).code()
    except (Terminated, KeyboardInterrupt):
        return CRASHED
    except HeadraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return CRASHED


class DeployedRun:
    """One run, in its own process."""

    def __init__(self, house: Instance, run: OrderedRun, supervisor: ToSupervisor, printed: Printed) -> None:
        self._house = house
        self._ordered = run
        self._supervisor = supervisor
        self._printed = printed
        self._life: DeployedLife | None = None
        self._is_to_stop = False
        self._patience = Patience(
            seconds=house.settings.outage_seconds,
            clock=house.clock,
            share=house.ids.random.random,
            tell_trouble=self._tell_trouble,
            tell_end=self._tell_end_of_trouble,
            check=lambda: None,
        )
        self._journal = Journal(house.client.write_journal, flow_run_id=run.run_id, epoch=run.epoch)
        self._voice = Voice(title=run.identity, flow_run_id=run.run_id, new_id=house.ids.new, say=self._journal.say)

    def code(self) -> int:
        """Lives the run, then gives its code the turn that a script has at its end; the exit code."""
        run = self._asked(lambda: self._house.client.read_flow_run(self._ordered.run_id))
        if run.epoch != self._ordered.epoch or run.state.is_terminal():
            print(f"the run is not to be run here: it is {run.state.name}, in epoch {run.epoch}", file=sys.stderr)
            return STOPPED
        if run.state.type is StateType.CANCELLING:  # its supervisor says that it is cancelled
            return STOPPED
        code = self._lived(run)
        self._supervisor.say_over(code)
        last_turn(waits_for_threads=not self._is_to_stop)
        if self._life is not None:
            self._life.keep_lines()
        return code

    def _lived(self, run: FlowRun) -> int:
        try:
            self._live(run)
        except RunStopped as stop:
            print(stop, file=sys.stderr)
            self._is_to_stop = True
            return STOPPED
        except (Terminated, KeyboardInterrupt):
            self._is_to_stop = True
            return CRASHED
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else CRASHED
        except Exception:
            if self._supervisor.is_cut():
                self._give_up()
            raise
        return ENDED

    def _live(self, run: FlowRun) -> None:
        house = self._house
        try:
            with _remarks_kept() as remarks:
                definition = self._definition(run)
        except HeadraceError as error:
            self._fail(run, error)
            return
        life = self._life = DeployedLife(
            house,
            definition,
            run,
            remarks=remarks,
            keep_printed=self._keep_printed,
            say_over=lambda: self._supervisor.say_over(ENDED),
        )
        if definition.is_async:
            import asyncio

            asyncio.run(_lived_on_loop(life))
        else:
            drive(life.life(), life.loop)

    def _definition(self, run: FlowRun) -> FlowDefinition:
        """The flow of the run's deployment, loaded into this process, whose working folder then is the run's own. What is away is waited for."""
        house, ordered = self._house, self._ordered
        deployment = self._asked(lambda: _deployment(house, run, ordered))
        folder = working_folder(house.settings.home, f"{run.id}.{run.epoch}")
        definition: FlowDefinition = fetched_flow(
            house, deployment.code, folder, what=deployment.full_name, works_in=ordered.folder, asked=self._asked
        ).definition
        return definition

    def _fail(self, run: FlowRun, error: HeadraceError) -> None:
        """The end of a run that could not begin."""
        house = self._house
        _show_what_users_wrote(error)
        state = State.failed(message=f"The flow could not be got from its deployment: {error}")
        self._keep_printed()
        move = Move(id=f"{run.id}:{run.epoch}:code", run_id=run.id, state=state, epoch=run.epoch)
        verdict = self._asked(lambda: house.client.move_flow_run(move))
        self._say(logging.ERROR, f"Finished in state {verdict.state or state}")

    def _asked(self, question: Callable[[], T]) -> T:
        """The answer to a question that is asked again while what can answer it is away; a signal ends that."""
        return drive(self._patience.asked(question), LoopThread())

    def _tell_trouble(self, error: MayPass, seconds: float) -> None:
        self._say(logging.WARNING, f"The run waits to begin, for {round(seconds):g} seconds at most: {error}")

    def _tell_end_of_trouble(self, seconds: float) -> None:
        self._say(logging.INFO, f"What the run waited for is there again, after {seconds:.1f} seconds")

    def _say(self, level: int, message: str) -> None:
        """A line of the run's log, from before it lives."""
        self._voice.line(self._house.clock.now(), level, FLOW_RUNS, message)
        self._journal.try_flush()

    def _keep_printed(self) -> None:
        """Returns when all that was printed is in the log; it gets its place there from the supervisor."""
        if self._supervisor.is_cut():
            self._give_up()
        self._printed.flush()
        self._supervisor.keep_printed()

    def _give_up(self) -> None:
        """Ends at once: with the files of the run store closed, every question to it would be asked in vain for long."""
        print(
            "error: the code of the run has closed files that are not its own (as os.closerange does), those of the run store too; "
            "this process cannot say any more how the run ended",
            file=sys.stderr,
        )
        self._printed.flush()
        os._exit(CRASHED)


async def _lived_on_loop(life: DeployedLife) -> None:
    import asyncio

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "a coroutine is run by a task"
    with TerminatedOnLoop(loop, task) as ending:
        try:
            await drive_async(life.on_loop(loop))
        except asyncio.CancelledError:
            if ending.is_told:
                raise Terminated from None
            raise


@contextmanager
def _remarks_kept() -> Iterator[list[str]]:
    """What is remarked while code is loaded, for the run's log, which begins later."""
    kept: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    handler, logger = Keeping(), logging.getLogger(LOADING)
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)


def _deployment(house: Instance, run: FlowRun, ordered: OrderedRun) -> Deployment:
    """The run's deployment. Where the order says what may be run, it is the version that says the same, though it was deployed anew since.

    Whoever wrote the order has checked the signature of that; where none is required by the order, but is by the settings here, it is checked here.
    """
    assert run.deployment_id is not None, "a claimed run is of a deployment"
    deployment = house.client.read_deployment(run.deployment_id)
    if ordered.statement is None:
        if house.settings.require_signature:
            checked(deployment, deployment.flow_runner, house.registry)
        return deployment
    if digest_of(deployment) == ordered.statement:
        return deployment
    for version in house.client.read_deployment_versions(run.deployment_id, MOST_VERSIONS):
        if digest_of(version) == ordered.statement:
            return version
    why = "it has been changed since its signature was checked; ask for another run of it"
    raise CodeNotSigned(what=f"deployment {deployment.full_name!r}", why=why)


def _show_what_users_wrote(error: HeadraceError) -> None:
    """The traceback of user code that could not be imported, for the run's log."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, HeadraceError):
        traceback.print_exception(cause)
