"""Values are cut into parts of one size, however they come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace_files.uploads import parts_of


@given(st.lists(st.binary(max_size=9)), st.integers(min_value=1, max_value=8))
def test_parts_are_the_value(chunks: list[bytes], size: int) -> None:
    """Together they are the value, all but the last are as large as was asked for, and each knows its place."""
    parts = list(parts_of(chunks, size))
    assert b"".join(part.content for part in parts) == b"".join(chunks)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(len(part.content) == size for part in parts[:-1])
    assert len(parts[-1].content) <= size
    assert parts[-1].content or len(parts) == 1
    assert parts[0].start == 0
    assert all(one.end == other.start for one, other in pairwise(parts))
