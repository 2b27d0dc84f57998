"""A process as others see it: its end, its last words, and how it is stopped when it does not want to be."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import headrace.processes.local_process
import headrace.reference.flow_runner
from headrace.model.orders import ExitStatus
from headrace.processes import ProcessFile, folder_of, held
from headrace.processes.births import born
from headrace.processes.local_process import LocalProcess
from headrace.reference.flow_runner import UniversalFlowRunner
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, SECONDS, Meeting, Stage
from headrace.testing.stand_in import MODULE


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(headrace.reference.flow_runner, "ENGINE", MODULE)
    return Stage({"HEADRACE_HOME": str(tmp_path), "HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS)})


def started(tmp_path: Path, *command: str) -> LocalProcess:
    """A process that cannot begin."""
    file = ProcessFile(tmp_path, "run.1")
    return LocalProcess(file, born([sys.executable, *command], os.environ, folder=tmp_path, errors=file.errors))


def test_last_words(tmp_path: Path) -> None:
    """What a process says before it has a run, and cannot have one, is kept, and told with its exit code."""
    process = started(tmp_path, "-I", "-S", "-m", "headrace.engine")
    assert process.last_words == ""
    assert process.wait(SECONDS) == ExitStatus(1)
    assert "No module named 'headrace'" in process.last_words
    assert os.listdir(tmp_path) == ["run.1.err"]


def test_no_last_words(tmp_path: Path) -> None:
    """What said nothing leaves nothing; a good end leaves nothing at all."""
    assert started(tmp_path, "-c", "raise SystemExit(3)").wait(SECONDS) == ExitStatus(3)
    assert os.listdir(tmp_path) == []
    file = ProcessFile(tmp_path, "run.2")
    with held(file):
        file.errors.write_text("a warning of some library")
        file.write_exit(0)
    process = LocalProcess(file)
    assert process.wait(0) == ExitStatus(0)
    assert process.last_words == ""
    assert os.listdir(tmp_path) == ["run.2.lock"]


def test_no_zombie(tmp_path: Path) -> None:
    """Once its end was told, a child is out of the system's table."""
    child = born([sys.executable, "-c", "pass"], os.environ, folder=tmp_path, errors=tmp_path / "run.1.err")
    assert LocalProcess(ProcessFile(tmp_path, "run.1"), child).wait(SECONDS) == ExitStatus(None)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)


def test_a_child_that_has_told_its_end_and_lives(tmp_path: Path) -> None:
    """A child has ended when it is out of the system's table, not before."""
    with Meeting() as meeting:
        lines = f"""
from pathlib import Path
from headrace.processes import ProcessFile
file = ProcessFile(Path.cwd(), "run.1")
file.hold()
file.write_exit(7)
file.release()
{meeting.lines}
"""
        process = started(tmp_path, "-c", lines)
        meeting.await_one()
        assert ProcessFile(tmp_path, "run.1").exit_status() == ExitStatus(7)
        assert process.wait(0) is None
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(7)


def test_a_supervisor_that_was_killed(stage: Stage, tmp_path: Path) -> None:
    """Its run is killed with it; who started it knows how, and another one does not."""
    with UniversalFlowRunner().open() as opened, Meeting() as meeting:
        order = stage.order(meeting.lines)
        process = opened.start(order)
        meeting.await_one()
        other = LocalProcess(ProcessFile(folder_of(tmp_path), order.identity))
        assert other.wait(0) is None
        pid = ProcessFile(folder_of(tmp_path), order.identity).pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert meeting.all_are_gone()
        assert process.wait(SECONDS) == ExitStatus(-9)
        assert other.wait(SECONDS) == ExitStatus(None)


def test_a_supervisor_that_hangs(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed after the grace and a while, with all that was started under it."""
    monkeypatch.setattr(headrace.processes.local_process, "_LATE_SECONDS", 0.1)
    with UniversalFlowRunner().open() as opened, Meeting() as meeting:
        lines = f"""
            import subprocess, sys
            subprocess.Popen([sys.executable, "-c", {meeting.lines!r}], start_new_session=True)
            exec({meeting.lines!r})
        """
        order = stage.order(lines)
        process = opened.start(order)
        meeting.await_one()
        meeting.await_one()
        pid = ProcessFile(folder_of(tmp_path), order.identity).pid()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        process.stop(0.2)
        assert time.monotonic() - start >= 0.3
        assert process.wait(0) == ExitStatus(-9)
        assert meeting.all_are_gone()


def test_what_never_begins(tmp_path: Path) -> None:
    """A process that hangs before it has its file is stopped too, with what it started."""
    with Meeting() as meeting:
        lines = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {meeting.lines!r}]); exec({meeting.lines!r})"
        process = started(tmp_path, "-c", lines)
        meeting.await_one()
        meeting.await_one()
        process.stop(SECONDS)
        assert process.wait(0) == ExitStatus(-15)
        assert meeting.all_are_gone()


def test_a_number_that_is_somebody_elses(tmp_path: Path) -> None:
    """A process id in a file that nobody holds is not believed: stopping what has ended sends no signal."""
    with Meeting() as meeting:
        bystander = started(tmp_path, "-c", meeting.lines)
        meeting.await_one()
        file = ProcessFile(tmp_path, "gone.1")
        file.path.write_text(f'{{"pid": {bystander._birth.pid}}}\n')  # type: ignore[union-attr]
        LocalProcess(file).stop(SECONDS)
        assert bystander.wait(0) is None
        meeting.end()
        assert bystander.wait(SECONDS) == ExitStatus(None)
