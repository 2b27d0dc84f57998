"""What could not be told is kept, all or nothing, and told once."""

import os
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from headrace.errors import StoreAway
from headrace.model.filters import LogFilter, Page
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.orchestration.undelivered import KEPT, Undelivered, deliver, is_put_away, put_away
from headrace.testing.clock import START, FixedClock
from headrace.testing.orchestration import in_memory


def begun(client: LocalClient, run_id: str = "f") -> FlowRun:
    """A run that is under way."""
    run = client.create_flow_run(
        FlowRun(id=run_id, name="n", state=State.pending(), created=START, flow_name="f", root_id=run_id), holder="me"
    )
    client.move_flow_run(Move(id=f"{run_id}:running", run_id=run_id, state=State.running(), epoch=1))
    return run


def end(state: State, *, run_id: str = "f", epoch: int = 1, text: str = "last words") -> Undelivered:
    line = LogLine(id=f"{run_id}:line", flow_run_id=run_id, timestamp=START, level=20, logger="l", message=text)
    return Undelivered(
        run_id=run_id,
        put_away=START,
        journal=JournalBatch(flow_run_id=run_id, epoch=epoch, logs=(line,)),
        move=Move(id=f"{run_id}:end", run_id=run_id, state=attrs.evolve(state, timestamp=START), epoch=epoch),
    )


def left(home: Path) -> list[str]:
    return sorted(os.listdir(home / "undelivered"))


def said(client: LocalClient) -> list[str]:
    return [line.message for line in client.read_logs(LogFilter(), Page())]


def test_it_is_told_once(tmp_path: Path) -> None:
    """Lines and end arrive with their own moments, and the file is gone; text that is no Unicode arrives too."""
    clock = FixedClock()
    with in_memory(clock) as client:
        begun(client)
        put_away(tmp_path, "f.1.0", end(State.completed(), text="last \udcff words"))
        assert (tmp_path / "undelivered" / "f.1.0.json").stat().st_mode & 0o777 == 0o600
        clock.advance(3600)
        assert is_put_away(tmp_path, "f.1")
        deliver(tmp_path, client, clock.now())
        deliver(tmp_path, client, clock.now())
        run = client.read_flow_run("f")
        assert (run.state.type, run.end_time) == (StateType.COMPLETED, START)
        assert said(client) == ["last \udcff words"]
        assert left(tmp_path) == []
        assert not is_put_away(tmp_path, "f.1")


def test_nothing_put_away_is_nothing_told(tmp_path: Path) -> None:
    """A home without the folder is as good as an empty one."""
    with in_memory(FixedClock()) as client:
        deliver(tmp_path, client, START)
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_meant_is_told(tmp_path: Path) -> None:
    """Of one run, where that is asked for; others stay."""
    with in_memory(FixedClock()) as client:
        for name in ("f", "g"):
            begun(client, name)
            put_away(tmp_path, f"{name}.1.0", end(State.completed(), run_id=name))
        deliver(tmp_path, client, START, identity="g.1")
        assert [client.read_flow_run(name).state.type for name in ("f", "g")] == [StateType.RUNNING, StateType.COMPLETED]
        assert left(tmp_path) == ["f.1.0.json"]


def test_who_no_longer_owns_a_run_tells_nothing_of_it(tmp_path: Path) -> None:
    """Nothing is changed, and the file goes, since that will never be otherwise."""
    with in_memory(FixedClock()) as client:
        begun(client)
        with client.store.writing() as writing:
            writing.grant_lease("f", epoch=2, holder="other", seconds=60)
        put_away(tmp_path, "f.1.0", end(State.completed()))
        deliver(tmp_path, client, START)
        assert client.read_flow_run("f").state.is_running()
        assert said(client) == []
        assert left(tmp_path) == []


@pytest.mark.parametrize(("put_by", "known"), [(State.completed(), StateType.COMPLETED), (State.crashed("again"), StateType.CRASHED)])
def test_a_run_that_was_presumed_lost(tmp_path: Path, put_by: State, known: StateType) -> None:
    """It has ended as it says; that it has crashed is no news."""
    clock = FixedClock()
    with in_memory(clock) as client:
        begun(client)
        clock.advance(3600)
        client.release_lost_runs()
        assert client.read_flow_run("f").state.is_lost()
        put_away(tmp_path, "f.1.0", end(put_by))
        deliver(tmp_path, client, clock.now())
        assert client.read_flow_run("f").state.type is known
        assert client.read_flow_run("f").state.message != "again"


def test_a_run_that_said_how_it_ended_has_ended_so(tmp_path: Path) -> None:
    """What its supervisor presumed comes too late; its lines do not."""
    with in_memory(FixedClock()) as client:
        begun(client)
        client.move_flow_run(Move(id="own", run_id="f", state=State.completed(), epoch=1))
        put_away(tmp_path, "f.1.0", end(State.crashed("presumed")))
        deliver(tmp_path, client, START)
        assert client.read_flow_run("f").state.is_completed()
        assert said(client) == ["last words"]


def test_a_run_that_is_not_known_is_waited_for(tmp_path: Path) -> None:
    """Another store may know it; after a week it is forgotten."""
    with in_memory(FixedClock()) as client:
        put_away(tmp_path, "f.1.0", end(State.completed()))
        deliver(tmp_path, client, START + KEPT)
        assert left(tmp_path) == ["f.1.0.json"]
        deliver(tmp_path, client, START + KEPT + timedelta(seconds=1))
        assert left(tmp_path) == []


def test_what_cannot_be_told_yet_stays(tmp_path: Path) -> None:
    """The error is the caller's, and the file is told the next time."""

    @attrs.frozen(kw_only=True)
    class Away(LocalClient):
        def write_journal(self, batch: JournalBatch) -> LeaseOrder:
            raise StoreAway(where="there", why="its disk is full")

    with in_memory(FixedClock()) as client:
        begun(client)
        put_away(tmp_path, "f.1.0", end(State.completed()))
        away = Away(**{field.name: getattr(client, field.name) for field in attrs.fields(LocalClient)})
        with pytest.raises(StoreAway):
            deliver(tmp_path, away, START)
        assert left(tmp_path) == ["f.1.0.json"]
        deliver(tmp_path, client, START)
        assert client.read_flow_run("f").state.is_completed()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"run_id": 1}'])
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """It stands in nobody's way, and can be looked at."""
    with in_memory(FixedClock()) as client:
        begun(client)
        put_away(tmp_path, "f.1.1", end(State.completed()))
        (tmp_path / "undelivered" / "f.1.0.json").write_bytes(content)
        deliver(tmp_path, client, START)
        assert client.read_flow_run("f").state.is_completed()
        assert left(tmp_path) == ["f.1.0.unreadable"]


def test_a_home_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Nothing is half there."""
    (tmp_path / "undelivered").write_text("in the way")
    with pytest.raises(OSError, match="File exists"):
        put_away(tmp_path, "f.1.0", end(State.completed()))
    with in_memory(FixedClock()) as client:
        deliver(tmp_path, client, START)
