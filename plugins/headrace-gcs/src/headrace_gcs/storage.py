"""A bucket of Google Cloud Storage."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import attrs

from headrace.errors import InvalidOption, StorageUnusable
from headrace.ports.storage import OpenStorage, key_prefix
from headrace.settings import HIDDEN, hide_secrets
from headrace_files.addresses import bucket_name, endpoint, said_address

_ACCOUNT = ("client_email", "private_key", "token_uri")


def _parsed(info: Any) -> Any:
    """A service account that came as text, as a secret does that is referred to; what is no JSON stays what it is."""
    if not isinstance(info, str):
        return info
    try:
        return json.loads(info)
    except ValueError:
        return info


def account_fault(info: Any) -> str:
    """What a service account lacks, in words; nothing if it looks like one."""
    if not isinstance(info, Mapping):
        return "it must be a mapping, as in the JSON that keys of service accounts are downloaded as"
    missing = [name for name in _ACCOUNT if not info.get(name) or not isinstance(info[name], str)]
    if missing:
        return f"it lacks {', '.join(missing)}; give all of the JSON that keys of service accounts are downloaded as"
    if "-----BEGIN" not in info["private_key"]:
        return "its private_key must be a key in PEM, from -----BEGIN PRIVATE KEY----- on"
    return ""


def _account(_: object, field: "attrs.Attribute[Any]", info: Any) -> None:
    why = "" if info is None else account_fault(info)
    if why:
        raise InvalidOption(where="storage 'gcs'", option=field.name, value=HIDDEN, why=why)


def _alone(storage: "GcsStorage", field: "attrs.Attribute[str | None]", path: str | None) -> None:
    if path is not None and storage.service_account_info is not None:
        why = "service_account_info or service_account_file is given, not both"
        raise InvalidOption(where="storage 'gcs'", option=field.name, value=path, why=why)


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class GcsStorage:
    """Keeps bytes in a bucket, one object each. Without a service account, credentials are found as Google's own tools find them.

    At an `endpoint_url` there is no such finding: who gives no service account is nobody there, as emulators want it.
    """

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = True

    bucket: str = attrs.field(validator=bucket_name("gcs"), metadata={"place": True, "meaning": "the bucket; it must be there"})
    prefix: str = attrs.field(
        default="", converter=key_prefix, metadata={"place": True, "meaning": "what all keys in the bucket begin with, as in team/flows"}
    )
    project: str | None = attrs.field(default=None, metadata={"meaning": "the project of the bucket; that of the credentials if not given"})
    service_account_info: Mapping[str, Any] | None = attrs.field(
        default=None,
        converter=_parsed,
        validator=_account,
        metadata={"meaning": "a service account: all of the JSON that its key is downloaded as", "secret": True},
    )
    service_account_file: str | None = attrs.field(
        default=None, validator=_alone, metadata={"meaning": "a file with that JSON, where the storage is used"}
    )
    endpoint_url: str | None = attrs.field(
        default=None,
        validator=endpoint("gcs"),
        metadata={"place": True, "meaning": "the address of a server that speaks as Google's does; Google's own if not given"},
    )

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        from headrace_files.object_storage import ObjectStorage  # gcsfs takes a second
        from headrace_gcs.files import ResumableUploads, leave, reached
        from headrace_gcs.troubles import Troubles

        root = f"{self.bucket}/{self.prefix}"
        where = said_address("gs", root, self.endpoint_url)
        files = reached(self._credentials(where), project=self.project, endpoint_url=self.endpoint_url)
        try:
            yield ObjectStorage(files, root, where=where, understood=Troubles(files, self.bucket), uploads=ResumableUploads(files))
        finally:
            leave(files)

    def _credentials(self, where: str) -> Any:
        """Who asks; nobody is None. Raises StorageUnusable."""
        from headrace_gcs.credentials import in_file, of_account, of_this_machine

        given, name = self.service_account_info, "service_account_info"
        try:
            if self.service_account_file is not None:
                name = f"service_account_file {self.service_account_file!r}"
                given = in_file(self.service_account_file)
                if why := account_fault(given):
                    raise ValueError(why)
            elif given is None:
                name = ""
                return None if self.endpoint_url else of_this_machine()
            return of_account(given or {})
        except ValueError as error:
            raise StorageUnusable(where=where, why=f"{name} cannot be used: {error}" if name else str(error)) from None
