"""`headrace task-run`: the calls of tasks inside flow runs."""

import click

from headrace import instance
from headrace.cli import lookup, runs, show
from headrace.cli.invocation import Invocation
from headrace.cli.naming import flow_run_names
from headrace.model.filters import TaskRunFilter


@click.group()
def task_run() -> None:
    """Look at the task runs of flow runs.

    A run may be named by its id, by the start of its id (4 characters or more), or by its name, as long as only one run fits.
    """


@task_run.command()
@click.option("--flow-run", "flow_run", metavar="ID", help="Only task runs of this flow run.")
@runs.state_option
@runs.limit_option
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, flow_run: str | None, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List task runs, those created last first."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        owner = lookup.flow_run(house.client, flow_run) if flow_run else None
        wanted = TaskRunFilter(flow_run_ids=(owner.id,) if owner else ())
        now = house.clock.now()
        found = runs.newest(house.client.read_task_runs, wanted, states, limit, now)
        names = flow_run_names(house.client, (run.flow_run_id for run in found))
    if as_json:
        show.json([runs.task_run_row(run) for run in found])
        return
    nothing_yet = "no task has run yet; run a script that calls a flow with tasks: python my_flow.py"
    show.table(
        ("id", "name", "state", "age", "flow run"),
        [(run.id, run.name, show.state(run.state), show.age(run.created, now), names.get(run.flow_run_id)) for run in found],
        empty="no task run fits; list all with: headrace task-run ls" if states or owner else nothing_yet,
    )


@task_run.command()
@click.argument("run", metavar="ID")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, run: str, as_json: bool) -> None:
    """Show all about a task run, with its states."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.task_run(house.client, run)
        states = house.client.read_states(found.id)
        names = flow_run_names(house.client, [found.flow_run_id])
        now = house.clock.now()
    if as_json:
        show.json({**runs.task_run_row(found), "states": states})
        return
    show.record(
        {
            "id": found.id,
            "name": found.name,
            "task": found.task_name,
            "task version": found.task_version,
            "task key": found.task_key,
            "call": found.call,
            "flow run": f"{found.flow_run_id} ({names.get(found.flow_run_id, 'deleted')})",
            "child flow run": found.child_flow_run_id,
            "state": show.state(found.state),
            "message": found.state.message,
            "created": show.moment_ago(found.created, now),
            "expected start": show.moment(found.expected_start_time),
            "started": show.moment(found.start_time),
            "ended": show.moment(found.end_time),
            "ran for": show.duration(found.run_time(now)),
            "tries": found.run_count,
            "tags": ", ".join(found.tags),
            "inputs from": "; ".join(f"{name}: {', '.join(ids)}" for name, ids in found.inputs.items() if ids),
        }
    )
    click.echo()
    runs.states_table(states)
