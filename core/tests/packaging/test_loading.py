"""Loading: user code in this process, by its real name, without running any flow."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace import flow
from headrace.errors import CodeUnusable
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page
from headrace.packaging.loading import entrypoint_of, is_flow, loaded_file, loaded_flow, loaded_module, read_flow
from headrace.reference.serializer import JsonSerializer

Files = Callable[..., Path]
LEO = """
from headrace import flow

@flow(name="leonardo")
def leo(name: str = "Leo"):
    return name
"""
TWO = f"{LEO}\n@flow\ndef marvin():\n    return __name__\n"
pytestmark = pytest.mark.usefixtures("imports")


def load(root: Path | None, entrypoint: str, **choice: Any) -> Any:
    """The flow there."""
    return loaded_flow(root, entrypoint, what="it", **choice)


def test_a_flow_by_its_real_name(files: Files) -> None:
    """The module is imported under the name that it has below the root, which goes first on the path, once."""
    root = files({"shop/__init__.py": "", "shop/flows.py": f"from .names import NAME\n{LEO}", "shop/names.py": "NAME = 'Leo'"})
    found = load(root, "shop.flows:leo")
    assert found.fn() == "Leo"
    assert (found.definition.function.__module__, found.version is not None) == ("shop.flows", True)
    assert load(root, "shop.flows:leo") is found
    assert sys.path[0] == str(root)
    assert sys.path.count(str(root)) == 1


@pytest.mark.parametrize(
    ("source", "choice", "found"),
    [
        (LEO, {}, "leo"),
        (TWO, {"flow_name": "leonardo"}, "leo"),
        (TWO, {"flow_name": "marvin"}, "marvin"),
        (f"{LEO}\nalias = leo", {}, "leo"),
        (f"from two import marvin\n{LEO}", {}, "leo"),
        (f"from two import marvin\n{LEO}", {"flow_name": "marvin"}, "marvin"),
        ("from two import marvin", {}, "marvin"),
        (f"{LEO}\nleo = leo.with_options(retries=2)", {}, "leo"),
        (f"{LEO}\nretried = leo.with_options(name='retried', retries=2)", {"flow_name": "retried"}, "retried"),
    ],
)
def test_the_flow_that_is_meant(files: Files, source: str, choice: dict[str, str], found: str) -> None:
    """The one that is called so, or the only one; flows from elsewhere count if they are asked for, or if there is no other."""
    root = files({"one.py": source, "two.py": TWO})
    assert entrypoint_of(load(root, "one", **choice), "one") == f"one:{found}"


@pytest.mark.parametrize("entrypoint", ["one:leo", "one:leonardo", "one:Place.inner"])
def test_an_entrypoint_names_it(files: Files, entrypoint: str) -> None:
    """By the name that it has in the module, or by its own."""
    assert is_flow(load(files({"one.py": f"{TWO}\nclass Place:\n    inner = leo\n"}), entrypoint))


@pytest.mark.parametrize(
    ("source", "entrypoint", "choice", "said"),
    [
        ("", "one", {}, "no flows found in one.py; decorate a function with @flow"),
        ("", "one", {"flow_name": "x"}, "flow 'x' not found in one.py; found: none"),
        (TWO, "one", {}, "found 2 flows in one.py: leonardo, marvin; say which with flow_name"),
        (TWO, "one", {"flow_name": "leo"}, "flow 'leo' not found in one.py; found: leonardo, marvin"),
        (f"{LEO}\nother = leo.with_options(retries=2)", "one", {"flow_name": "leonardo"}, "found 2 flows called 'leonardo' in one.py"),
        (TWO, "one:nix", {}, "flow 'nix' not found in one.py; found: leo, marvin"),
        (TWO, "one:__name__", {}, "flow '__name__' not found in one.py"),
        (TWO, "one:leo.fn", {}, "flow 'leo.fn' not found in one.py"),
        (TWO, "nix", {}, "there is no module 'nix' among the files that travel"),
        (TWO, "folder.nix", {}, "there is no module 'folder.nix' among the files that travel"),
        (TWO, "folder", {}, "no flows found in folder"),
    ],
)
def test_no_flow_that_is_meant(files: Files, source: str, entrypoint: str, choice: dict[str, str], said: str) -> None:
    """It is said what was looked for, where, and what is there."""
    root = files({"one.py": source, "folder/x.py": ""})
    with pytest.raises(CodeUnusable) as caught:
        load(root, entrypoint, **choice)
    assert caught.value.why.startswith(said)


def test_what_is_installed_needs_no_root(files: Files) -> None:
    """Nothing is put on the path for it."""
    sys.path.append(str(files({"one.py": LEO})))
    before = list(sys.path)
    assert load(None, "one:leo").name == "leonardo"
    assert sys.path == before
    with pytest.raises(CodeUnusable, match="there is no module 'nix' installed here"):
        load(None, "nix:leo")


def test_a_name_that_is_taken(files: Files) -> None:
    """A module that was imported from elsewhere before is not taken for the user's."""
    with pytest.raises(CodeUnusable, match="the name of its module, 'json', is taken by json/__init__.py; give its file another name"):
        load(files({"json.py": LEO}), "json")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ny = x / 0", "shop/one.py, line 2: ZeroDivisionError: division by zero"),
        ("x = 1\ndef f(:", "shop/one.py, line 2: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('enough')", "shop/one.py, line 2: it ends the process (SystemExit: enough)"),
        ("x = 1\nraise KeyboardInterrupt", "shop/one.py, line 2: KeyboardInterrupt"),
        ("class E(BaseException): ...\ndef f():\n    raise E('x')\n\nf()", "shop/one.py, line 3: shop.one.E: x"),
        ("import json\njson.loads('{')", "shop/one.py, line 2: json.decoder.JSONDecodeError: "),
        ("def f():\n    raise KeyError('x')\n\nf()", "shop/one.py, line 2: KeyError: 'x'"),
        (
            "from headrace import flow\n@flow(retries=-1)\ndef f(): ...",
            "shop/one.py, line 2: flow 'f': retries=-1",
        ),
        ("import nonesuch", "shop/one.py, line 1: ModuleNotFoundError: No module named 'nonesuch'; install it where the flow runs"),
        ("from shop import nonesuch", "shop/one.py, line 1: ImportError: cannot import name 'nonesuch'"),
        ("from shop.bad import x", "shop/bad.py, line 1: NameError: name 'oops' is not defined"),
        ("class E(BaseException): ...\nraise ExceptionGroup('several', [ValueError(1)])", "shop/one.py, line 2: ExceptionGroup: several"),
    ],
)
def test_code_that_cannot_be_imported(files: Files, source: str, said: str) -> None:
    """The sentence has the user's own file and line; the cause has the user's own frames."""
    root = files({"shop/__init__.py": "", "shop/one.py": source, "shop/bad.py": "oops"})
    with pytest.raises(CodeUnusable) as caught:
        load(root, "shop.one")
    assert caught.value.why.startswith(said)
    cause = caught.value.__cause__
    assert cause is not None
    if not isinstance(cause, SyntaxError):
        assert cause.__traceback__ is not None
        assert Path(cause.__traceback__.tb_frame.f_code.co_filename).is_relative_to(root)


