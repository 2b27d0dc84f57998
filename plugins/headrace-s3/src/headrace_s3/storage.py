"""A bucket of S3."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import attrs

from headrace.errors import InvalidOption
from headrace.ports.storage import OpenStorage, key_prefix
from headrace.settings import hide_secrets
from headrace_files.addresses import bucket_name, endpoint, said_address

_CONFIG = {"retries": {"mode": "standard", "total_max_attempts": 3}, "connect_timeout": 10}
_COMPATIBLE = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
"""Not every server that speaks as S3 does knows the checksums that Amazon's sends; some send those of the whole object with a part of it."""


def _whole(storage: "S3Storage", field: "attrs.Attribute[str | None]", secret: str | None) -> None:
    if (storage.aws_access_key_id is None) != (secret is None):
        why = "aws_access_key_id and aws_secret_access_key are given together, or neither, so that they are found as other tools find them"
        raise InvalidOption(where="storage 's3'", option="aws_access_key_id", value=storage.aws_access_key_id, why=why)
    if storage.aws_session_token is not None and secret is None:
        raise InvalidOption(where="storage 's3'", option="aws_session_token", value="***", why="it belongs to a key, and there is none")


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class S3Storage:
    """Keeps bytes in a bucket, one object each. Without a key, credentials are found as Amazon's own tools find them: environment, profile, role."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = True

    bucket: str = attrs.field(validator=bucket_name("s3"), metadata={"place": True, "meaning": "the bucket; it must be there"})
    prefix: str = attrs.field(
        default="", converter=key_prefix, metadata={"place": True, "meaning": "what all keys in the bucket begin with, as in team/flows"}
    )
    endpoint_url: str | None = attrs.field(
        default=None,
        validator=endpoint("s3"),
        metadata={"place": True, "meaning": "the address of a server that speaks as S3 does; Amazon's own if not given"},
    )
    aws_access_key_id: str | None = attrs.field(default=None, metadata={"meaning": "the name of a key"})
    aws_session_token: str | None = attrs.field(
        default=None, metadata={"meaning": "what a key that is lent for a while has besides", "secret": True}
    )
    aws_secret_access_key: str | None = attrs.field(default=None, validator=_whole, metadata={"meaning": "the key", "secret": True})
    profile_name: str | None = attrs.field(default=None, metadata={"meaning": "which profile of ~/.aws the credentials are taken from"})
    region_name: str | None = attrs.field(default=None, metadata={"meaning": "the region, as in eu-central-1"})

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        from headrace_files.object_storage import ObjectStorage  # s3fs takes half a second
        from headrace_s3.multipart import MultipartUploads
        from headrace_s3.troubles import understood

        files, root = self._reached(), f"{self.bucket}/{self.prefix}"
        where = said_address("s3", root, self.endpoint_url)
        try:
            yield ObjectStorage(
                files, root, where=where, understood=lambda error: understood(error, self.bucket), uploads=MultipartUploads(files)
            )
        finally:
            if files._s3 is not None:
                with suppress(Exception):  # it may be lost already
                    files.close_session(files.loop, files._s3)

    def _reached(self) -> Any:
        """The file system, live and used by nobody else; it asks nothing yet."""
        from s3fs import S3FileSystem  # type: ignore[import-untyped]

        return S3FileSystem(
            key=self.aws_access_key_id,
            secret=self.aws_secret_access_key,
            token=self.aws_session_token,
            endpoint_url=self.endpoint_url,
            profile=self.profile_name,
            client_kwargs={"region_name": self.region_name} if self.region_name else {},
            config_kwargs=_CONFIG | (_COMPATIBLE if self.endpoint_url else {}),
            max_concurrency=4,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
