"""The container of a run, as others see it."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound  # type: ignore[import-untyped]

from headrace.clock import Clock
from headrace.errors import FlowRunnerAway
from headrace.model.orders import ExitStatus
from headrace_docker.daemon import Daemon
from headrace_docker.making import removed
from headrace_docker.sightings import Sightings, name_of
from headrace_docker.troubles import FAILURES, Refused

LATE_SECONDS = 5.0
"""How long a container may take to end when the grace that it gives the run is over."""
LONGEST_END = 60.0
"""How long the engine may take to end it by force."""

_LONGEST_REST, _SHORTEST_REST = 30.0, 0.05
_FIRST_TELLING, _LONGEST_TELLING = 0.25, 4.0
_WORDS, _LINES = 2000, 40


class ContainerProcess:
    """Known by its name, which is that of the identity. `remark` is what its run's log is to tell about its start."""

    def __init__(self, daemon: Daemon, identity: str, sightings: Sightings, clock: Clock, *, remark: str = "") -> None:
        self._daemon = daemon
        self._name = name_of(identity)
        self._sightings = sightings
        self._clock = clock
        self._status: ExitStatus | None = None
        self._words = ""
        self.identity = identity
        self.remark = remark

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have."""
        return self._status is not None

    @property
    def last_words(self) -> str:
        """What its container printed last, known once it has ended, and not with 0; and what is known of its end besides."""
        return self._words

    def wait(self, timeout: float) -> ExitStatus | None:
        """How it ended; None if it has not after so many seconds. While the engine is away, nobody knows."""
        if self._status is not None:
            return self._status
        if timeout <= 0 and self._sightings.shows(self.identity):
            return None
        until = self._clock.monotonic() + timeout
        while (status := self._ended()) is None:
            left = until - self._clock.monotonic()
            if left <= 0:
                return None
            self._rest(min(left, _LONGEST_REST))
        return status

    def stop(self, grace: float) -> None:
        """Asks it to end, and ends it with all that it started when it has not after so many seconds. Returns when it has ended.

        Raises FlowRunnerAway where the engine does not say that it has.
        """
        if self._ended_asked(grace + LATE_SECONDS):
            return
        until = self._clock.monotonic() + LONGEST_END
        why = "it does not end the container"
        while self._clock.monotonic() < until:
            why = self._signal("SIGKILL") or why
            if self.wait(1.0) is not None:
                return
        raise FlowRunnerAway(runner="docker", what=f"stopped the container {self._name}", why=why)

    def _ended_asked(self, seconds: float) -> bool:
        """Whether it ended by itself, asked again and again: a process that has hardly begun, and is the first of its container, hears nothing yet."""
        now = self._clock.monotonic()
        until, pause = now + seconds, _FIRST_TELLING
        while now < until:
            if self.wait(0) is not None:
                return True
            self._signal("SIGTERM")
            if self.wait(min(pause, until - now)) is not None:
                return True
            pause = min(2 * pause, _LONGEST_TELLING)
            now = self._clock.monotonic()
        return False

    def _signal(self, name: str) -> str:
        """Why it could not be sent; empty if it was, or nobody is there to hear it."""
        try:
            with self._daemon.asked() as api, suppress(NotFound):
                try:
                    api.kill(self._name, name)
                except APIError as error:
                    if error.response is None or error.response.status_code != 409:
                        raise
                    self._forget_unborn(api)
        except Refused as error:
            return str(error)
        return ""

    def _forget_unborn(self, api: Any) -> None:
        """One that was made and never started has nothing to end, and is not to be started any more."""
        if api.inspect_container(self._name)["State"]["Status"] == "created":
            removed(api, self._name)

    # The end

    def _ended(self) -> ExitStatus | None:
        try:
            with self._daemon.asked() as api:
                try:
                    found = api.inspect_container(self._name)
                except NotFound:
                    return self._end(ExitStatus(None), "its container was removed")
                if found["State"]["Status"] not in ("exited", "dead"):
                    return None
                status = ExitStatus.told(int(found["State"]["ExitCode"]))
                return self._end(status, "" if status.is_clean else _words(api, found))
        except Refused:
            return None

    def _end(self, status: ExitStatus, words: str) -> ExitStatus:
        self._status, self._words = status, words
        return status

    def _rest(self, seconds: float) -> None:
        """Returns when it may have ended, or after so many seconds."""
        began = self._clock.monotonic()
        with suppress(Refused), self._daemon.asked() as api:
            api.wait(self._name, timeout=seconds)
        if self._clock.monotonic() - began < _SHORTEST_REST:
            time.sleep(min(seconds, _SHORTEST_REST))


def _words(api: Any, found: Mapping[str, Any]) -> str:
    """What there is to say of an end that was not good."""
    said = []
    if found["State"].get("OOMKilled"):
        limit = found["HostConfig"].get("Memory")
        said.append(f"its container needed more memory than it may have{f' ({limit >> 20} MiB)' if limit else ''}")
    with suppress(*FAILURES):  # some drivers of logs cannot be read
        printed = bytes(api.logs(found["Id"], tail=_LINES))[-_WORDS:].decode(errors="replace").strip()
        said += [printed] if printed else []
    return "; ".join(said)
