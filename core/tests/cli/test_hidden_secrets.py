"""What is taken for a secret, and what is not."""

from pathlib import Path

import pytest

from headrace.cli.hidden_secrets import HiddenSecrets
from headrace.settings import load

HIDDEN = HiddenSecrets.of(
    load({"HEADRACE_HOME": "/tmp/x"}), {"DB_PASSWORD": "hunter2hunter2", "API_KEY": "short", "PATH": "/usr/local/bin"}
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot log in as hunter2hunter2!", "cannot log in as ***!"),
        ("sftp://me:my%20word@host/x", "sftp://***@host/x"),
        ("postgresql://token@host", "postgresql://***@host"),
        ("wrong password=hunter2, sorry", "wrong password=***, sorry"),
        ("{'secret': 'a b c', 'key': 'k'}", "{'secret': ***, 'key': 'k'}"),
        ("AWS_SECRET_ACCESS_KEY=abc AWS_REGION=eu", "AWS_SECRET_ACCESS_KEY=*** AWS_REGION=eu"),
        ('"api_key": "abc"', '"api_key": ***'),
    ],
)
def test_a_secret_is_gone(text: str, shown: str) -> None:
    """Values of variables with telling names, who logs in at an address, and what is written as a password."""
    assert HIDDEN.gone(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "/usr/local/bin",
        "https://host/a@b",
        "short",
        "no storage named 's3'; installed: local",
        "the token is wrong",
        "2026-01-01T10:00:00+00:00",
    ],
)
def test_other_text_stays(text: str) -> None:
    """What is no secret is shown as it is."""
    assert HIDDEN.gone(text) == text


def test_all_of_it_is_looked_through() -> None:
    """Lists, mappings and paths are; numbers and nothing stay what they are."""
    found = HIDDEN.gone({"a": ["hunter2hunter2", 1, None, True], "b": {"c": Path("/hunter2hunter2/x")}, "d": ("x",)})
    assert found == {"a": ["***", 1, None, True], "b": {"c": "/***/x"}, "d": ("x",)}
