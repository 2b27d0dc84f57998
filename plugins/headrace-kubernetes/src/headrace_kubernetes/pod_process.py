"""The process of a run in a cluster, as others see it: a Job, and the pod that it makes."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from math import ceil, inf
from threading import Event, Lock
from typing import TYPE_CHECKING

from headrace.errors import FlowRunnerAway
from headrace.model.orders import ExitStatus
from headrace_kubernetes import kinds
from headrace_kubernetes.cluster import Cluster, Thing
from headrace_kubernetes.manifest import main_container
from headrace_kubernetes.names import labels_of_identity
from headrace_kubernetes.pods import (
    End,
    Hindrance,
    age,
    belongs,
    end_of,
    end_of_all,
    has_begun,
    hindrance_of,
    is_held_back,
    is_silent,
    why_no_pod,
)
from headrace_kubernetes.troubles import Away, Missing, Refused

if TYPE_CHECKING:
    from headrace_kubernetes.sight import Sight

LOOK_SECONDS = 30.0
"""How often it is looked at although nobody called."""

ALONE_SECONDS = 1.0
"""How often, when nobody will call."""

STOP_SECONDS = 120.0
"""How long the cluster may take to end a pod, when the grace of the run is over."""

SILENT_SECONDS = 4.0
"""How long it is waited for words about a pod that has ended."""

_AWAY_SECONDS = 5.0
_STOPPING_SECONDS = 0.3
_LINES, _LONGEST = 5, 500

logger = logging.getLogger("headrace.kubernetes")


class PodProcess:
    """Known by its Job, whose uid no other has. `begun` is told the name of the pod and of the container once that runs."""

    def __init__(
        self,
        cluster: Cluster,
        sight: "Sight",
        identity: str,
        job: Thing,
        *,
        start_seconds: float,
        begun: Callable[[str, str], object] | None = None,
        remark: str = "",
    ) -> None:
        self._cluster = cluster
        self._sight = sight
        self._name, self._uid = job["metadata"]["name"], job["metadata"]["uid"]
        self._image = main_container(job["spec"]["template"]["spec"]).get("image", "")
        self._start_by = time.monotonic() + start_seconds - age(job, datetime.now(UTC))
        self._begun = begun
        self._has_begun, self._lock = False, Lock()
        self._hindered_by, self._hindered_since = "", 0.0
        self._bell = Event()
        self._look_at, self._looked_at = time.monotonic(), -inf
        self._last_seen: End | None = None
        self._end: End | None = None
        self._words: str | None = None
        self._silent_since = inf
        self._pod, self._is_held_back = "", False
        self.identity = identity
        self.remark = remark

    def __repr__(self) -> str:
        return f"PodProcess({self._name})"

    # As others see it

    @property
    def last_words(self) -> str:
        """Why it did not begin, or what the cluster says of its end, and what its container printed last."""
        if self._end is None or self._end.status.is_clean:
            return ""
        if self._words is None:
            self._words = "; ".join(filter(None, (self._end.why, self._printed())))
        return self._words

    def wait(self, timeout: float) -> ExitStatus | None:
        """How it ended; None if it has not after so many seconds. While the cluster cannot be asked, nobody knows."""
        until = time.monotonic() + timeout
        while self._end is None:
            if self._bell.is_set() or time.monotonic() >= self._next_look():
                self._look()
                continue
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._bell.wait(min(left, max(0.0, self._next_look() - time.monotonic())))
        return self._end.status

    def stop(self, grace: float) -> None:
        """Removes its Job, and its pods with that grace. Returns when the container has ended. Raises FlowRunnerAway where the cluster does not say so."""
        until = time.monotonic() + grace + STOP_SECONDS
        why, is_asked = "the cluster does not end its pod", False
        while self._end is None:
            if not is_asked:
                try:
                    self._look_once()
                    if self._end is not None:
                        return
                    # of what is held back there is no container that could end, and a node may take a minute to let go of it
                    self._remove(0 if self._is_held_back else max(1, ceil(grace)))
                    is_asked = True
                except Refused as error:
                    why = str(error)
            self._look()
            if self._end is None:
                if time.monotonic() >= until:
                    raise FlowRunnerAway(runner="kubernetes", what=f"stopped job {self._name}", why=why)
                self._bell.wait(_STOPPING_SECONDS)

    def ring(self) -> None:
        """Called from elsewhere when there is something to look at."""
        self._bell.set()

    def see(self, pod: Thing) -> None:
        """Told from elsewhere how its pod was just now. One that has ended may be gone when it is looked at; how it was is kept."""
        if not belongs(pod, self._uid):
            return
        self._last_seen = end_of(pod) or self._last_seen
        if has_begun(pod):
            self._tell_begun(pod)

    # Looking

    @property
    def has_begun(self) -> bool:
        """Whether its container has been seen to run, or to have run."""
        return self._has_begun or self._end is not None

    def look(self) -> bool:
        """Whether it lives, asked now. Raises Refused."""
        self._look_once()
        return self._end is None

    def _next_look(self) -> float:
        return self._look_at if self._sight.is_open else min(self._look_at, self._looked_at + ALONE_SECONDS)

    def _look(self) -> None:
        try:
            self._look_once()
        except Away as error:
            logger.debug("%s cannot be looked at now: %s", self._name, error)
            self._look_at = time.monotonic() + _AWAY_SECONDS
        except Refused as error:
            logger.warning("The job %s cannot be looked at: %s", self._name, error)
            self._look_at = time.monotonic() + LOOK_SECONDS

    def _look_once(self) -> None:
        self._bell.clear()  # before it is looked, so that what happens meanwhile is looked at again
        self._looked_at = time.monotonic()
        self._look_at = self._looked_at + LOOK_SECONDS
        if self._end is not None:
            return
        job = self._job()
        labels = labels_of_identity(self.identity)
        pods = [pod for pod in self._cluster.found(kinds.Pod, labels) if belongs(pod, self._uid)]
        if pods:
            self._pod = pods[-1]["metadata"]["name"]
        self._is_held_back = all(is_held_back(pod) for pod in pods)
        end = end_of_all(job, pods)
        if end is not None:
            if not self._awaits_words(pods):
                self._end = self._better(end)
            return
        if any(has_begun(pod) for pod in pods):
            self._tell_begun(pods[-1])
            return
        self._give_up_or_wait(hindrance_of(pods[-1], self._image) if pods else None)

    def _job(self) -> Thing | None:
        try:
            found = self._cluster.get(kinds.Job, self._name)
        except Missing:
            return None
        return found if found["metadata"]["uid"] == self._uid else None

    def _awaits_words(self, pods: list[Thing]) -> bool:
        """Whether a pod has ended just now, and it may still be said how."""
        if not any(is_silent(pod) for pod in pods):
            return False
        now = time.monotonic()
        self._silent_since = min(self._silent_since, now)
        self._look_at = min(self._look_at, now + ALONE_SECONDS)
        return now < self._silent_since + SILENT_SECONDS

    def _better(self, end: End) -> End:
        """What was seen of the pod before it was gone says more than that it is gone."""
        if end.status.code is None and self._last_seen is not None:
            return self._last_seen
        return end

    def _tell_begun(self, pod: Thing) -> None:
        with self._lock:
            is_news, self._has_begun = not self._has_begun, True
        if is_news and self._begun is not None:
            self._begun(pod["metadata"]["name"], main_container(pod["spec"])["name"])

    # Not beginning

    def _give_up_or_wait(self, hindrance: Hindrance | None) -> None:
        """What does not begin is removed, after a while that depends on why. `hindrance` None: there is no pod."""
        now = time.monotonic()
        left = self._start_by - now
        if hindrance is not None and hindrance.seconds is not None:
            if self._hindered_by != hindrance.kind:
                self._hindered_by, self._hindered_since = hindrance.kind, now
            left = min(left, self._hindered_since + hindrance.seconds - now)
        else:
            self._hindered_by = ""
        if left > 0:
            self._look_at = min(self._look_at, now + left)
            return
        why = hindrance.why if hindrance is not None else f"no pod was made for it: {self._why_no_pod()}"
        self._remove(0)  # at once: there is no container that could end
        self._end = End(status=ExitStatus(None), why=why)

    def _why_no_pod(self) -> str:
        with suppress(Refused):
            events = self._cluster.found(kinds.Event, {}, {"involvedObject.uid": self._uid})
            return why_no_pod(events)
        return why_no_pod(())

    # Ending

    def _remove(self, grace: int) -> None:
        """The Job first, so that it makes no other pod; then its pods, which otherwise would have all the time that their manifest gives them."""
        if self._job() is not None:
            with suppress(Missing):
                self._cluster.delete(kinds.Job, self._name)
        for pod in self._cluster.found(kinds.Pod, labels_of_identity(self.identity)):
            if belongs(pod, self._uid):
                with suppress(Missing):
                    self._cluster.delete(kinds.Pod, pod["metadata"]["name"], grace=grace)

    def _printed(self) -> str:
        if not self._pod:
            return ""
        from headrace_kubernetes.sight import printable

        with suppress(Refused):
            pod = self._cluster.get(kinds.Pod, self._pod)
            lines = self._cluster.last_lines(self._pod, main_container(pod["spec"])["name"], _LINES)
            return " ".join(printable(line) for line in lines)[-_LONGEST:].strip()
        return ""
