"""Specs: how they are noted, and how they are understood."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace import flow
from headrace.deploying.lines import Line
from headrace.deploying.spec import DeploymentSpec, all_understood, collected, script_of, understood
from headrace.deployments import DeploymentSpec as PublicSpec
from headrace.errors import SpecsRefused
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice

Understand = Callable[..., Any]


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Circle:
    radius: float


@flow(name="leonardo")
def leo(name: str) -> str:
    """Greets."""
    return name


@pytest.fixture
def understand(registry: Registry, tmp_path: Path) -> Understand:
    """Understands a spec of `leo.py`."""

    def read(**fields: Any) -> Any:
        fields = fields if {"flow", "entrypoint", "flow_location"} & fields.keys() else {"flow_location": "leo.py", **fields}
        return understood(DeploymentSpec(**fields), line=Line(where="specs.py, line 3"), folder=tmp_path, registry=registry)

    return read


def faults(understand: Understand, **fields: Any) -> tuple[str, ...]:
    """Why a spec is refused."""
    with pytest.raises(SpecsRefused) as caught:
        understand(**fields)
    return caught.value.faults


# Noted


def test_a_spec_is_noted_where_somebody_collects() -> None:
    """With the file and line that made it; elsewhere making one does nothing."""
    DeploymentSpec(flow_location="before.py")
    with collected() as specs:
        first = DeploymentSpec(
            flow_location="leo.py",
        )
        second = PublicSpec(flow_location="leo.py")
    DeploymentSpec(flow_location="after.py")
    line = test_a_spec_is_noted_where_somebody_collects.__code__.co_firstlineno
    assert specs == [(first, f"test_spec.py, line {line + 4}"), (second, f"test_spec.py, line {line + 7}")]


def test_what_was_collected_stays_apart() -> None:
    """Each collects its own."""
    with collected() as outer:
        with collected() as inner:
            DeploymentSpec(name="inner")
        DeploymentSpec(name="outer")
    assert [[spec.name for spec, _ in specs] for specs in (outer, inner)] == [["outer"], ["inner"]]


# Understood


def test_what_is_not_said(understand: Understand, tmp_path: Path) -> None:
    """A script is enough: whatever else there is has a default."""
    spec = understand(flow_location="flows/../leo.py")
    assert spec.flow_location == str(tmp_path / "leo.py")
    assert (spec.name, spec.flow_name, spec.tags, spec.parameters, spec.flow_runner) == (None, None, (), {}, Choice("universal"))
    assert (spec.flow_storage, spec.description, spec.project_root, spec.entrypoint, spec.schedules) == (None, None, None, None, ())


def test_paths_start_from_the_folder_of_the_file(understand: Understand, tmp_path: Path) -> None:
    """Absolute ones stay, and ~ is the home folder."""
    spec = understand(flow_location=Path("flows/leo.py"), project_root="../other")
    assert (spec.flow_location, spec.project_root) == (str(tmp_path / "flows/leo.py"), str(tmp_path.parent / "other"))
    assert understand(flow_location="/somewhere/leo.py").flow_location == "/somewhere/leo.py"
    assert understand(flow_location="~/leo.py").flow_location == os.path.expanduser("~/leo.py")


def test_a_flow_stands_for_its_script(understand: Understand) -> None:
    """Where the script has it under a name at its top; its own name is known then."""
    spec = understand(flow=leo)
    assert (spec.flow_location, spec.flow_name) == (__file__, "leonardo")
    assert understand(flow=leo, flow_location=__file__, flow_name="leonardo") == spec


def test_a_flow_without_a_script() -> None:
    """One that a function made, or a changed copy, is in no script."""
    inner = flow(lambda: None, name="inner")
    assert (script_of(leo), script_of(inner), script_of(leo.with_options(retries=1))) == (__file__, None, None)
    names: dict[str, Any] = {"__name__": "no module"}
    exec("from headrace import flow\n@flow\ndef made(): ...", names)
    assert script_of(names["made"]) is None


def test_parameters_become_plain_data(understand: Understand) -> None:
    """What JSON can say of a value is what is kept."""
    given = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "wait": timedelta(minutes=1),
        "where": Path("a/b"),
        "what": Colour.RED,
        "some": {3, 1},
        "circle": Circle(2.0),
        "nested": {"list": (1, None, True)},
    }
    assert understand(parameters=given).parameters == {
        "at": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "wait": 60.0,
        "where": "a/b",
        "what": "red",
        "some": [1, 3],
        "circle": {"radius": 2.0},
        "nested": {"list": [1, None, True]},
    }


@pytest.mark.parametrize(
    ("field", "given", "choice"),
    [
        ("flow_runner", "other", Choice("other")),
        ("flow_runner", {"type": "other"}, Choice("other")),
        ("flow_runner", {"type": "other", "env": {"A": "1"}}, Choice("other", {"env": {"A": "1"}})),
        ("flow_runner", {"type": "other", "config": {"env": {"A": "1"}}}, Choice("other", {"env": {"A": "1"}})),
        ("flow_runner", {"type": "universal", "config": {"env": {}}}, Choice("universal", {"env": {}})),
        ("flow_storage", {"type": "local", "path": "x"}, Choice("local", {"path": "x"})),
    ],
)
def test_a_choice_is_a_name_or_a_mapping(understand: Understand, field: str, given: object, choice: Choice) -> None:
    """With options beside the type, or in a `config` of their own."""
    assert getattr(understand(**{field: given}), field) == choice


def test_a_choice_is_a_value(understand: Understand, kinds: Any) -> None:
    """Its options become plain data, as a store will give them back."""
    spec = understand(
        flow_runner=kinds.OtherRunner(python="", env={"A": "1"}),
        schedule=kinds.MoonSchedule(anchor=datetime(2026, 1, 1, tzinfo=UTC)),
        flow_storage=kinds.FolderStorage(path="x"),
    )
    assert spec.flow_runner == Choice("other", {"python": "", "env": {"A": "1"}})
    assert [each.kind for each in spec.schedules] == [Choice("moon", {"every": 29 * 86_400.0, "anchor": "2026-01-01T00:00:00+00:00"})]
    assert spec.flow_storage == Choice("local", {"path": "x"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a/b"}, "deployment name 'a/b' cannot be used"),
        ({"name": 3}, "name must be text, not 3 (int)"),
        ({"name": ""}, "deployment name '' cannot be used"),
        ({"flow_name": "a/b"}, "flow name 'a/b' cannot be used"),
        ({"flow_name": 3}, "flow_name must be text, not 3 (int)"),
        ({"flow_location": 3}, "flow_location must be a path, not 3 (int)"),
        ({"flow_location": ""}, "flow_location must be a path, not the text ''"),
        ({"flow_location": b"leo.py"}, "flow_location must be a path, not 6 bytes"),
        ({"project_root": []}, "project_root must be a path, not a list with 0 items"),
        ({"tags": "tutorial"}, "tags: a list of texts is needed, not the text 'tutorial'; write ['tutorial']"),
        ({"tags": [1]}, "tags: every tag is a text of at least one character, not 1"),
        ({"tags": {"a": 1}}, "tags must be a list of texts, not a dict with 1 item"),
        ({"tags": 3}, "tags must be a list of texts, not 3 (int)"),
        ({"description": 3}, "description must be text, not 3 (int)"),
        ({"parameters": [1]}, "parameters must be values by name, not a list with 1 item"),
        ({"parameters": {1: 1}}, "parameters must be values by name"),
        ({"parameters": {"x": object()}}, "parameter 'x' must be plain data, which JSON can hold, and a builtins.object is or holds"),
        ({"parameters": {"x": [{"y": object()}]}}, "parameter 'x' must be plain data, which JSON can hold, and a list with 1 item is or"),
        ({"parameters": {"x": b"x"}}, "parameter 'x' must be plain data"),
        ({"schedule": "cron"}, "no schedule named 'cron'; installed: moments, moon — pip install headrace-schedules"),
        ({"flow_runner": "docker"}, "no flow runner named 'docker'; installed: other, universal — pip install headrace-docker"),
        ({"flow_runner": 3}, "a flow runner is written as its name, or as a mapping with its name as type, not 3 (int)"),
        ({"flow_storage": object()}, "a storage is written as its name, or as a mapping with its name as type, not a builtins.object"),
        ({"name": "a\nb"}, "deployment name 'a\\nb' cannot be used: it must be one line"),
        ({"flow_runner": {"env": {}}}, "a flow runner is written as its name, or as a mapping with its name as type, not {'env': {}}"),
        ({"flow_runner": {"type": 3}}, "a flow runner is written as its name"),
        (
            {"flow_runner": {"type": "other", "evn": {}}},
            "the options of flow runner 'other' of dist-own do not fit: it has no option 'evn'",
        ),
        ({"flow_runner": dict}, "a flow runner is a value, and dict is a class; write dict(…)"),
        ({"flow_storage": {"type": "local", "path": object()}}, "option 'path' of storage 'local' must be plain data"),
        ({"entrypoint": "json"}, "entrypoint must be module:name, such as 'shop.flows:nightly', not 'json'"),
        ({"entrypoint": "a b:c"}, "entrypoint must be module:name"),
        ({"entrypoint": 3}, "entrypoint must be text, not 3 (int)"),
        ({"entrypoint": "a:b", "flow_location": "leo.py"}, "entrypoint stands in place of flow_location and flow; give one of them"),
        ({"entrypoint": "a:b", "flow": leo}, "entrypoint stands in place of flow_location and flow; give one of them"),
        ({"flow": leo.fn}, "flow must be what @flow makes, not a function; give a script as flow_location"),
        ({"flow": leo, "flow_name": "other"}, "flow_name is 'other', and the flow's own name is 'leonardo'"),
        ({"flow": leo, "flow_location": "nix.py"}, "flow 'leonardo' is not of nix.py; give flow or flow_location, not both"),
    ],
)
def test_what_is_refused(understand: Understand, fields: Mapping[str, Any], said: str) -> None:
    """It is said where, and what would be taken."""
    (fault,) = faults(understand, **fields)
    assert fault.startswith(f"specs.py, line 3: {said}")


def test_a_spec_without_a_flow(registry: Registry, tmp_path: Path) -> None:
    """Something must say which flow it is."""
    with pytest.raises(SpecsRefused, match="it names no flow; give flow_location, flow or entrypoint"):
        understood(DeploymentSpec(name="x"), line=Line(where="here"), folder=tmp_path, registry=registry)


def test_every_fault_is_told(understand: Understand) -> None:
    """Not only the first."""
    assert len(faults(understand, name="a/b", tags="x", parameters=3, schedule="cron", flow_runner="docker", description=1)) == 6


def test_good_specs_are_understood_beside_bad_ones(registry: Registry, tmp_path: Path) -> None:
    """So that all that can be told is told at once."""
    written = [
        (lambda: DeploymentSpec(flow_location="a.py"), Line(where="line 1")),
        (lambda: DeploymentSpec(name="a/b", tags="x"), Line(where="line 2")),
        (lambda: DeploymentSpec(flow_location="c.py"), Line(where="line 3")),
    ]
    found = all_understood(written, folder=tmp_path, registry=registry, finish=lambda spec, _: spec)
    assert [spec.where for spec in found.specs] == ["line 1", "line 3"]
    assert [fault.partition(":")[0] for fault in found.faults] == ["line 2"] * 3
