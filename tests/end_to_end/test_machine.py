"""What a machine does to headrace: no room, no right to write, damage, a wrong clock, a reader that is gone, no process more.

Each is told in one sentence with an exit code, or works all the same; and when it is over everything goes on, in a store that is sound.
That leases are judged by a clock that nobody sets, and that stands still while a machine sleeps, is tested in `plugins/headrace-sqlite/tests/test_leases.py`.
"""

import ctypes
import json
import os
import platform
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, Popen
from typing import Any

import pytest
from sqlite_utils import Database

from headrace.testing.privileges import giving_up
from headrace_sqlite.opening import OURS, VERSION
from headrace_sqlite.schema import MIGRATIONS

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOWS = """
import logging
import os
from pathlib import Path

from headrace import flow, task


@task
def twice(number):
    return 2 * number


@flow
def errand():
    return twice(21)


@flow
def many():
    return [future.result() for future in [twice.submit(number) for number in range(3)]]


@flow
def says():
    print("\\u6c34\\u8eca")


@flow
def waiting():
    print("here", flush=True)
    Path(os.environ["BEGUN"]).write_text("begun")
    Path(os.environ["GO_ON"]).read_text()


class Clearing(logging.Handler):
    def emit(self, record):
        if "waits, for" in record.getMessage():
            ballast().unlink(missing_ok=True)


def ballast():
    return Path(os.environ["HEADRACE_HOME"], "ballast")


@flow(persist_result=True)
def filling():
    logging.getLogger("headrace").addHandler(Clearing())
    try:
        with open(ballast(), "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    return "x" * 20_000


if __name__ == "__main__":
    print(errand())
"""

SPECS = """
from headrace.deployments import DeploymentSpec

for name in ("errand", "many", "says", "waiting", "filling"):
    DeploymentSpec(name=name, flow_location="flows.py", flow_name=name)
"""

CLOCK = """
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import headrace.clock


class SetClock(headrace.clock.SystemClock):
    def now(self):
        return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ["CLOCK_IS_AHEAD"]).read_text()))


headrace.clock.SystemClock = SetClock
"""
"""Put in the place of the clock of a machine, which no test may set, when a Python starts; nothing else of headrace reads the time."""

KILLED = """
import os
import signal
import sys
from pathlib import Path

OF_THE_STORE = ("headrace_sqlite.opening", "headrace_sqlite.schema", "sqlite_utils.")
seen, number, when = 0, int(os.environ["KILLED_AT"]), {"before": "c_call", "after": "c_return"}[os.environ["KILLED"]]


def look(frame, event, called):
    global seen
    if not event.startswith("c_") or called.__name__ != "execute":
        return
    if frame.f_globals.get("__name__", "").startswith(OF_THE_STORE):
        seen += event == "c_call"
        Path(os.environ["STATEMENTS"]).write_text(str(seen))
        if (seen, event) == (number, when):
            os.kill(os.getpid(), signal.SIGKILL)


sys.setprofile(look)
"""
"""Kills a process before or after a statement of its SQLite, the first time that it opens a store."""

Preparing = Callable[[], None]


