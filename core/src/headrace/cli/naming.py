"""The names of what is known by its id."""

from collections.abc import Iterable

from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, Page
from headrace.ports.client import OpenClient


def deployment_names(client: OpenClient, ids: Iterable[str]) -> dict[str, str]:
    """The full names of deployments, by id; deleted ones have none."""
    portions = _portions(ids)
    return {found.id: found.full_name for portion in portions for found in client.read_deployments(DeploymentFilter(ids=portion), Page())}


def flow_run_names(client: OpenClient, ids: Iterable[str]) -> dict[str, str]:
    """The names of flow runs, by id; deleted ones have none."""
    return {run.id: run.name for portion in _portions(ids) for run in client.read_flow_runs(FlowRunFilter(ids=portion), Page())}


def _portions(ids: Iterable[str]) -> list[tuple[str, ...]]:
    wanted = sorted(set(ids))
    return [tuple(wanted[start : start + MOST_ROWS]) for start in range(0, len(wanted), MOST_ROWS)]
