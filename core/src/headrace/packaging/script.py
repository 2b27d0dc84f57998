"""A script that travels alone: it may import what is installed, and nothing that lies beside it."""

import ast
from pathlib import Path

from headrace.errors import CodeUnusable
from headrace.packaging.tree import Tree, tree_of_file


def tree_of_script(script: Path) -> Tree:
    """The tree of just this file. Raises CodeUnusable if it imports a file beside it, which would not be there when it runs."""
    what = f"script {script.name!r}"
    tree = tree_of_file(script, what=what)
    if "." in script.stem:
        raise CodeUnusable(what=what, why="the dot in its name parts packages in Python; give the file another name")
    for line, name in _imports(script, what):
        if _lies_beside(script, name):
            raise CodeUnusable(
                what=what,
                why=f"line {line} imports {name!r}, which lies beside it and would not travel; give project_root, the folder that is to travel",
            )
    return tree


def _imports(script: Path, what: str) -> list[tuple[int, str]]:
    """Every module that is imported anywhere in the script, by its first name, with its line; a relative one by a dot."""
    try:
        nodes = list(ast.walk(ast.parse(script.read_bytes(), filename=script.name)))
    except SyntaxError as error:
        raise CodeUnusable(what=what, why=f"{script.name}, line {error.lineno}: SyntaxError: {error.msg}") from error
    except ValueError as error:
        raise CodeUnusable(what=what, why=f"it is no Python: {error}") from error
    plain = [(node.lineno, alias.name.partition(".")[0]) for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [(node.lineno, _source(node)) for node in nodes if isinstance(node, ast.ImportFrom)]
    return sorted(plain + named)


def _source(node: ast.ImportFrom) -> str:
    return "." if node.level else (node.module or "").partition(".")[0]


def _lies_beside(script: Path, name: str) -> bool:
    if name == ".":
        return True
    if name == script.stem:
        return False
    beside = script.parent / name
    return beside.with_suffix(".py").is_file() or (beside / "__init__.py").is_file()
