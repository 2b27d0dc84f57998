"""States as values that travel."""

import copy
import pickle

import pytest

from headrace.errors import ResultNotKept
from headrace.model.states import MISSING, State


@pytest.mark.parametrize("travelled", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy])
def test_missing_data_stays_missing(travelled: object) -> None:
    """There is one value that says so, and a state that comes from another process has it too."""
    assert callable(travelled)
    assert travelled(MISSING) is MISSING
    with pytest.raises(ResultNotKept):
        travelled(State.completed(MISSING)).result()
