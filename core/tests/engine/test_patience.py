"""Patience: how long and how often is asked again, what is told of it, and what ends it."""

from collections.abc import Callable

import pytest

from headrace.engine.drive import drive
from headrace.engine.loop_thread import LoopThread
from headrace.engine.patience import FIRST_PAUSE, LONGEST_PAUSE, Patience
from headrace.errors import MayPass, RunStopped, StoreAway, StoreUnusable
from headrace.testing.clock import FixedClock

AWAY = StoreAway(where="there", why="its disk is full")


class Waiting:
    """Somebody who waits by a clock of his own, and remembers for how long each time, and what he was told."""

    def __init__(self, *, seconds: float = 60.0, share: float = 0.0) -> None:
        self.clock = FixedClock()
        self.pauses: list[float] = []
        self.told: list[object] = []
        self.stop: RunStopped | None = None
        self.patience = Patience(
            seconds=seconds,
            clock=self.clock,
            share=lambda: share,
            tell_trouble=lambda error, left: self.told.append((str(error), left)),
            tell_end=self.told.append,
            check=self.check,
        )

    def check(self) -> None:
        if self.stop is not None:
            raise self.stop

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    def ask(self, question: Callable[[], object]) -> object:
        return drive(self.patience.asked(question), LoopThread(), sleep=self.sleep)


def failing(times: int) -> Callable[[], str]:
    """A question that is answered after so many failures."""
    left = iter(range(times))

    def question() -> str:
        if next(left, None) is not None:
            raise AWAY
        return "answer"

    return question


def test_what_is_there_is_asked_once() -> None:
    """Nothing is waited for, and nothing told."""
    waiting = Waiting()
    assert waiting.ask(failing(0)) == "answer"
    assert (waiting.pauses, waiting.told) == ([], [])


def test_pauses_grow_to_the_longest() -> None:
    """Each is twice the one before; what is waited for is told once, and when it was there."""
    waiting = Waiting()
    assert waiting.ask(failing(9)) == "answer"
    doubled = [FIRST_PAUSE * 2**number for number in range(9)]
    assert waiting.pauses == [min(pause, LONGEST_PAUSE) for pause in doubled]
    assert waiting.told == [(str(AWAY), 60.0), pytest.approx(sum(waiting.pauses))]


def test_pauses_are_of_chance() -> None:
    """By up to half they are shorter."""
    waiting = Waiting(share=0.5)
    waiting.ask(failing(1))
    assert waiting.pauses == [FIRST_PAUSE * 0.75]


def test_the_last_try_is_made_when_time_is_over() -> None:
    """Not later; then the error of that try is raised, and from then on everything is asked once."""
    waiting = Waiting(seconds=7.0)
    with pytest.raises(StoreAway):
        waiting.ask(failing(100))
    assert sum(waiting.pauses) == pytest.approx(7.0)
    assert waiting.patience.is_over
    with pytest.raises(StoreAway):
        waiting.ask(failing(100))
    assert sum(waiting.pauses) == pytest.approx(7.0)


def test_patience_comes_back_with_what_was_away() -> None:
    """Where something was there at once after all, the next outage is waited for from its own beginning."""
    waiting = Waiting(seconds=7.0)
    with pytest.raises(MayPass):
        waiting.ask(failing(100))
    waiting.ask(failing(0))
    assert not waiting.patience.is_over
    assert waiting.ask(failing(3)) == "answer"


def test_several_share_one_outage() -> None:
    """Who fails while another waits has no more time than that one, and what is wrong is not told again."""
    waiting = Waiting(seconds=10.0)
    other = waiting.patience.asked(failing(100))
    next(other)
    other.throw(AWAY)
    waiting.clock.advance(8)
    with pytest.raises(MayPass):
        waiting.ask(failing(100))
    assert sum(waiting.pauses) == pytest.approx(2.0)
    assert waiting.told == [(str(AWAY), 10.0)]


def test_who_is_to_stop_waits_no_longer() -> None:
    """An order to stop is obeyed after the pause in which it came."""
    waiting = Waiting()
    waiting.stop = RunStopped(run="it", reason="cancelled")
    with pytest.raises(RunStopped):
        waiting.ask(failing(100))
    assert len(waiting.pauses) == 1


def test_lost_patience_asks_once_more() -> None:
    """After that, the error is raised."""
    waiting = Waiting()
    waiting.patience.lose()
    with pytest.raises(StoreAway):
        waiting.ask(failing(1))
    assert waiting.pauses == []


def test_what_does_not_pass_is_not_waited_for() -> None:
    """Other errors are raised at once."""
    waiting = Waiting()

    def damaged() -> None:
        raise StoreUnusable(where="there", why="its file is damaged")

    with pytest.raises(StoreUnusable):
        waiting.ask(damaged)
    assert (waiting.pauses, waiting.told) == ([], [])
