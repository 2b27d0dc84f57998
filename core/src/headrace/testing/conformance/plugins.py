"""What every distribution that offers something does: its `tests/test_plugin.py` is a subclass of this one."""

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace.hooks.registry import PORTS, Offer, Plugin, Registry, discovered
from headrace.model.choices import Choice
from headrace.testing.conformance.facts import Facts

WITHOUT_VALUES = {"command", "rule"}
"""Ports whose providers are loaded and not made with options."""

LONGEST_SUMMARY = 80

Options = Mapping[str, Mapping[str, Any]]

_NEW_MODULES = "import sys, headrace.hooks; known = set(sys.modules); import {module}; print(*set(sys.modules) - known)"


class PluginConformance(Facts):
    """Facts about a distribution, in its folder and as it is installed. Override the fixture `options` where a provider cannot be made without any,
    and `elsewhere` for those that open only what a test does not have."""

    @pytest.fixture
    def folder(self, request: pytest.FixtureRequest) -> Path:
        """The distribution's folder: the tests lie in `tests` there."""
        return next(parent.parent for parent in request.path.parents if parent.name == "tests")

    @pytest.fixture
    def options(self) -> Options:
        """Options by the names of providers."""
        return {}

    @pytest.fixture
    def elsewhere(self) -> frozenset[str]:
        """Names of providers that need something to open which is not there in tests."""
        return frozenset()

    @pytest.fixture
    def project(self, folder: Path) -> Mapping[str, Any]:
        found: Mapping[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        return found

    @pytest.fixture
    def plugins(self, project: Mapping[str, Any]) -> list[Plugin]:
        return [plugin for plugin in discovered() if plugin.dist == project["name"]]

    @pytest.fixture
    def offers(self, project: Mapping[str, Any]) -> list[tuple[str, Offer]]:
        """What it offers, each with its port."""
        registry = Registry(runs_code=True)
        found = [(port, offer) for port in PORTS for offers in registry.offers(port).values() for offer in offers]
        return [(port, offer) for port, offer in found if offer.plugin.dist == project["name"]]

    # As it is installed

    def test_it_is_found(self, project: Mapping[str, Any], plugins: list[Plugin]) -> None:
        """Each entry point that it declares is installed, in this version, and nothing about it failed."""
        assert sorted(plugin.name for plugin in plugins) == sorted(project["entry-points"]["headrace"])
        assert {plugin.version for plugin in plugins} == {project["version"]}
        rows = [row for row in Registry(runs_code=True).rows() if row.dist == project["name"]]
        assert rows
        assert [(row.name, row.reason) for row in rows if row.status != "ok"] == []

    def test_names_are_its_own(self, offers: list[tuple[str, Offer]]) -> None:
        """Nobody else that is installed here offers anything under the same name for the same port."""
        registry = Registry(runs_code=True)
        for port, offer in offers:
            assert registry.offer(port, offer.provider.name).plugin.dist == offer.plugin.dist

    def test_finding_it_is_cheap(self, project: Mapping[str, Any]) -> None:
        """In a clean interpreter its modules of hooks load nothing but headrace, its own package and the standard library."""
        for module in project["entry-points"]["headrace"].values():
            script = _NEW_MODULES.format(module=module)
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
            loaded = {name.partition(".")[0] for name in done.stdout.split()}
            assert loaded - sys.stdlib_module_names - {"headrace", module.partition(".")[0]} == set()

    # What it offers

    def test_summaries(self, offers: list[tuple[str, Offer]]) -> None:
        """Each provider has a summary of one line that begins with a capital letter and ends without a full stop."""
        for _, offer in offers:
            summary = offer.provider.summary
            assert summary == summary.strip() != ""
            assert summary.isprintable()
            assert len(summary) <= LONGEST_SUMMARY
            assert not summary[0].islower()
            assert not summary.endswith(".")

    def test_providers_load(self, offers: list[tuple[str, Offer]]) -> None:
        """What each provider names is there; it is named, not imported, when the plugin is found."""
        registry = Registry(runs_code=True)
        for port, offer in offers:
            assert isinstance(offer.provider.target, str)
            assert callable(registry.load(port, offer.provider.name))

    def test_providers_are_values(self, offers: list[tuple[str, Offer]], options: Options) -> None:
        """The class of a provider is frozen, and its options make it; values with the same options are equal, and give their choice back."""
        registry = Registry(runs_code=True)
        for port, offer in offers:
            name = offer.provider.name
            if port in WITHOUT_VALUES:
                continue
            choice = Choice(name, options.get(name, {}))
            value = registry.make(port, choice)
            assert attrs.has(type(value)), name
            assert registry.make(port, choice) == value
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                value.anything = 1
            assert registry.make(port, registry.choice_of(port, value)) == value

    def test_options_are_documented(self, offers: list[tuple[str, Offer]], folder: Path) -> None:
        """Each option says in its field's metadata what it means, and stands in the readme, as the provider does; secrets are not shown."""
        readme = (folder / "README.md").read_text()
        registry = Registry(runs_code=True)
        for port, offer in offers:
            if port in WITHOUT_VALUES:
                continue
            assert f"`{offer.provider.name}`" in readme
            for field in _options(registry.load(port, offer.provider.name)):
                assert str(field.metadata.get("meaning", "")).strip(), f"{offer.provider.name}: {field.name}"
                assert f"`{field.name}`" in readme, f"{offer.provider.name}: {field.name}"
                assert not field.metadata.get("secret") or field.repr is not True, f"{offer.provider.name}: {field.name}"

    def test_providers_open(self, offers: list[tuple[str, Offer]], options: Options, elsewhere: frozenset[str]) -> None:
        """What can be opened opens, and closes."""
        registry = Registry(runs_code=True)
        for port, offer in offers:
            name = offer.provider.name
            if port in WITHOUT_VALUES or name in elsewhere:
                continue
            value = registry.make(port, Choice(name, options.get(name, {})))
            if hasattr(value, "open"):
                with value.open():
                    pass

    # In its folder

    def test_core_is_pinned(self, project: Mapping[str, Any]) -> None:
        """It names the range of headrace-core that it works with, with both ends."""
        if project["name"] == "headrace-core":
            pytest.skip("it is core itself")
        (pin,) = [line for line in project["dependencies"] if line.partition(">")[0].strip() == "headrace-core"]
        assert ">=" in pin
        assert "<" in pin

    def test_what_belongs_to_it(self, project: Mapping[str, Any], folder: Path) -> None:
        """A licence, a readme under its own name, and typed packages."""
        assert (folder / "LICENSE").stat().st_size
        assert (folder / "README.md").read_text().startswith(f"# {project['name']}\n")
        packages = {module.partition(".")[0] for module in project["entry-points"]["headrace"].values()}
        assert [package for package in packages if not (folder / "src" / package / "py.typed").is_file()] == []


def _options(kind: Any) -> "list[attrs.Attribute[Any]]":
    """The fields that people set; one that is marked as no option is for programs alone."""
    return [field for field in attrs.fields(kind) if field.init and field.metadata.get("option", True)]
