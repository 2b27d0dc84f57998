"""Large objects of S3: parts, two of them on their way at once, which become one object when all have arrived."""

import attrs
from s3fs import S3FileSystem  # type: ignore[import-untyped]

from headrace_files.uploads import Part, Upload


@attrs.frozen
class MultipartUploads:
    """Uploads of at most 10,000 parts, which are 160 GB. All have one size: some servers want that."""

    files: S3FileSystem
    part_bytes: int = 16 * 1024 * 1024
    at_once: int = 2

    def begin(self, path: str) -> Upload:
        bucket, key, _ = self.files.split_path(path)
        place = {"Bucket": bucket, "Key": key}
        begun = self.files.call_s3("create_multipart_upload", **place)
        return _MultipartUpload(self.files, place | {"UploadId": begun["UploadId"]})


@attrs.frozen
class _MultipartUpload:
    files: S3FileSystem
    place: dict[str, str]
    tags: dict[int, str] = attrs.field(factory=dict)
    """What the server calls the parts that have arrived."""

    def send(self, part: Part) -> None:
        self.tags[part.number] = self.files.call_s3("upload_part", **self.place, PartNumber=part.number, Body=part.content)["ETag"]

    def finish(self) -> None:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(self.tags.items())]
        self.files.call_s3("complete_multipart_upload", **self.place, MultipartUpload={"Parts": parts})

    def give_up(self) -> None:
        self.files.call_s3("abort_multipart_upload", **self.place)
