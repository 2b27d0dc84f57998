"""A storage that is set up wrongly says what is wrong, in one sentence, and never the key."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from servers.azure import ACCOUNT, CONTAINER, KEY, AzureServer
from servers.process import free_ports

from headrace.errors import InvalidOption, StorageAway, StorageUnusable
from headrace.ports.storage import OpenStorage
from headrace_azure.storage import AzureStorage

StorageOn = Callable[[AzureServer], AzureStorage]
USES: list[Callable[[OpenStorage], Any]] = [
    lambda storage: storage.open("key"),
    lambda storage: storage.write("key", [b"value"]),
    lambda storage: storage.write("key", [b"value" * 4_000_000]),
    lambda storage: storage.exists("key"),
    lambda storage: storage.delete("key"),
    lambda storage: list(storage.keys()),
]
WRONG_KEY = "aHVudGVyMg=="  # hunter2
FAR = datetime(2100, 1, 1, tzinfo=UTC)
CONNECTION = f"AccountName=team;AccountKey={WRONG_KEY}"


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_key": WRONG_KEY}, "the credentials are refused"),
        ({"account_name": "another"}, "the credentials are refused"),
        ({"container": "absent"}, "there is no container 'absent'; make it, or correct its name"),
    ],
)
def test_what_is_wrong_is_said(azure_server: AzureServer, use: Callable[[OpenStorage], Any], changes: Any, why: str) -> None:
    """Whatever is asked of it first: no wrong key and no missing container is taken for an absent value."""
    with attrs.evolve(_with_key(azure_server), **changes).open() as opened, pytest.raises(StorageUnusable, match=why) as raised:
        use(opened)
    assert not isinstance(raised.value, StorageAway), "nothing that waiting helps"
    assert "\n" not in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_wrong_key_in_a_connection_string_is_told(azure_server: AzureServer) -> None:
    """It is refused as one that is given alone is."""
    connection = azure_server.connection_string.replace(KEY, WRONG_KEY)
    with AzureStorage(container=CONTAINER, connection_string=connection).open() as opened:
        with pytest.raises(StorageUnusable, match="the credentials are refused"):
            opened.exists("key")


@pytest.mark.parametrize("mark", ["", "?"])
def test_a_token_is_used(azure_server: AzureServer, storage_on: StorageOn, mark: str) -> None:
    """A shared access signature, with its question mark or without, does what it is for."""
    storage = _with_token(
        storage_on(azure_server), azure_server, AccountSasPermissions(read=True, write=True, delete=True, list=True), mark
    )
    with storage.open() as opened:
        opened.write("key", [b"value"])
        assert opened.open("key").read() == b"value"
        assert list(opened.keys()) == ["key"]
        opened.delete("key")


def test_a_reader_may_not_write(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """A token that is for reading reads; what else it is asked for is refused, with the rights that are needed."""
    written = storage_on(azure_server)
    with written.open() as opened:
        opened.write("key", [b"value"])
    with _with_token(written, azure_server, AccountSasPermissions(read=True, list=True)).open() as opened:
        assert opened.open("key").read() == b"value"
        assert list(opened.keys()) == ["key"]
        for use in (
            lambda: opened.write("key", [b"new"]),
            lambda: opened.write("key", [b"new" * 10_000_000]),
            lambda: opened.delete("key"),
        ):
            with pytest.raises(StorageUnusable, match="may not do this here: give them the role Storage Blob Data Contributor"):
                use()
        assert opened.open("key").read() == b"value"


def test_nobody_at_the_address_is_told() -> None:
    """An address at which nobody listens may be one of a server that comes back; that is said in seconds, and nothing else is printed."""
    (port,) = free_ports(1)
    program = """
import sys, time
from headrace.errors import StorageAway
from headrace_azure.storage import AzureStorage

uses = [lambda: opened.open("key"), lambda: opened.write("key", [b"value"])]
with AzureStorage(container="flows", account_name="team", account_key="aHVudGVyMg==", endpoint_url=sys.argv[1]).open() as opened:
    for use in uses:
        start = time.monotonic()
        try:
            use()
        except StorageAway as error:
            print(error.why, time.monotonic() - start < 20)
"""
    command = [sys.executable, "-c", program, f"http://127.0.0.1:{port}/team"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    told = done.stdout.splitlines()
    assert len(told) == 2
    assert all(line.startswith("it does not answer: Cannot connect") and line.endswith("True") for line in told)


def test_a_malformed_connection_string_is_told() -> None:
    """What holds all that is needed, and is none for Azure, is refused when it is opened, and not shown."""
    storage = AzureStorage(container="flows", connection_string=f"{CONNECTION};nonsense")
    with (
        pytest.raises(StorageUnusable, match="connection_string cannot be used: Connection string is .*malformed") as raised,
        storage.open(),
    ):
        pass
    assert WRONG_KEY not in str(raised.value)


def test_missing_credentials_are_told(tmp_path: Path) -> None:
    """Where an account is named alone and nothing is found on this machine, that is what is said, in one line, and nothing else is printed."""
    program = """
