"""What a signature of a deployment is of: all that decides what is run, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace.errors import CodeNotSigned, NoneTrusted
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code, Deployment
from headrace.packaging.statements import checked, digest_of, must_be_able_to_check, signed, signed_by, statement_of
from headrace.wire.plain import from_text, to_text
from headrace_keys.signing_keys import created
from headrace_keys.trusted_keys import distrust, trust

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ARCHIVE = Archive(sha256="ab" * 32, files=1, size=2)
RUNNER = Choice("subprocess", {"env": {"B": "ü", "A": ""}, "warm": True, "python": None})
DEPLOYMENT = Deployment(
    id="1",
    name="plain",
    flow_name="errand",
    code=Code(entrypoint="errand:errand", archive=ARCHIVE),
    flow_runner=RUNNER,
    created=MOMENT,
    updated=MOMENT,
)
STATEMENT = (
    b"headrace statement of what a deployment runs, version 1\n"
    b'{"archive":"abababababababababababababababababababababababababababababababab","entrypoint":"errand:errand",'
    b'"flow_runner":{"name":"subprocess","options":{"env":{"A":"","B":"\\u00fc"},"python":null,"warm":true}},"serializer":null,"storage":null}'
)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Where ann signs, and is trusted."""
    trust(tmp_path, "ann", created(tmp_path, "ann"))
    return Registry(keys=tmp_path)


def test_the_text() -> None:
    """It stays as it is, byte by byte, or what was signed would be no more; a store gives it back."""
    assert statement_of(DEPLOYMENT) == STATEMENT
    assert statement_of(from_text(Deployment, to_text(DEPLOYMENT))) == STATEMENT


CHANGES: dict[str, Callable[[Code], Code]] = {
    "entrypoint": lambda code: attrs.evolve(code, entrypoint="os:system"),
    "serializer": lambda code: attrs.evolve(code, serializer="pickle"),
    "installed": lambda code: attrs.evolve(code, archive=None),
    "storage": lambda code: attrs.evolve(code, archive=attrs.evolve(ARCHIVE, storage=Choice("file", {"url": "reference://"}))),
    "archive": lambda code: attrs.evolve(code, archive=attrs.evolve(ARCHIVE, sha256="0" * 64)),
    "signature": lambda code: attrs.evolve(code, signature=attrs.evolve(code.signature, text="A" * 86 + "==")),
    "nothing": lambda code: attrs.evolve(code, signature=attrs.evolve(code.signature, text="")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_changed_after_it_was_signed(registry: Registry, change: Callable[[Code], Code]) -> None:
    """Another entrypoint, serializer or archive is something else, and a signature that was changed is none."""
    word = signed(DEPLOYMENT, "ann", registry)
    assert checked(word, RUNNER, registry) == digest_of(DEPLOYMENT)
    changed = attrs.evolve(word, code=change(word.code))
    with pytest.raises(CodeNotSigned, match="deployment 'errand/plain' is not: its signature by 'ann' is of something else"):
        checked(changed, RUNNER, registry)
    assert "but its signature counts for nothing here" in str(signed_by(changed, registry))


@pytest.mark.parametrize(
    "options", [{}, {**RUNNER.options, "env": {"A": "", "B": "u"}}, {**RUNNER.options, "warm": 1}, {**RUNNER.options, "python": "/bin/sh"}]
)
def test_the_flow_runner_is_part_of_it(registry: Registry, options: dict[str, Any]) -> None:
    """Other options are something else, whether the deployment has them or only its run; 1 is not true, though they are equal to Python."""
    word, other = signed(DEPLOYMENT, "ann", registry), Choice("subprocess", options)
    with pytest.raises(CodeNotSigned, match="is of something else"):
        checked(attrs.evolve(word, flow_runner=other), other, registry)
    with pytest.raises(CodeNotSigned, match="the run was asked for with another flow runner"):
        checked(word, other, registry)


def test_what_is_not_part_of_it(registry: Registry) -> None:
    """Names, parameters, tags and versions may change; what is run stays the same."""
    word = signed(DEPLOYMENT, "ann", registry)
    moved = attrs.evolve(word.code, archive=attrs.evolve(ARCHIVE, files=9, folder="there"))
    other = attrs.evolve(word, id="2", name="other", code=moved, parameters={"a": 1}, tags=("b",), version=7, description="x")
    assert checked(other, RUNNER, registry) == digest_of(word)


def test_who_signed_it_in_words(registry: Registry, tmp_path: Path) -> None:
    """A name where the key is trusted, else the key and what is wrong; nothing where nobody has."""
    word = signed(DEPLOYMENT, "ann", registry)
    assert word.code.signature is not None
    key = word.code.signature.key
    assert signed_by(DEPLOYMENT, registry) is None
    assert signed_by(word, registry) == f"ann ({key})"
    distrust(tmp_path, "ann")
    assert str(signed_by(word, registry)).startswith(f"{key}, but no signature counts for anything here: no key is trusted")
    assert str(signed_by(word, Registry(blocked=["headrace-keys"]))).startswith(
        f"{key}, but no signature counts for anything here: no plugin"
    )


def test_whether_anything_can_be_checked(registry: Registry, tmp_path: Path) -> None:
    """Where a key is trusted it can; where none is, it is said."""
    must_be_able_to_check(registry)
    distrust(tmp_path, "ann")
    with pytest.raises(NoneTrusted):
        must_be_able_to_check(registry)
