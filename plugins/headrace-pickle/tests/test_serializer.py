"""The pickle serializer is a serializer, and what is special about it."""

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import NotSerializable, WrongData
from headrace.ports.serializer import Serializer
from headrace.testing.conformance.serializer import DELICATE, PLAIN, SerializerConformance, dumped, same
from headrace_pickle.serializer import PickleSerializer


class TestPickleSerializer(SerializerConformance):
    @pytest.fixture
    def serializer(self) -> Serializer:
        return PickleSerializer()

    @pytest.fixture
    def kept(self) -> list[Any]:
        return PLAIN + DELICATE


class Refusing:
    """Refuses to be pickled in words of its own."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not me")


class Unmakable(Exception):
    """Can be pickled and not be made again: an `__init__` with two arguments is called with one."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_functions_travel() -> None:
    """Lambdas, closures and classes defined in a function can be kept."""

    class Local:
        factor = 7

    load = PickleSerializer().load
    assert load(io.BytesIO(dumped(PickleSerializer(), lambda number: number * Local.factor)))(6) == 42
    assert load(io.BytesIO(dumped(PickleSerializer(), Local))).factor == 7


def test_a_refusal_says_why() -> None:
    """What cannot be pickled is refused with its type and with what pickle, or the value, said."""
    with pytest.raises(NotSerializable, match="a value of type Refusing cannot be written by serializer 'pickle': RuntimeError: not me"):
        dumped(PickleSerializer(), Refusing())
    with pytest.raises(NotSerializable, match="TypeError: cannot pickle 'generator' object"):
        dumped(PickleSerializer(), {"a": [1, (number for number in range(3))]})


def test_what_cannot_be_made_again_is_wrong_data() -> None:
    """A value whose class cannot make it again raises WrongData with the reason, when it is read."""
    content = dumped(PickleSerializer(), Unmakable(1, 2))
    with pytest.raises(WrongData, match="a value kept as a pickle: TypeError: .*missing 1 required positional argument"):
        PickleSerializer().load(io.BytesIO(content))


def test_a_missing_module_is_named() -> None:
    """A pickle that needs a module that is not there says which."""
    content = pickle.dumps(Unmakable(1, 2), protocol=0).replace(__name__.encode(), b"headrace_gone")
    with pytest.raises(WrongData, match="it needs module 'headrace_gone', which is not installed here"):
        PickleSerializer().load(io.BytesIO(content))


SCRIPT = """
import sys
from dataclasses import dataclass
from headrace_pickle.serializer import PickleSerializer

@dataclass
class Point:
    x: int

with open(sys.argv[1], "wb") as file:
    PickleSerializer().dump([Point(42), lambda: Point(1)], file)
"""


def test_classes_of_a_script_are_read_by_another_process(tmp_path: Path) -> None:
    """What a script kept, with classes and functions of its own, is read where that script is not."""
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "result")], check=True, timeout=60)
    with open(tmp_path / "result", "rb") as file:
        point, make = PickleSerializer().load(file)
    assert point.x == 42
    assert make().x == 1


def test_a_value_may_contain_itself() -> None:
    """Circles and shared parts come back as circles and shared parts."""
    circle: list[Any] = [[1]]
    circle.extend([circle, circle[0]])
    back = PickleSerializer().load(io.BytesIO(dumped(PickleSerializer(), circle)))
    assert back[1] is back
    assert back[0] is back[2]
    assert same(back[0], [1])
