"""Leases are judged by the clock of this boot, and by nothing else."""

import sqlite3
from pathlib import Path

import pytest

from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.ports.run_store import Reading
from headrace.testing.conformance.run_store import NOW, agent, flow_run, ids, put, task_run, work_queue
from headrace_sqlite.run_store import SqliteRunStore


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("boot = 'another'", id="another boot"),
        pytest.param("renewed = renewed + 1e6, expires = expires + 1e6", id="a clock that started anew"),
        pytest.param("renewed = renewed - 1e6, expires = expires - 1e6", id="a time that has passed"),
    ],
)
def test_a_lease_of_another_time_is_not_live(tmp_path: Path, change: str) -> None:
    """A lease from before the machine was started, or from a time that has passed, is void: its slots are free, its run is due again and counts
    in no queue, and whoever was there is not; renewing brings it back."""
    with SqliteRunStore(path=tmp_path / "headrace.db").open() as opened:
        put(opened, flow_run("flow"), task_run("task"), work_queue("queue"))
        with opened.writing() as writing:
            writing.grant_lease("flow", epoch=1, holder="me", seconds=3600)
            writing.set_limit("tag", 1)
            writing.hold_slots("task", ["tag"], root_id="flow", epoch=1)
            writing.assign("flow", ["queue"])
            writing.keep_agent(agent("agent"), seconds=3600)
        seen = []
        for table in ("leases", "agents"):
            for statement in ("SELECT 1", f"UPDATE {table} SET {change}"):
                connection = sqlite3.connect(tmp_path / "headrace.db")
                connection.execute(statement)
                connection.commit()
                connection.close()
                with opened.reading() as reading:
                    seen.append(judged(reading))
        with opened.writing() as writing:
            assert writing.renew_lease("flow", epoch=1, seconds=3600)
            writing.keep_agent(agent("agent"), seconds=3600)
            seen.append(judged(writing))
    live = (Lease(run_id="flow", epoch=1, holder="me", live=True), [ConcurrencyLimit(tag="tag", limit=1, holders=("task",))], [], 1)
    void = (Lease(run_id="flow", epoch=1, holder="me", live=False), [ConcurrencyLimit(tag="tag", limit=1)], ["flow"], 0)
    there, gone = [agent("agent")], [agent("agent", live=False)]
    assert seen == [(*live, there), (*void, there), (*void, there), (*void, gone), (*live, there)]


def judged(reading: Reading) -> tuple[object, ...]:
    """All that depends on what time it is."""
    due = ids(reading.due("queue", NOW, 10))
    return reading.lease("flow"), reading.limits(), due, reading.in_use("queue"), reading.agents()
