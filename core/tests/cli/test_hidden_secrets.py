"""What is taken for a secret, and what is not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace.cli.hidden_secrets import HiddenSecrets, secrets_in
from headrace.hooks.secrets import Secret
from headrace.model.deployments import Code, Deployment
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MADE: dict[str, Any] = {"created": NOW, "flow_name": "f", "root_id": "r"}

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
        ("postgres://me:a/b@host/db", "postgres://***@host/db"),
        ("postgres://me:a@b@host/db", "postgres://***@host/db"),
        ("load --db-password hunter2 now", "load --db-password *** now"),
        ('{"a": "{\\"password\\": \\"a b\\"}"}', '{"a": "{\\"password\\": ***}"}'),
        ("Authorization: Basic bWU6YWJj", "Authorization: Basic ***"),
        ("'authorization': 'Bearer abc.def.ghi'", "'authorization': 'Bearer ***'"),
        ("sent bearer abcdefgh", "sent bearer ***"),
        ("AKIAIOSFODNN7EXAMPLE is", "*** is"),
        ("got eyJhbGciOi.eyJzdWIiOi.SflKxw!", "got ***!"),
        ("of ghp_abcdefghijklmnopqrst", "of ***"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nrest", "***\nrest"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "***"),
        ("a\n" + "Ab1+" * 16 + "\nb", "a\n***\nb"),
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
        "https://registry:5000/image@sha256:abcdef",
        "http://host:8080/x, or write to me@host",
        "secret://env/NAME",
        "tokens: 5, key=column",
        "basic authentication is needed",
        "0123456789abcdef" * 4,
    ],
)
def test_other_text_stays(text: str) -> None:
    """What is no secret is shown as it is."""
    assert HIDDEN.gone(text) == text


def test_all_of_it_is_looked_through() -> None:
    """Lists, mappings and paths are; numbers and nothing stay what they are."""
    found = HIDDEN.gone({"a": ["hunter2hunter2", 1, None, True], "b": {"c": Path("/hunter2hunter2/x")}, "d": ("x",)})
    assert found == {"a": ["***", 1, None, True], "b": {"c": "/***/x"}, "d": ("x",)}


def test_what_stands_under_the_name_of_a_secret() -> None:
    """It is one, however deep and whatever it is, but where it only says where it is; ids of headrace's values stay."""
    found = HIDDEN.gone(
        {"dbPassword": "x", "credentials": {"user": 1, "is_on": True}, "token": "secret://env/X", "password_file": "/x", "a": 1}
    )
    assert found == {
        "dbPassword": "***",
        "credentials": {"user": "***", "is_on": True},
        "token": "secret://env/X",
        "password_file": "/x",
        "a": 1,
    }
    run = FlowRun(
        id="hunter2hunter2", name="of hunter2hunter2", state=State.failed(message="token=x"), **MADE, parameters={"api-key": ["x"]}
    )
    shown = HIDDEN.gone([run])[0]
    assert (shown.id, shown.name, shown.state.message, shown.parameters) == ("hunter2hunter2", "of ***", "token=***", {"api-key": ["***"]})
    assert HIDDEN.gone(attrs.evolve(run, name="n", state=State.running(), parameters={})).name == "n"


def test_a_schema_stays_one() -> None:
    """Of a parameter that is a secret, what it may be stays, and its default is gone."""
    schema = {"properties": {"token": {"type": "string", "default": "x"}, "n": {"default": 1}}, "required": ["token"]}
    made = Deployment(id="d", name="n", flow_name="f", code=Code(entrypoint="a:b"), parameter_schema=schema, created=NOW, updated=NOW)
    properties = {"token": {"type": "string", "default": "***"}, "n": {"default": 1}}
    assert HIDDEN.gone(made).parameter_schema == {"properties": properties, "required": ["token"]}


def test_other_secrets() -> None:
    """More can be known, in all ways in which they may be written; what was replaced is known too."""
    hidden = HIDDEN.knowing([Secret('a "b" ü'), "secret://env/X", "-----BEGIN X-----\nfirst-line-of-a-key\n"])
    assert hidden.gone('a "b" ü, a%20%22b%22%20%C3%BC, a \\"b\\" \\u00fc, first-line-of-a-key') == "***, ***, ***, ***"
    assert hidden.gone("secret://env/X") == "secret://env/X"
    assert 'a "b" ü' in hidden.replaced
    assert list(secrets_in({"a": {"password": ["hunter2", "short", "long-enough"]}, "b": "long-enough"})) == ["hunter2", "long-enough"]


def test_much_text_takes_no_time() -> None:
    """What is taken for a secret is found in one go, whatever the text is made of."""
    for text in ("a", "token", "://a:", "http://", "-----BEGIN ", 'token="', "authorization: ", "\n", "\\", " --a-", "eyJ"):
        HIDDEN.gone(text * (200_000 // len(text)))
