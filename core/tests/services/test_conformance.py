"""The services of core are services."""

import pytest

from headrace.ports.service import Service
from headrace.services.late_runs import LateRuns
from headrace.services.lost_leases import LostLeases
from headrace.services.retention import RetentionService
from headrace.testing.conformance.service import ServiceConformance


class TestLostLeases(ServiceConformance):
    @pytest.fixture
    def service(self) -> Service:
        return LostLeases()


class TestLateRuns(ServiceConformance):
    @pytest.fixture
    def service(self) -> Service:
        return LateRuns()


class TestRetentionService(ServiceConformance):
    @pytest.fixture
    def service(self) -> Service:
        return RetentionService()
