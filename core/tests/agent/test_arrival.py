"""An agent that begins before its orchestration is there."""

from pathlib import Path

import pytest

from headrace.agent import arrival
from headrace.agent.arrival import awaited
from headrace.errors import ApiAway, HeadraceError, MayPass, NotAuthenticated
from headrace.instance import Instance

AWAY = ApiAway(where="there", why="it is away")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "LONGEST_PAUSE", 0.001)


class Asked:
    """Fails like this, one after the other, then answers."""

    def __init__(self, *errors: HeadraceError) -> None:
        self._errors = list(errors)

    def __call__(self) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return "it is there"


def test_it_waits_and_says_so_once(house: Instance) -> None:
    """However often it asks; who is answered at once hears nothing."""
    told: list[MayPass] = []
    assert awaited(house, Asked(), told.append) == "it is there"
    assert told == []
    assert awaited(house, Asked(AWAY, AWAY, AWAY), told.append) == "it is there"
    assert told == [AWAY]


def test_what_does_not_pass_is_not_waited_for(house: Instance) -> None:
    """Also when it comes after what does."""
    told: list[MayPass] = []
    with pytest.raises(NotAuthenticated):
        awaited(house, Asked(AWAY, NotAuthenticated(why="no token was sent")), told.append)
    assert told == [AWAY]


def test_what_was_put_away_is_told_when_it_is_there(house: Instance) -> None:
    """It could not be told when the house was opened."""
    folder: Path = house.settings.home / "undelivered"
    folder.mkdir(parents=True)
    (folder / "a.1.json").write_text("nothing that can be read")
    awaited(house, Asked(), lambda _: None)
    assert [path.suffix for path in folder.iterdir()] == [".json"]
    awaited(house, Asked(AWAY), lambda _: None)
    assert [path.suffix for path in folder.iterdir()] == [".unreadable"]
