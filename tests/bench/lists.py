"""What lists and counts cost where there are very many runs: every question of the client port that gives more than one row, by each of its filters.

A round asks with other values than the one before. What is told is the 99th percentile of the rounds, since who looks at a list waits for the slow ones too.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
import many_runs as made

from headrace.model.counts import CountFilter
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.states import TERMINAL, StateType

ROUNDS = 100

Ask = Callable[..., Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@attrs.frozen(kw_only=True)
class Question:
    """An operation with the arguments of a round, as `drawn`; `about` says by what it is narrowed."""

    operation: str
    about: str
    drawn: Callable[[random.Random], Mapping[str, Any]]

    def __str__(self) -> str:
        return f"{self.operation}: {self.about}"


def questions(count: int) -> Iterator[Question]:
    """Everything that is asked of a store with so many flow runs."""
    for about, fields in _flow_runs(count).items():
        yield from _listed("read_flow_runs", about, FlowRunFilter, fields, lambda draw: made.run_id(draw.randrange(count), count))
    for about, fields in _task_runs(count).items():
        yield from _listed("read_task_runs", about, TaskRunFilter, fields, lambda draw: made.task_run_id(draw.randrange(count), 0, count))
    for about, fields in _logs(count).items():
        yield from _listed("read_logs", about, LogFilter, fields, lambda draw: f"{made.run_id(_detailed(draw, count), count)}-0")
    for about, fields in _deployments().items():
        yield from _listed("read_deployments", about, DeploymentFilter, fields, lambda draw: made.deployment_id(draw.randrange(100)))
    for about, fields in _work_queues().items():
        yield from _listed("read_work_queues", about, WorkQueueFilter, fields, lambda draw: made.queue_id(draw.randrange(10)))
    for about, fields in _counts().items():
        yield Question(
            operation="count_flow_runs", about=about, drawn=lambda draw, fields=fields: {"wanted": CountFilter(**_each(fields, draw))}
        )
    for about, wanted in (
        ("from the first", lambda draw: FlowFilter()),
        ("after one", lambda draw: FlowFilter(after=_flow(draw))),
        ("text", lambda draw: FlowFilter(text=f"{draw.randrange(10)}")),
    ):
        yield Question(
            operation="read_flows",
            about=about,
            drawn=lambda draw, wanted=wanted: {"wanted": wanted(draw), "limit": 25, "since": made.LAST - 7 * DAY},
        )
    yield Question(
        operation="read_ticks",
        about="of some schedules",
        drawn=lambda draw: {
            "schedule_ids": tuple(made.schedule_id(_deployment(draw)) for _ in range(20)),
            "first": made.FIRST,
            "last": made.LAST,
            "limit": 10,
        },
    )
    for name in ("read_agents", "read_limits", "read_last_event", "plan_forgetting"):
        yield Question(operation=name, about="all", drawn=lambda draw: {})
    for name in ("read_flow_run", "read_states", "read_news", "explain_flow_run"):
        yield Question(operation=name, about="a run", drawn=lambda draw: {"run_id": made.run_id(_detailed(draw, count), count)})
    yield Question(
        operation="read_deployment_versions",
        about="a deployment",
        drawn=lambda draw: {"deployment_id": made.deployment_id(draw.randrange(100)), "limit": 10},
    )
    yield Question(operation="read_due", about="a queue", drawn=lambda draw: {"queue_id": _queue(draw), "until": made.LAST, "limit": 200})
    yield Question(operation="count_under_way", about="a queue", drawn=lambda draw: {"queue_id": _queue(draw)})
    for about, wanted in (
        ("of a subject", lambda draw: EventFilter(subjects=(made.run_id(_detailed(draw, count), count),))),
        ("of a kind", lambda draw: EventFilter(after=draw.randrange(count // 10), kinds=("flow-run.PAUSED",))),
        ("of a rare kind", lambda draw: EventFilter(kinds=("flow-run.PAUSED",))),
        ("of a kind that there is none of", lambda draw: EventFilter(kinds=("nothing",))),
        ("any", lambda draw: EventFilter(after=draw.randrange(count // 10))),
    ):
        yield Question(operation="wait_for_events", about=about, drawn=lambda draw, wanted=wanted: {"wanted": wanted(draw), "seconds": 0.0})


Fields = Mapping[str, Callable[[random.Random], Any]]


def _flow_runs(count: int) -> dict[str, Fields]:
    some, flow = _some(lambda draw: made.run_id(draw.randrange(count), count)), _some(_flow)
    failed = _same((StateType.FAILED,))
    return {
        "nothing": {},
        "ids": {"ids": _some(lambda draw: made.run_id(draw.randrange(count), count), 50)},
        "id_prefix": {"id_prefix": lambda draw: made.run_id(draw.randrange(count), count)[:9]},
        "id_prefix of many": {"id_prefix": _same("019b")},
        "names": {"names": _some(lambda draw: f"run-{draw.randrange(made.NAMES):05}")},
        "flow_names": {"flow_names": flow},
        "flow_names, ten": {"flow_names": _some(_flow, 10)},
        "deployment_ids": {"deployment_ids": _some(_deployment)},
        "root_ids": {"root_ids": some},
        "schedule_ids": {"schedule_ids": _some(lambda draw: made.schedule_id(_deployment(draw)))},
        "state_types": {"state_types": _some(lambda draw: draw.choice(list(StateType)))},
        "state_types, those that ended": {"state_types": _same(tuple(TERMINAL))},
        "state_names": {"state_names": _some(lambda draw: draw.choice(made.STATES)[2])},
        "state_names, one that there is none of": {"state_names": _same(("Nothing",))},
        "tags": {"tags": _some(_tag)},
        "tags, two": {"tags": _some(_tag, 2)},
        "tags, a rare one and another": {"tags": lambda draw: (made.RARE, _tag(draw))},
        "root_only": {"root_only": _same(value=True)},
        "text of many": {"text": _same("run-0")},
        "text of some": {"text": lambda draw: f"{draw.randrange(made.NAMES):05}"},
        "text of none": {"text": lambda draw: f"nothing-{draw.randrange(made.NAMES)}"},
        "text of none, and state": {"text": _same("nothing"), "state_types": failed},
        "text of none, and flow": {"text": _same("nothing"), "flow_names": flow},
        "text and flow": {"text": _same("run-0"), "flow_names": flow},
        "text and state, created in a day": {"text": _same("7"), "state_types": failed, **_window(DAY)},
        "text and tags": {"text": lambda draw: f"{draw.randrange(made.NAMES):05}", "tags": _some(_tag)},
        "work_queues": {"work_queues": _some(lambda draw: made.queue_name(draw.randrange(made.QUEUES)))},
        "work queue and state": {"work_queues": _some(lambda draw: made.queue_name(draw.randrange(made.QUEUES))), "state_types": failed},
        "work queue and flow": {"work_queues": _some(lambda draw: made.queue_name(draw.randrange(made.QUEUES))), "flow_names": flow},
        "work queue and tags": {"work_queues": _some(lambda draw: made.queue_name(draw.randrange(made.QUEUES))), "tags": _some(_tag)},
        "work queue, created in a day": {"work_queues": _some(lambda draw: made.queue_name(draw.randrange(made.QUEUES))), **_window(DAY)},
        "due in an hour": {"due_after": _moment, "due_before": lambda draw: _moment(draw) + HOUR},
        "due, and flow": {"due_after": _moment, "flow_names": flow},
        "created_after": {"created_after": _moment},
        "created_before": {"created_before": _moment},
        "created in an hour": _window(HOUR),
        "created in a day": _window(DAY),
        "flow and state": {"flow_names": flow, "state_types": failed},
        "flow and state, of both many, together none": {"flow_names": _same((made.GOOD,)), "state_types": failed},
        "deployment and state": {"deployment_ids": _some(_deployment), "state_types": failed},
        "flow and deployment": {"flow_names": _same((made.BIG,)), "deployment_ids": _some(_deployment)},
        "flow and name of state": {"flow_names": flow, "state_names": _same(("Late",))},
        "flow and name of state, together none": {"flow_names": _same((made.GOOD,)), "state_names": _same(("Failed",))},
        "flow and tags": {"flow_names": flow, "tags": _some(_tag)},
        "state and tags": {"state_types": failed, "tags": _some(_tag)},
        "tag and name of state": {"tags": _some(_tag), "state_names": _same(("Paused",))},
        "state, tags, flow, roots": {"state_types": failed, "tags": _some(_tag), "flow_names": flow, "root_only": _same(value=True)},
        "state, created in a day": {"state_types": failed, **_window(DAY)},
        "flow, created in an hour": {"flow_names": flow, **_window(HOUR)},
        "flow and state, created in a day": {"flow_names": flow, "state_types": failed, **_window(DAY)},
        "deployment, created in a day": {"deployment_ids": _some(_deployment), **_window(DAY)},
        "tags, created before": {"tags": _some(_tag), "created_before": _moment},
        "roots that ended, created before": {
            "root_only": _same(value=True),
            "state_types": _same(tuple(TERMINAL)),
            "created_before": _moment,
        },
    }


def _task_runs(count: int) -> dict[str, Fields]:
    name = _some(lambda draw: f"task-{draw.randrange(made.FLOWS):02}-{draw.randrange(5)}")
    failed = _same((StateType.FAILED,))
    return {
        "nothing": {},
        "ids": {"ids": _some(lambda draw: made.task_run_id(draw.randrange(count), 3, count), 50)},
        "id_prefix": {"id_prefix": lambda draw: made.task_run_id(draw.randrange(count), 0, count)[:9]},
        "names": {"names": name},
        "flow_run_ids": {"flow_run_ids": _some(lambda draw: made.run_id(draw.randrange(count), count), 20)},
        "state_types": {"state_types": _some(lambda draw: draw.choice(list(StateType)))},
        "state_names": {"state_names": _some(lambda draw: draw.choice(made.STATES)[2])},
        "tags": {"tags": _some(_tag)},
        "name and state": {"names": name, "state_types": failed},
        "name and state, of both many, together none": {"names": _same((f"task-{made.BIG[5:]}-0",)), "state_types": failed},
        "name and name of state": {"names": name, "state_names": _same(("Paused",))},
        "tags and state": {"tags": _some(_tag), "state_types": failed},
        "tags, state, flow run": {
            "tags": _some(_tag),
            "state_types": failed,
            "flow_run_ids": _some(lambda draw: made.run_id(draw.randrange(count), count)),
        },
        "tags and names": {"tags": _some(_tag), "names": name},
        "tags and names, of both many, together none": {"tags": _some(_tag), "names": _same((f"task-{made.BIG[5:]}-1",))},
    }


def _logs(count: int) -> dict[str, Fields]:
    run = _some(lambda draw: made.run_id(_detailed(draw, count), count))
    return {
        "nothing": {},
        "flow_run_ids": {"flow_run_ids": run},
        "task_run_id": {"task_run_id": lambda draw: made.task_run_id(_detailed(draw, count), 0, count)},
        "least_level": {"least_level": lambda draw: draw.choice((10, 20, 30, 40))},
        "least_level that nothing has": {"least_level": _same(50)},
        "flow_run_ids and text": {"flow_run_ids": run, "text": _same("about run-")},
        "flow_run_ids, level and text": {"flow_run_ids": run, "least_level": _same(30), "text": _same("length")},
    }


def _deployments() -> dict[str, Fields]:
    return {
        "nothing": {},
        "ids": {"ids": _some(_deployment, 5)},
        "id_prefix": {"id_prefix": _same("019b")},
        "names": {"names": _some(lambda draw: f"deployment-{draw.randrange(100):02}")},
        "flow_names": {"flow_names": _some(_flow)},
        "tags": {"tags": _some(_tag)},
        "text": {"text": lambda draw: f"{draw.randrange(10)}"},
    }


def _work_queues() -> dict[str, Fields]:
    return {
        "nothing": {},
        "ids": {"ids": _some(_queue, 3)},
        "id_prefix": {"id_prefix": _same("019b")},
        "names": {"names": _some(lambda draw: f"queue-{draw.randrange(10)}")},
    }


def _counts() -> dict[str, Fields]:
    everything = {"created_after": _same(made.FIRST), "created_before": _same(made.LAST)}
    return {
        "the last day": {},
        "a day": _window(DAY),
        "all 30 days": everything,
        "flow_names, a day": {"flow_names": _some(_flow, 5), **_window(DAY)},
        "flow_names, 30 days": {"flow_names": _some(_flow, 5), **everything},
        "deployment_ids, 30 days": {"deployment_ids": _some(_deployment, 5), **everything},
        "deployment_ids and flow_names, 30 days": {"deployment_ids": _some(_deployment, 5), "flow_names": _some(_flow, 5), **everything},
    }


# How values are drawn


def _listed(
    operation: str, about: str, kind: Callable[..., Any], fields: Fields, somewhere: Callable[[random.Random], str]
) -> Iterator[Question]:
    """The first page, newest first; and one from somewhere on, in either order."""

    def drawn(draw: random.Random) -> Mapping[str, Any]:
        after = draw.choice((None, None, somewhere(draw)))
        return {"wanted": kind(**_each(fields, draw)), "page": Page(after=after, newest_first=after is None or draw.random() < 0.5)}

    yield Question(operation=operation, about=about, drawn=drawn)


def _each(fields: Fields, draw: random.Random) -> dict[str, Any]:
    seed = draw.random()  # the same for each field, so that both ends of a window fit
    return {name: value(random.Random(seed)) for name, value in fields.items()}


def _same(value: Any) -> Callable[[random.Random], Any]:
    return lambda draw: value


def _some(one: Callable[[random.Random], Any], count: int = 1) -> Callable[[random.Random], tuple[Any, ...]]:
    return lambda draw: tuple(one(draw) for _ in range(count))


def _flow(draw: random.Random) -> str:
    return made.flow_name(draw.choice((0, draw.randrange(made.FLOWS))))


def _deployment(draw: random.Random) -> str:
    return made.deployment_id(draw.randrange(made.DEPLOYMENTS))


def _tag(draw: random.Random) -> str:
    return f"tag-{draw.randrange(made.TAGS):02}"


def _queue(draw: random.Random) -> str:
    return made.queue_id(draw.randrange(made.QUEUES))


def _detailed(draw: random.Random, count: int) -> int:
    return draw.randrange(int(count * (1 - made.DETAILED)) + 1, count)


def _moment(draw: random.Random) -> datetime:
    return made.FIRST + (made.LAST - made.FIRST) * draw.random()


def _window(length: timedelta) -> Fields:
    return {"created_after": _moment, "created_before": lambda draw: _moment(draw) + length}


# Measuring


@attrs.frozen(kw_only=True)
class Measured:
    """Milliseconds that a question took."""

    question: Question
    median: float
    percentile: float


def measured(ask: Ask, count: int, rounds: int = ROUNDS) -> list[Measured]:
    """How long each question takes, the slowest first; asked by `ask`, after a round that does not count."""
    found = []
    for question in questions(count):
        draw = random.Random(str(question))
        ask(question.operation, **question.drawn(draw))
        taken = []
        for _ in range(rounds):
            arguments = question.drawn(draw)
            start = time.perf_counter()
            ask(question.operation, **arguments)
            taken.append((time.perf_counter() - start) * 1000)
        found.append(Measured(question=question, median=statistics.median(taken), percentile=statistics.quantiles(taken, n=100)[98]))
    return sorted(found, key=lambda each: -each.percentile)


def main() -> None:
    """Prints how long each question takes without a wire, in the home and with the number of runs that are named."""
    import headrace
    from headrace.settings import load

    with headrace.open(load({"HEADRACE_HOME": sys.argv[1]}), lasting=True) as house:  # so that no old run is forgotten
        for each in measured(lambda name, **arguments: getattr(house.client, name)(**arguments), int(sys.argv[2])):
            print(f"{each.percentile:9.2f} {each.median:9.2f}  {each.question}")


if __name__ == "__main__":
    main()
