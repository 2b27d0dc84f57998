"""The table of legal moves: all 81 of them, and what is said of those that are not there."""

import pytest

from headrace.model.states import TERMINAL, StateType
from headrace.rules.transitions import LEGAL, is_legal, why_not

TABLE = """
            SCHEDULED PENDING RUNNING PAUSED CANCELLING COMPLETED FAILED CRASHED CANCELLED
SCHEDULED   yes       yes     yes     yes    yes        yes       yes    yes     yes
PENDING     yes       no      yes     yes    yes        yes       yes    yes     yes
RUNNING     yes       no      no      yes    yes        yes       yes    yes     yes
PAUSED      yes       yes     yes     no     yes        yes       yes    yes     yes
CANCELLING  no        no      no      no     no         yes       yes    yes     yes
COMPLETED   no        no      no      no     no         no        no     no      no
FAILED      no        no      no      no     no         no        no     no      no
CRASHED     no        no      no      no     no         no        no     no      no
CANCELLED   no        no      no      no     no         no        no     no      no
"""

HEAD, *ROWS = TABLE.strip().splitlines()
MOVES = [(row.split()[0], wanted, word == "yes") for row in ROWS for wanted, word in zip(HEAD.split(), row.split()[1:], strict=True)]


@pytest.mark.parametrize(("current", "wanted", "legal"), MOVES)
def test_every_move_is_legal_or_not_as_the_table_says(current: str, wanted: str, legal: bool) -> None:
    """A move is legal where the table says yes, and a sentence says why where it says no."""
    assert is_legal(StateType(current), StateType(wanted)) is legal
    assert why_not(StateType(current), StateType(wanted))


def test_every_type_has_its_row() -> None:
    """No state type is forgotten, and the end is the end."""
    assert set(LEGAL) == set(StateType)
    assert {current for current, wanted in LEGAL.items() if not wanted} == TERMINAL


def test_nobody_takes_a_run_that_is_taken() -> None:
    """Pending cannot become Pending again, nor Running Running: that is how one run would start twice."""
    assert not is_legal(StateType.PENDING, StateType.PENDING)
    assert not is_legal(StateType.RUNNING, StateType.RUNNING)
    assert not is_legal(StateType.RUNNING, StateType.PENDING)
