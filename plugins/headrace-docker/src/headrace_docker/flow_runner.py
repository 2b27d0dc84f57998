"""A container of a Docker Engine for each run."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from headrace.errors import FlowRunnerAway, FlowRunnerFailed
from headrace.model.orders import VARIABLE, Order
from headrace.ports.flow_runner import OpenFlowRunner, Process
from headrace.processes.environment import checked_variables
from headrace.settings import load, variable
from headrace_docker import options
from headrace_docker.images import PullPolicy
from headrace_docker.network import Network

if TYPE_CHECKING:
    from headrace_docker.containers import Body, Containers
    from headrace_docker.pulling import Images
    from headrace_docker.reach import Reach, Reaching

ENGINE = ("python3", "-m", "headrace.engine")

HOME = "/tmp/headrace"
"""The home of a run in its container, where everybody may write; the agent's own is a folder of another machine."""

ADDRESS = variable("api_url")
OF_THE_AGENT = frozenset(variable(name) for name in ("home", "profile", "profiles_path", "keys_path"))
"""Settings that say where something is on the agent's machine."""

NO_API = (
    "containers reach the orchestration by the address of a server, and none is set; start one (headrace server start), "
    "and set HEADRACE_API_URL to its address"
)


class _Open:
    """Starts containers."""

    def __init__(self, runner: "DockerFlowRunner", containers: "Containers", images: "Images", reaching: "Reaching", address: str) -> None:
        self._runner = runner
        self._address = address
        self._containers = containers
        self._images = images
        self._reaching = reaching

    def start(self, order: Order) -> Process:
        from headrace_docker.troubles import Refused

        try:
            return self._containers.known(order.identity) or self._started(order)
        except Refused as error:
            raise FlowRunnerFailed(runner="docker", run=order.run_name, why=str(error)) from error

    def prepare(self) -> None:
        """Has the image pulled that runs will need, and finds out how they will reach the API. Raises Refused."""
        image = self._images.ready()
        if self._address:
            self._reaching.found(image, self._address, is_fixed=ADDRESS in self._runner.env)

    def find(self, identity: str) -> Process | None:
        with _told():
            return self._containers.find(identity)

    def running(self) -> Iterable[str]:
        with _told():
            return self._containers.running()

    def _started(self, order: Order) -> Process:
        from headrace_docker.troubles import Refused

        address = order.environment.get(ADDRESS, "")
        wanted = self._runner.env.get(ADDRESS, address)
        if not wanted:
            raise Refused(NO_API)
        image = self._images.ready()
        reach = self._reaching.found(image, wanted, is_fixed=ADDRESS in self._runner.env)
        remark = " ".join(text for text in (image.remark, reach.remark) if text)
        return self._containers.start(order, address or wanted, self._body(order, reach), remark=remark)

    def _body(self, order: Order, reach: "Reach") -> "Body":
        from headrace_docker.containers import Body

        runner, variables = self._runner, order.variables
        kept = {name: value for name, value in variables.items() if name not in OF_THE_AGENT}
        own = {variable("home"): HOME, **kept, ADDRESS: reach.address, **runner.env, VARIABLE: variables[VARIABLE]}
        return Body(
            image=runner.image,
            command=tuple(runner.command),
            environment=own,
            labels=runner.labels,
            network=reach.network,
            user=runner.user,
            limits=runner.limits,
        )


