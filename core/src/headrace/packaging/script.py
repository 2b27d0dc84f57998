"""A script that travels alone: it may import what is installed, and nothing that lies beside it."""

import ast
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import attrs

from headrace.errors import CodeUnusable
from headrace.packaging.tree import Tree, tree_of_file

HARMLESS = frozenset({"test"})
"""Modules of Python that no other needs, so that a script may have their names."""

SOURCES, COMPILED = (".py", ".pyc"), (".so", ".pyd")
IMPORTERS = ("__import__", "import_module")


ADVICE = "give as project_root the folder that is to travel"
INSTALLED = ", or as entrypoint the flow, if its package is installed where it runs"


@attrs.frozen(kw_only=True)
class _Import:
    """An import: its line, and the module as it is written, with dots before a relative one."""

    line: int
    module: str


def tree_of_script(script: Path) -> Tree:
    """The tree of just this file. Raises CodeUnusable if it imports a file beside it, which would not be there when it runs."""
    what = f"script {script.name!r}"
    tree = tree_of_file(script, what=what)
    for fault in (_name_fault(script.stem), *(_import_fault(script, each) for each in _imports(script, what))):
        if fault is not None:
            raise CodeUnusable(what=what, why=fault)
    return tree


def _name_fault(stem: str) -> str | None:
    if "." in stem:
        return "the dot in its name parts packages in Python; give the file another name"
    if stem == "headrace" or (stem in sys.stdlib_module_names and stem not in HARMLESS):
        return f"its name hides the module {stem!r} that other code needs; give the file another name"
    return None


def _import_fault(script: Path, wanted: _Import) -> str | None:
    first, *rest = wanted.module.split(".")
    if not first:
        return f"line {wanted.line} imports {wanted.module!r}, which means the package that it lies in, and a script travels alone; {ADVICE}{INSTALLED}"
    if first != script.stem and _lies_in(script.parent, first, rest):
        return f"line {wanted.line} imports {first!r}, which lies beside it, and a script travels alone; {ADVICE}"
    return None


def _lies_in(folder: Path, name: str, rest: list[str]) -> bool:
    """Whether Python would find the module in the folder. A folder without `__init__.py` counts if what is imported of it lies in it."""
    if name in sys.builtin_module_names:
        return False
    if (folder / name / "__init__.py").is_file() or _is_module(folder, name):
        return True
    return bool(rest) and name not in sys.stdlib_module_names and (folder / name).is_dir() and _lies_in(folder / name, rest[0], rest[1:])


def _is_module(folder: Path, name: str) -> bool:
    """Whether a file is the module; a compiled one may have the platform in its name."""
    if any((folder / f"{name}{ending}").is_file() for ending in SOURCES):
        return True
    return name.isidentifier() and any(file.suffix in COMPILED for file in folder.glob(f"{name}.*"))


def _imports(script: Path, what: str) -> list[_Import]:
    """Every module that is imported anywhere in the script, wherever that can be read, in the order of lines."""
    return sorted(_imports_of(_parsed(script, what)), key=lambda found: found.line)


def _parsed(script: Path, what: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are told when it is imported
            return ast.parse(script.read_bytes(), filename=script.name)
    except SyntaxError as error:
        raise CodeUnusable(what=what, why=f"{script.name}, line {error.lineno}: {type(error).__name__}: {error.msg}") from error
    except ValueError as error:
        raise CodeUnusable(what=what, why=f"it is no Python: {error}") from error
    except (RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])  # too deep to look into; importing it will tell


def _imports_of(module: ast.Module) -> Iterator[_Import]:
    left: list[ast.AST] = [module]  # no recursion, since a long sum is a deep tree
    while left:
        node = left.pop()
        left += node.orelse if _is_for_checkers(node) else ast.iter_child_nodes(node)
        match node:
            case ast.Import():
                yield from (_Import(line=node.lineno, module=alias.name) for alias in node.names)
            case ast.ImportFrom(level=0):
                # what is imported from a package may be a module of it
                yield from (_Import(line=node.lineno, module=f"{node.module}.{alias.name}") for alias in node.names)
            case ast.ImportFrom():
                yield _Import(line=node.lineno, module="." * node.level + (node.module or ""))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(wanted)), *_]):
                if name in IMPORTERS:
                    yield _Import(line=node.lineno, module=wanted)


def _is_for_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
