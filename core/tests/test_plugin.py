"""What core offers through its own plugins is found and loads."""

from pathlib import Path

import pytest

from headrace.testing.conformance.plugins import Options, PluginConformance


class TestPlugin(PluginConformance):
    """As every plugin: there is no back door."""

    @pytest.fixture
    def options(self, tmp_path: Path) -> Options:
        return {"file": {"path": str(tmp_path / "events")}, "moments": {"moments": ["2026-01-01T00:00:00Z"]}}
