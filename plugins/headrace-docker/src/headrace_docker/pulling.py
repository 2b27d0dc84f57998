"""Images at hand: looked for on the engine, and got from a registry as the policy says."""

import threading
from typing import Any

import attrs
from docker.errors import APIError, ImageNotFound  # type: ignore[import-untyped]

from headrace.clock import Clock
from headrace_docker.daemon import Daemon
from headrace_docker.images import ImageName, PullPolicy, parsed
from headrace_docker.troubles import Refused, why_no_image

AGAIN_SECONDS = 300.0
"""When a registry that did not have an image, or was away, is asked again, where the one that is here will do."""


@attrs.frozen(kw_only=True)
class Image:
    """An image of the engine. `remark` is what a run's log is to tell about how it came to be used."""

    id: str
    remark: str = ""


class Images:
    """The one image of a flow runner, whenever a container is to be made of it."""

    def __init__(self, daemon: Daemon, text: str, policy: PullPolicy | None, clock: Clock) -> None:
        self._daemon = daemon
        self._text = text
        self._name: ImageName = parsed(text)
        self._said = policy
        self._policy = policy or self._name.usual_policy
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: tuple[float, str] | None = None

    def ready(self) -> Image:
        """The image, pulled if that is to be done. Raises Refused."""
        with self._lock:
            here = self._here()
            if self._policy == "never" or not self._name.repository:
                return self._or_refused(here, "")
            if here is not None and (self._policy == "if_not_present" or self._has_failed_lately()):
                return Image(id=here, remark=self._failed[1] if self._failed else "")
            return self._pulled(here)

    def _has_failed_lately(self) -> bool:
        return self._failed is not None and self._clock.monotonic() < self._failed[0] + AGAIN_SECONDS

    def _here(self) -> str | None:
        with self._daemon.asked() as api:
            try:
                return str(api.inspect_image(self._text)["Id"])
            except ImageNotFound:
                return None

    def _or_refused(self, here: str | None, remark: str) -> Image:
        if here is None:
            raise Refused(
                f"there is no image {self._text!r} on this engine, and it is not to be pulled; build it there, or correct the name"
            )
        return Image(id=here, remark=remark)

    def _pulled(self, here: str | None) -> Image:
        with self._daemon.asked() as api:
            try:
                said = _error_in(api.pull(self._name.repository, tag=self._name.version, stream=True, decode=True))
            except APIError as error:
                said = str(error.explanation or error)
        if said:
            return self._without_registry(here, why_no_image(said, self._text))
        self._failed = None
        return self._or_refused(self._here(), "")

    def _without_registry(self, here: str | None, why: str) -> Image:
        """Where nobody has said that it is always to be pulled, an image that was built here will do."""
        if here is None or self._said == "always":
            raise Refused(why)
        remark = f"The image {self._text!r} is the one that is on this engine, which may not be the newest: {why}."
        self._failed = self._clock.monotonic(), remark.replace(f"there is no image {self._text!r} on this engine, and ", "")
        return Image(id=here, remark=self._failed[1])


def _error_in(progress: Any) -> str:
    """What went wrong according to what an engine tells while it pulls; empty if nothing did."""
    said = ""
    for step in progress:
        said = str(step.get("error") or said)
    return said
