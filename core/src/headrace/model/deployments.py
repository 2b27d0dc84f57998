"""Deployments: a flow's code, with all that its runs are to begin with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule
from headrace.model.tags import Tags

UNIVERSAL = "universal"
"""The flow runner that a deployment names if it leaves the choice to the agent."""


@attrs.frozen(kw_only=True)
class Archive:
    """Code that travels: packed files. `sha256` is of their manifest, so equal files have equal addresses wherever they were packed.

    `size` is in bytes, unpacked. `storage` None means the orchestration's own; `folder` is what the orchestration has in it.
    """

    sha256: str
    files: int
    size: int
    storage: Choice | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """What the orchestration knows it by, wherever it is."""
        return f"code/{self.sha256}.tar.gz"

    @property
    def key(self) -> str:
        """Where the storage has it."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


@attrs.frozen(kw_only=True)
class Signature:
    """Somebody's word for a statement: `key` is the fingerprint of the key, `text` what it made of the statement, as text."""

    key: str
    text: str


@attrs.frozen(kw_only=True)
class Code:
    """What a deployment runs: `entrypoint` is `module:name` in the archive, or without one, in what is installed where it runs.

    With a `serializer`, the entrypoint is the file in the archive in which that has written the flow itself. The `signature` is of the statement that
    says all this, and by which flow runner.
    """

    entrypoint: str
    archive: Archive | None = None
    serializer: str | None = None
    signature: Signature | None = None


@attrs.frozen(kw_only=True)
class Deployment:
    """A flow made ready to be run elsewhere; one for each name of a flow.

    `parameters` are plain data and need not be complete; `parameter_schema` is JSON Schema of all that the flow takes. `is_verified` says that
    the code was imported in a clean process before it was accepted. `max_restarts` is how often a run is started anew when its process
    has crashed. `is_paused`: nothing of it is started. `version` counts what it was before. Moments are aware, in UTC.
    """

    id: str
    name: str
    flow_name: str
    code: Code
    flow_version: str | None = None
    description: str | None = None
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    parameter_schema: Mapping[str, Any] = attrs.field(factory=dict)
    tags: Tags = ()
    schedules: tuple[DeploymentSchedule, ...] = ()
    flow_runner: Choice = Choice(UNIVERSAL)  # noqa: RUF009 - a frozen value
    retries: int = 0
    retry_delay: float = 0.0
    max_restarts: int = 0
    is_verified: bool = True
    is_paused: bool = False
    version: int = 1
    created: datetime
    updated: datetime

    @property
    def full_name(self) -> str:
        """The name people use: `flow/deployment`."""
        return f"{self.flow_name}/{self.name}"


@attrs.frozen(kw_only=True)
class RunRequest:
    """Asks for a run of a deployment. `id` is the run's, made by who asks, so that asking again gives the same run.

    `parameters` go over those of the deployment, `tags` are added to its own; `at` None means now, and for a moment that is past the run was to start
    then, and is due now. `is_named` says that somebody chose the name, so that the flow does not name the run. With a `holder` the run is taken at
    once, by who asks, and no agent gets it. `keeps_result` says that somebody will want to read the result.
    """

    id: str
    deployment_id: str
    name: str
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    tags: Tags = ()
    is_named: bool = False
    at: datetime | None = None
    holder: str | None = None
    keeps_result: bool = False
