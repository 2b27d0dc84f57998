"""Why a run is not running, or what happened to it: said from facts alone, the same that handing it out judges by."""

from collections.abc import Iterator
from datetime import datetime
from shlex import quote

import attrs

from headrace.model.agents import Agent
from headrace.model.deployments import UNIVERSAL
from headrace.model.explanations import Explanation, Kind, Obstacle
from headrace.model.queues import WorkQueue
from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.model.states import AWAITING_RETRY, StateType
from headrace.rules.gates import closed
from headrace.rules.verdicts import Verdict

SUBPROCESS = "subprocess"
MOST_NAMED = 3
"""How many runs, or agents, are named in a sentence."""


@attrs.frozen(kw_only=True)
class QueueFacts:
    """A work queue as it stands to a run: what its matchers say, how many runs it has under way and the first of them, and who serves it, live."""

    queue: WorkQueue
    reasons: tuple[Reason, ...] = ()
    in_use: int = 0
    under_way: tuple[FlowRun, ...] = ()
    agents: tuple[Agent, ...] = ()

    @property
    def is_wanting(self) -> bool:
        return all(reason.fits for reason in self.reasons)


@attrs.frozen(kw_only=True)
class WaitFacts:
    """All that is known of a run that waits. `verdict` is what the rules say of its being taken now; `paused` names its deployment where that is paused.
    `storage` is the type of the storage that its code is in, where that is not the orchestration's own, and `lost` the name of one that is gone."""

    now: datetime
    run: FlowRun
    verdict: Verdict
    paused: str | None = None
    storage: str | None = None
    lost: str | None = None
    queues: tuple[QueueFacts, ...] = ()


def explain_waiting(facts: WaitFacts) -> Explanation:
    """Why a SCHEDULED run of a deployment is not taken."""
    wanting = [queue for queue in facts.queues if queue.is_wanting]
    names = tuple(queue.queue.name for queue in wanting)
    obstacles = (*_of_the_run(facts), *(_of_no_queue(facts) if not wanting else _of_queues(facts, wanting)))
    return Explanation(summary=_summary(facts, wanting, obstacles), obstacles=obstacles, queues=names)


def _summary(facts: WaitFacts, wanting: list[QueueFacts], obstacles: tuple[Obstacle, ...]) -> str:
    own = [obstacle for obstacle in obstacles if obstacle.queue is None]
    if own:
        return own[0].sentence
    free = [facts for facts in wanting if all(obstacle.queue != facts.queue.name for obstacle in obstacles)]
    if not free:
        return (
            obstacles[0].sentence
            if len(wanting) == 1
            else f"{len(wanting)} work queues want it, and something is in the way in each of them"
        )
    return f"it is due, and is about to be taken from work queue {free[0].queue.name!r} by agent {free[0].agents[0].name}"


def _of_the_run(facts: WaitFacts) -> Iterator[Obstacle]:
    due = facts.run.state.scheduled_time
    if due is not None and due > facts.now:
        what = "its next try is" if facts.run.state.name == AWAITING_RETRY else "it is"
        yield Obstacle(kind=Kind.DUE_LATER, sentence=f"{what} due at {due.isoformat(timespec='seconds')}")
    if facts.paused is not None:
        command = f"headrace deployment resume {quote(facts.paused)}"
        yield Obstacle(kind=Kind.DEPLOYMENT_PAUSED, sentence=f"its deployment {facts.paused!r} is paused", advice=command)
    if facts.lost is not None:
        sentence = f"its code is in storage {facts.lost!r}, and there is no storage of that name any more"
        yield Obstacle(kind=Kind.NO_STORAGE, sentence=sentence, advice=f"headrace storage create TYPE --name {quote(facts.lost)}")
    if facts.paused is None and facts.verdict.state is None and (due is None or due <= facts.now):
        yield Obstacle(kind=Kind.HELD_BACK, sentence=f"a rule holds it back: {facts.verdict.reason}")


def _of_no_queue(facts: WaitFacts) -> Iterator[Obstacle]:
    why = "there is no work queue" if not facts.queues else "no work queue wants it"
    yield Obstacle(kind=Kind.NO_QUEUE, sentence=why, advice="headrace work-queue create NAME")
    for each in facts.queues:
        unfit = "; ".join(reason.why for reason in each.reasons if not reason.fits)
        yield Obstacle(kind=Kind.NOT_WANTED, queue=each.queue.name, sentence=f"work queue {each.queue.name!r} does not want it: {unfit}")


def _of_queues(facts: WaitFacts, wanting: list[QueueFacts]) -> Iterator[Obstacle]:
    for each in wanting:
        obstacle = _gate(each) or _agents(facts.run, each, facts.storage)
        if obstacle is not None:
            yield obstacle


def _gate(facts: QueueFacts) -> Obstacle | None:
    queue = facts.queue
    kind = closed(queue, facts.in_use)
    if kind is Kind.PAUSED:
        sentence = f"work queue {queue.name!r} is paused"
        return Obstacle(kind=kind, queue=queue.name, sentence=sentence, advice=f"headrace work-queue resume {quote(queue.name)}")
    command = f"headrace work-queue set-concurrency-limit {quote(queue.name)} N"
    if kind is Kind.SHUT:
        return Obstacle(
            kind=kind, queue=queue.name, sentence=f"work queue {queue.name!r} gives nothing away, since its limit is 0", advice=command
        )
    if kind is Kind.FULL:
        return Obstacle(kind=kind, queue=queue.name, sentence=f"work queue {queue.name!r} is full: {_limit(facts)}", advice=command)
    return None


