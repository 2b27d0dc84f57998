"""The port of event sinks: where events go."""

from contextlib import AbstractContextManager
from typing import Protocol

from headrace.model.events import Event


class OpenEventSink(Protocol):
    """A sink in use, by one thread. Leaving its context closes it: what it has received is then where it belongs, or leaving raises EventSinkFailed."""

    def receive(self, event: Event) -> None:
        """Takes an event. Events come in the order of their sequences, each at least once: after a failure, those that were not safe come again.

        Raises EventSinkFailed for what may pass, and the event is offered again later. What it can never take it drops: it would stay in the way.
        """
        ...


class EventSink(Protocol):
    """An event sink as a value: its fields are its options. What it raises reaches no run and no other sink."""

    def open(self) -> AbstractContextManager[OpenEventSink]: ...
