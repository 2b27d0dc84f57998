"""Handing events over, whatever the sink does."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from headrace.errors import EventSinkFailed
from headrace.hooks.deliveries import Delivery, deliver
from headrace.model.events import Event
from headrace.testing.conformance.event_sink import event_of


@attrs.define
class Mailbox:
    """A sink that fails where it is told to."""

    fails_on: int = 0
    fails_in: str = ""
    error: Exception = attrs.field(factory=ZeroDivisionError)
    got: list[int] = attrs.field(factory=list)

    def receive(self, event: Event) -> None:
        if event.sequence == self.fails_on:
            raise self.error
        self.got.append(event.sequence)

    @contextmanager
    def open(self) -> Iterator["Mailbox"]:
        if self.fails_in == "opening":
            raise self.error
        yield self
        if self.fails_in == "closing":
            raise self.error


def test_all_goes_well() -> None:
    """The cursor goes to the last event; without events it stays."""
    mailbox = Mailbox()
    assert deliver(mailbox, map(event_of, (5, 6)), after=4) == Delivery(safe=6)
    assert deliver(mailbox, [], after=6) == Delivery(safe=6)
    assert mailbox.got == [5, 6]


def test_an_event_that_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Those before it are safe, it and those after it come again, and the log has the sentence."""
    mailbox = Mailbox(fails_on=6, error=EventSinkFailed(sink="mail", why="the box is full"))
    sentence = "event sink 'mail' could not take an event: the box is full"
    assert deliver(mailbox, map(event_of, (5, 6, 7)), after=4) == Delivery(safe=5, failed=sentence)
    assert mailbox.got == [5]
    assert [(record.levelno, record.exc_info) for record in caplog.records] == [(logging.WARNING, None)]
    assert sentence in caplog.text
    mailbox.fails_on = 0
    assert deliver(mailbox, map(event_of, (6, 7)), after=5) == Delivery(safe=7)


def test_a_fault_in_the_sink_is_contained(caplog: pytest.LogCaptureFixture) -> None:
    """An error of any kind reaches nobody, and the log shows where it came from."""
    assert deliver(Mailbox(fails_on=5), [event_of(5)], after=4) == Delivery(safe=4, failed="ZeroDivisionError: ")
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("place", ["opening", "closing"])
def test_a_sink_that_cannot_be_opened_or_closed(place: str) -> None:
    """Nothing is safe, so that all of it comes again."""
    delivery = deliver(Mailbox(fails_in=place), map(event_of, (5, 6)), after=4)
    assert delivery.safe == 4
    assert delivery.failed
