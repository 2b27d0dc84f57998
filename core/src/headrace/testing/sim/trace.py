"""What was seen in a world, in words. Nothing in it depends on the machine or the process: a seed has one trace."""

from collections.abc import Sequence
from typing import Any

import attrs

from headrace.model.agents import Agent
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.rules.verdicts import Verdict


@attrs.frozen
class Entry:
    """Something that was seen: when, by the clock that only goes on, of whom, and what; put into words when somebody reads it."""

    seconds: float
    label: str
    what: str
    details: tuple[Any, ...] = ()

    def __str__(self) -> str:
        details = "  ".join(filter(None, map(_said, self.details)))
        return f"{self.seconds:9.3f}  {self.label:<22} {self.what}  {details}".rstrip()


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case State():
            due = f" due {value.scheduled_time:%H:%M:%S}" if value.scheduled_time is not None else ""
            return f"{value.name}({value.message or ''}){due}"
        case Move():
            return f"{_said(value.state)} of {value.run_id}, epoch {value.epoch}"
        case Verdict():
            return f"→ {value.answer.value}{' and stop' if value.stop else ''} {_said(value.state)} {value.reason}"
        case LeaseOrder():
            return f"→ stop: {value.reason}" if value.stop else "→ go on"
        case FlowRun():
            return f"{value.id}.{value.epoch} {_said(value.state)}"
        case JournalBatch():
            return f"of {value.flow_run_id}, epoch {value.epoch}: {len(value.states)} states, {len(value.logs)} lines"
        case ClaimRequest():
            return f"at most {value.limit}"
        case WorkQueue():
            paused = " paused" if value.is_paused else ""
            return f"{value.name}{paused} limit {value.concurrency_limit} {dict(value.criteria)}"
        case Deployment():
            paused = " paused" if value.is_paused else ""
            return f"{value.id}{paused} retries {value.retries} restarts {value.max_restarts}"
        case Agent():
            return f"{value.underway} under way"
        case RunRequest():
            return f"{value.id} of {value.deployment_id}"
        case Claimed():
            return f"→ {_said(value.runs) or 'nothing'}"
        case str():
            return value
        case Sequence():
            return ", ".join(map(_said, value))
    return str(value)
