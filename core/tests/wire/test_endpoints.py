"""Operations as they travel: arguments in paths, queries and bodies."""

from typing import Any, Protocol

import pytest

from headrace.errors import WrongData
from headrace.ports.client import OpenClient, Scope, operation
from headrace.wire.endpoints import endpoints


class Mine(Protocol):
    """Operations that a server declares beside the port."""

    @operation("GET", "/colours/{name}", scope=Scope.VIEWER)
    def read_colour(self, name: str, shade: int = 1, strength: float = 1.0) -> str:
        """A colour."""
        ...


def test_a_server_may_declare_its_own() -> None:
    """A class of one's own is read as the port is, and has no part in it."""
    [(name, endpoint)] = endpoints(Mine).items()
    assert (name, endpoint.path, endpoint.meaning) == ("read_colour", "/colours/{name}", "A colour.")
    assert name not in endpoints(OpenClient)
    assert endpoint.call({"name": "a/b", "shade": 2}).path == "/colours/a%2Fb"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"shade": "x"}, "shade"),
        ({"shade": str(1 << 63)}, "shade: it must be a whole number of 64 bits"),
        ({"strength": "nan"}, "strength: it must be a number"),
        ({"strength": "inf"}, "strength: it must be a number"),
    ],
)
def test_numbers_in_a_query_are_those_of_a_body(query: dict[str, str], says: str) -> None:
    """A text in a query is a number within the same bounds as one in JSON."""
    endpoint = endpoints(Mine)["read_colour"]
    assert endpoint.arguments_of({"name": "a"}, {"shade": "3"}, None)[0] == {"name": "a", "shade": 3, "strength": 1.0}
    with pytest.raises(WrongData) as caught:
        endpoint.arguments_of({"name": "a"}, query, None)
    assert says in str(caught.value)


def test_what_the_path_says_need_not_be_said_again() -> None:
    """A field that stands in the path may be left out of the object, and must not be another there."""
    endpoint = endpoints()["move_flow_run"]
    move: dict[str, Any] = {"id": "m", "state": {"type": "RUNNING"}}
    arguments, _ = endpoint.arguments_of({"run_id": "a"}, {}, {"move": move})
    assert arguments["move"].run_id == "a"
    with pytest.raises(WrongData, match="it is not what the path says"):
        endpoint.arguments_of({"run_id": "a"}, {}, {"move": {**move, "run_id": "b"}})