class Shell:
    """A home, a folder with flows, and the command line."""

    def __init__(self, folder: Path, home: Path | str) -> None:
        self.folder, self.home = folder, Path(home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = kept | {"HEADRACE_HOME": str(home), "TZ": "UTC"}
        (folder / "flows.py").write_text(FLOWS)
        (folder / "specs.py").write_text(SPECS)

    def process(self, *arguments: str, prepare: Preparing | None = None, **streams: Any) -> "Popen[str]":
        """`headrace` with these arguments; `script` is a script that calls a flow."""
        command = [sys.executable, str(self.folder / "flows.py")] if arguments == ("script",) else [COMMAND, *arguments]
        streams = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE} | streams
        return Popen(command, env=self.environment, cwd=self.folder, text=True, preexec_fn=prepare, **streams)  # noqa: PLW1509

    def __call__(self, *arguments: str, code: int = 0, prepare: Preparing | None = None) -> "CompletedProcess[str]":
        return self.ended(self.process(*arguments, prepare=prepare), code=code)

    def ended(self, process: "Popen[str]", *, code: int = 0) -> "CompletedProcess[str]":
        with process:
            said, complained = process.communicate(timeout=SECONDS)
        assert process.returncode == code, (process.args, said, complained)
        assert "Traceback" not in f"{said}{complained}"
        assert "bug" not in f"{complained}"
        return CompletedProcess(process.args, process.returncode, said, complained)

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def run(self, deployment: str, *more: str) -> str:
        """Asks for a run; its id."""
        return str(self.json("deployment", "run", f"{deployment}/{deployment}", *more)["id"])

    def state(self, run: str) -> str:
        return str(self.json("flow-run", "inspect", run)["state"])

    def all_say(self, words: str, *commands: str, prepare: Preparing | None = None) -> None:
        """Each of them fails, all at the same time, with one sentence in which these words are."""
        processes = {command: self.process(*command.split(), prepare=prepare) for command in commands}
        for command, process in processes.items():
            (line,) = self.ended(process, code=1).stderr.splitlines()
            assert line.startswith("error: "), (command, line)
            assert words in line, (command, line)

    def goes_on(self) -> None:
        """Nothing is broken, the run that was asked for at first is done by an agent, and a script by itself."""
        assert self.json("store", "check")["is_sound"]
        (run,) = (row["id"] for row in self.json("flow-run", "ls", "--state", "Scheduled"))
        self("agent", "start", "q", "--run-once")
        assert self.state(run) == "Completed"
        assert self("script").stdout == "42\n"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a script has run, with deployments, a work queue, and a run that waits for an agent; tests copy it."""
    folder = tmp_path_factory.mktemp("lived")
    shell = Shell(folder, folder / "home")
    shell("script")
    shell("deployment", "create", "specs.py")
    shell("work-queue", "create", "q")
    shell.run("errand")
    return shell.home


@pytest.fixture
def shell(lived_in: Path, tmp_path: Path) -> Shell:
    shutil.copytree(lived_in, tmp_path / "home")
    return Shell(tmp_path, tmp_path / "home")


# Disks


class Disk:
    """A small disk of its own; it needs the right to mount."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=4m,mode=0700", "headrace", str(path))

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"only root may mount a disk: {done.stderr.strip()}")

    def fill(self) -> None:
        with open(self.path / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def clear(self) -> None:
        (self.path / "ballast").unlink()

    def make_read_only(self) -> None:
        self._mount("-o", "remount,ro", str(self.path))

    def make_writable(self) -> None:
        self._mount("-o", "remount,rw", str(self.path))

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True, timeout=SECONDS)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.remove()


@pytest.fixture
def on_disk(lived_in: Path, tmp_path: Path, disk: Disk) -> Shell:
    """The home is a disk of its own."""
    shutil.copytree(lived_in, disk.path, dirs_exist_ok=True)
    return Shell(tmp_path, disk.path)


FULL = "headrace.db cannot be used: its disk is full; make room and try again"
READING = ("flow-run ls", "agent ls")
WRITING = ("deployment create specs.py", "deployment run errand/errand", "work-queue create z")
RUNNING = ("script", "agent start q --run-once", "deployment execute errand/errand")


def test_a_disk_that_is_full(on_disk: Shell, disk: Disk) -> None:
    """Every command says so; with room again everything goes on."""
    disk.fill()
    on_disk.all_say(FULL, *READING, *WRITING, *RUNNING, "store check", f"store backup {on_disk.folder / 'copy.db'}")
    on_disk.all_say("profiles.toml cannot be written: No space left on device", "config set HEADRACE_LOG_LEVEL=DEBUG")
    assert "its disk is full" in on_disk("doctor", code=1).stdout
    disk.clear()
    on_disk.goes_on()


