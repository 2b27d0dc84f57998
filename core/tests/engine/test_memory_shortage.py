"""What the system counts of processes that it has ended for want of memory is read, however it is written."""

from pathlib import Path

import pytest

from headrace.engine import memory_shortage


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("oom_kill_disable 1\n", 0),
    ],
    ids=["newer", "older", "not counted"],
)
def test_what_is_counted(text: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first counter that is there is read."""
    (tmp_path / "counter").write_text(text)
    monkeypatch.setattr(memory_shortage, "COUNTERS", (tmp_path / "nowhere", tmp_path / "counter"))
    assert memory_shortage.ended_for_memory() == count


def test_nobody_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no counter, nobody was ended so."""
    monkeypatch.setattr(memory_shortage, "COUNTERS", (tmp_path / "nowhere",))
    assert memory_shortage.ended_for_memory() == 0
