"""Every port has its conformance class, and every implementation that is offered is held against it, that of core first."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import headrace.ports
import headrace.testing.conformance
from headrace.hooks.registry import PORTS, Registry
from headrace.ports.client import operations
from headrace.testing.conformance import PORTS as TRIED

ROOT = Path(__file__).parents[2]
KIT = Path(headrace.testing.conformance.__path__[0])
ADDITIONS = {"diagnosis"}
"""What some who fill a port do besides; their port's class tries it where it is there."""
NAMES = sorted({path.stem for path in Path(headrace.ports.__path__[0]).glob("[!_]*.py")} - ADDITIONS)
OFFERS = [(port, name) for port in PORTS if port not in ("command", "rule") for name in Registry(runs_code=True).offers(port)]

each_port = pytest.mark.parametrize("name", NAMES)


def class_of(name: str) -> str:
    """The conformance class of a port."""
    return "".join(word.capitalize() for word in name.split("_")) + "Conformance"


@cache
def classes(file: Path) -> list[ast.ClassDef]:
    """The classes in a file."""
    return [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]


def subclasses(file: Path, kind: str) -> list[ast.ClassDef]:
    """Test classes in a file that are of this kind."""
    return [node for node in classes(file) if kind in {ast.unparse(parent) for parent in node.bases}]


def test_the_same_words() -> None:
    """Ports, hooks and the kit use the same names."""
    assert sorted(TRIED) == NAMES == sorted(port.replace(" ", "_") for port in PORTS if port != "command")


@each_port
def test_every_port_has_its_class(name: str) -> None:
    """Of the port's own name, and the parent of all test classes for it; each of its facts says what holds."""
    (found,) = (
        node for node in ast.parse((KIT / f"{name}.py").read_text()).body if isinstance(node, ast.ClassDef) and node.name == class_of(name)
    )
    facts = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert facts
    assert [node.name for node in facts if not ast.get_docstring(node)] == []


@each_port
def test_core_is_tried_first(name: str) -> None:
    """Core's own tests try something of its own for every port."""
    assert [file for file in (ROOT / "core" / "tests").rglob("test_*.py") if subclasses(file, class_of(name))]


@pytest.mark.parametrize(("port", "name"), OFFERS, ids=[f"{port} {name}" for port, name in OFFERS])
def test_everything_that_is_offered_is_tried(port: str, name: str) -> None:
    """The tests of its distribution, these here where it takes another distribution too, or those of a session of its name, have a subclass of the
    port's conformance class that gives its class as the value to try."""
    offer = Registry(runs_code=True).offer(port, name)
    target = str(offer.provider.target).rpartition(":")[2]
    own = ROOT / ("core" if offer.plugin.dist == "headrace-core" else f"plugins/{offer.plugin.dist}") / "tests"
    kind = class_of(port.replace(" ", "_"))
    files = (*own.rglob("test_*.py"), *Path(__file__).parent.glob("test_*.py"), *(ROOT / "tests" / name).glob("test_*.py"))
    assert [node.name for file in files for node in subclasses(file, kind) if target in ast.unparse(node)]


def test_every_operation_is_tried() -> None:
    """The class for clients asks each operation of the port."""
    asked = set(re.findall(r"\bclient\.(\w+)", (KIT / "client.py").read_text()))
    assert asked >= set(operations())


def test_every_distribution_is_tried() -> None:
    """Each has a test of its plugin as a whole."""
    dists = [ROOT / "core", *(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    assert [dist.name for dist in dists if not subclasses(dist / "tests" / "test_plugin.py", "PluginConformance")] == []
