"""The flow runners that an agent has open: one for each choice that its runs have made."""

from collections import OrderedDict
from contextlib import ExitStack, suppress

from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL
from headrace.ports.flow_runner import FlowRunner, OpenFlowRunner

MOST_OPEN = 8
"""How many are kept open; each may keep a process ready."""


class Runners:
    """Opens flow runners when they are first needed, and closes those that were not needed for longest."""

    def __init__(self, registry: Registry, preferred: str) -> None:
        self._registry = registry
        self._preferred = preferred
        self._open: OrderedDict[str, tuple[OpenFlowRunner, ExitStack]] = OrderedDict()

    def choice(self, wanted: Choice | None) -> Choice:
        """The runner that is meant: a run that leaves it to the agent gets what the agent prefers, with its options."""
        wanted = wanted or Choice(UNIVERSAL)
        return Choice(self._preferred, wanted.options) if wanted.name == UNIVERSAL else wanted

    def opened(self, choice: Choice) -> OpenFlowRunner:
        """The runner, open. Raises NotInstalled and ProviderUnusable."""
        key = repr(choice)
        if key not in self._open:
            runner: FlowRunner = self._registry.make("flow runner", choice)
            stack = ExitStack()
            self._open[key] = stack.enter_context(runner.open()), stack
        self._open.move_to_end(key)
        while len(self._open) > MOST_OPEN:
            _, (_, oldest) = self._open.popitem(last=False)
            oldest.close()
        return self._open[key][0]

    def all_open(self) -> list[OpenFlowRunner]:
        """Those that are open, and the one that the agent prefers, if it can be had; one that cannot is told when a run wants it."""
        with suppress(HeadraceError):
            self.opened(self.choice(None))
        return [runner for runner, _ in self._open.values()]

    def close(self) -> None:
        """Closes all; no run ends by it."""
        while self._open:
            _, (_, stack) = self._open.popitem()
            stack.close()
