"""Each port has a page with its source and an example that runs. Run this file as a program to write the sources in the pages anew."""

import importlib
import inspect
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

import headrace.ports
from headrace.hooks.registry import PORTS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "ports"
START, END = "<!-- the port, from its source -->\n", "<!-- end of the port -->\n"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LONGEST_EXAMPLE = 30
MODULES = {path.stem for path in Path(headrace.ports.__path__[0]).glob("[!_]*.py")}
ADDITIONS = {"run_store": "diagnosis"}
"""What some who fill a port do besides; it stands on the page of that port."""
NAMES = sorted(MODULES - set(ADDITIONS.values()))

each_port = pytest.mark.parametrize("name", NAMES)


def shown(name: str) -> str:
    """The protocols of a port, and of an addition to it, as their sources have them."""
    modules = [importlib.import_module(f"headrace.ports.{each}") for each in (name, ADDITIONS.get(name)) if each]
    sources = [inspect.getsource(protocol).strip() for module in modules for protocol in protocols(module)]
    return "\n\n".join(f"```py\n{source}\n```" for source in sources) + "\n"


def protocols(module: ModuleType) -> list[Any]:
    """Those that a module has, in their order; where it has none of its own, those that it hands on."""
    found = [each for each in vars(module).values() if getattr(each, "_is_protocol", False) and each is not Protocol]
    return [each for each in found if each.__module__ == module.__name__] or found


def split(page: str) -> tuple[str, str, str]:
    """What stands before the source, the source, and what stands after it."""
    before, rest = page.split(START)
    found, after = rest.split(END)
    return before, found, after


def test_every_port_has_a_page() -> None:
    """And there is no page without a port; the list of them names each."""
    assert sorted(port.replace(" ", "_") for port in PORTS if port != "command") == NAMES
    assert sorted(path.stem for path in PAGES.glob("*.md") if path.name != "README.md") == NAMES
    assert sorted(re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text())) == NAMES


@each_port
def test_the_page_shows_the_port(name: str) -> None:
    """Every method with its arguments, types and sentences stands in the page as in the port."""
    assert split((PAGES / f"{name}.md").read_text())[1] == shown(name), f"write it anew: python {Path(__file__).name}"


@each_port
def test_the_example_is_a_plugin(name: str) -> None:
    """The page has one example that offers something for the port through its hook, in thirty lines; test_pages.py runs it."""
    (example,) = BLOCK.findall((PAGES / f"{name}.md").read_text())
    assert f"@hookimpl\ndef {PORTS[name.replace('_', ' ')]}():" in example
    assert len([line for line in example.splitlines() if line.strip()]) <= LONGEST_EXAMPLE


@each_port
def test_the_page_is_found(name: str) -> None:
    """The page of hooks leads to it."""
    assert f"](ports/{name}.md)" in (ROOT / "docs" / "hooks.md").read_text()


def test_the_list_is_found() -> None:
    """README leads to the list of ports."""
    assert "](docs/ports/README.md)" in (ROOT / "README.md").read_text()


if __name__ == "__main__":
    for port in NAMES:
        page = PAGES / f"{port}.md"
        before, _, after = split(page.read_text())
        page.with_suffix(".new").write_text(before + START + shown(port) + END + after)
        os.replace(page.with_suffix(".new"), page)
