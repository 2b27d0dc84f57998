"""Options of storages that have parts or are lists, asked for one by one."""

import json
from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner

from headrace.cli.storage_fields import Field
from headrace.cli.storage_questions import answer


def answered(kind: Any, *typed: str, is_needed: bool = False, is_secret: bool = False) -> tuple[Any, str]:
    """What comes of answers, and all that is seen."""
    field = Field(name="parts", kind=kind, meaning="", is_needed=is_needed, is_secret=is_secret)
    found: list[Any] = []

    @click.command()
    def ask() -> None:
        found.append(answer(field))

    shown = CliRunner().invoke(ask, input="".join(f"{line}\n" for line in typed))
    assert shown.exit_code == 0, shown.output
    return found[0], shown.output


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (Mapping[str, Any], ("",), None),
        (Mapping[str, Any], ("port", "22", ""), {"port": 22}),
        (Mapping[str, Any], ("port", '"22"', "password", "22", ""), {"port": "22", "password": "22"}),
        (Mapping[str, Any], ("a", "x", "a", "b", '{"c": [1]}', ""), {"a": "x", "b": {"c": [1]}}),
        (Mapping[str, Any], ('{"port": 22}',), {"port": 22}),
        (Mapping[str, Any], ("{", "[1]", "port", "22", ""), {"port": 22}),
        (Mapping[str, Any], ("secret://file/all",), "secret://file/all"),
        (list[str], ("",), None),
        (list[str], ("one", "2", ""), ["one", "2"]),
        (tuple[int, ...], ("1", "2", ""), [1, 2]),
        (list[str], ('["one", "two"]',), ["one", "two"]),
        (list[str], ("{}", "secret://env/ONE", ""), ["secret://env/ONE"]),
    ],
)
def test_part_by_part(kind: Any, typed: tuple[str, ...], value: Any) -> None:
    """A name and its value, or an item, until nothing is typed; all at once as JSON; what is wrong is asked for once more."""
    assert answered(kind, *typed)[0] == value


def test_a_secret_is_not_seen() -> None:
    """The values of parts are not, their names are; nor is an item."""
    value, shown = answered(Mapping[str, Any], "username", "leo", "password", "4711", "", is_secret=True)
    assert value == {"username": "leo", "password": "4711"}
    assert "username" in shown
    assert "leo" not in shown
    assert "4711" not in shown
    value, shown = answered(list[str], "4711", "", is_secret=True)
    assert value == ["4711"]
    assert "4711" not in shown


def test_what_must_be_given() -> None:
    """An option that is needed is asked for until there is something; then nothing more need be."""
    assert answered(Mapping[str, Any], "", "a", "1", "", is_needed=True)[0] == {"a": 1}
    assert answered(list[str], "", "a", "", is_needed=True)[0] == ["a"]


def test_json_of_a_secret(tmp_path: Any) -> None:
    """All of it may be in a file, so that it is not seen."""
    (tmp_path / "all.json").write_text(json.dumps({"password": "4711"}))
    value, shown = answered(Mapping[str, Any], f"@{tmp_path}/all.json", is_secret=True)
    assert value == {"password": "4711"}
    assert "4711" not in shown
