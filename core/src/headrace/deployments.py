"""What users need for deployments; a facade."""

from headrace.deploying.calling import run_deployment, run_deployment_async
from headrace.deploying.spec import DeploymentSpec

__all__ = ["DeploymentSpec", "run_deployment", "run_deployment_async"]
