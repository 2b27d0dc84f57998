"""Choices in specs hold no secret that is written out."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import headrace.reference.plugin
from headrace.deploying.choices import understood_choice
from headrace.errors import SecretUnresolved, WrongSpec
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.model.choices import Choice


@attrs.frozen(kw_only=True)
class VaultStorage:
    """One that asks for secrets, and takes none but `open sesame`."""

    place: str
    password: str | None = attrs.field(default=None, metadata={"secret": True})
    options: Mapping[str, Any] = attrs.field(factory=dict, metadata={"secret": True})

    def __attrs_post_init__(self) -> None:
        if self.password not in (None, "open sesame"):
            raise ValueError("it takes the password only")


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("vault", VaultStorage, "A vault")


@pytest.fixture
def registry() -> Registry:
    """What core offers, secrets among it, and the vault."""
    own = SimpleNamespace(headrace_storages=headrace_storages)
    return Registry([inline(headrace.reference.plugin, name="core"), inline(own, name="own")])


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"password": "hunter2"}, "password"),
        ({"password": "open sesame"}, "password"),
        ({"options": {"password": "hunter2"}}, "options"),
        ({"options": {"port": 22, "private_key": "hunter2"}}, "options"),
        ({"options": {"API_TOKEN": "hunter2"}}, "options"),
    ],
)
def test_a_secret_that_is_written_out_is_refused(registry: Registry, options: dict[str, Any], option: str) -> None:
    """With where to write it instead, and without showing it; however the choice was written."""
    for given in ({"type": "vault", "place": "x", **options}, Choice("vault", {"place": "x", **options})):
        written = given if isinstance(given, dict) else {"type": given.name, "config": dict(given.options)}
        with pytest.raises(WrongSpec, match=f"option '{option}' of storage 'vault' is a secret.*secret://env/NAME") as raised:
            understood_choice("storage", written, "here", registry)
        assert "hunter2" not in str(raised.value)
        assert "sesame" not in str(raised.value)


def test_references_are_kept_and_tried(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice has the reference; what it stands for is what the storage is tried with, and must be there."""
    options = {"place": "x", "password": "secret://env/VAULT", "options": {"port": 22, "username": "leo", "password": "secret://env/VAULT"}}
    monkeypatch.delenv("VAULT", raising=False)
    with pytest.raises(SecretUnresolved, match="the environment variable VAULT is not set here"):
        understood_choice("storage", {"type": "vault", **options}, "here", registry)
    monkeypatch.setenv("VAULT", "open sesame")
    assert understood_choice("storage", {"type": "vault", **options}, "here", registry) == Choice("vault", options)
