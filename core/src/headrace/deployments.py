"""What users need for deployments; a facade."""

from headrace.deploying.spec import DeploymentSpec

__all__ = ["DeploymentSpec"]
