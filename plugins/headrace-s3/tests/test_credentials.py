"""A storage that is set up wrongly says what is wrong, in one sentence, and never the key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from servers.process import free_ports
from servers.s3 import READER_KEY, READER_SECRET, SECRET, S3Server

from headrace.errors import InvalidOption, StorageAway, StorageUnusable
from headrace.ports.storage import OpenStorage
from headrace_s3.storage import S3Storage

StorageOn = Callable[[S3Server], S3Storage]
USES: list[Callable[[OpenStorage], Any]] = [
    lambda storage: storage.open("key"),
    lambda storage: storage.write("key", [b"value"]),
    lambda storage: storage.exists("key"),
    lambda storage: storage.delete("key"),
    lambda storage: list(storage.keys()),
]


@pytest.fixture(params=["seaweed_server", "rclone_server"])
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aws_secret_access_key": "wrong"}, "the key is refused"),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, "the key is refused"),
        ({"bucket": "absent"}, "there is no bucket 'absent'; make it, or correct its name"),
    ],
)
def test_what_is_wrong_is_said(server: S3Server, storage_on: StorageOn, use: Callable[[OpenStorage], Any], changes: Any, why: str) -> None:
    """Whatever is asked of it first: no wrong key and no missing bucket is taken for an absent value."""
    storage = attrs.evolve(storage_on(server), **changes)
    with storage.open() as opened, pytest.raises(StorageUnusable, match=why) as raised:
        use(opened)
    assert not isinstance(raised.value, StorageAway), "nothing that waiting helps"
    assert SECRET not in str(raised.value)


def test_a_reader_may_not_write(seaweed_server: S3Server, storage_on: StorageOn) -> None:
    """A key that may only read reads; what else it is asked for is refused, with the rights that are needed."""
    storage = storage_on(seaweed_server)
    with storage.open() as opened:
        opened.write("key", [b"value"])
    with attrs.evolve(storage, aws_access_key_id=READER_KEY, aws_secret_access_key=READER_SECRET).open() as opened:
        assert opened.open("key").read() == b"value"
        assert list(opened.keys()) == ["key"]
        for use in (
            lambda: opened.write("key", [b"new"]),
            lambda: opened.write("key", [b"new" * 10_000_000]),
            lambda: opened.delete("key"),
        ):
            with pytest.raises(StorageUnusable, match="may not do this here: give it s3:GetObject, PutObject, DeleteObject and ListBucket"):
                use()
        assert opened.open("key").read() == b"value"


@pytest.mark.parametrize("use", USES[:2])
def test_nobody_at_the_address_is_told(use: Callable[[OpenStorage], Any]) -> None:
    """An address at which nobody listens may be one of a server that comes back."""
    (port,) = free_ports(1)
    storage = S3Storage(bucket="flows", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="A", aws_secret_access_key="B")
    with storage.open() as opened, pytest.raises(StorageAway, match="it does not answer: Could not connect"):
        use(opened)


@pytest.mark.parametrize("use", USES)
def test_missing_credentials_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[OpenStorage], Any]) -> None:
    """Where no key is given and none is found on this machine, that is what is said."""
    _without_credentials(monkeypatch, tmp_path)
    with S3Storage(bucket="flows", endpoint_url="http://127.0.0.1:9").open() as opened:
        with pytest.raises(StorageUnusable, match="no credentials are found"):
            use(opened)


def test_an_unknown_profile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that this machine does not have is named."""
    _without_credentials(monkeypatch, tmp_path)
    with S3Storage(bucket="flows", profile_name="nobody").open() as opened:
        with pytest.raises(StorageUnusable, match="nobody.*; correct profile_name"):
            opened.exists("key")


def test_a_profile_gives_the_key(rclone_server: S3Server, storage_on: StorageOn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that stand in a profile need not be given."""
    _without_credentials(monkeypatch, tmp_path)
    storage = storage_on(rclone_server)
    written = f"[team]\naws_access_key_id = {storage.aws_access_key_id}\naws_secret_access_key = {storage.aws_secret_access_key}\n"
    (tmp_path / "credentials").write_text(written)
    with attrs.evolve(storage, aws_access_key_id=None, aws_secret_access_key=None, profile_name="team").open() as opened:
        opened.write("key", [b"value"])
        assert opened.exists("key")


def test_secrets_are_not_shown() -> None:
    """Neither key nor token is in the repr."""
    shown = repr(S3Storage(bucket="flows", aws_access_key_id="AKIA", aws_secret_access_key="hunter2", aws_session_token="hunter3"))
    assert "hunter" not in shown
    assert "AKIA" in shown


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bucket": ""}, "bucket='' cannot be used"),
        ({"bucket": "flows/team"}, "what lies in it is the prefix"),
        ({"bucket": "s3://flows"}, "what lies in it is the prefix"),
        ({"bucket": "flows", "prefix": "a/../b"}, "prefix='a/../b' cannot be used"),
        ({"bucket": "flows", "endpoint_url": "127.0.0.1:9000"}, "it must be an address"),
        ({"bucket": "flows", "endpoint_url": "http://me:hunter2@host"}, "it must hold no user and no password"),
        ({"bucket": "flows", "aws_access_key_id": "AKIA"}, "are given together, or neither"),
        ({"bucket": "flows", "aws_secret_access_key": "hunter2"}, "are given together, or neither"),
        ({"bucket": "flows", "aws_session_token": "hunter2"}, "it belongs to a key, and there is none"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], why: str) -> None:
    """What cannot be meant is refused when it is written, and no secret is shown."""
    with pytest.raises(InvalidOption, match=why) as raised:
        S3Storage(**options)
    assert "hunter2" not in str(raised.value)


def _without_credentials(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
