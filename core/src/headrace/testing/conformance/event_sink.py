"""What every event sink does."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import EventSinkFailed
from headrace.hooks.deliveries import deliver
from headrace.model.events import Event
from headrace.ports.event_sink import EventSink, OpenEventSink
from headrace.testing.clock import START
from headrace.testing.conformance.facts import Facts

STRANGE = 'ümläut, 漢字, 😀, \u2028, "quotes", \\, %s, {braces}, \n and \t'

Seen = Callable[[], list[int]]


class Interrupted(Exception):
    """Raised by a test while a sink is open."""


def event_of(sequence: int, **fields: Any) -> Event:
    """An event as the store gives it."""
    plainest = {"moment": START + timedelta(seconds=sequence % 3600), "kind": "flow-run.created", "subject": f"run-{sequence}"}
    return Event(sequence=sequence, **{**plainest, **fields})


ODD_EVENTS = [
    event_of(1),
    event_of(2, kind="flow-run.FAILED", details={"name": "Failed"}),
    event_of(3, kind="acme.of-a-plugin", subject=STRANGE, details={STRANGE: [STRANGE, None, 1, 0.5, True, {"deep": [{}]}]}),
    event_of(4, kind="", subject=""),
    event_of(5, subject="half a surrogate pair: \udcff"),
    event_of(2**53 + 1, details={"long": "x" * 100_000}),
]
"""Events as they may come: with nothing, with everything, of kinds that nobody knows."""


class EventSinkConformance(Facts):
    """Facts about event sinks. Override the fixtures `event_sink` and `seen`, and `broken` where its place may be out of reach.

    `seen` looks at the sink's place, from outside, and gives the sequences of the events there, in the order in which they stand there.
    """

    @pytest.fixture
    def event_sink(self) -> EventSink:
        raise NotImplementedError("override the fixture `event_sink`; it gives the event sink to try, whose place is empty")

    @pytest.fixture
    def seen(self) -> Seen:
        raise NotImplementedError("override the fixture `seen`; it gives a function that tells the sequences of the events that arrived")

    @pytest.fixture
    def broken(self) -> EventSink:
        """An event sink of the same kind whose place cannot be reached."""
        pytest.skip("its place is always there")

    @pytest.fixture
    def opened(self, event_sink: EventSink) -> Iterator[OpenEventSink]:
        with event_sink.open() as opened:
            yield opened

    # Values

    def test_an_event_sink_is_a_value(self, event_sink: Any, seen: Seen) -> None:
        """An event sink equals another one with the same fields, and one value can be opened again and again."""
        assert attrs.evolve(event_sink) == event_sink
        for sequence in (1, 2):
            with event_sink.open() as opened:
                opened.receive(event_of(sequence))
        assert sorted(seen()) == [1, 2]

    def test_opening_alone_sends_nothing(self, event_sink: EventSink, seen: Seen) -> None:
        """A sink that was opened and closed has told nobody anything."""
        with event_sink.open():
            pass
        assert seen() == []

    # Receiving

    def test_what_was_received_is_there(self, event_sink: EventSink, seen: Seen) -> None:
        """When a sink has been closed, all that it received has arrived, in the order in which it came."""
        with event_sink.open() as opened:
            for sequence in range(1, 201):
                opened.receive(event_of(sequence))
        assert seen() == list(range(1, 201))

    def test_any_event_is_taken(self, event_sink: EventSink, seen: Seen) -> None:
        """Events of any kind, also of plugins, with strange texts or long details, are taken; none stands in the way of the next."""
        with event_sink.open() as opened:
            for event in ODD_EVENTS:
                opened.receive(event)
            opened.receive(event_of(2**53 + 2))
        assert seen()[-1] == 2**53 + 2
        assert set(seen()) <= {*(event.sequence for event in ODD_EVENTS), 2**53 + 2}

    def test_events_are_left_alone(self, opened: OpenEventSink) -> None:
        """An event is not changed by who receives it."""
        for event in ODD_EVENTS:
            before = deepcopy(event)
            opened.receive(event)
            assert event == before

    def test_an_event_may_come_again(self, event_sink: EventSink, seen: Seen) -> None:
        """What comes a second time is no error, at once or after the sink was opened anew, and what comes after it arrives."""
        for sequences in ((1, 2, 2), (1, 2, 3)):
            with event_sink.open() as opened:
                for sequence in sequences:
                    opened.receive(event_of(sequence))
        assert set(seen()) == {1, 2, 3}
        assert seen()[-1] == 3

    def test_an_interrupted_program_loses_nothing(self, event_sink: EventSink, seen: Seen) -> None:
        """An exception beside the sink passes through; what it had received may come again, and arrives."""

        def interrupted() -> None:
            with event_sink.open() as opened:
                opened.receive(event_of(1))
                raise Interrupted

        with pytest.raises(Interrupted):
            interrupted()
        with event_sink.open() as opened:
            opened.receive(event_of(1))
            opened.receive(event_of(2))
        assert set(seen()) == {1, 2}

    # Delivery

    def test_deliveries(self, event_sink: EventSink, seen: Seen) -> None:
        """Who reads events by cursor hands them over and goes on after the last one."""
        first = deliver(event_sink, [event_of(1), event_of(2)], after=0)
        second = deliver(event_sink, [event_of(3)], after=first.safe)
        assert (first.safe, first.failed, second.safe, second.failed) == (2, "", 3, "")
        assert seen() == [1, 2, 3]

    def test_a_broken_place_is_told(self, broken: EventSink) -> None:
        """Where its place is out of reach the sink raises EventSinkFailed, whose sentence fits a line, and the cursor stays."""
        with pytest.raises(EventSinkFailed) as raised:
            with broken.open() as opened:
                opened.receive(event_of(1))
        assert raised.value.why
        assert "\n" not in str(raised.value)
        assert deliver(broken, [event_of(8)], after=7).safe == 7
