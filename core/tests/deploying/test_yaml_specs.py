"""Specs in YAML."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase

import pytest

from headrace.deploying.reading import read_specs
from headrace.deploying.spec import SpecFile
from headrace.errors import WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice

BOMB = "a: &a [x, x]\n" + "".join(f"{after}: &{after} [*{before}, *{before}]\n" for before, after in pairwise(ascii_lowercase))
"""A few lines that mean sixty million values."""

Read = Callable[[str | bytes], SpecFile]


@pytest.fixture
def read(registry: Registry, tmp_path: Path) -> Read:
    """Reads a file with this text."""

    def specs(text: str | bytes) -> SpecFile:
        (tmp_path / "specs.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return read_specs(tmp_path / "specs.yaml", registry=registry, blocked=(), folder=tmp_path)

    return specs


def test_documents_and_lists(read: Read, tmp_path: Path) -> None:
    """A mapping for each deployment, in documents or in lists; each is known by the line that it begins on."""
    found = read(
        """
# the tutorial's
name: leonardo-deployment
flow_location: ./leo_flow.py
tags: [tutorial, test]
parameters: {name: Leo}
---
- name: marvin-deployment
  flow_location: ./leo_flow.py
  flow_runner: {type: other}
-
  flow_location: leo_flow.py
---
---
{flow_location: last.py}
"""
    )
    assert found.faults == ()
    assert [spec.where for spec in found.specs] == [
        "specs.yaml, line 3",
        "specs.yaml, line 8",
        "specs.yaml, line 12",
        "specs.yaml, line 15",
    ]
    first, second, *_ = found.specs
    assert (first.name, first.tags, first.parameters) == ("leonardo-deployment", ("test", "tutorial"), {"name": "Leo"})
    assert {spec.flow_location for spec in found.specs[:3]} == {str(tmp_path / "leo_flow.py")}
    assert second.flow_runner == Choice("other")


def test_values_that_are_shared(read: Read) -> None:
    """Anchors and merges work as they do everywhere, across a list too."""
    found = read(
        "- &first\n  flow_location: leo.py\n  tags: &tags [a]\n  parameters: &p {x: 1, y: 1}\n"
        "- {<<: *first, name: second, tags: *tags, parameters: {<<: *p, y: 2}}\n"
    )
    assert found.faults == ()
    assert [(spec.tags, spec.parameters) for spec in found.specs] == [(("a",), {"x": 1, "y": 1}), (("a",), {"x": 1, "y": 2})]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("3", 3),
        ("1.5", 1.5),
        ("~", None),
        ("yes", True),
        ("'3'", "3"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_values_stay_what_they_are(read: Read, written: str, value: object) -> None:
    """A moment is the text that was written, since the flow says whether it wants a day, a moment or a text."""
    assert read(f"{{flow_location: leo.py, parameters: {{x: {written}}}}}").specs[0].parameters == {"x": value}


def test_a_mark_of_byte_order_does_no_harm(read: Read) -> None:
    """Some editors write one."""
    assert len(read(b"\xef\xbb\xbfflow_location: leo.py\n").specs) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nflow_locaton: leo.py", "line 2: 'flow_locaton' is no key of a deployment; did you mean 'flow_location'?"),
        ("---\nzzz: 1", "line 2: 'zzz' is no key of a deployment; its keys are: name, flow_location, flow_name, tags"),
        ("1: x", "line 1: 1 is no key of a deployment; its keys are"),
        ("- name: x\n  flow_location: leo.py\n  #\n  flow: leo", "line 4: flow is an object of Python"),
        ("<<: {zzz: 1}\nname: x", "line 1: 'zzz' is no key of a deployment"),
        ("flow: leo", "line 1: flow is an object of Python, which YAML cannot hold; give flow_location"),
        ("- 3", "line 1: a deployment is a mapping of keys and values, not 3; its keys are"),
        ("just text", "line 1: a deployment is a mapping of keys and values, not 'just text'"),
        ("- - flow_location: leo.py", "line 1: a deployment is a mapping of keys and values, not [{"),
        ("name: x", "line 1: it names no flow; give flow_location, flow or entrypoint"),
        ("flow_location: leo.py\nparameters: {x: !!binary aGk=}", "line 2: parameter 'x' must be plain data"),
    ],
)
def test_a_spec_that_is_refused(read: Read, text: str, said: str) -> None:
    """The file, the line, and what would be right."""
    (fault,) = read(text).faults
    assert fault.startswith(f"specs.yaml, {said}")


WRONG_VALUES = """
- &first
  name: 3
  flow_location: leo.py
  tags:
    x: 1
