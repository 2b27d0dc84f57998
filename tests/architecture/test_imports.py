"""Who imports whom: the contracts of import-linter, no cycles, no hidden doors."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for pattern in ("core/src", "plugins/*/src", "contrib/*/src") for path in ROOT.glob(pattern))
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FACADES = {f"headrace.{name}" for name in ("deployments", "flow_runners", "task_runners", "schedules", "storage")}
PUBLIC = {
    f"headrace.{name}"
    for name in (
        "model",
        "rules",
        "ports",
        "hooks",
        "wire",
        "settings",
        "errors",
        "clock",
        "ids",
        "processes",
        "instance",
        "storing",
        "testing",
    )
}
IMPORTED_AS = {
    "azure-core": "azure",
    "azure-identity": "azure",
    "azure-storage-blob": "azure",
    "google-auth": "google",
    "python-dateutil": "dateutil",
    "pyyaml": "yaml",
}
DATA = {"tzdata"}  # is read by the standard library, and imported by nobody
LOADERS = {"headrace", "headrace.hooks.registry", "headrace.packaging.loading", "headrace.packaging.bytecode", *FACADES}
PURE = {"headrace.model", "headrace.rules"}
BELOW_THE_RULES = {"headrace.errors", *PURE}
READERS = {"now", "today", "utcnow", "monotonic", "perf_counter", "urandom", "uuid1", "uuid4", "token_hex"}


def modules(source: Path) -> dict[str, Path]:
    """The modules of a source folder by their full names."""
    return {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path for path in sorted(source.rglob("*.py"))
    }


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield from nodes_that_run(other)
        else:
            yield from nodes_that_run(child)


def parsed(text: str) -> list[ast.AST]:
    """The nodes of a program that run."""
    return list(nodes_that_run(ast.parse(text)))


def imported(nodes: list[ast.AST]) -> Iterator[str]:
    """What is imported anywhere, functions included, each as `module` or `module.name`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules among `known` that a file imports."""
    wanted = imported(parsed(path.read_text()))
    return {name if name in known else name.rpartition(".")[0] for name in wanted} & known.keys()


def cycle(source: Path) -> list[str]:
    """A cycle of imports, or nothing."""
    known = modules(source)
    graph = {name: sorted(imported_modules(path, known) - {name}) for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def hidden_imports(text: str) -> set[str]:
    """The ways to import by a name that no reader sees. What reads files of a package (`importlib.resources`) is none."""
    nodes = parsed(text)
    found = {name for name in imported(nodes) if f"{name}.".startswith(("importlib.", "runpy.", "pkgutil."))}
    found |= {node.id for node in nodes if isinstance(node, ast.Name) and node.id == "__import__"}
    return {name for name in found if not f"{name}.".startswith("importlib.resources.")}


def is_in(name: str, packages: set[str]) -> bool:
    """Whether a module, or something in it, belongs to one of the packages."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def requirements(dist: Path, *, extras: bool = False) -> set[str]:
    """The libraries that a dist declares, or what its extras bring, as they are imported."""
    project = tomllib.loads((dist / "pyproject.toml").read_text())["project"]
    lines = chain.from_iterable(project.get("optional-dependencies", {}).values()) if extras else project["dependencies"]
    names = [line.partition(">=")[0] for line in lines]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def contracts(kind: str, key: str) -> set[str]:
    """What all contracts of a kind say under a key."""
    return {name for contract in LINTER["contracts"] if contract["type"] == kind for name in contract[key]}


