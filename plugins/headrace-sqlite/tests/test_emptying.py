"""A store that is emptied has nothing in it, and goes on from where it was."""

from pathlib import Path

from headrace.model.events import Event
from headrace.model.filters import EventFilter, FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.testing.clock import START
from headrace_sqlite.run_store import SqliteRunStore


def run(own: str) -> FlowRun:
    return FlowRun(id=own, name=own, state=State.running(), created=START, flow_name="f", root_id=own, tags=("a",))


def test_nothing_is_left(tmp_path: Path) -> None:
    """Everything is forgotten, seen at once by who has it open; events that come are later than those that were."""
    value = SqliteRunStore(path=tmp_path / "runs.db")
    with value.open() as store:
        with store.writing() as writing:
            writing.add_flow_run(run("a"))
            writing.grant_lease("a", epoch=1, holder="h", seconds=60)
            writing.set_limit("a", 1)
            writing.put_mark("m", "1")
            last = [writing.append_event(Event(moment=START, kind="k", subject="a")) for _ in range(3)][-1]
        version = store.version()
        value.empty()
        assert store.version() != version
        with store.reading() as reading:
            assert reading.flow_runs(FlowRunFilter(), Page()) == []
            assert reading.flow_runs(FlowRunFilter(tags=("a",)), Page()) == []
            assert (reading.lease("a"), reading.limits(), reading.mark("m")) == (None, [], None)
            assert reading.events(EventFilter(), 10) == [last]
        with store.writing() as writing:
            assert writing.add_flow_run(run("a"))
            assert writing.append_event(Event(moment=START, kind="k", subject="a")).sequence > last.sequence


def test_it_opens_again(tmp_path: Path) -> None:
    """An emptied store is as a new one; one that is not there yet is made."""
    value = SqliteRunStore(path=tmp_path / "runs.db")
    value.empty()
    with value.open() as store, store.reading() as reading:
        assert reading.last_event() == 0
