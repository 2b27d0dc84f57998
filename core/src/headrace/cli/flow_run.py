"""`headrace flow-run`: what ran, how it ended, and what it said."""

import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from json import dumps

import click

from headrace import instance
from headrace.cli import chosen_runs, lookup, runs, show
from headrace.cli.chosen_runs import Choice
from headrace.cli.following import Following
from headrace.cli.invocation import Invocation
from headrace.cli.log_lines import Titles, row
from headrace.cli.wanting import advice
from headrace.errors import HeadraceError, NotFound, NotPaused
from headrace.instance import Instance
from headrace.model.explanations import Explanation, Wait
from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import NOT_ENDED, TERMINAL, State, StateType
from headrace.ports.client import OpenClient
from headrace.wire.plain import to_plain
from headrace.wire.schedule_words import in_words

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NO_LINES = sys.maxsize
"""A level that no line has."""


@click.group()
def flow_run() -> None:
    """Look at flow runs, their states and their logs.

    A flow run may be named by its id, by the start of its id (4 characters or more), or by its name, as long as only one run fits.
    """


# ls


@flow_run.command()
@runs.state_option
@click.option("--flow", "flows", metavar="NAME", multiple=True, help="Only runs of this flow; may be given several times.")
@click.option(
    "--deployment", "deployments", metavar="NAME", multiple=True, help="Only runs of this deployment; may be given several times."
)
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only runs with this tag; given several times, with all of them.")
@click.option("--name", "names", metavar="NAME", multiple=True, help="Only runs of this name; may be given several times.")
@click.option("--like", "text", metavar="TEXT", help="Only runs with this text in their name, in large letters or small.")
@click.option(
    "--work-queue",
    "queues",
    metavar="NAME",
    multiple=True,
    help="Only runs that wait in this queue, or were taken from it; may be given several times.",
)
@runs.limit_option
@show.json_option
@click.pass_obj
def ls(
    invocation: Invocation,
    states: tuple[str, ...],
    flows: tuple[str, ...],
    deployments: tuple[str, ...],
    tags: tuple[str, ...],
    names: tuple[str, ...],
    text: str | None,
    queues: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List flow runs, those created last first.

    Those that are not due yet, such as runs that were made ahead for schedules, come after them, the next one first, with how soon that is; JSON has
    all by their creation.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        deployment_ids = tuple(lookup.deployment(house.client, name).id for name in deployments)
        work_queues = tuple(lookup.work_queue(house.client, name).name for name in queues)
        wanted = FlowRunFilter(names=names, flow_names=flows, deployment_ids=deployment_ids, tags=tags, text=text, work_queues=work_queues)
        now = house.clock.now()
        if as_json:
            newest = runs.newest(house.client.read_flow_runs, wanted, states, limit, now)
            show.json(runs.flow_run_rows(house.client, newest, now))
            return
        found, left_out = runs.in_order(house.client.read_flow_runs, wanted, states, limit, now)
    asked_for_all = not states and wanted == FlowRunFilter()
    nothing_yet = "no flow has run yet; run a script that calls one: python my_flow.py"
    show.table(
        ("id", "name", "state", "age", "flow"),
        [(run.id, run.name, runs.shown_state(run, now), show.age(run.created, now), run.flow_name) for run in found],
        empty=nothing_yet if asked_for_all else "no flow run fits; list all with: headrace flow-run ls",
    )
    if left_out:
        show.remark(f"not shown: {left_out} more that {'is' if left_out == 1 else 'are'} to come; see --limit, and --state SCHEDULED")


# inspect


@flow_run.command()
@click.argument("run", metavar="ID")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, run: str, as_json: bool) -> None:
    """Show all about a flow run, with its states."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.flow_run(house.client, run)
        states = house.client.read_states(found.id)
        counts = _task_runs_by_state(house.client, found.id)
        now = house.clock.now()
        row = runs.flow_run_row(house.client, found, now)
        waits = found.deployment_id is not None and found.state.is_scheduled()
        explanation = house.client.explain_flow_run(found.id) if waits else Explanation(summary="")
        schedule = {} if as_json else _schedule(house.client, found)
    if as_json:
        show.json({**row, "work_queues": list(explanation.queues), "states": states, "task_runs": counts})
        return
    show.record(
        {
            "id": found.id,
            "name": found.name,
            "flow": found.flow_name,
            "flow version": found.flow_version,
            "state": runs.shown_state(found, now),
            "message": found.state.message,
            "created": show.moment_ago(found.created, now),
            "expected start": show.moment(found.expected_start_time),
            "started": show.moment(found.start_time),
            "ended": show.moment(found.end_time),
            "ran for": show.duration(found.run_time(now)),
            "tries": found.run_count,
            "retries": f"{found.retries} at most, {show.duration(found.retry_delay)} apart" if found.retries else None,
            "tags": ", ".join(found.tags),
            "parameters": dumps(dict(found.parameters), ensure_ascii=False) if found.parameters else None,
            "deployment": f"{row['deployment_name'] or 'deleted'} ({found.deployment_id})" if found.deployment_id else None,
            **schedule,
            "flow runner": found.flow_runner.name if found.flow_runner else None,
            **({"work queues": ", ".join(explanation.queues)} if waits else {"work queue": found.work_queue}),
            "root run": None if found.root_id == found.id else found.root_id,
            "parent task run": found.parent_task_run_id,
            "epoch": found.epoch,
            "task runs": ", ".join(f"{number} {kind}" for kind, number in counts.items()),
        }
    )
    click.echo()
    runs.states_table(states)
    missing = advice(explanation)
    if missing:
        show.remark(missing)


def _schedule(client: OpenClient, run: FlowRun) -> dict[str, object]:
    """What a run was made by, and for which time; nothing of one that somebody asked for."""
    tick = run.tick
    if tick is None:
        return {}
    deployments = client.read_deployments(DeploymentFilter(ids=(run.deployment_id or "",)), Page(limit=1))
    known = next((each for found in deployments for each in found.schedules if each.id == tick.schedule_id), None)
    if known is None:
        said = f"one that the deployment has no more ({tick.schedule_id}), version {tick.version}"
    elif known.version != tick.version:
        said = f"version {tick.version} of one that is, as version {known.version}, {in_words(known)}"
    else:
        said = f"{in_words(known)}; version {tick.version}"
    return {"schedule": said, "made for": show.moment(tick.at), "to begin by": show.moment(tick.start_by)}


# explain


@flow_run.command()
@click.argument("run", metavar="ID")
@show.json_option
@click.pass_obj
def explain(invocation: Invocation, run: str, as_json: bool) -> None:
    """Say why a flow run is not running, or what happened to it.

    What is in its way now is told for each work queue that wants it, and what kept it waiting earlier.

    \b
    headrace flow-run explain certain-cormorant
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.flow_run(house.client, run)
        explanation = house.client.explain_flow_run(found.id)
        now = house.clock.now()
        row = runs.flow_run_row(house.client, found, now) if as_json else {}
    if as_json:
        show.json({**row, **to_plain(explanation)})
        return
    late = found.late_by(now)
    marked = "" if late is None else f" (late by {show.duration(late.total_seconds())})"
    click.echo(f"Flow run {found.name!r}{marked}: {explanation.summary.rstrip('.')}.")
    if explanation.obstacles:
        obstacles = [(obstacle.sentence, obstacle.advice) for obstacle in explanation.obstacles]
        show.table(("in the way", "what may help"), obstacles, empty="")
    if explanation.waits:
        show.table(("waited since", "for", "what was in the way"), [_wait(wait, now) for wait in explanation.waits], empty="")


