"""Who runs in one home, and how what was left behind goes away."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headrace.model.orders import ExitStatus
from headrace.processes import ProcessFile, held
from headrace.processes.births import Birth
from headrace.processes.process_file import Look
from headrace.processes.roster import KEPT_SECONDS, Roster
from headrace.testing.clock import FixedClock


class Unborn:
    """A birth that the test decides about."""

    pid = 0

    def __init__(self) -> None:
        self.is_dead = False
        self.code: int | None = None

    def is_over(self, look: Look) -> bool:
        return self.is_dead


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(tmp_path)


def ended(tmp_path: Path, identity: str, code: int | None) -> ProcessFile:
    """The file of a process that has ended."""
    file = ProcessFile(tmp_path, identity)
    with held(file):
        if code is not None:
            file.write_exit(code)
    return file


def begin(birth: Birth) -> Callable[[], tuple[Birth, str]]:
    return lambda: (birth, "it was cold")


def never() -> tuple[Birth, str]:
    raise AssertionError("it was begun again")


def test_before_it_has_its_file(roster: Roster, tmp_path: Path) -> None:
    """What was just started is found and listed by who started it, and lives; the same start gives the same process."""
    file, birth = ProcessFile(tmp_path, "run.1"), Unborn()
    process = roster.start(file, begin(birth))
    assert (process.identity, process.remark, process.wait(0)) == ("run.1", "it was cold", None)
    assert roster.start(file, never) is process
    assert roster.find("run.1") is process
    assert list(roster.running()) == ["run.1"]
    birth.is_dead = True
    assert roster.find("run.1") is None
    assert list(roster.running()) == []


def test_one_that_never_got_its_file(roster: Roster, tmp_path: Path) -> None:
    """The code that the system gave counts, if there is one."""
    birth = Unborn()
    process = roster.start(ProcessFile(tmp_path, "run.1"), begin(birth))
    birth.is_dead, birth.code = True, 127
    assert process.wait(0) == ExitStatus(127)


def test_one_that_another_was_before(roster: Roster, tmp_path: Path) -> None:
    """A process that ends because another one has the file is not the run's; that one is."""
    birth, file = Unborn(), ProcessFile(tmp_path, "run.1")
    process = roster.start(file, begin(birth))
    with held(ProcessFile(tmp_path, "run.1")) as is_held:
        assert is_held
        birth.is_dead = True
        assert process.wait(0) is None
    assert process.wait(0) == ExitStatus(None)


def test_one_that_begins_and_ends_in_a_moment(tmp_path: Path) -> None:
    """How it ended is told, though it had not begun yet when its file was looked at first, and was over then."""

    class Quick(Unborn):
        def is_over(self, look: Look) -> bool:
            ended(tmp_path, "run.1", 5)
            return True

    process = Roster(tmp_path).start(ProcessFile(tmp_path, "run.1"), begin(Quick()))
    assert process.wait(0) == ExitStatus(5)


def test_one_that_has_told_its_end(roster: Roster, tmp_path: Path) -> None:
    """An identity that ran to its end is not begun again: starting it tells the end, to everybody who does."""
    file = ended(tmp_path, "run.1", 3)
    processes = [roster.start(file, never), Roster(tmp_path).start(file, never)]
    assert roster.find("run.1") is None
    assert [process.wait(0) for process in processes] == [ExitStatus(3)] * 2


def test_one_that_comes_late(roster: Roster, tmp_path: Path) -> None:
    """A second process of an identity that begins when the first has ended, and its end has been told, leaves the run alone."""
    process = roster.start(ended(tmp_path, "run.1", 0), never)
    assert process.wait(0) == ExitStatus(0)
    assert not ProcessFile(tmp_path, "run.1").hold()


def test_one_that_was_killed(roster: Roster, tmp_path: Path) -> None:
    """An identity whose process was killed may be begun again, and what is left of the first process is not taken for the second."""
    file, birth = ended(tmp_path, "run.1", None), Unborn()
    process = roster.start(file, begin(birth))
    assert process.wait(0) is None
    with held(file):
        birth.is_dead = True
        assert process.wait(0) is None
        file.write_exit(0)
    assert process.wait(0) == ExitStatus(0)


def test_what_lives_is_listed(roster: Roster, tmp_path: Path) -> None:
    """Whoever holds a file is listed; who has ended, and what else lies in the folder, is not."""
    ended(tmp_path, "ended.1", 0)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "lives.1.err").write_text("")
    with held(ProcessFile(tmp_path, "lives.1")):
        assert list(roster.running()) == ["lives.1"]
        assert roster.find("lives.1") is not None
    assert roster.find("lives.1") is None


def test_what_is_old_goes(tmp_path: Path) -> None:
    """The files of who ended some minutes ago go in passing, once a minute at most, and never while their process lives."""
    clock = FixedClock(datetime.now(UTC))
    files = [ended(tmp_path, name, 0) for name in ("young", "old", "lives", "later")]
    for file in files:
        file.errors.write_text("a warning")
    files[2].remove()
    files[2].hold()
    age(files[1], clock.now() - timedelta(seconds=KEPT_SECONDS + 1))
    age(files[2], clock.now() - timedelta(seconds=KEPT_SECONDS + 1))
    roster = Roster(tmp_path, clock)
    assert list(roster.running()) == ["lives"]
    assert sorted(os.listdir(tmp_path)) == [f"{name}.{suffix}" for name in ("later", "lives", "young") for suffix in ("err", "lock")]
    age(files[3], clock.now() - timedelta(seconds=KEPT_SECONDS + 1))
    roster.start(ProcessFile(tmp_path, "new"), begin(Unborn()))
    assert files[3].path.exists()
    clock.advance(60)
    roster.start(ProcessFile(tmp_path, "new"), never)
    assert not files[3].path.exists()
    files[2].release()


def age(file: ProcessFile, moment: datetime) -> None:
    """Makes its files as old as that."""
    for path in (file.path, file.errors):
        os.utime(path, (moment.timestamp(), moment.timestamp()))


def test_no_folder(tmp_path: Path) -> None:
    """Where nothing ever ran, nothing runs."""
    assert list(Roster(tmp_path / "none").running()) == []


def test_leftovers_do_not_slow_finding(roster: Roster, tmp_path: Path) -> None:
    """Finding one among a thousand that have ended takes no longer than a moment."""
    for number in range(1000):
        (tmp_path / f"ended-{number}.1.lock").write_text('{"pid": 1, "exit": 0}\n')
    with held(ProcessFile(tmp_path, "lives.1")):
        start = time.perf_counter()
        assert all(roster.find("lives.1") is not None for _ in range(100))
        assert time.perf_counter() - start < 1
        assert list(roster.running()) == ["lives.1"]
