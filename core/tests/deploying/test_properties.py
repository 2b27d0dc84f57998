"""What holds of all specs, whatever is written in them."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.deploying.plan import Outcome, planned
from headrace.deploying.reading import read_specs
from headrace.deploying.spec import SpecFile
from headrace.deploying.yaml_specs import KEYS
from headrace.errors import HeadraceError, SpecsRefused
from headrace.instance import Instance
from headrace.model.names import FORBIDDEN
from headrace.wire.plain import from_text, to_text

Read = Callable[[bytes], SpecFile]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.dates(min_value=date(1000, 1, 1))
    | st.sampled_from(
        ["leo.py", "leo", ".", "../x", "leo:leo", "universal", "other", "moon", "local", "retry", "fail", "a/b", "~", "$HOME", "\x00"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "config", "path", "every", "env", "python"]) | st.text(max_size=5), inner, max_size=3)
        | st.sets(st.text(max_size=3), max_size=2)
    ),
    max_leaves=8,
)
mappings = st.dictionaries(st.sampled_from(KEYS) | st.sampled_from(KEYS) | scalars.filter(lambda key: key == key), values, max_size=6)
documents = (
    mappings
    | mappings.map(lambda given: {"flow_location": "leo.py", "flow_name": "leonardo", **given})
    | st.lists(mappings, max_size=3)
    | values
)

names = st.text(
    st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs"], exclude_characters=FORBIDDEN), min_size=1, max_size=30
).filter(lambda text: text.strip() and text.isprintable() and not text.startswith("-"))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=8,
)
valid = st.fixed_dictionaries(
    {"flow_location": st.just("leo.py"), "flow_name": names},
    optional={
        "name": names,
        "tags": st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), max_size=3),
        "parameters": st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), plain, max_size=3),
        "description": st.text(st.characters(codec="utf-8"), max_size=20),
        "flow_runner": st.sampled_from(["universal", "other", {"type": "other", "env": {"A": "b"}}]),
        "flow_storage": st.just({"type": "local", "path": "somewhere"}),
        "schedule": st.sampled_from(["moon", {"type": "moon", "every": 60}, {"type": "moon", "config": {"every": 60}}]),
        "on_crash": st.just("retry"),
    },
)

LINE = 10**9
"""The library breaks long lines of some texts so that it cannot read them itself."""

anything_goes = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The fixtures are the same for every example: a file that is written anew each time, and a house that is only looked at."""


@pytest.fixture
def read(tmp_path: Path, lasting_house: Instance) -> Read:
    """Reads a file of specs with this content."""
    (tmp_path / "leo.py").write_text("")

    def specs(content: bytes) -> SpecFile:
        (tmp_path / "specs.yaml").write_bytes(content)
        return read_specs(tmp_path / "specs.yaml", registry=lasting_house.registry, blocked=(), folder=tmp_path)

    return specs


def told(house: Instance, read: Read, content: bytes) -> list[str]:
    """What is said of a file: nothing where it can be deployed."""
    try:
        found = read(content)
        planned(house, found, verifies=False, say=lambda _: None)
    except SpecsRefused as refused:
        return list(refused.faults)
    except HeadraceError as error:
        return [str(error)]
    return []


@anything_goes
@given(document=documents)
def test_whatever_is_written_is_planned_or_refused(lasting_house: Instance, read: Read, document: Any) -> None:
    """There is a plan, or faults of headrace's own, each of which begins with its place, and is no longer than somebody reads."""
    for fault in told(lasting_house, read, yaml.safe_dump(document).encode()):
        assert fault.startswith("specs.yaml")
        assert len(fault) < 2_000


@anything_goes
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")))
def test_whatever_is_in_the_file(lasting_house: Instance, read: Read, content: bytes) -> None:
    """It need not even be YAML."""
    assert all(fault.startswith("specs.yaml") for fault in told(lasting_house, read, content))


@anything_goes
@given(specs=st.lists(valid, min_size=1, max_size=3))
def test_what_is_right_is_understood_as_it_was_written(read: Read, specs: list[dict[str, Any]]) -> None:
    """In JSON, which is YAML too, and in any style of YAML; and understood once, it travels as data."""
    found = read(json.dumps(specs).encode())
    assert found.faults == ()
    assert [(spec.name, spec.flow_name, dict(spec.parameters)) for spec in found.specs] == [
        (given.get("name"), given["flow_name"], given.get("parameters", {})) for given in specs
    ]
    for text in (
        yaml.safe_dump(specs, width=LINE),
        yaml.safe_dump(specs, default_flow_style=True, width=LINE),
        yaml.safe_dump_all(specs, width=LINE),
    ):
        assert [attrs.evolve(spec, where="", parameter_lines={}) for spec in read(text.encode()).specs] == [
            attrs.evolve(spec, where="", parameter_lines={}) for spec in found.specs
        ]
    assert from_text(SpecFile, to_text(found)) == found


@settings(anything_goes, max_examples=40)
@given(spec=valid)
def test_what_was_deployed_is_unchanged(lasting_house: Instance, read: Read, spec: dict[str, Any]) -> None:
    """Once it is kept, the same spec would change nothing."""
    found = read(json.dumps(spec).encode())
    (first,) = planned(lasting_house, found, verifies=False, say=lambda _: None)
    (kept,) = lasting_house.client.put_deployments((first.deployment,))
    (again,) = planned(lasting_house, found, verifies=False, say=lambda _: None)
    assert (again.outcome, again.deployment) == (Outcome.UNCHANGED, kept)
