"""Events on their way into a sink: whoever reads them by cursor learns how far the sink has got, whatever became of it."""

import logging
from collections.abc import Iterable

import attrs

from headrace.errors import HeadraceError
from headrace.model.events import Event
from headrace.ports.event_sink import EventSink

logger = logging.getLogger("headrace.event_sinks")


@attrs.frozen(kw_only=True)
class Delivery:
    """What came of handing events over: they are safe up to the sequence `safe`; `failed` says what stopped the others, which are to come again."""

    safe: int
    failed: str = ""


def deliver(sink: EventSink, events: Iterable[Event], *, after: int) -> Delivery:
    """Opens the sink, hands it the events and closes it. An error of the sink ends here: it is told in the log and in the answer.

    `after` is the sequence up to which all was safe before. What was received is safe once the sink was closed without an error.
    """
    received, failed = after, ""
    try:
        with sink.open() as opened:
            for event in events:
                try:
                    opened.receive(event)
                except Exception as error:
                    failed = _told(sink, error)
                    break
                received = event.sequence
    except Exception as error:
        return Delivery(safe=after, failed=_told(sink, error))
    return Delivery(safe=received, failed=failed)


def _told(sink: EventSink, error: Exception) -> str:
    """The sentence, after it was logged; with a traceback where it is a fault of the sink's code."""
    kind = type(sink).__name__
    if isinstance(error, HeadraceError):
        logger.warning("%s is offered the same events again later: %s", kind, error)
        return str(error)
    logger.error("%s failed, and is offered the same events again later", kind, exc_info=error)
    return f"{type(error).__name__}: {error}"
