"""The registry: plugins found, their providers by name, and the classes behind them.

A broken plugin is a row with its reason and a warning, never a crash of the host. Since pluggy does not contain errors, every implementation is
called by itself here, and nowhere else.
"""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, cast

import attrs
import pluggy

from headrace.errors import (
    CannotSign,
    CodeNotAllowedHere,
    DoubleProvider,
    HeadraceError,
    NoneTrusted,
    NothingSeals,
    NotInstalled,
    OptionsDoNotFit,
    ProviderUnusable,
    SecretUnresolved,
    SignatureRefused,
)
from headrace.hooks.known import KNOWN
from headrace.hooks.plugins import PluginRow, Status
from headrace.hooks.providers import Provider
from headrace.hooks.secrets import SEALED, Secret, is_reference, resolved, shown_reference
from headrace.hooks.specs import PROJECT, Specs
from headrace.model.choices import Choice
from headrace.model.deployments import Signature
from headrace.model.events import Event

PORTS = {
    "run store": "headrace_run_stores",
    "client": "headrace_clients",
    "storage": "headrace_storages",
    "serializer": "headrace_serializers",
    "task runner": "headrace_task_runners",
    "flow runner": "headrace_flow_runners",
    "schedule": "headrace_schedules",
    "service": "headrace_services",
    "queue matcher": "headrace_queue_matchers",
    "event sink": "headrace_event_sinks",
    "rule": "headrace_rules",
    "command": "headrace_commands",
}
"""Every port with the hook that fills it."""

PROJECT_PLUGIN = "headrace_plugin"
"""The module that a project's own plugin is."""

logger = logging.getLogger("headrace.plugins")


@attrs.frozen(kw_only=True)
class Plugin:
    """A plugin before it is registered: who brings it, and how it is imported."""

    name: str
    dist: str
    version: str
    load: Callable[[], object]


@attrs.frozen(kw_only=True)
class Offer:
    """A provider, and the plugin that it came from."""

    provider: Provider[Any]
    plugin: Plugin


def inline(hooks: object, *, name: str = "inline") -> Plugin:
    """A plugin that a program brings itself, without a distribution: a module or object with hooks."""
    return Plugin(name=name, dist="this program", version="0", load=lambda: hooks)


def of_project(folder: Path) -> Iterator[Plugin]:
    """The plugin that a project brings itself: the file `headrace_plugin.py` in its folder, if there is one."""
    file = folder / f"{PROJECT_PLUGIN}.py"
    if file.is_file():
        yield Plugin(name=PROJECT_PLUGIN, dist="this project", version="0", load=partial(_loaded, file))


