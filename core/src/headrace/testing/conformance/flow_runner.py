"""What every flow runner does."""

import json
import os
import select
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Any, NoReturn, Self

import attrs
import pytest

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import VARIABLE, ExitStatus, Order
from headrace.ports.flow_runner import Arrives, FlowRunner, OpenFlowRunner, Process
from headrace.testing.conformance.facts import Facts
from headrace.testing.stand_in import LINES

SECONDS = 60
"""How long a test waits for what should come at once."""

GRACE_SECONDS = 0.3
"""The grace that processes of the tests give their runs."""


class Meeting:
    """Processes come to it and wait, until it is over; it sees who has come, and who has ended."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.settimeout(SECONDS)
        self._guests: list[socket.socket] = []
        self.lines = dedent(f"""
            import socket
            with socket.create_connection({self._listener.getsockname()!r}, timeout={2 * SECONDS}) as meeting:
                meeting.sendall(b"here")
                meeting.recv(1)
        """)
        return self

    def await_one(self) -> None:
        """Returns when one more process has come."""
        guest, _ = self._listener.accept()
        guest.settimeout(SECONDS)
        self._guests.append(guest)
        assert guest.recv(4) == b"here"

    def has_more(self) -> bool:
        """Whether another one has come that nobody waited for."""
        self._listener.settimeout(0)
        try:
            self._guests.append(self._listener.accept()[0])
        except BlockingIOError:
            return False
        finally:
            self._listener.settimeout(SECONDS)
        return True

    def all_are_gone(self) -> bool:
        """Whether all who have come have ended, in the next moment at the latest."""
        try:
            return all(guest.recv(1) == b"" for guest in self._guests)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def end(self) -> None:
        """Lets them go on."""
        for guest in self._guests:
            with suppress(OSError):
                guest.sendall(b"!")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._listener.close()
        for guest in self._guests:
            guest.close()


@attrs.define
class Stage:
    """Makes orders of processes that run a few lines of Python, as the user's code in them."""

    environment: dict[str, str]
    made: int = 0

    def order(self, lines: str, **variables: str) -> Order:
        """An order for a new run."""
        self.made += 1
        environment = {**self.environment, LINES: dedent(lines), **variables}
        return Order(run_id=f"run-{self.made}", run_name=f"certain-cormorant-{self.made}", epoch=1, environment=environment)


def _starting_programs(meeting: Meeting) -> str:
    """Lines that start two programs which come to the meeting, one of them in a session of its own."""
    return dedent(f"""
        import subprocess, sys
        for is_apart in (False, True):
            subprocess.Popen([sys.executable, "-c", {meeting.lines!r}], start_new_session=is_apart)
    """)


def _comes_to_have_begun(process: Process) -> bool:
    """Whether it says so, at once where it does not arrive from elsewhere."""
    until = time.monotonic() + SECONDS
    while isinstance(process, Arrives) and not process.has_begun:
        if process.wait(0.05) is not None or time.monotonic() > until:
            return False
    return True


def _why_not(opened: OpenFlowRunner, order: Order) -> str:
    """What is told of a process that cannot begin: by the refusal to start it, or by itself when it has ended; empty if it can."""
    try:
        process = opened.start(order)
    except FlowRunnerFailed as error:
        return error.why
    return "" if process.wait(SECONDS) in (None, ExitStatus(0)) else process.last_words


def noting(path: Path, word: str) -> str:
    """Lines that add a word to a file."""
    return f"with open({str(path)!r}, 'a') as file: print({word!r}, file=file)\n"


@contextmanager
def starter(flow_runner: FlowRunner, order: Order) -> Iterator["Starter"]:
    """Another process that opens the flow runner and starts the order, as an agent does; it is killed in the end, if not before."""
    steps, told = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads; none of them is needed there
        pid = os.fork()
    if pid == 0:
        _start_and_wait(flow_runner, order, told)
    os.close(told)
    one = Starter(pid, steps)
    try:
        yield one
    finally:
        one.kill()
        os.close(steps)


def _start_and_wait(flow_runner: FlowRunner, order: Order, told: int) -> NoReturn:
    try:
        with flow_runner.open() as opened:
            os.write(told, b"o")
            opened.start(order)
            os.write(told, b"s")
            signal.pause()
    finally:
        os._exit(1)


