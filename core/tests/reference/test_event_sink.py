"""The reference event sink is an event sink, and what is special about it."""

import json
from pathlib import Path

import pytest

from headrace.errors import EventSinkFailed
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.ports.event_sink import EventSink
from headrace.reference.event_sink import FileEventSink
from headrace.testing.conformance.event_sink import ODD_EVENTS, EventSinkConformance, Seen, event_of


class TestFileEventSink(EventSinkConformance):
    @pytest.fixture
    def event_sink(self, tmp_path: Path) -> EventSink:
        return FileEventSink(path=tmp_path / "events")

    @pytest.fixture
    def seen(self, tmp_path: Path) -> Seen:
        def sequences() -> list[int]:
            return [json.loads(line)["sequence"] for line in (tmp_path / "events").read_bytes().splitlines()]

        return sequences

    @pytest.fixture
    def broken(self, tmp_path: Path) -> EventSink:
        return FileEventSink(path=tmp_path / "nowhere" / "events")


def test_it_is_offered(tmp_path: Path) -> None:
    """Core offers it through the public hook."""
    registry = Registry()
    assert registry.offer("event sink", "file").plugin.dist == "headrace-core"
    assert registry.make("event sink", Choice("file", {"path": str(tmp_path / "a")})) == FileEventSink(path=tmp_path / "a")


def test_a_line_has_all_of_the_event(tmp_path: Path) -> None:
    """Each line is JSON with the event's fields, whatever characters are in it."""
    with FileEventSink(path=tmp_path / "events").open() as opened:
        for event in ODD_EVENTS:
            opened.receive(event)
    lines = [json.loads(line) for line in (tmp_path / "events").read_bytes().splitlines()]
    assert [line["subject"] for line in lines] == [event.subject for event in ODD_EVENTS]
    assert [line.get("details", {}) for line in lines] == [dict(event.details) for event in ODD_EVENTS]


def test_a_full_disk_is_told() -> None:
    """What cannot be written is an error that names the file."""
    with pytest.raises(EventSinkFailed, match=r"event sink 'file' could not take an event: /dev/full cannot be written: No space"):
        with FileEventSink(path=Path("/dev/full")).open() as opened:
            opened.receive(event_of(1))
