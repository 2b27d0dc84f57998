"""Counters say what counting would, whatever happened to the runs."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model.counts import CountFilter, first_of_hour
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import HOUR, STRANGE, counts_of, flow_run, later, stamped
from headrace_sqlite.run_store import SqliteRunStore


class Interrupted(Exception):
    """Ends a transaction."""


MOMENTS = [later(HOUR * number / 2) for number in range(6)]
FLOWS = ["etl", "all", STRANGE]
DEPLOYMENTS = [None, "daily", "flow etl"]
STATES = [stamped(State(type=kind)) for kind in StateType] + [
    stamped(State(type=StateType.SCHEDULED, name=STRANGE, scheduled_time=later(1)))
]
IDS = list("abcdef")

shapes = st.fixed_dictionaries(
    {
        "flow_name": st.sampled_from(FLOWS),
        "deployment_id": st.sampled_from(DEPLOYMENTS),
        "created": st.sampled_from(MOMENTS),
        "state": st.sampled_from(STATES),
        "root_id": st.sampled_from(IDS),
    }
)
steps = st.tuples(st.sampled_from(["write", "delete", "fail"]), st.sampled_from(IDS), shapes)
wishes = st.builds(
    CountFilter,
    created_after=st.sampled_from([None, *MOMENTS]),
    created_before=st.sampled_from([None, *MOMENTS]),
    flow_names=st.lists(st.sampled_from(FLOWS), max_size=2).map(tuple),
    deployment_ids=st.lists(st.sampled_from(["daily", "flow etl", "nothing"]), max_size=2).map(tuple),
)


def take(opened: OpenRunStore, what: str, run_id: str, shape: dict[str, Any]) -> None:
    """One step of a history."""
    try:
        with opened.writing() as writing:
            if what == "delete":
                writing.delete_flow_run(run_id)
                return
            run = flow_run(run_id, **shape)
            known = writing.flow_run(run_id)
            if known is None:
                assert writing.add_flow_run(run)
            else:
                assert writing.update_flow_run(attrs.evolve(run, revision=known.revision + 1), was=known.revision)
            if what == "fail":
                raise Interrupted
    except Interrupted:
        pass


def fits(run: FlowRun, wanted: CountFilter) -> bool:
    """Whether a run is to be counted."""
    return (
        (not wanted.flow_names or run.flow_name in wanted.flow_names)
        and (not wanted.deployment_ids or run.deployment_id in wanted.deployment_ids)
        and first_of_hour(wanted.created_after or datetime.min.replace(tzinfo=run.created.tzinfo)) <= first_of_hour(run.created)
        and first_of_hour(run.created) <= first_of_hour(wanted.created_before or datetime.max.replace(tzinfo=run.created.tzinfo))
    )


@settings(deadline=None, max_examples=60)
@given(history=st.lists(steps, max_size=25), wanted=st.lists(wishes, min_size=1, max_size=5))
def test_counters_say_what_counting_would(history: list[Any], wanted: list[CountFilter]) -> None:
    """After any history of runs that were made, changed, deleted with their subflows, or not written after all, every count is that of the runs
    themselves, and none is kept of nothing."""
    with tempfile.TemporaryDirectory() as folder, SqliteRunStore(path=Path(folder, "headrace.db")).open() as opened:
        for step in history:
            take(opened, *step)
        with opened.reading() as reading:
            runs = reading.flow_runs(FlowRunFilter(), Page())
            for each in (CountFilter(), *wanted):
                assert reading.count_flow_runs(each) == counts_of([run for run in runs if fits(run, each)])
            connection = reading._connection  # type: ignore[attr-defined]
            assert connection.execute("SELECT count(*) FROM flow_run_counts WHERE count <= 0").fetchone() == (0,)


@settings(deadline=None, max_examples=60)
@given(history=st.lists(steps, max_size=25), ends=st.tuples(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS)))
def test_a_window_gives_all_that_is_in_it(history: list[Any], ends: tuple[datetime, datetime]) -> None:
    """Runs whose ids say nothing of their time are found in a window too, whichever way they are looked for."""
    with tempfile.TemporaryDirectory() as folder, SqliteRunStore(path=Path(folder, "headrace.db")).open() as opened:
        for step in history:
            take(opened, *step)
        with opened.reading() as reading:
            runs = reading.flow_runs(FlowRunFilter(), Page())
            inside = [run for run in runs if ends[0] <= run.created <= ends[1]]
            wanted = FlowRunFilter(created_after=ends[0], created_before=ends[1])
            assert reading.flow_runs(wanted, Page()) == inside
            reading._count = lambda statement, parameters: parameters["most"]  # type: ignore[attr-defined]
            assert reading.flow_runs(wanted, Page()) == inside
            assert reading.flow_runs(attrs.evolve(wanted, flow_names=("etl",)), Page()) == [run for run in inside if run.flow_name == "etl"]
