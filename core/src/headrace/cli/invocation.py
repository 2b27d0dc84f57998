"""One call of the command line: its settings and its plugins, each found once; click keeps it as `ctx.obj`."""

from collections.abc import Mapping
from functools import cached_property

from headrace.cli import mending, show
from headrace.cli.mending import BLOCKING
from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry, discovered, inline
from headrace.settings import Settings, load

DEBUG = "HEADRACE_DEBUG"
"""The environment variable that shows the traceback of a bug; it is looked at as it is, since a bug may come before settings are read."""


class Invocation:
    """What a command starts from. A command takes it with `@click.pass_obj`."""

    def __init__(self, environment: Mapping[str, str], *, profile: str | None = None, is_here: bool = False) -> None:
        self._environment = environment
        self._profile = profile
        self._is_here = is_here
        self._told = False

    @property
    def settings(self) -> Settings:
        """The settings in force. Raises what is wrong with them."""
        settings, fault = self._read
        if fault is not None:
            raise fault
        return self._with_warnings_told(settings)

    @property
    def lenient_settings(self) -> Settings:
        """The settings as far as they can be used, for commands that must work though some cannot; what is wrong is told as a warning."""
        settings, _ = self._read
        return self._with_warnings_told(settings)

    @property
    def untold_settings(self) -> Settings:
        """As `lenient_settings`; to tell what is wrong is left to the command."""
        settings, _ = self._read
        return settings

    @property
    def fault(self) -> HeadraceError | None:
        """The first thing that is wrong with the settings, which `settings` raises."""
        _, fault = self._read
        return fault

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of this process."""
        return self._environment

    def anew(self) -> "Invocation":
        """The same call after settings were changed: they are read once more."""
        return Invocation(self._environment, profile=self._profile, is_here=self._is_here)

    def here(self) -> "Invocation":
        """The same call on the orchestration of this machine, though settings name the address of one."""
        found = Invocation(self._environment, profile=self._profile, is_here=True)
        found.registry = self.registry
        return found

    @cached_property
    def registry(self) -> Registry:
        """What is installed, without what the settings block; the commands that mend settings are always there."""
        settings, _ = self._read
        plugins = [*discovered(), inline(mending, name="mending")] if BLOCKING & set(settings.plugins_blocked) else None
        return Registry(plugins, blocked=settings.plugins_blocked, keys=settings.keys_path, trace=settings.trace_hooks)

    @property
    def _flags(self) -> Mapping[str, object]:
        return {"profile": self._profile, **({"api_url": "", "client": ""} if self._is_here else {})}

    @cached_property
    def _read(self) -> tuple[Settings, HeadraceError | None]:
        try:
            return load(self._environment, self._flags), None
        except HeadraceError as fault:
            return load(self._environment, self._flags, lenient=True), fault

    def _with_warnings_told(self, settings: Settings) -> Settings:
        if not self._told:
            self._told = True
            for sentence in settings.warnings:
                show.warning(sentence)
        return settings
