"""The servers on which the storage is tried; they start when they are first asked for."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from servers.s3 import BUCKET, KEY, SECRET, S3Server, rclone_s3, seaweed

from headrace_s3.storage import S3Storage


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture
def storage_on() -> Callable[[S3Server], S3Storage]:
    """Gives a storage on a server, under a prefix of this test alone."""
    prefix = f"tests/{uuid4()}"

    def storage(server: S3Server) -> S3Storage:
        return S3Storage(bucket=BUCKET, prefix=prefix, endpoint_url=server.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET)

    return storage
