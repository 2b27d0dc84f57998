"""New runs of deployments, as somebody or a schedule asks for them."""

from datetime import datetime

import attrs

from headrace.model.deployments import Deployment
from headrace.model.runs import FlowRun
from headrace.model.schedules import Tick
from headrace.model.states import State


def new_run(
    deployment: Deployment, *, run_id: str, name: str, state: State, due: datetime, now: datetime, tick: Tick | None = None
) -> FlowRun:
    """A run with all that the deployment gives it."""
    return FlowRun(
        id=run_id,
        name=name,
        state=attrs.evolve(state, timestamp=now) if state.timestamp is None else state,
        created=now,
        expected_start_time=due,
        tags=deployment.tags,
        flow_name=deployment.flow_name,
        flow_version=deployment.flow_version,
        parameters=deployment.parameters,
        deployment_id=deployment.id,
        root_id=run_id,
        retries=deployment.retries,
        retry_delay=deployment.retry_delay,
        max_restarts=deployment.max_restarts,
        flow_runner=deployment.flow_runner,
        tick=tick,
        end_time=now if state.is_terminal() else None,
    )
