"""A process of this machine for each run, forked from one that is ready or started anew."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs

from headrace.errors import FlowRunnerFailed, InvalidOption
from headrace.model.orders import Order
from headrace.ports.flow_runner import OpenFlowRunner
from headrace.processes.births import Birth, born
from headrace.processes.environment import checked_variables, environment_of, inherited
from headrace.processes.local_process import LocalProcess
from headrace.processes.process_file import ProcessFile, folder_of
from headrace.processes.refusal import why_refused
from headrace.processes.roster import Roster
from headrace.settings import load
from headrace_subprocess import options
from headrace_subprocess.fork_server import ForkServer, NotForked
from headrace_subprocess.options import WHERE
from headrace_subprocess.pythons import Condaenv, Python, PythonAt, ThisPython, Virtualenv

ENGINE = ("-m", "headrace.engine")


class _Open:
    """Starts processes. `why_cold` says why none is forked; where it is None, `server` forks them."""

    def __init__(self, runner: "SubprocessFlowRunner", python: Python, home: Path, *, server: ForkServer | None, why_cold: str) -> None:
        self._runner = runner
        self._python = python
        self._server = server
        self._why_cold = why_cold
        self._roster = Roster(folder_of(home))

    def start(self, order: Order) -> LocalProcess:
        runner = self._runner
        try:
            order = attrs.evolve(
                order,
                folder=None if runner.working_dir is None else options.folder(runner.working_dir),
                memory=options.in_bytes(runner.memory),
                cpu_seconds=runner.cpu_seconds,
            )
            environment = self._python.environment(environment_of(order, runner.env, runner.env_inherit))
            home = _home(environment)
            file = ProcessFile(folder_of(home), order.identity)
            return self._roster.start(file, partial(self._begin, environment, home, file))
        except OSError as error:
            raise FlowRunnerFailed(runner="subprocess", run=order.run_name, why=why_refused(error)) from error
        except InvalidOption as error:
            raise FlowRunnerFailed(runner="subprocess", run=order.run_name, why=str(error)) from error

    def find(self, identity: str) -> LocalProcess | None:
        return self._roster.find(identity)

    def running(self) -> Iterable[str]:
        return self._roster.running()

    def _begin(self, environment: Mapping[str, str], home: Path, file: ProcessFile) -> tuple[Birth, str]:
        try:
            return self._forked(environment, home, file), ""
        except NotForked as error:
            command = [*self._python.command(environment), *ENGINE]
            return born(command, environment, folder=home, errors=file.errors), f"The process of the run was started cold: {error}."

    def _forked(self, environment: Mapping[str, str], home: Path, file: ProcessFile) -> Birth:
        if self._server is None:
            raise NotForked(self._why_cold)
        if not self._server.is_begun:
            self._python.command(environment)  # one that is not there is told, and not tried
            self._server.warm_up()
            raise NotForked("another Python than the agent's runs it, of which no process was ready; one is for the next run")
        differing = self._server.differing(environment)
        if differing:
            raise NotForked(f"{', '.join(differing)} must be set before a Python starts")
        return self._server.fork(environment, folder=home, errors=file.errors)


def _is_this(python: Python) -> bool:
    try:
        return python.path == sys.executable
    except InvalidOption:  # told when it is started
        return False


def _home(environment: Mapping[str, str]) -> Path:
    """Where a process with this environment keeps its file."""
    return load(environment, lenient=True).home


@attrs.frozen(kw_only=True)
class SubprocessFlowRunner:
    """Runs each flow run in a process of the agent's machine. While it is open, a process with headrace loaded is kept ready to fork from."""

    env: Mapping[str, str] = attrs.field(
        factory=dict, validator=checked_variables, hash=False, metadata={"meaning": "variables in the environment of the run's process"}
    )
    virtualenv: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(os.fspath),
        validator=options.absolute,
        metadata={"meaning": "the folder of a virtual environment whose Python runs the flow"},
    )
    condaenv: str | None = attrs.field(
        default=None, metadata={"meaning": "a conda environment whose Python runs the flow: its name, or its path if it begins with / or ~"}
    )
    python: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(os.fspath),
        validator=options.absolute,
        metadata={"meaning": "the path of the Python that runs the flow; None: the agent's own"},
    )
    working_dir: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(os.fspath),
        validator=options.absolute,
        metadata={"meaning": "a folder of this machine in which the flow works; None: one of the run's own, with its code in it"},
    )
    env_inherit: Sequence[str] | None = attrs.field(
        default=None,
        converter=options.listed,
        validator=options.patterns,
        metadata={"meaning": "the variables that the run gets from its agent, by names in which * stands for anything; None: all"},
    )
    memory: int | str | None = attrs.field(
        default=None,
        validator=options.memory,
        metadata={"meaning": "how much memory each process of the run may have, such as 512MB; None: no limit"},
    )
    cpu_seconds: int | None = attrs.field(
        default=None,
        validator=options.seconds,
        metadata={"meaning": "how many seconds of processors each process of the run may use; None: no limit"},
    )
    stream_output: bool = attrs.field(
        default=False, validator=options.truth, metadata={"meaning": "show what the run says with what the agent says"}
    )
    warm: bool = attrs.field(
        default=True, validator=options.truth, metadata={"meaning": "fork from a process that is kept ready, where that is possible"}
    )

    def __attrs_post_init__(self) -> None:
        chosen = [name for name in ("virtualenv", "condaenv", "python") if getattr(self, name) is not None]
        if len(chosen) > 1:
            why = f"{chosen[0]} is chosen too, and a flow is run by one Python"
            raise InvalidOption(where=WHERE, option=chosen[1], value=getattr(self, chosen[1]), why=why)
        if self.condaenv == "":
            raise InvalidOption(where=WHERE, option="condaenv", value="", why="it must be a name or a path")

    @property
    def interpreter(self) -> str | None:
        """Raises InvalidOption where there is no such Python on this machine."""
        return self._python().path

    def _python(self) -> Python:
        if self.virtualenv is not None:
            return Virtualenv(self.virtualenv)
        if self.condaenv is not None:
            return Condaenv(self.condaenv)
        return ThisPython() if self.python is None else PythonAt(self.python)

    @contextmanager
    def open(self) -> Iterator[OpenFlowRunner]:
        home, python, why_cold = _home({**os.environ, **self.env}), self._python(), self._why_cold()
        if why_cold:
            yield _Open(self, python, home, server=None, why_cold=why_cold)
            return
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = python.environment(inherited(self.env_inherit))
        server = ForkServer(home, environment, lambda: python.command(environment)[0])
        try:
            if _is_this(python):  # another one is made ready when it is first wanted
                server.warm_up()
            yield _Open(self, python, home, server=server, why_cold="")
        finally:
            server.close()

    def _why_cold(self) -> str:
        """Why no run of this runner can be forked; empty where it can."""
        if not self.warm:
            return "its flow runner says so, by warm=False"
        if self.condaenv is not None:
            return "conda starts it"
        return "" if hasattr(os, "fork") else "this system cannot fork"
