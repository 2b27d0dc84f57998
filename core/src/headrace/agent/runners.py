"""The flow runners that an agent has open: one for each choice that its runs have made."""

from collections import OrderedDict
from collections.abc import Collection
from contextlib import ExitStack, suppress

import attrs

from headrace.clock import Clock
from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL
from headrace.ports.flow_runner import FlowRunner, OpenFlowRunner

MOST_OPEN = 8
"""How many are kept open; each may keep a process ready."""

IDLE_SECONDS = 600.0
"""How long one is kept open that no run has wanted."""


@attrs.define
class _Open:
    choice: Choice
    value: FlowRunner
    runner: OpenFlowRunner
    stack: ExitStack
    wanted_at: float


class Runners:
    """Opens flow runners when they are first needed; those that were not needed for longest, or for long, are closed. `preferred` is the name of one."""

    def __init__(self, registry: Registry, preferred: str, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self.preferred = preferred

    def choice(self, wanted: Choice | None) -> Choice:
        """The runner that is meant: a run that leaves it to the agent gets what the agent prefers, with its options."""
        wanted = wanted or Choice(UNIVERSAL)
        return Choice(self.preferred, wanted.options) if wanted.name == UNIVERSAL else wanted

    def opened(self, choice: Choice) -> OpenFlowRunner:
        """The runner, open. Raises NotInstalled and ProviderUnusable."""
        key = repr(choice)
        if key not in self._open:
            value: FlowRunner = self._registry.make("flow runner", choice)
            stack = ExitStack()
            self._open[key] = _Open(choice, value, stack.enter_context(value.open()), stack, 0.0)
        self._open.move_to_end(key)
        self._open[key].wanted_at = self._clock.monotonic()
        return self._open[key].runner

    def is_here(self, choice: Choice) -> bool:
        """Whether its runs use what lies on this machine; of one that is open."""
        with suppress(HeadraceError):
            return self._open[repr(choice)].value.interpreter is not None
        return False

    def streams(self, choice: Choice) -> bool:
        """Whether what its runs say is to be shown by the agent; of one that is open."""
        return bool(getattr(self._open[repr(choice)].value, "stream_output", False))

    def all_open(self) -> list[tuple[Choice, OpenFlowRunner]]:
        """Those that are open, and the one that the agent prefers, if it can be had; one that cannot is told when a run wants it."""
        with suppress(HeadraceError):
            self.opened(self.choice(None))
        return [(each.choice, each.runner) for each in self._open.values()]

    def close_unused(self, in_use: Collection[Choice]) -> None:
        """Closes those that no run has wanted for long, and those that are too many; one is left open by which runs elsewhere are seen."""
        kept, before = {repr(choice) for choice in in_use}, self._clock.monotonic() - IDLE_SECONDS
        closable = [key for key, each in self._open.items() if key not in kept or each.value.interpreter is not None]
        for number, key in enumerate(reversed(closable), start=1):
            if number > MOST_OPEN or (key not in kept and self._open[key].wanted_at < before):
                self._open.pop(key).stack.close()

    def close(self) -> None:
        """Closes all; no run ends by it."""
        while self._open:
            _, last = self._open.popitem()
            last.stack.close()
