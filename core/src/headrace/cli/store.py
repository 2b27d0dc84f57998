"""`headrace store`: the run store's growth, its health, and copies of it."""

import os
from pathlib import Path
from typing import Any

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.clock import SystemClock
from headrace.instance import Instance, run_store_choice
from headrace.model.retention import Forgotten
from headrace.packaging.sizes import said
from headrace.places import client_choice
from headrace.ports.diagnosis import Copyable, Diagnosable, Diagnosis, Emptiable, Upgradable
from headrace.wire.plain import to_plain


@click.group()
def store() -> None:
    """Look after the run store.

    What ended long ago is forgotten by itself: see the settings keep_runs_days and keep_details_days.
    """


@store.command()
@click.option("--plan", "is_plan", is_flag=True, help="Show what would be forgotten and removed, and do nothing.")
@show.json_option
@click.pass_obj
def gc(invocation: Invocation, is_plan: bool, as_json: bool) -> None:
    """Forget what is old, and remove what nothing refers to.

    Runs, and earlier log lines and histories of task runs, are kept for as long as the settings say. Then what `headrace storage gc` removes is removed,
    and unpacked code that no deployment has now. The exit code is 1 if something could not be removed.

    \b
    headrace store gc --plan
    headrace config set keep_runs_days=30
    """
    from headrace.cli.garbage import collect, counted
    from headrace.services.leftovers import leftovers, remove_leftovers  # what other commands need not load

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        forgotten = house.client.plan_forgetting() if is_plan else _forget(house)
        garbage = collect(house, is_plan=is_plan)
        left = leftovers(house)
        if not is_plan:
            remove_leftovers(house, left)
    rows: dict[str, Any] = {
        "runs": forgotten.runs,
        "details_of_runs": forgotten.details,
        "events": forgotten.events,
        "agents": forgotten.agents,
        **counted(garbage),
        "unpacked_code": len(left),
    }
    if as_json:
        show.json({"is_plan": is_plan, "is_more": forgotten.is_more, **rows, "faults": garbage.faults})
    else:
        show.table(
            ("would be removed" if is_plan else "removed", "number"),
            [(name.replace("_", " "), number) for name, number in rows.items()],
            empty="",
        )
        if forgotten.is_more:
            show.remark("there are more runs than were counted")
    if garbage.faults:
        raise click.exceptions.Exit(1)


def _forget(house: Instance) -> Forgotten:
    """All that is old, told as it goes on."""
    total = Forgotten()
    while True:
        portion = house.client.forget_old()
        total = Forgotten(
            runs=total.runs + portion.runs,
            details=total.details + portion.details,
            events=total.events + portion.events,
            agents=total.agents + portion.agents,
        )
        if portion.is_all:
            return total
        show.progress(f"forgotten so far: {total.runs} runs, details of {total.details}, {total.events} events")


@store.command()
@show.json_option
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Look whether the run store is sound, without changing it.

    The exit code is 0 if it is. `headrace doctor` looks at everything else too.
    """
    found = _diagnosis(invocation)
    if as_json:
        show.json({**to_plain(found), "is_sound": not found.faults})
    else:
        facts = {**found.facts, **{name: said(size) for name, size in found.files.items()}, **found.rows}
        show.record({"where": found.where, **{name.replace("_", " "): value for name, value in facts.items()}})
        for remark in found.remarks:
            show.remark(remark)
        for fault in found.faults:
            show.error(fault)
        if not found.faults:
            click.echo("the run store is sound")
    if found.faults:
        raise click.exceptions.Exit(1)


def _diagnosis(invocation: Invocation) -> Diagnosis:
    value = _store(invocation)
    if not isinstance(value, Diagnosable):
        raise click.ClickException("the run store in use cannot tell how it is; look at the tools of what it is kept in")
    return value.diagnose(SystemClock().now())


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
@show.json_option
@click.pass_obj
def backup(invocation: Invocation, file: Path, as_json: bool) -> None:
    """Copy the run store to a new FILE, while it is in use.

    The copy is of one moment. To go back to it, end all programs that use the store, and put the copy in its place.

    \b
    headrace store backup runs-of-today.db
    """
    value = _store(invocation)
    if not isinstance(value, Copyable):
        raise click.ClickException("the run store in use cannot be copied so; use the tools of what it is kept in")
    target = Path(os.path.abspath(file))
    size = value.copy(target)
    if as_json:
        show.json({"file": str(target), "bytes": size})
    else:
        click.echo(f"copied the run store to {target} ({said(size)})")


@store.command()
@show.json_option
@click.pass_obj
def upgrade(invocation: Invocation, as_json: bool) -> None:
    """Bring the run store up to this release, or make it.

    Whatever opens it does that too; this is for whoever wants it done before, as with a large one, which takes minutes. It also mends what disagrees with
    the runs, if `headrace store check` says so.
    """
    value = _store(invocation)
    mended: tuple[str, ...] = ()
    if isinstance(value, Upgradable):
        mended = value.upgrade()
    else:
        with value.open():
            pass
    if as_json:
        show.json({"is_upgraded": True, "mended": mended})
    else:
        for sentence in mended:
            show.remark(sentence)
        click.echo("the run store is as this release needs it")


@store.command()
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask.")
@show.json_option
@click.pass_obj
def reset(invocation: Invocation, is_sure: bool, as_json: bool) -> None:
    """Forget everything: runs, deployments, work queues, limits.

    Runs that are under way are not stopped, and end without being remembered. Results and code of what is forgotten are removed by `headrace store gc`.

    \b
    headrace store backup before.db && headrace store reset
    """
    value = _store(invocation)
    if not isinstance(value, Emptiable):
        raise click.ClickException("the run store in use cannot be emptied so; use the tools of what it is kept in")
    if not is_sure:
        click.confirm("Forget all runs, deployments, work queues and limits in the run store?", abort=True, err=True)
    value.empty()
    if as_json:
        show.json({"is_empty": True})
    else:
        click.echo("the run store is empty")


def _store(invocation: Invocation) -> Any:
    """The run store of this machine, as a value."""
    settings, registry = invocation.settings, invocation.registry
    if client_choice(settings) is not None:
        raise click.ClickException("the run store is where the server is; this command is to be given there")
    return registry.make("run store", run_store_choice(settings, registry))
