"""What is taken for a secret, and what is not."""

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from headrace.cli.hidden_secrets import HiddenSecrets, secrets_in
from headrace.cli.secret_names import looks_secret
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
        "monkey=1 and a token bucket",
        "primary_key=id, cache_key: orders, sort_key=day",
        "key: value",
        "bypass: yes, compass=north; first pass: done, val_pass: 17, pass=12",
        "docker run --user 1000:1000 image",
        "look -u https://host/x",
        "signature=(a: int, b: str), signature=before.code.signature",
        "raised as a MayPass: a run",
        "pypi-attestations-verifier of gsk_some_table_of_ours",
        '"required": ["password", "rows"]',
        "['token', 'bucket', 'rows']",
        "the cookie jar is full",
        "100%25 of a%20file",
        "private_key=/etc/ssl/private/server-key.pem",
        "https://hooks.slack.com/ is away",
        "0123456789abcdef" * 4,
    ],
)
def test_other_text_stays(text: str) -> None:
    """What is no secret is shown as it is."""
    assert HIDDEN.gone(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *((f"{name}PLANT", f"{name}***") for name in ("SECRET_KEY=", "secret_key: ", "encryption_key:", "signing_key=", "AUTH_KEY=")),
        *((f"{name}PLANT", f"{name}***") for name in ("master_key=", "client-key: ", "password1=", "DB_PASS: ", "db_pass=", "dbPass=")),
        *((f"{name}PLANT", f"{name}***") for name in ("PGPASS=", "connection_string=", "passcode: ", "SECRET_KEY_BASE=", "pass=")),
        ("{'pass': 'PLANT'}", "{'pass': ***}"),
        ("load --db-pass PLANT", "load --db-pass ***"),
        ("Endpoint=x;AccountKey=/PL+ANT0123456789abcd==;x", "Endpoint=x;AccountKey=***;x"),
        ("AccountKey=PLANT==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("next?password%3DPLANT", "next?password%3D***"),
        ("{'token': b'PLANT'}", "{'token': ***}"),
        ("{'tokens': 1, 'token': ['PLANT', 'PLANT']}", "{'tokens': 1, 'token': ***}"),
        ('{"credentials": {"user": "PLANT", "word": "PLANT"}}', '{"credentials": ***}'),
        ('"password": "PL\\"ANT"', '"password": ***'),
        ('password="PLANT', "password=***"),
        ("('password', 'PLANT')", "('password', ***)"),
        ('["db_password", "PLANT"]', '["db_password", ***]'),
        ("(b'authorization', b'Basic PLANT')", "(b'authorization', ***)"),
    ],
)
def test_what_is_called_so_is_gone(text: str, shown: str) -> None:
    """Names that end in `key` with a telling word before, with digits behind, and those of pairs."""
    assert HIDDEN.gone(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://x.blob.core.windows.net/a?sv=1&sig=PL%2FANT%3D&se=2", "https://x.blob.core.windows.net/a?sv=1&sig=***&se=2"),
        ("?X-Amz-Signature=PLANT&x=1", "?X-Amz-Signature=***&x=1"),
        ("?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2Fus&x=1", "?X-Amz-Credential=***&x=1"),
        ("&amp;X-Amz-Security-Token=PLANT", "&amp;X-Amz-Security-Token=***"),
        ("&X-Goog-Signature=PLANT", "&X-Goog-Signature=***"),
        ("?Expires=1&Signature=PLANT~x&x=1", "?Expires=1&Signature=***&x=1"),
        ("SignedHeaders=host, Signature=0123456789abcdef", "SignedHeaders=host, Signature=***"),
        ("Cookie: a=PLANT; b=PLANT", "Cookie: ***"),
        ("{'Cookie': 'a=PLANT; b=PLANT'}", "{'Cookie': ***}"),
        ("< Set-Cookie: id=PLANT; Path=/\r\n< x", "< Set-Cookie: ***\r\n< x"),
        ("curl -u user:PLANT https://x", "curl -u *** https://x"),
        ("curl --user 'user:PL ANT' x", "curl --user *** x"),
        ("curl --user=user:PLANT x", "curl --user=*** x"),
        ("['curl', '-u', 'user:PLANT']", "['curl', '-u', ***]"),
        ("<db><password>PLANT</password></db>", "<db><password>***</password></db>"),
        ('<x:api-key kind="a">PLANT</x:api-key>', '<x:api-key kind="a">***</x:api-key>'),
        ("to https://hooks.slack.com/services/T01/B02/PLANT now", "to https://hooks.slack.com/services/*** now"),
        ("https://discord.com/api/webhooks/123/PLANT", "https://discord.com/api/webhooks/***"),
        ("https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/PLANT/3", "https://acme.webhook.office.com/webhookb2/***"),
    ],
)
def test_what_stands_behind_is_gone(text: str, shown: str) -> None:
    """Signatures of addresses, cookies, who logs in by a command, elements, and addresses that are secrets."""
    assert HIDDEN.gone(text) == shown


