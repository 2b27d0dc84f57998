"""Made ready to run: settings read, plugins found, modules imported. Nothing is opened, so that the process can still be forked."""

from collections.abc import Mapping
from datetime import UTC, datetime

import attrs

from headrace.hooks.registry import Registry
from headrace.instance import provider_choices
from headrace.model.deployments import Code, Deployment
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.places import client_choice
from headrace.settings import Settings, load
from headrace.wire.plain import from_text, to_text

_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Ready:
    """What a run's process starts from."""

    settings: Settings
    registry: Registry

    def fitting(self, environment: Mapping[str, str]) -> "Ready":
        """The same for another environment; plugins are looked for anew only if others are blocked there, or keys are elsewhere."""
        settings = load(environment)
        if _of_registry(settings) == _of_registry(self.settings):
            return attrs.evolve(self, settings=settings)
        return made_ready(environment)


def made_ready(environment: Mapping[str, str]) -> Ready:
    """Finds what the environment chooses. This is for a run's own process tree, where data may run code."""
    settings = load(environment)
    registry = Registry(blocked=settings.plugins_blocked, runs_code=True, keys=settings.keys_path, trace=settings.trace_hooks)
    return Ready(settings=settings, registry=registry)


def _of_registry(settings: Settings) -> tuple[object, ...]:
    """What a registry is made with."""
    return settings.plugins_blocked, settings.keys_path, settings.trace_hooks


def imported_ahead(ready: Ready) -> Ready:
    """Imports all that an ordinary run needs, and lets the converters of plain data make themselves, so that what is forked need not."""
    import asyncio  # noqa: F401
    import concurrent.futures.thread  # noqa: F401
    import sqlite3  # noqa: F401

    if client_choice(ready.settings) is None:
        import headrace.orchestration.local_client  # noqa: F401
    for port, choice in provider_choices(ready.settings, ready.registry):
        ready.registry.load(port, choice.name)
    state = State.pending()
    for value in (
        FlowRun(id="", name="", state=state, created=_MOMENT, flow_name="", root_id=""),
        TaskRun(id="", name="", state=state, created=_MOMENT, flow_run_id="", task_name="", task_key="", call=0),
        Deployment(id="", name="", flow_name="", code=Code(entrypoint=""), created=_MOMENT, updated=_MOMENT),
    ):
        from_text(type(value), to_text(value))
    return ready