- flow_location: leo.py
  schedule:
    - {moments: [2030-01-01]}
    - moments: [2030-01-01T00:00:00Z]
      overlap: never
    - moments: [2030-01-02T00:00:00Z]
      on_missed: run_all(0)
    -
      moments:
        - 2030-01-32
  flow_runner:
    type: nonesuch
  parameters:
    right: 1
    wrong: !!binary aGk=
  on_crash: retry
  max_restarts: 0
- {<<: *first, flow_location: leo.py,
  tags: &shared [a],
  flow_name: a/b,
  description: *shared}
-
  flow_location: leo.py
  schedule:
  - moments: [2030-01-01T00:00:00Z]
  # the same once more
  - {type: moments, config: {moments: [2030-01-01T00:00:00Z]}}
  project_root: ""
"""
WRONG_LINES = [
    (3, "name must be text"),
    (6, "tags must be a list of texts"),
    (9, "schedule 'moments': moments='2030-01-01' cannot be used: it lacks its zone"),
    (11, "overlap must be allow"),
    (13, "on_missed makes up for"),
    (16, "schedule 'moments': moments='2030-01-32' cannot be used"),
    (21, "parameter 'wrong' must be plain data"),
    (18, "no flow runner named 'nonesuch'"),
    (23, "max_restarts must be a whole number"),
    (26, "flow name 'a/b' cannot be used"),
    (24, "name must be text"),
    (27, "description must be text"),
    (31, "two of its schedules are the same: moments"),
    (34, "project_root must be a path"),
]


def test_a_wrong_value_is_named_by_its_own_line(read: Read) -> None:
    """That on which it begins, in lists and mappings too; what is shared stands where it is used, and what is merged where its deployment begins."""
    for fault, (line, said) in zip(read(WRONG_VALUES).faults, WRONG_LINES, strict=True):
        assert fault.startswith(f"specs.yaml, line {line}: {said}")


def test_every_fault_is_told(read: Read) -> None:
    """Not only the first, and those that are right are understood."""
    found = read("- {flow_location: a.py}\n- {flw: 1}\n- {flow_location: b.py, tags: x, description: 3}\n- 4\n")
    assert [spec.where for spec in found.specs] == ["specs.yaml, line 1"]
    assert [fault.partition(":")[0] for fault in found.faults] == [f"specs.yaml, line {line}" for line in (2, 3, 3, 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nname: b", "line 2: it cannot be read as YAML: the key 'name' stands twice"),
        ("flow_location: a\nparameters:\n  x: 1\n  x: 2", "line 4: it cannot be read as YAML: the key 'x' stands twice"),
        ("name: [a\nb: c", "line 2: it cannot be read as YAML: expected ',' or ']'"),
        ("name: !!python/object:os.system {}", "line 1: it cannot be read as YAML: could not determine a constructor for the tag"),
        ("name: *nobody", "line 1: it cannot be read as YAML: found undefined alias"),
        ("{[a]: b}", "line 1: it cannot be read as YAML: found unhashable key"),
        ("flow_location: leo.py\nparameters: &p {x: *p}", "line 2: it cannot be read as YAML: what is written here contains itself"),
        ("name: a\n---\n" + BOMB, "line 3: it cannot be read as YAML: its aliases (such as *name) make more than 100,000 values"),
        ("\tname: a", "line 1: it cannot be read as YAML"),
        (b"name: \xff", ": it is not UTF-8 text"),
        (b"name: \x00", ": it cannot be read as YAML: unacceptable character"),
        ("[" * 5000, ": it cannot be read as YAML"),
        ("", ": no deployment specs found; write a mapping, with flow_location and what else it needs, for each deployment"),
        ("---\n# nothing\n---\n[]", ": no deployment specs found; write a mapping"),
    ],
    ids=range(14),
)
def test_a_file_that_is_refused(read: Read, text: str | bytes, said: str) -> None:
    """What is no YAML, or holds nothing; with the line where that is known."""
    with pytest.raises(WrongSpec) as caught:
        read(text)
    assert str(caught.value).startswith(f"specs.yaml{'' if said.startswith(':') else ', '}{said}")