def test_a_disk_that_is_full_at_first(tmp_path: Path, disk: Disk) -> None:
    """No store can be made; with room again it is."""
    shell = Shell(tmp_path, disk.path)
    disk.fill()
    shell.all_say(FULL, "script", "flow-run ls", "deployment create specs.py", "work-queue create q")
    disk.clear()
    assert shell("script").stdout == "42\n"
    assert [row["state"] for row in shell.json("flow-run", "ls")] == ["Completed"]


def test_a_copy_for_which_there_is_no_room(shell: Shell, disk: Disk) -> None:
    """Its place is named, not that of the store, and nothing is left there."""
    disk.fill()
    shell.all_say(f"cannot be copied to {disk.path / 'copy.db'}: its disk is full", f"store backup {disk.path / 'copy.db'}")
    assert os.listdir(disk.path) == ["ballast"]


def test_a_disk_that_a_run_fills(on_disk: Shell) -> None:
    """The run waits for room, and completes; the agent, too, goes on."""
    run = on_disk.run("filling")
    on_disk("agent", "start", "q", "--run-once")
    assert on_disk.state(run) == "Completed"
    assert "The run waits, for 600 seconds at most" in on_disk("flow-run", "logs", run).stdout
    assert on_disk.json("store", "check")["is_sound"]


def test_a_disk_that_is_full_while_an_agent_waits(on_disk: Shell, disk: Disk) -> None:
    """It says so once, and with room again it takes and starts what is due."""
    on_disk("agent", "start", "q", "--run-once")
    on_disk.environment |= {"HEADRACE_LEASE_SECONDS": "2", "HEADRACE_RENEW_SECONDS": "0.1"}
    agent = on_disk.process("agent", "start", "q")
    until(agent, "Agent ")
    disk.fill()
    until(agent, "The orchestration cannot be asked now, and is asked again: ")
    disk.clear()
    run = on_disk.run("errand")
    until(agent, "ended in state Completed()")
    agent.send_signal(signal.SIGTERM)
    on_disk.ended(agent)
    assert on_disk.state(run) == "Completed"
    assert on_disk.json("store", "check")["is_sound"]