def _limit(facts: QueueFacts) -> str:
    named = [run.name for run in facts.under_way[:MOST_NAMED]]
    more = facts.in_use - len(named)
    others = f" and {more} more" if more > 0 else ""
    are = "is" if facts.in_use == 1 else "are"
    return f"its limit is {facts.queue.concurrency_limit}, and {', '.join(named)}{others} {are} under way"


def _agents(run: FlowRun, facts: QueueFacts, storage: str | None) -> Obstacle | None:
    queue = facts.queue.name
    taking = [agent for agent in facts.agents if not agent.is_draining]
    if not taking:
        sentence = (
            f"{'all agents that serve' if facts.agents else 'no agent serves'} work queue {queue!r}{' are leaving' if facts.agents else ''}"
        )
        return Obstacle(kind=Kind.NO_AGENT, queue=queue, sentence=sentence, advice=f"headrace agent start {quote(queue)}")
    able = [agent for agent in taking if _has_runner(agent, run)]
    if not able:
        assert run.flow_runner is not None, "any agent has the runner that it prefers"
        sentence = f"no agent that serves work queue {queue!r} has flow runner {run.flow_runner.name!r}; one that takes it will say so"
        return Obstacle(kind=Kind.NO_FLOW_RUNNER, queue=queue, sentence=sentence, advice=f"pip install headrace-{run.flow_runner.name}")
    reaching = [agent for agent in able if _has_storage(agent, run, storage)]
    if not reaching:
        sentence = f"its code is in a storage of type {storage!r}, which no agent that serves work queue {queue!r} has installed"
        return Obstacle(kind=Kind.NO_STORAGE, queue=queue, sentence=sentence, advice=f"pip install headrace-{storage}")
    able = reaching
    if all(_is_full(agent, run) for agent in able):
        names = ", ".join(f"{agent.name} ({_how_full(agent)})" for agent in able[:MOST_NAMED])
        sentence = f"all agents that serve work queue {queue!r} have as many runs under way as they may: {names}"
        return Obstacle(kind=Kind.BUSY_AGENTS, queue=queue, sentence=sentence, advice=f"headrace agent start {quote(queue)}")
    return None


def _is_full(agent: Agent, run: FlowRun) -> bool:
    """Whether it takes no more, or no more of that flow runner."""
    runner = run.flow_runner.name if run.flow_runner is not None else UNIVERSAL
    return (agent.limit is not None and agent.underway >= agent.limit) or runner in agent.full_runners


def _how_full(agent: Agent) -> str:
    if agent.limit is not None and agent.underway >= agent.limit:
        return f"{agent.underway} of {agent.limit}"
    return f"{agent.underway}, and no more of {', '.join(repr(name) for name in agent.full_runners)}"


def _has_runner(agent: Agent, run: FlowRun) -> bool:
    """Whether the agent has what the run asks for; one that does not say what it has is taken at its word when it takes the run."""
    return (
        run.flow_runner is None or run.flow_runner.name == UNIVERSAL or not agent.flow_runners or run.flow_runner.name in agent.flow_runners
    )


def _has_storage(agent: Agent, run: FlowRun, storage: str | None) -> bool:
    """Whether the agent has the storage that the code is in; it cannot tell of runs that begin with another Python, or in a container."""
    runner = run.flow_runner
    is_here = runner is None or runner.name == UNIVERSAL or (runner.name == SUBPROCESS and not runner.options)
    return storage is None or not is_here or not agent.storages or storage in agent.storages


# What is not to be taken


def explain_other(run: FlowRun, now: datetime, owner: str) -> Explanation:
    """What a run is about that is not waiting to be taken; `owner` says who has its lease, in words, or nothing where nobody has."""
    state = run.state
    said = f": {state.message}" if state.message else ""
    if state.is_terminal():
        after = f" after {run.run_count} tries" if run.run_count > 1 else ""
        return Explanation(summary=f"it ended {_at(state.timestamp)}{after}, {state.name.upper()}{said}")
    if state.type is StateType.SCHEDULED:
        due = state.scheduled_time or now
        when = f"at {due.isoformat(timespec='seconds')}" if due > now else "now"
        what = "its next try follows" if run.run_count else "it is due"
        return Explanation(
            summary=f"{what} {when}, in the process that has it ({owner})" if owner else f"{what} {when}, and no process has it"
        )
    doing = {
        StateType.PENDING: f"it was taken {_at(state.timestamp)}, and its process is beginning",
        StateType.RUNNING: f"it has been running since {_moment(state.timestamp)}",
        StateType.CANCELLING: f"it is being cancelled since {_moment(state.timestamp)}",
        StateType.PAUSED: f"it is paused since {_moment(state.timestamp)}{said}",
    }[state.type]
    if state.type is StateType.PAUSED:
        return Explanation(summary=doing)
    return Explanation(summary=f"{doing} ({owner})" if owner else f"{doing}, and nobody has renewed its lease")


def _at(moment: datetime | None) -> str:
    return f"at {_moment(moment)}"


def _moment(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment is not None else "an unknown time"
