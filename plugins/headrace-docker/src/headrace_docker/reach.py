"""How containers reach the API: found out by asking from one, once."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from headrace.clock import Clock
from headrace_docker.inside import GATEWAY, OUTSIDE
from headrace_docker.network import HOST, HOST_GATEWAY, Network
from headrace_docker.probe import Found, Probe
from headrace_docker.pulling import Image
from headrace_docker.troubles import Away, Refused

AGAIN_SECONDS = 10.0
"""How long it is believed that an API cannot be reached: runs that come at once do not each ask."""


@attrs.frozen(kw_only=True)
class Reach:
    """The address of the API as a container is to call it, and the network that it is to be in. `remark` is for the run's log."""

    address: str
    network: Network
    remark: str = ""


class Reaching:
    """Finds out how the containers of one flow runner reach an API, and remembers it."""

    def __init__(self, network: Network, probe: Callable[[Image], Probe], modules: tuple[str, ...], clock: Clock) -> None:
        self._network = network
        self._probe = probe
        self._modules = modules
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Reach] = {}
        self._failed: dict[tuple[str, str], tuple[float, Refused]] = {}

    def found(self, image: Image, address: str, *, is_fixed: bool) -> Reach:
        """How that API is reached from containers of that image; `is_fixed`: by that address or not at all. Raises Refused."""
        key = image.id, address
        with self._lock:
            if key not in self._known:
                self._known[key] = self._asked_once(key, image, address, is_fixed=is_fixed)
            return self._known[key]

    def _asked_once(self, key: tuple[str, str], image: Image, address: str, *, is_fixed: bool) -> Reach:
        at, failure = self._failed.get(key, (0.0, None))
        if failure is not None and self._clock.monotonic() < at + AGAIN_SECONDS:
            raise failure
        try:
            return self._asked(self._probe(image), address, is_fixed=is_fixed)
        except Away:
            raise
        except Refused as error:
            self._failed[key] = self._clock.monotonic(), error
            raise

    def _asked(self, probe: Probe, address: str, *, is_fixed: bool) -> Reach:
        may_differ = not is_fixed and _is_here(address)
        addresses = _addresses(address, self._network) if may_differ else (address,)
        network, found = self._from_network(probe, addresses)
        if found.address is not None:
            return Reach(address=found.address, network=network)
        if may_differ and self._network.is_unsaid:
            beside = attrs.evolve(self._network, mode=HOST)
            if self._asked_from(probe, (address,), beside).address is not None:
                remark = f"The container of the run is in the network of its machine (network_mode: {HOST}), since only from there {address} is reached."
                return Reach(address=address, network=beside, remark=remark)
        raise Refused(_why(address, self._network, found, may_differ=may_differ))

    def _from_network(self, probe: Probe, addresses: tuple[str, ...]) -> tuple[Network, Found]:
        """What is found from the network that is said, in which the machine around has a name if one is needed."""
        if len(addresses) == 1:
            return self._network, self._asked_from(probe, addresses, self._network)
        named = self._network.with_outside()
        try:
            return named, self._asked_from(probe, addresses, named)
        except Refused as error:
            if HOST_GATEWAY not in str(error):
                raise
            return self._network, self._asked_from(probe, addresses, self._network)  # the engine is too old for such a name

    def _asked_from(self, probe: Probe, addresses: tuple[str, ...], network: Network) -> Found:
        return probe.asked(addresses, self._modules, network)


def _addresses(address: str, network: Network) -> tuple[str, ...]:
    """What to try, in this order: as it is, by the name that the machine around has in containers, by the gateway of the network."""
    if not network.may_know_outside:
        return (address,)
    return (address, _at(address, OUTSIDE), _at(address, GATEWAY))


def _at(address: str, host: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host).geturl()


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine, which in a container means something else."""
    host = urlsplit(address).hostname or ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host in ("localhost", socket.gethostname())
    return found.is_loopback or found.is_unspecified


def _why(address: str, network: Network, found: Found, *, may_differ: bool) -> str:
    tried = ", ".join(f"{tried} ({why})" for tried, why in found.tried) or "nothing"
    said = f"no container in {network} reaches the API at {address}; tried: {tried}"
    if not may_differ:
        return f"{said}; give HEADRACE_API_URL an address that containers reach, or put them into a network from which they do (networks, network_mode)"
    way = "" if network.mode == HOST else ", or give the flow runner network_mode: host, where the engine is on the machine of the server"
    return f"{said}; let the server listen where containers reach it (headrace server start --host ADDRESS), and name that in HEADRACE_API_URL{way}"