def test_an_interruption_is_no_fault_of_the_code(files: Files) -> None:
    """What a signal raises while code is imported goes through, since it means who imports it."""
    root = files({"one.py": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"})
    source = f"""
import signal
from pathlib import Path
from headrace.packaging.loading import loaded_module

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    loaded_module(Path({str(root)!r}), "one", what="it")
except KeyboardInterrupt:
    print("interrupted")
"""
    shown = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == "interrupted\n"


def test_main_is_not_run(files: Files) -> None:
    """A script's last lines for running it by hand are left alone."""
    assert load(files({"one.py": f"{LEO}\nif __name__ == '__main__':\n    raise SystemExit(leo())"}), "one:leo").name == "leonardo"


# Flows that are called while they are loaded


def test_a_call_at_module_level_is_skipped(files: Files, house: Instance, caplog: pytest.LogCaptureFixture) -> None:
    """It gives None, runs nothing, and says where it stands; afterwards the flow can be called."""
    root = files({"one.py": f"{LEO}\nfirst = leo()\ndef main():\n    return leo('x')\nsecond = main()\n"})
    with caplog.at_level(logging.WARNING, "headrace.loading"):
        found = load(root, "one:leo")
    assert (sys.modules["one"].first, sys.modules["one"].second) == (None, None)  # type: ignore[attr-defined]
    assert [record.getMessage() for record in caplog.records] == [
        "one.py, line 8 calls flow 'leonardo' while it is loaded; the call is skipped and gives None",
        "one.py, line 10 calls flow 'leonardo' while it is loaded; the call is skipped and gives None",
    ]
    assert house.client.read_flow_runs(FlowRunFilter(), Page()) == []
    assert found() == "Leo"


def test_an_async_call_at_module_level_is_skipped(files: Files, house: Instance) -> None:
    """What awaits it gets None."""
    source = "import asyncio\nfrom headrace import flow\n@flow\nasync def leo():\n    return 1\ngiven = asyncio.run(leo())\n"
    load(files({"one.py": source}), "one:leo")
    assert sys.modules["one"].given is None  # type: ignore[attr-defined]
    assert house.client.read_flow_runs(FlowRunFilter(), Page()) == []


def test_flows_run_again_after_an_import_that_failed(files: Files, house: Instance) -> None:
    """An error in the code leaves nothing behind."""

    @flow
    def own() -> int:
        return 1

    with pytest.raises(CodeUnusable):
        load(files({"one.py": "1 / 0"}), "one")
    assert own() == 1


# Files by their place


@pytest.mark.parametrize("name", ["leo_deployment.py", "leo.deployment.py", "json.py", "my deployment.py"])
def test_a_file_whatever_its_name(files: Files, name: str) -> None:
    """It need not be a name that can be imported, and what it imports from beside it is found."""
    root = files({f"specs/{name}": "import names_beside\nNAME = names_beside.NAME\nWHO = __name__", "specs/names_beside.py": "NAME = 1"})
    json = sys.modules["json"]
    module = loaded_file(root / "specs" / name, what="it")
    assert module.NAME == 1
    assert module.WHO != "__main__"
    assert sys.modules[module.WHO] is module
    assert sys.modules["json"] is json


def test_a_file_with_an_error(files: Files) -> None:
    """Its own name is in the sentence."""
    with pytest.raises(CodeUnusable, match=r"my\.spec\.py, line 2: NameError"):
        loaded_file(files({"my.spec.py": "\noops"}) / "my.spec.py", what="it")


# Other things


class _Lazy:
    """Makes something up for every name that is asked of it, and minds being asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("nobody may ask")


def test_looking_for_flows_runs_nothing() -> None:
    """Objects that act when they are touched are not touched."""
    assert not is_flow(_Lazy())
    assert not is_flow(None)
    assert not is_flow(_Lazy)


@pytest.mark.parametrize(("text", "said"), [("1", "what was written is no flow"), ("{", "JSON|json"), (None, "No such file")])
def test_what_a_serializer_wrote_is_no_flow(files: Files, text: str | None, said: str) -> None:
    """It is refused in a sentence, as is what cannot be read."""
    root = files({"flow.json": text} if text is not None else {})
    with pytest.raises(CodeUnusable, match=said):
        read_flow(root / "flow.json", JsonSerializer(), what="it")


def test_a_module_that_is_no_flow(files: Files) -> None:
    """Any module can be loaded."""
    assert loaded_module(files({"one.py": "x = 1"}), "one", what="it").x == 1