@attrs.define
class Starter:
    """A process that is killed, and the pipe by which it says how far it has come."""

    pid: int
    steps: int
    is_killed: bool = False

    def await_step(self, step: bytes) -> None:
        """Returns when it has come so far: `o` it has opened the flow runner, `s` it has started the order."""
        assert select.select([self.steps], [], [], SECONDS)[0], "it does not come so far"
        assert os.read(self.steps, 1) == step

    def kill(self) -> None:
        """As nobody can hinder."""
        if not self.is_killed:
            self.is_killed = True
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class FlowRunnerConformance(Facts):
    """Facts about flow runners on the machine of the tests. Override the fixture `flow_runner`; override `stage` if its processes cannot be
    those of `headrace.testing.stand_in`.

    What it can do is declared by fixtures that may be overridden: `at_once`, `unusable` and `said`.
    """

    @pytest.fixture
    def at_once(self) -> int:
        """How many processes a machine of the tests can be asked for at once."""
        return 50

    @pytest.fixture
    def unusable(self) -> FlowRunner | None:
        """A flow runner whose processes cannot begin, as what runs them is not there: an interpreter, an image; None where nothing can be missing."""
        return None

    @pytest.fixture
    def said(self) -> Callable[[Order], list[str]] | None:
        """What a process has printed, by its order, where it is kept; None where nobody keeps it, as of processes without a run."""
        return None

    @pytest.fixture
    def flow_runner(self) -> FlowRunner:
        raise NotImplementedError("override the fixture `flow_runner`; it gives the flow runner to try")

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        """Makes orders."""
        return Stage({"HEADRACE_HOME": str(tmp_path / "home"), "HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS)})

    @pytest.fixture(autouse=True)
    def _at_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))

    @pytest.fixture
    def opened(self, flow_runner: FlowRunner) -> Iterator[OpenFlowRunner]:
        with flow_runner.open() as opened:
            yield opened

    @pytest.fixture
    def meeting(self) -> Iterator[Meeting]:
        with Meeting() as meeting:
            yield meeting

    # Values

    def test_a_flow_runner_is_a_value(self, flow_runner: Any, stage: Stage) -> None:
        """A flow runner equals another one with the same fields, and one value can be open twice at once, and again."""
        assert attrs.evolve(flow_runner) == flow_runner
        with flow_runner.open() as one, flow_runner.open() as other:
            processes = [opened.start(stage.order("pass")) for opened in (one, other)]
            assert [process.wait(SECONDS) for process in processes] == [ExitStatus(0)] * 2
        with flow_runner.open() as again:
            assert again.start(stage.order("pass")).wait(SECONDS) == ExitStatus(0)

    def test_variables_of_its_own(self, flow_runner: Any, stage: Stage, tmp_path: Path) -> None:
        """The variables of the flow runner itself go over those of the order, and leave the order alone."""
        order = stage.order(f"import json, os; json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w'))", COLOUR="red", SIZE="1")
        with attrs.evolve(flow_runner, env={"COLOUR": "blue"}).open() as opened:
            assert opened.start(order).wait(SECONDS) == ExitStatus(0)
        seen = json.loads((tmp_path / "seen").read_text())
        assert (seen["COLOUR"], seen["SIZE"]) == ("blue", "1")

    # Starting

    def test_what_a_process_is_given(self, opened: OpenFlowRunner, stage: Stage, tmp_path: Path) -> None:
        """The order's variables are in the environment, and in nobody's arguments; standard input is empty."""
        lines = f"""
            import json, os, sys
            arguments, pid = [], os.getpid()
            while pid > 1 and os.path.exists(f"/proc/{{pid}}"):
                arguments.append(open(f"/proc/{{pid}}/cmdline").read())
                pid = int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
            seen = dict(environment=dict(os.environ), arguments=arguments, input=os.read(0, 10).decode(), folder=os.getcwd())
            json.dump(seen, open({str(tmp_path / "seen")!r}, "w"))
        """
        order = stage.order(lines, PASSWORD="open sesame")
        process = opened.start(order)
        assert process.identity == order.identity
        assert isinstance(process.remark, str)
        assert process.wait(SECONDS) == ExitStatus(0)
        seen = json.loads((tmp_path / "seen").read_text())
        assert {**seen["environment"], **order.environment} == seen["environment"]
        assert not any(told in arguments for arguments in seen["arguments"] for told in ("open sesame", VARIABLE, order.run_id))
        assert seen["input"] == ""
        assert Path(seen["folder"]) != Path.cwd()

    def test_many_at_once(self, opened: OpenFlowRunner, stage: Stage, tmp_path: Path) -> None:
        """Each of many runs has one process, and tells its own end."""
        orders = [stage.order(noting(tmp_path / "seen", str(number)) + f"import os; os._exit({number})") for number in range(20)]
        processes = [opened.start(order) for order in orders]
        assert [process.identity for process in processes] == [order.identity for order in orders]
        assert [process.wait(SECONDS) for process in processes] == [ExitStatus(number) for number in range(20)]
        assert sorted(map(int, (tmp_path / "seen").read_text().split())) == list(range(20))

    def test_all_at_once(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting, at_once: int) -> None:
        """Many processes live at the same time, soon after they were started."""
        begun = time.monotonic()
        orders = [stage.order(meeting.lines) for _ in range(at_once)]
        processes = [opened.start(order) for order in orders]
        for _ in orders:
            meeting.await_one()
        assert time.monotonic() - begun < SECONDS
        assert sorted(opened.running()) == sorted(order.identity for order in orders)
        meeting.end()
        assert {process.wait(SECONDS) for process in processes} == {ExitStatus(0)}
        assert list(opened.running()) == []

    def test_starting_in_threads(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """Several may be started at the same time, also the same one; a process that has arrived says that it has begun."""
        orders = [stage.order(meeting.lines) for _ in range(4)]
        with ThreadPoolExecutor(8) as threads:
            processes = list(threads.map(opened.start, orders * 2))
        for _ in orders:
            meeting.await_one()
        assert sorted(opened.running()) == sorted(order.identity for order in orders)
        assert all(process.wait(0) is None for process in processes)
        assert all(_comes_to_have_begun(process) for process in processes)
        meeting.end()
        assert {process.wait(SECONDS) for process in processes} == {ExitStatus(0)}
        assert not meeting.has_more()

    def test_what_cannot_begin(self, unusable: FlowRunner | None, stage: Stage) -> None:
        """Where what runs it is not there, that is told in a sentence, which becomes that of the run, and nothing runs."""
        if unusable is None:
            pytest.skip("nothing can be missing here, or no flow runner that misses something is given as `unusable`")
        order = stage.order("pass")
        with unusable.open() as opened:
            assert _why_not(opened, order)
            assert list(opened.running()) == []

    def test_starting_twice_starts_once(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """An identity that was started gives the same process, at once, while it runs, and when it has ended."""
        order = stage.order(meeting.lines)
        processes = [opened.start(order), opened.start(order)]
        meeting.await_one()
        processes.append(opened.start(order))
        assert {process.identity for process in processes} == {order.identity}
        assert list(opened.running()) == [order.identity]
        meeting.end()
        assert [process.wait(SECONDS) for process in processes] == [ExitStatus(0)] * 3
        assert opened.start(order).wait(SECONDS) == ExitStatus(0)
        assert not meeting.has_more()

    def test_two_start_the_same(self, flow_runner: FlowRunner, stage: Stage, meeting: Meeting) -> None:
        """Two agents that start the same identity at the same moment start one process; both see it live, and see it end."""
        order = stage.order(meeting.lines)
        together = threading.Barrier(2)

        def start(opened: OpenFlowRunner) -> Process:
            together.wait(SECONDS)
            return opened.start(order)

        with flow_runner.open() as one, flow_runner.open() as other, ThreadPoolExecutor(2) as pool:
            processes = list(pool.map(start, (one, other)))
            meeting.await_one()
            assert [process.wait(0) for process in processes] == [None, None]
            meeting.end()
            assert [process.wait(SECONDS) for process in processes] == [ExitStatus(0)] * 2
        assert not meeting.has_more()

    # The end

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            ("pass", 0),
            ("import os; os._exit(3)", 3),
            ("import os; os._exit(255)", 255),
            ("import os; os.kill(os.getpid(), 9)", -9),
            ("import os; os.abort()", -6),
        ],
        ids=["well", "by itself", "with the last code", "by a signal", "by a fault"],
    )
    def test_how_it_ended(self, opened: OpenFlowRunner, stage: Stage, lines: str, code: int) -> None:
        """The exit code is told, negative for a signal, as often as it is asked for."""
        process = opened.start(stage.order(lines))
        assert process.wait(SECONDS) == ExitStatus(code)
        assert process.wait(0) == process.wait(SECONDS) == ExitStatus(code)

    def test_waiting(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """A process that lives has not ended, however long one waits, from the first moment on."""
        process = opened.start(stage.order(meeting.lines))
        assert process.wait(0) is None
        meeting.await_one()
        start = time.monotonic()
        assert process.wait(0.2) is None
        assert time.monotonic() - start >= 0.2
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(0)

    def test_stopping(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """A process that obeys ends at once, and so does all that it started."""
        lines = f"""
            import subprocess, sys
            subprocess.Popen([sys.executable, "-c", {meeting.lines!r}])
            exec({meeting.lines!r})
        """
        process = opened.start(stage.order(lines, HEADRACE_GRACE_SECONDS=str(SECONDS)))
        meeting.await_one()
        meeting.await_one()
        process.stop(SECONDS)
        status = process.wait(0)
        assert status is not None
        assert not status.is_clean
        assert meeting.all_are_gone()
        assert list(opened.running()) == []

    def test_stopping_who_does_not_obey(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """A process that does not obey is ended after the grace, with all that it started, in whatever session."""
        lines = f"""
            import signal, subprocess, sys
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            subprocess.Popen([sys.executable, "-c", {meeting.lines!r}], start_new_session=True)
            exec({meeting.lines!r})
        """
        process = opened.start(stage.order(lines))
        meeting.await_one()
        meeting.await_one()
        assert _comes_to_have_begun(process)  # else how it ends may not be known
        process.stop(GRACE_SECONDS)
        assert process.wait(0) == ExitStatus(-9)
        assert meeting.all_are_gone()

    def test_nothing_is_left_of_what_ended_by_itself(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """What its code had started is gone, in whatever session."""
        with Meeting() as own:
            process = opened.start(stage.order(_starting_programs(meeting) + own.lines))
            own.await_one()
            meeting.await_one()
            meeting.await_one()
            own.end()
            assert process.wait(SECONDS) == ExitStatus(0)
            assert meeting.all_are_gone()

    def test_what_it_printed_is_kept(self, opened: OpenFlowRunner, stage: Stage, said: Callable[[Order], list[str]] | None) -> None:
        """Also where it was killed."""
        if said is None:
            pytest.skip("nobody keeps what these processes print")
        for end in ("pass", "os.kill(os.getpid(), 9)"):
            order = stage.order(f"import os; print('printed', flush=True); os.write(2, b'without an end'); {end}")
            assert opened.start(order).wait(SECONDS) is not None
            assert {"printed", "without an end"} <= set(said(order))

    def test_stopping_at_once(self, opened: OpenFlowRunner, stage: Stage) -> None:
        """A process may be stopped when it has hardly begun, and when it has ended."""
        process = opened.start(stage.order("import signal; signal.pause()"))
        process.stop(SECONDS)
        assert process.wait(0) is not None
        process.stop(SECONDS)
        assert list(opened.running()) == []

    # Others

    def test_others_find_it(self, flow_runner: FlowRunner, stage: Stage, meeting: Meeting) -> None:
        """While a process lives, whoever opens the same flow runner finds it, lists it, and learns how it ended."""
        orders = [stage.order(meeting.lines + f"import os; os._exit({number})") for number in range(2)]
        identities = {order.identity for order in orders}
        with flow_runner.open() as one, flow_runner.open() as other:
            assert list(other.running()) == []
            assert other.find(orders[0].identity) is None
            own = [one.start(order) for order in orders]
            assert one.find(orders[0].identity) is not None
            assert set(one.running()) == identities
            meeting.await_one()
            meeting.await_one()
            assert set(other.running()) == identities
            found = other.find(orders[1].identity)
            assert found is not None
            assert (found.identity, found.wait(0), other.find("unknown.1")) == (orders[1].identity, None, None)
            meeting.end()
            assert [process.wait(SECONDS) for process in (*own, found)] == [ExitStatus(0), ExitStatus(1), ExitStatus(1)]
            assert [other.find(order.identity) for order in orders] == [None, None]
            assert list(other.running()) == list(one.running()) == []

    def test_others_stop_it(self, flow_runner: FlowRunner, stage: Stage, meeting: Meeting) -> None:
        """Who finds a process can stop it."""
        order = stage.order(meeting.lines)
        with flow_runner.open() as one, flow_runner.open() as other:
            process = one.start(order)
            meeting.await_one()
            found = other.find(order.identity)
            assert found is not None
            found.stop(SECONDS)
            assert meeting.all_are_gone()
            assert found.wait(0) == process.wait(SECONDS) != ExitStatus(0)

    # What is killed

    @pytest.mark.parametrize("step", ["opened", "started"])
    def test_who_starts_is_killed(self, flow_runner: FlowRunner, stage: Stage, meeting: Meeting, step: str) -> None:
        """Whoever comes next starts what was not started, finds what was, and sees it end: it runs once."""
        order = stage.order(meeting.lines)
        with starter(flow_runner, order) as agent:
            agent.await_step(b"o")
            if step == "started":
                agent.await_step(b"s")
                meeting.await_one()
            agent.kill()  # in the first case that may be anywhere in its start
            with flow_runner.open() as opened:
                found = set(opened.running())
                assert found == {order.identity} if step == "started" else found <= {order.identity}
                process = opened.start(order)
                if step == "opened":
                    meeting.await_one()
                assert process.wait(0) is None
                meeting.end()
                assert process.wait(SECONDS) == ExitStatus(0)
                assert not meeting.has_more()
                assert list(opened.running()) == []

    def test_who_starts_is_killed_at_any_moment(self, flow_runner: FlowRunner, stage: Stage, tmp_path: Path) -> None:
        """Wherever in its start that is, the process runs once."""
        for number in range(4):
            order = stage.order(noting(tmp_path / "seen", str(number)))
            with starter(flow_runner, order) as agent:
                agent.await_step(b"o")
                select.select([agent.steps], [], [], number * 0.01)
                agent.kill()
                with flow_runner.open() as opened:
                    assert opened.start(order).wait(SECONDS) in (ExitStatus(0), ExitStatus(None))
                    assert list(opened.running()) == []
        assert (tmp_path / "seen").read_text().split() == ["0", "1", "2", "3"]

    def test_its_supervisor_is_killed(self, opened: OpenFlowRunner, stage: Stage, meeting: Meeting) -> None:
        """The process has ended, not well, and nothing is left of it, in whatever session. In a container of its own nobody can kill that."""
        kill = "import os, signal; os._exit(77) if os.getppid() == 1 else os.kill(os.getppid(), 9); signal.pause()\n"
        with Meeting() as own:
            process = opened.start(stage.order(_starting_programs(meeting) + own.lines + kill))
            own.await_one()
            meeting.await_one()
            meeting.await_one()
            own.end()
            status = process.wait(SECONDS)
        assert status is not None
        if status == ExitStatus(77):
            pytest.skip("code cannot kill what looks after it here")
        assert not status.is_clean
        assert list(opened.running()) == []
        assert meeting.all_are_gone()

    def test_closing_ends_no_run(self, flow_runner: FlowRunner, stage: Stage, meeting: Meeting) -> None:
        """Runs go on when the flow runner is closed; the next one who opens it finds them, and the process that one has still tells its end."""
        orders = [stage.order(meeting.lines), stage.order(meeting.lines)]
        with flow_runner.open() as opened:
            kept = opened.start(orders[0])
            opened.start(orders[1])
            meeting.await_one()
            meeting.await_one()
        with flow_runner.open() as opened:
            assert set(opened.running()) == {order.identity for order in orders}
            found = opened.find(orders[1].identity)
            assert found is not None
            meeting.end()
            assert found.wait(SECONDS) == kept.wait(SECONDS) == ExitStatus(0)