def test_the_contracts_hold() -> None:
    """Every import keeps to the contracts in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_know_every_plugin() -> None:
    """Contracts name all packages that there are, so that none escapes them."""
    packages = {path.parent.name for source in SOURCES for path in source.glob("*/__init__.py")}
    assert set(LINTER["root_packages"]) == packages
    assert contracts("independence", "modules") == packages - {"headrace"}


def test_the_contracts_know_every_room() -> None:
    """Each room of core is either one that plugins may see, or one that the contracts keep from them."""
    rooms = {".".join(name.split(".")[:2]) for name in modules(ROOT / "core" / "src")} - {"headrace", *FACADES}
    kept = {name for name in contracts("protected", "protected_modules") if is_in(name, {"headrace"})}
    assert kept == rooms - PUBLIC
    assert rooms >= PUBLIC


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_no_cycles(source: Path) -> None:
    """No module imports itself by way of others, imports inside functions counted."""
    assert modules(source)
    assert not cycle(source)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_no_hidden_imports(source: Path) -> None:
    """Only the package's own front, its facades and the registry import by name."""
    found = {name: hidden_imports(path.read_text()) for name, path in modules(source).items() if name not in LOADERS}
    assert not {name: ways for name, ways in found.items() if ways}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_hooks_are_cheap(source: Path) -> None:
    """A plugin module imports nothing but headrace and the standard library; what a hook does when it is called may be in the plugin's own package."""
    plugins = {name: path for name, path in modules(source).items() if name.endswith(".plugin")}
    assert plugins
    allowed = {"headrace", *sys.stdlib_module_names}
    for name, path in plugins.items():
        nodes, own = parsed(path.read_text()), {name.partition(".")[0]}
        assert {wanted for wanted in imported(nodes) if not is_in(wanted, allowed | own)} == set(), name
        called = {inner for node in nodes if isinstance(node, ast.FunctionDef) for inner in nodes_that_run(node)}
        assert {wanted for wanted in imported([node for node in nodes if node not in called]) if not is_in(wanted, allowed)} == set(), name


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.parent.name)
def test_what_is_declared_is_used(source: Path) -> None:
    """A dist imports what it declares, all of it and nothing else but what an extra brings; plugins have core's libraries through core, and its kit
    brings pytest."""
    declared, core = (requirements(path) for path in (source.parent, ROOT / "core"))
    wanted = {name.partition(".")[0] for path in modules(source).values() for name in imported(parsed(path.read_text()))}
    found = wanted - sys.stdlib_module_names - {"headrace", source.parent.name.replace("-", "_")}
    assert declared - {"headrace_core"} - DATA <= found
    assert found <= declared | requirements(source.parent, extras=True) | core | {"pytest"}


def test_values_and_rules_are_pure() -> None:
    """Values and rules import the standard library and attrs alone, and read no clock and no dice."""
    allowed = {"attrs", *BELOW_THE_RULES, *sys.stdlib_module_names}
    for name, path in modules(ROOT / "core" / "src").items():
        if is_in(name, PURE):
            nodes = parsed(path.read_text())
            assert {wanted for wanted in imported(nodes) if not is_in(wanted, allowed)} == set(), name
            called = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
            assert called & READERS == set(), name


# The checks themselves

Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a source folder."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_cycle_is_found(tree: Tree) -> None:
    """A cycle through a package, a name of a module and a function is one."""
    source = tree(
        {
            "a/__init__.py": "from a.b import thing",
            "a/b.py": "from a import c",
            "a/c.py": "def f():\n    import a",
        }
    )
    assert sorted(set(cycle(source))) == ["a", "a.b", "a.c"]


def test_a_checked_type_is_no_cycle(tree: Tree) -> None:
    """What only a type checker imports ties no knot; what runs instead does."""
    source = tree({"a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b", "b.py": "import a"})
    assert cycle(source) == []
    tree({"a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import b"})
    assert sorted(set(cycle(source))) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "import importlib",
        "import importlib.util",
        "from importlib import import_module",
        "def f():\n    from importlib.metadata import version",
        "__import__('os')",
        "find = __import__",
        "import runpy",
        "from pkgutil import resolve_name",
    ],
)
def test_a_hidden_import_is_found(text: str) -> None:
    """Every way to import by name is seen, wherever it stands."""
    assert hidden_imports(text)


@pytest.mark.parametrize("text", ["import importlib.resources", "from importlib.resources import files", "import importlib_metadata"])
def test_reading_a_file_is_no_hidden_import(text: str) -> None:
    """Reading a package's own files is allowed, and names that only begin alike are."""
    assert not hidden_imports(text)
