"""The way from somebody to the orchestration: messages are late, lost, doubled, and asking may be the last thing that one does."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from headrace.errors import HeadraceError, StoreUnusable
from headrace.model.leases import LeaseOrder
from headrace.model.queues import Claimed
from headrace.ports.client import OpenClient, operations
from headrace.rules.verdicts import Verdict
from headrace.testing.sim.witness import Asked, Witness
from headrace.testing.sim.world import Actor, World

LONGEST_DELAY = 30.0
"""After how many seconds a message that was doubled comes for the second time, at most."""

NAMES = frozenset(operations())
QUIET = frozenset({"keep_agent", "note_waits", *(name for name in NAMES if name.startswith("read_"))})
"""What is only told where it goes wrong."""


class Link:
    """One caller's client. `kill` ends the caller, and perhaps others with it."""

    def __init__(self, world: World, witness: Witness, client: OpenClient, caller: Actor, kill: Callable[[], None] | None = None) -> None:
        self._world = world
        self._witness = witness
        self._client = client
        self._caller = caller
        self._kill = kill

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in NAMES:
            raise AttributeError(name)

        def ask(*args: Any, **kwargs: Any) -> Any:
            answer = self._ask(name, args, kwargs)
            if self._caller.is_dead or self._caller.awake_at > self._world.clock.monotonic():
                self._world.wait(self._caller, 0.0)
            if isinstance(answer, Claimed):
                self._witness.heard(answer)
            return answer

        setattr(self, name, ask)
        return ask

    def _ask(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        world = self._world
        faults = world.faults
        if not faults.call_kinds or world.random.random() >= faults.calls:
            return self._done(name, args, kwargs)
        kind = world.random.choice(faults.call_kinds)
        if kind.startswith("killed") and self._kill is None:
            kind = "doubled"
        return self._gone_wrong(kind, name, args, kwargs)

    def _gone_wrong(self, kind: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        world, caller = self._world, self._caller
        world.trouble(caller.label, f"{name}: {kind}")
        match kind:
            case "late":
                world.wait(caller, self._delay())
                return self._done(name, args, kwargs)
            case "late answer":
                answer = self._done(name, args, kwargs)
                world.wait(caller, self._delay())
                return answer
            case "lost request":
                world.wait(caller, world.random.choice((0.0, 1.0, 5.0)))
                raise _no_answer()
            case "lost answer":
                self._done(name, args, kwargs)
                world.wait(caller, world.random.choice((0.0, 1.0, 5.0)))
                raise _no_answer()
            case "doubled":
                answer = self._done(name, args, kwargs)
                self._later(name, args, kwargs, answer)
                return answer
            case "asked again":
                first = self._done(name, args, kwargs)
                world.wait(caller, self._delay())
                second = self._done(name, args, kwargs)
                self._witness.answered_again(args, first, second)
                return second
            case "killed before":
                self._end()
            case "killed after":
                self._done(name, args, kwargs)
                self._end()
        raise AssertionError(kind)

    def _delay(self) -> float:
        return min(LONGEST_DELAY, self._world.random.expovariate(1 / 3))

    def _end(self) -> None:
        assert self._kill is not None
        self._kill()
        self._world.wait(self._caller, 0.0)

    def _later(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], first: Any) -> None:
        def again() -> None:
            if name == "request_run" and args[0].id in self._witness.deleted_ids:
                return  # whoever makes the id of a run does not make it again
            self._world.trouble(self._caller.label, f"{name}: comes for the second time")
            try:
                second = self._done(name, args, kwargs)
            except HeadraceError:
                return
            self._witness.answered_again(args, first, second)

        self._world.after(self._world.random.uniform(0.0, LONGEST_DELAY), again)

    def _done(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        witness = self._witness
        before, witness.asked = witness.asked, Asked.of(name, args, self._world)
        try:
            answer = getattr(self._client, name)(*args, **kwargs)
        except HeadraceError as error:
            self._world.note(self._caller.label, name, *args[:1], f"✗ {type(error).__name__}")
            raise
        else:
            if name not in QUIET:
                self._world.note(self._caller.label, name, *_shown(args), answer if isinstance(answer, _TOLD) else None)
            witness.answered(answer)
        finally:
            witness.asked = before
        return answer


_TOLD = (Verdict, LeaseOrder, Claimed, list)


def _shown(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args[:2] if isinstance(args[0] if args else None, str) else args[:1]


def _no_answer() -> HeadraceError:
    return StoreUnusable(where="the other end of the wire", why="there is no answer")


def linked(world: World, witness: Witness, client: OpenClient, caller: Actor, kill: Callable[[], None] | None = None) -> OpenClient:
    """The client of one caller."""
    return cast(OpenClient, Link(world, witness, client, caller, kill))
