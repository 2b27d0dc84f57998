"""What users need for deployments; a facade."""

from headrace.deploying.calling import run_deployment, run_deployment_async
from headrace.deploying.schedules import ScheduleSpec
from headrace.deploying.spec import DeploymentSpec

__all__ = ["DeploymentSpec", "ScheduleSpec", "run_deployment", "run_deployment_async"]
