"""A short-lived container that tells whether an image has headrace, and by which address the API is reached from it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from headrace_docker.daemon import Daemon
from headrace_docker.inside import MARK, PROGRAM, VARIABLE
from headrace_docker.making import made, removed
from headrace_docker.network import Network
from headrace_docker.troubles import Refused, one_line

LABEL = "headrace.probe"
"""The label by which such containers are known; it says what is looked for."""
SECONDS = 3.0
"""How long an address may take to answer."""
LONGEST = 60
"""How long the container may take, whatever is wrong in it."""
LACKING = "make an image with headrace in it by: headrace docker build"


@attrs.frozen(kw_only=True)
class Found:
    """What a probe has found: the address that answers, None where none does; then `tried` says why, address by address."""

    address: str | None
    version: str
    tried: tuple[tuple[str, str], ...] = ()


@attrs.frozen(kw_only=True)
class Probe:
    """The question, which makes a container of its own each time."""

    daemon: Daemon
    image: str
    image_id: str
    python: Sequence[str]
    user: str | None
    environment: Mapping[str, str] = attrs.field(repr=False)

    def asked(self, addresses: Sequence[str], modules: Sequence[str], network: Network) -> Found:
        """What there is. Raises Refused where the image cannot be used at all, and Away."""
        told = self._printed({"addresses": addresses, "modules": modules, "seconds": SECONDS}, network)
        lines = [line for line in told.splitlines() if line.startswith(MARK)]
        if not lines:
            why = one_line(told) or "it said nothing"
            raise Refused(f"{self._called!r} of the image {self.image!r} runs no Python, as command says it does ({why})")
        said = json.loads(lines[-1].removeprefix(MARK))
        if said["lacks"]:
            raise Refused(f"the image {self.image!r} has no headrace that can be used: {said['lacks']}; {LACKING}")
        return Found(address=said["found"], version=said["version"], tried=tuple((address, why) for address, why in said["tried"]))

    @property
    def _called(self) -> str:
        return " ".join(self.python)

    def _printed(self, question: Mapping[str, Any], network: Network) -> str:
        """What the container prints."""
        with self.daemon.asked() as api:
            container = made(
                api,
                image=self.image_id,
                command=[*self.python, "-c", PROGRAM],
                environment={**self.environment, VARIABLE: json.dumps(question)},
                labels={LABEL: str(question["addresses"][0])},
                network=network,
                user=self.user,
            )
            try:
                api.start(container)
                api.wait(container, timeout=LONGEST)
                return bytes(api.logs(container, tail=50)).decode(errors="replace")
            finally:
                removed(api, container)