@pytest.mark.parametrize(
    "begun",
    "SG. pypi- hvs. hvb. dop_v1_ ya29. glrt- whsec_ gsk_ shpat_ dckr_pat_ EAAC xapp- sk_test_".split(),
)
def test_tokens_of_services_are_gone(begun: str) -> None:
    """By how they begin."""
    assert HIDDEN.gone(f"with {begun}abcdefgh1234PLANT, says it") == "with ***, says it"


@pytest.mark.parametrize(
    "name",
    "secret_key secretkey DB_PASS dbPass DBPass pass PGPASS PGPASSWORD pgpassword connectionString connection_string conn_str passcode password1"
    " token_2 accountKey APIKey authToken cookie Set-Cookie signing-key".split(),
)
def test_names_of_secrets(name: str) -> None:
    """They are known as names of parameters, too."""
    assert looks_secret(name)


@pytest.mark.parametrize("name", "monkey compass bypass pass_count keys password_file token_path secretary rows key_count".split())
def test_other_names(name: str) -> None:
    """What is called otherwise is no secret."""
    assert not looks_secret(name)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_known_secrets_in_base64(before: str) -> None:
    """Alone or within more, whatever stands before it, in both alphabets."""
    secret = "a?>b~~c??d>>hunter"
    for encode in (b64encode, urlsafe_b64encode):
        coded = encode(f"{before}{secret}behind".encode()).decode()
        shown = HIDDEN.knowing([secret]).gone(f"got {coded}!")
        assert "***" in shown
        assert len(shown) < len(coded) - 12
        assert HIDDEN.knowing([secret]).gone(f"got {encode(secret.encode()).decode()}!") == "got ***!"


def test_known_secrets_percent_encoded() -> None:
    """Whichever characters are, in whatever case; what stands around stays as it is written."""
    hidden = HiddenSecrets(()).knowing(["pass wörd/1"])
    fully = "".join(f"%{byte:02x}" for byte in "pass wörd/1".encode())
    assert hidden.gone(f"ä%20{fully}%20ö {fully.upper()}") == "ä%20***%20ö ***"
    assert hidden.gone("pass%20w%c3%b6rd/1, pass+w%C3%B6rd%2F1, p%61ss wörd/1%2") == "***, ***, ***%2"
    assert hidden.replaced == {"pass wörd/1", "pass+w%C3%B6rd%2F1"}


def test_a_number_is_a_secret() -> None:
    """Where it is called one and has eight digits or more, it is hidden wherever it stands."""
    (secret,) = secrets_in({"password": 9876543210123, "pin": 87654321, "token": 1234567, "is_secret": True})
    assert secret == "9876543210123"
    assert HIDDEN.knowing([secret]).gone({"x": 9876543210123, "y": "of 9876543210123", "z": 1}) == {"x": "***", "y": "of ***", "z": 1}


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
    texts = [
        "a",
        "token",
        "://a:",
        "http://",
        "-----BEGIN ",
        'token="',
        "authorization: ",
        "\n",
        "\\",
        " --a-",
        "eyJ",
        "eyJ-",
        "token ",
        "pass",
    ]
    texts += [
        "sk-",
        "pypi-",
        "SG.",
        "cookie: a",
        "cookie: a=",
        "-u a",
        " -u a:",
        "<token>",
        "<token ",
        "hooks.slack.com/services/",
        "%41",
        "%",
    ]
    texts += [
        "token:[",
        "token:{",
        "('token', ",
        "x-amz-signature=",
        "signature=",
        "&sig=",
        "secret_",
        "_pass=",
        "basic ",
        "1:",
        "<",
        "/",
        "[ ",
    ]
    for text in texts:
        HIDDEN.gone(text * (100_000 // len(text)))
    for begun in ('token="', "token=", "token", "cookie: ", "basic ", "<token", "('token'", "-u ", "eyJabcdef", "authorization"):
        for text in ("\\", " ", "a", "\\\\ ", "'"):
            HIDDEN.gone(begun + text * 50_000)
    assert HIDDEN.gone("a token of no use, " * 50_000 + "password=x").endswith(" password=***")  # a line of a megabyte
