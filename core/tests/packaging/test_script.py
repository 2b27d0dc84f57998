"""A script that travels alone: what it may import, and what it may be called."""

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.errors import CodeUnusable
from headrace.packaging.script import tree_of_script

Files = Callable[..., Path]
BESIDE = {
    "helper.py": "",
    "package/__init__.py": "",
    "package/part.py": "",
    "folder/part.py": "",
    "folder/deeper/leaf.py": "",
    "native.cpython-311-x86_64-linux-gnu.so": "",
    "other.test.py": "",
    "data/table.csv": "",
    "json/decoder.py": "",
    "logging.py": "",
    "sys.py": "",
    "test_leo.py": "",
}


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import helper", "line 1 imports 'helper'"),
        ("import os, helper as h", "line 1 imports 'helper'"),
        ("from helper import something", "line 1 imports 'helper'"),
        ("from helper import *", "line 1 imports 'helper'"),
        ("import package", "'package'"),
        ("import package.part", "'package'"),
        ("from package.part import x", "'package'"),
        ("import native", "'native'"),
        ("import folder.part", "'folder'"),
        ("from folder import part", "'folder'"),
        ("from folder.part import x", "'folder'"),
        ("from folder.deeper import leaf", "'folder'"),
        ("import logging", "'logging'"),
        ("def f():\n    if True:\n        import helper", "line 3 imports 'helper'"),
        ("try:\n    import helper\nexcept ImportError:\n    pass", "line 2 imports 'helper'"),
        ("import importlib\nimportlib.import_module('helper')", "line 2 imports 'helper'"),
        ("__import__('helper')", "'helper'"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import helper", "line 5 imports 'helper'"),
        ("from . import x", "line 1 imports '.', which means the package that it lies in"),
        ("from .helper import x", "line 1 imports '.helper', which means the package"),
        ("from ..up import x", "imports '..up', which means the package"),
    ],
)
def test_what_it_may_not_import(files: Files, source: str, named: str) -> None:
    """A module beside it, wherever and however it is imported, would not be there when it runs; the word that helps is project_root."""
    root = files({**BESIDE, "leo.py": source})
    with pytest.raises(CodeUnusable) as caught:
        tree_of_script(root / "leo.py")
    assert named in caught.value.why
    assert "give as project_root the folder that is to travel" in caught.value.why


@pytest.mark.parametrize(
    "source",
    [
        "",
        "import os, json, headrace",
        "import json.decoder",
        "from json import decoder",
        "import sys",
        "import leo",
        "import data",
        "import folder",
        "from folder import nothing",
        "import other",
        "import elsewhere",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helper",
        "import typing\nif typing.TYPE_CHECKING:\n    from helper import x",
        "helper = 1",
        "'import helper'",
        "name = 'helper'\n__import__(name)",
        "# coding: latin-1\nx = '\xe4'",
        f"x = {'+'.join(['1'] * 3000)}",
        "x = '\\d'",
    ],
)
def test_what_it_may_import(files: Files, source: str) -> None:
    """What Python finds elsewhere before, or what only looks like a module, is no reason to refuse it."""
    root = files({**BESIDE, "leo.py": source.encode("latin-1" if "latin-1" in source else "utf-8")})
    assert [entry.path for entry in tree_of_script(root / "leo.py").manifest.entries] == ["leo.py"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calendar.py", "its name hides the module 'calendar'"),
        ("headrace.py", "its name hides the module 'headrace'"),
        ("my.flow.py", "the dot in its name parts packages"),
    ],
)
def test_what_it_may_not_be_called(files: Files, name: str, said: str) -> None:
    """It goes first on the path of modules, so it must not stand in front of what other code imports."""
    with pytest.raises(CodeUnusable, match=said):
        tree_of_script(files({name: ""}) / name)


@pytest.mark.parametrize("name", ["my-flow.py", "2024.py", "test.py", "class.py", "水.py"])
def test_what_it_may_be_called(files: Files, name: str) -> None:
    """Its name need not be one that can be written after `import`."""
    assert tree_of_script(files({name: ""}) / name).manifest.entries[0].path == name


@pytest.mark.parametrize(
    ("source", "said"),
    [(b"x = 1\ndef f(:", r"leo\.py, line 2: SyntaxError: "), (b"x\0", "leo.py|no Python"), (b"\xff", "leo.py|no Python")],
)
def test_what_is_no_python(files: Files, source: bytes, said: str) -> None:
    """It is said where it is wrong."""
    with pytest.raises(CodeUnusable, match=said):
        tree_of_script(files({"leo.py": source}) / "leo.py")
