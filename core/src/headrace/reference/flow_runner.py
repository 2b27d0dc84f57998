"""The reference flow runner: a process of this machine for each run, started when it is asked for."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import Order
from headrace.ports.flow_runner import OpenFlowRunner
from headrace.processes.births import Birth, born
from headrace.processes.environment import checked_variables, environment_of
from headrace.processes.local_process import LocalProcess
from headrace.processes.process_file import ProcessFile, folder_of
from headrace.processes.refusal import why_refused
from headrace.processes.roster import Roster
from headrace.settings import load

ENGINE = ("-m", "headrace.engine")


class _Plain:
    """Starts processes with the Python of this one."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self._own = own
        self._roster = Roster(folder_of(_home({**os.environ, **own})))

    def start(self, order: Order) -> LocalProcess:
        environment = environment_of(order, self._own)
        home = _home(environment)
        file = ProcessFile(folder_of(home), order.identity)
        try:
            return self._roster.start(file, partial(_begin, environment, home, file))
        except OSError as error:
            raise FlowRunnerFailed(runner="universal", run=order.run_name, why=why_refused(error)) from error

    def find(self, identity: str) -> LocalProcess | None:
        return self._roster.find(identity)

    def running(self) -> Iterable[str]:
        return self._roster.running()


def _begin(environment: Mapping[str, str], home: Path, file: ProcessFile) -> tuple[Birth, str]:
    return born([sys.executable, *ENGINE], environment, folder=home, errors=file.errors), ""


def _home(environment: Mapping[str, str]) -> Path:
    """Where a process with this environment keeps its file."""
    return load(environment, lenient=True).home


@attrs.frozen(kw_only=True)
class UniversalFlowRunner:
    """Leaves it to the agent where the run's process lives. Opened by itself, it starts a process of this machine."""

    env: Mapping[str, str] = attrs.field(
        factory=dict, validator=checked_variables, hash=False, metadata={"meaning": "variables in the environment of the run's process"}
    )

    @property
    def interpreter(self) -> str | None:
        return sys.executable

    @contextmanager
    def open(self) -> Iterator[OpenFlowRunner]:
        yield _Plain(self.env)