@attrs.frozen(kw_only=True)
class DockerFlowRunner:
    """Runs each flow run in a container of its own, on the Docker Engine of the agent's machine or the one that DOCKER_HOST names."""

    image: str = attrs.field(validator=options.image_name, metadata={"meaning": "the image, with headrace in it, such as team/flows:1.2"})
    command: Sequence[str] = attrs.field(
        default=ENGINE,
        converter=options.words,
        validator=options.command_words,
        metadata={"meaning": "what the container runs: how Python is called in the image, and -m headrace.engine"},
    )
    env: Mapping[str, str] = attrs.field(
        factory=dict, validator=checked_variables, hash=False, metadata={"meaning": "variables in the environment of the container"}
    )
    labels: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=options.label_texts,
        hash=False,
        metadata={"meaning": "labels of the container, beside those by which runs are known"},
    )
    networks: Sequence[str] = attrs.field(
        default=(),
        converter=options.listed,
        validator=options.network_names,
        metadata={"meaning": "the names of networks that the container is in"},
    )
    network_mode: str | None = attrs.field(
        default=None,
        validator=options.network_mode,
        metadata={"meaning": "host, bridge, none or container:NAME; found out if neither this nor networks is given"},
    )
    extra_hosts: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=options.host_addresses,
        hash=False,
        metadata={"meaning": "names of machines that the container knows, with their addresses"},
    )
    volumes: Sequence[str] = attrs.field(
        default=(),
        converter=options.listed,
        validator=options.volume_specs,
        metadata={"meaning": "folders of the machine or volumes, each as /on/this/machine:/in/the/container, with :ro if it is only read"},
    )
    user: str | None = attrs.field(
        default=None,
        validator=options.user_name,
        metadata={"meaning": "the user that runs it, by name or number; the image's if not given"},
    )
    memory: str | None = attrs.field(
        default=None,
        validator=options.memory_limit,
        metadata={"meaning": "how much memory it may have, such as 512m; no limit if not given"},
    )
    cpus: float | None = attrs.field(
        default=None,
        validator=options.cpu_limit,
        metadata={"meaning": "how many processors it may use, such as 1.5; no limit if not given"},
    )
    image_pull_policy: PullPolicy | None = attrs.field(
        default=None,
        validator=options.pull_policy,
        metadata={
            "meaning": "always, if_not_present or never; if not given, latest is pulled where that is possible, and other tags are if they are not there"
        },
    )
    auto_remove: bool = attrs.field(
        default=True, validator=options.truth, metadata={"meaning": "remove the container when it has ended and that is known"}
    )
    stream_output: bool = attrs.field(
        default=False, validator=options.truth, metadata={"meaning": "show what runs say with what the agent says"}
    )

    @property
    def interpreter(self) -> str | None:
        return None

    @property
    def limits(self) -> dict[str, Any]:
        """What the container may have and use of the machine, as the engine is told."""
        found: dict[str, Any] = {"binds": list(self.volumes)} if self.volumes else {}
        if self.memory is not None:
            found |= {"mem_limit": (most := options.memory_bytes(self.memory)), "memswap_limit": most}
        if self.cpus is not None:
            found["nano_cpus"] = round(self.cpus * 1_000_000_000)
        return found

    @contextmanager
    def open(self) -> Iterator[OpenFlowRunner]:
        from headrace.clock import SystemClock
        from headrace_docker.containers import Containers
        from headrace_docker.daemon import Daemon
        from headrace_docker.probe import Probe
        from headrace_docker.pulling import Images
        from headrace_docker.reach import Reaching

        clock, daemon = SystemClock(), Daemon()
        network = Network(names=tuple(self.networks), mode=self.network_mode, hosts=self.extra_hosts)
        own = load({**os.environ, **self.env}, lenient=True).api_url
        containers = Containers(daemon, own, clock, removes=self.auto_remove)

        def probe(image: Any) -> Probe:
            return Probe(
                daemon=daemon,
                image=self.image,
                image_id=image.id,
                python=tuple(self.command[: self.command.index("-m")]),
                user=self.user,
                environment=self.env,
            )

        reaching = Reaching(network, probe, needed(), clock)
        try:
            yield _Open(self, containers, Images(daemon, self.image, self.image_pull_policy, clock), reaching, own)
        finally:
            containers.close()
            daemon.close()


@contextmanager
def _told() -> Iterator[None]:
    """Nobody takes an engine that cannot tell for one in which nothing runs. Raises FlowRunnerAway."""
    from headrace_docker.troubles import Refused

    try:
        yield
    except Refused as error:
        raise FlowRunnerAway(runner="docker", what="told what runs", why=str(error)) from error


def needed() -> tuple[str, ...]:
    """The modules that an image must have: the engine, and the client by which the agent asks the API, too."""
    from headrace.hooks.registry import discovered

    has_client = any(plugin.dist == "headrace-client" for plugin in discovered())
    return ("headrace.engine", "headrace_client") if has_client else ("headrace.engine",)
