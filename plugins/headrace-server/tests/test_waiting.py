"""Waiting for events costs no thread, and nobody else any time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

import headrace_server.waiting
from headrace.errors import StoreAway
from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.reference.run_store import MemoryRunStore
from headrace.testing.clock import START, FixedClock
from headrace_server.waiting import Waiting

LONG = 30.0
"""As long as a test that fails waits."""


@attrs.define
class CountedStore:
    """A store that counts how often it is looked at, and may be away."""

    store: OpenRunStore
    looks: int = 0
    is_away: bool = False

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        self.looks += 1
        with self.store.reading() as reading:
            yield reading

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        with self.store.writing() as writing:
            yield writing

    def version(self) -> int:
        if self.is_away:
            raise StoreAway(where="here", why="a test says so")
        return self.store.version()


@pytest.fixture
def store() -> Iterator[CountedStore]:
    with MemoryRunStore(clock=FixedClock()).open() as opened:
        yield CountedStore(opened)


def happened(store: CountedStore, kind: str = "run.done", subject: str = "a") -> Event:
    with store.writing() as writing:
        return writing.append_event(Event(moment=START, kind=kind, subject=subject))


def never() -> Awaitable[object]:
    return asyncio.get_running_loop().create_future()


def on_a_loop(store: CountedStore, scene: Callable[[Waiting], Awaitable[Any]]) -> Any:
    """What a scene gives, played on a loop of its own."""

    async def play() -> Any:
        with ThreadPoolExecutor(2) as threads:

            async def in_thread(function: Callable[[], Any]) -> Any:
                return await asyncio.get_running_loop().run_in_executor(threads, function)

            waiting = Waiting(store, in_thread)
            result = await scene(waiting)
            assert waiting.waiters == 0
            return result

    return asyncio.run(play())


async def until_waiting(waiting: Waiting, number: int) -> None:
    while waiting.waiters < number:
        await asyncio.sleep(0.001)


def test_what_is_there_is_given_at_once(store: CountedStore) -> None:
    """Events after the cursor that fit are the answer, and nobody is waited for."""
    first, second = happened(store), happened(store)

    async def scene(waiting: Waiting) -> list[Event]:
        return await waiting.events(EventFilter(after=first.sequence), LONG, never())

    assert on_a_loop(store, scene) == [second]


def test_each_hears_what_it_waits_for(store: CountedStore) -> None:
    """Whoever waits is told of what fits, by kind and by subject, and of nothing else; one look at the store serves all."""
    wanted = [
        EventFilter(),
        EventFilter(kinds=("run.done",)),
        EventFilter(subjects=("b", "c")),
        EventFilter(subjects=("b",), kinds=("run.gone",)),
        EventFilter(subjects=("nobody",)),
        EventFilter(kinds=("nothing",)),
    ]

    async def scene(waiting: Waiting) -> list[list[str]]:
        asked = [asyncio.create_task(waiting.events(each, LONG, never())) for each in wanted]
        await until_waiting(waiting, len(wanted))
        with store.writing() as writing:
            for kind, subject in [("run.done", "a"), ("run.done", "b"), ("run.gone", "b")]:
                writing.append_event(Event(moment=START, kind=kind, subject=subject))
        await asyncio.wait(asked[:4])
        looks = store.looks
        waiting.end()
        heard = await asyncio.gather(*asked)
        assert looks <= len(wanted) + 3
        return [[f"{event.kind} {event.subject}" for event in events] for events in heard]

    assert on_a_loop(store, scene) == [
        ["run.done a", "run.done b", "run.gone b"],
        ["run.done a", "run.done b"],
        ["run.done b", "run.gone b"],
        ["run.gone b"],
        [],
        [],
    ]


def test_those_who_wait_for_anything_are_told_by_turns(store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for news of a subject is told first; the others one after the other, the one that has waited longest before those that came later,
    and each of everything that happened until its turn."""
    monkeypatch.setattr(headrace_server.waiting, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(headrace_server.waiting, "LAST_TURN_SECONDS", LONG)

    async def scene(waiting: Waiting) -> list[tuple[str, int]]:
        told: list[tuple[str, int]] = []

        async def wait(name: str, wanted: EventFilter, seconds: float = LONG) -> None:
            told.append((name, len(await waiting.events(wanted, seconds, never()))))

        asked = []
        for name in "abc":
            asked.append(asyncio.create_task(wait(name, EventFilter(kinds=("run.done",)))))
            await until_waiting(waiting, len(asked))
        asked.append(asyncio.create_task(wait("of a subject", EventFilter(subjects=("a",)))))
        await until_waiting(waiting, len(asked))
        happened(store)
        waiting.nudge()
        await asyncio.wait(asked[:1])
        happened(store)
        waiting.nudge()
        await asyncio.gather(*asked)
        return told

    told = on_a_loop(store, scene)
    assert [name for name, _ in told] == ["of a subject", "a", "b", "c"]
    assert [number for _, number in told[:2]] == [1, 1]
    assert told[3][1] == 2


def test_a_turn_that_comes_too_late_is_not_waited_for(store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has heard when its time is over is its answer, though its turn has not come."""
    monkeypatch.setattr(headrace_server.waiting, "TURN_SECONDS", LONG)
    monkeypatch.setattr(headrace_server.waiting, "LAST_TURN_SECONDS", 2 * LONG)

    async def scene(waiting: Waiting) -> list[int]:
        asked = [asyncio.create_task(waiting.events(EventFilter(), seconds, never())) for seconds in (LONG, 0.2)]
        await until_waiting(waiting, len(asked))
        happened(store)
        waiting.nudge()
        return [len(events) for events in await asyncio.gather(*asked)]

    assert on_a_loop(store, scene) == [1, 1]


def test_nobody_is_told_twice_and_nothing_is_missed(store: CountedStore) -> None:
    """Who asks again after the last event it heard gets every event once, whatever is written meanwhile."""
    number = 500

    async def scene(waiting: Waiting) -> None:
        async def follow() -> list[int]:
            heard = [0]
            while len(heard) <= number:
                heard += [event.sequence for event in await waiting.events(EventFilter(after=heard[-1]), LONG, never())]
            return heard[1:]

        following = [asyncio.create_task(follow()) for _ in range(5)]
        for _ in range(number):
            happened(store)
            if _ % 50 == 0:
                await asyncio.sleep(0)
        for heard in await asyncio.gather(*following):
            assert heard == list(range(1, number + 1))

    on_a_loop(store, scene)


def test_no_look_is_lost_on_who_does_not_wait(store: CountedStore) -> None:
    """The store is looked at while somebody waits, and not after that."""

    async def scene(waiting: Waiting) -> None:
        assert await waiting.events(EventFilter(), 0.02, never()) == []
        await asyncio.sleep(0.05)
        looks = store.looks
        for _ in range(5):
            happened(store)
            await asyncio.sleep(0.02)
        assert store.looks == looks

    on_a_loop(store, scene)


def test_who_hangs_up_is_forgotten(store: CountedStore) -> None:
    """Whoever is gone waits no longer."""

    async def scene(waiting: Waiting) -> None:
        gone = asyncio.Event()
        asked = asyncio.create_task(waiting.events(EventFilter(), LONG, gone.wait()))
        await until_waiting(waiting, 1)
        gone.set()
        assert await asked == []

    on_a_loop(store, scene)


def test_a_store_that_is_away_is_told(store: CountedStore) -> None:
    """Whoever waits is told that the store is away; who asks once it is back hears what came meanwhile."""

    async def scene(waiting: Waiting) -> list[Event]:
        asked = asyncio.create_task(waiting.events(EventFilter(), LONG, never()))
        await until_waiting(waiting, 1)
        store.is_away = True
        with pytest.raises(StoreAway):
            await asked
        store.is_away = False
        happened(store)
        return await waiting.events(EventFilter(), LONG, never())

    assert len(on_a_loop(store, scene)) == 1


def test_what_is_written_here_is_brought_at_once(store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has just written says so, and nobody waits for the next look."""
    monkeypatch.setattr(headrace_server.waiting, "LOOK_SECONDS", LONG)

    async def scene(waiting: Waiting) -> list[Event]:
        asked = asyncio.create_task(waiting.events(EventFilter(), LONG, never()))
        await until_waiting(waiting, 1)
        await asyncio.sleep(0.05)
        happened(store)
        waiting.nudge()
        return await asyncio.wait_for(asked, LONG / 2)

    assert len(on_a_loop(store, scene)) == 1


def test_the_end_answers_all(store: CountedStore) -> None:
    """When it ends, who waits is answered, and nobody waits any more."""

    async def scene(waiting: Waiting) -> None:
        asked = [asyncio.create_task(waiting.events(EventFilter(), LONG, never())) for _ in range(3)]
        await until_waiting(waiting, 3)
        waiting.end()
        assert await asyncio.gather(*asked) == [[], [], []]
        assert await waiting.events(EventFilter(), LONG, never()) == []

    on_a_loop(store, scene)
