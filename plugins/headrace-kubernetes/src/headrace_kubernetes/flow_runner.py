"""A Job of a Kubernetes cluster for each run."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from headrace.errors import FlowRunnerAway, FlowRunnerFailed, InvalidOption
from headrace.model.orders import Order
from headrace.ports.flow_runner import OpenFlowRunner, Process
from headrace.settings import load, variable
from headrace_kubernetes import options
from headrace_kubernetes.manifest import Manifest, has_company, is_in_hosts_network, job_of, main_container, secret_of
from headrace_kubernetes.names import IDENTITY, labels_of_all, name_of

if TYPE_CHECKING:
    from headrace_kubernetes.cluster import Cluster, Thing
    from headrace_kubernetes.pod_process import PodProcess
    from headrace_kubernetes.sight import Sight

ADDRESS = variable("api_url")

NO_API = "pods reach the orchestration by the address of a server, and none is set; start one (headrace server start), and set HEADRACE_API_URL to its address"
LOOPBACK = (
    "the address of the server, {address}, means the pod itself when it is asked from there; let the server listen where pods reach it, and set "
    "HEADRACE_API_URL to that, or put pods into the network of their node by customizations: [{{spec: {{template: {{spec: {{hostNetwork: true}}}}}}}}]"
)


class _Open:
    """Makes Jobs."""

    def __init__(self, runner: "KubernetesFlowRunner", cluster: "Cluster", sight: "Sight", orchestration: str) -> None:
        self._runner = runner
        self._cluster = cluster
        self._sight = sight
        self._orchestration = orchestration

    def start(self, order: Order) -> Process:
        from headrace_kubernetes.troubles import Refused

        known = self._sight.known(order.identity)
        if known is not None:
            return known
        try:
            job = job_of(order, self._runner, self._orchestration)
            _check_reach(order, self._runner, job)
            return self._process(order.identity, self._made(order, job), title=order.run_name)
        except (Refused, InvalidOption) as error:
            raise FlowRunnerFailed(runner="kubernetes", run=order.run_name, why=str(error)) from error

    def find(self, identity: str) -> Process | None:
        from headrace_kubernetes.kinds import Job
        from headrace_kubernetes.troubles import Missing, Refused

        try:
            process = self._sight.known(identity)
            if process is None:
                job = self._cluster.get(Job, name_of(identity))
                process = self._process(identity, job) if _identity(job) == identity else None
            return process if process is not None and process.look() else None
        except Missing:
            return None
        except Refused as error:
            raise FlowRunnerAway(runner="kubernetes", what=f"looked for job {name_of(identity)}", why=str(error)) from error

    def running(self) -> Iterable[str]:
        from headrace_kubernetes.troubles import Refused

        try:
            return sorted(self._alive())
        except Refused as error:
            raise FlowRunnerAway(runner="kubernetes", what="listed its jobs", why=str(error)) from error

    # Making

    def _made(self, order: Order, job: Manifest) -> "Thing":
        """The Job, which may be there already; whoever made it may not have lived to make its Secret. Raises Refused; then nothing runs."""
        from headrace_kubernetes.kinds import Job, Secret
        from headrace_kubernetes.pods import is_over
        from headrace_kubernetes.troubles import Refused, Taken

        try:
            made, is_new = self._cluster.create(Job, job), True
        except Taken:
            made, is_new = self._cluster.get(Job, job["metadata"]["name"]), False
        if _identity(made) != order.identity:
            raise Refused(f"there is a job {job['metadata']['name']} that is no run's; remove it")
        if is_over(made):
            return made
        try:
            self._cluster.create(Secret, secret_of(order, made))
        except Taken:
            pass
        except Refused:
            if is_new:
                self._cluster.delete(Job, job["metadata"]["name"])
            raise
        return made

    def _process(self, identity: str, job: "Thing", title: str = "") -> "PodProcess":
        from headrace_kubernetes.pod_process import PodProcess

        def show(pod: str, container: str) -> None:
            self._sight.show_output(pod, container, title or identity)

        begun = show if self._runner.stream_output else None
        made = PodProcess(self._cluster, self._sight, identity, job, start_seconds=self._runner.start_timeout, begun=begun)
        return self._sight.kept(made)

    # Finding

    def _alive(self) -> set[str]:
        """Those with a pod that has not ended, and those whose Job has none yet."""
        from lightkube.operators import not_in

        from headrace_kubernetes.kinds import Job, Pod
        from headrace_kubernetes.pods import belongs, end_of, is_over

        labels = labels_of_all(self._orchestration)
        jobs = [job for job in self._cluster.found(Job, labels, {"status.successful": "0"}) if not is_over(job)]
        pods = self._cluster.found(Pod, labels, {"status.phase": not_in(["Succeeded", "Failed"])})
        alive = {_identity(pod) for pod in pods if end_of(pod) is None}
        for job in jobs:
            if (identity := _identity(job)) not in alive and identity is not None:
                own = [
                    pod for pod in self._cluster.found(Pod, {"job-name": job["metadata"]["name"]}) if belongs(pod, job["metadata"]["uid"])
                ]
                if not own or any(end_of(pod) is None for pod in own):  # it may have been made just now
                    alive.add(identity)
        return {identity for identity in alive if identity is not None}


def _identity(thing: "Thing") -> str | None:
    found: str | None = (thing["metadata"].get("annotations") or {}).get(IDENTITY)
    return found


def _check_reach(order: Order, runner: "KubernetesFlowRunner", job: Manifest) -> None:
    """Refuses what could only fail, and late. Raises Refused."""
    from headrace_kubernetes.troubles import Refused

    container = main_container(job["spec"]["template"]["spec"])
    said = next((each for each in container["env"] if each.get("name") == ADDRESS), None)
    if said is not None and "value" not in said:
        return
    address = said["value"] if said is not None else order.environment.get(ADDRESS, "")
    if not address:
        if not runner.secrets:
            raise Refused(NO_API)
        return
    if _is_loopback(address) and not is_in_hosts_network(job) and not has_company(job):
        raise Refused(LOOPBACK.format(address=address))


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _about(meaning: str) -> dict[str, str]:
    return {"meaning": meaning}


@attrs.frozen(kw_only=True)
class KubernetesFlowRunner:
    """Runs each flow run in a Job of its own in a Kubernetes cluster. The Job starts one pod, once: only headrace starts a run again."""

    image: str | None = attrs.field(
        default=None, validator=options.text, metadata=_about("the image, with headrace in it, such as team/flows:1.2; else that of job")
    )
    namespace: str | None = attrs.field(
        default=None, validator=options.namespace, metadata=_about("the namespace of the Job; that of the agent's access if not given")
    )
    service_account: str | None = attrs.field(
        default=None, validator=options.object_name, metadata=_about("the service account of the pod, whose token it then gets")
    )
    labels: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=options.labels,
        hash=False,
        metadata=_about("labels of the Job and the pod, beside those by which runs are known"),
    )
    env: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=options.variables,
        hash=False,
        metadata=_about("variables in the environment of the container, for everybody to see"),
    )
    secrets: Sequence[str] = attrs.field(
        default=(),
        converter=options.listed,
        validator=options.object_names,
        metadata=_about("names of Secrets of the namespace whose keys become variables of the container"),
    )
    image_pull_policy: str | None = attrs.field(
        default=None, validator=options.pull_policy, metadata=_about("Always, IfNotPresent or Never; if not given, Always for latest")
    )
    command: Sequence[str] | None = attrs.field(
        default=None,
        converter=options.words,
        validator=options.command,
        metadata=_about("what the container runs; python3 -m headrace.engine if not given"),
    )
    cpu: str | None = attrs.field(
        default=None, validator=options.quantity, metadata=_about("how many processors it gets and may use, such as 500m")
    )
    memory: str | None = attrs.field(
        default=None, validator=options.quantity, metadata=_about("how much memory it gets and may use, such as 512Mi")
    )
    ttl: int | None = attrs.field(
        default=3600,
        validator=options.seconds,
        metadata=_about("seconds after its end at which the Job is removed; None: as job says, or never"),
    )
    active_deadline: int | None = attrs.field(
        default=None, validator=options.positive_seconds, metadata=_about("seconds after which the cluster ends the pod, whatever it does")
    )
    start_timeout: int = attrs.field(
        default=600,
        validator=options.positive_seconds,
        metadata=_about("seconds in which the container must have begun; else the run is given up"),
    )
    job: Mapping[str, Any] | None = attrs.field(
        default=None,
        validator=options.job,
        hash=False,
        metadata=_about("a Job, or as much of one as is to be different, under the other options"),
    )
    customizations: Sequence[Mapping[str, Any]] = attrs.field(
        default=(),
        converter=options.listed,
        validator=options.customizations,
        hash=False,
        metadata=_about("patches of the Job, over the other options: operations of a JSON patch, or mappings to merge"),
    )
    stream_output: bool = attrs.field(
        default=False, validator=options.truth, metadata=_about("show what the container prints with what the agent says")
    )
    kubeconfig: str | None = attrs.field(
        default=None,
        validator=options.text,
        metadata=_about("the path of a kubeconfig; if not given, the cluster that the agent is in, or the usual kubeconfig"),
    )
    context: str | None = attrs.field(default=None, validator=options.text, metadata=_about("which context of the kubeconfig"))

    @property
    def interpreter(self) -> str | None:
        return None

    @contextmanager
    def open(self) -> Iterator[OpenFlowRunner]:
        from headrace_kubernetes.cluster import Access, Cluster  # lightkube takes a third of a second
        from headrace_kubernetes.sight import Sight

        orchestration = load({**os.environ, **self.env}, lenient=True).api_url
        cluster = Cluster(Access(kubeconfig=self.kubeconfig, context=self.context, namespace=self.namespace))
        sight = Sight(cluster, labels_of_all(orchestration))
        try:
            yield _Open(self, cluster, sight, orchestration)
        finally:
            sight.close()
            cluster.close()
