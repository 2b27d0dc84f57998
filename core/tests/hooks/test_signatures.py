"""Statements are signed and checked by plugins; what nobody vouches for is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.errors import CannotSign, NoneTrusted, SignatureRefused
from headrace.hooks import hookimpl
from headrace.hooks.registry import Plugin, Registry
from headrace.model.deployments import Signature

SIGNATURE = Signature(key="k", text="word")


def plugin(name: str, **hooks: Any) -> Plugin:
    """A plugin with these hooks."""
    module = SimpleNamespace(**{hook: hookimpl(function) for hook, function in hooks.items()})
    return Plugin(name=name, dist=f"dist-{name}", version="1", load=lambda: module)


def fails(**_: Any) -> Any:
    """Fails."""
    raise OSError("no")


def test_the_first_that_has_the_key_signs() -> None:
    """It is told what to sign, by which key, and where keys are; who answers with anything but a signature has not answered."""
    told: list[Any] = []

    def signs(statement: bytes, key: str, keys: Path) -> Signature:
        told.append((statement, key, keys))
        return SIGNATURE

    plugins = [plugin("a", headrace_sign=lambda: None), plugin("b", headrace_sign=lambda: "word"), plugin("c", headrace_sign=signs)]
    assert Registry(plugins, keys=Path("/keys")).signed(b"this", "ann") == SIGNATURE
    assert told == [(b"this", "ann", Path("/keys"))]


def test_nobody_signs() -> None:
    """The error says what to install, or who failed."""
    with pytest.raises(
        CannotSign, match="nothing can be signed by key 'ann': no plugin that is installed has it — pip install headrace-keys"
    ):
        Registry([]).signed(b"this", "ann")
    with pytest.raises(CannotSign, match="by key 'ann': plugin 'a' of dist-a failed with OSError"):
        Registry([plugin("a", headrace_sign=lambda: fails())]).signed(b"this", "ann")


def test_the_first_that_knows_the_key_vouches() -> None:
    """It says by which name the key is trusted; an answer that is no name is none."""
    plugins = [
        plugin("a", headrace_verify=lambda: None),
        plugin("b", headrace_verify=lambda: True),
        plugin("c", headrace_verify=lambda statement, signature: "ann" if (statement, signature) == (b"this", SIGNATURE) else None),
    ]
    assert Registry(plugins).signer(b"this", SIGNATURE) == "ann"
    with pytest.raises(SignatureRefused, match="key k is not trusted here"):
        Registry(plugins).signer(b"that", SIGNATURE)


def test_nobody_vouches() -> None:
    """Where no plugin checks signatures, or the one that does fails, none counts."""
    with pytest.raises(NoneTrusted, match="no signature counts for anything here: no plugin .* — pip install headrace-keys"):
        Registry([plugin("a", headrace_sign=lambda: None)]).signer(b"this", SIGNATURE)
    with pytest.raises(NoneTrusted, match="plugin 'a' of dist-a failed with OSError"):
        Registry([plugin("a", headrace_verify=lambda: fails())]).signer(b"this", SIGNATURE)
