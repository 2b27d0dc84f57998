"""What errors of S3 mean, in a sentence each. Which is which is told by the codes that S3 answers with, since s3fs has one class for many of them."""

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from s3fs.utils import FileExpired  # type: ignore[import-untyped]

from headrace_files.fsspec_storage import Trouble

_SECRET_WRONG = "the key is refused: aws_secret_access_key does not belong to this aws_access_key_id"
_NOT_ALLOWED = "the key is refused, or may not do this here: give it s3:GetObject, PutObject, DeleteObject and ListBucket"
_CODES = {
    "NoSuchBucket": "there is no bucket {bucket!r}; make it, or correct its name",
    "InvalidBucketName": "{bucket!r} cannot be the name of a bucket",
    "InvalidAccessKeyId": "the key is refused: there is no such aws_access_key_id",
    "SignatureDoesNotMatch": _SECRET_WRONG,
    "ExpiredToken": "the aws_session_token has expired; get a new one",
    "InvalidToken": "the aws_session_token is not one of this key",
    "AccessDenied": _NOT_ALLOWED,
    "403": _NOT_ALLOWED,
    "PermanentRedirect": "the bucket {bucket!r} lies in another region; give region_name",
    "AuthorizationHeaderMalformed": "the bucket {bucket!r} lies in another region; give region_name",
    "RequestTimeTooSkewed": "the clock of this machine differs from that of the server; set it",
    "QuotaExceeded": "there is no room left; make room and try again",
    "XMinioStorageFull": "there is no room left; make room and try again",
}
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull"})
_PASSING = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException", "503", "500"}
)


def understood(error: Exception, bucket: str) -> Trouble | None:
    """What an error means; None where s3fs has said it with an error of the system's own, or nobody knows."""
    if isinstance(error, FileExpired):
        return Trouble(why="the object was written anew while it was read; read it again", passes=True)
    cause = error if isinstance(error, (ClientError, BotoCoreError)) else error.__cause__
    if isinstance(cause, ClientError):
        return _answered(cause, bucket)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return Trouble(
            why="no credentials are found: give aws_access_key_id and aws_secret_access_key, or a profile_name, or set them for this machine"
        )
    if isinstance(error, ProfileNotFound):
        return Trouble(why=f"{error}; correct profile_name, or set it up with Amazon's own tools")
    if isinstance(error, (EndpointConnectionError, HTTPClientError, ConnectionError, TimeoutError)):
        return Trouble(why=f"it does not answer: {error}", passes=True)
    return None


def _answered(error: ClientError, bucket: str) -> Trouble | None:
    found = error.response.get("Error", {})
    code, message = str(found.get("Code", "")), str(found.get("Message", ""))
    if code in _CODES:
        return Trouble(why=f"{_CODES[code].format(bucket=bucket)} ({code}: {message})", passes=code in _FULL)
    if code in _PASSING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Trouble(why=f"it cannot serve now ({code}: {message})", passes=True)
    return None
