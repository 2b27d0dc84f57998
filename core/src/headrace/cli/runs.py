"""What the commands on flow runs and on task runs share: options, questions, and runs as rows of JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

import attrs
import click

from headrace.cli import show
from headrace.cli.naming import deployment_names
from headrace.cli.numbers import WholeNumber
from headrace.model.filters import MOST_ROWS, FlowRunFilter, Page, TaskRunFilter, all_of
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import AWAITING_RESTART, AWAITING_RESUME, LOST, State, StateType
from headrace.ports.client import OpenClient
from headrace.wire.plain import to_plain

C = TypeVar("C", bound=Callable[..., Any])
R = TypeVar("R", FlowRun, TaskRun)
W = TypeVar("W", FlowRunFilter, TaskRunFilter)

MOST_WAITING = 1000
"""How many runs that wait are looked at to find those that are due next."""

LATE = "Late"
"""What a run is called that is due and was not started; no state has that name."""

STATE_NAMES = (
    AWAITING_RESTART,
    AWAITING_RESUME,
    "AwaitingRetry",
    "Cached",
    LATE,
    LOST,
    "Rerunning",
    "Retrying",
    "TimedOut",
    "UpstreamFailed",
)
"""What states are called, beyond the names of their types."""

_NAMES = MappingProxyType({name.lower(): name for name in STATE_NAMES})


def state_option(command: C) -> C:
    """Gives a command the option `--state`, as its argument `states`."""
    meaning = "Only runs in a state of this type (FAILED) or name (Cached); may be given several times."
    return click.option("--state", "states", metavar="TYPE|NAME", multiple=True, help=meaning)(command)


def limit_option(command: C) -> C:
    """Gives a command the option `--limit`."""
    kind = WholeNumber(1, MOST_ROWS)
    meaning = f"How many to show, the newest first; 20 if not given, at most {MOST_ROWS}."
    return click.option("--limit", type=kind, metavar="N", default=20, help=meaning)(command)


def newest(read: Callable[[W, Page], list[R]], wanted: W, states: Sequence[str], limit: int, now: datetime) -> list[R]:
    """The newest runs that fit, in one of these states."""
    others, asks_for_late = _without_late(states)
    questions = _questions(read, wanted, others) if others or not asks_for_late else []
    found = {run.id: run for question in questions for run in read(question, Page(limit=limit))}
    if asks_for_late:
        found |= {run.id: run for run in islice(_late(read, wanted, now), limit)}
    return [found[run_id] for run_id in sorted(found, reverse=True)][:limit]


def in_order(
    read: Callable[[FlowRunFilter, Page], list[FlowRun]], wanted: FlowRunFilter, states: Sequence[str], limit: int, now: datetime
) -> tuple[list[FlowRun], int]:
    """Flow runs that fit, in one of these states, as a person wants to see them: the newest first, and after them those that are not due yet, the next
    one first; and how many of these are left out."""
    others, asks_for_late = _without_late(states)
    questions = _questions(read, wanted, others) if others or not asks_for_late else []
    waiting = [run for each in _of_types(questions, {StateType.SCHEDULED}) for run in islice(all_of(read, each), MOST_WAITING)]
    has_come = {run.id: run for run in waiting if due(run, now) <= now}
    has_come |= {
        run.id: run for each in _of_types(questions, set(StateType) - {StateType.SCHEDULED}) for run in read(each, Page(limit=limit))
    }
    if asks_for_late:
        has_come |= {run.id: run for run in islice(_late(read, wanted, now), limit)}
    ahead = {run.id: run for run in waiting if due(run, now) > now}
    first = [has_come[run_id] for run_id in sorted(has_come, reverse=True)][:limit]
    then = sorted(ahead.values(), key=lambda run: (due(run, now), run.id))[: limit - len(first)]
    return [*first, *then], len(ahead) - len(then)


def _of_types(questions: Iterable[FlowRunFilter], types: AbstractSet[StateType]) -> Iterator[FlowRunFilter]:
    """The questions that ask for states of these types, asking for those alone."""
    for question in questions:
        asked = tuple(kind for kind in question.state_types or StateType if kind in types)
        if asked:
            yield attrs.evolve(question, state_types=asked)


def due(run: FlowRun, now: datetime) -> datetime:
    """When a run that waits is due."""
    return run.state.scheduled_time or now


def every(read: Callable[[W, Page], list[R]], wanted: W, states: Sequence[str], now: datetime) -> list[R]:
    """All runs that fit, in one of these states, the newest first."""
    others, asks_for_late = _without_late(states)
    questions = _questions(read, wanted, others) if others or not asks_for_late else []
    found = {run.id: run for question in questions for run in all_of(read, question)}
    if asks_for_late:
        found |= {run.id: run for run in _late(read, wanted, now)}
    return [found[run_id] for run_id in sorted(found, reverse=True)]


def _without_late(states: Sequence[str]) -> tuple[list[str], bool]:
    """The states but Late, which is no name that a state has, and whether it is among them."""
    others = [state for state in states if state.lower() != LATE.lower()]
    return others, len(others) < len(states)


def _late(read: Callable[[W, Page], list[R]], wanted: W, now: datetime) -> Iterator[R]:
    waiting = all_of(read, attrs.evolve(wanted, state_types=(StateType.SCHEDULED,)))
    return (run for run in waiting if isinstance(run, FlowRun) and run.late_by(now) is not None)


def _questions(read: Callable[[W, Page], list[R]], wanted: W, states: Sequence[str]) -> list[W]:
    """Types and names are two questions, since a filter with both asks for both."""
    types = tuple(StateType[state.upper()] for state in states if state.upper() in StateType.__members__)
    names = tuple(_NAMES.get(state.lower(), state) for state in states if state.upper() not in StateType.__members__)
    _refuse_unknown(read, wanted, names)
    questions = [wanted] if not states else []
    if types:
        questions.append(attrs.evolve(wanted, state_types=types))
    if names:
        questions.append(attrs.evolve(wanted, state_names=names))
    return questions


def _refuse_unknown(read: Callable[[W, Page], list[R]], wanted: W, names: Sequence[str]) -> None:
    """Says which states there are where no run was ever called so; a flow may give its states names of its own."""
    for name in names:
        if name not in STATE_NAMES and not read(type(wanted)(state_names=(name,)), Page(limit=1)):
            types = ", ".join(StateType)
            why = f"no run is in a state {name!r}; types of states are {types}, and names, besides those that flows give: {', '.join(STATE_NAMES)}"
            raise click.BadParameter(why, param_hint="--state")


def shown_state(run: FlowRun, now: datetime) -> show.Painted:
    """The state of a run in its colour; of one that waits, how soon it is due; of one that was to start and is late, that and how late it is."""
    late = run.late_by(now)
    if late is not None:
        return show.Painted(f"{LATE} ({show.age(now - late, now)})", "red")
    shown = show.state(run.state)
    if not run.state.is_scheduled():
        return shown
    return attrs.evolve(shown, text=f"{shown.text} ({show.ago(max(due(run, now), now), now)})")


def flow_run_rows(client: OpenClient, found: Sequence[FlowRun], now: datetime) -> list[dict[str, Any]]:
    """Flow runs as JSON shows them: flat, their states by name and type, how late those are that are late, `deployment` an id, and the name of a
    deployment that is still there."""
    names = deployment_names(client, (run.deployment_id for run in found if run.deployment_id is not None))
    return [_flow_run_row(run, names, now) for run in found]


def flow_run_row(client: OpenClient, run: FlowRun, now: datetime) -> dict[str, Any]:
    """One of them."""
    (row,) = flow_run_rows(client, [run], now)
    return row


def _flow_run_row(run: FlowRun, names: Mapping[str, str], now: datetime) -> dict[str, Any]:
    row = _row(run)
    deployment, late = row.pop("deployment_id"), run.late_by(now)
    return {
        **row,
        "late_seconds": None if late is None else late.total_seconds(),
        "deployment": deployment,
        "deployment_name": names.get(deployment),
    }


def task_run_row(run: TaskRun) -> dict[str, Any]:
    """A task run as JSON shows it."""
    return _row(run)


def _row(run: FlowRun | TaskRun) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(run)
    del plain["state"]
    kind = {"state": run.state.name, "state_type": str(run.state.type), "state_message": run.state.message}
    return {"id": plain.pop("id"), "name": plain.pop("name"), **kind, **plain}


def states_table(states: Sequence[State]) -> None:
    """The history of a run."""
    rows = [(show.moment(state.timestamp), show.state(state), state.message) for state in states]
    show.table(("when", "state", "message"), rows, empty="this run has no states yet")
