"""`headrace agent`: who takes runs out of work queues and starts them."""

import os

import click

from headrace import instance
from headrace.cli import lookup, show
from headrace.cli.invocation import Invocation
from headrace.cli.numbers import Number, WholeNumber
from headrace.cli.runner_limits import RunnerLimit
from headrace.errors import MayPass, NoQueueLeft
from headrace.model.agents import Agent
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.orders import CREDENTIALS
from headrace.model.queues import WorkQueue
from headrace.wire.plain import to_plain


@click.group()
def agent() -> None:
    """Start agents, and see which are there."""


@agent.command()
@click.argument("queues", metavar="QUEUE...", nargs=-1, required=True)
@click.option("--limit", type=WholeNumber(min=1), metavar="N", help="How many runs it has under way at most; any number if not given.")
@click.option(
    "--limit-by",
    "limits",
    type=RunnerLimit(),
    multiple=True,
    metavar="RUNNER=N",
    help="How many runs of a flow runner it has under way at most; may be given for several. The others take what this agent leaves.",
)
@click.option(
    "--prefer",
    metavar="RUNNER",
    help="The flow runner of runs that leave it to the agent; subprocess, or the setting flow_runner, if not given.",
)
@click.option(
    "--prefetch", is_flag=True, help="Fetch the code of the runs due within an hour, and what their flow runners need, ahead of time."
)
@click.option("--run-once", is_flag=True, help="End when nothing is due and nothing runs any more.")
@click.option(
    "--drain-timeout",
    type=Number(min=0),
    metavar="SECONDS",
    help="How long it waits for its runs when it is told to end; until they have ended, if not given.",
)
@click.option(
    "--require-signature",
    is_flag=True,
    help="Run only deployments that a key has signed which is trusted here; as the setting require_signature.",
)
@click.pass_obj
def start(
    invocation: Invocation,
    queues: tuple[str, ...],
    limit: int | None,
    limits: tuple[tuple[str, int], ...],
    prefer: str | None,
    prefetch: bool,
    run_once: bool,
    drain_timeout: float | None,
    require_signature: bool,
) -> None:
    """Serve work queues, named or by id.

    A server that is not there yet is waited for. The first Ctrl+C (or SIGTERM) lets the runs under way end and takes no more; the second ends them
    too. Runs whose agent was killed go on.

    \b
    headrace agent start tutorial_queue
    headrace agent start nightly reports --limit 4
    headrace agent start nightly --prefer docker --limit-by docker=5 --prefetch
    """
    from headrace.agent.agent import AgentAtWork  # what lists agents need not load what starts runs
    from headrace.agent.arrival import awaited
    from headrace.agent.loop import AgentLoop
    from headrace.agent.questions import asking_beside
    from headrace.engine.run_logs import install
    from headrace.packaging.statements import must_be_able_to_check
    from headrace.services.rounds import Rounds

    with (
        instance.open(invocation.settings, registry=invocation.registry, lasting=True) as opened,
        asking_beside(opened) as (house, questions),
    ):
        requires_signature = require_signature or house.settings.require_signature
        if requires_signature:
            must_be_able_to_check(house.registry)
        served = {
            queue.id: queue for queue in awaited(house, lambda: [lookup.work_queue(house.client, name) for name in queues], _tell_trouble)
        }
        install(house.settings.log_level)
        for name in {name for name, _ in limits} | ({prefer} if prefer else set()):
            house.registry.offer("flow runner", name)  # one that is not installed is told now
        # flow runners that are opened here read settings by themselves, and are to find those that were typed or stand in a profile
        os.environ.update({name: value for name, value in house.settings.as_environment().items() if name not in CREDENTIALS})
        at_work = AgentAtWork(
            house,
            tuple(served.values()),
            limit=limit,
            limits=dict(limits),
            prefers=prefer,
            looks_ahead=prefetch,
            requires_signature=requires_signature,
        )
        show.remark(_greeting(at_work.agent, list(served.values())))
        if requires_signature:
            show.remark("It runs only deployments that a key has signed which is trusted here.")
        beside = None if questions else Rounds.of_all_installed(house).step  # a server has its own
        AgentLoop(house, at_work, once=run_once, drain_seconds=drain_timeout, beside=beside, questions=questions).run()
        if not at_work.has_queues:
            raise NoQueueLeft()
        show.remark("Agent stopped.")


def _tell_trouble(error: MayPass) -> None:
    show.remark(f"The agent waits until it can begin (Ctrl+C ends it): {error}")


def _greeting(agent: Agent, queues: list[WorkQueue]) -> str:
    names = ", ".join(f"{queue.name!r}{' (paused)' if queue.is_paused else ''}" for queue in queues)
    most = f", at most {agent.limit} runs at once" if agent.limit is not None else ""
    return f"Agent {agent.name} started: it looks for work from {names}{most}. Ctrl+C ends it."


@agent.command()
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, as_json: bool) -> None:
    """List the agents that are there, or were lately."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = house.client.read_agents()
        ids = tuple({queue for agent in found for queue in agent.queues})
        names = {queue.id: queue.name for queue in house.client.read_work_queues(WorkQueueFilter(ids=ids), Page())} if ids else {}
        now = house.clock.now()
    if as_json:
        show.json([to_plain(agent) for agent in found])
        return
    show.table(
        ("id", "name", "state", "age", "limit", "work queues"),
        [
            (
                agent.id,
                agent.name,
                _state(agent),
                show.age(agent.started, now),
                agent.limit,
                ", ".join(names.get(q, q) for q in agent.queues),
            )
            for agent in found
        ],
        empty="no agent is there; start one: headrace agent start QUEUE",
    )


def _state(agent: Agent) -> show.Painted:
    if not agent.live:
        return show.Painted("gone", "red")
    return show.Painted("draining", "yellow") if agent.is_draining else show.Painted("at work", "green")
