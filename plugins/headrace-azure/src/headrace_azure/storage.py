"""A container of Azure Blob Storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import attrs

from headrace.errors import InvalidOption, StorageUnusable
from headrace.ports.storage import OpenStorage, key_prefix
from headrace.settings import HIDDEN, hide_secrets
from headrace_files.addresses import bucket_name, endpoint, said_address

_WHERE = "storage 'azure'"
_WAYS = "give connection_string, or account_name with account_key or sas_token, or account_name alone for who this machine is for Azure"


def _connection(_: object, field: "attrs.Attribute[str | None]", connection: str | None) -> None:
    if connection is None:
        return
    parts = connection.split(";") if isinstance(connection, str) else []
    said = {name.strip().lower(): value for name, _, value in (part.partition("=") for part in parts) if value}
    if not said.keys() & {"accountname", "blobendpoint"} or not said.keys() & {"accountkey", "sharedaccesssignature"}:
        why = "it must be all of what Azure shows as a connection string: AccountName=…;AccountKey=…;…"
        raise InvalidOption(where=_WHERE, option=field.name, value=HIDDEN, why=why)
    _key(None, field, said.get("accountkey"))


def _key(_: object, field: "attrs.Attribute[str | None]", key: str | None) -> None:
    from base64 import b64decode  # who has no such key need not pay

    try:
        right = key is None or bool(b64decode(key, validate=True))
    except (ValueError, TypeError):
        right = False
    if not right:
        raise InvalidOption(where=_WHERE, option=field.name, value=HIDDEN, why="its key must be one as Azure shows it, in base64")


def _one_way(storage: "AzureStorage", field: "attrs.Attribute[str | None]", url: str | None) -> None:
    """Checked with the last field, when all are there."""
    given = [name for name in ("account_key", "sas_token") if getattr(storage, name) is not None]
    if storage.connection_string is None:
        if not storage.account_name:
            raise InvalidOption(where=_WHERE, option="account_name", value=storage.account_name, why=f"nothing says which account: {_WAYS}")
        if len(given) > 1:
            raise InvalidOption(where=_WHERE, option="sas_token", value=HIDDEN, why="account_key or sas_token is given, not both")
        return
    given += [name for name in ("account_name", "endpoint_url") if getattr(storage, name) is not None]
    if given:
        why = f"it says all that {' and '.join(given)} would say; give one or the other"
        raise InvalidOption(where=_WHERE, option="connection_string", value=HIDDEN, why=why)


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class AzureStorage:
    """Keeps bytes in a container, one blob each. With an account's name alone, credentials are found as Azure's own tools find them."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = True

    container: str = attrs.field(validator=bucket_name("azure"), metadata={"place": True, "meaning": "the container; it must be there"})
    prefix: str = attrs.field(
        default="", converter=key_prefix, metadata={"place": True, "meaning": "what all keys in the container begin with, as in team/flows"}
    )
    connection_string: str | None = attrs.field(
        default=None, validator=_connection, metadata={"meaning": "account and key in one, as Azure shows them", "secret": True}
    )
    account_name: str | None = attrs.field(
        default=None, metadata={"place": True, "meaning": "the storage account, in place of a connection string"}
    )
    account_key: str | None = attrs.field(default=None, validator=_key, metadata={"meaning": "a key of the account", "secret": True})
    sas_token: str | None = attrs.field(default=None, metadata={"meaning": "a shared access signature, in place of a key", "secret": True})
    endpoint_url: str | None = attrs.field(
        default=None,
        validator=[endpoint("azure"), _one_way],
        metadata={
            "place": True,
            "meaning": "the address of the account's blobs, where that is not https://<account_name>.blob.core.windows.net",
        },
    )

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        from headrace_azure.files import BlockUploads, Files, leave  # adlfs takes a second
        from headrace_azure.troubles import understood
        from headrace_files.object_storage import ObjectStorage

        root = f"{self.container}/{self.prefix}"
        where = said_address("az", root, self.endpoint_url)
        files = Files(self._client(where))
        try:
            yield ObjectStorage(
                files, root, where=where, understood=lambda error: understood(error, self.container), uploads=BlockUploads(files)
            )
        finally:
            leave(files)

    def _client(self, where: str) -> Any:
        """What asks; it asks nothing yet. Raises StorageUnusable."""
        from headrace_azure.files import client_of_account, client_of_connection

        if self.connection_string is not None:
            try:
                return client_of_connection(self.connection_string)
            except ValueError as error:
                raise StorageUnusable(where=where, why=f"connection_string cannot be used: {error}") from None
        name = str(self.account_name)
        url = self.endpoint_url or f"https://{name}.blob.core.windows.net"
        return client_of_account(url, name=name, key=self.account_key, sas_token=self.sas_token)
