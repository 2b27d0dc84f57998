"""What the settings choose, opened: the embedding API.

`with headrace.open() as house:` gives an `Instance`; flows called inside use it. A flow that is called outside opens the one of its process, which
stays open until the process ends, since opening a store costs more than a flow run. That one is the only thing here that outlives a call.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import attrs

from headrace.clock import Clock, SystemClock
from headrace.errors import HeadraceError, NoRunStore
from headrace.hooks.known import KNOWN
from headrace.hooks.registry import Registry
from headrace.hooks.secrets import place_options, secret_options
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.retention import Retention
from headrace.model.states import State
from headrace.model.storages import MEMORY, name_in
from headrace.orchestration.undelivered import deliver
from headrace.places import Places, client_choice, own_storage
from headrace.ports.client import OpenClient
from headrace.ports.run_store import RunStore
from headrace.ports.storage import OpenStorage, Storage
from headrace.results import Results
from headrace.rules.decide import RuleBook
from headrace.rules.ticks import Horizon
from headrace.settings import Settings, load

logger = logging.getLogger("headrace.settings")


@attrs.frozen(kw_only=True)
class Instance:
    """An orchestration at hand: `client` asks it anything, `results` keeps and reads values."""

    settings: Settings
    registry: Registry
    clock: Clock
    ids: Ids
    rules: RuleBook
    client: OpenClient
    places: Places
    results: Results

    def result(self, state: State) -> Any:
        """The value of a run that completed, read from where it was kept; failures are raised.

        Raises RunNotFinished, RunFailed, ResultNotKept, ResultUnreadable.
        """
        return self.results.of(state)

    def storage(self, choice: Choice | None = None) -> Storage:
        """The storage that is meant by a choice; None is the orchestration's own."""
        return self.places.storage(choice or self.places.own)

    @contextmanager
    def code_storage(self, choice: Choice | None = None) -> Iterator[OpenStorage]:
        """The storage of a deployment's code, open; None is the orchestration's own."""
        with self.storage(choice).open() as opened:
            yield opened


@contextmanager
def open(
    settings: Settings | None = None,
    *,
    lasting: bool = False,
    runs_code: bool = False,
    clock: Clock | None = None,
    ids: Ids | None = None,
    registry: Registry | None = None,
) -> Iterator[Instance]:
    """Opens what the settings choose (by default those of the environment); flows called inside use it.

    `lasting` refuses a store that ends with this process. `runs_code` says that this is a flow run's own process, which may read pickles.
    `registry` saves finding the plugins once more.
    Raises NoRunStore, NotInstalled, StoreUnusable and the other errors of what is chosen.
    """
    settings = settings or load(os.environ)
    registry = registry or Registry(
        blocked=settings.plugins_blocked, runs_code=runs_code, trace=settings.trace_hooks, keys=settings.keys_path
    )
    clock = clock or SystemClock()
    with _assembled(settings, registry, clock, ids or Ids(clock), lasting=lasting) as house:
        token = _OPENED.set(house)
        try:
            yield house
        finally:
            _OPENED.reset(token)


@contextmanager
def _assembled(settings: Settings, registry: Registry, clock: Clock, ids: Ids, *, lasting: bool) -> Iterator[Instance]:
    for warning in settings.warnings:
        logger.warning("%s", warning)
    with ExitStack() as stack:
        rules = RuleBook(registry.load("rule", name)() for name in registry.offers("rule"))
        reached = client_choice(settings)
        places = Places(settings=settings, registry=registry, client=lambda: client)
        results = Results(registry, places, serializer=settings.serializer, inline=reached is None)
        stack.callback(results.close)
        client: OpenClient
        if reached is not None:
            client = stack.enter_context(registry.make("client", reached).open())
            if lasting:
                _tried(lambda: deliver(settings.home, client, clock.now()))
        else:
            client = stack.enter_context(_in_process(settings, registry, clock, ids, rules, results, lasting=lasting))
        yield Instance(
            settings=settings, registry=registry, clock=clock, ids=ids, rules=rules, client=client, places=places, results=results
        )


