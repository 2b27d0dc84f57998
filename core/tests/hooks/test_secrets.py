"""Secrets are found by their references, and shown nowhere."""

import json
import logging
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from headrace.errors import NothingSeals, SecretUnresolved
from headrace.hooks import hookimpl
from headrace.hooks.registry import Plugin, Registry
from headrace.hooks.secrets import Secret, is_reference, resolved

VALUE = "open sesame"


def vault(name: str, answer: Any) -> Plugin:
    """A plugin that answers so."""
    module = SimpleNamespace(headrace_secret=hookimpl(answer))
    return Plugin(name=name, dist=f"dist-{name}", version="1", load=lambda: module)


def knows(reference: str) -> str | None:
    """Knows one secret."""
    return VALUE if reference == "secret://vault/door" else None


def fails(reference: str) -> str:
    """Shows in its error what must not be shown."""
    raise ValueError(f"{VALUE} is odd")


def test_the_first_answer_counts() -> None:
    """Plugins are asked one after the other until one knows it; one that fails stands in nobody's way."""
    registry = Registry([vault("a", lambda reference: None), vault("b", fails), vault("c", knows), vault("d", lambda reference: "other")])
    assert registry.secret("secret://vault/door") == VALUE
    assert Registry([vault("d", lambda reference: "first"), vault("e", knows)]).secret("secret://vault/door") == "first"


def test_a_secret_that_nobody_knows() -> None:
    """The error names the reference, and whose fault it may be, and no value."""
    with pytest.raises(SecretUnresolved, match=r"'secret://vault/gate' cannot be found: no plugin that is installed knows such a secret"):
        Registry([vault("a", knows)]).secret("secret://vault/gate")
    with pytest.raises(SecretUnresolved) as raised:
        Registry([vault("a", fails)]).secret("secret://vault/gate")
    assert str(raised.value).endswith("plugin 'a' of dist-a failed with ValueError")
    assert VALUE not in str(raised.value)
    assert raised.value.__context__ is None


def test_an_answer_that_is_no_text_is_none() -> None:
    """A plugin that answers with something else has not answered."""
    with pytest.raises(SecretUnresolved):
        Registry([vault("a", lambda reference: 3)]).secret("secret://vault/door")


def test_references_are_found_anywhere() -> None:
    """In mappings, lists and tuples, however deep; keys, other texts and other values stay as they are."""
    registry = Registry([vault("a", knows)])
    door, gate = "secret://vault/door", "see secret://vault/gate"
    given = {"token": door, "deep": [{"in": (door, 1)}], door: None, "text": gate, "size": 3, "none": None}
    found = registry.resolved(given)
    assert found == {"token": VALUE, "deep": [{"in": (VALUE, 1)}], door: None, "text": gate, "size": 3, "none": None}
    assert given["token"] == door
    assert registry.resolved(door) == VALUE
    assert registry.resolved(7) == 7
    assert not is_reference(" secret://x")
    assert not is_reference(b"secret://x")


def test_a_value_is_hidden_where_values_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    """In `repr`, also of what holds it, in logged values and in the trace of hooks; whoever uses it has the text itself."""

    @attrs.frozen
    class Door:
        word: str

    secret = Secret(VALUE)
    held = resolved({"word": "secret://x"}, lambda reference: secret)
    logging.getLogger("test").warning("%r and %s", secret, held)
    shown = [repr(secret), repr(held), repr(Door(secret)), f"{secret!r}", caplog.text]
    assert not [text for text in shown if VALUE in text]
    assert (secret, str.__str__(secret), f"{secret}", secret + "!", json.dumps(secret)) == (VALUE, VALUE, VALUE, VALUE + "!", f'"{VALUE}"')
    assert repr(pickle.loads(pickle.dumps(secret))) == "***"


def test_the_trace_of_hooks_shows_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """And not what it stands for."""
    Registry([vault("a", knows)], trace=True).secret("secret://vault/door")
    shown = capsys.readouterr().err
    assert "hook headrace_secret(reference='secret://vault/door', keys=None)" in shown
    assert VALUE not in shown


# Sealing


def sealer(name: str, answer: Any) -> Plugin:
    """A plugin that seals so."""
    return Plugin(name=name, dist=f"dist-{name}", version="1", load=lambda: SimpleNamespace(headrace_seal=hookimpl(answer)))


def test_what_is_sealed_is_a_reference() -> None:
    """The first plugin that answers with one seals; it is told where keys are, and what it gets hides itself."""
    told: list[Any] = []

    def seals(secret: str, keys: Path) -> str:
        told.append((repr(secret), keys))
        return f"secret://sealed/k/{secret[::-1]}"

    plugins = [sealer("a", lambda secret: None), sealer("b", fails_to_seal), sealer("c", lambda: "no reference"), sealer("d", seals)]
    assert Registry(plugins, keys=Path("/keys")).sealed(VALUE) == f"secret://sealed/k/{VALUE[::-1]}"
    assert told == [("***", Path("/keys"))]


def fails_to_seal(secret: str) -> str:
    """Shows in its error what must not be shown."""
    raise ValueError(f"{secret} is odd")


def test_nobody_seals() -> None:
    """The error says what to do, or who failed, and not what was to be sealed."""
    with pytest.raises(
        NothingSeals, match="no plugin that is installed seals secrets — pip install headrace-keys, or write secret://env/NAME"
    ):
        Registry([vault("a", knows)]).sealed(VALUE)
    with pytest.raises(NothingSeals, match="plugin 'a' of dist-a failed with ValueError — mend that") as raised:
        Registry([sealer("a", fails_to_seal)]).sealed(VALUE)
    assert VALUE not in str(raised.value)
    assert raised.value.__context__ is None


def test_what_was_sealed_is_not_told() -> None:
    """An error about a sealed secret names its key, and nothing that came of it; where no plugin opens any, it says which would."""
    with pytest.raises(SecretUnresolved) as raised:
        Registry([vault("a", knows)]).secret("secret://sealed/k/cipher")
    sentence = "no plugin that is installed knows such a secret — pip install headrace-keys"
    assert str(raised.value) == f"the value of 'secret://sealed/k/…' cannot be found: {sentence}"