def test_a_script_that_gives_up_a_full_disk(on_disk: Shell, disk: Disk) -> None:
    """It has waited for as long as it is set; it says in a line what it did not get, and where it was called."""
    (on_disk.folder / "call.py").write_text("from flows import Clearing, filling\n\nClearing.emit = lambda *_: None\nfilling()\n")
    environment = {**on_disk.environment, "HEADRACE_OUTAGE_SECONDS": "0.1"}
    done = subprocess.run(
        [sys.executable, "call.py"], env=environment, cwd=on_disk.folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: the storage at folder {disk.path / 'storage'} cannot be used: No space left on device; make room")
    assert last.endswith(f"({on_disk.folder / 'call.py'}, line 4)")
    disk.clear()
    on_disk.goes_on()


def test_a_disk_that_may_only_be_read(on_disk: Shell, disk: Disk) -> None:
    """What needs the store says so; what does not, works, and so does a copy to another disk."""
    (first,) = (row["id"] for row in on_disk.json("flow-run", "ls", "--state", "Completed"))
    disk.make_read_only()
    words = "headrace.db cannot be used: its disk may only be read; mount it so that it can be written, or choose another path"
    of_a_run = (f"flow-run {verb} {first}" for verb in ("logs", "delete"))
    on_disk.all_say(words, *READING, *WRITING, *RUNNING, "store check", *of_a_run)
    on_disk.all_say("cannot be written: Read-only file system", "config set HEADRACE_LOG_LEVEL=DEBUG", "profile create p")
    for command in (("version",), ("plugins",), ("config", "view"), ("store", "backup", str(on_disk.folder / "copy.db"))):
        on_disk(*command)
    assert words in on_disk("doctor", code=1).stdout
    disk.make_writable()
    on_disk.goes_on()


def test_a_home_that_may_only_be_read(shell: Shell) -> None:
    """By whoever calls, who may not write into it nor to what is in it."""
    below = [shell.home, *shell.home.rglob("*")]
    modes = {path: path.stat().st_mode for path in below}
    for path in below:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        words = "headrace.db cannot be used: its file or folder may not be written; change its permissions, or choose another path"
        shell.all_say(words, *READING, *WRITING, *RUNNING, "store check", prepare=giving_up())
        shell.all_say("cannot be written: Permission denied", "config set HEADRACE_LOG_LEVEL=DEBUG", prepare=giving_up())
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    shell.goes_on()


# Files


def overwritten(path: Path, at: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def becomes_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def becomes_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


DAMAGED = "its file is damaged; move it away, or put a copy in its place"
FAULTS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "header": (
        lambda path: overwritten(path, 0, b"\x5a\xa5" * 50),
        "it is no SQLite database; move the file away, and a new store is made",
    ),
    "middle": (lambda path: overwritten(path, 4096, b"\xff" * (path.stat().st_size - 4096)), DAMAGED),
    "cut short": (lambda path: os.truncate(path, path.stat().st_size // 2), DAMAGED),
    "cut short within a page": (lambda path: os.truncate(path, path.stat().st_size // 2 + 77), DAMAGED),
    "newer": (becomes_newer, f"was written by a newer headrace (schema 99, this one knows {VERSION}); upgrade headrace-sqlite"),
    "folder": (becomes_folder, "a folder lies in its place; move it away, or choose another path"),
    "unreadable": (lambda path: path.chmod(0), "its file cannot be opened; look at the permissions and the kind of what lies there"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_store(shell: Shell, fault: str) -> None:
    """Whoever opens it says what is wrong with it, and leaves it as it is; with the copy in its place all goes on."""
    damage, words = FAULTS[fault]
    file, copy = shell.home / "headrace.db", shell.folder / "copy.db"
    shutil.copy2(file, copy)
    damage(file)
    content = None if fault == "folder" else file.read_bytes()
    prepare = giving_up() if fault == "unreadable" else None
    shell.all_say(words, "flow-run ls", "deployment run errand/errand", "script", "agent start q --run-once", prepare=prepare)
    assert words in shell("store", "check", code=1, prepare=prepare).stderr
    assert words in shell("doctor", code=1, prepare=prepare).stdout
    assert content is None or file.read_bytes() == content
    if fault == "folder":
        file.rmdir()
    for name in ("headrace.db-wal", "headrace.db-shm"):
        (shell.home / name).unlink(missing_ok=True)
    shutil.copy2(copy, file)
    file.chmod(0o600)
    assert len(shell.json("flow-run", "ls")) == 2
    assert shell.json("store", "check")["is_sound"]


def test_a_file_with_nothing_in_it(shell: Shell) -> None:
    """It becomes a store."""
    os.truncate(shell.home / "headrace.db", 0)
    assert shell.json("store", "check")["is_sound"]
    shell("deployment", "create", "specs.py")
    shell("work-queue", "create", "q")
    shell.run("errand")
    shell.goes_on()


# Stores of earlier releases

EARLIER = range(1, VERSION)
"""The schemas that there were; each has seen as many migrations."""


def as_of_version(path: Path, version: int) -> None:
    """A file of an earlier release, with all that it can hold of what is in this one."""
    new = path.with_name("new.db")
    path.rename(new)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        database = Database(old, execute_plugins=False, recursive_triggers=False)
        first_of_later = MIGRATIONS.pending(database)[version].name
        old.execute("BEGIN IMMEDIATE")
        MIGRATIONS.apply(database, stop_before=first_of_later)
        old.execute(f"PRAGMA application_id = {OURS}")
        old.execute(f"PRAGMA user_version = {version}")
        old.execute("COMMIT")
        old.execute("ATTACH ? AS new", (str(new),))
        tables = [name for (name,) in old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'") if name[0] != "_"]
        for table in tables:
            columns = ", ".join(name for name in columns_of(old, "main", table) if name in columns_of(old, "new", table))
            old.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
    new.unlink()


def columns_of(connection: sqlite3.Connection, schema: str, table: str) -> list[str]:
    """Those that are written; others are made of them."""
    return [name for _, name, *_, hidden in connection.execute(f"PRAGMA {schema}.table_xinfo({table})") if not hidden]


def kept(shell: Shell) -> Any:
    """All that the command line tells of what an old store has."""
    # The first release had no deployments; and who waits is late sooner or later.
    runs = [run | {"deployment_name": None, "late_seconds": None} for run in shell.json("flow-run", "ls")]
    (done,) = (run["id"] for run in runs if run["state"] == "Completed")
    return runs, shell.json("flow-run", "logs", done), shell.json("task-run", "ls")


@pytest.mark.parametrize("version", EARLIER)
def test_an_old_store_that_two_commands_open_at_once(shell: Shell, version: int) -> None:
    """Both work, all that was there is there, and what is new works with it."""
    before = kept(shell)
    as_of_version(shell.home / "headrace.db", version)
    processes = [shell.process("flow-run", "ls", "--json") for _ in range(2)]
    for process in processes:
        assert len(json.loads(shell.ended(process).stdout)) == 2
    assert kept(shell) == before
    if version == 1:  # it had neither deployments nor queues, and a run of a deployment that nobody knows waits for ever
        shell("flow-run", "delete", *(run["id"] for run in before[0] if run["state"] == "Scheduled"))
        shell("deployment", "create", "specs.py")
        shell("work-queue", "create", "q")
        shell.run("errand")
    shell.goes_on()


def test_an_upgrade_that_is_killed(shell: Shell) -> None:
    """In the middle, or before its last statement, it leaves the file as old as it was; after that, new. All is there that was in it."""
    before = kept(shell)
    file, old = shell.home / "headrace.db", shell.folder / "old.db"
    as_of_version(file, 1)
    shutil.copy2(file, old)
    (shell.folder / "killed").mkdir()
    (shell.folder / "killed" / "sitecustomize.py").write_text(KILLED)
    counted, plain = shell.folder / "statements", dict(shell.environment)
    killing = plain | {"PYTHONPATH": str(shell.folder / "killed"), "STATEMENTS": str(counted)}
    shell.environment = killing | {"KILLED": "before", "KILLED_AT": "0"}
    shell("flow-run", "ls")
    last = int(counted.read_text())
    for when, number, version in (("before", last // 2, 1), ("before", last, 1), ("after", last, VERSION)):
        for name in ("headrace.db-wal", "headrace.db-shm"):
            (shell.home / name).unlink(missing_ok=True)
        shutil.copy2(old, file)
        shell.environment = killing | {"KILLED": when, "KILLED_AT": str(number)}
        shell.ended(shell.process("flow-run", "ls"), code=-signal.SIGKILL)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        shell.environment = plain
        assert kept(shell) == before
        assert shell.json("store", "check")["is_sound"]


# Clocks


@pytest.fixture
def clocked(shell: Shell) -> Shell:
    """A machine whose clock can be set."""
    (shell.folder / "clock").mkdir()
    (shell.folder / "clock" / "sitecustomize.py").write_text(CLOCK)
    shell.environment |= {"PYTHONPATH": str(shell.folder / "clock"), "CLOCK_IS_AHEAD": str(shell.folder / "ahead")}
    set_clock(shell, 0)
    return shell


def set_clock(shell: Shell, seconds: int) -> None:
    """All processes have it at once, whole."""
    (shell.folder / "new").write_text(str(seconds))
    (shell.folder / "new").rename(shell.folder / "ahead")


def test_a_clock_that_is_set_forward_between_commands(clocked: Shell) -> None:
    """What is due by then is started, and nothing is lost."""
    later = clocked.run("errand", "--in", "30m")
    set_clock(clocked, 3600)
    clocked("agent", "start", "q", "--run-once")
    assert clocked.state(later) == "Completed"
    assert clocked("script").stdout == "42\n"
    assert {row["state"] for row in clocked.json("flow-run", "ls")} == {"Completed"}


def test_a_clock_that_is_set_back_between_commands(clocked: Shell) -> None:
    """What was asked for by the wrong time waits for it, which is told; what is asked for now is done now, and nothing is lost."""
    set_clock(clocked, -3600)
    run = clocked.run("errand")
    clocked("agent", "start", "q", "--run-once")
    assert clocked.state(run) == "Completed"
    assert clocked("script").stdout == "42\n"
    (early,) = (row["id"] for row in clocked.json("flow-run", "ls", "--state", "Scheduled"))
    assert "it is due at" in clocked("flow-run", "explain", early).stdout
    assert "this machine's clock is, or was, wrong; see to it that it is set by a time server" in clocked("doctor").stdout
    set_clock(clocked, 0)
    clocked.goes_on()


@pytest.mark.parametrize("how", ["set forward", "set back", "asleep"])
def test_a_clock_that_is_set_while_an_agent_runs(clocked: Shell, how: str) -> None:
    """The run that is under way is nobody's loss, and completes in its first epoch; what is due is started."""
    clocked("agent", "start", "q", "--run-once")
    begun, go_on = (clocked.folder / name for name in ("begun", "go_on"))
    for pipe in (begun, go_on):
        os.mkfifo(pipe)
    clocked.environment |= {"BEGUN": str(begun), "GO_ON": str(go_on)}
    under_way, later = clocked.run("waiting"), clocked.run("errand", "--in", "30m")
    agent = clocked.process("agent", "start", "q", start_new_session=True)
    assert begun.read_text() == "begun"
    asleep = [agent.pid, *descendants(agent.pid)] if how == "asleep" else []
    for process in asleep:
        os.kill(process, signal.SIGSTOP)
    set_clock(clocked, -3600 if how == "set back" else 3600)
    for process in asleep:
        os.kill(process, signal.SIGCONT)
    due = clocked.run("errand") if how == "set back" else later
    until(agent, "ended in state Completed()")
    assert clocked.state(due) == "Completed"
    assert clocked.state(under_way) == "Running"
    go_on.write_text("")
    until(agent, "ended in state Completed()")
    agent.send_signal(signal.SIGTERM)
    clocked.ended(agent)
    found = clocked.json("flow-run", "inspect", under_way)
    assert (found["state"], found["epoch"]) == ("Completed", 1)
    assert [state["name"] for state in found["states"]] == ["Scheduled", "Pending", "Running", "Completed"]
    assert clocked.json("store", "check")["is_sound"]


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def until(process: "Popen[str]", words: str) -> None:
    """Reads what a process complains of until these words come."""
    assert process.stderr is not None
    seen = []
    while words not in (line := process.stderr.readline()):
        seen.append(line)
        assert line, seen


# Readers that are gone


def test_a_list_whose_reader_is_gone(shell: Shell) -> None:
    """It ends as a program does that the lack of a reader ends, without a word."""
    for command in (("flow-run", "ls"), ("doctor",), ("--help",), ("flow-run", "ls", "--json")):
        assert shell.ended(unread(shell, *command, streams=("stdout",)), code=141).stderr == ""
    for command in (("flow-run", "inspect", "nobody"),):
        shell.ended(unread(shell, *command, streams=("stdout", "stderr")), code=1)


def unread(shell: Shell, *arguments: str, streams: Sequence[str]) -> "Popen[str]":
    """A process that writes where nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return shell.process(*arguments, **dict.fromkeys(streams, writer))
    finally:
        os.close(writer)


def test_a_log_that_is_followed_until_the_reader_is_gone(shell: Shell) -> None:
    """It ends at its next line, without a word; the run goes on."""
    begun, go_on = (shell.folder / name for name in ("begun", "go_on"))
    for pipe in (begun, go_on):
        os.mkfifo(pipe)
    shell.environment |= {"BEGUN": str(begun), "GO_ON": str(go_on)}
    run = shell.run("waiting")
    agent = shell.process("agent", "start", "q", "--run-once")
    begun.read_text()
    following = shell.process("flow-run", "logs", run, "--follow")
    assert following.stdout is not None
    assert following.stdout.readline()
    following.stdout.close()
    go_on.write_text("")
    with following:
        assert following.stderr is not None
        assert following.stderr.read() == ""
    assert following.returncode == 141
    shell.ended(agent)
    assert shell.state(run) == "Completed"


@pytest.mark.parametrize("full", [False, True], ids=["nobody reads", "full"])
def test_an_agent_that_nobody_hears(shell: Shell, *, full: bool) -> None:
    """It runs what is due all the same, and so does a run that is executed, and a script."""
    for command in (("agent", "start", "q", "--run-once"), ("deployment", "execute", "errand/errand")):
        if full:
            with open("/dev/full", "w") as nowhere:
                shell.ended(shell.process(*command, stderr=nowhere))
        else:
            shell.ended(unread(shell, *command, streams=("stderr",)))
    with unread(shell, "script", streams=("stdout", "stderr")) as script:
        script.communicate(timeout=SECONDS)
    assert [row["state"] for row in shell.json("flow-run", "ls")] == ["Completed"] * 4
    assert shell.json("store", "check")["is_sound"]


def test_without_any_streams(shell: Shell) -> None:
    """Where they are closed from the start everything is done, and asking a person is a usage error."""

    def close() -> None:
        for descriptor in range(3):
            os.close(descriptor)

    for command in (("agent", "start", "q", "--run-once"), ("script",), ("deployment", "execute", "errand/errand"), ("flow-run", "ls")):
        shell.ended(shell.process(*command, prepare=close, stdout=None, stderr=None))
    assert {row["state"] for row in shell.json("flow-run", "ls")} == {"Completed"}
    asked = shell.process("flow-run", "delete", "--flow", "errand", prepare=lambda: os.close(0))
    assert "add --yes if that is what you want" in shell.ended(asked, code=2).stderr


# Processes and threads

CALLS = {"x86_64": {"clone": 56, "fork": 57, "vfork": 58, "clone3": 435}, "aarch64": {"clone": 220, "clone3": 435}}
LOAD, IS, HAS, ANSWER = 0x20, 0x15, 0x45, 0x06
ALLOWED, REFUSED, UNKNOWN = 0x7FFF0000, 0x00050000 | 11, 0x00050000 | 38
A_THREAD = 0x10000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def starved(of: str) -> Preparing:
    """A child then gets no more processes, or threads, as if its user had too many; root would be exempt from a limit. Linux only."""
    number = CALLS[platform.machine()]
    steps = [(LOAD, 0, 0, 0), (IS, 0, 1, number["clone3"]), (ANSWER, 0, 0, UNKNOWN)]
    for name in ("fork", "vfork"):
        if of == "processes" and name in number:
            steps += [(IS, 0, 1, number[name]), (ANSWER, 0, 0, REFUSED)]
    steps += [(IS, 1, 0, number["clone"]), (ANSWER, 0, 0, ALLOWED), (LOAD, 0, 0, 16)]
    steps += [(HAS, 0, 1, A_THREAD) if of == "threads" else (HAS, 1, 0, A_THREAD), (ANSWER, 0, 0, REFUSED), (ANSWER, 0, 0, ALLOWED)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def starve(kept: Any = code) -> None:
        if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, program, 0, 0):
            raise OSError(ctypes.get_errno(), "system calls cannot be refused here")

    return starve


def test_no_more_processes(shell: Shell) -> None:
    """What can be done without is done; a run that would need one has crashed, and says why."""
    words = "no more processes can be started; end some, or let this user have more (Resource temporarily unavailable)"
    prepare = starved("processes")
    (run,) = (row["id"] for row in shell.json("flow-run", "ls", "--state", "Scheduled"))
    assert f"could not be started: {words}" in shell("agent", "start", "q", "--run-once", prepare=prepare).stderr
    found = shell.json("flow-run", "inspect", run)
    assert (found["state"], found["state_message"]) == ("Crashed", f"The run could not be started by flow runner 'subprocess': {words}")
    assert words in shell("deployment", "execute", "errand/errand", code=1, prepare=prepare).stderr
    assert words in shell("deployment", "create", "specs.py", code=1, prepare=prepare).stderr
    for command in ("script", "flow-run ls", "store check", "doctor"):
        shell(*command.split(), prepare=prepare)
    shell.run("errand")
    shell.goes_on()


def test_no_more_threads(shell: Shell) -> None:
    """What can be done without is done; what is submitted fails, and its run with it, and says why."""
    prepare = starved("threads")
    run = shell.run("many")
    shell("agent", "start", "q", "--run-once", prepare=prepare)
    found = shell.json("flow-run", "inspect", run)
    assert found["state"] == "Failed"
    assert "no thread can be started for this call" in found["state_message"]
    assert found["task_runs"] == {"FAILED": 3}
    shell("script", prepare=prepare)
    assert "no thread can be started (can't start new thread); let this user have more" in shell("doctor", code=1, prepare=prepare).stdout
    shell.run("errand")
    shell.goes_on()


# Places


HOMES = {"words": "relative/with space ü 水\nline", "bytes": os.fsdecode(b"no text \xff\xfe")}
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "TMPDIR": "/nowhere/at/all"}


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_a_home_with_an_odd_name(tmp_path: Path, home: str) -> None:
    """Also where only ASCII is known, there is no folder for what is temporary, and nobody can be asked."""
    shell = Shell(tmp_path, home)
    shell.environment |= PLAIN
    assert shell("script").stdout == "42\n"
    shell("deployment", "create", "specs.py")
    shell("work-queue", "create", "q")
    printing = shell.run("says")
    shell.run("errand", "--name", "a name")
    shell("agent", "start", "q", "--run-once")
    assert {row["state"] for row in shell.json("flow-run", "ls")} == {"Completed"}
    assert "水車" in [line["message"] for line in shell.json("flow-run", "logs", printing)]
    shell("flow-run", "ls")
    shell("doctor")
    assert (tmp_path / home / "headrace.db").exists()
    assert shell.json("store", "check")["is_sound"]


def test_no_home_folder(shell: Shell) -> None:
    """Where HOME says nothing, the system knows it, and a home that is set needs none."""
    del shell.environment["HOME"]
    shell.goes_on()


@pytest.mark.parametrize(("below", "why"), [("", "File exists"), ("deep/below", "Not a directory")])
def test_a_home_that_is_a_file(tmp_path: Path, below: str, why: str) -> None:
    """It is told what is in the way."""
    (tmp_path / "file").touch()
    home = tmp_path / "file" / below
    Shell(tmp_path, home).all_say(f": {why}; see to it that it can, or choose another path", *READING, *WRITING, "script")


def test_a_folder_that_was_deleted(shell: Shell) -> None:
    """What needs no current folder works in one that is gone; what does, says so."""
    gone = shell.folder / "gone"
    specs = str(shell.folder / "specs.py")

    def enter() -> None:
        gone.mkdir(exist_ok=True)
        os.chdir(gone)
        gone.rmdir()

    for command in (("script",), ("deployment", "create", specs), ("agent", "start", "q", "--run-once"), ("deployment", "ls"), ("doctor",)):
        shell(*command, prepare=enter)
    assert {row["state"] for row in shell.json("flow-run", "ls")} == {"Completed"}
    words = "the current folder was deleted; change to one that is there"
    shell.all_say(words, "store backup copy.db", "plugins new storage moon", prepare=enter)
    shell.all_say("specs.py: there is no such file", "deployment create specs.py", prepare=enter)
    shell.environment |= {"HEADRACE_HOME": "relative"}
    shell.all_say("a relative one a current folder", "flow-run ls", "script", prepare=enter)
