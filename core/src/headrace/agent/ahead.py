"""Looking ahead: what the next runs need is there before they are due: their code, and what their flow runners get ready."""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

from headrace import instance
from headrace.agent.runners import Runners
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.packaging.code_cache import CodeCache
from headrace.ports.flow_runner import Prepares

AHEAD = timedelta(hours=1)
"""How far ahead it looks."""

MOST_RUNS = 50
"""How many of the next runs of a queue it looks at."""

LAST_SECONDS = 2.0
"""How long an agent that leaves waits for what is being fetched."""

logger = logging.getLogger("headrace.agent")

Chore = Callable[[], None]


class Ahead:
    """Looks at what is due next, and has fetched, once, what that needs; beside, in a thread, since that may take long. What fails is tried by the run."""

    def __init__(self, house: Instance, runners: Runners) -> None:
        self._house = house
        self._runners = runners
        self._known: set[str] = set()
        self._thread: Thread | None = None

    def look(self, queue_ids: tuple[str, ...]) -> None:
        """Has fetched what is new. Raises what the client raises."""
        if self._thread is not None and self._thread.is_alive():
            return
        chores: list[tuple[str, Chore]] = []
        until = self._house.clock.now() + AHEAD
        for queue_id in queue_ids:
            for run in self._house.client.read_due(queue_id, until, MOST_RUNS):
                choice = self._runners.choice(run.flow_runner)
                if self._is_new(f"{run.deployment_id} {choice!r}") and run.deployment_id is not None:
                    chores += self._of(self._house.client.read_deployment(run.deployment_id), choice)
        if chores:
            self._thread = Thread(target=_do, args=(chores,), name="headrace-ahead", daemon=True)
            self._thread.start()

    def leave(self) -> None:
        """Waits a moment for what is being fetched; it is given up when the process ends."""
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)

    def _is_new(self, key: str) -> bool:
        is_new = key not in self._known
        self._known.add(key)
        return is_new

    def _of(self, deployment: Deployment, choice: Choice) -> list[tuple[str, Chore]]:
        chores: list[tuple[str, Chore]] = []
        runner = self._runners.opened(choice)
        code = deployment.code
        if code.archive is not None and self._runners.is_here(choice) and self._is_new(code.archive.sha256):
            chores.append((f"the code of {deployment.full_name}", lambda: self._fetch(code, deployment.full_name)))
        if isinstance(runner, Prepares) and self._is_new(repr(choice)):
            chores.append((f"flow runner {choice.name!r}", runner.prepare))
        return chores

    def _fetch(self, code: Code, what: str) -> None:
        """With an orchestration of its own to ask, as that of the agent is asked by one thread."""
        assert code.archive is not None, "there is nothing else to fetch"
        storage = code.archive.storage
        with instance.open(self._house.settings, registry=self._house.registry, clock=self._house.clock) as house:
            cache = CodeCache(archive=code.archive, cache=house.settings.home / "code", what=what)
            cache.fill(lambda: house.code_storage(storage))


def _do(chores: list[tuple[str, Chore]]) -> None:
    for what, chore in chores:
        try:
            chore()
            logger.info("Ready ahead of time: %s", what)
        except Exception as error:
            logger.warning("Not ready ahead of time: %s (%s)", what, error)
