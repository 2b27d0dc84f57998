"""Making a container: whole and in all its networks, or not at all."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from headrace_docker.network import Network
from headrace_docker.troubles import FAILURES


def made(
    api: Any,
    *,
    image: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    network: Network,
    user: str | None,
    name: str | None = None,
    **limits: Any,
) -> str:
    """The id of a new container, that is not started yet. Raises what the engine's client raises; then there is none."""
    found = api.create_container(
        image=image,
        command=list(command),
        environment=dict(environment),
        labels=dict(labels),
        user=user,
        name=name,
        host_config=api.create_host_config(**network.settings, **limits),
    )
    try:
        for other in network.names[1:]:
            api.connect_container_to_network(found["Id"], other)
    except FAILURES:
        removed(api, found["Id"])
        raise
    return str(found["Id"])


def removed(api: Any, container: str) -> None:
    """Removes a container, running or not, as far as it can be; who does so has something else to tell, or somebody else was faster."""
    with suppress(*FAILURES):
        api.remove_container(container, force=True, v=True)
