"""What the process of a claimed run does: it gets the code, and lives the run."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from headrace import instance
from headrace.engine.deployed_life import DeployedLife
from headrace.engine.drive import drive, drive_async
from headrace.engine.ready import Ready
from headrace.engine.terminated import Terminated, terminate
from headrace.engine.working_folders import working_folder
from headrace.errors import HeadraceError, RunStopped
from headrace.instance import Instance
from headrace.model.definitions import FlowDefinition
from headrace.model.moves import Move
from headrace.model.orders import OrderedRun
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.packaging.fetching import fetched_flow
from headrace.packaging.loading import LOADING

ENDED, STOPPED, CRASHED = 0, 3, 1


def run_deployed(run: OrderedRun, ready: Ready) -> int:
    """Runs it to its end, whatever that is, and says so; the exit code is 0 unless the run could not be ended here."""
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with instance.open(ready.settings, registry=ready.registry, runs_code=True) as house:
        claimed = house.client.read_flow_run(run.run_id)
        if claimed.epoch != run.epoch or claimed.state.is_terminal():
            print(f"the run is not to be run here: it is {claimed.state.name}, in epoch {claimed.epoch}", file=sys.stderr)
            return STOPPED
        try:
            return _lived(house, claimed)
        except RunStopped as stop:
            print(stop, file=sys.stderr)
            return STOPPED
        except (Terminated, KeyboardInterrupt):
            return CRASHED
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else CRASHED


def _lived(house: Instance, run: FlowRun) -> int:
    try:
        with _remarks_kept() as remarks:
            definition = _definition(house, run)
    except HeadraceError as error:
        _show_what_users_wrote(error)
        print(f"error: {error}", file=sys.stderr)
        state = State.failed(message=f"The flow could not be got from its deployment: {error}")
        house.client.move_flow_run(Move(id=f"{run.id}:{run.epoch}:code", run_id=run.id, state=state, epoch=run.epoch))
        return ENDED
    if definition.is_async:
        import asyncio

        asyncio.run(_lived_on_loop(house, definition, run, remarks))
    else:
        life = DeployedLife(house, definition, run, remarks=remarks)
        drive(life.life(), life.loop)
    return ENDED


async def _lived_on_loop(house: Instance, definition: FlowDefinition, run: FlowRun, remarks: list[str]) -> None:
    import asyncio

    life = DeployedLife(house, definition, run, remarks=remarks, user_loop=asyncio.get_running_loop())
    await drive_async(life.life())


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


def _definition(house: Instance, run: FlowRun) -> FlowDefinition:
    """The flow of the run's deployment, loaded into this process, whose working folder is the run's own."""
    assert run.deployment_id is not None, "a claimed run is of a deployment"
    deployment = house.client.read_deployment(run.deployment_id)
    folder = working_folder(house.settings.home, f"{run.id}.{run.epoch}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(folder)
    definition: FlowDefinition = fetched_flow(house, deployment.code, folder, what=deployment.full_name).definition
    return definition


def _show_what_users_wrote(error: HeadraceError) -> None:
    """The traceback of user code that could not be imported, for the run's log."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, HeadraceError):
        traceback.print_exception(cause)
