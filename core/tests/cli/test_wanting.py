"""What is told about a run that waits."""

import pytest

from headrace.cli.wanting import advice
from headrace.model.explanations import Explanation, Kind, Obstacle


def obstacle(kind: Kind, queue: str | None = "q", advice: str = "") -> Obstacle:
    return Obstacle(kind=kind, sentence=f"it is {kind}", queue=queue, advice=advice)


@pytest.mark.parametrize(
    ("obstacles", "queues", "told"),
    [
        ((), ("q",), ""),
        ((obstacle(Kind.PAUSED, advice="do"),), ("q",), "it is paused; try: do"),
        ((obstacle(Kind.PAUSED),), ("q",), "it is paused"),
        ((obstacle(Kind.PAUSED),), ("q", "open"), ""),
        ((obstacle(Kind.FULL),), ("q",), ""),
        ((obstacle(Kind.DUE_LATER, queue=None), obstacle(Kind.NO_AGENT)), ("q",), "it is no_agent"),
        ((obstacle(Kind.NO_QUEUE, queue=None), obstacle(Kind.NOT_WANTED)), (), "it is no_queue"),
    ],
)
def test_advice(obstacles: tuple[Obstacle, ...], queues: tuple[str, ...], told: str) -> None:
    """Only what does not pass by itself, and only where no queue is open, with the command that helps."""
    assert advice(Explanation(summary="", obstacles=obstacles, queues=queues)) == told
