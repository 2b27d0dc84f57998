"""Every hook of core. A plugin is a module (or object) with some of these functions, marked with `hookimpl`.

A plugin's distribution names its module in the entry point group `headrace`::

    [project.entry-points.headrace]
    acme = "headrace_acme.plugin"

The module imports nothing but headrace; what it offers is imported when somebody chooses it::

    from headrace.hooks import Provider, hookimpl

    @hookimpl
    def headrace_storages():
        yield Provider("acme", "headrace_acme.storage:AcmeStorage", "Keeps results in the ACME vault")

A project may bring a plugin without a distribution: a module of that kind named `headrace_plugin.py` in its folder, for commands and agents that are started
there, and, where it travels with a deployment's code, for its runs. Code that belongs to another user is not loaded so.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from headrace.hooks.providers import Provider

if TYPE_CHECKING:
    from headrace.model.deployments import Signature
    from headrace.model.events import Event
    from headrace.ports.client import Client
    from headrace.ports.event_sink import EventSink
    from headrace.ports.flow_runner import FlowRunner
    from headrace.ports.queue_matcher import QueueMatcher
    from headrace.ports.rule import Rule
    from headrace.ports.run_store import RunStore
    from headrace.ports.schedule import Schedule
    from headrace.ports.serializer import Serializer
    from headrace.ports.service import Service
    from headrace.ports.storage import Storage
    from headrace.ports.task_runner import TaskRunner

PROJECT = "headrace"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Specs:
    """The hooks; each is shown as a plugin would write it."""

    @hookspec
    def headrace_run_stores(self) -> "Iterable[Provider[RunStore]]":  # type: ignore[empty-body]
        """Where runs are remembered::

        @hookimpl
        def headrace_run_stores():
            yield Provider("acme", "headrace_acme.run_store:AcmeRunStore", "Runs in the ACME database")
        """

    @hookspec
    def headrace_clients(self) -> "Iterable[Provider[Client]]":  # type: ignore[empty-body]
        """How to reach an orchestration that is not in this process::

        @hookimpl
        def headrace_clients():
            yield Provider("carrier", "headrace_carrier.client:PigeonClient", "Asks by carrier pigeon")
        """

    @hookspec
    def headrace_storages(self) -> "Iterable[Provider[Storage]]":  # type: ignore[empty-body]
        """Where flow code and results are kept::

        @hookimpl
        def headrace_storages():
            yield Provider("acme", "headrace_acme.storage:AcmeStorage", "Keeps results in the ACME vault")
        """

    @hookspec
    def headrace_serializers(self) -> "Iterable[Provider[Serializer]]":  # type: ignore[empty-body]
        """How results become bytes; mark with `runs_code=True` what runs code when it reads::

        @hookimpl
        def headrace_serializers():
            yield Provider("arrow", "headrace_arrow.serializer:ArrowSerializer", "Tables as Arrow files")
        """

    @hookspec
    def headrace_task_runners(self) -> "Iterable[Provider[TaskRunner]]":  # type: ignore[empty-body]
        """How submitted task calls run inside a flow run::

        @hookimpl
        def headrace_task_runners():
            yield Provider("cluster", "headrace_cluster.task_runner:ClusterTaskRunner", "Tasks on the ACME cluster")
        """

    @hookspec
    def headrace_flow_runners(self) -> "Iterable[Provider[FlowRunner]]":  # type: ignore[empty-body]
        """Where the process of a flow run lives::

        @hookimpl
        def headrace_flow_runners():
            yield Provider("lambda", "headrace_lambda.flow_runner:LambdaFlowRunner", "Runs as cloud functions")
        """

    @hookspec
    def headrace_schedules(self) -> "Iterable[Provider[Schedule]]":  # type: ignore[empty-body]
        """Kinds of schedule: when a deployment runs::

        @hookimpl
        def headrace_schedules():
            yield Provider("full-moon", "headrace_moon.schedule:FullMoonSchedule", "Every full moon")
        """

    @hookspec
    def headrace_services(self) -> "Iterable[Provider[Service]]":  # type: ignore[empty-body]
        """What is done again and again beside the runs, by servers, and by agents that have none::

        @hookimpl
        def headrace_services():
            yield Provider("reminder", "headrace_acme.service:Reminder", "Tells who waits for long")
        """

    @hookspec
    def headrace_queue_matchers(self) -> "Iterable[Provider[QueueMatcher]]":  # type: ignore[empty-body]
        """What a work queue may ask of a run::

        @hookimpl
        def headrace_queue_matchers():
            yield Provider("owner", "headrace_owner.queue_matcher:OwnerMatcher", "Runs that one of these people asked for")
        """

    @hookspec
    def headrace_event_sinks(self) -> "Iterable[Provider[EventSink]]":  # type: ignore[empty-body]
        """Where events go, each at least once, however often processes end meanwhile::

        @hookimpl
        def headrace_event_sinks():
            yield Provider("gazette", "headrace_gazette.event_sink:GazetteSink", "Prints what happened in the ACME gazette")
        """

    @hookspec
    def headrace_rules(self) -> "Iterable[Provider[Rule]]":  # type: ignore[empty-body]
        """Extra rules, asked after those of core::

        @hookimpl
        def headrace_rules():
            yield Provider("office-hours", "headrace_office.rules:OfficeHours", "Nothing starts at night")
        """

    @hookspec
    def headrace_commands(self) -> Iterable[Provider[Any]]:  # type: ignore[empty-body]
        """Command groups under `headrace`; the target is a click command::

        @hookimpl
        def headrace_commands():
            yield Provider("vault", "headrace_acme.commands:vault", "Look after the ACME vault")
        """

    @hookspec
    def headrace_on_event(self, event: "Event") -> None:
        """Hear of every event in this process after it was stored; an error here is logged, never felt::

        @hookimpl
        def headrace_on_event(event):
            if event.kind == "flow-run.FAILED":
                print("failed:", event.subject)
        """

    @hookspec(firstresult=True)
    def headrace_secret(self, reference: str, keys: Path | None) -> str | None:
        """Find the value that a reference such as `secret://vault/token` stands for, with the keys in that folder if it needs any; None for what is not
        this plugin's::

        @hookimpl
        def headrace_secret(reference):
            if reference.startswith("secret://vault/"):
                return open_vault().read(reference.removeprefix("secret://vault/"))
        """

    @hookspec(firstresult=True)
    def headrace_seal(self, secret: str, keys: Path | None) -> str | None:
        """Make of a secret a reference that may be written down, with the keys in that folder if it needs any::

        @hookimpl
        def headrace_seal(secret):
            return f"secret://vault/{open_vault().write(secret)}"
        """

    @hookspec(firstresult=True)
    def headrace_sign(self, statement: bytes, key: str, keys: Path | None) -> "Signature | None":
        """Sign a statement by the key of that name; None if it is not this plugin's::

        @hookimpl
        def headrace_sign(statement, key):
            if key.startswith("vault:"):
                return Signature(key=key, text=open_vault().sign(key, statement))
        """

    @hookspec(firstresult=True)
    def headrace_verify(self, statement: bytes, signature: "Signature", keys: Path | None) -> str | None:
        """Say by which name the key is trusted here that made this signature; None if it is not this plugin's. What is wrong is raised::

        @hookimpl
        def headrace_verify(statement, signature):
            if signature.key.startswith("vault:"):
                return open_vault().signer(signature.key, signature.text, statement)
        """

    @hookspec(historic=True)
    def headrace_addhooks(self, plugins: pluggy.PluginManager) -> None:
        """Bring hook specifications of one's own::

        @hookimpl
        def headrace_addhooks(plugins):
            plugins.add_hookspecs(MySpecs)
        """
