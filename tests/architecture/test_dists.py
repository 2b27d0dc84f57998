"""Every dist looks alike: learn one, know all."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import headrace

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
DISTS = [CORE, *PLUGINS]
EXTRA = {"headrace-azure", "headrace-docker", "headrace-gcs", "headrace-kubernetes", "headrace-s3"}
"""What is heavy, and comes with the metapackage only where it is asked for."""

BUILDS_ON = {
    "headrace-azure": "files",
    "headrace-gcs": "files",
    "headrace-s3": "files",
    "headrace-kv": "client",
    "headrace-dashboard": "server",
}
"""Object stores are file systems, as headrace-files has them; what headrace-kv asks, and how, is what headrace-client does; a dashboard is served."""

TAKES_TO_SERVE = {"headrace-kv": ["files", "server"]}
"""Who serves what a plugin is the client of has an extra for it."""

RANGE = "headrace-core>=0.1,<0.2"

each_dist = pytest.mark.parametrize("dist", DISTS, ids=lambda dist: dist.name)
each_plugin = pytest.mark.parametrize("dist", PLUGINS, ids=lambda dist: dist.name)


def project(dist: Path) -> dict[str, Any]:
    """The project table of a dist."""
    table: dict[str, Any] = tomllib.loads((dist / "pyproject.toml").read_text())["project"]
    return table


def package(dist: Path) -> str:
    """The name under which a dist is imported."""
    return "headrace" if dist == CORE else dist.name.replace("-", "_")


def test_no_folder_is_forgotten() -> None:
    """Every folder of a plugin holds a dist."""
    assert [path.name for path in PLUGINS] == sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())


@pytest.mark.parametrize("dist", [ROOT, *DISTS], ids=lambda dist: "headrace" if dist == ROOT else dist.name)
def test_what_every_dist_says(dist: Path) -> None:
    """Licence, readme, Python and version are there, and the same everywhere."""
    table = project(dist)
    assert (dist / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (dist / "README.md").read_text().startswith(f"# {table['name']}\n")
    assert (table["license"], table["license-files"], table["readme"]) == ("Apache-2.0", ["LICENSE"], "README.md")
    assert (table["requires-python"], table["version"]) == (">=3.11", headrace.__version__)


@each_dist
def test_one_package_in_each(dist: Path) -> None:
    """A dist has one typed package with one docstring line, and tests beside it."""
    assert project(dist)["name"] == ("headrace-core" if dist == CORE else dist.name)
    assert [path.name for path in (dist / "src").glob("[!.]*")] == [package(dist)]
    assert (dist / "src" / package(dist) / "py.typed").is_file()
    assert (dist / "src" / package(dist) / "__init__.py").read_text().startswith('"""')
    assert list((dist / "tests").rglob("test_*.py"))


@each_dist
def test_the_way_in(dist: Path) -> None:
    """A dist is found by entry points, a plugin by one of its own name; their modules hold the hooks and are called `plugin`."""
    [(group, points)] = project(dist)["entry-points"].items()
    assert group == "headrace"
    assert dist == CORE or points == {dist.name.removeprefix("headrace-"): f"{package(dist)}.plugin"}
    for module in points.values():
        assert module.endswith(".plugin")
        assert (dist / "src" / Path(*module.split("."))).with_suffix(".py").is_file()


@each_plugin
def test_core_is_pinned(dist: Path) -> None:
    """A plugin works with a stated range of core, and names no other plugin but the one that it builds on."""
    named = [line for line in project(dist)["dependencies"] if line.startswith("headrace")]
    assert named == [RANGE, *[RANGE.replace("core", BUILDS_ON[name]) for name in [dist.name] if name in BUILDS_ON]]
    lent = [line for line in project(dist).get("optional-dependencies", {}).get("server", ()) if line.startswith("headrace")]
    assert lent == [RANGE.replace("core", name) for name in TAKES_TO_SERVE.get(dist.name, ())]


def test_the_stock_install() -> None:
    """`pip install headrace` brings core and every stock plugin, and nothing else; those that are heavy are extras of their names."""
    ranges = {project(dist)["name"]: RANGE.replace("headrace-core", project(dist)["name"]) for dist in DISTS}
    assert project(ROOT)["dependencies"] == sorted(ranges[name] for name in ranges.keys() - EXTRA)
    assert project(ROOT)["optional-dependencies"] == {name.removeprefix("headrace-"): [ranges[name]] for name in EXTRA}


def test_core_depends_on_little() -> None:
    """Core takes these libraries and no more."""
    names = [line.partition(">=")[0] for line in project(CORE)["dependencies"]]
    assert names == [
        "attrs",
        "cattrs",
        "click",
        "importlib-metadata",
        "jsonschema",
        "pathspec",
        "pluggy",
        "pyyaml",
        "referencing",
        "tomlkit",
    ]
