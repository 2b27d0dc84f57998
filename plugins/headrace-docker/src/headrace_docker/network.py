"""The networks that a container is in."""

from collections.abc import Mapping
from typing import Any

import attrs

from headrace_docker.inside import OUTSIDE

HOST = "host"
HOST_GATEWAY = "host-gateway"
"""What the engine replaces by the address at which a container reaches the machine that it is on; engines know it since 20.10."""


@attrs.frozen(kw_only=True)
class Network:
    """Networks by name, or a mode; and names of machines that containers know."""

    names: tuple[str, ...] = ()
    mode: str | None = None
    hosts: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    @property
    def is_unsaid(self) -> bool:
        """Whether it was left to the engine."""
        return not self.names and self.mode is None

    @property
    def may_know_outside(self) -> bool:
        """Whether the machine around can be made known by a name there: not where it is the same, nor where another container decides."""
        return self.mode not in (HOST, "none") and not (self.mode or "").startswith("container:")

    def with_outside(self) -> "Network":
        """The same, where the machine around has a name."""
        return attrs.evolve(self, hosts={OUTSIDE: HOST_GATEWAY, **self.hosts}) if self.may_know_outside else self

    @property
    def settings(self) -> dict[str, Any]:
        """What the engine is told when a container is made; networks after the first are joined later."""
        mode = self.names[0] if self.names else self.mode
        return {**({"network_mode": mode} if mode else {}), **({"extra_hosts": dict(self.hosts)} if self.hosts else {})}

    def __str__(self) -> str:
        if self.names:
            return f"networks {', '.join(self.names)}"
        return f"network_mode {self.mode}" if self.mode else "the engine's own network"
