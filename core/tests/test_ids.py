"""Identities."""

import os
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headrace.clock import SystemClock
from headrace.ids import Ids, derived_id
from headrace.testing.clock import START, FixedClock


def test_ids_are_version_7_uuids_of_their_moment() -> None:
    """Any reader of UUIDs knows when an id was made."""
    made = uuid.UUID(Ids(FixedClock(), seed=1).new())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(START.timestamp() * 1000)


@given(steps=st.lists(st.floats(0, 0.01), max_size=200), seed=st.integers())
def test_ids_grow(steps: list[float], seed: int) -> None:
    """Also when the clock stands still, and past the count of one millisecond."""
    clock = FixedClock()
    ids = Ids(clock, seed=seed)
    made = []
    for step in steps:
        clock.advance(step)
        made += [ids.new() for _ in range(30)]
    assert made == sorted(set(made))


def test_a_seed_repeats() -> None:
    """The same seed and moments give the same ids."""
    assert [Ids(FixedClock(), seed=7).new() for _ in range(2)] == [Ids(FixedClock(), seed=7).new()] * 2


def test_a_forked_child_makes_other_ids() -> None:
    """Parent and child go on from the same state, and yet differ."""
    ids = Ids(SystemClock(), seed=3)
    ids.new()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, ids.new()[24:].encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode() != ids.new()[24:]
    os.close(reader)
    os.close(writer)


def test_derived_ids() -> None:
    """The same names have the same id at the same moment, and others another; it is like those that are made, and stands where it would."""
    found = derived_id(START, "a", "b")
    assert found == derived_id(START, "a", "b")
    others = {derived_id(START, "a", "c"), derived_id(START, "ab"), derived_id(START + timedelta(seconds=1), "a", "b")}
    assert len({found, *others}) == 4
    made = uuid.UUID(found)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    clock = FixedClock(START - timedelta(seconds=1))
    before = Ids(clock).new()
    clock.advance(2)
    assert before < found < Ids(clock).new()
    assert derived_id(datetime(1900, 1, 1, tzinfo=UTC), "a")
