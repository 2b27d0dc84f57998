"""The file of a process: one holds it, everybody sees who does and how that ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.model.orders import ExitStatus
from headrace.processes import Look, ProcessFile, folder_of, held


@pytest.fixture
def file(tmp_path: Path) -> ProcessFile:
    return ProcessFile(folder_of(tmp_path), "run.1")


@contextmanager
def holder(file: ProcessFile) -> "Iterator[subprocess.Popen[str]]":
    """Another process that holds it."""
    program = (
        "import sys; from pathlib import Path; from headrace.processes import ProcessFile; "
        "file = ProcessFile(Path(sys.argv[1]), sys.argv[2]); print(file.hold(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(file.path.parent), file.identity]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process


def test_where_it_is(file: ProcessFile, tmp_path: Path) -> None:
    """It lies in the home, named by the identity, for its owner's eyes only."""
    with held(file):
        assert file.path == tmp_path / "processes" / "run.1.lock"
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_nobody(file: ProcessFile) -> None:
    """Where there is no file, or no folder, nobody holds it and nothing is known."""
    assert (file.look(), file.is_held(), file.pid(), file.exit_status()) == (Look(), False, None, ExitStatus(None))
    file.remove()


def test_one_holds_it(file: ProcessFile) -> None:
    """While a process holds it, no other gets hold of it, and all see which it is."""
    with holder(file) as process:
        assert (file.is_held(), file.pid(), file.exit_status()) == (True, process.pid, ExitStatus(None))
        assert not file.hold()
        file.remove()
        assert file.is_held()


def test_it_tells_the_end(file: ProcessFile) -> None:
    """What its holder has written in the end is told when it is held no more; and nobody is to begin again."""
    with held(file) as is_held:
        assert is_held
        file.write_exit(-9)
        assert file.is_held()
    assert file.look() == Look(pid=os.getpid(), code=-9)
    assert (file.pid(), file.exit_status()) == (None, ExitStatus(-9))
    assert not file.hold()
    file.remove_lost()
    assert file.exit_status() == ExitStatus(-9)
    file.remove()
    assert file.look() == Look()


def test_of_one_that_was_killed(file: ProcessFile) -> None:
    """Nobody knows how it ended, and another process may begin, in a file that has nothing of the first."""
    with holder(file) as process:
        process.send_signal(signal.SIGKILL)
    assert file.look() == Look(pid=process.pid)
    before = file.path.stat().st_ino, file.path.open("rb")
    with held(file) as is_held:
        assert is_held
        assert file.pid() == os.getpid()
        assert file.path.stat().st_ino != before[0]
    before[1].close()
    file.remove_lost()
    assert file.look() == Look()


def test_a_forked_child_gives_up_its_share_only(file: ProcessFile) -> None:
    """The parent goes on holding it when the child has released it, and nobody does when the parent has ended, though the child lives."""
    program = """
import os, sys
from pathlib import Path
from headrace.processes import ProcessFile
file = ProcessFile(Path(sys.argv[1]), sys.argv[2])
file.hold()
if os.fork() == 0:
    file.release()
    print("released", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(file.path.parent), file.identity]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "released\n"
        assert file.pid() == process.pid
        process.kill()
        process.wait()
        assert not file.is_held()
        assert process.stdin is not None
        process.stdin.close()  # the child ends
        assert process.stdout.read() == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"exit": 1}', "\0\0"])
def test_half_written(file: ProcessFile, content: str) -> None:
    """What cannot be read says nothing, and keeps nobody from holding it."""
    file.path.parent.mkdir()
    file.path.write_text(content)
    assert file.look() == Look()
    with held(file) as is_held:
        assert is_held


def test_looks_keep_nobody_from_it(tmp_path: Path) -> None:
    """However many look at it, whoever is the only one to want it gets it, and can remove it."""
    files = [ProcessFile(tmp_path, f"run-{number}.1") for number in range(30)]
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            for file in files:
                file.look()

    with ThreadPoolExecutor(4) as pool:
        lookers = [pool.submit(look) for _ in range(4)]
        try:
            for file in files:
                with held(file) as is_held:
                    assert is_held
                    assert file.pid() == os.getpid()
                    file.write_exit(0)
                file.remove()
        finally:
            is_over.set()
        assert [looker.result() for looker in lookers] == [None] * 4
    assert os.listdir(tmp_path) == []


class Replaced(ProcessFile):
    """A file that another process removes and makes anew between the moment in which it is opened and the one in which it is locked."""

    def __init__(self, folder: Path, identity: str, *, now: str) -> None:
        super().__init__(folder, identity)
        self._now: str | None = now

    def _is_named(self, descriptor: int) -> bool:
        if self._now is not None:
            self.path.unlink()
            self.path.write_text(self._now)
            self._now = None
        return super()._is_named(descriptor)


def test_a_file_that_is_replaced_is_looked_at_again(tmp_path: Path) -> None:
    """What is told is what the file of that name says, not one that had it."""
    (tmp_path / "run.1.lock").write_text('{"pid": 1, "exit": 7}\n')
    assert Replaced(tmp_path, "run.1", now="").look() == Look()


def test_a_file_that_is_replaced_is_not_held(tmp_path: Path) -> None:
    """Who holds it holds the one of that name."""
    (tmp_path / "run.1.lock").write_text("")
    with held(Replaced(tmp_path, "run.1", now="")) as is_held:
        assert is_held
        assert ProcessFile(tmp_path, "run.1").pid() == os.getpid()


def test_a_file_that_is_replaced_is_not_removed(tmp_path: Path) -> None:
    """What was to be removed is gone already, and the file that has its name now tells of another process."""
    (tmp_path / "run.1.lock").write_text('{"pid": 1}\n')
    Replaced(tmp_path, "run.1", now='{"pid": 2, "exit": 0}\n').remove_lost()
    assert ProcessFile(tmp_path, "run.1").look() == Look(pid=2, code=0)


def test_never_two(file: ProcessFile) -> None:
    """However many want it, and remove it, two never hold it at the same time."""
    inside: list[int] = []
    most: list[int] = []

    def want(number: int) -> None:
        for _ in range(100):
            own = ProcessFile(file.path.parent, file.identity)
            if own.hold():
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)
                own.release()

    def remove(_: int) -> None:
        for _ in range(1000):
            ProcessFile(file.path.parent, file.identity).remove()

    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(want, number) for number in range(3)] + [pool.submit(remove, number) for number in range(2)]
        assert [each.result() for each in done] == [None] * 5
    assert set(most) == {1}