def _loaded(file: Path) -> object:
    """The module in a file, under its name, so that what it names in itself is found. Code of another user is not run because of where one stands."""
    from importlib.util import module_from_spec, spec_from_file_location

    if hasattr(os, "geteuid") and file.stat().st_uid not in (os.geteuid(), 0):
        raise PermissionError(f"{file} belongs to another user")
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None, "a file that ends in .py is a module"
    assert spec.loader is not None, "a file that ends in .py is a module"
    module = sys.modules[file.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[file.stem]
        raise
    return module


def discovered() -> Iterator[Plugin]:
    """The plugins of all installed distributions, and the one of the project in whose folder this process works."""
    from importlib_metadata import entry_points

    with suppress(FileNotFoundError):  # the current folder may be gone
        yield from of_project(Path.cwd())

    for point in entry_points(group=PROJECT):
        dist, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
        yield Plugin(name=point.name, dist=dist, version=version, load=point.load)


class Registry:
    """Plugins and what they offer. `runs_code` says that this process is a flow run's own, where pickled data may be read; `keys` is the folder of keys,
    None the one that the environment chooses."""

    def __init__(
        self,
        plugins: Iterable[Plugin] | None = None,
        *,
        blocked: Iterable[str] = (),
        runs_code: bool = False,
        keys: Path | None = None,
        trace: bool = False,
    ) -> None:
        self._runs_code = runs_code
        self._keys = keys
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Specs)
        self._manager.hook.headrace_addhooks.call_historic(kwargs={"plugins": self._manager})
        self._trace = trace
        self._plugins: dict[str, Plugin] = {}
        self._troubles: list[PluginRow] = []
        self._offers: dict[str, dict[str, list[Offer]]] = {}
        self._blocked = frozenset(blocked)
        for plugin in sorted(discovered() if plugins is None else plugins, key=lambda plugin: (plugin.dist, plugin.name), reverse=True):
            self._register(plugin)
        self._refuse_misspelt()

    # Plugins

    def add(self, plugins: Iterable[Plugin]) -> None:
        """Takes in plugins that were not there before; one that was, by its name, is replaced."""
        for plugin in plugins:
            key = f"{plugin.dist}:{plugin.name}"
            if self._plugins.pop(key, None) is not None:
                self._manager.unregister(name=key)
            self._register(plugin)
        self._refuse_misspelt()
        self._offers.clear()

    def _register(self, plugin: Plugin) -> None:
        if self._blocked & {plugin.name, plugin.dist}:
            self._trouble(plugin, Status.BLOCKED, "blocked by the setting plugins_blocked")
            return
        key = f"{plugin.dist}:{plugin.name}"
        try:
            self._manager.register(plugin.load(), name=key)
        except (Exception, SystemExit) as error:
            self._trouble(plugin, Status.FAILED, _reason(error))
            return
        self._plugins[key] = plugin

    def _refuse_misspelt(self) -> None:
        for key, plugin in tuple(self._plugins.items()):
            callers = self._manager.get_hookcallers(self._manager.get_plugin(key)) or []
            unknown = [
                caller.name
                for caller in callers
                if not caller.has_spec()
                for implementation in caller.get_hookimpls()
                if implementation.plugin_name == key and not implementation.optionalhook
            ]
            if unknown:
                self._manager.unregister(name=key)
                del self._plugins[key]
                self._trouble(plugin, Status.FAILED, f"it implements hooks that do not exist: {', '.join(unknown)}")

    def _trouble(self, plugin: Plugin, status: Status, reason: str) -> None:
        row = PluginRow(name=plugin.name, kind="plugin", dist=plugin.dist, version=plugin.version, status=status, reason=reason)
        self._troubles.append(row)
        if status is Status.FAILED:
            logger.warning("Plugin %r of %s cannot be used: %s", plugin.name, plugin.dist, reason)

    def calls(self, hook: str, **arguments: Any) -> Iterator[tuple[Plugin, Callable[[], Any]]]:
        """Every implementation of a hook that some distribution brought the specification of, to be called one by one; who calls contains its errors."""
        return self._calls(hook, arguments)

    def _calls(self, hook: str, arguments: Mapping[str, Any]) -> Iterator[tuple[Plugin, Callable[[], Any]]]:
        """Every implementation of a hook, ready to be called by itself."""
        if self._trace:
            _print_call(hook, arguments)
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            plugin = self._plugins.get(implementation.plugin_name)
            if plugin is None:
                continue
            taken = {name: arguments[name] for name in implementation.argnames}
            yield plugin, partial(implementation.function, **taken)

    # Providers

    def offers(self, port: str) -> Mapping[str, list[Offer]]:
        """All that is offered for a port, by name, sorted; a name offered twice has two offers."""
        if port not in self._offers:
            found: dict[str, list[Offer]] = {}
            for plugin, call in self._calls(PORTS[port], {}):
                try:
                    for provider in call() or ():
                        found.setdefault(provider.name, []).append(Offer(provider=provider, plugin=plugin))
                except Exception as error:
                    self._trouble(plugin, Status.FAILED, f"{PORTS[port]} failed: {_reason(error)}")
            self._offers[port] = dict(sorted(found.items()))
        return self._offers[port]

    def has(self, port: str, name: str) -> bool:
        """Whether somebody offers it."""
        return name in self.offers(port)

    def offer(self, port: str, name: str) -> Offer:
        """The one offer of that name. Raises NotInstalled, DoubleProvider."""
        offers = self.offers(port).get(name, [])
        if not offers:
            raise NotInstalled(port=port, name=name, installed=tuple(self.offers(port)), advice=_advice(port, name))
        if len(offers) > 1:
            raise DoubleProvider(port=port, name=name, first=offers[0].plugin.dist, second=offers[1].plugin.dist)
        return offers[0]

    def load(self, port: str, name: str) -> Any:
        """The class (or command, or rule) behind a name. Raises also ProviderUnusable, CodeNotAllowedHere."""
        offer = self.offer(port, name)
        if offer.provider.runs_code and not self._runs_code:
            raise CodeNotAllowedHere(port=port, name=name)
        try:
            return _imported(offer.provider.target)
        except Exception as error:
            raise ProviderUnusable(port=port, name=name, dist=offer.plugin.dist, why=_reason(error)) from error

    def make(self, port: str, choice: Choice) -> Any:
        """The value of a choice: its class with its options. Raises also OptionsDoNotFit, for those it does not take."""
        kind = self.load(port, choice.name)
        self._check_options(port, choice, kind)
        try:
            return kind(**choice.options)
        except (TypeError, ValueError) as error:
            given = " and ".join(map(repr, choice.options))
            raise self._unfit(port, choice, f"it cannot take what is given as {given} ({error})" if given else str(error)) from error

    def _check_options(self, port: str, choice: Choice, kind: Any) -> None:
        known = [field.alias or field.name for field in attrs.fields(kind) if field.init] if attrs.has(kind) else None
        unknown = [] if known is None else sorted(choice.options.keys() - set(known))
        if unknown:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise self._unfit(port, choice, f"it has no option {unknown[0]!r}; {takes}")
        missing = [name for name in _needed(kind) if name not in choice.options]
        if missing:
            raise self._unfit(port, choice, f"it needs the option{'s' if len(missing) > 1 else ''} {' and '.join(missing)}")

    def _unfit(self, port: str, choice: Choice, why: str) -> OptionsDoNotFit:
        return OptionsDoNotFit(port=port, name=choice.name, dist=self.offer(port, choice.name).plugin.dist, why=why)

    def choice_of(self, port: str, value: object) -> Choice:
        """The way back: the name and options of a provider's value. Raises NotInstalled where nobody offers its class."""
        for name, offers in self.offers(port).items():
            for offer in offers:
                if offer.provider.target in {f"{type(value).__module__}:{type(value).__qualname__}", type(value)}:
                    return Choice(name, _options(value))
        raise NotInstalled(port=port, name=type(value).__qualname__, installed=tuple(self.offers(port)))

    def load_class(self, port: str, name: str) -> Any:
        """The class of a provider, by the name of the class. Raises ImportError naming those that are installed.

        It is ImportError since `from … import` shows no other error's words.
        """
        classes = self._classes(port)
        if name not in classes:
            raise ImportError(
                f"no {port} class {name!r} is installed; there are: {', '.join(sorted(classes)) or 'none'}{_dist_of(port, name)}"
            )
        return self.load(port, classes[name])

    def class_names(self, port: str) -> list[str]:
        """The names of the classes of providers, none of which is imported for it."""
        return sorted(self._classes(port))

    def _classes(self, port: str) -> dict[str, str]:
        """Providers by the names of their classes."""
        return {
            str(offer.provider.target).rpartition(":")[2]: provider
            for provider, offers in self.offers(port).items()
            for offer in offers
            if isinstance(offer.provider.target, str)
        }

    def rows(self) -> list[PluginRow]:
        """Everything that is installed, provider by provider, then what cannot be used."""
        rows = [
            PluginRow(
                name=name,
                kind=port,
                dist=offer.plugin.dist,
                version=offer.plugin.version,
                summary=offer.provider.summary,
                status=Status.OK if len(offers) == 1 else Status.FAILED,
                reason="" if len(offers) == 1 else f"offered by {' and '.join(sorted(offer.plugin.dist for offer in offers))}",
            )
            for port in PORTS
            for name, offers in self.offers(port).items()
            for offer in offers
        ]
        return rows + self._without_offers(rows) + self._troubles

    def _without_offers(self, rows: list[PluginRow]) -> list[PluginRow]:
        """Plugins that offer nothing to choose: they observe, or bring hooks."""
        offering = {row.dist for row in rows} | {row.dist for row in self._troubles}
        silent = [plugin for key, plugin in sorted(self._plugins.items()) if plugin.dist not in offering]
        return [
            PluginRow(name=plugin.name, kind="plugin", dist=plugin.dist, version=plugin.version, summary="Offers nothing to choose")
            for plugin in silent
        ]

    # Observers

    @property
    def runs_code(self) -> bool:
        """Whether this is a flow run's own process, where data may run code."""
        return self._runs_code

    def tell(self, event: Event) -> None:
        """Lets every plugin hear of an event; an error is logged and ends there."""
        for plugin, call in self._calls("headrace_on_event", {"event": event}):
            try:
                call()
            except Exception:
                logger.exception("Plugin %r of %s failed while it heard of %s", plugin.name, plugin.dist, event.kind)

    @property
    def has_observers(self) -> bool:
        """Whether anybody listens."""
        return bool(self._manager.hook.headrace_on_event.get_hookimpls())

    # Secrets

    def secret(self, reference: str) -> Secret:
        """What a reference stands for: the first answer of a plugin. Raises SecretUnresolved, which names who failed and never a value."""
        found, failures = self._first_answer("headrace_secret", {"reference": reference}, _is_text)
        if found is not None:
            return Secret(found)
        why = f"no plugin that is installed knows such a secret{' — pip install headrace-keys' if reference.startswith(SEALED) else ''}"
        raise SecretUnresolved(reference=shown_reference(reference), why=failures or why)

    def sealed(self, secret: str) -> str:
        """A reference that the secret can be written down as: the first answer of a plugin. Raises NothingSeals, KeysUnusable."""
        found, failures = self._first_answer("headrace_seal", {"secret": Secret(secret)}, is_reference)
        if found is not None:
            return str(found)
        raise NothingSeals(why=failures, advice="mend that") if failures else NothingSeals()

    # Signatures

    def signed(self, statement: bytes, key: str) -> Signature:
        """A signature of the statement by the key of that name: the first answer of a plugin. Raises CannotSign, KeysUnusable."""
        found, failures = self._first_answer("headrace_sign", {"statement": statement, "key": key}, _is_signature)
        if found is not None:
            return cast(Signature, found)
        raise CannotSign(key=key, why=failures or "no plugin that is installed has it — pip install headrace-keys")

    def signer(self, statement: bytes, signature: Signature) -> str:
        """By which name the key is trusted that signed the statement. Raises SignatureRefused, KeysUnusable."""
        found, failures = self._first_answer("headrace_verify", {"statement": statement, "signature": signature}, _is_text)
        if found is not None:
            return str(found)
        if failures:
            raise NoneTrusted(why=failures)
        if not self._manager.hook.headrace_verify.get_hookimpls():
            raise NoneTrusted(why="no plugin that is installed knows signatures — pip install headrace-keys")
        why = (
            f"key {signature.key} is not trusted here; if it is the key of somebody who may sign, trust it: headrace keys trust NAME PUBLIC"
        )
        raise SignatureRefused(why=why)

    def _first_answer(self, hook: str, arguments: Mapping[str, Any], is_answer: Callable[[object], bool]) -> tuple[Any, str]:
        """What the first plugin answers that does, and which plugins failed before. Their words may hold what must not be shown, so only the kind of a
        failure is told; what is an error of headrace is raised."""
        failures: list[str] = []
        for plugin, call in self._calls(hook, {**arguments, "keys": self._keys}):
            try:
                found = call()
            except HeadraceError:
                raise
            except Exception as error:
                failures.append(f"plugin {plugin.name!r} of {plugin.dist} failed with {type(error).__name__}")
                continue
            if is_answer(found):
                return found, ""
        return None, "; ".join(failures)

    def resolved(self, value: Any) -> Any:
        """Plain data with what its secret references stand for in their places."""
        return resolved(value, self.secret)


def _is_text(answer: object) -> bool:
    return isinstance(answer, str)


def _is_signature(answer: object) -> bool:
    return isinstance(answer, Signature)


def _imported(target: str | Callable[..., Any]) -> Any:
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _needed(kind: Any) -> list[str]:
    """The options that a class has no defaults for; none, where it cannot be told."""
    try:
        taken = signature(kind).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in taken if each.default is each.empty and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]


def _options(value: Any) -> dict[str, Any]:
    fields = attrs.fields(type(value)) if attrs.has(type(value)) else ()
    return {field.name: getattr(value, field.name) for field in fields if field.init and field.metadata.get("option", True)}


def _advice(port: str, name: str) -> str:
    dist = KNOWN.get((port, name))
    return f" — pip install {dist}" if dist else ""


def _dist_of(port: str, class_name: str) -> str:
    """Advice for a class that is not installed: the provider whose name its own begins with."""
    fitting = (dist for (known_port, name), dist in KNOWN.items() if known_port == port and class_name.lower().startswith(name[:7]))
    dist = next(fitting, None)
    return f" — pip install {dist}" if dist else ""


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _print_call(hook: str, arguments: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    print(f"hook {hook}({shown})", file=sys.stderr)