from headrace.errors import StorageAway, StorageUnusable
from headrace_azure.storage import AzureStorage

with AzureStorage(container="flows", account_name="team").open() as opened:
    try:
        opened.exists("key")
    except StorageUnusable as error:
        print(error, isinstance(error, StorageAway))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "IDENTITY_", "MSI_"))}
    environment |= {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    environment |= {"AZURE_TOKEN_CREDENTIALS": "dev"}  # what it would find in the network is not asked for
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert "cannot be used: no credentials are found: give account_key, sas_token or connection_string, or sign in" in done.stdout
    assert done.stdout.endswith(" False\n")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_the_environment_changes_nothing(azure_server: AzureServer, storage_on: StorageOn, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other programs find in variables is not taken for what a storage says."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", CONNECTION)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "hunter2")
    monkeypatch.setenv("AZURE_STORAGE_CLIENT_ID", "hunter2")
    for storage in (storage_on(azure_server), _with_key(azure_server)):
        with storage.open() as opened:
            opened.write("key", [b"value"])
            assert opened.exists("key")


def test_secrets_are_not_shown() -> None:
    """Neither key nor token nor connection string is in the repr."""
    shown = [
        repr(AzureStorage(container="flows", connection_string=CONNECTION)),
        repr(AzureStorage(container="flows", account_name="team", account_key=WRONG_KEY)),
        repr(AzureStorage(container="flows", account_name="team", sas_token="hunter2")),
    ]
    assert not [text for text in shown if "hunter2" in text or WRONG_KEY in text]
    assert "team" in shown[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"container": "", "account_name": "team"}, "container='' cannot be used"),
        ({"container": "flows/team", "account_name": "team"}, "what lies in it is the prefix"),
        ({"container": "flows", "account_name": "team", "prefix": "a/../b"}, "prefix='a/../b' cannot be used"),
        ({"container": "flows", "account_name": "team", "endpoint_url": "127.0.0.1:9000"}, "it must be an address"),
        ({"container": "flows", "account_name": "team", "endpoint_url": "http://me:hunter2@host"}, "it must hold no user and no password"),
        ({"container": "flows", "account_name": "team", "account_key": "hunter2"}, "its key must be one as Azure shows it, in base64"),
        ({"container": "flows", "account_name": "team", "account_key": WRONG_KEY, "sas_token": "hunter2"}, "is given, not both"),
        ({"container": "flows"}, "nothing says which account: give connection_string, or account_name"),
        ({"container": "flows", "account_key": WRONG_KEY}, "nothing says which account"),
        ({"container": "flows", "connection_string": "hunter2"}, "it must be all of what Azure shows as a connection string"),
        ({"container": "flows", "connection_string": "AccountName=team;AccountKey="}, "it must be all of what Azure shows"),
        ({"container": "flows", "connection_string": "BlobEndpoint=;AccountKey=hunter2"}, "it must be all of what Azure shows"),
        ({"container": "flows", "connection_string": "AccountName=team;AccountKey=hunter2"}, "its key must be one as Azure shows it"),
        ({"container": "flows", "connection_string": ""}, "it must be all of what Azure shows as a connection string"),
        ({"container": "flows", "connection_string": CONNECTION, "account_key": WRONG_KEY}, "it says all that account_key would say"),
        ({"container": "flows", "connection_string": CONNECTION, "account_name": "team"}, "it says all that account_name would say"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], why: str) -> None:
    """What cannot be meant is refused when it is written, and no secret is shown."""
    with pytest.raises(InvalidOption, match=why) as raised:
        AzureStorage(**options)
    assert "hunter2" not in str(raised.value)
    assert WRONG_KEY not in str(raised.value)


def _with_key(server: AzureServer) -> AzureStorage:
    return AzureStorage(container=CONTAINER, account_name=ACCOUNT, account_key=KEY, endpoint_url=server.url)


def _with_token(storage: AzureStorage, server: AzureServer, rights: AccountSasPermissions, mark: str = "") -> AzureStorage:
    kinds = ResourceTypes(service=True, container=True, object=True)
    token = generate_account_sas(ACCOUNT, KEY, resource_types=kinds, permission=rights, expiry=FAR)
    return attrs.evolve(storage, connection_string=None, account_name=ACCOUNT, sas_token=f"{mark}{token}", endpoint_url=server.url)
