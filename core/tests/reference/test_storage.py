"""The reference storage is a storage."""

import pytest

from headrace.ports.storage import Storage
from headrace.reference.storage import MemoryStorage
from headrace.testing.conformance.storage import StorageConformance


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()
