"""Waiting for events."""

import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest

from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.orchestration.local_client import LocalClient
from headrace.orchestration.waiting import LOOK_SECONDS, events_after
from headrace.ports.run_store import OpenRunStore, Reading
from headrace.testing.clock import START, FixedClock


def event(client: LocalClient, kind: str, subject: str = "s") -> Event:
    with client.store.writing() as writing:
        return writing.append_event(Event(moment=START, kind=kind, subject=subject))


def test_what_is_there_is_given_at_once(client: LocalClient) -> None:
    """Only what fits, in order, and nothing that was before."""
    event(client, "a")
    after = client.read_last_event()
    wanted = [event(client, "a"), event(client, "b", "t"), event(client, "a")]
    assert client.wait_for_events(EventFilter(after=after), 60) == wanted
    assert client.wait_for_events(EventFilter(after=after, kinds=("a",)), 60) == [wanted[0], wanted[2]]
    assert client.wait_for_events(EventFilter(after=after, subjects=("t",)), 60) == [wanted[1]]


def test_waiting_ends_when_the_time_is_over(client: LocalClient, clock: FixedClock) -> None:
    """With nothing; the pauses are short."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    assert events_after(client.store, EventFilter(kinds=("never",)), 1, now=clock.monotonic, sleep=sleep) == []
    assert sum(pauses) == pytest.approx(1)
    assert max(pauses) <= LOOK_SECONDS


def test_an_event_of_another_thread_ends_the_waiting(client: LocalClient) -> None:
    """It is given as soon as it is there."""
    found: list[list[Event]] = []
    thread = threading.Thread(target=lambda: found.append(client.wait_for_events(EventFilter(kinds=("a",)), 60)))
    thread.start()
    written = event(client, "a")
    thread.join(60)
    assert found == [[written]]


class Counting:
    """A store that counts how often it is looked into."""

    def __init__(self, store: OpenRunStore) -> None:
        self._store = store
        self.looks = 0

    def reading(self) -> AbstractContextManager[Reading]:
        self.looks += 1
        return self._store.reading()

    def writing(self) -> Any:
        return self._store.writing()

    def version(self) -> int:
        return self._store.version()


def test_nothing_is_read_while_nothing_is_written(client: LocalClient, clock: FixedClock) -> None:
    """Beyond the first look; the version says so."""
    store = Counting(client.store)
    assert events_after(store, EventFilter(kinds=("never",)), 1, now=clock.monotonic, sleep=clock.advance) == []
    assert store.looks == 1