def _wait(wait: Wait, now: datetime) -> tuple[str, str, str]:
    lasted = ((wait.until or now) - wait.since).total_seconds()
    return show.moment(wait.since), show.duration(lasted), "; ".join(obstacle.sentence for obstacle in wait.obstacles)


def _task_runs_by_state(client: OpenClient, run_id: str) -> dict[str, int]:
    """How many task runs are in a state of each type, in the order in which types follow each other."""
    counts: Counter[StateType] = Counter()
    after: str | None = None
    while True:
        page = client.read_task_runs(TaskRunFilter(flow_run_ids=(run_id,)), Page(after=after))
        counts.update(task_run.state.type for task_run in page)
        if len(page) < MOST_ROWS:
            return {str(kind): counts[kind] for kind in StateType if counts[kind]}
        after = page[-1].id


# logs


@flow_run.command()
@click.argument("run", metavar="ID")
@click.option(
    "--level",
    metavar="LEVEL",
    type=click.Choice(LEVELS, case_sensitive=False),
    default=LEVELS[0],
    help=f"Only lines at least as grave as this: {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.",
)
@click.option("--follow", is_flag=True, help="Go on showing lines as they come, until the run has ended; with --json, an object a line.")
@show.json_option
@click.pass_obj
def logs(invocation: Invocation, run: str, level: str, follow: bool, as_json: bool) -> None:
    """Show what a flow run and its task runs said.

    The oldest line comes first.
    """
    least = getattr(logging, level.upper())
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.flow_run(house.client, run)
        following = Following(house, found, least_level=least)
        pages = following.lines() if follow else _pages(house.client, LogFilter(flow_run_ids=(found.id,), least_level=least))
        if as_json and not follow:
            show.json([row(line) for page in pages for line in page])
            return
        titles = Titles(house.client)
        number = 0
        for page in pages:
            number += len(page)
            if as_json:
                for line in page:
                    show.json_line(row(line))
            else:
                show.text(titles.shown(following.run, page))
    if not number:
        show.remark(f"no lines of flow run {found.name!r} fit; see how it went with: headrace flow-run inspect {found.id}")