@contextmanager
def _in_process(
    settings: Settings, registry: Registry, clock: Clock, ids: Ids, rules: RuleBook, results: Results, *, lasting: bool
) -> Iterator[OpenClient]:
    """The orchestration itself, over the store that is chosen."""
    from headrace.orchestration.local_client import LocalClient  # who asks a server does without
    from headrace.orchestration.storages import Around

    tell = registry.tell if registry.has_observers else _nobody_listens
    with _run_store(settings, registry, lasting=lasting).open() as store:
        client = LocalClient.over(
            store,
            rules=rules,
            clock=clock,
            lease_seconds=settings.lease_seconds,
            ids=ids,
            matcher=lambda name: registry.make("queue matcher", Choice(name)),
            schedule=lambda choice: registry.make("schedule", choice),
            around=Around(
                seal=registry.sealed,
                secret=registry.secret,
                is_type=lambda name: registry.has("storage", name) or ("storage", name) in KNOWN,
                secrets_of=lambda name: secret_options(registry.load("storage", name)) if registry.has("storage", name) else (),
                places_of=lambda name: place_options(registry.load("storage", name)) if registry.has("storage", name) else (),
                remove=results.remove,
            ),
            tell=tell,
            outage_seconds=settings.outage_seconds,
            horizon=Horizon(span=timedelta(seconds=settings.schedule_ahead_seconds), most=settings.schedule_ahead_runs),
            retention=Retention(runs=_days(settings.keep_runs_days), details=_days(settings.keep_details_days)),
        )
        if lasting:
            _tried(lambda: deliver(settings.home, client, clock.now()))
            _tried(client.release_lost_runs)
        yield client
        if not lasting:
            _tried(client.forgetting.forget_daily)


def _days(days: float) -> timedelta | None:
    return timedelta(days=days) if days else None


def _tried(tidy: Callable[[], object]) -> None:
    """Where no server looks after the store, who opens it sees to it, as far as it can: nothing is shown as running that nobody runs, and it does not grow."""
    try:
        tidy()
    except HeadraceError as error:  # it may be read only, or busy, and serves its purpose all the same
        logger.debug("The store could not be looked after: %s", error)


def run_store_choice(settings: Settings, registry: Registry) -> Choice:
    """The store that is set, else SQLite under the home, else memory."""
    name = settings.run_store or ("sqlite" if registry.has("run store", "sqlite") else MEMORY)
    options = {"path": str(settings.home / "headrace.db"), "busy_seconds": settings.store_busy_seconds} if name == "sqlite" else {}
    return Choice(name, options)


def provider_choices(settings: Settings, registry: Registry) -> list[tuple[str, Choice]]:
    """What a run needs of its settings' choices, by port: to be imported ahead of it. What is behind a storage's name, the orchestration knows."""
    client, storage = client_choice(settings), own_storage(settings, registry)
    return [
        ("run store", run_store_choice(settings, registry)) if client is None else ("client", client),
        *([("storage", storage)] if name_in(storage) is None else []),
        ("serializer", Choice(settings.serializer or "json")),
        ("task runner", task_runner_choice(settings, registry)),
    ]


def task_runner_choice(settings: Settings, registry: Registry) -> Choice:
    """The task runner that is set, else concurrent where it is installed, else the reference one."""
    return Choice(settings.task_runner or ("concurrent" if registry.has("task runner", "concurrent") else "sequential"))


def _run_store(settings: Settings, registry: Registry, *, lasting: bool) -> RunStore:
    store: RunStore = registry.make("run store", run_store_choice(settings, registry))
    if lasting and not store.outlives_process:
        raise NoRunStore()
    return store


def _nobody_listens(_event: object) -> None: ...


_OPENED: ContextVar[Instance | None] = ContextVar("headrace_opened", default=None)


class _OfThisProcess:
    """The instance that flows use which were called outside of `open`: made by the first of them, closed at exit.

    It is made anew where the environment says something else, and in a forked child, whose parent goes on using what is open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._environment: object = None
        self._house: Instance | None = None
        self._closing = ExitStack()
        self._of_parents: list[ExitStack] = []

    def get(self) -> Instance:
        environment = _environment()
        with self._lock:
            if self._house is not None and self._process == os.getpid() and self._environment == environment:
                return self._house
            self._let_go()
            clock, settings = SystemClock(), load(os.environ)
            registry = Registry(blocked=settings.plugins_blocked, runs_code=True, trace=settings.trace_hooks, keys=settings.keys_path)
            self._house = self._closing.enter_context(_assembled(settings, registry, clock, Ids(clock), lasting=False))
            self._environment = environment
            return self._house

    def _let_go(self) -> None:
        if self._process == os.getpid():
            self.close()
            return
        self._of_parents.append(self._closing.pop_all())
        self._house = None
        self._process = os.getpid()
        atexit.register(self.close)

    def close(self) -> None:
        """Closes what this process opened."""
        if self._process == os.getpid():
            self._house = None
            self._closing.pop_all().close()


def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("HEADRACE_")))


_of_this_process = _OfThisProcess()


def is_opened_here() -> bool:
    """Whether a flow called here uses what `open` opened, so that a program has headrace in it, and is no script of flows."""
    return _OPENED.get() is not None


def current() -> Instance:
    """The instance that a flow called here uses."""
    return _OPENED.get() or _of_this_process.get()
