"""What the web API costs: how soon a server answers, what it needs while nobody asks, and how much can be asked of it, over real connections."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from headrace.clock import SystemClock
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.journals import JournalBatch
from headrace.model.logs import LogLine
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.wire.endpoints import endpoints

CONNECTIONS = 4
LINES = 500
"""In a batch."""

Ask = Callable[..., Any]


@contextmanager
def serving(command: str, home: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server of a home, with its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
    whole = [command, "server", "start", "--port", "0", *arguments]
    with subprocess.Popen(whole, env={**environment, "HEADRACE_HOME": str(home)}, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://\S+/api", said := process.stderr.readline())
            assert found is not None, said
            yield process, found[0]
        finally:
            process.terminate()


@contextmanager
def asking(address: str) -> Iterator[Ask]:
    """Asks operations over one connection, which is kept."""
    parts = urlsplit(address)
    with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:

        def ask(name: str, **arguments: Any) -> Any:
            endpoint = endpoints()[name]
            call = endpoint.call(arguments)
            body = None if call.body is None else json.dumps(call.body)
            query = f"?{urlencode(call.query)}" if call.query else ""
            connection.request(call.method, f"{parts.path}{call.path}{query}", body, {"Content-Type": "application/json"} if body else {})
            with connection.getresponse() as answer:
                found = json.load(answer)
                assert answer.status == 200, found
                return found["result"]

        yield ask


def ready(command: str, home: Path) -> float:
    """Seconds from the command to the first answer."""
    start = time.perf_counter()
    with serving(command, home) as (_, address), asking(address) as ask:
        ask("read_agents")
        return time.perf_counter() - start


def idle(command: str, home: Path, seconds: float = 5.0) -> tuple[float, float]:
    """Megabytes, and per cent of a core, of a server that nobody asks."""
    with serving(command, home) as (process, address), asking(address) as ask:
        ask("read_agents")
        before = _cpu_seconds(process.pid)
        time.sleep(seconds)
        used = _cpu_seconds(process.pid) - before
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024, used / seconds * 100


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load:
    """What is asked, of whatever is asked by `ask`."""

    def __init__(self, ask: Ask) -> None:
        self._ids = Ids(SystemClock())
        self._run = self._new_run()
        now = datetime.now(UTC)
        self._queue = WorkQueue(id=self._ids.new(), name=self._ids.new(), created=now, updated=now)
        self._deployment = Deployment(
            id=self._ids.new(),
            name="bench",
            flow_name=f"bench-{self._ids.new()}",
            code=Code(entrypoint="bench:flow"),
            flow_runner=Choice("universal"),
            created=now,
            updated=now,
        )
        ask("create_flow_run", run=self._run, holder="bench")
        ask("put_deployments", deployments=(self._deployment,))
        ask("put_work_queue", queue=self._queue)

    def _new_run(self) -> FlowRun:
        own = self._ids.new()
        now = datetime.now(UTC)
        return FlowRun(id=own, name="bench", state=State.pending(), created=now, flow_name="bench", root_id=own)

    def read(self, ask: Ask) -> None:
        """One run."""
        ask("read_flow_run", run_id=self._run.id)

    def write(self, ask: Ask) -> None:
        """One run that is made."""
        ask("create_flow_run", run=self._new_run())

    def request(self, ask: Ask) -> None:
        """One run that is asked for."""
        ask("request_run", request=RunRequest(id=self._ids.new(), deployment_id=self._deployment.id, name="bench"))

    def claim(self, ask: Ask) -> None:
        """One run that is taken."""
        ask("claim_runs", request=ClaimRequest(id=self._ids.new(), agent_id="bench", queue_ids=(self._queue.id,), limit=1))

    def log(self, ask: Ask) -> None:
        """A batch of lines."""
        now = datetime.now(UTC)
        lines = tuple(
            LogLine(
                id=self._ids.new(),
                flow_run_id=self._run.id,
                timestamp=now,
                level=20,
                logger="bench",
                message=f"line {number} of some length",
            )
            for number in range(LINES)
        )
        ask("write_journal", batch=JournalBatch(flow_run_id=self._run.id, epoch=1, logs=lines))


def over_http(command: str, home: Path, counts: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds each, with several connections at once."""
    with serving(command, home) as (_, address):
        with asking(address) as ask:
            load = Load(ask)
        return {what: _at_once(address, getattr(load, what), count) for what, count in counts.items()}


def _at_once(address: str, question: Callable[[Ask], None], count: int) -> float:
    def some() -> None:
        with asking(address) as ask:
            for _ in range(count // CONNECTIONS):
                question(ask)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        start = time.perf_counter()
        for done in [threads.submit(some) for _ in range(CONNECTIONS)]:
            done.result()
        return (time.perf_counter() - start) / (count // CONNECTIONS * CONNECTIONS) * 1000


def in_process(client: Any, counts: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds each, asked of a client without a wire."""

    def ask(name: str, **arguments: Any) -> Any:
        return getattr(client, name)(**arguments)

    load = Load(ask)
    taken = {}
    for what, count in counts.items():
        start = time.perf_counter()
        for _ in range(count):
            getattr(load, what)(ask)
        taken[what] = (time.perf_counter() - start) / count * 1000
    return taken