def _pages(client: OpenClient, wanted: LogFilter) -> Iterator[list[LogLine]]:
    after: str | None = None
    while page := client.read_logs(wanted, Page(after=after, newest_first=False)):
        yield page
        after = page[-1].id


# cancel


@flow_run.command()
@chosen_runs.options
@click.option("--wait", "waits", is_flag=True, help="Wait until they have ended.")
@show.json_option
@click.pass_obj
def cancel(invocation: Invocation, choice: Choice, waits: bool, as_json: bool) -> None:
    """Cancel flow runs: those that are named, or all that fit.

    One that has not started is cancelled at once. The processes of one that runs are asked to end, and killed if they have not after a while. If one
    of the runs is not found, or is a subflow, none is cancelled.

    \b
    headrace flow-run cancel certain-cormorant
    headrace flow-run cancel --deployment nightly --state SCHEDULED
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = {run.id: run for run in choice.found(house, verb="cancel", of=set(NOT_ENDED) - {StateType.CANCELLING})}
        _refuse_subflows(found.values())
        tell = show.remark if as_json else click.echo
        states = {run.id: _cancelled(house, run, tell) for run in found.values()}
        if waits:
            states = {run.id: _end(house, run, states[run.id], tell) for run in found.values()}
        if as_json:
            show.json(runs.flow_run_rows(house.client, [house.client.read_flow_run(run_id) for run_id in found], house.clock.now()))
    if not all(state.type in (StateType.CANCELLED, StateType.CANCELLING) for state in states.values()):
        raise click.exceptions.Exit(1)


def _refuse_subflows(found: Iterable[FlowRun]) -> None:
    for run in found:
        if run.root_id != run.id:
            advice = f"cancel the run that it belongs to: headrace flow-run cancel {run.root_id}"
            raise click.ClickException(f"flow run {run.name!r} is a subflow, which is not cancelled alone; {advice}")


def _cancelled(house: Instance, run: FlowRun, tell: Callable[[str], None]) -> State:
    """The state of the run when that was asked, which is told."""
    wanted = State(type=StateType.CANCELLING, message="Cancelled by a person.")
    verdict = house.client.move_flow_run(Move(id=house.ids.new(), run_id=run.id, state=wanted))
    state = verdict.state
    if state is None:
        state = house.client.read_flow_run(run.id).state
        _tell_refusal(run, state)
    elif state.is_cancelled():
        tell(f"cancelled flow run {run.name!r} ({run.id}): {verdict.reason}")
    else:
        tell(f"cancelling flow run {run.name!r} ({run.id})")
    return state


def _tell_refusal(run: FlowRun, state: State) -> None:
    if state.type is StateType.CANCELLING:
        show.remark(f"flow run {run.name!r} is being cancelled already ({run.id})")
    elif state.is_cancelled():
        show.remark(f"flow run {run.name!r} was cancelled already ({run.id})")
    else:
        show.error(f"flow run {run.name!r} cannot be cancelled: it has ended in state {state} ({run.id})")


def _end(house: Instance, run: FlowRun, state: State, tell: Callable[[str], None]) -> State:
    """The state in which it ended, which is told; it may have ended by itself meanwhile."""
    if state.is_terminal():
        return state
    following = Following(house, run, least_level=NO_LINES)
    for _ in following.lines():
        pass
    ended = following.run.state
    if ended.is_cancelled():
        tell(f"cancelled flow run {run.name!r} ({run.id})")
    else:
        show.error(f"flow run {run.name!r} was not cancelled: it ended in state {ended} ({run.id})")
    return ended


# pause, resume, retry


@flow_run.command()
@chosen_runs.options
@show.json_option
@click.pass_obj
def pause(invocation: Invocation, choice: Choice, as_json: bool) -> None:
    """Pause flow runs.

    They hold no process until they are resumed. One that has not started is not started, and only those can be paused that agents start. The
    process of one that runs is asked to end; what it has finished and kept is not computed again.

    \b
    headrace flow-run pause certain-cormorant
    """
    kinds = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING)
    _change(invocation, choice, "pause", kinds, lambda house, run: _paused(house, run), "paused", as_json=as_json)


def _paused(house: Instance, run: FlowRun) -> FlowRun:
    verdict = house.client.move_flow_run(Move(id=house.ids.new(), run_id=run.id, state=State.paused("Paused by a person.")))
    if verdict.state is None:
        raise NotPaused(run=run.name, why=verdict.reason)
    return house.client.read_flow_run(run.id)


@flow_run.command()
@chosen_runs.options
@show.json_option
@click.pass_obj
def resume(invocation: Invocation, choice: Choice, as_json: bool) -> None:
    """Let paused flow runs go on.

    \b
    headrace flow-run resume certain-cormorant
    """
    kinds = (StateType.PAUSED,)
    _change(
        invocation,
        choice,
        "resume",
        kinds,
        lambda house, run: house.client.resume_flow_run(run.id, house.ids.new()),
        "resumed",
        as_json=as_json,
    )


@flow_run.command()
@chosen_runs.options
@show.json_option
@click.pass_obj
def retry(invocation: Invocation, choice: Choice, as_json: bool) -> None:
    """Let flow runs be started once more.

    An agent does so with those that failed, crashed or were cancelled. What finished in them and was kept is not computed again. They run the code
    that their deployment has now.

    \b
    headrace flow-run retry certain-cormorant
    headrace flow-run retry --state Lost --yes
    """
    kinds = TERMINAL - {StateType.COMPLETED}
    again = "is to be tried again:"
    _change(
        invocation, choice, "retry", kinds, lambda house, run: house.client.retry_flow_run(run.id, house.ids.new()), again, as_json=as_json
    )


def _change(
    invocation: Invocation,
    choice: Choice,
    verb: str,
    kinds: Iterable[StateType],
    change: Callable[[Instance, FlowRun], FlowRun],
    done: str,
    *,
    as_json: bool,
) -> None:
    """Changes each of the runs; one that cannot be changed says why, and is in no other's way."""
    tell = show.remark if as_json else click.echo
    changed, refused = [], 0
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        for run in choice.found(house, verb=verb, of=kinds):
            try:
                changed.append(change(house, run))
                tell(f"{done} flow run {run.name!r} ({run.id})")
            except HeadraceError as error:
                refused += 1
                show.error(str(error))
        if as_json:
            show.json(runs.flow_run_rows(house.client, changed, house.clock.now()))
    if refused:
        raise click.exceptions.Exit(1)


# delete


@flow_run.command()
@chosen_runs.options
@show.json_option
@click.pass_obj
def delete(invocation: Invocation, choice: Choice, as_json: bool) -> None:
    """Forget flow runs: those that are named, or all that fit.

    Their subflows, task runs, logs and results are forgotten too. If one of the runs is not found, none is deleted.

    \b
    headrace flow-run delete certain-cormorant
    headrace flow-run delete --flow test --yes
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = {run.id: run for run in choice.found(house, verb="delete", of=StateType)}
        rows = runs.flow_run_rows(house.client, list(found.values()), house.clock.now()) if as_json else []
        tell = show.remark if as_json else click.echo
        deleted = {run.id for run in found.values() if _deleted(house.client, run, tell)}
    if as_json:
        show.json([row for row in rows if row["id"] in deleted])


def _deleted(client: OpenClient, run: FlowRun, tell: Callable[[str], None]) -> bool:
    """Whether it was still there, which is told."""
    try:
        client.delete_flow_run(run.id)
    except NotFound:
        show.remark(f"flow run {run.name!r} was gone already ({run.id})")
        return False
    tell(f"deleted flow run {run.name!r} ({run.id})")
    return True
